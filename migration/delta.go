package migration

import (
	"slices"
)

// Delta is what a run gained on the branch: the difference between the history
// it was seeded with and the one it left. It is plain data and can be written
// to JSON without loss.
type Delta struct {
	Table string `json:"table"`
	// Columns of the rows below, as on the branch after the run.
	Columns []Column `json:"columns,omitempty"`
	// Insert are new rows in the order in which they were written, Delete are
	// those that went, Update are those that changed.
	Insert []Row  `json:"insert,omitempty"`
	Update []Edit `json:"update,omitempty"`
	Delete []Row  `json:"delete,omitempty"`
	// Keys of the migrations that were gained, in the order of the rows. For a
	// pointer there are none: what lies between From and To is in the files.
	Keys []string `json:"keys,omitempty"`
	// From and To are where a pointer stood and stands, "" for no row.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Graph of the migrations that were gained, for a pointer set.
	Graph Graph `json:"graph,omitempty"`
	// Creates is set when the run made the table.
	Creates bool `json:"creates,omitempty"`
}

// Edit is a row before and after a change.
type Edit struct {
	Before Row `json:"before"`
	After  Row `json:"after"`
}

// Empty reports whether there is nothing to write.
func (d Delta) Empty() bool {
	return len(d.Insert) == 0 && len(d.Update) == 0 && len(d.Delete) == 0
}

// written are the rows as the delta leaves them.
func (d Delta) written() []Row {
	rows := slices.Clone(d.Insert)
	for _, e := range d.Update {
		rows = append(rows, e.After)
	}
	return rows
}

// Inverse is the delta that takes this one back: Swap it without a base, and
// with Back for a pointer or a set of them.
func (d Delta) Inverse() Delta {
	back := Delta{Table: d.Table, Columns: d.Columns, Insert: d.Delete, Delete: d.Insert, From: d.To, To: d.From, Graph: d.Graph}
	for _, e := range d.Update {
		back.Update = append(back.Update, Edit{Before: e.After, After: e.Before})
	}
	return back
}

// Gained tells what happened to a history between two readings of one branch.
// Rows are the same row if they have the same primary key, or, without one, the
// same values. A table that is gone is a *MissingTableError, a pointer that
// went back a *BackwardError.
func Gained(spec Spec, before, after *History) (Delta, error) {
	d := Delta{Table: after.Table, Columns: after.Columns, Creates: !before.Exists && after.Exists}
	if !after.Exists {
		if before.Exists {
			return Delta{}, &MissingTableError{Table: before.Table}
		}
		return d, nil
	}
	if spec.Shape() == Pointer {
		return gainedPointer(spec, before, after, d)
	}
	was := alignRows(before, after.Columns)
	identity := primary(after.Columns)
	if len(identity) == 0 {
		identity = columnNames(after.Columns)
	}
	index := newRowIndex(at(after.Columns, identity), was)
	fresh := newColumns(before.Columns, after.Columns)
	key := keyer(spec, after.Columns)
	for _, row := range after.Rows {
		i := index.take(row)
		switch {
		case i < 0:
			d.Insert = append(d.Insert, row)
			if k := key(row); spec.Tool.ignored == nil || !spec.Tool.ignored(k) {
				d.Keys = append(d.Keys, k)
			}
		case changed(was[i], row, fresh):
			d.Update = append(d.Update, Edit{Before: was[i], After: row})
		}
	}
	for _, i := range index.rest() {
		d.Delete = append(d.Delete, was[i])
	}
	if spec.Shape() == PointerSet {
		return gainedSet(spec, before, after, d)
	}
	return d, nil
}

func gainedPointer(spec Spec, before, after *History, d Delta) (Delta, error) {
	was := alignRows(before, after.Columns)
	d.From, d.To = pointerOf(spec, before), pointerOf(spec, after)
	if d.From != "" && (d.To == "" || spec.order(d.To, d.From) < 0) {
		return Delta{}, &BackwardError{Table: after.Table, From: d.From, To: d.To}
	}
	switch {
	case len(was) == 1 && len(after.Rows) == 1:
		if !was[0].Equal(after.Rows[0]) {
			d.Update = []Edit{{Before: was[0], After: after.Rows[0]}}
		}
	case len(was) == 0:
		d.Insert = after.Rows
	default:
		return Delta{}, &DriftError{Table: after.Table, Columns: columnNames(after.Columns), Added: after.Rows, Removed: was}
	}
	return d, nil
}

// changed compares two rows of one identity. A column that the run added has no
// value before; it counts only if the run wrote something into it.
func changed(before, after Row, fresh []bool) bool {
	for i := range after {
		if fresh[i] && after[i].IsNull() {
			continue
		}
		if before[i] != after[i] {
			return true
		}
	}
	return false
}

// newColumns marks the columns that were not there before.
func newColumns(before, after []Column) []bool {
	fresh := make([]bool, len(after))
	for i, c := range after {
		fresh[i] = columnIndex(before, c.Name) < 0
	}
	return fresh
}

// alignRows lays the rows of a history out in other columns; those that it does
// not have are NULL.
func alignRows(h *History, columns []Column) []Row {
	return project(h.Rows, h.Columns, columns)
}

func project(rows []Row, from, to []Column) []Row {
	if slices.Equal(from, to) {
		return rows
	}
	source := make([]int, len(to))
	for i, c := range to {
		source[i] = columnIndex(from, c.Name)
	}
	out := make([]Row, len(rows))
	for n, row := range rows {
		out[n] = make(Row, len(to))
		for i, s := range source {
			if s >= 0 {
				out[n][i] = row[s]
			}
		}
	}
	return out
}

// sharedColumns are those of a that b has too.
func sharedColumns(a, b []Column) []Column {
	return slices.DeleteFunc(slices.Clone(a), func(c Column) bool { return columnIndex(b, c.Name) < 0 })
}
