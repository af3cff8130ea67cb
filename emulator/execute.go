package emulator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// nextCopyLocked is in_progress: the operations, one after the other, are tried
// on a copy of their table and take their time. Nothing is live yet.
func (e *Emulator) nextCopyLocked(db *database, dr *deployRequest) (func(context.Context) error, time.Time) {
	d := &dr.Deployment
	for _, op := range d.Operations {
		switch {
		case op.Copied:
			continue
		case op.StartedAt == nil:
			return func(ctx context.Context) error { return e.try(ctx, db, dr, op) }, time.Time{}
		}
		if due := op.StartedAt.Add(op.Copy); e.nowLocked().Before(due) {
			return nil, due
		}
		return func(context.Context) error { return e.copied(db, dr, op) }, time.Time{}
	}
	return func(context.Context) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if d.State != planetscale.StateInProgress {
			return nil
		}
		d.ReadyToCutoverAt = e.stamp()
		e.moveLocked(db, dr, planetscale.TriggerCopied, planetscale.StatePendingCutover, "")
		return e.commitLocked()
	}, time.Time{}
}

// try begins an operation. What the copied rows would refuse is found here, as
// on the platform: before anything of the request is live.
func (e *Emulator) try(ctx context.Context, db *database, dr *deployRequest, op *operation) error {
	err := e.tryOnCopy(ctx, db, dr, op)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := &dr.Deployment
	if d.State != planetscale.StateInProgress {
		return nil
	}
	if f := e.takeFaultLocked(FaultDeployError, op.Change.Table); f != nil {
		err = errors.New(f.text("the deployment was told to fail"))
	}
	if err != nil {
		return e.failLocked(db, dr, op, err)
	}
	op.State, op.StartedAt, op.UpdatedAt = "in_progress", e.stamp(), e.nowLocked()
	return e.commitLocked()
}

// tryOnCopy alters a copy of the table, fills it with the table's rows, and
// throws it away.
func (e *Emulator) tryOnCopy(ctx context.Context, db *database, dr *deployRequest, op *operation) error {
	if op.Change.Verb != "ALTER" || op.Rows == 0 {
		return nil
	}
	conn, err := e.connect(ctx, dr.IntoID, db.Name)
	if err != nil {
		return err
	}
	defer conn.Close()
	return copyInto(ctx, conn, op)
}

// copied ends an operation's copy; it goes live with the others at the cutover.
func (e *Emulator) copied(db *database, dr *deployRequest, op *operation) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if dr.Deployment.State != planetscale.StateInProgress {
		return nil
	}
	op.Copied, op.UpdatedAt = true, e.nowLocked()
	return e.commitLocked()
}

// cutOver makes a deployment live.
func (e *Emulator) cutOver(ctx context.Context, db *database, dr *deployRequest) error {
	err := e.execute(ctx, db, dr)
	var failed *operationError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := &dr.Deployment
	if failed != nil {
		return e.failLocked(db, dr, failed.op, failed.err)
	}
	now := e.stamp()
	d.CutoverAt, d.FinishedAt, dr.DeployedAt = now, now, now
	if d.Revert == nil {
		e.moveLocked(db, dr, planetscale.TriggerFinished, planetscale.StateComplete, "live")
		e.completeLocked(db, dr)
		return e.commitLocked()
	}
	ends := now.Add(e.world.Knobs.RevertWindow)
	d.Revert.EndsAt = &ends
	e.moveLocked(db, dr, planetscale.TriggerSwapped, planetscale.StateCompletePendingRevert, "live, may be reverted until "+ends.Format(time.TimeOnly))
	return e.commitLocked()
}

// deployInstantly runs a deployment of instant changes: no copy, no gate, no
// way back.
func (e *Emulator) deployInstantly(ctx context.Context, db *database, dr *deployRequest) error {
	e.mu.Lock()
	d := &dr.Deployment
	if d.StartedAt == nil {
		d.StartedAt = e.stamp()
		if err := e.commitLocked(); err != nil {
			e.mu.Unlock()
			return err
		}
	}
	e.mu.Unlock()
	err := e.execute(ctx, db, dr)
	var failed *operationError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if failed != nil {
		return e.failLocked(db, dr, failed.op, failed.err)
	}
	now := e.stamp()
	d.CutoverAt, d.FinishedAt, dr.DeployedAt = now, now, now
	e.moveLocked(db, dr, planetscale.TriggerInstant, planetscale.StateComplete, "live, instantly")
	e.completeLocked(db, dr)
	return e.commitLocked()
}

// operationError is a statement that the target refused.
type operationError struct {
	op  *operation
	err error
}

func (e *operationError) Error() string { return e.op.Change.SQL + ": " + e.err.Error() }
func (e *operationError) Unwrap() error { return e.err }

// execute runs a deployment's statements on its target, each once. A process
// that ended between a statement and its record is recognised by the target's
// schema: a statement whose table is already as wanted is not run again.
func (e *Emulator) execute(ctx context.Context, db *database, dr *deployRequest) error {
	e.mu.Lock()
	d := &dr.Deployment
	operations, into, before, want := d.Operations, dr.IntoID, d.TargetSchema, d.WantSchema
	e.mu.Unlock()
	wanted, err := e.schemas.get(want)
	if err != nil {
		return err
	}
	digests := wanted.Digests()
	_, now, err := e.look(ctx, into, db.Name)
	if err != nil {
		return err
	}
	current := now.Digests()
	conn, err := e.connect(ctx, into, db.Name)
	if err != nil {
		return err
	}
	defer conn.Close()
	keep := dr.Deployment.Revert != nil
	for _, op := range operations {
		if op.State == "complete" {
			continue
		}
		if t := op.Change.Table; current[t] != digests[t] || only(operations, t) > 1 {
			if err := run(ctx, conn, op, keep); err != nil {
				return &operationError{op, err}
			}
		}
		e.mu.Lock()
		op.State, op.UpdatedAt = "complete", e.nowLocked()
		err := e.commitLocked()
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if err := e.engine.Flush(ctx); err != nil {
		return err
	}
	after, _, err := e.look(ctx, into, db.Name)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := db.branchByID(into); b != nil {
		b.Before = before
		e.sawLocked(b, after)
	}
	// What the branch had is on the target now: its next request is about what
	// comes after.
	if b := db.branchByID(dr.BranchID); b != nil {
		d.BaseSchema, b.Base = b.Base, d.BranchSchema
	}
	return nil
}

func only(operations []*operation, table string) (n int) {
	for _, op := range operations {
		if op.Change.Table == table {
			n++
		}
	}
	return n
}

// run executes one statement.
func run(ctx context.Context, conn *sql.DB, op *operation, keep bool) error {
	if keep && op.Change.DropsData {
		if err := keepRows(ctx, conn, op); err != nil {
			return fmt.Errorf("keep rows for a revert: %w", err)
		}
	}
	_, err := conn.ExecContext(ctx, op.Change.SQL)
	return err
}

// inverse is what takes a deployment back.
func (e *Emulator) inverse(ctx context.Context, db *database, dr *deployRequest) ([]schema.Change, error) {
	e.mu.Lock()
	into, before := dr.IntoID, dr.Deployment.TargetSchema
	e.mu.Unlock()
	old, err := e.schemas.get(before)
	if err != nil {
		return nil, err
	}
	_, now, err := e.look(ctx, into, db.Name)
	if err != nil {
		return nil, err
	}
	return schema.Diff(now, old)
}
