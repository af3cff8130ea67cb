package migration

import (
	"cmp"
	"slices"
	"strconv"
)

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
// the table holds now, what is to be written. It touches nothing. Without a
// base, what the table holds counts as the start.
func merge(spec Spec, base *History, d Delta, now *History, back bool) (change, error) {
	if key, dirty := firstDirty(spec, now.Columns, now.Rows); dirty {
		return change{}, &DirtyError{Table: now.Table, Key: key}
	}
	if base == nil {
		base = now
	}
	c, err := mergeShape(spec, base, d, now, back)
	if column := lostColumn(d, now); err == nil && c.size() > 0 && column != "" {
		return change{}, &MissingColumnError{Table: now.Table, Column: column}
	}
	return c, err
}

func mergeShape(spec Spec, base *History, d Delta, now *History, back bool) (change, error) {
	switch spec.Shape() {
	case Pointer:
		return mergePointer(spec, base, d, now, back)
	case PointerSet:
		return mergeSet(spec, base, d, now, back)
	}
	return mergeLog(spec, base, d, now)
}

func mergeLog(spec Spec, base *History, d Delta, now *History) (change, error) {
	m := newMerger(spec, base, d, now)
	m.updates()
	missing := m.deletes()
	m.inserts()
	m.deleted(missing)
	m.others()
	if len(m.drift.Added)+len(m.drift.Removed)+len(m.drift.Changed) > 0 {
		return change{}, &m.drift
	}
	m.c.insert = number(now, m.c.insert)
	return m.c, nil
}

// place is what merger knows of a row of the table.
type place int

const (
	extra     place = iota // base did not have it, and nothing explains it yet
	paired                 // as in base
	explained              // the delta's, or reported
)

// merger explains every row of base that the table does not hold any more, and
// every row of the table that base did not have. What it can't explain is drift.
type merger struct {
	spec  Spec
	d     Delta
	now   *History
	c     change
	drift DriftError

	base  []Row     // rows of base, laid out in now's columns
	pair  []int     // row of base -> the same row in now, -1: gone, -2: gone and explained
	own   *rowIndex // rows of base by the columns that base, delta and now share
	keys  *keyIndex // rows of base by key
	place []place   // of each row of now
	byID  *rowIndex // rows of now by primary key, nil if there is none
	byKey *keyIndex // rows of now by key
	key   func(Row) string
}

const (
	gone      = -1
	goneKnown = -2
)

// newMerger pairs the rows that have not moved. Only columns that both sides
// have are compared: the deployment may have altered the table.
func newMerger(spec Spec, base *History, d Delta, now *History) *merger {
	m := &merger{spec: spec, d: d, now: now, key: keyer(spec, now.Columns)}
	m.drift = DriftError{Table: now.Table, Columns: columnNames(now.Columns)}
	m.c.given = sharedColumns(now.Columns, d.Columns)
	m.base = alignRows(base, now.Columns)
	m.place = make([]place, len(now.Rows))
	m.keys, m.byKey = newKeyIndex(m.base, m.key), newKeyIndex(now.Rows, m.key)
	if id := at(now.Columns, primary(now.Columns)); len(id) > 0 {
		m.byID = newRowIndex(id, now.Rows)
	}
	index := newRowIndex(at(now.Columns, columnNames(sharedColumns(now.Columns, base.Columns))), now.Rows)
	m.pair = make([]int, 0, len(m.base))
	for _, row := range m.base {
		j := index.take(row)
		if j >= 0 {
			m.place[j] = paired
		}
		m.pair = append(m.pair, j)
	}
	m.own = newRowIndex(at(now.Columns, columnNames(sharedColumns(m.c.given, base.Columns))), m.base)
	return m
}

// updates must find their row as it was, or as they leave it.
func (m *merger) updates() {
	given := at(m.now.Columns, columnNames(m.c.given))
	for _, e := range m.d.Update {
		before, after := m.row(e.Before), m.row(e.After)
		done := m.among(m.byKey.all(m.key(after)), extra, func(r Row) bool { return same(given, r, after) })
		switch i := m.own.take(before); {
		case i >= 0 && m.pair[i] >= 0:
			j := m.pair[i]
			m.place[j] = explained
			if same(given, m.now.Rows[j], after) {
				m.c.already++
			} else {
				m.c.update = append(m.c.update, Edit{Before: m.now.Rows[j], After: after})
			}
		case i >= 0 && done >= 0:
			m.pair[i] = goneKnown
			m.place[done] = explained
			m.c.already++
		case i < 0 && m.among(m.byKey.all(m.key(after)), paired, func(r Row) bool { return same(given, r, after) }) >= 0:
			m.c.already++
		case i < 0:
			m.drift.Changed = append(m.drift.Changed, Edit{Before: before})
		}
	}
}

// deletes takes the rows to delete that are still there, as they were or under
// another number, and returns the others.
func (m *merger) deletes() (missing []Row) {
	values := m.values()
	for _, row := range m.d.Delete {
		row = m.row(row)
		i := m.own.find(row)
		j := -1
		if i >= 0 {
			j = m.pair[i]
		} else {
			j = m.among(m.byKey.all(m.key(row)), paired, func(r Row) bool { return same(values, r, row) })
		}
		if j < 0 {
			missing = append(missing, row)
			continue
		}
		m.own.take(row)
		m.place[j] = explained
		m.c.remove = append(m.c.remove, m.now.Rows[j])
	}
	return missing
}

// deleted settles the rows to delete that are not there: they must have gone
// without a successor. One with a successor in base's place is left to others.
func (m *merger) deleted(missing []Row) {
	for _, row := range missing {
		i, j := m.own.take(row), m.successor(row)
		if i < 0 && j < 0 && !m.spec.Tool.repeats {
			j = m.among(m.byKey.all(m.key(row)), paired, anyRow)
		}
		switch {
		case i < 0 && j >= 0:
			m.drift.Changed = append(m.drift.Changed, Edit{Before: row, After: m.now.Rows[j]})
		case j < 0:
			if i >= 0 {
				m.pair[i] = goneKnown
			}
			m.c.already++
		}
	}
}

// inserts must find no row of their key, or the row itself: under another
// number perhaps, but with the same values.
func (m *merger) inserts() {
	values := m.values()
	for _, row := range m.d.Insert {
		row = m.row(row)
		key := m.key(row)
		rivals := m.byKey.all(key)
		itself := func(r Row) bool { return m.ignored(key) || same(values, r, row) }
		j := m.among(rivals, extra, itself)
		if j < 0 {
			j = m.among(rivals, paired, itself)
		}
		if j >= 0 {
			m.place[j] = explained
			m.c.already++
			continue
		}
		if j = m.among(rivals, extra, anyRow); j < 0 && !m.spec.Tool.repeats {
			j = m.among(rivals, paired, anyRow)
		}
		if j >= 0 {
			m.place[j] = explained
			m.drift.Changed = append(m.drift.Changed, Edit{Before: row, After: m.now.Rows[j]})
			continue
		}
		m.c.insert = append(m.c.insert, row)
	}
}

// others sorts what is left: rows that changed, that went, that came with a key
// of base (drift), and those with keys of their own, which can't conflict.
func (m *merger) others() {
	for i, row := range m.base {
		if m.pair[i] != gone {
			continue
		}
		if j := m.successor(row); j >= 0 {
			m.place[j] = explained
			m.drift.Changed = append(m.drift.Changed, Edit{Before: row, After: m.now.Rows[j]})
		} else {
			m.drift.Removed = append(m.drift.Removed, row)
		}
	}
	for j, row := range m.now.Rows {
		switch {
		case m.place[j] != extra:
		case len(m.keys.all(m.key(row))) > 0:
			m.drift.Added = append(m.drift.Added, row)
		default:
			m.c.merged++
		}
	}
}

// successor is the unexplained row that stands where another stood: under its
// primary key, or else under its key. It is -1 if there is none.
func (m *merger) successor(of Row) int {
	if m.byID != nil {
		if j := m.byID.find(of); j >= 0 && m.place[j] == extra {
			return j
		}
	}
	return m.among(m.byKey.all(m.key(of)), extra, anyRow)
}

// among is the first of some rows that is at a place and wanted, or -1.
func (m *merger) among(rows []int, at place, wanted func(Row) bool) int {
	for _, j := range rows {
		if m.place[j] == at && wanted(m.now.Rows[j]) {
			return j
		}
	}
	return -1
}

func anyRow(Row) bool { return true }

// values are the columns whose values belong to a row itself: all that the delta
// knows but the number that the server gave it.
func (m *merger) values() []int {
	var names []string
	for _, c := range m.c.given {
		if !c.AutoIncrement {
			names = append(names, c.Name)
		}
	}
	return at(m.now.Columns, names)
}

func (m *merger) ignored(key string) bool {
	return m.spec.Tool.ignored != nil && m.spec.Tool.ignored(key)
}

// row lays a row of the delta out in the table's columns.
func (m *merger) row(r Row) Row { return project([]Row{r}, m.d.Columns, m.now.Columns)[0] }

// number gives each row the id that it had on the branch or, where others have
// taken that, the next free one behind the row before it. So the rows keep their
// order, and every id of the branch is in use afterwards: a platform that copies
// rows by ids that are missing, now or later, finds none. A row whose id is no
// number, and those after it, are left to the server.
func number(now *History, rows []Row) []Row {
	id := slices.IndexFunc(now.Columns, func(c Column) bool { return c.AutoIncrement })
	if id < 0 || len(rows) == 0 {
		return rows
	}
	numberOf := func(r Row) (uint64, error) { return strconv.ParseUint(r[id].Text(), 10, 64) }
	next, err := numberOf(rows[0])
	taken := map[uint64]bool{}
	for _, r := range now.Rows {
		if n, err := numberOf(r); err == nil && n >= next {
			taken[n] = true
		}
	}
	out := make([]Row, len(rows))
	for i, r := range rows {
		out[i] = slices.Clone(r)
		n, no := numberOf(r)
		if err = cmp.Or(err, no); err != nil {
			out[i][id] = Null()
			continue
		}
		for next = max(next, n); taken[next]; next++ {
		}
		taken[next] = true
		if next != n {
			out[i][id] = Text(strconv.FormatUint(next, 10))
		}
	}
	return out
}

// lostColumn names a column that a delta has values for and the table has not,
// "" if there is none.
func lostColumn(d Delta, now *History) string {
	for i, c := range d.Columns {
		if columnIndex(now.Columns, c.Name) < 0 && slices.ContainsFunc(d.written(), func(r Row) bool { return !r[i].IsNull() }) {
			return c.Name
		}
	}
	return ""
}

// firstDirty finds a row that marks a migration as failed half-way.
func firstDirty(spec Spec, columns []Column, rows []Row) (string, bool) {
	if spec.Tool.dirty == nil {
		return "", false
	}
	for _, r := range rows {
		if spec.Tool.dirty(rowView{columns, r}) {
			return keyer(spec, columns)(r), true
		}
	}
	return "", false
}
