package migration

// change is what has to be written to a table to bring a delta in. Rows are in
// the table's columns.
type change struct {
	insert []Row // NULL in an AUTO_INCREMENT column: the server numbers the row
	update []Edit
	remove []Row
	given  []Column // the columns that inserts and updates have values for

	already, merged int
}

func (c change) size() int { return len(c.insert) + len(c.update) + len(c.remove) }

// merge decides, from the history a run started from, what it gained and what
// the table holds now, what is to be written. It touches nothing.
func merge(spec Spec, base *History, d Delta, now *History, back bool) (change, error) {
	if key, dirty := firstDirty(spec, now.Columns, now.Rows); dirty {
		return change{}, &DirtyError{Table: now.Table, Key: key}
	}
	if spec.Shape() == Pointer {
		return mergePointer(spec, base, d, now, back)
	}
	m := newMerger(spec, base, d, now)
	m.updates()
	m.deletes()
	m.inserts()
	m.others()
	if len(m.drift.Added)+len(m.drift.Removed)+len(m.drift.Changed) > 0 {
		return change{}, &m.drift
	}
	m.c.insert = number(now, m.c.insert)
	return m.c, nil
}

// merger explains every row of two heaps: those of base that the table does not
// hold any more, and those of the table that base did not have. What stays
// unexplained is drift.
type merger struct {
	spec  Spec
	d     Delta
	now   *History
	c     change
	drift DriftError

	base  []Row           // rows of base, laid out in now's columns
	keys  map[string]bool // their keys
	pair  map[int]int     // row of base -> the same row in now
	gone  *heap           // rows of base without a pair
	extra *heap           // rows of now without a pair
	own   *rowIndex       // rows of base by the columns that base, delta and now share
}

// newMerger pairs the rows that have not moved. Only columns that both sides
// have are compared: the deployment may have altered the table.
func newMerger(spec Spec, base *History, d Delta, now *History) *merger {
	m := &merger{spec: spec, d: d, now: now, pair: map[int]int{}, keys: map[string]bool{}}
	m.drift = DriftError{Table: now.Table, Columns: columnNames(now.Columns)}
	m.c.given = sharedColumns(now.Columns, d.Columns)
	m.base = alignRows(base, now.Columns)

	shared := columnNames(sharedColumns(now.Columns, base.Columns))
	index := newRowIndex(now.Columns, shared, now.Rows)
	m.gone = &heap{rows: m.base, open: map[int]bool{}}
	for i, row := range m.base {
		m.keys[keyOf(spec, now.Columns, row)] = true
		if j := index.take(row); j >= 0 {
			m.pair[i] = j
		} else {
			m.gone.add(i)
		}
	}
	m.extra = &heap{rows: now.Rows, open: map[int]bool{}}
	for _, j := range index.rest() {
		m.extra.add(j)
	}
	m.own = newRowIndex(now.Columns, columnNames(sharedColumns(m.c.given, base.Columns)), m.base)
	return m
}

// updates must find their row as it was, or as they leave it.
func (m *merger) updates() {
	given := columnNames(m.c.given)
	for _, e := range m.d.Update {
		before, after := m.row(e.Before), m.row(e.After)
		i := m.own.take(before)
		if i < 0 {
			m.drift.Changed = append(m.drift.Changed, Edit{Before: before, After: after})
			continue
		}
		if j, kept := m.pair[i]; kept {
			if same(m.now.Columns, given, m.now.Rows[j], after) {
				m.c.already++
			} else {
				m.c.update = append(m.c.update, Edit{Before: m.now.Rows[j], After: after})
			}
			continue
		}
		if m.extra.take(func(r Row) bool { return same(m.now.Columns, given, r, after) }) >= 0 {
			m.gone.remove(i)
			m.c.already++
		}
	}
}

// deletes must find their row as it was, or gone without a successor.
func (m *merger) deletes() {
	for _, row := range m.d.Delete {
		row = m.row(row)
		i := m.own.take(row)
		if i < 0 {
			m.drift.Changed = append(m.drift.Changed, Edit{Before: row})
			continue
		}
		if j, kept := m.pair[i]; kept {
			m.c.remove = append(m.c.remove, m.now.Rows[j])
		} else if m.extra.find(m.sibling(m.base[i])) < 0 {
			m.gone.remove(i)
			m.c.already++
		}
	}
}

// inserts must find no row of their key, or the row itself: numbered otherwise
// perhaps, but with the same values.
func (m *merger) inserts() {
	var values []string
	for _, c := range m.c.given {
		if !c.AutoIncrement {
			values = append(values, c.Name)
		}
	}
	byKey := newKeyIndex(m.spec, m.now.Columns, m.extra)
	for _, row := range m.d.Insert {
		row = m.row(row)
		key := keyOf(m.spec, m.now.Columns, row)
		there := func(r Row) bool {
			return same(m.now.Columns, values, r, row) || m.spec.Tool.ignored != nil && m.spec.Tool.ignored(key)
		}
		switch rivals := byKey[key]; {
		case m.extra.takeOf(rivals, there) >= 0:
			m.c.already++
		default:
			if j := m.extra.takeOf(rivals, func(Row) bool { return true }); j >= 0 {
				m.drift.Changed = append(m.drift.Changed, Edit{Before: row, After: m.now.Rows[j]})
			} else {
				m.c.insert = append(m.c.insert, row)
			}
		}
	}
}

// others sorts what is left: rows that changed, rows with keys of their own,
// which can't conflict, and rows that came or went.
func (m *merger) others() {
	byKey := newKeyIndex(m.spec, m.now.Columns, m.extra)
	identity := primary(m.now.Columns)
	index := map[string]int{}
	if len(identity) > 0 {
		for _, j := range m.extra.list() {
			index[part(m.now.Columns, identity, m.now.Rows[j])] = j
		}
	}
	for _, i := range m.gone.list() {
		row := m.base[i]
		j, moved := -1, false
		if len(identity) > 0 {
			j, moved = index[part(m.now.Columns, identity, row)]
			moved = moved && m.extra.open[j]
		}
		if !moved {
			j = m.extra.takeOf(byKey[keyOf(m.spec, m.now.Columns, row)], func(Row) bool { return true })
		} else {
			m.extra.remove(j)
		}
		if j >= 0 {
			m.drift.Changed = append(m.drift.Changed, Edit{Before: row, After: m.now.Rows[j]})
		} else {
			m.drift.Removed = append(m.drift.Removed, row)
		}
	}
	for _, j := range m.extra.list() {
		if m.keys[keyOf(m.spec, m.now.Columns, m.now.Rows[j])] {
			m.drift.Added = append(m.drift.Added, m.now.Rows[j])
		} else {
			m.c.merged++
		}
	}
}

// sibling recognises the row that took another's place.
func (m *merger) sibling(of Row) func(Row) bool {
	identity, key := primary(m.now.Columns), keyOf(m.spec, m.now.Columns, of)
	return func(r Row) bool {
		return len(identity) > 0 && same(m.now.Columns, identity, r, of) || keyOf(m.spec, m.now.Columns, r) == key
	}
}

// row lays a row of the delta out in the table's columns.
func (m *merger) row(r Row) Row { return project([]Row{r}, m.d.Columns, m.now.Columns)[0] }

// number keeps the ids that the rows had on the branch where they are free.
// From the first that is taken on, the server numbers the rest: they would lose
// their order otherwise.
func number(now *History, rows []Row) []Row {
	id := -1
	for i, c := range now.Columns {
		if c.AutoIncrement {
			id = i
		}
	}
	if id < 0 {
		return rows
	}
	taken := map[Value]bool{}
	for _, r := range now.Rows {
		taken[r[id]] = true
	}
	out := make([]Row, len(rows))
	renumber := false
	for i, r := range rows {
		renumber = renumber || r[id].IsNull() || taken[r[id]]
		taken[r[id]] = true
		out[i] = append(Row(nil), r...)
		if renumber {
			out[i][id] = Null()
		}
	}
	return out
}

// firstDirty finds a row that marks a migration as failed half-way.
func firstDirty(spec Spec, columns []Column, rows []Row) (string, bool) {
	if spec.Tool.dirty == nil {
		return "", false
	}
	for _, r := range rows {
		if spec.Tool.dirty(rowView{columns, r}) {
			return keyOf(spec, columns, r), true
		}
	}
	return "", false
}
