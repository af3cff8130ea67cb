package migration

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of one page: PlanetScale refuses a statement that returns more than
// 100,000 rows or 64 MiB. How long rows are is known after the first page.
const (
	firstPage = 100
	pageRows  = 20_000
	pageBytes = 4 << 20
)

// readRows reads all rows of a table, ordered by its primary key. With lock set
// they are locked for update, and so are the gaps between them.
func readRows(ctx context.Context, db Queryer, spec Spec, table string, columns []Column, lock bool) ([]Row, error) {
	var rows []Row
	err := eachPage(ctx, db, spec, table, columns, lock, func(page []Row) { rows = append(rows, page...) })
	return rows, err
}

// eachPage reads a table page by page, by its primary key.
func eachPage(ctx context.Context, db Queryer, spec Spec, table string, columns []Column, lock bool, each func([]Row)) error {
	var last Row
	var text pageText
	limit, read := firstPage, 0
	for {
		query, args := selectPage(spec, table, columns, last, read, limit, lock)
		if err := readPage(ctx, db, query, args, columns, &text); err != nil {
			if isUnrouted(err) {
				return &VindexError{Table: table}
			}
			return fmt.Errorf("reading history table %s: %w", table, err)
		}
		page := text.rows(len(columns))
		each(page)
		if len(page) < limit {
			return nil
		}
		last, read = page[len(page)-1], read+len(page)
		limit = min(max(pageBytes*limit/max(len(text.text), 1), 1), pageRows)
	}
}

// selectPage writes the statement for the page that follows the last row read.
func selectPage(spec Spec, table string, columns []Column, last Row, read, limit int, lock bool) (string, []any) {
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
		tail = " OFFSET " + strconv.Itoa(read)
	} else if last != nil {
		where, args = after(columns, keys, last)
	}
	order := make([]string, len(keys))
	for i, k := range keys {
		order[i] = quoteName(columns[k].Name)
	}
	query := "SELECT " + strings.Join(list, ", ") + " FROM " + tableName(spec, table) + where +
		" ORDER BY " + strings.Join(order, ", ") + " LIMIT " + strconv.Itoa(limit) + tail
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

// readPage runs one statement and keeps its cells in p.
func readPage(ctx context.Context, db Queryer, query string, args []any, columns []Column, p *pageText) error {
	p.text, p.ends = p.text[:0], p.ends[:0]
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	targets := make([]any, len(columns))
	for i, c := range columns {
		targets[i] = &cell{c.Name, p}
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// pageText holds the cells of a page, one after the other.
type pageText struct {
	text []byte
	ends []int // where in text each cell ends; below zero: it is NULL
}

// rows cuts a copy of the text up: one string and one slice for all cells.
func (p *pageText) rows(columns int) []Row {
	text, from := string(p.text), 0
	values := make(Row, len(p.ends))
	for i, end := range p.ends {
		if end >= 0 {
			values[i], from = Text(text[from:end]), end
		}
	}
	rows := make([]Row, 0, len(values)/columns)
	for ; len(values) > 0; values = values[columns:] {
		rows = append(rows, values[:columns:columns])
	}
	return rows
}

// cell takes one value from the driver without a copy of its own.
type cell struct {
	column string
	page   *pageText
}

// Scan keeps what the driver hands over. Only columns of types that the driver
// does not parse, and those cast to text, are ever selected; a server that
// answers a cast with a whole number is taken at its word.
func (c *cell) Scan(value any) error {
	p := c.page
	switch v := value.(type) {
	case nil:
		p.ends = append(p.ends, -1)
		return nil
	case []byte:
		p.text = append(p.text, v...)
	case string:
		p.text = append(p.text, v...)
	case int64:
		p.text = strconv.AppendInt(p.text, v, 10)
	case uint64:
		p.text = strconv.AppendUint(p.text, v, 10)
	default:
		return &valueError{c.column, value}
	}
	p.ends = append(p.ends, len(p.text))
	return nil
}

// valueError says that a cell did not arrive as the server wrote it.
type valueError struct {
	column string
	cell   any
}

func (e *valueError) Error() string {
	return fmt.Sprintf("column %s arrived as %T, which can't be kept exactly", e.column, e.cell)
}
