package migration

import (
	"context"
	"database/sql"
	"slices"
)

// Seed makes the history on a branch equal to one read from production: the
// same rows with the same ids, tables that the tool only reads likewise, and
// lock tables as the tool leaves them when it is not running. What is equal is
// left alone, so a second call writes nothing, and neither does the first where
// the platform has copied the rows itself.
//
// It is for branches only: rows that production does not have are deleted. A
// table that production has and the branch does not is a *MissingTableError.
func Seed(ctx context.Context, db *sql.DB, spec Spec, h *History) error {
	there, err := describe(ctx, db, spec)
	if err != nil {
		return err
	}
	from := []AuxTable{{Name: h.Table, Exists: h.Exists, Columns: h.Columns, Rows: h.Rows, Policy: SeedPolicy}}
	from = append(from, h.Aux...)
	to := []AuxTable{{Name: there.Table, Exists: there.Exists, Columns: there.Columns}}
	to = append(to, there.Aux...)
	for _, source := range from {
		i := slices.IndexFunc(to, func(t AuxTable) bool { return t.Name == source.Name })
		if i < 0 {
			return &MissingTableError{Table: source.Name}
		}
		if err := seedTable(ctx, db, spec, source, to[i]); err != nil {
			return err
		}
	}
	return nil
}

// seedTable makes one table equal. The target's rows go by page by page; what
// stays in memory is where they differ.
func seedTable(ctx context.Context, db *sql.DB, spec Spec, source, target AuxTable) error {
	if !target.Exists {
		if source.Exists {
			return &MissingTableError{Table: source.Name}
		}
		return nil
	}
	want, given, err := seedRows(spec, source, target)
	if err != nil {
		return err
	}
	remove, insert, err := difference(ctx, db, spec, target, given, want)
	if err != nil || len(remove)+len(insert) == 0 {
		return err
	}
	if err := deleteRows(ctx, db, spec, target.Name, target.Columns, remove); err != nil {
		return writeError(target.Name, err)
	}
	if err := insertRows(ctx, db, spec, target.Name, target.Columns, given, insert); err != nil {
		return writeError(target.Name, err)
	}
	// The server may have stored something else than it was given.
	remove, insert, err = difference(ctx, db, spec, target, given, want)
	if err == nil && len(remove)+len(insert) > 0 {
		err = &DriftError{Table: target.Name, Columns: columnNames(target.Columns), Added: remove, Removed: insert}
	}
	return err
}

// seedRows are the rows that a table shall have, in its columns, and the columns
// that they have values for.
func seedRows(spec Spec, source, target AuxTable) ([]Row, []Column, error) {
	if source.Policy == ResetPolicy {
		for _, a := range spec.Tool.aux {
			if a.name(spec.HistoryTable()) == source.Name && a.rest != nil {
				return a.rest(target.Columns, project(source.Rows, source.Columns, target.Columns)), target.Columns, nil
			}
		}
	}
	if !source.Exists {
		return nil, target.Columns, nil
	}
	for _, c := range source.Columns {
		if columnIndex(target.Columns, c.Name) < 0 {
			return nil, nil, &ShapeError{Table: target.Name, Tool: spec.Tool.Name, Columns: target.Columns}
		}
	}
	return project(source.Rows, source.Columns, target.Columns), sharedColumns(target.Columns, source.Columns), nil
}

// difference is what to delete from a table and what to insert to make it hold
// exactly the wanted rows, looking at the given columns.
func difference(ctx context.Context, db Queryer, spec Spec, table AuxTable, given []Column, want []Row) (remove, insert []Row, err error) {
	index := newRowIndex(at(table.Columns, columnNames(given)), want)
	err = eachPage(ctx, db, spec, table.Name, table.Columns, false, func(page []Row) {
		for _, row := range page {
			if index.take(row) < 0 {
				remove = append(remove, row)
			}
		}
	})
	for _, i := range index.rest() {
		insert = append(insert, want[i])
	}
	return remove, insert, err
}
