package mariadb_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator/mariadb"
)

func start(t *testing.T, o mariadb.Options) *mariadb.Server {
	t.Helper()
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := mariadb.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func scalar(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var v sql.NullString
	if err := db.QueryRow(query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v.String
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestServerLooksLikeMySQL8(t *testing.T) {
	s := start(t, mariadb.Options{})
	db := open(t, s.DSN(""))
	for query, want := range map[string]string{
		"SELECT VERSION()":                "8.0.34",
		"SELECT @@character_set_database": "utf8mb4",
		"SELECT @@time_zone":              "+00:00",
		"SELECT @@sql_mode LIKE '%STRICT_TRANS_TABLES%' AND @@sql_mode LIKE '%NO_ZERO_DATE%'": "1",
		"SELECT @@max_allowed_packet":     "67108864",
		"SELECT @@default_storage_engine": "InnoDB",
	} {
		if got := scalar(t, db, query); got != want {
			t.Errorf("%s = %q, want %q", query, got, want)
		}
	}
	if _, err := db.Exec("CREATE DATABASE d"); err != nil {
		t.Fatal(err)
	}
	d := open(t, s.DSN("d"))
	exec(t, d, "CREATE TABLE n (v varchar(2) NOT NULL)")
	if _, err := d.Exec("INSERT INTO n VALUES ('long')"); err == nil {
		t.Error("a value that does not fit was taken: the mode is not strict")
	}
}

func TestDataSurvivesStopAndKill(t *testing.T) {
	dir := t.TempDir()
	s := start(t, mariadb.Options{Dir: dir})
	exec(t, open(t, s.DSN("")), "CREATE DATABASE shop", "CREATE TABLE shop.t (id int primary key)", "INSERT INTO shop.t VALUES (1)")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if alive(s.PID()) {
		t.Fatal("the server is alive after Stop")
	}

	s = start(t, mariadb.Options{Dir: dir})
	exec(t, open(t, s.DSN("shop")), "INSERT INTO t VALUES (2)")
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(); err != nil {
		t.Fatalf("Stop of a server that is gone: %v", err)
	}

	s = start(t, mariadb.Options{Dir: dir})
	if got := scalar(t, open(t, s.DSN("shop")), "SELECT count(*) FROM t"); got != "2" {
		t.Errorf("rows after a kill = %s, want 2", got)
	}
}

func TestOneServerPerFolder(t *testing.T) {
	dir := t.TempDir()
	start(t, mariadb.Options{Dir: dir})
	_, err := mariadb.Start(t.Context(), mariadb.Options{Dir: dir})
	var locked *mariadb.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("second server on the folder: %v", err)
	}
}

func TestPortOnLoopback(t *testing.T) {
	s := start(t, mariadb.Options{Port: -1})
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil || host != "127.0.0.1" {
		t.Fatalf("Addr = %q", s.Addr)
	}
	db := open(t, "root@tcp("+s.Addr+")/")
	if got := scalar(t, db, "SELECT 1"); got != "1" {
		t.Errorf("SELECT 1 over the port = %s", got)
	}
}

func TestLongFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("a-rather-long-name/", 8))
	s := start(t, mariadb.Options{Dir: dir})
	if strings.HasPrefix(s.Socket, dir) {
		t.Fatalf("socket %s is longer than a socket can be", s.Socket)
	}
	conn, err := s.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	// A killed owner leaves the short folder behind; the next start removes it.
	first := filepath.Dir(s.Socket)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(first, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(first, filepath.Join(dir, "socket")); err != nil {
		t.Fatal(err)
	}
	s = start(t, mariadb.Options{Dir: dir})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{first, filepath.Dir(s.Socket), filepath.Join(dir, "socket")} {
		if _, err := os.Lstat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left behind", left)
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Run("damaged data", func(t *testing.T) {
		dir := t.TempDir()
		s := start(t, mariadb.Options{Dir: dir})
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "data", "ibdata1"), make([]byte, 4<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := mariadb.Start(t.Context(), mariadb.Options{Dir: dir})
		var failed *mariadb.StartError
		if !errors.As(err, &failed) || failed.Log == "" {
			t.Fatalf("error = %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := mariadb.Find(); err != nil {
			t.Skip("mariadbd is not installed")
		}
		if _, err := mariadb.Start(ctx, mariadb.Options{Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
			t.Fatalf("error = %v", err)
		}
	})
	t.Run("no such binary", func(t *testing.T) {
		if _, err := mariadb.Start(t.Context(), mariadb.Options{Dir: t.TempDir(), Binary: "/nowhere/mariadbd"}); err == nil {
			t.Fatal("no error")
		}
	})
}

// TestDiesWithParent runs this test binary as a parent that is killed.
func TestDiesWithParent(t *testing.T) {
	if dir := os.Getenv("MARIADB_TEST_PARENT_DIR"); dir != "" {
		s, err := mariadb.Start(t.Context(), mariadb.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("pid " + s.Socket + "\n")
		time.Sleep(time.Minute)
	}
	parentDies(t)
}
