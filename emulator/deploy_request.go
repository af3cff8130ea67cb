package emulator

import (
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
	d.Operations, d.Lint, d.CheckErrors, d.InstantEligible, d.Routing = nil, nil, "", false, false
	e.moveLocked(db, dr, planetscale.TriggerBranchChanged, planetscale.StatePending, why)
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

// sawLocked notes the schema that a branch was seen to have.
func (e *Emulator) sawLocked(b *branch, id schemaID) {
	if b.Seen != id {
		now := e.nowLocked()
		b.Seen, b.SchemaUpdatedAt = id, &now
	}
}
