package emulator

import (
	"context"
	"slices"

	"github.com/pmig/pmig/planetscale"
)

// glance is what a request was when somebody began to look at it again.
type glance struct {
	dr                            *deployRequest
	b, into                       *branch
	state                         planetscale.State
	branchSchema, target, counted schemaID
}

// glanceLocked says what there is to be looked at of a request, if its branch
// or its target can still make a difference to it.
func (db *database) glanceLocked(dr *deployRequest) (g glance, worth bool) {
	d := &dr.Deployment
	g = glance{dr, db.branchByID(dr.BranchID), db.branchByID(dr.IntoID), d.State, d.BranchSchema, d.TargetSchema, d.CountedFrom}
	if dr.Closed || g.b == nil || g.into == nil {
		return g, false
	}
	switch d.State {
	case planetscale.StateReady, planetscale.StateNoChanges, planetscale.StateError, planetscale.StateQueued:
		return g, true
	case planetscale.StatePending: // for its approval alone
		return g, dr.Approved
	}
	return g, false
}

// refresh looks at the branches and targets of requests once more. A changed
// branch sends its request back to its checks and dismisses its approvals. A
// changed target, or another base of the branch, has the checks run again; the
// request goes back only if they end otherwise than before. The lock must not
// be held.
func (e *Emulator) refresh(ctx context.Context, db *database, requests ...*deployRequest) {
	var glances []glance
	e.mu.Lock()
	for _, dr := range requests {
		if g, worth := db.glanceLocked(dr); worth {
			glances = append(glances, g)
		}
	}
	e.mu.Unlock()
	seen := map[string]schemaID{} // each branch is looked at once, and later than every glance
	for _, g := range glances {
		err := e.lookInto(ctx, db, seen, g.b, g.into)
		if err == nil {
			err = e.reconsider(ctx, db, g, seen[g.b.ID], seen[g.into.ID])
		}
		if err != nil && ctx.Err() == nil && !e.gone(db, g.dr) {
			e.event(Event{Kind: EventError, Database: db.path(), Subject: g.dr.subject(), Text: err.Error()})
		}
	}
}

// lookInto looks at a request's branch and target, if they were not seen yet.
func (e *Emulator) lookInto(ctx context.Context, db *database, seen map[string]schemaID, b, into *branch) error {
	if _, is := seen[b.ID]; !is {
		now, _, err := e.picture(ctx, db, b)
		if err != nil {
			return err
		}
		seen[b.ID] = now
	}
	if _, is := seen[into.ID]; !is {
		now, _, err := e.look(ctx, into.ID, db.Name)
		if err != nil {
			return err
		}
		seen[into.ID] = now
	}
	return nil
}

// reconsider is refresh for one request, whose branch and target were seen.
func (e *Emulator) reconsider(ctx context.Context, db *database, g glance, branchNow, targetNow schemaID) error {
	dr, d := g.dr, &g.dr.Deployment
	e.mu.Lock()
	moved := targetNow != g.target || g.b.Base != g.counted
	e.mu.Unlock()
	checked := g.state != planetscale.StatePending && g.state != planetscale.StateQueued
	var again *findings
	if checked && branchNow == g.branchSchema && moved {
		var err error
		if again, err = e.check(ctx, db, dr); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sawLocked(g.b, branchNow)
	e.sawLocked(g.into, targetNow)
	if dr.Closed || d.State != g.state || d.BranchSchema != g.branchSchema || d.TargetSchema != g.target {
		return nil // it has moved on
	}
	switch {
	case g.state == planetscale.StatePending:
		if !dr.dismiss(branchNow) {
			return nil
		}
	case branchNow != g.branchSchema:
		e.resetLocked(db, dr, true, "the branch has changed")
	case again == nil, !again.holdsLocked(db, dr):
		return nil
	default:
		if _, to := again.outcome(); to == g.state && again.branch == g.branchSchema {
			d.take(again)
			break
		}
		e.resetLocked(db, dr, false, "the target has changed")
	}
	_ = e.commitLocked() // told as an event if it fails
	return nil
}

// refreshAll refreshes every request that could have changed.
func (e *Emulator) refreshAll(ctx context.Context, db *database) {
	e.mu.Lock()
	all := slices.Clone(db.DeployRequests)
	e.mu.Unlock()
	e.refresh(ctx, db, all...)
}
