package migration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SwapOptions are what Swap asks of its caller.
type SwapOptions struct {
	// Confirm is called inside the transaction, just before the commit, with
	// rows locked and written; an error rolls everything back and is returned as
	// it is. It is not called when there is nothing to write.
	Confirm func(context.Context) error
	// TableWait is how long to wait for a table that the deployment creates, or a
	// column that it adds; zero means two minutes, less than zero not at all.
	TableWait time.Duration
	// Attempts bounds how often the transaction is started over after a
	// deadlock, a lock timeout or a lost connection; zero means 8.
	Attempts int
	// Back lets a pointer go back: only to take back a deployment.
	Back bool
}

// SwapResult says what a Swap did.
type SwapResult struct {
	// Written is the number of rows inserted, changed or deleted.
	Written int `json:"written"`
	// AlreadyThere is how many of the changes had been made before: by a commit
	// whose answer was lost, or by the platform's own copy.
	AlreadyThere int `json:"already_there"`
	// Merged is the number of rows by others that were found and left alone.
	Merged int `json:"merged"`
}

// Swap writes what a branch gained to production's history as one
// compare-and-swap: in a REPEATABLE READ transaction all rows are locked, must
// be those of base (the history the run started from), and then exactly the
// delta is written. What is already there is left; rows of others with other
// keys in a log are merged; anything else is a *DriftError and nothing is
// written. A value for a column that the table does not have is a
// *MissingColumnError. A pointer that is at or beyond the delta's is done, one before it is
// advanced, a dirty one is a *DirtyError, and none goes back.
//
// Without a base (nil: what the run started from is not known any more) the rows
// found count as the start, and what the delta has and the table lacks is
// written.
//
// It can be called again at any time, also after an error that leaves open
// whether the commit took place.
func Swap(ctx context.Context, db *sql.DB, spec Spec, base *History, d Delta, opt SwapOptions) (SwapResult, error) {
	if err := spec.validate(); err != nil {
		return SwapResult{}, err
	}
	if d.Empty() {
		return SwapResult{}, nil
	}
	if opt.TableWait == 0 {
		opt.TableWait = 2 * time.Minute
	}
	if opt.Attempts == 0 {
		opt.Attempts = 8
	}
	var result SwapResult
	deadline, wait := time.Now().Add(opt.TableWait), 250*time.Millisecond
	err := insist(ctx, opt.Attempts, func() error {
		for {
			var err error
			result, err = swapOnce(ctx, db, spec, base, d, opt)
			if !arriving(err, base, d) || time.Until(deadline) <= 0 {
				return err
			}
			// Live on PlanetScale does not mean seen by every gate and tablet.
			if err := sleep(ctx, min(wait, time.Until(deadline))); err != nil {
				return err
			}
			wait = min(wait*3/2, 5*time.Second)
		}
	})
	var refused *confirmError
	switch {
	case errors.As(err, &refused):
		return SwapResult{}, refused.err
	case err != nil:
		return SwapResult{}, err
	}
	return result, nil
}

// arriving reports whether an error says that something is not there which this
// deployment brings: the table, or a column of it.
func arriving(err error, base *History, d Delta) bool {
	var column *MissingColumnError
	switch {
	case isAny[*MissingTableError](err), isAny[*VindexError](err):
		return d.Creates || base != nil && !base.Exists
	case errors.As(err, &column):
		return d.Creates || base == nil || columnIndex(base.Columns, column.Column) < 0
	case isUnknownColumn(err):
		// The server lists the column and a gate does not know it yet.
		return d.Creates || base != nil && len(sharedColumns(d.Columns, base.Columns)) < len(d.Columns)
	}
	return false
}

// confirmError keeps a refusal by the caller apart from errors of the database.
type confirmError struct{ err error }

func (e *confirmError) Error() string { return e.err.Error() }

// swapOnce is one transaction, from the read to the commit.
func swapOnce(ctx context.Context, db *sql.DB, spec Spec, base *History, d Delta, opt SwapOptions) (SwapResult, error) {
	tx, release, err := begin(ctx, db)
	if err != nil {
		return SwapResult{}, fmt.Errorf("history table %s: %w", d.Table, err)
	}
	defer release()
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	now, err := readLocked(ctx, tx, spec)
	if err != nil {
		return SwapResult{}, err
	}
	c, err := merge(spec, base, d, now, opt.Back)
	if err != nil {
		return SwapResult{}, err
	}
	result := SwapResult{Written: c.size(), AlreadyThere: c.already, Merged: c.merged}
	if result.Written == 0 {
		return result, nil
	}
	if err := write(ctx, tx, spec, now, c); err != nil {
		return SwapResult{}, writeError(now.Table, err)
	}
	if opt.Confirm != nil {
		if err := opt.Confirm(ctx); err != nil {
			return SwapResult{}, &confirmError{err}
		}
	}
	if err := tx.Commit(); err != nil {
		return SwapResult{}, fmt.Errorf("committing history table %s: %w", now.Table, err)
	}
	return result, nil
}

// readLocked reads the history table and locks its rows and the gaps between.
func readLocked(ctx context.Context, tx *sql.Tx, spec Spec) (*History, error) {
	table := spec.HistoryTable()
	columns, err := readColumns(ctx, tx, spec.Database, []string{table})
	if err != nil {
		return nil, err
	}
	now := &History{Table: table, Exists: true, Columns: columns[table]}
	if len(now.Columns) == 0 {
		return nil, &MissingTableError{Table: table}
	}
	if err := checkShape(spec, now.Columns); err != nil {
		return nil, err
	}
	now.Rows, err = readRows(ctx, tx, spec, table, now.Columns, true)
	if isMissingTable(err) {
		return nil, &MissingTableError{Table: table}
	}
	return now, err
}
