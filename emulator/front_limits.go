package emulator

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/pmig/pmig/mysqlproxy"
)

// The platform's limits.
const (
	maxRows          = 100_000          // that one statement returns, updates or deletes
	maxStatement     = 64 << 20         // bytes of text
	transactionLimit = 20 * time.Second // of a transaction, and of a lock whose session does nothing
)

// limits holds one connection to what Vitess allows. A transaction that lasts too long is rolled back there and then, so that its
// locks are free, and the client learns of it with its next statement.
type limits struct {
	emulator *Emulator
	access   Access
	backend  mysqlproxy.Backend
	aside    mysqlproxy.Aside
	limit    time.Duration

	asked []lockCall // by the statement in hand; only the connection's own goroutine touches it

	mu          sync.Mutex
	closed      bool
	running     uint32 // the backend's connection while a statement is in hand
	transaction *time.Timer
	aborted     *mysqlproxy.Error // of a transaction that was ended, until the client ends it too
	held        map[string]bool   // locks, as SQL writes their names
	idle        *time.Timer       // runs while locks are held and nothing is done
	released    *mysqlproxy.Error // of locks that were taken away, until the client was told
}

func newLimits(e *Emulator, access Access, backend mysqlproxy.Backend) *limits {
	l := &limits{emulator: e, access: access, backend: backend, limit: e.options.TransactionLimit, held: map[string]bool{}}
	if l.limit <= 0 {
		l.limit = transactionLimit
	}
	return l
}

// close stops the clocks.
func (l *limits) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	stop(&l.transaction)
	stop(&l.idle)
}

func stop(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// before decides about a statement that is allowed otherwise.
func (l *limits) before(st *mysqlproxy.Statement) *mysqlproxy.Error {
	if l == nil || st.Command != mysqlproxy.Query && st.Command != mysqlproxy.Execute {
		return nil
	}
	if st.Truncated || len(st.SQL) > maxStatement {
		return &mysqlproxy.Error{Number: 1153, State: "08S01", Message: l.vttablet("ResourceExhausted",
			fmt.Sprintf("grpc: trying to send message larger than max (%d vs. %d)", max(len(st.SQL), maxStatement+1), maxStatement))}
	}
	if err := l.interrupted(st.SQL); err != nil {
		return err
	}
	if err := l.changesTooMany(st); err != nil {
		return err
	}
	l.asked = lockCalls(st)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = st.BackendConn
	stop(&l.idle)
	return nil
}

// interrupted is the error that the client has still to be told.
func (l *limits) interrupted(text string) (err *mysqlproxy.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err, l.released = l.released, nil; err != nil {
		return err
	}
	if err = l.aborted; err == nil {
		return nil
	}
	switch strings.ToUpper(firstWord(text)) {
	case "ROLLBACK":
		l.aborted = nil
		return nil
	case "COMMIT", "BEGIN", "START":
		l.aborted = nil
	}
	return err
}

// after looks at what a statement has left behind.
func (l *limits) after(st *mysqlproxy.Statement) {
	if l == nil || st.Command != mysqlproxy.Query && st.Command != mysqlproxy.Execute {
		return
	}
	l.note(st)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = 0
	if l.closed {
		return
	}
	switch word := strings.ToUpper(firstWord(st.SQL)); {
	case !st.InTransaction:
		stop(&l.transaction)
		if st.Err == nil {
			l.aborted = nil // its COMMIT was faster
		}
	case l.aborted != nil:
	case l.transaction == nil, word == "BEGIN", word == "START", word == "COMMIT", word == "ROLLBACK":
		stop(&l.transaction)
		id := time.Now().UnixNano()
		var t *time.Timer
		t = time.AfterFunc(l.limit, func() { l.abort(&t, id) })
		l.transaction = t
	}
	if len(l.held) > 0 {
		stop(&l.idle)
		var t *time.Timer
		t = time.AfterFunc(l.limit, func() { l.release(&t) })
		l.idle = t
	}
}

// abort ends the transaction.
func (l *limits) abort(t **time.Timer, id int64) {
	l.mu.Lock()
	if l.closed || l.transaction != *t {
		l.mu.Unlock()
		return
	}
	l.transaction, l.aborted = nil, l.ended("", id)
	running := l.running
	l.aside.Run("ROLLBACK")
	l.mu.Unlock()
	if running == 0 || l.emulator.engine.Name() != "mariadb" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db := openBackend(l.backend)
	defer db.Close()
	_, _ = db.ExecContext(ctx, "KILL QUERY "+strconv.FormatUint(uint64(running), 10)) // it may be over by itself
}

// release takes the session's locks away.
func (l *limits) release(t **time.Timer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.idle != *t {
		return
	}
	names := make([]string, 0, len(l.held))
	for name := range l.held {
		names = append(names, strings.Trim(name, "'"))
	}
	l.idle, l.held = nil, map[string]bool{}
	l.released = l.ended("held locks released: "+strings.Join(names, ", ")+": ", time.Now().UnixNano())
	l.aside.Run("SELECT RELEASE_ALL_LOCKS()")
}

// ended is the error of a transaction, or of what holds a lock, that has lasted too long.
func (l *limits) ended(before string, id int64) *mysqlproxy.Error {
	return &mysqlproxy.Error{Number: 1317, State: "70100", Message: before + l.vttablet("Aborted", fmt.Sprintf("transaction %d: ended at %s (exceeded timeout: %s)",
		id, time.Now().UTC().Format("2006-01-02 15:04:05.000 MST"), l.limit))}
}

// vttablet is an error's text as it comes through Vitess.
func (l *limits) vttablet(code, text string) string {
	return fmt.Sprintf("target: %s.-.primary: vttablet: rpc error: code = %s desc = %s (CallerID: planetscale-%s)", l.access.Database, code, text, l.access.Role)
}

// changesTooMany refuses an UPDATE or DELETE of too many rows. They are counted in another session: those that the transaction
// itself has added do not count. A statement with parameters is not looked at.
func (l *limits) changesTooMany(st *mysqlproxy.Statement) *mysqlproxy.Error {
	switch strings.ToUpper(firstWord(st.SQL)) {
	case "UPDATE", "DELETE":
	default:
		return nil
	}
	statement, err := statementParser.ParseStrictDDL(st.SQL)
	if err != nil {
		return nil
	}
	var from sqlparser.TableExprs
	var where *sqlparser.Where
	switch s := statement.(type) {
	case *sqlparser.Update:
		if from, where = s.TableExprs, s.Where; s.Limit != nil {
			return nil
		}
	case *sqlparser.Delete:
		if from, where = s.TableExprs, s.Where; s.Limit != nil {
			return nil
		}
	}
	parameters := false
	count := &sqlparser.Select{From: from, Where: where, SelectExprs: sqlparser.SelectExprs{&sqlparser.AliasedExpr{Expr: sqlparser.NewIntLiteral("1")}}}
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		_, is := node.(*sqlparser.Argument)
		parameters = parameters || is
		return true, nil
	}, count)
	if parameters {
		return nil
	}
	db := openBackend(l.backend)
	defer db.Close()
	var n int
	query := fmt.Sprintf("SELECT COUNT(*) FROM (%s LIMIT %d) AS rows_to_change", sqlparser.String(count), maxRows+1)
	if db.QueryRowContext(st.Context(), query).Scan(&n) != nil || n <= maxRows {
		return nil // what is wrong with it, the engine says
	}
	e := mysqlproxy.RowsExceeded(maxRows)
	e.Message = l.vttablet("Aborted", e.Message)
	return e
}

// lockCall is a call of a locking function in a statement.
type lockCall struct {
	kind sqlparser.LockingFuncType
	name string // as SQL writes it
}

var lockWords = regexp.MustCompile(`(?i)\b(get_lock|release_lock|release_all_locks)\s*\(`)

func lockCalls(st *mysqlproxy.Statement) (calls []lockCall) {
	if !lockWords.MatchString(st.SQL) {
		return nil
	}
	statement, err := statementParser.ParseStrictDDL(st.SQL)
	if err != nil {
		return nil
	}
	args, _ := st.Args()
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		f, ok := node.(*sqlparser.LockingFunc)
		if !ok {
			return true, nil
		}
		name := ""
		if p, ok := f.Name.(*sqlparser.Argument); ok {
			if n, err := strconv.Atoi(strings.TrimPrefix(p.Name, "v")); err == nil && n >= 1 && n <= len(args) {
				name = quoteString(args[n-1].Value)
			}
		} else if f.Name != nil {
			name = sqlparser.String(f.Name)
		}
		calls = append(calls, lockCall{f.Type, name})
		return true, nil
	}, statement)
	return calls
}

// note keeps account of the locks that the session holds. Whether it got one, another session can see.
func (l *limits) note(st *mysqlproxy.Statement) {
	for _, c := range l.asked {
		got := false
		if c.kind == sqlparser.GetLock && c.name != "" && st.Err == nil {
			db := openBackend(l.backend)
			var holder uint32
			got = db.QueryRowContext(st.Context(), "SELECT COALESCE(IS_USED_LOCK("+c.name+"), 0)").Scan(&holder) == nil && holder == st.BackendConn
			db.Close()
		}
		l.mu.Lock()
		switch {
		case got:
			l.held[c.name] = true
		case c.kind == sqlparser.ReleaseLock:
			delete(l.held, c.name)
		case c.kind == sqlparser.ReleaseAllLocks:
			clear(l.held)
		}
		l.mu.Unlock()
	}
	l.asked = nil
}
