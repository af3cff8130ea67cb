package emulator

import (
	"context"
	"fmt"
	"strings"
)

// copies says whether the database copies the rows of a migration history
// table, and which: the setting "automatically copy migration data".
func (db *database) copies() (bool, string) {
	s := db.Settings
	if s.AutomaticMigrations == nil || !*s.AutomaticMigrations {
		return false, ""
	}
	if s.MigrationTable != nil && *s.MigrationTable != "" {
		return true, *s.MigrationTable
	}
	return true, "schema_migrations"
}

// copyHistory brings the rows of the history table that only the branch has to
// the target, once a deployment is complete and can no longer be reverted. How
// the platform merges is not known; this inserts what is missing, and with
// Unknowns.HistoryReplaces puts the branch's rows over the target's.
func (e *Emulator) copyHistory(ctx context.Context, db *database, dr *deployRequest) error {
	e.mu.Lock()
	_, table := db.copies()
	from, into := dr.BranchID, db.branchByID(dr.IntoID) // a deleted branch's data wait for this
	verb := "INSERT IGNORE"
	if e.world.Unknowns.HistoryReplaces {
		verb = "REPLACE"
	}
	e.mu.Unlock()
	n := 0
	if into != nil && table != "" {
		var err error
		if n, err = e.copyRows(ctx, db, from, into.ID, table, verb); err != nil {
			return fmt.Errorf("copy the rows of %s: %w", table, err)
		}
		if err := e.engine.Flush(ctx); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	dr.Deployment.CopyOwed = false
	if n > 0 {
		e.eventLocked(Event{Kind: EventDeployRequest, Database: db.path(), Subject: dr.subject(), State: dr.Deployment.State,
			Text: fmt.Sprintf("%d rows of %s copied to %s", n, table, dr.Into)})
	}
	return e.commitLocked()
}

// copyRows writes a table's rows into the same table of another branch and says
// how many were written. A table that one of them lacks has none.
func (e *Emulator) copyRows(ctx context.Context, db *database, from, into, table, verb string) (int, error) {
	src, err := e.connect(ctx, from, db.Name)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	dst, err := e.connect(ctx, into, db.Name)
	if err != nil {
		return 0, err
	}
	defer dst.Close()
	for _, conn := range []string{from, into} {
		if _, sch, err := e.look(ctx, conn, db.Name); err != nil {
			return 0, err
		} else if _, there := sch.Table(table); !there {
			return 0, nil
		}
	}
	names, err := plainColumns(ctx, src, table)
	if err != nil {
		return 0, err
	}
	list := strings.Join(names, ", ")
	rows, err := src.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM %s", list, quote(table)))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	insert := fmt.Sprintf("%s INTO %s (%s) VALUES (%s)", verb, quote(table), list,
		strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", "))
	total := 0
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return total, err
		}
		res, err := dst.ExecContext(ctx, insert, values...)
		if err != nil {
			return total, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return total, err
		}
		total += int(n)
	}
	return total, rows.Err()
}
