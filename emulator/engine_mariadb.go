package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/mysqlproxy"
)

// branchAccount is the MySQL account behind every connection to a branch. It has all rights on the branch's database and none
// elsewhere, so that what the front lets through by mistake (files, accounts, other databases) the server still refuses.
const branchAccount = "vt_app"

// idleServer is how long a server without connections keeps running.
const idleServer = 2 * time.Minute

// MariaDB is an [Engine] with a private MariaDB server for each branch, started when first used. It is the engine for real work:
// locks, isolation and error numbers are a server's.
type MariaDB struct {
	dir    string
	binary string
	temp   bool // dir goes when the engine is closed
	lock   *flock.Flock
	quit   chan struct{}
	wg     sync.WaitGroup

	mu       sync.Mutex
	branches map[string]*serverBranch
	closed   bool
}

// serverBranch is one branch: a folder, and a server while it is in use.
type serverBranch struct {
	dir, binary, database string

	mu     sync.Mutex
	server *mariadb.Server
	inUse  int       // open connections
	since  time.Time // when inUse became 0
	gone   bool
}

// branchFile marks a folder as a complete branch; a folder without it is what a crash left of one.
const branchFile = "branch.json"

// NewMariaDB opens the engine on dir and finds the branches that an earlier one left there. An empty dir means a temporary folder
// that lives as long as the engine. The error is mariadb.ErrNotFound when no server is installed.
func NewMariaDB(dir string) (*MariaDB, error) {
	binary, err := mariadb.Find()
	if err != nil {
		return nil, err
	}
	e := &MariaDB{binary: binary, quit: make(chan struct{}), branches: map[string]*serverBranch{}}
	if dir == "" {
		if e.dir, err = os.MkdirTemp("", "pmig-emulator-"); err != nil {
			return nil, err
		}
		e.temp = true
	} else if e.dir, err = engineDir(dir, e.Name()); err != nil {
		return nil, err
	}
	if e.lock, err = lockEngine(e.dir); err != nil {
		return nil, err
	}
	if err := e.find(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.wg.Add(1)
	go e.rest()
	return e, nil
}

// Name is "mariadb".
func (e *MariaDB) Name() string { return "mariadb" }

func (e *MariaDB) find() error {
	entries, err := os.ReadDir(e.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		dir := filepath.Join(e.dir, entry.Name())
		text, err := os.ReadFile(filepath.Join(dir, branchFile))
		if errors.Is(err, os.ErrNotExist) {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			continue
		}
		var about struct{ Database string }
		if err == nil {
			err = json.Unmarshal(text, &about)
		}
		if err != nil {
			return fmt.Errorf("branch %s: %w", entry.Name(), err)
		}
		e.branches[entry.Name()] = &serverBranch{dir: dir, binary: e.binary, database: about.Database}
	}
	return nil
}

// Create makes an empty branch.
func (e *MariaDB) Create(ctx context.Context, id, database string) error {
	return e.make(ctx, id, database, func(b *serverBranch) error { return b.init(ctx) })
}

// Clone makes a branch with the schema of another and the rows of some of its tables.
func (e *MariaDB) Clone(ctx context.Context, id, from string, withRows []string) error {
	source, err := e.branch(from)
	if err != nil {
		return err
	}
	return e.make(ctx, id, source.database, func(b *serverBranch) error {
		// A file for each table would take most of the time that a table takes. What is made or rebuilt later has one.
		err := copyBranch(ctx, source.backend(), b.backend(), withRows, func() error {
			return errors.Join(b.init(ctx), b.asRoot(ctx, "SET GLOBAL innodb_file_per_table = OFF"))
		})
		return errors.Join(err, b.asRoot(ctx, "SET GLOBAL innodb_file_per_table = ON"))
	})
}

func (e *MariaDB) make(ctx context.Context, id, database string, fill func(*serverBranch) error) (err error) {
	if err := checkID(id); err != nil {
		return err
	}
	b := &serverBranch{dir: filepath.Join(e.dir, id), binary: e.binary, database: database}
	e.mu.Lock()
	_, exists := e.branches[id]
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return errEngineClosed
	}
	if exists {
		return fmt.Errorf("branch %s exists", id)
	}
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.remove())
		}
	}()
	if err := fill(b); err != nil {
		return err
	}
	text, err := json.Marshal(struct{ Database string }{database})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, branchFile), text, 0o600); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return errEngineClosed
	}
	e.branches[id] = b
	return nil
}

// Backend says how to connect to a branch; its Dial starts the server if need be.
func (e *MariaDB) Backend(_ context.Context, id string) (mysqlproxy.Backend, error) {
	b, err := e.branch(id)
	if err != nil {
		return mysqlproxy.Backend{}, err
	}
	return b.backend(), nil
}

func (e *MariaDB) branch(id string) (*serverBranch, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, ok := e.branches[id]
	switch {
	case e.closed:
		return nil, errEngineClosed
	case !ok:
		return nil, fmt.Errorf("branch is missing or sleeping: %s", id)
	}
	return b, nil
}

// Drop stops the branch's server and removes its folder.
func (e *MariaDB) Drop(_ context.Context, id string) error {
	e.mu.Lock()
	b, ok := e.branches[id]
	delete(e.branches, id)
	e.mu.Unlock()
	if !ok {
		return nil
	}
	return b.remove()
}

// Flush does nothing: what a server has acknowledged survives the end of its process.
func (e *MariaDB) Flush(context.Context) error { return nil }

// Close stops all servers. Data stay, unless the folder was temporary.
func (e *MariaDB) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	var all []*serverBranch
	for _, b := range e.branches {
		all = append(all, b)
	}
	e.mu.Unlock()
	close(e.quit)
	e.wg.Wait()

	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, b := range all {
		wg.Go(func() { errs[i] = b.shut() })
	}
	wg.Wait()
	errs = append(errs, e.lock.Unlock())
	if e.temp {
		errs = append(errs, os.RemoveAll(e.dir))
	}
	return errors.Join(errs...)
}

// rest stops servers that nobody has used for a while; 100 branches then cost no more memory than those in use.
func (e *MariaDB) rest() {
	defer e.wg.Done()
	tick := time.NewTicker(idleServer / 4)
	defer tick.Stop()
	for {
		select {
		case <-e.quit:
			return
		case <-tick.C:
		}
		e.mu.Lock()
		var all []*serverBranch
		for _, b := range e.branches {
			all = append(all, b)
		}
		e.mu.Unlock()
		for _, b := range all {
			b.sleepAfter(idleServer)
		}
	}
}

// init starts the branch's server on a fresh folder and makes its database and account.
func (b *serverBranch) init(ctx context.Context) error {
	return b.asRoot(ctx,
		"CREATE DATABASE "+quoteName(b.database),
		"CREATE USER "+branchAccount+"@localhost",
		// In a grant, _ and % in a name are wildcards.
		"GRANT ALL PRIVILEGES ON "+quoteName(strings.NewReplacer("_", `\_`, "%", `\%`).Replace(b.database))+".* TO "+branchAccount+"@localhost",
	)
}

// asRoot runs statements with the rights that the branch's own account lacks.
func (b *serverBranch) asRoot(ctx context.Context, statements ...string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.awake(ctx)
	if err != nil {
		return err
	}
	db := openBackend(mysqlproxy.Backend{Dial: s.Dial, User: "root"})
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (b *serverBranch) backend() mysqlproxy.Backend {
	return mysqlproxy.Backend{Dial: b.dial, User: branchAccount, Database: b.database}
}

func (b *serverBranch) dial(ctx context.Context) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.awake(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	b.inUse++
	return &countedConn{Conn: conn, closed: b.hangUp}, nil
}

func (b *serverBranch) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inUse--
	b.since = time.Now()
}

// awake is the running server, with mu held. One that died by itself is started again.
func (b *serverBranch) awake(ctx context.Context) (*mariadb.Server, error) {
	if b.gone {
		return nil, errors.New("branch is missing or sleeping")
	}
	if b.server != nil {
		select {
		case <-b.server.Done():
			if err := b.server.Stop(); err != nil {
				return nil, err
			}
			b.server = nil
		default:
			return b.server, nil
		}
	}
	s, err := mariadb.Start(ctx, mariadb.Options{Binary: b.binary, Dir: b.dir, Version: engineVersion})
	if err != nil {
		return nil, err
	}
	b.server, b.since = s, time.Now()
	return s, nil
}

func (b *serverBranch) sleepAfter(idle time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server != nil && b.inUse == 0 && time.Since(b.since) >= idle {
		_ = b.server.Stop()
		b.server = nil
	}
}

// shut stops the server for good.
func (b *serverBranch) shut() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gone = true
	if b.server == nil {
		return nil
	}
	err := b.server.Stop()
	b.server = nil
	return err
}

// remove stops the server and takes the folder away; the marker goes first, so that a crash cannot leave half a branch.
func (b *serverBranch) remove() error {
	err := b.shut()
	if e := os.Remove(filepath.Join(b.dir, branchFile)); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// countedConn tells when it is closed, once.
type countedConn struct {
	net.Conn
	once   sync.Once
	closed func()
}

func (c *countedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.closed)
	return err
}
