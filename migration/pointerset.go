package migration

import "slices"

// gainedSet is Gained for a table of heads: the rows that came and went are in
// the delta already, what they mean is in the graph.
func gainedSet(spec Spec, before, after *History, d Delta) (Delta, error) {
	was, is := historyKeys(spec, before), historyKeys(spec, after)
	old, now := spec.Graph.below(was...), spec.Graph.below(is...)
	for _, k := range was {
		if !now[k] {
			return Delta{}, &BackwardError{Table: after.Table, From: k}
		}
	}
	d.Graph = Graph{}
	gained := map[string]bool{}
	for k := range now {
		if !old[k] {
			gained[k] = true
			d.Graph[k] = spec.Graph[k]
		}
	}
	d.Keys = spec.Graph.order(gained)
	return d, nil
}

// mergeSet decides about a table that holds the heads of a graph. Where the
// heads of the start still stand, or others have gone on from them on a way that
// the graph knows, ours are put on top; heads beside them are left alone. A head
// that is gone without a known successor is drift: others went back, or further
// than these files tell.
func mergeSet(spec Spec, base *History, d Delta, now *History, back bool) (change, error) {
	s := heads{spec: spec, now: now, graph: spec.Graph.with(d.Graph), key: keyer(spec, now.Columns)}
	s.c.given = sharedColumns(now.Columns, d.Columns)
	s.row = map[string]Row{}
	for _, r := range now.Rows {
		s.row[s.key(r)] = r
	}
	s.covered = s.graph.below(sortedKeys(s.row)...)
	insert, remove := project(d.Insert, d.Columns, now.Columns), project(d.Delete, d.Columns, now.Columns)
	var drift *DriftError
	if back {
		drift = s.back(insert, remove)
	} else {
		drift = s.forward(alignRows(base, now.Columns), insert, remove)
	}
	if drift != nil {
		drift.Table, drift.Columns = now.Table, columnNames(now.Columns)
		return change{}, drift
	}
	return s.c, nil
}

// heads is a table of heads and what is to be done to it.
type heads struct {
	spec    Spec
	now     *History
	graph   Graph
	key     func(Row) string
	row     map[string]Row  // heads in the table
	covered map[string]bool // all that they stand for, as far as it is known
	c       change
}

// forward puts new heads in the place of those that they build on.
func (s *heads) forward(base, insert, replaced []Row) *DriftError {
	var lost []Row
	started := map[string]bool{}
	for _, r := range slices.Concat(base, replaced) {
		k := s.key(r)
		if !started[k] && !s.covered[k] {
			lost = append(lost, r)
		}
		started[k] = true
	}
	if len(lost) > 0 {
		return &DriftError{Removed: lost, Added: s.besides(started)}
	}
	var fresh []string
	for _, r := range insert {
		if k := s.key(r); s.covered[k] {
			s.c.already++
		} else {
			fresh = append(fresh, k)
			s.c.insert = append(s.c.insert, r)
		}
	}
	under := s.graph.below(fresh...)
	for _, k := range sortedKeys(s.row) {
		if under[k] {
			s.c.remove = append(s.c.remove, s.row[k])
		}
		on := s.graph.below(k)
		if !started[k] && !slices.ContainsFunc(insert, func(r Row) bool { return on[s.key(r)] }) {
			s.c.merged++
		}
	}
	return nil
}

// back takes our heads away, which must stand as they are, and brings back those
// that nothing else covers.
func (s *heads) back(restore, ours []Row) *DriftError {
	left := map[string]bool{}
	for k := range s.row {
		left[k] = true
	}
	known := map[string]bool{}
	for _, r := range ours {
		k := s.key(r)
		known[k] = true
		if row, stands := s.row[k]; stands {
			s.c.remove = append(s.c.remove, row)
			delete(left, k)
		}
	}
	remaining := s.graph.below(sortedKeys(left)...)
	for k := range known {
		if remaining[k] { // others have built on it
			return &DriftError{Removed: ours, Added: s.besides(known)}
		}
	}
	for _, r := range restore {
		switch k := s.key(r); {
		case remaining[k]:
			s.c.already++
		case len(s.c.remove) == 0: // neither ours nor theirs: others have gone further
			return &DriftError{Removed: ours, Added: s.besides(known)}
		default:
			s.c.insert = append(s.c.insert, r)
		}
	}
	return nil
}

// besides are the heads that are not among some keys.
func (s *heads) besides(keys map[string]bool) []Row {
	return slices.DeleteFunc(slices.Clone(s.now.Rows), func(r Row) bool { return keys[s.key(r)] })
}

// compareSet tells which files the heads stand for.
func compareSet(spec Spec, files []File, h *History, s *Status) {
	heads, graph := historyKeys(spec, h), GraphOf(files)
	s.Baseline = len(heads) == 0
	applied := graph.below(heads...)
	for _, f := range files {
		if applied[f.Key] {
			s.Applied = append(s.Applied, f)
		} else {
			s.Pending = append(s.Pending, f)
		}
	}
	for _, k := range heads {
		if _, known := graph[k]; !known {
			s.Orphans = append(s.Orphans, k)
		}
	}
}
