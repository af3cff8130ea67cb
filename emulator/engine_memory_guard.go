package emulator

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/memory"
	gms "github.com/dolthub/go-mysql-server/sql"
	vitess "github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
	"vitess.io/vitess/go/vt/sqlparser"
)

// memoryGuard stands before the engine's handler and gives it the isolation it lacks. By itself the engine writes back, at every
// commit, each table that the session has so much as read, so that of two writers one loses its rows without an error.
//
// Two locks put that right: run is held while a statement runs, and writer from a session's first write or locking read to
// the end of its transaction. A session that does not hold writer reads what was last committed.
type memoryGuard struct {
	vitess.Handler
	branch *memoryBranch
	run    sync.Mutex
	writer chan struct{}

	mu       sync.Mutex
	sessions map[uint32]*memorySession // by connection
}

type memorySession struct {
	session *memory.Session // nil before the first statement
	writing bool            // it holds the branch's writer lock
}

// lockWait is InnoDB's default lock wait timeout.
const lockWait = 50 * time.Second

func (g *memoryGuard) newSession(ctx context.Context, c *vitess.Conn, addr string) (gms.Session, error) {
	s, err := memory.NewSessionBuilder(g.branch.provider)(ctx, c, addr)
	if err != nil {
		return nil, err
	}
	g.session(c).session = s.(*memory.Session)
	return s, nil
}

// session is a connection's; only that connection's goroutine uses it.
func (g *memoryGuard) session(c *vitess.Conn) *memorySession {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.sessions[c.ConnectionID]
	if !ok {
		s = &memorySession{}
		g.sessions[c.ConnectionID] = s
	}
	return s
}

// ConnectionClosed lets go of what the connection held; an open transaction is thereby rolled back.
func (g *memoryGuard) ConnectionClosed(c *vitess.Conn) {
	g.run.Lock()
	defer g.run.Unlock()
	g.release(g.session(c))
	g.Handler.ConnectionClosed(c)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, c.ConnectionID)
}

// ComResetConnection gives the connection a new session.
func (g *memoryGuard) ComResetConnection(c *vitess.Conn) error {
	g.run.Lock()
	defer g.run.Unlock()
	g.release(g.session(c))
	return g.Handler.ComResetConnection(c)
}

func (g *memoryGuard) release(s *memorySession) {
	if s.writing {
		s.writing = false
		<-g.writer
	}
}

// ComQuery runs one statement.
func (g *memoryGuard) ComQuery(ctx context.Context, c *vitess.Conn, query string, callback vitess.ResultSpoolFn) error {
	return g.statement(ctx, c, query, false, callback, func(query string, spool vitess.ResultSpoolFn) error {
		return g.Handler.ComQuery(ctx, c, query, spool)
	})
}

// ComMultiQuery runs the first statement of several.
func (g *memoryGuard) ComMultiQuery(ctx context.Context, c *vitess.Conn, query string, callback vitess.ResultSpoolFn) (string, error) {
	first, rest := splitFirst(query)
	return rest, g.statement(ctx, c, first, rest != "", callback, func(query string, spool vitess.ResultSpoolFn) error {
		return g.Handler.ComQuery(ctx, c, query, spool)
	})
}

// ComStmtExecute runs a prepared statement.
func (g *memoryGuard) ComStmtExecute(ctx context.Context, c *vitess.Conn, prepare *vitess.PrepareData, callback func(*sqltypes.Result) error) error {
	spool := func(r *sqltypes.Result, _ bool) error { return callback(r) }
	return g.statement(ctx, c, prepare.PrepareStmt, false, spool, func(_ string, spool vitess.ResultSpoolFn) error {
		return g.Handler.ComStmtExecute(ctx, c, prepare, func(r *sqltypes.Result) error { return spool(r, false) })
	})
}

// ComPrepare prepares a statement, in the engine's words if it does not understand the client's.
func (g *memoryGuard) ComPrepare(ctx context.Context, c *vitess.Conn, query string, p *vitess.PrepareData) (fields []*querypb.Field, err error) {
	g.run.Lock()
	defer g.run.Unlock()
	defer caught(query, &err)
	g.fresh(g.session(c))
	fields, err = g.Handler.ComPrepare(ctx, c, query, p)
	if again := reworded(query, err); again != "" {
		p.PrepareStmt = again
		fields, err = g.Handler.ComPrepare(ctx, c, again, p)
	}
	return fields, numbered(err)
}

// statement runs a statement under the locks it needs. Its result is handed on after they are let go, so that a slow client stops
// nobody.
func (g *memoryGuard) statement(ctx context.Context, c *vitess.Conn, query string, more bool, callback vitess.ResultSpoolFn, exec func(string, vitess.ResultSpoolFn) error) error {
	var results []*sqltypes.Result
	err := g.locked(ctx, c, query, func() (err error) {
		defer caught(query, &err)
		// The handler reuses a result's memory once it is handed on.
		spool := func(r *sqltypes.Result, _ bool) error {
			c := r.Copy()
			for _, row := range c.Rows { // the copy shares the values' bytes, which the handler uses again
				for i, v := range row {
					row[i] = sqltypes.MakeTrusted(v.Type(), append([]byte(nil), v.Raw()...))
				}
			}
			results = append(results, c)
			return nil
		}
		err = exec(query, spool)
		if again := reworded(query, err); again != "" {
			results = nil
			err = exec(again, spool)
		}
		if err != nil {
			if parts := separated(query); parts != nil && exec(parts[0], spool) == nil {
				results = nil
				if err = exec(parts[1], spool); err != nil {
					results = nil
					_ = exec(parts[2], spool)
				}
			}
		}
		return err
	})
	if err != nil {
		return numbered(err)
	}
	for _, r := range results {
		if err := callback(r, more); err != nil {
			return err
		}
	}
	return nil
}

func (g *memoryGuard) locked(ctx context.Context, c *vitess.Conn, query string, run func() error) error {
	if waitsItself.MatchString(query) {
		return run() // it touches no table, and would make everybody wait with it
	}
	s := g.session(c)
	writes := !readsOnly(query)
	held := s.writing
	if writes && !held && !endsTransaction(query) {
		select {
		case g.writer <- struct{}{}:
		default:
			timeout := time.NewTimer(lockWait)
			defer timeout.Stop()
			select {
			case g.writer <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			case <-g.branch.pipes.done:
				return vitess.NewSQLError(vitess.ERServerShutdown, vitess.SSUnknownSQLState, "the server is stopping")
			case <-timeout.C:
				return vitess.NewSQLError(vitess.ERLockWaitTimeout, vitess.SSUnknownSQLState, "Lock wait timeout exceeded; try restarting transaction")
			}
		}
		s.writing = true
	}
	g.run.Lock()
	defer g.run.Unlock()
	if !held {
		g.fresh(s)
	}
	err := run()
	if !s.inTransaction() {
		if tx := s.transaction(); tx != nil { // a statement that failed leaves its own behind
			_ = s.session.Rollback(nil, tx)
			s.session.SetTransaction(nil)
		}
		g.release(s)
	}
	if writes {
		g.branch.changed()
	}
	return err
}

// fresh lets a session that has written nothing see what others have committed since its last statement.
func (g *memoryGuard) fresh(s *memorySession) {
	if s.writing && s.inTransaction() {
		return
	}
	if tx := s.transaction(); tx != nil {
		kind := gms.ReadWrite
		if tx.IsReadOnly() {
			kind = gms.ReadOnly
		}
		if tx, err := s.session.StartTransaction(nil, kind); err == nil {
			s.session.SetTransaction(tx)
		}
	}
}

func (s *memorySession) transaction() gms.Transaction {
	if s.session == nil {
		return nil
	}
	return s.session.GetTransaction()
}

// inTransaction says that the session has begun a transaction, and not just a statement.
func (s *memorySession) inTransaction() bool {
	if s.transaction() == nil {
		return false
	}
	if s.session.GetIgnoreAutoCommit() {
		return true
	}
	on, err := s.session.GetSessionVariable(gms.NewEmptyContext(), gms.AutoCommitSessionVar)
	if err != nil {
		return true
	}
	auto, err := gms.ConvertToBool(nil, on)
	return err != nil || !auto
}

// caught turns a panic of the engine into an error, so that it costs one statement and not the connection.
func caught(query string, err *error) {
	if x := recover(); x != nil {
		*err = vitess.NewSQLError(vitess.ERUnknownError, vitess.SSUnknownSQLState, "the memory engine failed on %.80q: %v", query, x)
	}
}

var (
	waitsItself = regexp.MustCompile(`(?i)\b(get_lock|release_lock|release_all_locks|sleep)\s*\(`)
	locksRows   = regexp.MustCompile(`(?i)\b(for\s+update|for\s+share|lock\s+in\s+share\s+mode|insert|update|delete|replace)\b`)
)

// readsOnly says that a statement changes no data and takes no row locks. When in doubt, it does.
func readsOnly(query string) bool {
	switch strings.ToUpper(firstWord(query)) {
	case "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "SET", "USE", "BEGIN", "START", "KILL", "VALUES", "":
		return true
	case "SELECT", "WITH", "TABLE", "(":
		return !locksRows.MatchString(query)
	}
	return false
}

func endsTransaction(query string) bool {
	switch strings.ToUpper(firstWord(query)) {
	case "COMMIT", "ROLLBACK":
		return true
	}
	return false
}

// reworded is the statement as Vitess's parser prints it, every name quoted, if the engine's parser refused it and Vitess's does not:
// the engine takes "AFTER name" and the like for syntax errors. It is "" when there is nothing to try.
func reworded(query string, err error) string {
	e, ok := err.(*vitess.SQLError)
	if !ok || !strings.Contains(e.Message, "syntax error") {
		return ""
	}
	statement, parseErr := statementParser.ParseStrictDDL(query)
	if parseErr != nil {
		return ""
	}
	if again := sqlparser.CanonicalString(statement); again != query {
		return again
	}
	return ""
}

// separated is an ALTER TABLE as two, and a third that takes the columns of the first back: the engine does not see in a
// constraint the columns that the same statement adds. It is nil for any other statement.
func separated(query string) []string {
	if !strings.EqualFold(firstWord(query), "ALTER") {
		return nil
	}
	statement, err := statementParser.ParseStrictDDL(query)
	alter, ok := statement.(*sqlparser.AlterTable)
	if err != nil || !ok {
		return nil
	}
	columns, constraints, back := *alter, *alter, *alter
	columns.AlterOptions, constraints.AlterOptions, back.AlterOptions = nil, nil, nil
	for _, o := range alter.AlterOptions {
		switch o := o.(type) {
		case *sqlparser.AddConstraintDefinition:
			constraints.AlterOptions = append(constraints.AlterOptions, o)
			continue
		case *sqlparser.AddColumns:
			for _, c := range o.Columns {
				back.AlterOptions = append(back.AlterOptions, &sqlparser.DropColumn{Name: &sqlparser.ColName{Name: c.Name}})
			}
		}
		columns.AlterOptions = append(columns.AlterOptions, o)
	}
	if len(back.AlterOptions) == 0 || len(constraints.AlterOptions) == 0 {
		return nil
	}
	return []string{sqlparser.CanonicalString(&columns), sqlparser.CanonicalString(&constraints), sqlparser.CanonicalString(&back)}
}

// engineErrors are the numbers that MySQL gives to what the engine reports as 1105, by the engine's words.
var engineErrors = []struct {
	text   *regexp.Regexp
	number int
	state  string
}{
	{regexp.MustCompile(`^syntax error`), 1064, "42000"},
	{regexp.MustCompile(`(?i)^table with name .* already exists|^table .* already exists`), 1050, "42S01"},
	{regexp.MustCompile(`(?i)^(table|view) .* (not found|does not exist)|^table not found`), 1146, "42S02"},
	{regexp.MustCompile(`(?i)^unknown column|column .* could not be found|table .* does not have column`), 1054, "42S22"},
	{regexp.MustCompile(`(?i)^column .* already exists|duplicate column`), 1060, "42S21"},
	{regexp.MustCompile(`(?i)duplicate key name|^index .* already exists|already exists on table`), 1061, "42000"},
	{regexp.MustCompile(`(?i)can't drop '|^index .* was not found|unable to drop index`), 1091, "42000"},
	{regexp.MustCompile(`(?i)^field .* doesn't have a default value|has no default value`), 1364, "HY000"},
	{regexp.MustCompile(`(?i)is too long for column|^string .* is too large|too large for column`), 1406, "22001"},
	{regexp.MustCompile(`(?i)^ambiguous column`), 1052, "23000"},
	{regexp.MustCompile(`(?i)number of (values|columns) does not match|column count doesn't match`), 1136, "21S01"},
}

// numbered gives an error of the engine the number that MySQL would.
func numbered(err error) error {
	e, ok := err.(*vitess.SQLError)
	if !ok || e.Num != vitess.ERUnknownError {
		return err
	}
	for _, known := range engineErrors {
		if known.text.MatchString(e.Message) {
			return vitess.NewSQLError(known.number, known.state, "%s", e.Message)
		}
	}
	return err
}
