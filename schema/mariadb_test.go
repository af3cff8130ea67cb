package schema_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/schema"
)

// lab is one private server for the tests of the package.
type lab struct {
	once   sync.Once
	server *mariadb.Server
	err    error
	dir    string
}

var shared lab

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("rapid.nofailfile", "true")
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		checks.Value.Set("20") // each makes two databases; ask for more with -rapid.checks
	}
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if shared.dir != "" {
		os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// server starts the server at the first call, or skips the test.
func (l *lab) start(t testing.TB) *mariadb.Server {
	t.Helper()
	binary, err := mariadb.Find()
	if err != nil {
		t.Skipf("MariaDB is not installed: %v", err)
	}
	l.once.Do(func() {
		if l.dir, l.err = os.MkdirTemp("", "schema"); l.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		l.server, l.err = mariadb.Start(ctx, mariadb.Options{Binary: binary, Dir: l.dir})
	})
	if l.err != nil {
		t.Fatal(l.err)
	}
	return l.server
}

// database makes an empty database and a connection to it that does not check foreign keys.
func (l *lab) database(t testing.TB, name string) *sql.DB {
	t.Helper()
	server := l.start(t)
	root := open(t, server.DSN(""))
	exec(t, root,
		"DROP DATABASE IF EXISTS `"+name+"`", "CREATE DATABASE `"+name+"` CHARACTER SET utf8mb4")
	root.Close()
	dsn := server.DSN(name)
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	return open(t, dsn+sep+"foreign_key_checks=0")
}

func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s\n%v", s, err)
		}
	}
}

// statements splits a script at lines that end with a semicolon.
func statements(script string) []string {
	var out []string
	for _, s := range strings.Split(script, ";\n") {
		if s = strings.TrimSuffix(strings.TrimSpace(s), ";"); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func read(t testing.TB, db *sql.DB) *schema.Schema {
	t.Helper()
	s, err := schema.Read(context.Background(), db, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func diff(t testing.TB, from, to *schema.Schema) []schema.Change {
	t.Helper()
	changes, err := schema.Diff(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// checkPair carries the difference between two schemas out on a server, and back.
func checkPair(t *testing.T, fromSQL, toSQL string) {
	t.Helper()
	a, b := shared.database(t, "before"), shared.database(t, "after")
	exec(t, a, statements(fromSQL)...)
	exec(t, b, statements(toSQL)...)
	from, to := read(t, a), read(t, b)
	checkNormal(t, from)
	checkNormal(t, to)
	got := carryOut(t, a, from, to)
	carryOut(t, a, got, from)
	a.Close()
	b.Close()
}

// carryOut makes the schema to of the schema from, which is in the database, and looks at what came of it.
func carryOut(t *testing.T, db *sql.DB, from, to *schema.Schema) *schema.Schema {
	t.Helper()
	changes := diff(t, from, to)
	if (len(changes) == 0) != (from.Digest() == to.Digest()) {
		t.Errorf("%d changes, but digests equal is %v", len(changes), from.Digest() == to.Digest())
	}
	checkReading(t, changes)
	for _, c := range changes {
		if _, err := db.Exec(c.Statement()); err != nil {
			t.Fatalf("the server refuses a statement: %v\n%s\nfor %s", err, c.Statement(), c.SQL)
		}
	}
	got := read(t, db)
	if d := cmp.Diff(to.Digests(), got.Digests()); d != "" {
		for _, table := range to.Tables {
			is, _ := got.Table(table.Name)
			want, _ := schema.Normalize(table.Create)
			have, _ := schema.Normalize(is.Create)
			if want != have {
				t.Errorf("table %s (-want +got)\n%s", table.Name, cmp.Diff(strings.Split(want, "\n"), strings.Split(have, "\n")))
			}
		}
		t.Fatalf("the statements lead elsewhere (-want +got)\n%s\n%s", d, statementsOf(changes))
	}
	if rest := diff(t, got, to); len(rest) > 0 {
		t.Fatalf("there is still a difference:\n%s\nafter:\n%s", statementsOf(rest), statementsOf(changes))
	}
	return got
}

func statementsOf(changes []schema.Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Statement())
	}
	return strings.Join(out, ";\n") + ";"
}

// checkReading holds ParseChange to what Diff said: the platform will send such statements back.
func checkReading(t testing.TB, changes []schema.Change) {
	t.Helper()
	var parsed []schema.Change
	for _, c := range changes {
		p, err := schema.ParseChange(c.Table, c.Verb, c.SQL)
		if err != nil {
			t.Fatalf("a statement of Diff cannot be read: %v\n%s", err, c.SQL)
		}
		if d := cmp.Diff(c.Clauses, p.Clauses); d != "" {
			t.Errorf("%s\nis read as other clauses (-want +got)\n%s", c.SQL, d)
		}
		if c.DropsData != p.DropsData || !cmp.Equal(c.Dropped, p.Dropped) {
			t.Errorf("%s\nis read as dropping %v, not %v", c.SQL, p.Dropped, c.Dropped)
		}
		parsed = append(parsed, p)
	}
	if missing, surplus := schema.Compare(changes, parsed); len(missing)+len(surplus) > 0 {
		t.Errorf("Compare finds missing %v, surplus %v", missing, surplus)
	}
}

// checkNormal holds Normalize to its fixed point, and the digest to not seeing what Normalize takes away.
func checkNormal(t testing.TB, s *schema.Schema) {
	t.Helper()
	var plain schema.Schema
	for _, table := range s.Tables {
		once, err := schema.Normalize(table.Create)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := schema.Normalize(once)
		if err != nil {
			t.Fatalf("%v\n%s", err, once)
		}
		if once != twice {
			t.Errorf("normalising twice changes %s:\n%s", table.Name, cmp.Diff(once, twice))
		}
		plain.Tables = append(plain.Tables, schema.Table{Name: table.Name, Create: once, View: table.View})
	}
	if d := cmp.Diff(s.Digests(), plain.Digests()); d != "" {
		t.Errorf("normalising changes digests (-before +after)\n%s", d)
	}
}
