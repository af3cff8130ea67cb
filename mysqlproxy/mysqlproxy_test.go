package mysqlproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/pmig/pmig/mysqlproxy"
)

// TestSameAsDirect runs statements of all shapes on the server and through the
// proxy, in every way a client can connect, and wants the same answers.
func TestSameAsDirect(t *testing.T) {
	direct, name := database(t)
	config, pool := authority(t)
	if err := mysql.RegisterTLSConfig("verified", &tls.Config{RootCAs: pool}); err != nil {
		t.Fatal(err)
	}
	exec(t, direct, "CREATE TABLE people (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50), born DATETIME(6), weight DOUBLE, photo LONGBLOB, note TEXT)")
	for _, plugin := range []string{"mysql_native_password", "caching_sha2_password"} {
		for _, params := range []string{"", "?interpolateParams=true", "?tls=verified", "?tls=verified&interpolateParams=true&parseTime=true", "?clientFoundRows=true&multiStatements=true"} {
			t.Run(plugin+params, func(t *testing.T) {
				f := newFront(t, name)
				f.TLS, f.AuthPlugin = config, plugin
				through := open(t, f.listen().dsn(name, params))
				plain := open(t, withParams(server.DSN(name), strings.ReplaceAll(params, "tls=verified", "tls=false")))
				if diff := cmp.Diff(conversation(plain), conversation(through)); diff != "" {
					t.Errorf("direct (-) and through the proxy (+):\n%s", diff)
				}
			})
		}
	}
}

func withParams(dsn, params string) string {
	if strings.Contains(dsn, "?") {
		params = strings.Replace(params, "?", "&", 1)
	}
	return dsn + params
}

// conversation says what a set of statements gave, errors included.
func conversation(db *sql.DB) (said []string) {
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	conn, err := db.Conn(context.Background())
	if err != nil {
		return []string{err.Error()}
	}
	defer conn.Close()
	ctx := context.Background()
	do := func(q string, args ...any) {
		r, err := conn.ExecContext(ctx, q, args...)
		if err != nil {
			say("%s: %v", q, err)
			return
		}
		id, _ := r.LastInsertId()
		n, _ := r.RowsAffected()
		say("%s: id %d, %d rows", q, id, n)
	}
	ask := func(q string, args ...any) {
		rows, err := conn.QueryContext(ctx, q, args...)
		if err != nil {
			say("%s: %v", q, err)
			return
		}
		defer rows.Close()
		for {
			types, _ := rows.ColumnTypes()
			for _, ct := range types {
				say("column %s %s", ct.Name(), ct.DatabaseTypeName())
			}
			for rows.Next() {
				values := make([]any, len(types))
				for i := range values {
					values[i] = new(sql.NullString)
				}
				if err := rows.Scan(values...); err != nil {
					say("scan: %v", err)
				}
				for _, v := range values {
					s := v.(*sql.NullString)
					say("%t %.200q (%d)", s.Valid, s.String, len(s.String))
				}
			}
			if !rows.NextResultSet() {
				break
			}
		}
		if err := rows.Err(); err != nil {
			say("rows: %v", err)
		}
	}
	do("TRUNCATE people")
	do("INSERT INTO people (name, weight) VALUES (?, ?), (?, NULL)", "Ada", 54.5, "日本 ' \\ ?")
	do("INSERT INTO people (id, name, born, photo) VALUES (?, ?, ?, ?)", uint64(77), nil, time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC), bytes.Repeat([]byte{0, 255, 10}, 30000))
	do("UPDATE people SET weight = 54.5 WHERE id = ?", 1)
	ask("SELECT * FROM people ORDER BY id")
	ask("SELECT id, name FROM people WHERE id > ? ORDER BY id", 1)
	ask("SELECT ? + 1, ?, ?, NULL", -5, "x", []byte("bytes"))
	ask("SELECT 1 WHERE 1 = 0")
	ask("SELECT '' AS empty, NULL AS nothing")
	ask("SELECT 1 AS a; SELECT 2 AS b; SELECT id FROM people")
	do("UPDATE people SET note = 'a'; UPDATE people SET note = 'b' WHERE id = 1")
	do("SELECT 1; SELEKT")
	do("SELEKT 1")
	do("SELECT nope FROM people")
	do("INSERT INTO people (id) VALUES (1)")
	do("DELETE FROM people WHERE id = 12345")
	do("USE nowhere")
	ask("SHOW COLUMNS FROM people")
	ask("SHOW WARNINGS")
	ask("SELECT DATABASE()")
	ask("EXPLAIN SELECT * FROM people")
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		say("begin: %v", err)
		return said
	}
	if _, err := tx.Exec("DELETE FROM people"); err != nil {
		say("%v", err)
	}
	say("rollback: %v", tx.Rollback())
	ask("SELECT COUNT(*) FROM people")
	do("CREATE TABLE wide (a INT PRIMARY KEY) COMMENT 'é'")
	do("DROP TABLE wide")
	if err := conn.PingContext(ctx); err != nil {
		say("ping: %v", err)
	}
	return said
}

func TestStatementsAreSeen(t *testing.T) {
	direct, name := database(t)
	exec(t, direct, "CREATE TABLE people (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50))")
	f := newFront(t, name)
	db := open(t, f.listen().dsn(name, "?multiStatements=true"))
	db.SetMaxOpenConns(1)
	exec(t, db, "INSERT INTO people (name) VALUES ('a'), ('b')", "UPDATE people SET name = 'c'; DELETE FROM people WHERE id = 1; SELECT * FROM people")
	if _, err := db.Exec("DELETE FROM people WHERE id = ?", 2); err != nil {
		t.Fatal(err)
	}
	db.Exec("DROP TABLE nothing")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "SET @a = 1")
	tx.Rollback()
	type seen struct {
		Command       string
		SQL           string
		Affected, ID  uint64
		Rows          uint64
		Results       int
		Err           uint16
		InTransaction bool
	}
	var got []seen
	for _, s := range f.statements() {
		if s.Database != name || s.Conn == 0 || s.BackendConn == 0 || s.Took <= 0 || s.Started.IsZero() {
			t.Errorf("%+v lacks something", s)
		}
		x := seen{Command: s.Command.String(), SQL: s.SQL, Affected: s.Affected, ID: s.LastInsertID, Rows: s.Rows, Results: len(s.Results), InTransaction: s.InTransaction}
		if s.Err != nil {
			x.Err = s.Err.Number
		}
		got = append(got, x)
	}
	want := []seen{
		{Command: "COM_QUERY", SQL: "INSERT INTO people (name) VALUES ('a'), ('b')", Affected: 2, ID: 1, Results: 1},
		{Command: "COM_QUERY", SQL: "UPDATE people SET name = 'c'; DELETE FROM people WHERE id = 1; SELECT * FROM people", Affected: 3, Rows: 1, Results: 3},
		{Command: "COM_STMT_PREPARE", SQL: "DELETE FROM people WHERE id = ?"},
		{Command: "COM_STMT_EXECUTE", SQL: "DELETE FROM people WHERE id = ?", Affected: 1, Results: 1},
		{Command: "COM_QUERY", SQL: "DROP TABLE nothing", Results: 1, Err: 1051},
		{Command: "COM_QUERY", SQL: "START TRANSACTION", Results: 1, InTransaction: true},
		{Command: "COM_QUERY", SQL: "SET @a = 1", Results: 1, InTransaction: true},
		{Command: "COM_QUERY", SQL: "ROLLBACK", Results: 1},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(seen{})); diff != "" {
		t.Error(diff)
	}
}

func TestVerdicts(t *testing.T) {
	_, name := database(t)
	f := newFront(t, name)
	seven, text := "7", "sept"
	f.verdict = func(s *mysqlproxy.Statement) mysqlproxy.Verdict {
		switch {
		case strings.HasPrefix(s.SQL, "CREATE"):
			return mysqlproxy.Verdict{Err: &mysqlproxy.Error{Number: 1105, Message: "direct DDL is disabled"}}
		case strings.HasPrefix(s.SQL, "DO"):
			return mysqlproxy.Verdict{OK: true}
		case strings.HasPrefix(s.SQL, "SELECT answer"):
			args, err := s.Args()
			if err != nil {
				t.Error(err)
			}
			for _, a := range args {
				text += fmt.Sprintf("/%v:%s", a.Null, a.Value)
			}
			return mysqlproxy.Verdict{Result: &mysqlproxy.Result{
				Columns: []string{"n", "s", "nothing"}, Types: []mysqlproxy.ColumnType{mysqlproxy.Integer, mysqlproxy.Text, mysqlproxy.Text},
				Rows: [][]*string{{&seven, &text, nil}, {nil, &text, &seven}}}}
		}
		return mysqlproxy.Verdict{}
	}
	db := open(t, f.listen().dsn(name, ""))
	db.SetMaxOpenConns(1)
	answer := func(q string, args ...any) (out string) {
		rows, err := db.Query(q, args...)
		if err != nil {
			return err.Error()
		}
		defer rows.Close()
		for rows.Next() {
			var n sql.NullInt64
			var s, nothing sql.NullString
			if err := rows.Scan(&n, &s, &nothing); err != nil {
				return err.Error()
			}
			out += fmt.Sprintf("%v %v %v;", n.Int64, s.String, nothing.String)
		}
		return out
	}
	if got, want := answer("SELECT answer"), "7 sept ;0 sept 7;"; got != want {
		t.Errorf("text: %q, want %q", got, want)
	}
	args := []any{int64(-3), "x'", nil, 2.5, []byte("b"), true, uint64(1 << 63), time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	want := "sept/false:-3/false:x'/true:/false:2.5/false:b/false:1/false:9223372036854775808/false:2026-01-02 03:04:05.000006"
	if got := answer("SELECT answer WHERE ? ? ? ? ? ? ? ? -- ? \n /* ? */ '?'", args...); got != "7 "+want+" ;0 "+want+" 7;" {
		t.Errorf("prepared: %q, want %q", got, want)
	}
	text = "sept"
	stmt, err := db.Prepare("SELECT answer WHERE ?")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{1, 2, "three", nil} {
		if _, err := stmt.Exec(v); err != nil {
			t.Error(err)
		}
	}
	stmt.Close()
	if want := "sept/false:1/false:2/false:three/true:"; text != want {
		t.Errorf("args %q, want %q", text, want)
	}
	exec(t, db, "DO nothing")
	if _, err := db.Exec("DO nothing ?", 1); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := db.Exec("CREATE TABLE x (id INT)"); number(err) != 1105 {
			t.Errorf("text: %v", err)
		}
		if _, err := db.Prepare("CREATE TABLE x (id INT)"); number(err) != 1105 {
			t.Errorf("prepared: %v", err)
		}
	}
	var one int
	if err := db.QueryRow("SELECT ?", 1).Scan(&one); err != nil || one != 1 {
		t.Errorf("forwarded after answers: %v %v", one, err)
	}
}

func TestLogin(t *testing.T) {
	_, name := database(t)
	config, _ := authority(t)
	f := newFront(t, name)
	f.TLS = config
	f.listen()
	other := mysql.NewConfig()
	for _, c := range []struct {
		name string
		edit func(*mysql.Config)
		want uint16
		kind mysqlproxy.FailureKind
	}{
		{"wrong password", func(c *mysql.Config) { c.Passwd = "guess" }, 1045, mysqlproxy.FailedLogin},
		{"no password", func(c *mysql.Config) { c.Passwd = "" }, 1045, mysqlproxy.FailedLogin},
		{"unknown user", func(c *mysql.Config) { c.User = "root" }, 1045, mysqlproxy.FailedLogin},
		{"unknown database", func(c *mysql.Config) { c.DBName = "nowhere" }, 1049, mysqlproxy.FailedBackend},
		{"certificate refused", func(c *mysql.Config) { c.TLS = &tls.Config{ServerName: "127.0.0.1"} }, 0, mysqlproxy.FailedTLS},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := other.Clone()
			cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = user, password, "tcp", f.addr, name
			c.edit(cfg)
			connector, err := mysql.NewConnector(cfg)
			if err != nil {
				t.Fatal(err)
			}
			db := sql.OpenDB(connector)
			defer db.Close()
			before := len(f.failed())
			err = db.Ping()
			if err == nil || number(err) != c.want {
				t.Errorf("got %v, want error %d", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error shows the password: %v", err)
			}
			wait(t, func() bool { return len(f.failed()) > before })
			if got := f.failed()[before]; got.Kind != c.kind {
				t.Errorf("recorded as %v, want %s", got, c.kind)
			}
		})
	}
	t.Run("unreachable backend", func(t *testing.T) {
		f := newFront(t, name)
		f.session.Backend.Dial = func(context.Context) (net.Conn, error) { return nil, errors.New("branch is asleep") }
		err := open(t, f.listen().dsn(name, "")).Ping()
		if number(err) != 2003 || !strings.Contains(err.Error(), "branch is asleep") {
			t.Errorf("got %v", err)
		}
	})
}

// TestBackendLogin logs in to accounts of the real server with passwords and
// over TCP, with the methods that MariaDB has.
func TestBackendLogin(t *testing.T) {
	direct, name := database(t)
	exec(t, direct, "CREATE OR REPLACE USER 'withpass'@'%' IDENTIFIED BY 'pä ss'", "GRANT ALL ON *.* TO 'withpass'@'%'",
		"CREATE OR REPLACE USER 'nopass'@'%'", "GRANT ALL ON *.* TO 'nopass'@'%'")
	tcp := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Addr)
	}
	for _, c := range []struct {
		user, password string
		tls            *tls.Config
		want           uint16
		text           string
	}{
		{"withpass", "pä ss", nil, 0, ""},
		{"nopass", "", nil, 0, ""},
		{"withpass", "wrong", nil, 1045, "withpass"},
		{"withpass", "", nil, 1045, "withpass"},
		{"withpass", "pä ss", &tls.Config{ServerName: "x"}, 2003, "does not offer TLS"},
	} {
		t.Run(c.user+"/"+c.password, func(t *testing.T) {
			f := newFront(t, name)
			f.session.Backend = mysqlproxy.Backend{Dial: tcp, User: c.user, Password: c.password, Database: name, TLS: c.tls}
			err := open(t, f.listen().dsn("", "")).Ping()
			if number(err) != c.want || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %d %s", err, c.want, c.text)
			}
		})
	}
}

// TestProxyBehindProxy uses the proxy as the backend of another, with every
// authentication method and TLS between them: both sides of the login meet.
func TestProxyBehindProxy(t *testing.T) {
	_, name := database(t)
	config, pool := authority(t)
	for _, plugin := range []string{"mysql_native_password", "caching_sha2_password"} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprint(plugin, secure), func(t *testing.T) {
				inner := newFront(t, name)
				inner.AuthPlugin, inner.TLS = plugin, config
				inner.listen()
				outer := newFront(t, name)
				outer.session.Backend = mysqlproxy.Backend{User: user, Password: password, Database: name,
					Dial: func(ctx context.Context) (net.Conn, error) {
						near, far := net.Pipe()
						go inner.ServeConn(context.Background(), far)
						return near, nil
					}}
				if secure {
					outer.session.Backend.TLS = &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
				}
				var got string
				if err := open(t, outer.listen().dsn(name, "")).QueryRow("SELECT CONCAT(DATABASE(), ?)", "!").Scan(&got); err != nil || got != name+"!" {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
	}
}

func TestLargeMessages(t *testing.T) {
	direct, name := database(t)
	exec(t, direct, "CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)")
	f := newFront(t, name)
	f.MaxText = 1 << 20
	f.listen()
	for id, c := range []struct {
		size   int
		params string
	}{
		{1 << 24, "?maxAllowedPacket=0"}, // the first packet is full
		{20 << 20, "?maxAllowedPacket=0&interpolateParams=true"},
	} {
		db := open(t, f.dsn(name, c.params))
		blob := bytes.Repeat([]byte("0123456789abcdef"), c.size/16)
		if _, err := db.Exec("INSERT INTO blobs VALUES (?, ?)", id, blob); err != nil {
			t.Fatalf("%d bytes%s: %v", c.size, c.params, err)
		}
		var got []byte
		if err := db.QueryRow("SELECT b FROM blobs WHERE id = ?", id).Scan(&got); err != nil || !bytes.Equal(got, blob) {
			t.Fatalf("%d bytes%s came back as %d, %v", c.size, c.params, len(got), err)
		}
		db.Close()
	}
	truncated := false
	for _, s := range f.statements() {
		if len(s.SQL) > 1<<20 {
			t.Errorf("a text of %d bytes is held", len(s.SQL))
		}
		truncated = truncated || s.Truncated
	}
	if !truncated {
		t.Error("no text was said to be truncated")
	}
}

// wait gives something up to five seconds to become true.
func wait(t testing.TB, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it did not happen")
}
