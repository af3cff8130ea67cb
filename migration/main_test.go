package migration_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/migration"
)

// One server for the whole room; every test has databases of its own on it.
var (
	server   *mariadb.Server
	startErr error
	starting sync.Once
	numbered atomic.Int64
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "pmig-migration-")
	if err != nil {
		panic(err)
	}
	serverDir = filepath.Join(dir, "server")
	// A server clears the temporary tables of others out of a shared folder when
	// it starts, and those of other tests start at any time.
	os.Setenv("TMPDIR", dir)
	code := m.Run()
	if server != nil {
		if err := server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

var serverDir string

// database makes an empty database and connects to it as pmig does.
func database(t testing.TB, options ...func(*mysql.Config)) *sql.DB {
	t.Helper()
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	starting.Do(func() { server, startErr = mariadb.Start(context.Background(), mariadb.Options{Dir: serverDir}) })
	if startErr != nil {
		t.Fatal(startErr)
	}
	name := fmt.Sprintf("d%d", numbered.Add(1))
	root := connect(t, "")
	exec(t, root, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() {
		if _, err := root.Exec("DROP DATABASE " + name); err != nil {
			t.Error(err)
		}
	})
	return connect(t, name, options...)
}

func connect(t testing.TB, name string, options ...func(*mysql.Config)) *sql.DB {
	t.Helper()
	c, err := mysql.ParseDSN(server.DSN(name))
	if err != nil {
		t.Fatal(err)
	}
	c.Logger = &mysql.NopLogger{} // connections are broken on purpose
	for _, o := range options {
		o(c)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// name of the database that a connection has selected.
func name(t testing.TB, db *sql.DB) string { return scalar(t, db, "SELECT database()") }

func exec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func scalar(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	var v sql.NullString
	if err := db.QueryRow(query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v.String
}

// table prints a table's rows, values joined by " ", for comparing.
func table(t testing.TB, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		cells := make([]sql.NullString, len(names))
		targets := make([]any, len(names))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(cells))
		for i, c := range cells {
			if texts[i] = c.String; !c.Valid {
				texts[i] = "NULL"
			}
		}
		out = append(out, strings.Join(texts, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func tool(t testing.TB, name string) *migration.Tool {
	t.Helper()
	found, ok := migration.Lookup(name)
	if !ok {
		t.Fatalf("no tool %q", name)
	}
	return found
}

func read(t testing.TB, db *sql.DB, spec migration.Spec) *migration.History {
	t.Helper()
	h, err := migration.Read(t.Context(), db, spec)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// equal compares plain data.
func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(migration.Value{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// keys of files, in order.
func keys(files []migration.File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Key)
	}
	return out
}

// rowsOf are a history's rows as text.
func rowsOf(h *migration.History) []string { return texts(h.Rows) }

func texts(rows []migration.Row) []string {
	var out []string
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, v := range r {
			if cells[i] = v.Text(); v.IsNull() {
				cells[i] = "NULL"
			}
		}
		out = append(out, strings.Join(cells, " "))
	}
	return out
}
