package gateway_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/gateway"
	"github.com/pmig/pmig/mysqlproxy"
)

// server is the MariaDB that all tests share, once startServer has run.
var (
	server    *mariadb.Server
	serverDir string
	starting  sync.Once
)

func TestMain(m *testing.M) {
	code := m.Run()
	if server != nil {
		server.Stop()
	}
	os.RemoveAll(serverDir)
	os.Exit(code)
}

// startServer gives the test a server, or skips it where none is installed.
func startServer(t testing.TB) {
	t.Helper()
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	starting.Do(func() {
		dir, err := os.MkdirTemp("", "gateway")
		if err != nil {
			t.Fatal(err)
		}
		serverDir = dir
		if server, err = mariadb.Start(context.Background(), mariadb.Options{Dir: dir}); err != nil {
			t.Fatal(err)
		}
	})
	if server == nil {
		t.Fatal("the server did not start")
	}
}

// branch is a database of a test's own with a gateway before it.
type branch struct {
	*gateway.Gateway
	t      testing.TB
	direct *sql.DB
	name   string

	mu   sync.Mutex
	seen []gateway.Statement
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

func exec(t testing.TB, db interface {
	Exec(string, ...any) (sql.Result, error)
}, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func newBranch(t testing.TB, edit func(*gateway.Options)) *branch {
	t.Helper()
	startServer(t)
	b := &branch{t: t, name: fmt.Sprintf("shop%d", time.Now().UnixNano())}
	exec(t, open(t, server.DSN("")), "CREATE DATABASE "+b.name)
	b.direct = open(t, server.DSN(b.name))
	exec(t, b.direct, "CREATE TABLE users (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50))",
		"CREATE TABLE migrations (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50))")
	o := gateway.Options{
		Backend:  mysqlproxy.Backend{Dial: server.Dial, User: "root", Database: b.name},
		Database: b.name, History: []string{"migrations"},
		Record: func(s gateway.Statement) { b.mu.Lock(); b.seen = append(b.seen, s); b.mu.Unlock() },
	}
	if edit != nil {
		edit(&o)
	}
	var err error
	if b.Gateway, err = gateway.Start(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// open connects through the gateway.
func (b *branch) open(params string) *sql.DB {
	return open(b.t, b.Endpoint().DSN()+params)
}

// statements forgets what it returns.
func (b *branch) statements() []gateway.Statement {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.seen
	b.seen = nil
	return out
}

func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
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
