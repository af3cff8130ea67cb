package migration

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Rewrite makes a history what Repaired said, its lock tables too, as a strict
// compare-and-swap: the rows of all tables concerned are locked and must be
// those that were seen, otherwise it is a *DriftError and nothing is written. It
// can be called again after any error.
func Rewrite(ctx context.Context, db *sql.DB, spec Spec, seen, want *History) error {
	tables := tablesOf(seen)
	wanted := tablesOf(want)
	return insist(ctx, 8, func() error {
		tx, release, err := begin(ctx, db)
		if err != nil {
			return err
		}
		defer release()
		defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
		for i, t := range tables {
			if slices.EqualFunc(t.Rows, wanted[i].Rows, Row.Equal) {
				continue
			}
			if err := rewriteTable(ctx, tx, spec, t, wanted[i].Rows); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("committing history table %s: %w", seen.Table, err)
		}
		return nil
	})
}

// tablesOf are the history and the tables beside it.
func tablesOf(h *History) []AuxTable {
	return append([]AuxTable{{Name: h.Table, Exists: h.Exists, Columns: h.Columns, Rows: h.Rows}}, h.Aux...)
}

// rewriteTable gives one table other rows, if it has those that were seen.
func rewriteTable(ctx context.Context, tx *sql.Tx, spec Spec, seen AuxTable, want []Row) error {
	now, err := readRows(ctx, tx, spec, seen.Name, seen.Columns, true)
	if err != nil {
		return err
	}
	all := make([]int, len(seen.Columns))
	for i := range all {
		all[i] = i
	}
	if came, went := apart(all, seen.Rows, now); len(came)+len(went) > 0 {
		if came, went := apart(at(seen.Columns, given(seen.Columns, want)), want, now); len(came)+len(went) == 0 {
			return nil // an earlier attempt got through
		}
		return &DriftError{Table: seen.Name, Columns: columnNames(seen.Columns), Added: came, Removed: went}
	}
	insert, remove := apart(all, now, want)
	if err := deleteRows(ctx, tx, spec, seen.Name, seen.Columns, remove); err != nil {
		return writeError(seen.Name, err)
	}
	for _, row := range insert { // each with the columns that it has values for
		names := given(seen.Columns, []Row{row})
		columns := slices.DeleteFunc(slices.Clone(seen.Columns), func(c Column) bool { return !slices.Contains(names, c.Name) })
		if err := insertRows(ctx, tx, spec, seen.Name, seen.Columns, columns, []Row{row}); err != nil {
			return writeError(seen.Name, err)
		}
	}
	return nil
}

// apart are the rows that came and those that went between two readings.
func apart(at []int, before, after []Row) (came, went []Row) {
	index := newRowIndex(at, before)
	for _, r := range after {
		if index.take(r) < 0 {
			came = append(came, r)
		}
	}
	for _, i := range index.rest() {
		went = append(went, before[i])
	}
	return came, went
}

// given names the columns that no row leaves to the server.
func given(columns []Column, rows []Row) []string {
	var names []string
	for i, c := range columns {
		if !slices.ContainsFunc(rows, func(r Row) bool { return r[i].IsNull() }) {
			names = append(names, c.Name)
		}
	}
	return names
}

// Changes lists what is different between two states of a history and the tables
// beside it, one line each: "- table: row" went, "+ table: row" came.
func Changes(before, after *History) []string {
	var lines []string
	then := tablesOf(after)
	for i, t := range tablesOf(before) {
		all := make([]int, len(t.Columns))
		for n := range all {
			all[n] = n
		}
		came, went := apart(all, t.Rows, then[i].Rows)
		for _, r := range went {
			lines = append(lines, "- "+t.Name+": "+showRow(columnNames(t.Columns), r))
		}
		for _, r := range came {
			lines = append(lines, "+ "+t.Name+": "+showRow(columnNames(t.Columns), r))
		}
	}
	return lines
}
