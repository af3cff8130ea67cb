package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"
)

// Querier is what Read needs of a connection: *sql.DB, *sql.Conn and *sql.Tx have it.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// errGone says that a table was dropped between being listed and being read.
var errGone = errors.New("a table went away while the schema was read")

// Read reads the tables and views of a database, one statement per call, or of the connection's own database when the
// name is empty. Tables whose name begins with _vt_ are left out: they are Vitess's own and come and go with deploys. A
// *sql.DB is read over several of its connections at once, anything else over one.
func Read(ctx context.Context, q Querier, database string) (*Schema, error) {
	const attempts = 3
	for n := 1; ; n++ {
		s, err := readOnce(ctx, q, database)
		if !errors.Is(err, errGone) || n == attempts {
			return s, err
		}
	}
}

func readOnce(ctx context.Context, q Querier, database string) (*Schema, error) {
	tables, err := list(ctx, q, database)
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections(q))
	for i := range tables {
		group.Go(func() error { return readTable(ctx, q, database, &tables[i]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return sorted(tables), nil
}

// connections is how many statements may run at once on q: only a pool has more than one connection.
func connections(q Querier) int {
	const most = 8
	db, ok := q.(*sql.DB)
	if !ok {
		return 1
	}
	if limit := db.Stats().MaxOpenConnections; limit > 0 {
		return min(limit, most)
	}
	return most
}

func list(ctx context.Context, q Querier, database string) ([]Table, error) {
	query := "SHOW FULL TABLES"
	if database != "" {
		query += " FROM " + quote(database)
	}
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []Table
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, err
		}
		if strings.HasPrefix(strings.ToLower(name), "_vt_") {
			continue
		}
		tables = append(tables, Table{Name: name, View: strings.EqualFold(kind, "VIEW")})
	}
	return tables, rows.Err()
}

// readTable fills in the text. A view is asked for as a table too: every server answers that with CREATE VIEW, and
// there is one statement less to support.
func readTable(ctx context.Context, q Querier, database string, t *Table) error {
	name := quote(t.Name)
	if database != "" {
		name = quote(database) + "." + name
	}
	rows, err := q.QueryContext(ctx, "SHOW CREATE TABLE "+name)
	if err != nil {
		return gone(t.Name, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return gone(t.Name, err)
	}
	if len(columns) < 2 {
		return fmt.Errorf("read table %s: the server answers SHOW CREATE TABLE with %d columns", t.Name, len(columns))
	}
	values := make([]any, len(columns))
	for i := range values {
		values[i] = new(sql.NullString)
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return gone(t.Name, err)
		}
		return fmt.Errorf("read table %s: the server answers SHOW CREATE TABLE with nothing", t.Name)
	}
	if err := rows.Scan(values...); err != nil {
		return gone(t.Name, err)
	}
	t.Create = values[1].(*sql.NullString).String
	if t.View && database != "" {
		t.Create = plainView(t.Create, database)
	}
	return rows.Err()
}

// gone adds the table's name, and tells a table that was dropped from other failures.
func gone(table string, err error) error {
	const noSuchTable = 1146
	var e *mysql.MySQLError
	if errors.As(err, &e) && e.Number == noSuchTable {
		return fmt.Errorf("read table %s: %w: %w", table, errGone, err)
	}
	return fmt.Errorf("read table %s: %w", table, err)
}
