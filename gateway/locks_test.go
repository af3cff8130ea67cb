package gateway_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"
)

func conn(t testing.TB, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ask gives the one value of a query, or the error.
func ask(c *sql.Conn, q string, args ...any) string {
	var s sql.NullString
	if err := c.QueryRowContext(context.Background(), q, args...).Scan(&s); err != nil {
		return err.Error()
	}
	if !s.Valid {
		return "NULL"
	}
	return s.String
}

func TestLocks(t *testing.T) {
	for _, params := range []string{"", "?interpolateParams=true"} {
		b := newBranch(t, nil)
		db := b.open(params)
		one, two := conn(t, db), conn(t, db)
		mine := ask(one, "SELECT CONNECTION_ID()")
		for _, step := range []struct {
			c    *sql.Conn
			q    string
			args []any
			want string
		}{
			{one, "SELECT IS_FREE_LOCK('x')", nil, "1"},
			{one, "SELECT IS_USED_LOCK('x')", nil, "NULL"},
			{one, "SELECT GET_LOCK(?, ?)", []any{"x", 10}, "1"},
			{one, "SELECT GET_LOCK('X', 10)", nil, "1"}, // again, and in another case
			{two, "SELECT GET_LOCK(?, 0)", []any{"x"}, "0"},
			{two, "SELECT IS_FREE_LOCK(?)", []any{"x"}, "0"},
			{two, "SELECT IS_USED_LOCK('x')", nil, mine},
			{one, "SELECT IS_USED_LOCK('x') = CONNECTION_ID() AS ours", nil, "1"},
			{two, "SELECT RELEASE_LOCK('x')", nil, "0"},
			{two, "SELECT RELEASE_LOCK('y')", nil, "NULL"},
			{two, "select coalesce(get_lock(?, -1), 0) as ok", []any{"y"}, "1"}, // several at once
			{two, "SELECT GET_LOCK(CONCAT(DATABASE(), '.', MD5(?)), 1) FROM dual", []any{"z"}, "1"},
			{one, "SELECT IS_FREE_LOCK(CONCAT(DATABASE(), '.8CC', '?'))", nil, "1"},
			{one, "SELECT RELEASE_LOCK('x')", nil, "1"},
			{two, "SELECT GET_LOCK('x', 0.01)", nil, "0"},
			{one, "SELECT RELEASE_LOCK('x')", nil, "1"},
			{one, "SELECT RELEASE_LOCK('x')", nil, "NULL"},
			{two, "SELECT GET_LOCK('x', 0)", nil, "1"},
			{two, "SELECT RELEASE_ALL_LOCKS()", nil, "3"},
			{one, "SELECT IF(GET_LOCK('x', 0) = 1, 'got it', 'no')", nil, "got it"},
			{one, "SELECT GET_LOCK(NULL, 0)", nil, "Error 3057 (42000): Incorrect user-level lock name 'NULL'."},
			{one, "SELECT GET_LOCK('', 0)", nil, "Error 3057 (42000): Incorrect user-level lock name ''."},
			{one, "SELECT GET_LOCK('" + strings.Repeat("é", 64) + "', 0)", nil, "1"},
			{one, "SELECT GET_LOCK('" + strings.Repeat("é", 65) + "', 0) ", nil, "Error 3057 (42000): Incorrect user-level lock name '" + strings.Repeat("é", 65) + "'."},
		} {
			if got := ask(step.c, step.q, step.args...); got != step.want {
				t.Errorf("%s %v: got %s, want %s", step.q, step.args, got, step.want)
			}
		}
		if _, err := two.ExecContext(context.Background(), "DO GET_LOCK('w', 1)"); err != nil {
			t.Error(err)
		}
		if got := ask(one, "SELECT GET_LOCK('w', 0)"); got != "0" {
			t.Errorf("DO took no lock: %s", got)
		}
		if got := ask(conn(t, b.direct), "SELECT IS_FREE_LOCK('w')"); got != "1" {
			t.Errorf("the lock is held on the branch too: %s", got)
		}
		for _, s := range b.statements() {
			if s.Class != "lock" && s.SQL != "SELECT CONNECTION_ID()" {
				t.Errorf("%s is recorded as %s", s.SQL, s.Class)
			}
		}
	}
}

func TestLockWaits(t *testing.T) {
	b := newBranch(t, nil)
	db := b.open("")
	holder, first := conn(t, db), conn(t, db)
	if got := ask(holder, "SELECT GET_LOCK('x', 0)"); got != "1" {
		t.Fatal(got)
	}
	started := time.Now()
	if got := ask(first, "SELECT GET_LOCK('x', 0.2)"); got != "0" || time.Since(started) < 200*time.Millisecond {
		t.Errorf("%s after %v", got, time.Since(started))
	}
	answers := make(chan string)
	go func() { answers <- ask(first, "SELECT GET_LOCK(?, ?)", "x", 30) }()
	time.Sleep(50 * time.Millisecond)
	// A disconnect lets go, as a crash of the tool would.
	holder.Raw(func(any) error { return nil })
	holder.Close()
	db.SetMaxIdleConns(0)
	if got := <-answers; got != "1" || time.Since(started) > 10*time.Second {
		t.Errorf("%s after %v", got, time.Since(started))
	}
}

func TestLockDeadlock(t *testing.T) {
	b := newBranch(t, nil)
	db := b.open("")
	one, two := conn(t, db), conn(t, db)
	ask(one, "SELECT GET_LOCK('a', 0)")
	ask(two, "SELECT GET_LOCK('b', 0)")
	answers := make(chan string)
	go func() { answers <- ask(one, "SELECT GET_LOCK('b', 30)") }()
	wait(t, func() bool { return ask(two, "SELECT IS_FREE_LOCK('b')") == "0" })
	time.Sleep(100 * time.Millisecond)
	if got := ask(two, "SELECT GET_LOCK('a', 30)"); !strings.Contains(got, "3058") {
		t.Errorf("got %s", got)
	}
	ask(two, "SELECT RELEASE_ALL_LOCKS()")
	if got := <-answers; got != "1" {
		t.Errorf("got %s", got)
	}
}

func TestLockColumnNames(t *testing.T) {
	b := newBranch(t, nil)
	db := b.open("")
	for _, q := range []string{"SELECT GET_LOCK('a,b', 10), release_lock ( 'x' ) , 1 AS `one`", "select Get_Lock(concat('a', 'b'),1)"} {
		want := columns(t, b.direct, q)
		if got := columns(t, db, q); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%s: columns %q, want %q", q, got, want)
		}
	}
}

func columns(t *testing.T, db *sql.DB, q string) []string {
	t.Helper()
	rows, err := db.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestLocksBeyondUs are calls that only the server can compute: they pass.
func TestLocksBeyondUs(t *testing.T) {
	b := newBranch(t, nil)
	c := conn(t, b.open(""))
	for _, q := range []string{"SELECT GET_LOCK(CONCAT('x', COUNT(*)), 0) FROM users", "SELECT GET_LOCK(REVERSE('abc'), 0)"} {
		if got := ask(c, q); got != "1" {
			t.Errorf("%s: %s", q, got)
		}
	}
	if got := ask(conn(t, b.direct), "SELECT IS_FREE_LOCK('x0') + IS_FREE_LOCK('cba')"); got != "0" {
		t.Errorf("got %s", got)
	}
}
