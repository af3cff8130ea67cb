package state_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/state"
)

// server is one MariaDB for all tests, started when the first asks for it; TestMain stops it.
type server struct {
	once sync.Once
	s    *mariadb.Server
	dir  string
	err  error
	n    int
}

var shared server

func (s *server) stop() {
	if s.s != nil {
		s.s.Stop()
	}
}

// newDatabase makes an empty database on the shared server and returns its DSN.
func newDatabase(t *testing.T) string {
	t.Helper()
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		shared.s, shared.err = mariadb.Start(ctx, mariadb.Options{Dir: filepath.Join(shared.dir, "mariadb")})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	shared.n++
	name := fmt.Sprintf("state_%d", shared.n)
	must(t, openDSN(t, shared.s.DSN("")), "CREATE DATABASE "+name)
	return shared.s.DSN(name)
}

func openDSN(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.InterpolateParams, cfg.Logger = true, &mysql.NopLogger{}
	return openConfig(t, cfg)
}

func openConfig(t testing.TB, cfg *mysql.Config) *sql.DB {
	t.Helper()
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return db
}

func must(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.Exec(statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func one(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	var out string
	if err := db.QueryRow(query).Scan(&out); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

func lend(db *sql.DB) func(context.Context) (*sql.DB, error) {
	return func(context.Context) (*sql.DB, error) { return db, nil }
}

// inMariaDB keeps state in a database of its own.
func inMariaDB(t *testing.T) *place {
	dsn := newDatabase(t)
	db := openDSN(t, dsn)
	if err := state.NewDatabaseStore(lend(db), "test", "pmig_", "0.1.0").Create(t.Context(), state.Tables("pmig_")); err != nil {
		t.Fatal(err)
	}
	p := inDatabase(t, db)
	p.child = "mysql:" + dsn
	return p
}

// inEmulator keeps state in a production branch with safe migrations, reached with a readwriter password.
func inEmulator(t *testing.T) *place {
	engine, err := emulator.NewMemory(filepath.Join(t.TempDir(), "engine"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := emulator.New(t.Context(), emulator.Options{Organization: "acme", Databases: []string{"shop"}, Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	for _, table := range state.Tables("pmig_") {
		if _, err := e.SQL(t.Context(), "acme", "shop", "main", table.SQL); err != nil {
			t.Fatal(err)
		}
	}
	c, err := planetscale.New(planetscale.Options{Address: "https://emulator.test/", TokenID: "tokenid00001", Token: "pscale_tkn_0123456789012345678901234567890123456789",
		Transport: e.Transport(), PerMinute: 6000})
	if err != nil {
		t.Fatal(err)
	}
	password, err := c.DB("acme", "shop").CreatePassword(t.Context(), "main", planetscale.NewPassword{Name: "state", Role: "readwriter"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = password.Username, password.PlainText.Reveal(), "shop"
	cfg.InterpolateParams, cfg.Logger = true, &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return e.DialMySQL(ctx) }
	return inDatabase(t, openConfig(t, cfg))
}

// inDatabase is a place whose tables are there.
func inDatabase(t *testing.T, db *sql.DB) *place {
	return &place{
		open: func(version string) store { return state.NewDatabaseStore(lend(db), "test", "pmig_", version) },
		plant: func(text string) {
			must(t, db, "DELETE FROM pmig_journal")
			must(t, db, "INSERT INTO pmig_journal (id, name, revision, fence, token, document) VALUES (?, 'planted', 3, 0, 'planted', ?)", state.ID(key), text)
		},
		planted: func() string { return one(t, db, "SELECT document FROM pmig_journal") },
		broken: state.NewDatabaseStore(func(context.Context) (*sql.DB, error) { return nil, errors.New("connection refused") },
			"test", "pmig_", "0.1.0"),
		expire: func() { must(t, db, "UPDATE pmig_lease SET expires_at = UTC_TIMESTAMP(6)") },
	}
}

func TestMissingTables(t *testing.T) {
	db := openDSN(t, newDatabase(t))
	s := state.NewDatabaseStore(lend(db), "state at 127.0.0.1", "pmig_", "0.1.0")
	missing, err := s.Missing(t.Context())
	if err != nil || len(missing) != 2 {
		t.Fatalf("%v, %v", missing, err)
	}
	check := func(what string, err error) {
		t.Helper()
		var none *state.MissingTablesError
		if !errors.As(err, &none) || none.Database != "state at 127.0.0.1" || !strings.Contains(none.Hint(), "pmig state init") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = s.Load(key)
	check("load", err)
	check("save", s.Save(document()))
	check("remove", s.Remove(key))
	_, err = s.Lock(t.Context(), key, "me")
	check("lock", err)
	if err := s.Create(t.Context(), missing[1:]); err != nil { // the lease alone
		t.Fatal(err)
	}
	_, err = s.Lock(t.Context(), key, "me")
	check("lock without a journal", err)
	missing, err = s.Missing(t.Context())
	if err != nil || len(missing) != 1 || missing[0].Name != "pmig_journal" {
		t.Errorf("%v, %v", missing, err)
	}
	if err := s.Create(t.Context(), state.Tables("pmig_")); err != nil {
		t.Errorf("over a table that is there: %v", err)
	}
	if err := s.Save(document()); err != nil {
		t.Error(err)
	}
}

func TestPrefixesApart(t *testing.T) {
	db := openDSN(t, newDatabase(t))
	for _, prefix := range []string{"a_", "b_"} {
		s := state.NewDatabaseStore(lend(db), "test", prefix, "0.1.0")
		if err := s.Create(t.Context(), state.Tables(prefix)); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(document()); err != nil {
			t.Error(err)
		}
		if _, err := s.Lock(t.Context(), key, "me"); err != nil {
			t.Error(err)
		}
	}
}

// A holder that was paused past its lease and wakes again can write nothing any more, and is told who can. Fencing
// numbers only grow, also when the lease's row was lost.
func TestFence(t *testing.T) {
	p := inMariaDB(t)
	db := openDSN(t, strings.TrimPrefix(p.child, "mysql:"))
	old := p.open("0.1.0")
	unlock, err := old.Lock(t.Context(), key, "the old one")
	if err != nil {
		t.Fatal(err)
	}
	d := document()
	if err := old.Save(d); err != nil {
		t.Fatal(err)
	}
	p.expire()
	next := p.open("0.1.0")
	unlockNext, err := next.Lock(t.Context(), key, "the new one")
	if err != nil {
		t.Fatal(err)
	}
	var stale *state.StaleError
	if err := old.Save(d); !errors.As(err, &stale) || stale.By != "the new one" {
		t.Errorf("the old holder saved: %v", err)
	}
	got, err := next.Load(key)
	if err != nil || got.Serial != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := next.Save(got); err != nil {
		t.Error(err)
	}
	if err := unlock(); err != nil { // gives back nothing that is not its own
		t.Error(err)
	}
	var locked *state.LockedError
	if _, err := p.open("0.1.0").Lock(t.Context(), key, "a third"); !errors.As(err, &locked) || locked.Holder != "the new one" {
		t.Errorf("%v", err)
	}
	if err := unlockNext(); err != nil {
		t.Error(err)
	}
	if fence := one(t, db, "SELECT fence FROM pmig_lease"); fence != "2" {
		t.Errorf("fence %s", fence)
	}
	must(t, db, "DELETE FROM pmig_lease")
	if _, err := p.open("0.1.0").Lock(t.Context(), key, "after the loss"); err != nil {
		t.Fatal(err)
	}
	if fence := one(t, db, "SELECT fence FROM pmig_lease"); fence != "3" {
		t.Errorf("fence %s after the lease's row was lost", fence)
	}
	if err := next.Save(got); !errors.As(err, &stale) {
		t.Errorf("a holder from before the loss saved: %v", err)
	}
}

// flaky breaks connections at a statement, before or after the server has carried it out.
type flaky struct {
	mu     sync.Mutex
	at     string // a statement that begins so; "" none
	answer bool   // the statement arrives, its answer does not
	times  int
	broke  int
}

func (f *flaky) arm(at string, answer bool, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.answer, f.times, f.broke = at, answer, times, 0
}

type flakyConn struct {
	net.Conn
	f    *flaky
	dead bool
}

func (c *flakyConn) Write(b []byte) (int, error) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.f.at == "" || c.f.times == 0 || !bytes.Contains(b, []byte(c.f.at)) {
		return c.Conn.Write(b)
	}
	c.f.times--
	c.f.broke++
	if c.f.answer {
		c.dead = true
		return c.Conn.Write(b)
	}
	c.Conn.Close()
	return 0, net.ErrClosed
}

func (c *flakyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.dead {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// Whatever becomes of a statement's answer: a document is saved once, by one serial, and a lease is taken once.
func TestLostAnswers(t *testing.T) {
	cfg, err := mysql.ParseDSN(newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{}
	network, addr := cfg.Net, cfg.Addr
	cfg.InterpolateParams, cfg.Logger = true, &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &flakyConn{Conn: c, f: f}, err
	}
	db := openConfig(t, cfg)
	if err := state.NewDatabaseStore(lend(db), "test", "pmig_", "0.1.0").Create(t.Context(), state.Tables("pmig_")); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"INSERT INTO pmig_journal", "UPDATE pmig_journal", "SELECT revision"} {
		for _, answer := range []bool{true, false} {
			t.Run(fmt.Sprintf("save, %s, arrives %v", at, answer), func(t *testing.T) {
				f.arm("", false, 0)
				must(t, db, "DELETE FROM pmig_journal")
				s := state.NewDatabaseStore(lend(db), "test", "pmig_", "0.1.0")
				d := document()
				f.arm(at, answer, 2)
				for want := uint64(1); want <= 3; want++ {
					if err := s.Save(d); err != nil || d.Serial != want {
						t.Fatalf("save %d: serial %d, %v", want, d.Serial, err)
					}
				}
				if f.broke == 0 && at != "SELECT revision" {
					t.Error("nothing was broken")
				}
				if got, err := s.Load(key); err != nil || got.Serial != 3 {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
	}
	for _, at := range []string{"UPDATE pmig_lease", "INSERT INTO pmig_lease", "SELECT holder", "UPDATE pmig_journal"} {
		for _, answer := range []bool{true, false} {
			t.Run(fmt.Sprintf("lock, %s, arrives %v", at, answer), func(t *testing.T) {
				f.arm("", false, 0)
				must(t, db, "DELETE FROM pmig_lease")
				must(t, db, "DELETE FROM pmig_journal")
				s := state.NewDatabaseStore(lend(db), "test", "pmig_", "0.1.0")
				f.arm(at, answer, 1)
				unlock, err := s.Lock(t.Context(), key, "me")
				if err != nil {
					t.Fatal(err)
				}
				if f.broke == 0 {
					t.Error("nothing was broken")
				}
				if err := s.Save(document()); err != nil {
					t.Error(err)
				}
				if err := unlock(); err != nil {
					t.Error(err)
				}
				if got := one(t, db, "SELECT CONCAT(COUNT(*), ' ', MAX(fence)) FROM pmig_lease"); got != "1 1" {
					t.Errorf("rows and fence: %s", got)
				}
			})
		}
	}
}

// A save of which nothing is known, not even by reading again, is an UnwritableError; the next one finds out what became
// of it and goes on from there.
func TestSaveAfterAnUnknownEnd(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		t.Run(fmt.Sprint(arrived), func(t *testing.T) {
			p := inMariaDB(t)
			db := openDSN(t, strings.TrimPrefix(p.child, "mysql:"))
			gone := errors.New("connection refused")
			reach := true
			s := state.NewDatabaseStore(func(context.Context) (*sql.DB, error) {
				if !reach {
					return nil, gone
				}
				return db, nil
			}, "test", "pmig_", "0.1.0")
			d := document()
			if err := s.Save(d); err != nil {
				t.Fatal(err)
			}
			state.ForgetAnswer(s, d, arrived, db)
			if d.Serial != 1 {
				t.Fatalf("serial %d", d.Serial)
			}
			reach = false
			var unwritable *state.UnwritableError
			if err := s.Save(d); !errors.As(err, &unwritable) || !errors.Is(err, gone) {
				t.Fatalf("%v", err)
			}
			reach = true
			began := time.Now()
			if err := s.Save(d); !errors.As(err, &unwritable) || time.Since(began) > time.Second {
				t.Errorf("a database that does not answer is asked again at once: %v", err)
			}
			if _, err := s.Load(key); !errors.As(err, &unwritable) {
				t.Errorf("load: %v", err)
			}
			state.Rested(s)
			if err := s.Save(d); err != nil {
				t.Fatal(err)
			}
			want := uint64(2)
			if arrived {
				want = 3
			}
			if got, err := s.Load(key); err != nil || got.Serial != want || d.Serial != want {
				t.Errorf("%+v, %v, want serial %d", got, err, want)
			}
		})
	}
}

// A living holder keeps its lease for longer than it lasts.
func TestLeaseIsRenewed(t *testing.T) {
	p := inMariaDB(t)
	db := openDSN(t, strings.TrimPrefix(p.child, "mysql:"))
	unlock, err := p.open("0.1.0").Lock(t.Context(), key, "me")
	if err != nil {
		t.Fatal(err)
	}
	first := one(t, db, "SELECT expires_at FROM pmig_lease")
	deadline := time.Now().Add(state.LeaseTime / 2)
	for one(t, db, "SELECT expires_at FROM pmig_lease") == first {
		if time.Now().After(deadline) {
			t.Fatal("not renewed")
		}
		time.Sleep(200 * time.Millisecond)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	if got := one(t, db, "SELECT CONCAT(token, expires_at <= UTC_TIMESTAMP(6)) FROM pmig_lease"); got != "1" {
		t.Errorf("after unlock: %q", got)
	}
}
