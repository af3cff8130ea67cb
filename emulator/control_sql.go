package emulator

import (
	"context"
	"database/sql"
)

// Result is what a statement answered: rows, as text, or how many rows it
// changed.
type Result struct {
	Columns  []string    `json:"columns,omitempty"`
	Rows     [][]*string `json:"rows,omitempty"`
	Affected int64       `json:"affected"`
}

// SQL runs one statement on a branch with all rights, past safe migrations: to
// set a stage and to look behind it.
func (e *Emulator) SQL(ctx context.Context, organization, database, branch, statement string) (*Result, error) {
	e.mu.Lock()
	db := e.findLocked(organization, database)
	var id string
	if db != nil {
		if b := db.branch(branch); b != nil && b.Made {
			id = b.ID
		}
	}
	e.mu.Unlock()
	if id == "" {
		return nil, errNotFound
	}
	conn, err := e.connect(ctx, id, database)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, statement)
	if err != nil {
		return nil, unprocessable(err.Error())
	}
	defer rows.Close()
	var r Result
	if r.Columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	if len(r.Columns) == 0 {
		rows.Close()
		// Of a statement without rows the driver gives the count only to Exec;
		// MySQL remembers it for the connection, of which there is one.
		if err := conn.QueryRowContext(ctx, "SELECT ROW_COUNT()").Scan(&r.Affected); err != nil {
			r.Affected = 0
		}
		r.Columns = nil
		return &r, e.engine.Flush(ctx)
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(r.Columns)), make([]any, len(r.Columns))
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
	return &r, rows.Err()
}

func (c *call) controlSQL() (answer, error) {
	n := struct {
		Organization string `json:"organization"`
		Database     string `json:"database"`
		Branch       string `json:"branch"`
		SQL          string `json:"sql"`
	}{Organization: c.e.options.Organization, Branch: "main"}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	r, err := c.e.SQL(c.r.Context(), n.Organization, n.Database, n.Branch, n.SQL)
	if err != nil {
		return answer{}, err
	}
	return ok(r)
}
