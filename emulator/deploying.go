package emulator

import (
	"cmp"
	"context"
	"time"

	"github.com/pmig/pmig/planetscale"
)

// startDeployRequestLocked lets a request go its way in the background until it
// is closed and owes nothing.
func (e *Emulator) startDeployRequestLocked(db *database, dr *deployRequest) {
	if dr.Closed && !dr.Deployment.owes() {
		return
	}
	e.startLocked("deploy request "+dr.ID, func(ctx context.Context) {
		for ctx.Err() == nil {
			e.mu.Lock()
			changed := e.changed
			act, until := e.nextLocked(db, dr)
			over := act == nil && dr.Closed && !dr.Deployment.owes()
			e.mu.Unlock()
			switch {
			case over:
				return
			case act == nil:
				e.wait(ctx, changed, until)
			default:
				if err := act(ctx); err != nil && ctx.Err() == nil {
					e.event(Event{Kind: EventError, Database: db.path(), Subject: dr.subject(), Text: err.Error()})
					e.wait(ctx, changed, e.now().Add(time.Second)) // and then once more
				}
			}
		}
	})
}

// nextLocked says what is to be done for a request: something now, or nothing
// until a time (the zero time: until something changes). Acts are run without
// the lock.
func (e *Emulator) nextLocked(db *database, dr *deployRequest) (act func(context.Context) error, until time.Time) {
	d, k := &dr.Deployment, e.world.Knobs
	after := func(t time.Duration, act func(context.Context) error) (func(context.Context) error, time.Time) {
		due := d.Since.Add(t)
		if e.nowLocked().Before(due) {
			return nil, due
		}
		return act, time.Time{}
	}
	to := func(by planetscale.Trigger, s planetscale.State, more func()) func(context.Context) error {
		from := d.State
		return func(context.Context) error {
			e.mu.Lock()
			defer e.mu.Unlock()
			if d.State != from || dr.Closed {
				return nil // a person was faster
			}
			e.moveLocked(db, dr, by, s, "")
			if more != nil {
				more()
			}
			return e.commitLocked()
		}
	}
	if dr.Closed {
		switch {
		case d.CopyOwed && d.CopyAt != nil && e.nowLocked().Before(*d.CopyAt):
			return nil, *d.CopyAt
		case d.CopyOwed:
			return func(ctx context.Context) error { return e.copyHistory(ctx, db, dr) }, time.Time{}
		case d.KeptOwed:
			return func(ctx context.Context) error { return e.removeKept(ctx, db, dr) }, time.Time{}
		case d.DeleteOwed:
			return func(context.Context) error { return e.deleteDeployed(db, dr) }, time.Time{}
		}
		return nil, time.Time{}
	}
	switch d.State {
	case planetscale.StatePending:
		if db.alteringLocked(dr) {
			return nil, time.Time{}
		}
		return after(k.Diff, func(ctx context.Context) error { return e.runChecks(ctx, db, dr) })
	case planetscale.StateQueued:
		if len(db.preceding(dr)) > 0 || db.alteringLocked(dr) {
			return nil, time.Time{}
		}
		if e.hasFaultLocked(FaultQueuePaused, db.path()) {
			return nil, time.Time{}
		}
		return after(k.Queue, func(ctx context.Context) error { return e.submit(ctx, db, dr) })
	case planetscale.StateSubmitting:
		if d.Instant {
			return after(cmp.Or(k.Submit, k.Queue), func(ctx context.Context) error { return e.deployInstantly(ctx, db, dr) })
		}
		return after(cmp.Or(k.Submit, k.Queue), to(planetscale.TriggerSubmitted, planetscale.StateInProgress, func() {
			d.StartedAt = e.stamp()
			if k.RevertWindow > 0 {
				d.Revert = &revert{ID: newID(), CreatedAt: *d.StartedAt}
			}
		}))
	case planetscale.StateInProgress:
		return e.nextCopyLocked(db, dr)
	case planetscale.StatePendingCutover:
		if !d.AutoCutover {
			ends := e.gateLocked(d)
			if ends.IsZero() || e.nowLocked().Before(ends) {
				return nil, ends
			}
			return func(context.Context) error { return e.gateOver(db, dr) }, time.Time{}
		}
		return after(k.Cutover, to(planetscale.TriggerCutover, planetscale.StateInProgressCutover, nil))
	case planetscale.StateInProgressCutover:
		if d.Blocked != nil && d.ForceCutoverAt == nil && e.nowLocked().Before(d.Blocked.Next) {
			return nil, d.Blocked.Next
		}
		return after(k.Cutover, func(ctx context.Context) error { return e.cutOver(ctx, db, dr) })
	case planetscale.StateInProgressVSchema:
		return after(k.VSchema, func(context.Context) error { return e.route(db, dr, d.WantSchema) })
	case planetscale.StateInProgressRevertVSchema:
		return after(k.VSchema, func(context.Context) error { return e.route(db, dr, d.TargetSchema) })
	case planetscale.StateInProgressCancel:
		end := planetscale.StateCompleteCancel
		if e.world.Unknowns.CancelEndsCancelled {
			end = planetscale.StateCancelled
		}
		return after(k.Cancel, to(planetscale.TriggerCancelled, end, func() {
			d.FinishedAt = e.stamp()
			e.finishLocked(db, dr)
		}))
	case planetscale.StateCompletePendingRevert:
		if ends := *d.Revert.EndsAt; e.nowLocked().Before(ends) {
			return nil, ends
		}
		return to(planetscale.TriggerWindowOver, planetscale.StateComplete, func() { e.completeLocked(db, dr) }), time.Time{}
	case planetscale.StateInProgressRevert:
		return after(k.Revert, func(ctx context.Context) error { return e.revert(ctx, db, dr) })
	}
	return nil, time.Time{}
}

// cancelLocked begins to cancel a deployment.
func (e *Emulator) cancelLocked(db *database, dr *deployRequest, to planetscale.State, text string) {
	for _, op := range dr.Deployment.Operations {
		if op.State == "pending" || op.State == "queued" || op.State == "in_progress" {
			op.State, op.UpdatedAt = "cancelled", e.nowLocked()
		}
	}
	e.moveLocked(db, dr, planetscale.TriggerCancel, to, text)
}

// gateOver cancels a deployment whose cutover nobody has asked for in time.
func (e *Emulator) gateOver(db *database, dr *deployRequest) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	to := dr.Deployment.State.After(planetscale.TriggerCancel)
	if dr.Closed || dr.Deployment.State != planetscale.StatePendingCutover || dr.Deployment.AutoCutover || len(to) == 0 {
		return nil
	}
	e.cancelLocked(db, dr, to[0], "nobody asked for the cutover in time")
	return e.commitLocked()
}

// stamp is the time now, to be kept.
func (e *Emulator) stamp() *time.Time {
	now := e.nowLocked()
	return &now
}

// runChecks brings a request out of pending.
func (e *Emulator) runChecks(ctx context.Context, db *database, dr *deployRequest) error {
	f, err := e.check(ctx, db, dr)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if dr.Closed || dr.Deployment.State != planetscale.StatePending || !f.holdsLocked(db, dr) {
		return nil // no more to be done, or once more
	}
	e.checkedLocked(db, dr, f)
	if fault := e.takeFaultLocked(FaultValidating, db.path()+dr.subject()); fault != nil {
		dr.Deployment.Validating = max(fault.Count, 1)
	}
	return e.commitLocked()
}

// submit takes the head of the queue. What it was to do is looked at once more:
// the target may have moved while it waited.
func (e *Emulator) submit(ctx context.Context, db *database, dr *deployRequest) error {
	f, err := e.check(ctx, db, dr)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := &dr.Deployment
	switch {
	case d.State != planetscale.StateQueued || dr.Closed || !f.holdsLocked(db, dr):
		return nil
	case f.branch != d.BranchSchema:
		e.resetLocked(db, dr, true, "the branch has changed")
		return e.commitLocked()
	case !f.deployable():
		e.resetLocked(db, dr, false, "the target has changed")
		return e.commitLocked()
	case f.target != d.TargetSchema, f.base != d.CountedFrom:
		d.take(f)
		if db.mayEnter(dr, d.Parallel) != nil {
			e.resetLocked(db, dr, false, "it changes the tables of another deployment now")
			return e.commitLocked()
		}
	}
	for _, op := range d.Operations {
		op.State, op.UpdatedAt = "queued", e.nowLocked()
	}
	d.SubmittedAt = e.stamp()
	e.moveLocked(db, dr, planetscale.TriggerTurn, planetscale.StateSubmitting, "")
	return e.commitLocked()
}

// completeLocked is what the end of a successful deployment brings with it.
func (e *Emulator) completeLocked(db *database, dr *deployRequest) {
	d := &dr.Deployment
	// A branch that was deleted in the window has taken its rows with it.
	if copies, _ := db.copies(); copies && db.branchByID(dr.BranchID) != nil && !(d.Instant && e.world.Unknowns.InstantCopiesNoHistory) {
		d.CopyOwed = true
		if f := e.takeFaultLocked(FaultHistoryDelay, dr.subject()); f != nil {
			later := e.nowLocked().Add(f.Delay)
			d.CopyAt = &later
		}
	}
	d.DeleteOwed = d.AutoDeleteBranch
	if d.Revert != nil && d.Revert.FinishedAt == nil {
		d.Revert.FinishedAt = e.stamp()
	}
	d.KeptOwed = d.kept()
	e.finishLocked(db, dr)
}

// failLocked ends a deployment that met an error while running.
func (e *Emulator) failLocked(db *database, dr *deployRequest, op *operation, err error) error {
	d := &dr.Deployment
	for _, other := range d.Operations {
		if other.State == "queued" || other.State == "in_progress" {
			other.State = "cancelled"
		}
	}
	op.State, op.Error, op.UpdatedAt = "error", err.Error(), e.nowLocked()
	d.FinishedAt = e.stamp()
	e.moveLocked(db, dr, planetscale.TriggerFailed, planetscale.StateCompleteError, op.Change.Verb+" "+op.Change.Table+": "+err.Error())
	return e.commitLocked()
}

// deleteDeployed removes the branch of a request that asked for it, unless
// something else needs the branch: then it stays, and the log says so.
func (e *Emulator) deleteDeployed(db *database, dr *deployRequest) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	dr.Deployment.DeleteOwed = false
	if b := db.branchByID(dr.BranchID); b != nil {
		if err := e.deleteBranchLocked(db, b, false, dr.Actor); err != nil {
			e.eventLocked(Event{Kind: EventBranch, Database: db.path(), Subject: b.Name, Text: "not deleted by auto_delete_branch: " + err.Error()})
		}
	}
	return e.commitLocked()
}
