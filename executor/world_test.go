package executor_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/gateway"
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// world is a whole run in one process: the real client, planner, gateway and
// executor against the emulator, over pipes. Nothing waits for a socket, so in
// a synctest bubble hours of waiting are free.
type world struct {
	t     *testing.T
	e     *emulator.Emulator
	api   *planetscale.DB // without faults, for looking
	dir   string
	db    *config.Database
	event func(executor.Event)
}

// source is a migration folder of the world.
type source struct {
	tool  string
	table string
	files map[string]string
}

func newWorld(t *testing.T, knobs emulator.Knobs, sources ...source) *world {
	t.Helper()
	dir := t.TempDir()
	engine, err := emulator.NewMemory(filepath.Join(dir, "engine"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := emulator.New(t.Context(), emulator.Options{Organization: "acme", Databases: []string{"shop"}, Engine: engine, Knobs: knobs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, e: e, dir: dir, db: &config.Database{
		Label: "shop", Name: "shop", Target: config.Branch{Label: "main", Name: "main"},
		Working: config.Branch{Label: "migrator", Name: "migrator", Parent: "main"},
		Deploy:  config.DefaultDeploy(), Policy: config.DefaultPolicy(),
	}}
	w.api = w.client(e.Transport()).DB("acme", "shop")
	for _, s := range sources {
		tool, ok := migration.Lookup(s.tool)
		if !ok {
			t.Fatalf("no tool %q", s.tool)
		}
		table := s.table
		if table == "" {
			table = tool.Table
		}
		path := filepath.Join(dir, s.tool)
		w.db.Sources = append(w.db.Sources, &config.Source{Name: s.tool, Tool: tool, Path: path, RelPath: s.tool, Dir: dir, Keyspace: "shop", On: config.OnBranch,
			Histories: []migration.Spec{{Tool: tool, Database: "shop", Table: table}}})
		for name, text := range s.files {
			w.write(filepath.Join(s.tool, name), text)
		}
	}
	return w
}

func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) client(transport http.RoundTripper) *planetscale.Client {
	w.t.Helper()
	c, err := planetscale.New(planetscale.Options{Address: "https://emulator.test/", TokenID: "tokenid00001", Token: "pscale_tkn_0123456789012345678901234567890123456789",
		Transport: transport, PerMinute: 6000})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// connect opens a pool over pipes.
func (w *world) connect(_ context.Context, l planner.Login) (*sql.DB, error) {
	return pool(l.User, l.Password.Reveal(), l.Database, w.e.DialMySQL)
}

// pool opens a pool of connections that are dialled so.
func pool(user, password, database string, dial func(context.Context) (net.Conn, error)) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = user, password, database
	cfg.InterpolateParams, cfg.Logger = true, &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// run makes a run whose journal is in a folder of the world.
func (w *world) run(transport http.RoundTripper, journal string) *executor.Run {
	c := w.client(transport)
	api := c.DB("acme", "shop")
	store := state.NewFileStore(filepath.Join(w.dir, journal), "test")
	id := executor.NewID()
	gate := newPipes()
	r := &executor.Run{
		ID: id, Version: "test", Holder: "a test", API: api, Urgent: api.Unbudgeted(), Connect: w.connect,
		Dial: func(planner.Login) (func(context.Context) (net.Conn, error), *tls.Config, error) {
			return w.e.DialMySQL, nil, nil
		},
		Listen: func() (net.Listener, error) { return gate.listener(), nil }, DialGate: gate.dial,
		Journal: store, Key: state.Key{Address: "test", Organization: "acme", Database: "shop", Target: "main"}, Lock: store.Lock,
		LockTimeout: 15 * time.Minute, Event: w.event,
	}
	r.Target = &planner.Access{API: api, Connect: w.connect, Branch: "main", Database: "shop", Role: "readwriter",
		Name: "pmig " + planner.Identity("acme", w.db) + " " + id}
	r.Planner = &planner.Planner{Platform: "planetscale", Organization: "acme", API: api, Target: r.Target, Config: w.db}
	r.Command = func(name string, at gateway.Endpoint) (executor.Command, error) {
		return executor.Command{Source: name, Args: []string{at.User, at.Password}}, nil
	}
	r.Exec = func(ctx context.Context, c executor.Command) error { return w.tool(ctx, gate, c) }
	return r
}

// tool does what a simple migration tool does: it applies the files that its
// table does not name, and writes their names into it.
func (w *world) tool(ctx context.Context, gate *pipes, c executor.Command) error {
	db, err := pool(c.Args[0], c.Args[1], "shop", gate.dial)
	if err != nil {
		return err
	}
	defer db.Close()
	table := ""
	for _, s := range w.db.Sources {
		if s.Name == c.Source {
			table = s.Histories[0].HistoryTable()
		}
	}
	if c.Source == "knex" {
		return w.knex(ctx, db, table)
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+table+" (version VARCHAR(128) NOT NULL, PRIMARY KEY (version))"); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(w.dir, c.Source, "*.sql"))
	if err != nil {
		return err
	}
	sort.Strings(files)
	for _, f := range files {
		version, _, _ := strings.Cut(filepath.Base(f), "_")
		var n int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table+" WHERE version = ?", version).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, strings.TrimSuffix(strings.TrimPrefix(string(text), "-- migrate:up\n"), ";")); err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO "+table+" VALUES (?)", version); err != nil {
			return err
		}
	}
	return nil
}

// query reads one column of rows from the target.
func (w *world) query(statement string) []string {
	w.t.Helper()
	a := &planner.Access{API: w.api, Connect: w.connect, Branch: "main", Database: "shop", Name: "looking", Role: "reader"}
	defer a.Close(context.Background())
	db, err := a.DB(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	rows, err := db.Query(statement)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// problem says what is not as it should be once all runs have ended: number of
// deployed requests, rows of each history, and nothing left over. "" if all is
// well.
func (w *world) problem(deployed int, histories map[string][]string) string {
	w.t.Helper()
	ctx := context.Background()
	requests, err := w.api.DeployRequests(ctx, planetscale.DeployRequestFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	live := 0
	for _, q := range requests {
		if q.DeploymentState.Live() {
			live++
		} else if q.State == planetscale.RequestOpen {
			return fmt.Sprintf("deploy request #%d is left open, %s", q.Number, q.DeploymentState)
		}
	}
	if live != deployed {
		return fmt.Sprintf("%d requests were deployed, want %d", live, deployed)
	}
	branches, err := w.api.Branches(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range branches {
		if b.Name != "main" {
			return "branch " + b.Name + " is left over"
		}
	}
	for table, want := range histories {
		if got := w.query("SELECT version FROM " + table + " ORDER BY version"); !slices.Equal(got, want) {
			return fmt.Sprintf("%s holds %v, want %v", table, got, want)
		}
	}
	return ""
}

// pipes is a port without a socket.
type pipes struct {
	mu     sync.Mutex
	accept chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{} }

func (p *pipes) listener() net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accept, p.closed = make(chan net.Conn), make(chan struct{})
	return &pipeListener{p.accept, p.closed, sync.Once{}}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	p.mu.Lock()
	accept, closed := p.accept, p.closed
	p.mu.Unlock()
	client, server := net.Pipe()
	select {
	case accept <- server:
		return client, nil
	case <-closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeListener struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// breaking is a transport whose n-th call goes wrong.
type breaking struct {
	next http.RoundTripper
	at   int
	how  string // lost: carried out, no answer; cut: nothing reaches the platform from there on; lost+cut
	mu   sync.Mutex
	n    int
	what string // the call that was broken
}

var errBroken = errors.New("the network is broken: " + io.ErrUnexpectedEOF.Error())

func (b *breaking) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	b.n++
	n := b.n
	if n == b.at {
		b.what = r.Method + " " + r.URL.Path
	}
	b.mu.Unlock()
	cut := strings.Contains(b.how, "cut")
	switch {
	case b.at == 0, n < b.at, n > b.at && !cut:
		return b.next.RoundTrip(r)
	case n == b.at && strings.Contains(b.how, "lost"):
		resp, err := b.next.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
		}
	}
	return nil, errBroken
}
