package emulator

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/pmig/pmig/planetscale"
)

// newDeployRequest is the body of POST deploy-requests.
type newDeployRequest struct {
	Branch           string  `json:"branch"`
	Into             string  `json:"into_branch"`
	Notes            *string `json:"notes"`
	AutoCutover      *bool   `json:"auto_cutover"`
	AutoDeleteBranch *bool   `json:"auto_delete_branch"`
}

// subject names the request in events and faults.
func (dr *deployRequest) subject() string { return "#" + strconv.Itoa(dr.Number) }

// createDeployRequestLocked opens a request; its checks run in the background.
func (e *Emulator) createDeployRequestLocked(db *database, n newDeployRequest, by actor) (*deployRequest, error) {
	b := db.branch(n.Branch)
	if n.Branch == "" || b == nil {
		return nil, invalid("Branch must exist")
	}
	if n.Into == "" {
		n.Into = b.Parent
		if n.Into == "" {
			n.Into = db.Settings.DefaultBranch
		}
	}
	into := db.branch(n.Into)
	switch {
	case into == nil:
		return nil, invalid("Into branch must exist")
	case into == b:
		return nil, invalid("Into branch cannot be the same as the branch")
	case !into.SafeMigrations:
		return nil, unprocessable("Into branch must be a branch with safe migrations enabled")
	case !b.Ready:
		return nil, unprocessable("Branch is not ready")
	}
	if limit := e.world.Unknowns.NotesLimit; n.Notes != nil && limit > 0 && len(*n.Notes) > limit {
		return nil, invalid(fmt.Sprintf("Notes is too long (maximum is %d characters)", limit))
	}
	if e.world.Unknowns.OneRequestPerBranch {
		for _, other := range db.DeployRequests {
			if other.BranchID == b.ID && !other.Closed {
				return nil, unprocessable("Branch already has an open deploy request")
			}
		}
	}
	now := e.nowLocked()
	db.LastNumber++
	dr := &deployRequest{ID: newID(), Number: db.LastNumber, Branch: b.Name, BranchID: b.ID, Into: into.Name, IntoID: into.ID,
		Actor: by, CreatedAt: now, UpdatedAt: now}
	if n.Notes != nil {
		dr.Notes = *n.Notes
	}
	d := &dr.Deployment
	d.ID, d.CreatedAt, d.UpdatedAt, d.Since, d.State = newID(), now, now, now, planetscale.StatePending
	d.AutoCutover = db.AutoCutover // of the request before, when this one does not say
	if n.AutoCutover != nil {
		d.AutoCutover = *n.AutoCutover
	}
	db.AutoCutover = d.AutoCutover
	d.AutoDeleteBranch = n.AutoDeleteBranch != nil && *n.AutoDeleteBranch
	db.DeployRequests = append(db.DeployRequests, dr)
	e.eventLocked(Event{Kind: EventDeployRequest, Database: db.path(), Subject: dr.subject(), State: d.State, Actor: by.Name,
		Text: "opened, " + dr.Branch + " into " + dr.Into})
	e.tellRequestLocked(db, dr, "deploy_request.opened")
	e.startDeployRequestLocked(db, dr)
	return dr, nil
}

// moveLocked brings a deployment to another state. The table in package
// planetscale decides what is possible; anything else is a fault of the
// emulator, shows as an error event and moves nothing.
func (e *Emulator) moveLocked(db *database, dr *deployRequest, by planetscale.Trigger, to planetscale.State, text string) {
	d := &dr.Deployment
	if !slices.Contains(d.State.After(by), to) {
		e.eventLocked(Event{Kind: EventError, Database: db.path(), Subject: dr.subject(),
			Text: fmt.Sprintf("no way from %s to %s by %s", d.State, to, by)})
		return
	}
	now, from := e.nowLocked(), d.State
	d.State, d.Since, d.UpdatedAt, dr.UpdatedAt = to, now, now, now
	e.eventLocked(Event{Kind: EventDeployRequest, Database: db.path(), Subject: dr.subject(), State: to, Text: text})
	e.tellMoveLocked(db, dr, from)
}

// closeLocked ends a request, by a person or for good.
func (e *Emulator) closeLocked(db *database, dr *deployRequest, by actor) {
	now := e.nowLocked()
	dr.Closed, dr.ClosedAt, dr.ClosedBy, dr.UpdatedAt = true, &now, &by, now
	e.eventLocked(Event{Kind: EventDeployRequest, Database: db.path(), Subject: dr.subject(), State: dr.Deployment.State, Actor: by.Name, Text: "closed"})
	e.tellRequestLocked(db, dr, "deploy_request.closed")
}

// mayCloseLocked says whether a person or a token may close a request.
func (e *Emulator) mayCloseLocked(dr *deployRequest) error {
	s := dr.Deployment.State
	switch {
	case dr.Closed:
		return unprocessable("This deploy request is already closed")
	case len(s.After(planetscale.TriggerClose)) > 0:
		return nil
	case s == planetscale.StateQueued && e.world.Unknowns.CloseQueued:
		return nil
	}
	return unprocessable("This deploy request cannot be closed while it is " + string(s))
}

// finishLocked ends a request whose deployment has come to its end.
func (e *Emulator) finishLocked(db *database, dr *deployRequest) {
	now := e.nowLocked()
	dr.Closed, dr.ClosedAt, dr.UpdatedAt = true, &now, now
	e.eventLocked(Event{Kind: EventDeployRequest, Database: db.path(), Subject: dr.subject(), State: dr.Deployment.State, Text: "closed"})
	e.tellRequestLocked(db, dr, "deploy_request.closed")
}

// resetLocked sends a request back to its checks.
//
// A changed target has no row of its own in the table: the request comes back
// in the same way, keeping its approval.
func (e *Emulator) resetLocked(db *database, dr *deployRequest, dismiss bool, why string) {
	d := &dr.Deployment
	if dismiss && dr.Approved {
		dr.Approved = false
		why += ", approval dismissed"
	}
	d.QueuedAt, d.Actor, d.Parallel = nil, nil, false
	d.Operations, d.Lint, d.CheckErrors, d.InstantEligible = nil, nil, "", false
	e.moveLocked(db, dr, planetscale.TriggerBranchChanged, planetscale.StatePending, why)
}

// refresh looks at a request's branch and target once more. A changed branch
// sends the request back to its checks and dismisses its approvals. A changed
// target, or another base of the branch, has the checks run again; the request
// goes back only if they end otherwise than before. The lock must not be held.
func (e *Emulator) refresh(ctx context.Context, db *database, dr *deployRequest) {
	e.mu.Lock()
	d := &dr.Deployment
	state, branchSchema, targetSchema, counted := d.State, d.BranchSchema, d.TargetSchema, d.CountedFrom
	approved := state == planetscale.StatePending && dr.Approved && !dr.Closed
	waiting := approved || !dr.Closed && (state == planetscale.StateReady || state == planetscale.StateNoChanges || state == planetscale.StateError || state == planetscale.StateQueued)
	b, into := db.branchByID(dr.BranchID), db.branchByID(dr.IntoID)
	rebased := b != nil && b.Base != counted
	e.mu.Unlock()
	if !waiting || b == nil || into == nil {
		return
	}
	branchNow, _, err := e.look(ctx, b.ID, db.Name)
	if err != nil {
		e.lookFailed(ctx, db, dr, err)
		return
	}
	targetNow, _, err := e.look(ctx, into.ID, db.Name)
	if err != nil {
		e.lookFailed(ctx, db, dr, err)
		return
	}
	var again *findings
	if !approved && branchNow == branchSchema && (targetNow != targetSchema || rebased) && state != planetscale.StateQueued {
		if again, err = e.check(ctx, db, dr); err != nil {
			e.lookFailed(ctx, db, dr, err)
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sawLocked(b, branchNow)
	e.sawLocked(into, targetNow)
	if d.State != state || dr.Closed {
		return
	}
	switch {
	case approved:
		if !dr.dismiss(branchNow) {
			return
		}
	case branchNow != branchSchema:
		e.resetLocked(db, dr, true, "the branch has changed")
	case again == nil, !again.holdsLocked(db, dr):
		return
	default:
		if _, to := again.outcome(); to == state && again.branch == branchSchema {
			d.take(again)
			break
		}
		e.resetLocked(db, dr, false, "the target has changed")
	}
	_ = e.commitLocked() // told as an event if it fails
}

// dismiss takes back the approval of a request whose branch is no longer what
// was approved.
func (dr *deployRequest) dismiss(now schemaID) bool {
	if !dr.Approved || dr.ApprovedSchema == now {
		return false
	}
	dr.Approved = false
	return true
}

// refreshAll refreshes every request that could have changed.
func (e *Emulator) refreshAll(ctx context.Context, db *database) {
	e.mu.Lock()
	all := slices.Clone(db.DeployRequests)
	e.mu.Unlock()
	for _, dr := range all {
		e.refresh(ctx, db, dr)
	}
}

func (e *Emulator) lookFailed(ctx context.Context, db *database, dr *deployRequest, err error) {
	if ctx.Err() == nil {
		e.event(Event{Kind: EventError, Database: db.path(), Subject: dr.subject(), Text: err.Error()})
	}
}

// sawLocked notes the schema that a branch was seen to have.
func (e *Emulator) sawLocked(b *branch, id schemaID) {
	if b.Seen != id {
		now := e.nowLocked()
		b.Seen, b.SchemaUpdatedAt = id, &now
	}
}
