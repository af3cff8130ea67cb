package emulator

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// tryOnCopy tries a change of a table on a copy of it, with the table's rows. If
// the change takes a deployment back, past is the operation that it takes back:
// what that has kept is tried too.
func (e *Emulator) tryOnCopy(ctx context.Context, db *database, branchID string, op, past *operation) error {
	conn, err := e.connect(ctx, branchID, db.Name)
	if err != nil {
		return err
	}
	defer conn.Close()
	impatient(ctx, conn)
	if err := copyInto(ctx, conn, op, past); !waitedForLock(err) {
		return err
	}
	return nil // whoever holds the table meets the real statement
}

// copyInto alters a copy of a table and fills it. Only what the rows say counts:
// what the copy itself cannot have, such as the table's foreign keys, is left to
// the real statement.
func copyInto(ctx context.Context, conn *sql.DB, op, past *operation) error {
	shadow, change := "_vt_vrp_"+op.ID, op.Change
	clauses, is := strings.CutPrefix(change.Statement(), "ALTER TABLE "+quote(change.Table)+" ")
	if !is {
		return nil
	}
	// One that was left when a process was killed goes first.
	if _, err := conn.ExecContext(ctx, "DROP TABLE IF EXISTS "+quote(shadow)); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "CREATE TABLE "+quote(shadow)+" LIKE "+quote(change.Table)); err != nil {
		return nil
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "DROP TABLE IF EXISTS "+quote(shadow))
	if _, err := conn.ExecContext(ctx, "ALTER TABLE "+quote(shadow)+" "+clauses); err != nil {
		return nil
	}
	was, err := columns(ctx, conn, change.Table)
	if err != nil {
		return err
	}
	will, err := columns(ctx, conn, shadow)
	if err != nil {
		return err
	}
	var shared []string
	for _, c := range will {
		if !c.generated && slices.ContainsFunc(was, func(o column) bool { return strings.EqualFold(o.name, c.name) }) {
			shared = append(shared, quote(c.name))
		}
	}
	if len(shared) == 0 {
		return nil
	}
	for _, f := range fillings(ctx, conn, change.Table, shadow, shared, past) {
		var some bool // a server may refuse no rows too, for a column that they lack
		if err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+f.from+")").Scan(&some); err != nil {
			return err
		}
		if !some {
			continue
		}
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", quote(shadow), f.into, f.values, f.from)); err != nil {
			return err
		}
	}
	return nil
}

// filling is some rows for some columns of a table's copy.
type filling struct{ into, values, from string }

// fillings are what fills a table's copy: its rows, or those that have kept
// columns and then those that have come since.
func fillings(ctx context.Context, conn *sql.DB, table, shadow string, shared []string, past *operation) []filling {
	list := strings.Join(shared, ", ")
	all := []filling{{list, list, quote(table)}}
	if past == nil {
		return all
	}
	key, err := primaryKey(ctx, conn, shadow)
	if err != nil || len(key) == 0 || slices.ContainsFunc(key, func(c string) bool { return !slices.Contains(shared, quote(c)) }) {
		return all
	}
	var on, own []string
	for _, c := range key {
		on = append(on, fmt.Sprintf("t.%s = k.%s", quote(c), quote(c)))
	}
	for _, c := range shared {
		own = append(own, "t."+c)
	}
	both, values := slices.Clone(shared), slices.Clone(own)
	for _, c := range past.Change.Dropped {
		if !slices.Contains(shared, quote(c)) {
			both, values = append(both, quote(c)), append(values, "k."+quote(c))
		}
	}
	join := fmt.Sprintf("JOIN %s k ON %s", quote(kept(past)), strings.Join(on, " AND "))
	return []filling{
		{strings.Join(both, ", "), strings.Join(values, ", "), quote(table) + " t " + join},
		{list, strings.Join(own, ", "), quote(table) + " t LEFT " + join + " WHERE k." + quote(key[0]) + " IS NULL"},
	}
}

type column struct {
	name      string
	generated bool
}

func columns(ctx context.Context, conn querier, table string) ([]column, error) {
	create, err := showCreate(ctx, conn, table)
	if err != nil {
		return nil, err
	}
	is := generatedColumns(create)
	rows, err := conn.QueryContext(ctx, "SHOW COLUMNS FROM "+quote(table))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var cols []column
	for rows.Next() {
		var name, typ, null, key, extra string
		var def sql.NullString
		if err := rows.Scan(&name, &typ, &null, &key, &def, &extra); err != nil {
			return nil, err
		}
		cols = append(cols, column{name, is[strings.ToLower(name)]})
	}
	return cols, rows.Err()
}

func primaryKey(ctx context.Context, conn *sql.DB, table string) ([]string, error) {
	rows, err := conn.QueryContext(ctx, "SHOW COLUMNS FROM "+quote(table))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var cols []string
	for rows.Next() {
		var name, typ, null, key, extra string
		var def sql.NullString
		if err := rows.Scan(&name, &typ, &null, &key, &def, &extra); err != nil {
			return nil, err
		}
		if key == "PRI" {
			cols = append(cols, name)
		}
	}
	return cols, rows.Err()
}
