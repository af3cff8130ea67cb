package migration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Bounds of one statement: PlanetScale and MySQL both cap the packet, and a
// prepared statement takes at most 65,535 values.
const (
	statementRows   = 10_000
	statementBytes  = 1 << 20
	statementValues = 60_000
	statementKeys   = 1000
)

// execer runs a statement; *sql.DB and *sql.Tx do.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// writeError names what a refused write means, where that is known.
func writeError(table string, err error) error {
	switch {
	case isMissingTable(err):
		return &MissingTableError{Table: table}
	case isUnrouted(err):
		return &VindexError{Table: table}
	}
	return fmt.Errorf("writing history table %s: %w", table, err)
}

// isUnrouted recognises what Vitess says of a table of a sharded keyspace whose
// rows it has no shard for: that it has no vindex, or, where the VSchema has
// never heard of it, that it is not found, although the server has it.
func isUnrouted(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1173 || strings.HasPrefix(e.Message, "VT09001") ||
		e.Number == 1105 && strings.HasPrefix(e.Message, "table ") && strings.HasSuffix(e.Message, " not found"))
}

// write carries a change out, statement by statement.
func write(ctx context.Context, db execer, spec Spec, now *History, c change) error {
	if err := deleteRows(ctx, db, spec, now.Table, now.Columns, c.remove); err != nil {
		return err
	}
	for _, e := range c.update {
		if err := updateRow(ctx, db, spec, now, c.given, e); err != nil {
			return err
		}
	}
	return insertRows(ctx, db, spec, now.Table, now.Columns, c.given, c.insert)
}

// insertRows inserts rows, many with a statement. A row with NULL in an
// AUTO_INCREMENT column is numbered by the server; such rows come after those
// that have a number.
func insertRows(ctx context.Context, db execer, spec Spec, table string, columns, given []Column, rows []Row) error {
	id := ""
	for _, c := range given {
		if c.AutoIncrement {
			id = c.Name
		}
	}
	at := columnIndex(columns, id)
	var numbered, open []Row
	for _, r := range rows {
		if at >= 0 && r[at].IsNull() {
			open = append(open, r)
		} else {
			numbered = append(numbered, r)
		}
	}
	var rest []Column
	for _, c := range given {
		if c.Name != id {
			rest = append(rest, c)
		}
	}
	if err := insertColumns(ctx, db, spec, table, columns, given, numbered); err != nil {
		return err
	}
	return insertColumns(ctx, db, spec, table, columns, rest, open)
}

func insertColumns(ctx context.Context, db execer, spec Spec, table string, columns, given []Column, rows []Row) error {
	if len(rows) == 0 || len(given) == 0 {
		return nil
	}
	names := make([]string, len(given))
	source := make([]int, len(given))
	for i, c := range given {
		names[i] = quoteName(c.Name)
		source[i] = columnIndex(columns, c.Name)
	}
	head := "INSERT INTO " + tableName(spec, table) + " (" + strings.Join(names, ", ") + ") VALUES "
	marks := "(" + strings.Repeat("?, ", len(given)-1) + "?)"
	var args []any
	for len(rows) > 0 {
		args = args[:0]
		n := atOnce(rows, source)
		for _, row := range rows[:n] {
			for i, s := range source {
				args = append(args, given[i].argument(row[s]))
			}
		}
		query := head + strings.Repeat(marks+", ", n-1) + marks
		if _, err := db.ExecContext(ctx, query, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// atOnce is how many of the rows go into one statement: at least one.
func atOnce(rows []Row, columns []int) int {
	most, size := min(len(rows), statementRows, max(statementValues/len(columns), 1)), 0
	for n, row := range rows[:most] {
		for _, c := range columns {
			size += len(row[c].bytes) + 8
		}
		if size > statementBytes && n > 0 {
			return n
		}
	}
	return most
}

// updateRow gives one row, found by its key, new values.
func updateRow(ctx context.Context, db execer, spec Spec, now *History, given []Column, e Edit) error {
	var set []string
	var args []any
	for _, c := range given {
		i := columnIndex(now.Columns, c.Name)
		set = append(set, quoteName(c.Name)+" = ?")
		args = append(args, c.argument(e.After[i]))
	}
	where, more := rowCondition(now.Columns, e.Before)
	_, err := db.ExecContext(ctx, "UPDATE "+tableName(spec, now.Table)+" SET "+strings.Join(set, ", ")+
		" WHERE "+where+" LIMIT 1", append(args, more...)...)
	return err
}

// deleteRows deletes rows, each found by its key.
func deleteRows(ctx context.Context, db execer, spec Spec, table string, columns []Column, rows []Row) error {
	keys := 1
	if p := len(primary(columns)); p == 1 {
		keys = statementKeys
	}
	for len(rows) > 0 {
		n := min(keys, len(rows))
		var query string
		var args []any
		if keys > 1 {
			i := columnIndex(columns, primary(columns)[0])
			for _, r := range rows[:n] {
				args = append(args, columns[i].argument(r[i]))
			}
			query = quoteName(columns[i].Name) + " IN (" + strings.Repeat("?, ", n-1) + "?)"
		} else {
			query, args = rowCondition(columns, rows[0])
			query += " LIMIT 1"
		}
		if _, err := db.ExecContext(ctx, "DELETE FROM "+tableName(spec, table)+" WHERE "+query, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// rowCondition finds a row by its primary key, or by all its values.
func rowCondition(columns []Column, row Row) (string, []any) {
	names := primary(columns)
	if len(names) == 0 {
		names = columnNames(columns)
	}
	var terms []string
	var args []any
	for _, name := range names {
		i := columnIndex(columns, name)
		terms = append(terms, quoteName(name)+" <=> ?")
		args = append(args, columns[i].argument(row[i]))
	}
	return strings.Join(terms, " AND "), args
}
