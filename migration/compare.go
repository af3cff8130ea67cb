package migration

import (
	"maps"
	"slices"
)

// Status is what files and history say together.
type Status struct {
	// Applied and Pending files, in the tool's order. Pending is what has no
	// place in the history, late files included: what the tool does about those
	// is Tool.Late.
	Applied []File `json:"applied,omitempty"`
	Pending []File `json:"pending,omitempty"`
	// Late are the pending files that sort before the newest applied migration.
	Late []File `json:"late,omitempty"`
	// Orphans are the keys in the history that have no file: an older image.
	Orphans []string `json:"orphans,omitempty"`
	// Dirty are the keys of migrations marked as failed half-way.
	Dirty []string `json:"dirty,omitempty"`
	// Locked is set when the tool would refuse because of its lock table, and
	// LockedBy says what stands there.
	Locked   bool   `json:"locked,omitempty"`
	LockedBy string `json:"locked_by,omitempty"`
	// Pointer is the version a pointer stands at, "" for none.
	Pointer string `json:"pointer,omitempty"`
	// Baseline is set when the history holds no migration at all: the first run,
	// or, on a schema that has tables, a history that somebody must write first.
	Baseline bool `json:"baseline,omitempty"`
}

// Compare tells which files are applied and which are pending. Files must be in
// the tool's order, as Files returns them.
func Compare(spec Spec, files []File, h *History) Status {
	var s Status
	if spec.Tool.dirty != nil {
		key := keyer(spec, h.Columns)
		for _, row := range h.Rows {
			if spec.Tool.dirty(rowView{h.Columns, row}) {
				s.Dirty = append(s.Dirty, key(row))
			}
		}
	}
	s.LockedBy = lockedBy(spec, h)
	s.Locked = s.LockedBy != ""
	switch spec.Shape() {
	case Pointer:
		comparePointer(spec, files, h, &s)
	case PointerSet:
		compareSet(spec, files, h, &s)
	default:
		compareLog(spec, files, h, &s)
	}
	return s
}

func compareLog(spec Spec, files []File, h *History, s *Status) {
	keys := historyKeys(spec, h)
	s.Baseline = len(keys) == 0
	unmet := map[string]bool{}
	for _, k := range keys {
		unmet[k] = true
	}
	applied := maps.Clone(unmet)
	newest := -1
	for _, f := range files {
		if applied[f.Key] {
			s.Applied = append(s.Applied, f)
			delete(unmet, f.Key)
			newest = f.Position
		} else {
			s.Pending = append(s.Pending, f)
		}
	}
	for _, k := range keys {
		if unmet[k] {
			s.Orphans = append(s.Orphans, k)
		}
	}
	for _, f := range s.Pending {
		late := f.Position < newest || slices.ContainsFunc(s.Orphans, func(k string) bool { return spec.order(f.Key, k) < 0 })
		if late {
			s.Late = append(s.Late, f)
		}
	}
}

func comparePointer(spec Spec, files []File, h *History, s *Status) {
	s.Pointer = pointerOf(spec, h)
	s.Baseline = s.Pointer == ""
	found := s.Pointer == ""
	for _, f := range files {
		found = found || f.Key == s.Pointer
		if s.Pointer != "" && spec.order(f.Key, s.Pointer) <= 0 {
			s.Applied = append(s.Applied, f)
		} else {
			s.Pending = append(s.Pending, f)
		}
	}
	if !found {
		s.Orphans = []string{s.Pointer}
	}
}

// historyKeys are the keys of the rows that stand for migrations, each once, in
// the order of the rows.
func historyKeys(spec Spec, h *History) []string {
	var keys []string
	seen := map[string]bool{}
	key := keyer(spec, h.Columns)
	for _, row := range h.Rows {
		k := key(row)
		if seen[k] || spec.Tool.ignored != nil && spec.Tool.ignored(k) {
			continue
		}
		seen[k] = true
		keys = append(keys, k)
	}
	return keys
}

// pointerOf is the version a pointer stands at: that of the furthest row, should
// there be several.
func pointerOf(spec Spec, h *History) string {
	at := ""
	key := keyer(spec, h.Columns)
	for _, row := range h.Rows {
		if k := key(row); at == "" || spec.order(k, at) > 0 {
			at = k
		}
	}
	return at
}

// lockedBy says what in the lock tables makes the tool refuse, "" if nothing.
func lockedBy(spec Spec, h *History) string {
	for _, a := range spec.Tool.aux {
		if a.locked == nil {
			continue
		}
		name := a.name(spec.HistoryTable())
		for _, t := range h.Aux {
			if t.Name == name && t.Exists {
				if by := a.locked(name, t.Columns, t.Rows); by != "" {
					return by
				}
			}
		}
	}
	return ""
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
