package emulator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// kept is the table that keeps what an operation drops until the revert window
// is over. The platform's own artifacts begin with _vt too: clients ignore them.
func kept(op *operation) string { return "_vt_hld_" + op.ID }

// keepRows copies a table whose data an operation drops.
func keepRows(ctx context.Context, conn *sql.DB, op *operation) error {
	for _, s := range []string{
		"DROP TABLE IF EXISTS " + quote(kept(op)),
		"CREATE TABLE " + quote(kept(op)) + " AS SELECT * FROM " + quote(op.Change.Table),
	} {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// revert takes a deployment back: the inverse change, and the rows that it had
// dropped. Rows written since stay.
func (e *Emulator) revert(ctx context.Context, db *database, dr *deployRequest) error {
	over := e.alter(db, dr.IntoID)
	after, failed, err := e.takeBack(ctx, db, dr)
	e.mu.Lock()
	defer e.mu.Unlock()
	over()
	if err != nil {
		return err
	}
	d := &dr.Deployment
	if b := db.branchByID(dr.IntoID); b != nil {
		e.sawLocked(b, after)
	}
	if b := db.branchByID(dr.BranchID); b != nil && failed == nil {
		if err := e.takenBackLocked(d, b); err != nil {
			return err
		}
	}
	switch {
	case failed != nil:
		e.revertFailedLocked(db, dr, failed)
	case d.Routing:
		e.moveLocked(db, dr, planetscale.TriggerVSchema, planetscale.StateInProgressRevertVSchema, "")
	default:
		e.revertedLocked(db, dr)
	}
	return e.commitLocked()
}

// takeBack runs what takes a deployment back. It returns the target's schema
// afterwards, and why a statement failed, if one did.
func (e *Emulator) takeBack(ctx context.Context, db *database, dr *deployRequest) (after schemaID, failed, err error) {
	changes, err := e.inverse(ctx, db, dr)
	if err != nil {
		return "", nil, err
	}
	e.mu.Lock()
	d := &dr.Deployment
	into, was := dr.IntoID, d.Operations
	now := e.nowLocked()
	d.Revert.Operations = nil
	for _, c := range changes {
		d.Revert.Operations = append(d.Revert.Operations, &operation{ID: newID(), State: "in_progress", Change: c, CreatedAt: now, UpdatedAt: now})
	}
	operations := d.Revert.Operations
	fault := e.takeFaultLocked(FaultRevertError, dr.subject())
	e.mu.Unlock()

	conn, err := e.connect(ctx, into, db.Name)
	if err != nil {
		return "", nil, err
	}
	defer conn.Close()
	try := func(op *operation) error {
		if fault != nil {
			return errors.New(fault.text("the revert was told to fail"))
		}
		return e.tryOnCopy(ctx, db, into, op, keeper(was, op.Change.Table))
	}
	run := func(op *operation) error {
		_, err := conn.ExecContext(ctx, op.Change.Statement())
		return err
	}
	// Nothing is taken back unless all of it can be.
	if failed = e.each(operations, "in_progress", try); failed == nil {
		failed = e.each(operations, "complete", run)
	}
	for _, op := range was {
		if failed == nil && op.Change.DropsData {
			failed = bringBack(ctx, conn, op)
		}
	}
	if ctx.Err() != nil {
		return "", nil, ctx.Err()
	}
	if err := e.engine.Flush(ctx); err != nil {
		return "", nil, err
	}
	after, _, err = e.look(ctx, into, db.Name)
	return after, failed, err
}

// revertedLocked ends a revert all of which is done.
func (e *Emulator) revertedLocked(db *database, dr *deployRequest) {
	d := &dr.Deployment
	d.Revert.FinishedAt, d.KeptOwed = e.stamp(), d.kept()
	e.moveLocked(db, dr, planetscale.TriggerReverted, planetscale.StateCompleteRevert, "")
	e.finishLocked(db, dr)
}

func (e *Emulator) revertFailedLocked(db *database, dr *deployRequest, failed error) {
	dr.Deployment.Revert.FinishedAt = e.stamp()
	e.moveLocked(db, dr, planetscale.TriggerRevertFailed, planetscale.StateCompleteRevertError, failed.Error())
}

// each does something with operations, one after the other, until it fails for
// one of them; those for which it does not are then in a state.
func (e *Emulator) each(operations []*operation, state string, do func(*operation) error) error {
	for _, op := range operations {
		err := do(op)
		e.mu.Lock()
		if op.State = state; err != nil {
			op.State, op.Error = "error", err.Error()
		}
		e.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// keeper is the operation on a table that has kept what it dropped of it.
func keeper(operations []*operation, table string) *operation {
	for _, op := range operations {
		if op.Change.Table == table && op.Change.DropsData && op.Change.Verb == schema.Alter {
			return op
		}
	}
	return nil
}

// bringBack fills what a revert has made again with the rows kept of it: a
// dropped table wholly, dropped columns by the table's primary key. Done twice
// it does the same.
func bringBack(ctx context.Context, conn *sql.DB, op *operation) error {
	from, table := quote(kept(op)), quote(op.Change.Table)
	if op.Change.Verb == "DROP" {
		list, err := plainColumns(ctx, conn, op.Change.Table)
		if err != nil {
			return err
		}
		names := strings.Join(list, ", ")
		_, err = conn.ExecContext(ctx, fmt.Sprintf("INSERT IGNORE INTO %s (%s) SELECT %s FROM %s", table, names, names, from))
		return err
	}
	key, err := primaryKey(ctx, conn, op.Change.Table)
	if err != nil || len(key) == 0 || len(op.Change.Dropped) == 0 {
		return err
	}
	var set, on []string
	for _, c := range op.Change.Dropped {
		set = append(set, fmt.Sprintf("t.%s = k.%s", quote(c), quote(c)))
	}
	for _, c := range key {
		on = append(on, fmt.Sprintf("t.%s = k.%s", quote(c), quote(c)))
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf("UPDATE %s t JOIN %s k ON %s SET %s", table, from, strings.Join(on, " AND "), strings.Join(set, ", ")))
	return err
}

// kept says whether the deployment has kept rows for a revert.
func (d *deployment) kept() bool {
	return d.Revert != nil && slices.ContainsFunc(d.Operations, func(op *operation) bool { return op.Change.DropsData })
}

// removeKept removes what was kept for a revert.
func (e *Emulator) removeKept(ctx context.Context, db *database, dr *deployRequest) error {
	conn, err := e.connect(ctx, dr.IntoID, db.Name)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, op := range dr.Deployment.Operations {
		if !op.Change.DropsData {
			continue
		}
		if _, err := conn.ExecContext(ctx, "DROP TABLE IF EXISTS "+quote(kept(op))); err != nil {
			return fmt.Errorf("remove what was kept for a revert: %w", err)
		}
	}
	if err := e.engine.Flush(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	dr.Deployment.KeptOwed = false
	return e.commitLocked()
}
