package emulator_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The model's SQL: tables with an id and the columns a, b and c, always in that
// order, of the types int and bigint. It is enough for every way in which a
// deployment can lose a row or be refused by one.

const null = "NULL"

// big fits a bigint only.
const big = "5000000000"

var columnNames = []string{"a", "b", "c"}

type modelColumn struct {
	typ     string // int or bigint
	notNull bool
	unique  bool
}

func (c modelColumn) String() string {
	if c.notNull {
		return c.typ + " NOT NULL"
	}
	return c.typ
}

// fits says whether the column can hold a value.
func (c modelColumn) fits(v string) bool {
	return (v != null || !c.notNull) && (v != big || c.typ == "bigint")
}

type modelTable struct {
	keyless bool // it has no primary key, which no deployment takes
	columns map[string]modelColumn
	rows    map[int]map[string]string // by id; of tables with a key only
}

func (t *modelTable) clone(rows bool) *modelTable {
	c := &modelTable{keyless: t.keyless, columns: maps.Clone(t.columns), rows: map[int]map[string]string{}}
	if rows {
		for id, r := range t.rows {
			c.rows[id] = maps.Clone(r)
		}
	}
	return c
}

func (t *modelTable) names() []string {
	var all []string
	for _, n := range columnNames {
		if _, has := t.columns[n]; has {
			all = append(all, n)
		}
	}
	return all
}

// misfit names a row that contradicts the table, or "".
func (t *modelTable) misfit() string {
	for name, c := range t.columns {
		seen := map[string]int{}
		for id, r := range t.rows {
			v := r[name]
			if !c.fits(v) {
				return fmt.Sprintf("row %d: %s does not fit %s %s", id, v, name, c)
			}
			if other, twice := seen[v]; twice && c.unique && v != null {
				return fmt.Sprintf("rows %d and %d: %s twice in %s", id, other, v, name)
			}
			seen[v] = id
		}
	}
	return ""
}

// text shows a table for comparison and for people.
func (t *modelTable) text(rows bool) string {
	var b strings.Builder
	if t.keyless {
		b.WriteString("keyless ")
	}
	for _, n := range t.names() {
		c := t.columns[n]
		fmt.Fprintf(&b, "%s %s", n, c)
		if c.unique {
			b.WriteString(" UNIQUE")
		}
		b.WriteString("; ")
	}
	if rows {
		for _, id := range slices.Sorted(maps.Keys(t.rows)) {
			fmt.Fprintf(&b, "%d(", id)
			for _, n := range t.names() {
				fmt.Fprintf(&b, " %s=%s", n, t.rows[id][n])
			}
			b.WriteString(" ) ")
		}
	}
	return strings.TrimSpace(b.String())
}

type modelSchema map[string]*modelTable

func (s modelSchema) clone(rows bool) modelSchema {
	c := modelSchema{}
	for name, t := range s {
		c[name] = t.clone(rows)
	}
	return c
}

func (s modelSchema) text(rows bool) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "  %s: %s\n", name, s[name].text(rows))
	}
	return b.String()
}

func (s modelSchema) equal(o modelSchema) bool { return s.text(false) == o.text(false) }

func (s modelSchema) keyless() bool {
	for _, t := range s {
		if t.keyless {
			return true
		}
	}
	return false
}

// differing names the tables that two schemas do not have in one form.
func differing(a, b modelSchema) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(union(a, b))) {
		if x, y := a[name], b[name]; (x == nil) != (y == nil) || x != nil && x.text(false) != y.text(false) {
			names = append(names, name)
		}
	}
	return names
}

// exchanged is a schema with some tables as they are in another one, without rows.
func exchanged(s, other modelSchema, names []string) modelSchema {
	c := s.clone(false)
	for _, name := range names {
		delete(c, name)
		if t := other[name]; t != nil {
			c[name] = t.clone(false)
		}
	}
	return c
}

// merged is what a three-way comparison comes to.
type merged struct {
	want     modelSchema // the target after a deployment, without rows
	conflict bool        // both sides changed one thing in different ways
	unclear  bool        // both sides made one change: nobody has said what comes of it
}

// merge is a three-way comparison, thing by thing: what one side left as it was
// is the other side's.
func merge(base, branch, target modelSchema) merged {
	m := merged{want: modelSchema{}}
	for _, name := range slices.Sorted(maps.Keys(union(union(base, branch), target))) {
		t := m.table(base[name], branch[name], target[name])
		if t != nil {
			m.want[name] = t
		}
	}
	return m
}

func union[V any](a, b map[string]V) map[string]V {
	c := maps.Clone(a)
	maps.Copy(c, b)
	return c
}

func (m *merged) table(base, branch, target *modelTable) *modelTable {
	same := func(a, b *modelTable) bool {
		return (a == nil) == (b == nil) && (a == nil || a.text(false) == b.text(false))
	}
	pick := func(t *modelTable) *modelTable {
		if t == nil {
			return nil
		}
		return t.clone(false)
	}
	switch {
	case same(branch, base):
		return pick(target)
	case same(target, base):
		return pick(branch)
	case same(branch, target):
		m.unclear = true
		return pick(target)
	case base == nil || branch == nil || target == nil || base.keyless != branch.keyless:
		m.conflict = true
		return pick(target)
	}
	want := target.clone(false)
	for _, name := range columnNames {
		was, isWas := base.columns[name]
		mine, isMine := branch.columns[name]
		theirs, isTheirs := target.columns[name]
		switch {
		case was == mine && isWas == isMine:
		case was == theirs && isWas == isTheirs:
			delete(want.columns, name)
			if isMine {
				want.columns[name] = mine
			}
		case mine == theirs && isMine == isTheirs:
			m.unclear = true
		case isWas && isMine && isTheirs && mine.unique != was.unique != (theirs.unique != was.unique):
			// One changed the column, the other its key.
			if mine.unique != was.unique && mine.typ == was.typ && mine.notNull == was.notNull {
				theirs.unique = mine.unique
				want.columns[name] = theirs
			} else if theirs.typ == was.typ && theirs.notNull == was.notNull {
				mine.unique = theirs.unique
				want.columns[name] = mine
			} else {
				m.conflict = true
			}
		default:
			m.conflict = true
		}
	}
	return want
}

// shift gives a table of rows another form; kept are rows of an earlier time,
// from which columns that the rows lack are filled. missing says that a row
// lacks the value of a column that must have one.
func shift(now, form *modelTable, kept map[int]map[string]string) (t *modelTable, missing bool) {
	t = form.clone(false)
	for id, r := range now.rows {
		row := map[string]string{}
		for name, c := range form.columns {
			v, has := r[name]
			if _, was := now.columns[name]; !was {
				v, has = kept[id][name], kept[id] != nil
			}
			if !has {
				v = null
				if c.notNull {
					v, missing = "0", true
				}
			}
			row[name] = v
		}
		t.rows[id] = row
	}
	return t, missing
}

// deployed is the target after a deployment. misfit says which row stands
// against it, if one does; unclear, that rows get a column that needs a value
// and has no default, of which is said only that it may fail.
func deployed(target, want modelSchema) (after modelSchema, misfit string, unclear bool) {
	after = modelSchema{}
	for name, form := range want {
		now := target[name]
		if now == nil {
			now = &modelTable{}
		}
		var missing bool
		after[name], missing = shift(now, form, nil)
		unclear = unclear || missing
		if m := after[name].misfit(); m != "" {
			misfit = name + ": " + m
		}
	}
	return after, misfit, unclear
}

// reverted is the target after a deployment was taken back: before is the
// target as it was at the cutover. misfit says which row stands against it.
func reverted(target, before, after modelSchema) (back modelSchema, misfit string) {
	back = modelSchema{}
	for name, was := range before {
		now, is := target[name]
		form, had := after[name]
		switch {
		case !had: // it was dropped
			back[name] = was.clone(true)
			continue
		case form.text(false) == was.text(false): // untouched, but perhaps by the other lane
			if is {
				back[name] = now.clone(true)
			}
			continue
		}
		var missing bool
		back[name], missing = shift(now, was, was.rows)
		if missing {
			misfit = name + ": a row written since has no value for a column without default"
		}
		if m := back[name].misfit(); m != "" {
			misfit = name + ": " + m
		}
	}
	for name, now := range target {
		if before[name] == nil && after[name] == nil {
			back[name] = now.clone(true)
		}
	}
	return back, misfit
}
