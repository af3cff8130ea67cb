package emulator_test

import (
	"fmt"
	"slices"
	"time"
)

// observe takes in that a deployment came to a state by itself, at a time of
// the platform's clock. An error says why that must not be.
func (m *model) observe(r *modelRequest, state string, at time.Time) error {
	if state == r.state {
		return nil
	}
	from := r.state
	if r.is(unstarted...) && slices.Contains(unstarted, state) && r.tolerated && r.open {
		r.state = state // looked at again, since the target moved
		return m.resolved(r)
	}
	if r.state == "queued" && r.tolerated && slices.Contains(unstarted, state) {
		r.state = state
		r.dequeue()
		return m.resolved(r)
	}
	if !slices.Contains(spontaneous[from], state) {
		return fmt.Errorf("#%d went from %s to %s by itself", r.number, from, state)
	}
	if !r.open && !r.closable {
		return fmt.Errorf("#%d is closed and went from %s to %s", r.number, from, state)
	}
	r.state = state
	switch state {
	case "ready", "no_changes", "error":
		return m.resolved(r)
	case "submitting":
		return m.begun(r)
	case "in_progress_cutover":
		if r.cutOver = at; !r.auto {
			return fmt.Errorf("#%d was cut over though auto_cutover is off", r.number)
		}
	case "complete", "complete_pending_revert":
		if from == "complete_pending_revert" {
			if at.Before(r.windowEnds) {
				return fmt.Errorf("the window of #%d ended %v too early", r.number, r.windowEnds.Sub(at).Round(time.Second))
			}
			m.completed(r)
			return nil
		}
		if from == "in_progress_cutover" && m.blocked != 0 && !r.forced && at.Sub(r.cutOver) < patience {
			return fmt.Errorf("#%d was cut over though its tables are locked", r.number)
		}
		return m.live(r, state, at)
	case "complete_error":
		return m.failed(r, from, at)
	case "complete_revert", "complete_revert_error":
		return m.takenBack(r)
	case "complete_cancel", "cancelled":
		r.finished = at
		r.dequeue()
		if (state == "cancelled") != m.unknowns.CancelEndsCancelled {
			return fmt.Errorf("the cancelled #%d ended as %s", r.number, state)
		}
	}
	return nil
}

// begun takes in that a deployment has left its queue.
func (m *model) begun(r *modelRequest) error {
	for _, o := range m.queue(r.parallel) {
		if o != r && (o.began || o.order < r.order) {
			return fmt.Errorf("#%d is being deployed though #%d, %s, is before it", r.number, o.number, o.state)
		}
	}
	r.began, r.branchData = true, r.branch.data.clone(false)
	x := merge(r.branch.base, r.branchData, m.main().data)
	if x.conflict {
		return fmt.Errorf("#%d is being deployed though it conflicts with the target", r.number)
	}
	r.want, r.tables = x.want, differing(m.main().data, x.want)
	for _, o := range m.queue(!r.parallel) {
		if o.shares(r.tables) {
			return fmt.Errorf("#%d and #%d, %s, change the same tables in two lanes: %v and %v", r.number, o.number, o.state, r.tables, o.tables)
		}
	}
	return nil
}

// deployedBy is the target after a deployment, as things stand.
func (m *model) deployedBy(r *modelRequest) (after modelSchema, misfit string, unclear bool) {
	now := m.main().data
	return deployed(now, exchanged(now, r.want, r.tables))
}

// live takes in that a deployment's schema is on the target.
func (m *model) live(r *modelRequest, state string, at time.Time) error {
	after, misfit, _ := m.deployedBy(r)
	switch window := m.knobs.RevertWindow > 0 && !r.instant; {
	case misfit != "":
		return fmt.Errorf("#%d was deployed though a row does not fit: %s", r.number, misfit)
	case window != (state == "complete_pending_revert"):
		return fmt.Errorf("#%d is %s; revert window %v, instant %t", r.number, state, m.knobs.RevertWindow, r.instant)
	}
	r.before, r.after = m.main().data.clone(true), after.clone(false)
	// What the branch has deployed, and what is the same on both sides, is no
	// change of it any more.
	counted := slices.Clone(r.tables)
	for name := range union(union(r.branch.base, r.branchData), after) {
		if !slices.Contains(differing(r.branchData, after), name) {
			counted = append(counted, name)
		}
	}
	r.formerBase, r.branch.base = r.branch.base, exchanged(r.branch.base, r.branchData, counted)
	m.move(after)
	r.finished, r.windowEnds = at, at.Add(m.knobs.RevertWindow)
	if state == "complete" {
		m.completed(r)
	}
	return nil
}

// failed takes in that a deployment met an error.
func (m *model) failed(r *modelRequest, from string, at time.Time) error {
	after, misfit, unclear := m.deployedBy(r)
	switch {
	case misfit != "" || unclear:
	case m.deployError:
		m.deployError = false
	default:
		return fmt.Errorf("#%d failed though every row fits", r.number)
	}
	r.finished = at
	if from == "in_progress_cutover" || r.instant {
		r.halfway = after.clone(false)
	}
	return nil
}

// takenBack takes in that a revert has ended.
func (m *model) takenBack(r *modelRequest) error {
	back, misfit := reverted(m.main().data, r.before, r.after)
	switch {
	case r.state == "complete_revert" && misfit != "":
		return fmt.Errorf("#%d was reverted though a row does not fit: %s", r.number, misfit)
	case r.state == "complete_revert":
		m.move(back)
		r.branch.base = exchanged(r.branch.base, r.formerBase, r.tables)
		r.open = false
		return nil
	case misfit != "":
		r.halfway = back.clone(false)
	case m.revertError:
		m.revertError = false
	default:
		return fmt.Errorf("the revert of #%d failed though every row fits", r.number)
	}
	return nil
}

// stopped takes in how far a deployment or a revert came that failed: of its
// tables, which are live one after the other, some may have the new form. What
// became of the rows of those nobody has said.
func (m *model) stopped(r *modelRequest, found modelSchema) error {
	to := m.main().data.clone(true)
	moved := false
	for _, name := range r.tables {
		is := differing(found, exchanged(found, m.main().data, []string{name})) // empty, or the table
		if len(is) == 0 {
			continue
		}
		if len(differing(found, exchanged(found, r.halfway, []string{name}))) > 0 {
			return fmt.Errorf("after the failure of #%d %s is neither as it was nor as it was to be:\n%s", r.number, name, found.text(true))
		}
		moved = true
		delete(to, name)
		if t := found[name]; t != nil {
			to[name] = t.clone(true)
		}
	}
	if r.halfway = nil; moved {
		m.move(to)
	}
	return nil
}
