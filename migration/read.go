package migration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Queryer runs a query; *sql.DB, *sql.Conn and *sql.Tx do.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Read takes the history out of a database: one statement for the columns of
// all tables, then the rows of each, page by page. A table that is not there is
// not an error (Exists is false); one with the columns of something else is a
// *ShapeError that names the tools whose columns they are.
func Read(ctx context.Context, db Queryer, spec Spec) (*History, error) {
	h, err := describe(ctx, db, spec)
	if err != nil {
		return nil, err
	}
	if h.Exists {
		if h.Rows, err = readRows(ctx, db, spec, h.Table, h.Columns, false); err != nil {
			return nil, err
		}
	}
	for i, t := range h.Aux {
		if t.Exists {
			if h.Aux[i].Rows, err = readRows(ctx, db, spec, t.Name, t.Columns, false); err != nil {
				return nil, err
			}
		}
	}
	return h, nil
}

// describe is Read without the rows.
func describe(ctx context.Context, db Queryer, spec Spec) (*History, error) {
	if err := spec.validate(); err != nil {
		return nil, err
	}
	names := spec.Tables()
	columns, err := readColumns(ctx, db, spec.Database, names)
	if err != nil {
		return nil, err
	}
	h := &History{Table: names[0], Columns: columns[names[0]]}
	h.Exists = len(h.Columns) > 0
	if h.Exists {
		if err := checkShape(spec, h.Columns); err != nil {
			return nil, err
		}
	}
	for _, a := range spec.Tool.aux {
		t := AuxTable{Name: a.name(h.Table), Policy: a.policy}
		t.Columns = columns[t.Name]
		t.Exists = len(t.Columns) > 0
		if t.Exists && !fits(a.needs, t.Columns) {
			return nil, &ShapeError{Table: t.Name, Tool: spec.Tool.Name, Columns: t.Columns}
		}
		h.Aux = append(h.Aux, t)
	}
	return h, nil
}

// checkShape refuses a table whose columns are not the tool's.
func checkShape(spec Spec, columns []Column) error {
	if spec.Custom != nil {
		for _, k := range spec.Custom.Key {
			if columnIndex(columns, k) < 0 {
				return &ShapeError{Table: spec.HistoryTable(), Tool: spec.Tool.Name, Columns: columns, Fits: fitting(columns)}
			}
		}
		return nil
	}
	if !fits(spec.Tool.needs, columns) {
		return &ShapeError{Table: spec.HistoryTable(), Tool: spec.Tool.Name, Columns: columns, Fits: fitting(columns)}
	}
	return nil
}

// fitting names the tools whose columns these are.
func fitting(columns []Column) []string {
	var names []string
	for _, t := range tools {
		if len(t.needs) > 0 && fits(t.needs, columns) {
			names = append(names, t.Name)
		}
	}
	return names
}

// readColumns reads the columns of several tables in one statement. Generated
// columns are left out: the server fills them.
func readColumns(ctx context.Context, db Queryer, database string, tables []string) (map[string][]Column, error) {
	schema := "database()"
	args := make([]any, 0, len(tables)+1)
	if database != "" {
		schema = "?"
		args = append(args, database)
	}
	marks := make([]string, len(tables))
	for i, t := range tables {
		marks[i] = "?"
		args = append(args, t)
	}
	query := "SELECT table_name, column_name, column_type, is_nullable, column_key, extra FROM information_schema.columns" +
		" WHERE table_schema = " + schema + " AND table_name IN (" + strings.Join(marks, ", ") + ")" +
		" ORDER BY table_name, ordinal_position"
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", tables[0], err)
	}
	defer rows.Close()
	columns := map[string][]Column{}
	for rows.Next() {
		var table, name, typ, null, key, extra string
		if err := rows.Scan(&table, &name, &typ, &null, &key, &extra); err != nil {
			return nil, fmt.Errorf("reading the columns of %s: %w", tables[0], err)
		}
		extra = strings.ToLower(extra)
		if strings.Contains(extra, "virtual") || strings.Contains(extra, "stored") || strings.Contains(extra, "persistent") {
			continue
		}
		columns[table] = append(columns[table], Column{
			Name:          name,
			Type:          normalType(typ),
			Null:          strings.EqualFold(null, "YES"),
			AutoIncrement: strings.Contains(extra, "auto_increment"),
			Primary:       strings.EqualFold(key, "PRI"),
		})
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading the columns of %s: %w", tables[0], err)
	}
	return columns, nil
}

// tableName is the quoted name of a table, with its database where one is given.
func tableName(spec Spec, table string) string {
	if spec.Database == "" {
		return quoteName(table)
	}
	return quoteName(spec.Database) + "." + quoteName(table)
}

// isMissingTable recognises error 1146.
func isMissingTable(err error) bool { return isNumber(err, 1146) }

// isUnknownColumn recognises error 1054.
func isUnknownColumn(err error) bool { return isNumber(err, 1054) }

func isNumber(err error, number uint16) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && e.Number == number
}

// primary are the columns of the primary key.
func primary(columns []Column) []string {
	return columnNames(slices.DeleteFunc(slices.Clone(columns), func(c Column) bool { return !c.Primary }))
}
