package migration

// mergePointer decides about a table that holds one row: compare and advance.
func mergePointer(spec Spec, base *History, d Delta, now *History, back bool) (change, error) {
	c := change{given: sharedColumns(now.Columns, d.Columns)}
	target, dirty := pointerTarget(spec, d)
	if dirty {
		return change{}, &DirtyError{Table: d.Table, Key: d.To}
	}
	if target != nil {
		target = project([]Row{target}, d.Columns, now.Columns)[0]
	}
	at := pointerOf(spec, now)
	drift := &DriftError{Table: now.Table, Columns: columnNames(now.Columns)}
	was := alignRows(base, now.Columns)
	if len(d.Update) > 0 {
		// Base may not be known; the delta holds the row all the same.
		was = project([]Row{d.Update[0].Before}, d.Columns, now.Columns)
	}
	switch {
	case len(now.Rows) > 1:
		drift.Added, drift.Removed = now.Rows, was
		return change{}, drift
	case len(now.Rows) == 0 && d.From != "" && !(back && d.To == ""):
		drift.Removed = was
		return change{}, drift
	case before(spec, d.To, d.From) && !back:
		return change{}, &BackwardError{Table: d.Table, From: d.From, To: d.To}
	case at == d.To:
		c.already = 1
		return c, nil
	case back && at != d.From, before(spec, at, d.From):
		drift.Changed = []Edit{{Before: only(was), After: only(now.Rows)}}
		return change{}, drift
	case before(spec, d.To, at) && !back:
		// Others have gone further, and could only do so from ours.
		c.already = 1
		return c, nil
	}
	if at != d.From {
		c.merged = 1
	}
	switch {
	case target == nil:
		c.remove = now.Rows
	case len(now.Rows) == 0:
		c.insert = []Row{target}
	default:
		c.update = []Edit{{Before: now.Rows[0], After: target}}
	}
	return c, nil
}

// pointerTarget is the row that a delta wants to leave, nil for none, and
// whether it marks a migration as failed half-way.
func pointerTarget(spec Spec, d Delta) (Row, bool) {
	var target Row
	switch {
	case len(d.Update) > 0:
		target = d.Update[0].After
	case len(d.Insert) > 0:
		target = d.Insert[0]
	default:
		return nil, false
	}
	_, dirty := firstDirty(spec, d.Columns, []Row{target})
	return target, dirty
}

// before reports whether a pointer at a stands before one at b; no row stands
// before every version.
func before(spec Spec, a, b string) bool {
	switch {
	case b == "":
		return false
	case a == "":
		return true
	}
	return spec.order(a, b) < 0
}

// only is the one row there is, or nil.
func only(rows []Row) Row {
	if len(rows) == 0 {
		return nil
	}
	return rows[0]
}
