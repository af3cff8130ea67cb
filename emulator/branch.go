package emulator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// developmentBranches is how many development branches a database may have.
const developmentBranches = 100

// createBranchLocked begins a branch; its data are made in the background.
func (e *Emulator) createBranchLocked(db *database, name string, parent *branch, protected bool, by actor) (*branch, error) {
	if err := checkBranchName(name); err != nil {
		return nil, err
	}
	if db.branch(name) != nil {
		return nil, errTaken
	}
	n := 0
	for _, b := range db.Branches {
		if !b.Production {
			n++
		}
	}
	if n >= developmentBranches {
		return nil, unprocessable("You have reached the development branch limit of this database")
	}
	now := e.nowLocked()
	b := &branch{ID: newID(), Name: name, Parent: parent.Name, ParentID: parent.ID, DeletionProtected: protected,
		Actor: by, CreatedAt: now, UpdatedAt: now}
	if e.takeFaultLocked(FaultStaleBase, db.path()+"/"+name) != nil {
		b.Stale = parent.Before != ""
	}
	db.Branches = append(db.Branches, b)
	e.eventLocked(Event{Kind: EventBranch, Database: db.path(), Subject: name, Actor: by.Name, Text: "created from " + parent.Name})
	e.startBranchLocked(db, b)
	return b, nil
}

// startBranchLocked goes on making a branch that is not ready.
func (e *Emulator) startBranchLocked(db *database, b *branch) {
	if b.Ready {
		return
	}
	e.startLocked("branch "+b.ID, func(ctx context.Context) {
		if err := e.makeBranch(ctx, db, b); err != nil && ctx.Err() == nil {
			e.event(Event{Kind: EventError, Database: db.path(), Subject: b.Name, Text: "the branch cannot be made: " + err.Error()})
		}
	})
}

// makeBranch copies the parent's schema and waits until the branch may be ready.
func (e *Emulator) makeBranch(ctx context.Context, db *database, b *branch) error {
	e.mu.Lock()
	parentID, made, stale := b.ParentID, b.Made, b.Stale
	var before schemaID
	if p := db.branchByID(parentID); p != nil {
		before = p.Before
		if !made {
			b.routing = p.routing
		}
	}
	var rows []string
	if copies, table := db.copies(); copies {
		rows = []string{table}
	}
	e.mu.Unlock()

	if !made {
		// What an earlier process had begun is begun anew.
		err := e.unaltered(ctx, db, parentID, func() error {
			if err := e.engine.Drop(ctx, b.ID); err != nil {
				return err
			}
			return e.engine.Clone(ctx, b.ID, parentID, rows)
		})
		if err != nil {
			return err
		}
		id, sch, err := e.look(ctx, b.ID, db.Name)
		if err != nil {
			return err
		}
		base := id // what its changes are counted from, also if it lags behind that
		if stale {
			if id, err = e.turnBack(ctx, db, b, sch, before); err != nil {
				return err
			}
		}
		if err := e.engine.Flush(ctx); err != nil {
			return err
		}
		e.mu.Lock()
		b.Made, b.Base, b.Seen, b.Snapshot = true, base, id, id
		err = e.commitLocked()
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
	for {
		e.mu.Lock()
		due := b.CreatedAt.Add(e.world.Knobs.BranchReady)
		if now := e.nowLocked(); !now.Before(due) {
			b.Ready, b.UpdatedAt = true, now
			e.eventLocked(Event{Kind: EventBranch, Database: db.path(), Subject: b.Name, Text: "ready"})
			e.tellBranchLocked(db, b, "branch.ready")
			err := e.commitLocked()
			e.mu.Unlock()
			return err
		}
		changed := e.changed
		e.mu.Unlock()
		e.wait(ctx, changed, due)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// turnBack gives a fresh branch what its parent had before its last deployment:
// what a lagging snapshot looks like. A deploy request of it takes back that
// deployment, as was seen on the platform.
func (e *Emulator) turnBack(ctx context.Context, db *database, b *branch, now *structure, before schemaID) (schemaID, error) {
	old, err := e.schemas.get(before)
	if err != nil {
		return "", err
	}
	changes, err := schema.Diff(now.Schema, old.Schema)
	if err != nil {
		return "", err
	}
	conn, err := e.connect(ctx, b.ID, db.Name)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	for _, c := range changes {
		if _, err := conn.ExecContext(ctx, c.Statement()); err != nil {
			return "", fmt.Errorf("%s: %w", c.SQL, err)
		}
	}
	e.mu.Lock()
	b.routing = old.Routing
	e.mu.Unlock()
	id, _, err := e.look(ctx, b.ID, db.Name)
	return id, err
}

// deleteBranchLocked ends a branch. Its data are removed in the background.
func (e *Emulator) deleteBranchLocked(db *database, b *branch, descendants bool, by actor) error {
	if b.Name == db.Settings.DefaultBranch {
		return unprocessable("The default branch cannot be deleted")
	}
	if b.DeletionProtected {
		return unprocessable("Branch is protected from deletion")
	}
	var children []*branch
	for _, c := range db.Branches {
		if c.ParentID == b.ID {
			children = append(children, c)
		}
	}
	if len(children) > 0 && !descendants {
		return unprocessable("Branch has child branches. Delete them first, or delete all descendants")
	}
	for _, dr := range db.DeployRequests {
		if dr.BranchID == b.ID || dr.IntoID == b.ID {
			if err := e.mayDeleteLocked(dr); err != nil {
				return err
			}
		}
	}
	for _, c := range children {
		if err := e.deleteBranchLocked(db, c, true, by); err != nil {
			return err
		}
	}
	now := e.nowLocked()
	for _, dr := range db.DeployRequests {
		if dr.BranchID != b.ID {
			continue
		}
		dr.BranchDeletedAt, dr.BranchDeletedBy = &now, &by
		waiting := dr.Deployment.StartedAt == nil
		if !dr.Closed && waiting && !e.world.Unknowns.BranchDeleteKeepsRequest {
			e.closeLocked(db, dr, by)
		}
	}
	for _, p := range b.Passwords {
		p.end()
	}
	db.Branches = slices.DeleteFunc(db.Branches, func(x *branch) bool { return x == b })
	e.world.Dropping = append(e.world.Dropping, b.ID)
	e.eventLocked(Event{Kind: EventBranch, Database: db.path(), Subject: b.Name, Actor: by.Name, Text: "deleted"})
	e.startDropLocked(b.ID)
	return nil
}

// deployingGrace is how long after a deployment its branches cannot be deleted,
// while the fault "deploying" is set and does not say.
const deployingGrace = time.Minute

// mayDeleteLocked refuses to delete a branch that a deployment needs.
func (e *Emulator) mayDeleteLocked(dr *deployRequest) error {
	deploying := unprocessable("Branch cannot be deleted while a deployment is in progress")
	d := &dr.Deployment
	switch {
	case dr.deploying() && d.State.Info().Class == planetscale.ClassRunning: // and not closed while it was queued
		return deploying
	case d.State == planetscale.StateCompletePendingRevert && e.world.Unknowns.BranchDeleteRefusedInWindow:
		return deploying
	}
	if d.FinishedAt == nil {
		return nil
	}
	since := e.nowLocked().Sub(*d.FinishedAt)
	within := func(f *Fault) bool { return since < cmp.Or(f.Delay, deployingGrace) }
	if e.takeFaultIfLocked([]FaultKind{FaultDeploying}, "", dr.subject(), within) != nil {
		return deploying
	}
	return nil
}

// awaitCopies waits until nothing is to be copied from a branch any more.
func (e *Emulator) awaitCopies(ctx context.Context, id string) {
	for ctx.Err() == nil {
		e.mu.Lock()
		owed, changed := e.copyOwedLocked(id), e.changed
		e.mu.Unlock()
		if !owed {
			return
		}
		e.wait(ctx, changed, time.Time{})
	}
}

// copyOwedLocked says whether rows of a branch are still to be copied.
func (e *Emulator) copyOwedLocked(id string) bool {
	for _, o := range e.world.Organizations {
		for _, db := range o.Databases {
			if slices.ContainsFunc(db.DeployRequests, func(dr *deployRequest) bool { return dr.BranchID == id && dr.Deployment.CopyOwed }) {
				return true
			}
		}
	}
	return false
}

// startDropLocked removes a deleted branch's data.
func (e *Emulator) startDropLocked(id string) {
	making := e.works["branch "+id]
	if making != nil {
		making.cancel()
	}
	e.startLocked("drop "+id, func(ctx context.Context) {
		if making != nil {
			<-making.done
		}
		e.awaitCopies(ctx, id)
		if ctx.Err() != nil {
			return
		}
		e.schemas.forget(id)
		if err := e.engine.Drop(ctx, id); err != nil {
			if ctx.Err() == nil {
				e.event(Event{Kind: EventError, Subject: id, Text: "the data of a deleted branch cannot be removed: " + err.Error()})
			}
			return
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.world.Dropping = slices.DeleteFunc(e.world.Dropping, func(x string) bool { return x == id })
		_ = e.commitLocked() // told as an event; tried again at the next start
	})
}
