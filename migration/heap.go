package migration

import (
	"maps"
	"slices"
)

// heap is a list of rows of which some are still open.
type heap struct {
	rows []Row
	open map[int]bool
}

func (h *heap) add(i int)    { h.open[i] = true }
func (h *heap) remove(i int) { delete(h.open, i) }

// list gives the numbers of the open rows in order.
func (h *heap) list() []int { return slices.Sorted(maps.Keys(h.open)) }

// find returns the number of the first open row that is wanted, -1 if none is.
func (h *heap) find(wanted func(Row) bool) int {
	for _, i := range h.list() {
		if wanted(h.rows[i]) {
			return i
		}
	}
	return -1
}

// take is find, and the row is open no more.
func (h *heap) take(wanted func(Row) bool) int {
	i := h.find(wanted)
	h.remove(i)
	return i
}

// takeOf takes the first wanted of some rows, -1 if none is.
func (h *heap) takeOf(numbers []int, wanted func(Row) bool) int {
	for _, i := range numbers {
		if h.open[i] && wanted(h.rows[i]) {
			h.remove(i)
			return i
		}
	}
	return -1
}

// newKeyIndex lists the open rows by key.
func newKeyIndex(spec Spec, columns []Column, h *heap) map[string][]int {
	index := make(map[string][]int, len(h.open))
	for _, i := range h.list() {
		key := keyOf(spec, columns, h.rows[i])
		index[key] = append(index[key], i)
	}
	return index
}

// sharedColumns are those of a that b has too.
func sharedColumns(a, b []Column) []Column {
	return slices.DeleteFunc(slices.Clone(a), func(c Column) bool { return columnIndex(b, c.Name) < 0 })
}

// part is a string that two rows share only if they agree in some columns.
func part(columns []Column, names []string, row Row) string {
	values := make(Row, len(names))
	for i, name := range names {
		values[i] = row[columnIndex(columns, name)]
	}
	return values.fingerprint()
}

// same compares two rows in some columns.
func same(columns []Column, names []string, a, b Row) bool {
	for _, name := range names {
		if i := columnIndex(columns, name); a[i] != b[i] {
			return false
		}
	}
	return true
}
