package migration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Queryer runs a query; *sql.DB, *sql.Conn and *sql.Tx do.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// pageRows is how many rows one statement returns at most: PlanetScale refuses
// a statement that returns more than 100,000.
const pageRows = 5000

// Read takes the history out of a database: one statement for the columns of
// all tables, then the rows of each, page by page. A table that is not there is
// not an error (Exists is false); one with the columns of something else is a
// *ShapeError that names the tools whose columns they are.
func Read(ctx context.Context, db Queryer, spec Spec) (*History, error) {
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
		if h.Rows, err = readRows(ctx, db, spec, h.Table, h.Columns, false); err != nil {
			return nil, err
		}
	}
	for _, a := range spec.Tool.aux {
		t := AuxTable{Name: a.name(h.Table), Policy: a.policy}
		t.Columns = columns[t.Name]
		t.Exists = len(t.Columns) > 0
		if t.Exists {
			if !fits(a.needs, t.Columns) {
				return nil, &ShapeError{Table: t.Name, Tool: spec.Tool.Name, Columns: t.Columns}
			}
			if t.Rows, err = readRows(ctx, db, spec, t.Name, t.Columns, false); err != nil {
				return nil, err
			}
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

// readRows reads all rows of a table, ordered and paged by its primary key.
// With lock set they are locked for update, and so are the gaps between them.
func readRows(ctx context.Context, db Queryer, spec Spec, table string, columns []Column, lock bool) ([]Row, error) {
	var rows []Row
	for {
		query, args := selectPage(spec, table, columns, rows, lock)
		page, err := readPage(ctx, db, query, args, columns)
		if err != nil {
			return nil, fmt.Errorf("reading history table %s: %w", table, err)
		}
		rows = append(rows, page...)
		if len(page) < pageRows {
			return rows, nil
		}
	}
}

// selectPage writes the statement for the page that follows the rows read.
func selectPage(spec Spec, table string, columns []Column, read []Row, lock bool) (string, []any) {
	list := make([]string, len(columns))
	var keys []int
	for i, c := range columns {
		list[i] = c.expression()
		if c.Primary {
			keys = append(keys, i)
		}
	}
	var where, tail string
	var args []any
	if len(keys) == 0 {
		// Without a key there is nothing to page by but the row's number; such a
		// table can't live on PlanetScale, which demands a unique key.
		for i := range columns {
			keys = append(keys, i)
		}
		if len(read) > 0 {
			tail = " OFFSET " + strconv.Itoa(len(read))
		}
	} else if len(read) > 0 {
		where, args = after(columns, keys, read[len(read)-1])
	}
	order := make([]string, len(keys))
	for i, k := range keys {
		order[i] = quoteName(columns[k].Name)
	}
	query := "SELECT " + strings.Join(list, ", ") + " FROM " + tableName(spec, table) + where +
		" ORDER BY " + strings.Join(order, ", ") + " LIMIT " + strconv.Itoa(pageRows) + tail
	if lock {
		query += " FOR UPDATE"
	}
	return query, args
}

// after is the condition for keys greater than that of a row, spelled out
// because row comparisons are not indexed everywhere.
func after(columns []Column, keys []int, row Row) (string, []any) {
	var terms []string
	var args []any
	for i := range keys {
		var term []string
		for j := range i {
			term = append(term, quoteName(columns[keys[j]].Name)+" = ?")
			args = append(args, columns[keys[j]].argument(row[keys[j]]))
		}
		term = append(term, quoteName(columns[keys[i]].Name)+" > ?")
		args = append(args, columns[keys[i]].argument(row[keys[i]]))
		terms = append(terms, "("+strings.Join(term, " AND ")+")")
	}
	return " WHERE " + strings.Join(terms, " OR "), args
}

// readPage runs one statement and copies its cells.
func readPage(ctx context.Context, db Queryer, query string, args []any, columns []Column) ([]Row, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []Row
	cells := make([]any, len(columns))
	targets := make([]any, len(columns))
	for i := range cells {
		targets[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make(Row, len(columns))
		for i, cell := range cells {
			v, ok := cellValue(cell)
			if !ok {
				return nil, &valueError{columns[i].Name, cell}
			}
			row[i] = v
		}
		page = append(page, row)
	}
	return page, rows.Err()
}

// cellValue keeps what the driver hands over. Only columns of types that the
// driver does not parse, and those cast to text, are ever selected; a server
// that answers a cast with a whole number is taken at its word.
func cellValue(cell any) (Value, bool) {
	switch c := cell.(type) {
	case nil:
		return Null(), true
	case []byte:
		return Text(string(c)), true
	case string:
		return Text(c), true
	case int64:
		return Text(strconv.FormatInt(c, 10)), true
	case uint64:
		return Text(strconv.FormatUint(c, 10)), true
	}
	return Value{}, false
}

// valueError says that a cell did not arrive as the server wrote it.
type valueError struct {
	column string
	cell   any
}

func (e *valueError) Error() string {
	return fmt.Sprintf("column %s arrived as %T, which can't be kept exactly", e.column, e.cell)
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
