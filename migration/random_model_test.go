package migration_test

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/pmig/pmig/migration"
)

// row is a row of any history in the model: id is 0 where a table has none.
type row struct {
	id       int64
	key, val string
}

type rows []row

func (r rows) clone() rows { return slices.Clone(r) }

// with takes the ids that the database gave to the rows that it was given.
func (r rows) with(found rows) rows {
	if len(r) != len(found) {
		panic(fmt.Sprintf("%v is not %v", r, found))
	}
	return found.clone()
}

func (r rows) equal(o rows) bool {
	order := func(a, b row) int {
		return slices.Compare([]string{strconv.FormatInt(a.id, 36), a.key, a.val}, []string{strconv.FormatInt(b.id, 36), b.key, b.val})
	}
	a, b := slices.Clone(r), slices.Clone(o)
	slices.SortFunc(a, order)
	slices.SortFunc(b, order)
	return slices.Equal(a, b)
}

// unnumbered are the rows without their ids.
func (r rows) unnumbered() rows {
	out := r.clone()
	for i := range out {
		out[i].id = 0
	}
	return out
}

// keyed are the rows of one key.
func (r rows) keyed(key string) rows {
	return slices.DeleteFunc(r.clone(), func(x row) bool { return x.key != key })
}

func (r rows) hasID(id int64) bool {
	return slices.ContainsFunc(r, func(x row) bool { return x.id == id })
}

// rowsIn are the rows of a history as the model has them: a number where there
// are three columns, a key, and a value where there are two or more.
func rowsIn(h *migration.History) rows {
	var out rows
	for _, r := range h.Rows {
		var x row
		if len(r) == 3 {
			x.id, _ = strconv.ParseInt(r[0].Text(), 10, 64)
			r = r[1:]
		}
		if x.key = r[0].Text(); len(r) == 2 {
			x.val = r[1].Text()
		}
		out = append(out, x)
	}
	return out
}

// logRules are those of a log, with numbered rows or without.
type logRules struct{ numbered bool }

func baseKey(i int) string { return fmt.Sprintf("b%d", i) }
func ourKey(i int) string  { return fmt.Sprintf("o%d", i) }

// otherKey is one that nobody else writes.
func otherKey(m move) string { return fmt.Sprintf("x%d-%d-%s", m.N, m.Packet, m.Kind) }

func (logRules) start(t tale) rows {
	var r rows
	for i := range t.Base {
		r = append(r, row{key: baseKey(i), val: "1"})
	}
	return r
}

func (l logRules) move(now rows, t tale, m move, did outcome, branch rows) rows {
	if did.refused {
		return now
	}
	id := did.id
	if !l.numbered {
		id = 0
	}
	add := func(key, val string) rows {
		if len(now.keyed(key)) > 0 {
			return now
		}
		return append(now, row{id, key, val})
	}
	switch m.Kind {
	case "delete":
		return slices.DeleteFunc(now, func(r row) bool { return r.key == baseKey(m.N) })
	case "change":
		for i := range now {
			if now[i].key == baseKey(m.N) {
				now[i].val = "9"
			}
		}
	case "ours":
		return add(ourKey(m.N), "2")
	case "ours otherwise":
		return add(ourKey(m.N), "3")
	case "another":
		return add(otherKey(m), "5")
	case "copy by id":
		for _, r := range branch {
			if l.numbered && !now.hasID(r.id) || !l.numbered && len(now.keyed(r.key)) == 0 {
				now = append(now, r)
			}
		}
	case "copy by key":
		for _, r := range branch {
			if len(now.keyed(r.key)) == 0 {
				now = append(now, row{id, r.key, r.val})
				if l.numbered {
					id++
				}
			}
		}
	}
	return now
}

func (l logRules) swap(now rows, t tale, base, branch rows) (rows, bool) {
	start := now.clone()
	for _, b := range base {
		if len(now.keyed(b.key)) != 1 || now.keyed(b.key)[0] != b {
			return start, false
		}
	}
	next := int64(0)
	for _, r := range branch[len(base):] {
		if there := now.keyed(r.key); len(there) > 0 {
			if !slices.ContainsFunc(there, func(x row) bool { return x.val == r.val }) {
				return start, false
			}
			continue
		}
		if l.numbered {
			for next = max(next+1, r.id); now.hasID(next); next++ {
			}
			r.id = next
		}
		now = append(now, r)
	}
	return now, true
}

func logSQL(numbered bool) func(s *stage, t tale, m move) []string {
	return func(s *stage, t tale, m move) []string {
		insert := func(key string, val int) []string {
			return []string{fmt.Sprintf("INSERT INTO h (k, v) SELECT '%s', %d FROM (SELECT 1) one"+
				" WHERE NOT EXISTS (SELECT 1 FROM (SELECT k FROM h) every WHERE k = '%s')", key, val, key)}
		}
		switch m.Kind {
		case "delete":
			return []string{"DELETE FROM h WHERE k = '" + baseKey(m.N) + "'"}
		case "change":
			return []string{"UPDATE h SET v = 9 WHERE k = '" + baseKey(m.N) + "'"}
		case "ours":
			return insert(ourKey(m.N), 2)
		case "ours otherwise":
			return insert(ourKey(m.N), 3)
		case "another":
			return insert(otherKey(m), 5)
		case "copy by id":
			return []string{"INSERT IGNORE INTO h SELECT * FROM " + scalarOf(s.branch) + ".h"}
		case "copy by key":
			return []string{"INSERT INTO h (k, v) SELECT k, v FROM " + scalarOf(s.branch) + ".h b" +
				" WHERE NOT EXISTS (SELECT 1 FROM (SELECT k FROM h) every WHERE every.k = b.k) ORDER BY k"}
		}
		panic(m.Kind)
	}
}

// pointerRules are those of a table that holds one version.
type pointerRules struct{}

func (pointerRules) start(t tale) rows {
	if t.Base == 0 {
		return nil
	}
	return rows{{key: strconv.Itoa(t.Base), val: "0"}}
}

func (pointerRules) move(now rows, t tale, m move, did outcome, branch rows) rows {
	if did.refused {
		return now
	}
	switch {
	case m.Kind == "delete":
		return nil
	case m.Kind == "step":
		return rows{{key: strconv.Itoa(t.Base + m.N), val: "0"}}
	case len(now) == 0:
	case m.Kind == "dirty":
		now[0].val = "1"
	case m.Kind == "back":
		now[0].key = strconv.Itoa(m.N)
	case m.Kind == "forward":
		if at, _ := strconv.Atoi(now[0].key); at < t.Base+m.N {
			now[0].key = strconv.Itoa(t.Base + m.N)
		}
	}
	return now
}

func (pointerRules) swap(now rows, t tale, base, branch rows) (rows, bool) {
	target := t.Base + t.Ours
	if len(now) == 0 {
		if t.Base > 0 {
			return now, false
		}
		return rows{{key: strconv.Itoa(target), val: "0"}}, true
	}
	at, _ := strconv.Atoi(now[0].key)
	switch {
	case now[0].val == "1", at < t.Base:
		return now, false
	case at < target:
		return rows{{key: strconv.Itoa(target), val: "0"}}, true
	}
	return now, true
}

func pointerSQL(s *stage, t tale, m move) []string {
	switch m.Kind {
	case "delete":
		return []string{"DELETE FROM h"}
	case "step": // as golang-migrate does it
		return []string{"DELETE FROM h", fmt.Sprintf("INSERT INTO h VALUES (%d, 0)", t.Base+m.N)}
	case "dirty":
		return []string{"UPDATE h SET dirty = 1"}
	case "back":
		return []string{fmt.Sprintf("UPDATE h SET version = %d", m.N)}
	case "forward":
		return []string{fmt.Sprintf("UPDATE h SET version = %d WHERE version < %d", t.Base+m.N, t.Base+m.N)}
	}
	panic(m.Kind)
}
