package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gms "github.com/dolthub/go-mysql-server/sql"
	vitesslog "github.com/dolthub/vitess/go/vt/log"
	"github.com/gofrs/flock"
	"github.com/sirupsen/logrus"

	"github.com/pmig/pmig/mysqlproxy"
)

// Memory is an [Engine] that needs nothing installed: go-mysql-server, an SQL engine in Go, with one instance for each branch.
// Branches live in memory and are kept between runs as SQL, one file each. It is good for a first look at a workflow; see
// [Memory.Limits] for what it is not good for.
type Memory struct {
	dir   string // "" keeps nothing
	lock  *flock.Flock
	quit  chan struct{}
	dirty chan struct{} // wakes the writer
	wg    sync.WaitGroup

	mu       sync.Mutex
	branches map[string]*memoryBranch
	closed   bool

	saving sync.Mutex // one writer at a time
	states atomic.Uint64
}

// settle is how long writes must have paused before a branch is written out on its own; Flush does not wait.
const settle = 30 * time.Millisecond

// setUpLibrary stops the engine's libraries from logging to standard error (what matters comes back as errors) and teaches them
// to print a table's text. Both are settings of the whole process there.
var setUpLibrary sync.Once

// NewMemory opens the engine on dir and loads the branches that an earlier one left there. An empty dir keeps nothing.
func NewMemory(dir string) (*Memory, error) {
	setUpLibrary.Do(func() {
		gms.GlobalSchemaFormatter = schemaText{&gms.MySqlSchemaFormatter{}}
		_ = gms.SystemVariables.AssignValues(map[string]any{ // it fails for unknown names only
			"version":          engineVersion,
			"collation_server": "utf8mb4_0900_ai_ci", "collation_connection": "utf8mb4_0900_ai_ci",
		})
		logrus.SetLevel(logrus.PanicLevel)
		nothing, nothingf := func(...any) {}, func(string, ...any) {}
		vitesslog.Info, vitesslog.Warning, vitesslog.Error = nothing, nothing, nothing
		vitesslog.Infof, vitesslog.Warningf, vitesslog.Errorf = nothingf, nothingf, nothingf
	})
	e := &Memory{quit: make(chan struct{}), dirty: make(chan struct{}, 1), branches: map[string]*memoryBranch{}}
	if dir == "" {
		return e, nil
	}
	var err error
	if e.dir, err = engineDir(dir, e.Name()); err != nil {
		return nil, err
	}
	if e.lock, err = lockEngine(e.dir); err != nil {
		return nil, err
	}
	if err := e.load(); err != nil {
		return nil, errors.Join(err, e.lock.Unlock())
	}
	e.wg.Add(1)
	go e.saveLater()
	return e, nil
}

// Name is "memory".
func (e *Memory) Name() string { return "memory" }

// Limits says, a sentence each, what this engine is not good for.
func (e *Memory) Limits() []string {
	return []string{
		"transactions are not MySQL's: there is one writer at a time on a branch, and reads see what was last committed",
		"savepoints, FOR SHARE, NOWAIT, functional and invisible indexes and ADD (a, b) are refused; partitions are forgotten",
		"a UNIQUE key does not ignore case, whatever the collation",
		"some of information_schema is not MySQL's: Django, for one, needs a real server",
		"it is slow on many rows: 100 000 take a minute and a half",
	}
}

func (e *Memory) load() error {
	// What a process was writing when it was killed.
	if half, err := filepath.Glob(filepath.Join(e.dir, "*.sql.new")); err == nil {
		for _, file := range half {
			os.Remove(file)
		}
	}
	files, err := filepath.Glob(filepath.Join(e.dir, "*.sql"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		id := strings.TrimSuffix(filepath.Base(file), ".sql")
		database, statements, err := parseDump(string(text))
		if err == nil {
			e.branches[id], err = e.newBranch(context.Background(), id, database, statements)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// Create makes an empty branch.
func (e *Memory) Create(ctx context.Context, id, database string) error {
	return e.add(ctx, id, database, nil)
}

// Clone makes a branch with the schema of another and the rows of some of its tables.
func (e *Memory) Clone(ctx context.Context, id, from string, withRows []string) error {
	source, err := e.branch(from)
	if err != nil {
		return err
	}
	statements, err := source.dump(ctx, func(table string) bool {
		for _, name := range withRows {
			if strings.EqualFold(name, table) {
				return true
			}
		}
		return false
	}, false)
	if err != nil {
		return err
	}
	return e.add(ctx, id, source.database, statements)
}

func (e *Memory) add(ctx context.Context, id, database string, statements []string) error {
	if err := checkID(id); err != nil {
		return err
	}
	b, err := e.newBranch(ctx, id, database, statements)
	if err != nil {
		return err
	}
	b.changed()
	e.mu.Lock()
	defer e.mu.Unlock()
	_, exists := e.branches[id]
	switch {
	case e.closed:
		err = errEngineClosed
	case exists:
		err = fmt.Errorf("branch %s exists", id)
	}
	if err != nil {
		b.close()
		return err
	}
	e.branches[id] = b
	return nil
}

// Backend says how to connect to a branch, over an in-process pipe.
func (e *Memory) Backend(_ context.Context, id string) (mysqlproxy.Backend, error) {
	b, err := e.branch(id)
	if err != nil {
		return mysqlproxy.Backend{}, err
	}
	return mysqlproxy.Backend{Dial: b.pipes.dial, User: branchAccount, Database: b.database}, nil
}

// State is a number that stays the same as long as nothing is written to a branch.
func (e *Memory) State(id string) (state uint64, known bool) {
	b, err := e.branch(id)
	if err != nil {
		return 0, false
	}
	return b.state.Load(), true
}

func (e *Memory) branch(id string) (*memoryBranch, error) {
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

// Drop ends the branch's connections and forgets it.
func (e *Memory) Drop(_ context.Context, id string) error {
	e.mu.Lock()
	b, ok := e.branches[id]
	delete(e.branches, id)
	e.mu.Unlock()
	if ok {
		b.close()
	}
	if e.dir == "" || checkID(id) != nil {
		return nil
	}
	e.saving.Lock() // a writer that had it in hand must not bring the file back
	defer e.saving.Unlock()
	if err := os.Remove(e.file(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (e *Memory) file(id string) string { return filepath.Join(e.dir, id+".sql") }

// Flush writes out the branches that have changed.
func (e *Memory) Flush(ctx context.Context) error {
	if e.dir == "" {
		return nil
	}
	e.saving.Lock()
	defer e.saving.Unlock()
	e.mu.Lock()
	var all []*memoryBranch
	for _, b := range e.branches {
		all = append(all, b)
	}
	e.mu.Unlock()
	var errs []error
	for _, b := range all {
		if !b.unsaved.Load() {
			continue
		}
		e.mu.Lock()
		alive := e.branches[b.id] == b
		e.mu.Unlock()
		if alive {
			errs = append(errs, e.save(ctx, b))
		}
	}
	return errors.Join(errs...)
}

// save writes a branch to its file, whole or not at all.
func (e *Memory) save(ctx context.Context, b *memoryBranch) error {
	b.unsaved.Store(false) // before reading: a write that comes now counts as new
	err := func() error {
		statements, err := b.dump(ctx, func(string) bool { return true }, true)
		if err != nil {
			return err
		}
		temp := e.file(b.id) + ".new"
		if err := os.WriteFile(temp, []byte(formatDump(b.database, statements)), 0o600); err != nil {
			return err
		}
		return os.Rename(temp, e.file(b.id))
	}()
	if err != nil {
		b.unsaved.Store(true)
		return fmt.Errorf("branch %s: %w", b.id, err)
	}
	return nil
}

// saveLater writes changes out soon after they were made, but leaves most of the time to the statements themselves.
func (e *Memory) saveLater() {
	defer e.wg.Done()
	pause := settle
	for {
		select {
		case <-e.quit:
			return
		case <-e.dirty:
		}
		select {
		case <-e.quit:
			return
		case <-time.After(pause):
		}
		start := time.Now()
		_ = e.Flush(context.Background()) // what failed stays unsaved, and the next Flush tells
		pause = max(settle, 10*time.Since(start))
	}
}

// Close writes out what has changed and ends all connections.
func (e *Memory) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.mu.Unlock()
	close(e.quit)
	e.wg.Wait()
	err := e.Flush(context.Background())
	e.mu.Lock()
	e.closed = true
	for _, b := range e.branches {
		b.close()
	}
	e.mu.Unlock()
	if e.lock != nil {
		err = errors.Join(err, e.lock.Unlock())
	}
	return err
}
