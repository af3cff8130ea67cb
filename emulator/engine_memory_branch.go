package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	gms "github.com/dolthub/go-mysql-server/sql"
	vitess "github.com/dolthub/vitess/go/mysql"
)

// memoryBranch is one branch: an engine with one database, and a MySQL server on pipes.
type memoryBranch struct {
	id, database string
	engine       *sqle.Engine
	provider     *memory.DbProvider
	pipes        *pipeListener
	guard        *memoryGuard
	unsaved      atomic.Bool
	wake         chan<- struct{} // the writer's
	state        atomic.Uint64   // another number after every write
	states       *atomic.Uint64  // the numbers given so far, to all branches
}

// making is held while an engine is made: go-mysql-server sets process-wide
// variables then, and does not guard them.
var making sync.Mutex

func newEngine(p gms.DatabaseProvider) *sqle.Engine {
	making.Lock()
	defer making.Unlock()
	return sqle.NewDefault(p)
}

func (e *Memory) newBranch(ctx context.Context, id, database string, statements []string) (*memoryBranch, error) {
	db := memory.NewDatabase(database)
	db.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(db)
	b := &memoryBranch{id: id, database: database, provider: provider, pipes: newPipeListener(), wake: e.dirty, states: &e.states}
	b.engine = newEngine(quietProvider{provider})
	if err := db.SetCollation(b.context(ctx), gms.Collation_utf8mb4_0900_ai_ci); err != nil { // MySQL 8's default
		return nil, err
	}
	b.guard = &memoryGuard{branch: b, writer: make(chan struct{}, 1), sessions: map[uint32]*memorySession{}}
	if err := b.load(ctx, statements); err != nil {
		b.close()
		return nil, err
	}
	s, err := server.NewServerWithHandler(
		server.Config{Listener: b.pipes, Version: engineVersion},
		b.engine, gms.NewContext, b.guard.newSession, nil,
		func(h vitess.Handler) (vitess.Handler, error) {
			b.guard.Handler = h
			return b.guard, nil
		})
	if err != nil {
		b.close()
		return nil, err
	}
	go s.Listener.Accept()
	return b, nil
}

// quietProvider is what the engine sees of the databases; sessions work on them directly.
type quietProvider struct{ *memory.DbProvider }

// Database finds a database.
func (p quietProvider) Database(ctx *gms.Context, name string) (gms.Database, error) {
	db, err := p.DbProvider.Database(ctx, name)
	return quiet(db), err
}

// AllDatabases gives all of them.
func (p quietProvider) AllDatabases(ctx *gms.Context) []gms.Database {
	all := slices.Clone(p.DbProvider.AllDatabases(ctx))
	for i := range all {
		all[i] = quiet(all[i])
	}
	return all
}

func quiet(db gms.Database) gms.Database {
	if d, is := db.(*memory.Database); is {
		return quietDatabase{d}
	}
	return db
}

// quietDatabase does not name the tables that the engine keeps a FULLTEXT key in.
type quietDatabase struct{ *memory.Database }

var fulltextTable = regexp.MustCompile(`_FTS_(CONFIG|POSITION|DOC_COUNT|GLOBAL_COUNT|ROW_COUNT)$`)

// GetTableNames names the tables.
func (d quietDatabase) GetTableNames(ctx *gms.Context) ([]string, error) {
	names, err := d.Database.GetTableNames(ctx)
	return slices.DeleteFunc(slices.Clone(names), fulltextTable.MatchString), err
}

// changed notes that the branch differs from its file, and from what anybody has
// seen of it.
func (b *memoryBranch) changed() {
	b.state.Store(b.states.Add(1))
	b.unsaved.Store(true)
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *memoryBranch) close() {
	b.pipes.Close()
	b.engine.Close()
}

// context is a session of the branch's own, without a connection.
func (b *memoryBranch) context(ctx context.Context) *gms.Context {
	session := memory.NewSession(gms.NewBaseSession(), b.provider)
	c := gms.NewContext(ctx, gms.WithSession(session))
	c.SetCurrentDatabase(b.database)
	return c
}

// query runs one statement and gives each row to row, if there is one.
func (b *memoryBranch) query(ctx *gms.Context, statement string, row func(gms.Schema, gms.Row) error) (err error) {
	defer func() {
		if x := recover(); x != nil { // it panics on some input, like the drop of a table's last column
			err = fmt.Errorf("the memory engine failed on %.80q: %v", statement, x)
		}
	}()
	schema, rows, _, err := b.engine.Query(ctx, statement)
	if err != nil {
		return err
	}
	for {
		r, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return rows.Close(ctx) // this is where it commits
		}
		if err == nil && row != nil {
			err = row(schema, r)
		}
		if err != nil {
			return errors.Join(err, rows.Close(ctx))
		}
	}
}

// load runs the statements of a dump. Views wait for what they read, which may be another view.
func (b *memoryBranch) load(ctx context.Context, statements []string) error {
	c := b.context(ctx)
	queue := append([]string{"SET foreign_key_checks = 0", "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"}, statements...)
	for len(queue) > 0 {
		var later []string
		var failed error
		for _, s := range queue {
			err := b.query(c, s, nil)
			if err == nil {
				continue
			}
			failed = fmt.Errorf("%.120s: %w", s, err)
			if !strings.HasPrefix(s, "CREATE VIEW") {
				return failed
			}
			later = append(later, s)
		}
		if len(later) == len(queue) {
			return failed
		}
		queue = later
	}
	return nil
}

// pipeListener accepts connections made by its own dial.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}

	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{}), open: map[net.Conn]struct{}{}}
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	client, srv := net.Pipe()
	counted := &countedConn{Conn: srv}
	counted.closed = func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.open, counted)
	}
	l.mu.Lock()
	l.open[counted] = struct{}{}
	l.mu.Unlock()
	select {
	case l.conns <- counted:
		return client, nil
	case <-l.done:
		counted.Close()
		return nil, net.ErrClosed
	case <-ctx.Done():
		counted.Close()
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends the listener and every connection it made.
func (l *pipeListener) Close() error {
	l.mu.Lock()
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	var all []net.Conn
	for c := range l.open {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
