package emulator

import (
	"context"
	"database/sql"

	"github.com/go-sql-driver/mysql"
)

// Result is what a statement answered: rows, as text, or how many rows it
// changed.
type Result struct {
	Columns  []string    `json:"columns,omitempty"`
	Rows     [][]*string `json:"rows,omitempty"`
	Affected int64       `json:"affected"`
}

// SQL runs statements on a branch with all rights, past safe migrations: to set
// a stage and to look behind it. The result is the last statement's.
func (e *Emulator) SQL(ctx context.Context, organization, database, branch, statements string) (*Result, error) {
	e.mu.Lock()
	db := e.findLocked(organization, database)
	var id string
	if db != nil {
		if b := db.branch(branch); b != nil && b.Made && db.Kind == "mysql" {
			id = b.ID
		}
	}
	e.mu.Unlock()
	if id == "" {
		return nil, errNotFound
	}
	conn, err := e.connect(ctx, id, database, func(c *mysql.Config) { c.MultiStatements = true })
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, statements)
	if err != nil {
		return nil, unprocessable(err.Error())
	}
	defer rows.Close()
	r, err := read(rows)
	for err == nil && rows.NextResultSet() {
		r, err = read(rows)
	}
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		return nil, unprocessable(err.Error())
	}
	rows.Close()
	if r.Columns == nil {
		// The driver gives the count of a statement without rows only to Exec;
		// MySQL remembers it for the connection, of which there is one.
		if conn.QueryRowContext(ctx, "SELECT ROW_COUNT()").Scan(&r.Affected) != nil {
			r.Affected = 0
		}
	}
	return r, e.engine.Flush(ctx)
}

// read takes one result.
func read(rows *sql.Rows) (*Result, error) {
	columns, err := rows.Columns()
	if err != nil || len(columns) == 0 {
		return &Result{}, err
	}
	r := &Result{Columns: columns}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		row := make([]*string, len(values))
		for i, v := range values {
			if v.Valid {
				row[i] = &v.String
			}
		}
		r.Rows = append(r.Rows, row)
	}
	return r, rows.Err()
}

func (c *call) controlSQL() (answer, error) {
	n := struct {
		Organization string `json:"organization"`
		Database     string `json:"database"`
		Branch       string `json:"branch"`
		SQL          string `json:"sql"`
	}{Organization: c.e.options.Organization, Branch: "main"}
	if err := c.readText(&n); err != nil {
		return answer{}, err
	}
	r, err := c.e.SQL(c.r.Context(), n.Organization, n.Database, n.Branch, n.SQL)
	if err != nil {
		return answer{}, err
	}
	return ok(r)
}
