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
	var err error
	if op.Change.Verb == "ALTER" && op.Rows > 0 {
		err = e.tryOnCopy(ctx, db, dr.IntoID, op, nil)
	}
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
	op.Copy = op.Copy * 100 / time.Duration(100-db.Settings.ThrottlerRatio)
	op.State, op.StartedAt, op.UpdatedAt = "in_progress", e.stamp(), e.nowLocked()
	return e.commitLocked()
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
	e.mu.Lock()
	if table, blocked := e.obstructedLocked(dr); blocked {
		defer e.mu.Unlock()
		return e.blockedLocked(db, dr, table)
	}
	over := e.alterLocked(db.branchByID(dr.IntoID))
	e.mu.Unlock()
	err := e.execute(ctx, db, dr)
	e.mu.Lock()
	defer e.mu.Unlock()
	over()
	var failed *operationError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	d := &dr.Deployment
	switch {
	case failed != nil && waitedForLock(failed.err):
		return e.blockedLocked(db, dr, failed.op.Change.Table)
	case failed != nil:
		return e.failLocked(db, dr, failed.op, failed.err)
	}
	d.Blocked, d.CutoverAt = nil, e.stamp()
	if d.Routing {
		e.moveLocked(db, dr, planetscale.TriggerVSchema, planetscale.StateInProgressVSchema, "")
		return e.commitLocked()
	}
	e.liveLocked(db, dr)
	return e.commitLocked()
}

// liveLocked is for a deployment all of which is on the target: it is over, or
// may still be reverted.
func (e *Emulator) liveLocked(db *database, dr *deployRequest) {
	d, now := &dr.Deployment, e.stamp()
	d.FinishedAt, dr.DeployedAt = now, now
	if d.Revert == nil {
		e.moveLocked(db, dr, planetscale.TriggerFinished, planetscale.StateComplete, "live")
		e.completeLocked(db, dr)
		return
	}
	ends := now.Add(e.world.Knobs.RevertWindow)
	d.Revert.EndsAt = &ends
	e.moveLocked(db, dr, planetscale.TriggerSwapped, planetscale.StateCompletePendingRevert, "live, may be reverted until "+ends.Format(time.TimeOnly))
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
	over := e.alterLocked(db.branchByID(dr.IntoID))
	e.mu.Unlock()
	err := e.execute(ctx, db, dr)
	e.mu.Lock()
	defer e.mu.Unlock()
	over()
	var failed *operationError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
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

// execute runs a deployment's statements on its target, one after the other. A
// process that ended in the middle does not know which of them it had run: the
// next one asks the target, and runs what is missing.
func (e *Emulator) execute(ctx context.Context, db *database, dr *deployRequest) error {
	e.mu.Lock()
	d := &dr.Deployment
	resumed, keep, before, want := d.Executing, d.Revert != nil, d.TargetSchema, d.WantSchema
	forced := d.Instant || e.forcedLocked(d)
	statements := make([]statement, len(d.Operations))
	for i, op := range d.Operations {
		statements[i] = statement{op.Change, op}
	}
	d.Executing = true
	err := e.commitLocked()
	e.mu.Unlock()
	if err != nil {
		return err
	}
	if resumed {
		if statements, err = e.missing(ctx, db, dr, want); err != nil {
			return err
		}
	}
	conn, err := e.connect(ctx, dr.IntoID, db.Name)
	if err != nil {
		return err
	}
	defer conn.Close()
	impatient(ctx, conn)
	if breaker, can := e.engine.(lockBreaker); can && forced {
		if err := breaker.EndTransactions(ctx, dr.IntoID); err != nil {
			return err
		}
	}
	for _, s := range statements {
		if err := s.run(ctx, conn, keep); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &operationError{s.op, err}
		}
		e.mu.Lock()
		s.op.State, s.op.UpdatedAt = "complete", e.nowLocked()
		err := e.commitLocked()
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if err := e.engine.Flush(ctx); err != nil {
		return err
	}
	after, now, err := e.look(ctx, dr.IntoID, db.Name)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, op := range d.Operations {
		op.State = "complete"
	}
	if b := db.branchByID(dr.IntoID); b != nil {
		b.Before = before
		e.sawLocked(b, after)
	}
	// What the branch had is on the target now: its next request is about what
	// comes after.
	if b := db.branchByID(dr.BranchID); b != nil {
		return e.deployedLocked(d, b, now)
	}
	return nil
}

// statement is a change to be run, and the operation that it belongs to.
type statement struct {
	change schema.Change
	op     *operation
}

// run executes the statement.
func (s statement) run(ctx context.Context, conn *sql.DB, keep bool) error {
	if keep && s.change.DropsData {
		if err := keepRows(ctx, conn, s.op); err != nil {
			return fmt.Errorf("keep rows for a revert: %w", err)
		}
	}
	_, err := conn.ExecContext(ctx, s.change.Statement())
	return err
}

// missing is what a deployment that was cut short has still to do.
func (e *Emulator) missing(ctx context.Context, db *database, dr *deployRequest, want schemaID) ([]statement, error) {
	wanted, err := e.schemas.get(want)
	if err != nil {
		return nil, err
	}
	_, now, err := e.look(ctx, dr.IntoID, db.Name)
	if err != nil {
		return nil, err
	}
	changes, err := schema.Diff(now.Schema, dr.Deployment.mine(now.Schema, wanted.Schema))
	if err != nil {
		return nil, err
	}
	operations := dr.Deployment.Operations
	var statements []statement
	for _, c := range changes {
		op := operations[0]
		for _, o := range operations {
			if o.Change.Table == c.Table && (o.Change.DropsData == c.DropsData || op.Change.Table != c.Table) {
				op = o
			}
		}
		statements = append(statements, statement{c, op})
	}
	return statements, nil
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
	return schema.Diff(now.Schema, dr.Deployment.mine(now.Schema, old.Schema))
}
