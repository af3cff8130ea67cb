package migration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/migration"
)

// breaker cuts a connection at the n-th packet that a client sends: before the
// server has it, or after, so that the answer is lost.
type breaker struct {
	n     int64
	after bool
	sent  atomic.Int64
	edit  func([]byte) []byte
}

func (b *breaker) dial(t testing.TB) func(*mysql.Config) {
	return func(c *mysql.Config) {
		network, address := c.Net, c.Addr
		c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &brokenConn{Conn: conn, b: b}, nil
		}
	}
}

type brokenConn struct {
	net.Conn
	b *breaker
}

func (c *brokenConn) Write(p []byte) (int, error) {
	if c.b.edit != nil {
		p = c.b.edit(p)
	}
	switch n := c.b.sent.Add(1); {
	case n != c.b.n:
		return c.Conn.Write(p)
	case c.b.after:
		_, err := c.Conn.Write(p)
		// Give the server time to carry it out; whether it did, nobody says.
		time.Sleep(5 * time.Millisecond)
		return len(p), errors.Join(err, c.Conn.Close())
	}
	c.Conn.Close()
	return 0, net.ErrClosed
}

// A connection that breaks at any packet of the swap, before or after the server
// has seen it: the rows are there once, whatever became of the first attempt.
func TestSwapOverBrokenConnections(t *testing.T) {
	for _, tool := range []string{"knex", "golang-migrate"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s after=%v", tool, after), func(t *testing.T) {
				p := prepare(t, fixtureOf(t, tool))
				historyTable := p.spec.HistoryTable()
				exec(t, p.production, "CREATE TABLE start AS SELECT * FROM "+historyTable)
				for n := int64(1); ; n++ {
					exec(t, p.production, "DELETE FROM "+historyTable, "INSERT INTO "+historyTable+" SELECT * FROM start")
					b := &breaker{n: n, after: after}
					db := connect(t, name(t, p.production), b.dial(t))
					result, err := migration.Swap(t.Context(), db, p.spec, p.base, p.gained, migration.SwapOptions{})
					if err != nil {
						t.Fatalf("packet %d: %v", n, err)
					}
					if result.Written+result.AlreadyThere != len(p.gained.Insert)+len(p.gained.Update) {
						t.Errorf("packet %d: %+v", n, result)
					}
					equal(t, fmt.Sprintf("rows after breaking packet %d", n), table(t, p.production, p.fixture.query), p.fixture.after)
					if b.sent.Load() < n {
						t.Logf("%d packets broken", n-1)
						return
					}
				}
			})
		}
	}
}

// The same for a repair.
func TestRewriteOverBrokenConnections(t *testing.T) {
	for tool, ask := range map[string]migration.Repair{
		"knex":           {Mark: []string{"20240101090000_notes.js"}, Unmark: []string{"20230301090000_orders.js"}, Unlock: true},
		"golang-migrate": {Mark: []string{"3"}},
	} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s after=%v", tool, after), func(t *testing.T) {
				f := fixtureOf(t, tool)
				spec, production := f.spec(t), database(t)
				exec(t, production, f.create...)
				files, _, err := migration.Files(f.files, spec)
				if err != nil {
					t.Fatal(err)
				}
				for n := int64(1); ; n++ {
					for _, name := range spec.Tables() {
						exec(t, production, "DELETE FROM "+name)
					}
					exec(t, production, f.applied...)
					if len(spec.LockTables()) > 0 {
						exec(t, production, "UPDATE "+spec.LockTables()[0]+" SET is_locked = 1")
					}
					seen := read(t, production, spec)
					want, err := migration.Repaired(spec, files, seen, ask, time.Now())
					if err != nil {
						t.Fatal(err)
					}
					b := &breaker{n: n, after: after}
					if err := migration.Rewrite(t.Context(), connect(t, name(t, production), b.dial(t)), spec, seen, want); err != nil {
						t.Fatalf("packet %d: %v", n, err)
					}
					now := read(t, production, spec)
					if len(now.Rows) != len(want.Rows) || migration.Compare(spec, files, now).Locked {
						t.Errorf("packet %d: %v", n, rowsOf(now))
					}
					if b.sent.Load() < n {
						t.Logf("%d packets broken", n-1)
						return
					}
				}
			})
		}
	}
}

func TestSwapGivesUpInTheEnd(t *testing.T) {
	p := prepare(t, fixtureOf(t, "dbmate"))
	attempts := 0
	db := connect(t, name(t, p.production), func(c *mysql.Config) {
		c.DialFunc = func(context.Context, string, string) (net.Conn, error) {
			attempts++
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
	})
	if _, err := migration.Swap(t.Context(), db, p.spec, p.base, p.gained, migration.SwapOptions{Attempts: 3}); err == nil || attempts != 3 {
		t.Errorf("got %v after %d attempts", err, attempts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := migration.Swap(ctx, p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// A refusal that no second attempt can change is final.
	reader := connect(t, name(t, p.production), func(c *mysql.Config) { c.Params = map[string]string{"tx_read_only": "1"} })
	start := time.Now()
	var refused *mysql.MySQLError
	if _, err := migration.Swap(t.Context(), reader, p.spec, p.base, p.gained, migration.SwapOptions{}); !errors.As(err, &refused) || refused.Number != 1792 {
		t.Errorf("read only: %v", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("took %v to give up", d)
	}
	equal(t, "rows", table(t, p.production, p.fixture.query), p.fixture.before)
}

// Errors that pass start the transaction over; others end the swap at once.
func TestSwapStartsOver(t *testing.T) {
	p := prepare(t, fixtureOf(t, "laravel"))
	for number, passes := range map[int]bool{1205: true, 1213: true, 1467: true, 1317: true, 1203: true, 1105: true, 1290: true, 2013: true, 1062: false, 1364: false, 1142: false} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			exec(t, p.production, "DELETE FROM migrations WHERE batch = 2",
				fmt.Sprintf("CREATE TRIGGER passing BEFORE INSERT ON migrations FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = %d, MESSAGE_TEXT = 'passing'", number))
			dropped := make(chan error, 1)
			go func() {
				time.Sleep(120 * time.Millisecond)
				_, err := p.production.Exec("DROP TRIGGER passing")
				dropped <- err
			}()
			_, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
			var refused *mysql.MySQLError
			if passes && err != nil || !passes && (!errors.As(err, &refused) || int(refused.Number) != number) {
				t.Errorf("got %v", err)
			}
			if err := <-dropped; err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A server on which a session can't choose the isolation level must have the
// right one.
func TestSwapWithoutChoiceOfIsolation(t *testing.T) {
	asked := []byte("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
	unknown := []byte("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE MUCH")
	for level, safe := range map[string]bool{"REPEATABLE-READ": true, "SERIALIZABLE": true, "READ-COMMITTED": false, "READ-UNCOMMITTED": false} {
		t.Run(level, func(t *testing.T) {
			p := prepare(t, fixtureOf(t, "laravel"))
			b := &breaker{edit: func(p []byte) []byte { return bytes.Replace(p, asked, unknown, 1) }}
			db := connect(t, name(t, p.production), b.dial(t), func(c *mysql.Config) { c.Params = map[string]string{"tx_isolation": "'" + level + "'"} })
			_, err := migration.Swap(t.Context(), db, p.spec, p.base, p.gained, migration.SwapOptions{})
			var isolation *migration.IsolationError
			switch {
			case safe && err != nil:
				t.Error(err)
			case !safe && (!errors.As(err, &isolation) || isolation.Level != level || isolation.Hint() == ""):
				t.Errorf("got %v, want an IsolationError", err)
			case !safe:
				equal(t, "rows", table(t, p.production, p.fixture.query), p.fixture.before)
			}
		})
	}
	// A gate that takes the statement and does nothing is found out.
	silent := []byte("SET @ignored = 'TRANSACTION ISOLATION, REPEATABLE READ'")[:len(asked)-1]
	q := prepare(t, fixtureOf(t, "laravel"))
	b := &breaker{edit: func(p []byte) []byte { return bytes.Replace(p, asked, append(silent, '\''), 1) }}
	gate := connect(t, name(t, q.production), b.dial(t), func(c *mysql.Config) { c.Params = map[string]string{"tx_isolation": "'READ-COMMITTED'"} })
	var isolation *migration.IsolationError
	if _, err := migration.Swap(t.Context(), gate, q.spec, q.base, q.gained, migration.SwapOptions{}); !errors.As(err, &isolation) || isolation.Level != "READ-COMMITTED" {
		t.Errorf("a gate that ignores the level: %v, want an IsolationError", err)
	}
	// Where the session can choose, its default does not matter.
	p := prepare(t, fixtureOf(t, "laravel"))
	db := connect(t, name(t, p.production), func(c *mysql.Config) { c.Params = map[string]string{"tx_isolation": "'READ-COMMITTED'"} })
	swap(t, db, p.spec, p.base, p.gained, migration.SwapOptions{})
}

// Many swaps at once on a table without rows, where everybody gets the same gap
// and all but one are deadlocked.
func TestSwapsAtOnce(t *testing.T) {
	const writers = 6
	spec := migration.Spec{Tool: tool(t, "laravel")}
	for _, tc := range []struct {
		name string
		key  func(i int) string
		rows int
	}{
		{"of different runs", func(i int) string { return fmt.Sprintf("2024_01_0%d_own", i) }, writers},
		{"of the same run", func(int) string { return "2024_01_01_shared" }, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			production, branch := database(t), database(t)
			exec(t, production, fixtureOf(t, "laravel").create...)
			exec(t, branch, fixtureOf(t, "laravel").create...)
			base := read(t, production, spec)
			var deltas [writers]migration.Delta
			for i := range deltas {
				exec(t, branch, "DELETE FROM migrations", "INSERT INTO migrations VALUES (1, '"+tc.key(i)+"', 1)")
				var err error
				if deltas[i], err = migration.Gained(spec, base, read(t, branch, spec)); err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			errs := make([]error, writers)
			for i := range deltas {
				wg.Go(func() {
					_, errs[i] = migration.Swap(t.Context(), production, spec, base, deltas[i], migration.SwapOptions{Attempts: 30})
				})
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			if rows := table(t, production, "SELECT id, migration FROM migrations ORDER BY id"); len(rows) != tc.rows {
				t.Errorf("%d rows: %v", len(rows), rows)
			}
		})
	}
}
