package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"pgregory.net/rapid"

	"github.com/pmig/pmig/migration"
)

// Random histories: two writers, the platform's own copy and the swap, each
// move of the others started just before some packet that the swap sends. What
// everybody was told and what the table holds in the end must be explained by
// some order of whole moves: no row lost, none invented, or refused.

// tale is one random history, as plain data.
type tale struct {
	Stop    bool      // the caller does not confirm what the swap wrote
	Base    int       // rows, or where the pointer stands
	Ours    int       // rows, or versions that the pointer gains
	Writers [2][]move // in order
}

// move is what another writer does, once the swap is about to send a packet.
type move struct {
	Kind   string
	N      int
	Packet int64
}

// stage is where tales of one kind of table are played.
type stage struct {
	name, create       string
	spec               migration.Spec
	kinds              []string // of moves, the more frequent ones more than once
	reach              []int    // values of a move's N that make a difference
	seed               func(t tale) []string
	run                func(t tale) []string // what the tool does on the branch
	sql                func(s *stage, t tale, m move) []string
	model              rules
	production, branch *sql.DB
	other              [2]*sql.DB
}

// rules are what moves and the swap do to a table, told without SQL.
type rules interface {
	start(t tale) rows
	move(before rows, t tale, m move, did outcome, branch rows) rows
	// swap gives the rows afterwards, and false for a refusal.
	swap(before rows, t tale, base, branch rows) (rows, bool)
}

// outcome is what the database told a writer.
type outcome struct {
	refused  bool // by a duplicate key
	affected int64
	id       int64 // first that the server gave
}

// op is a move or the swap, with the span in which it happened.
type op struct {
	from, to int64
	swap     bool
	refused  bool // of the swap: it wrote nothing because of what it found
	stopped  bool // or for a reason of its own
	m        move
	did      outcome
}

func (s *stage) open(t testing.TB) *stage {
	s.production, s.branch = database(t), database(t)
	exec(t, s.production, s.create)
	exec(t, s.branch, s.create)
	for i := range s.other {
		s.other[i] = connect(t, name(t, s.production))
	}
	return s
}

func (s *stage) draw(rt *rapid.T) tale {
	t := tale{Stop: rapid.IntRange(0, 7).Draw(rt, "stop") == 0, Base: rapid.IntRange(0, 3).Draw(rt, "base"), Ours: rapid.IntRange(1, 3).Draw(rt, "ours")}
	for w := range t.Writers {
		for range rapid.IntRange(0, 3).Draw(rt, "moves") {
			t.Writers[w] = append(t.Writers[w], move{rapid.SampledFrom(s.kinds).Draw(rt, "kind"),
				rapid.IntRange(0, 3).Draw(rt, "n"), rapid.Int64Range(1, 12).Draw(rt, "packet")})
		}
	}
	return t
}

// short are all tales in which one move meets the swap, at any packet.
func (s *stage) short() []tale {
	var tales []tale
	seen := map[string]bool{}
	for _, kind := range s.kinds {
		for base := range 2 {
			for _, n := range s.reach {
				for packet := range int64(9) {
					if !seen[kind] {
						tales = append(tales, tale{Base: base, Ours: 2, Writers: [2][]move{{{kind, n, packet + 1}}}})
					}
				}
			}
		}
		seen[kind] = true
	}
	return tales
}

// swapper is the swap, or a naive one that must be found out.
type swapper func(ctx context.Context, db *sql.DB, s *stage, base *migration.History, d migration.Delta, stop bool) error

var errStop = errors.New("not confirmed")

func properSwap(ctx context.Context, db *sql.DB, s *stage, base *migration.History, d migration.Delta, stop bool) error {
	_, err := migration.Swap(ctx, db, s.spec, base, d, migration.SwapOptions{Attempts: 30, Confirm: func(context.Context) error {
		if stop {
			return errStop
		}
		return nil
	}})
	return err
}

// play tells a tale, and says so if no order of moves explains how it ends. With
// lenient set the swap may give up for any reason, if only it writes nothing.
func (s *stage) play(t testing.TB, what tale, swap swapper, lenient bool, ends map[string]int) error {
	table := s.spec.HistoryTable()
	exec(t, s.production, "DELETE FROM "+table)
	exec(t, s.production, s.seed(what)...)
	exec(t, s.branch, "DELETE FROM "+table)
	base := read(t, s.production, s.spec)
	if err := migration.Seed(t.Context(), s.branch, s.spec, base); err != nil {
		t.Fatal(err)
	}
	exec(t, s.branch, s.run(what)...)
	after := read(t, s.branch, s.spec)
	gained, err := migration.Gained(s.spec, base, after)
	if err != nil {
		t.Fatal(err)
	}

	var clock atomic.Int64
	var writers [2]*writer
	for i := range writers {
		writers[i] = startWriter(t, s, what, what.Writers[i], s.other[i], &clock)
	}
	db := connect(t, name(t, s.production), func(c *mysql.Config) {
		c.InterpolateParams = true
		network, address := c.Net, c.Addr
		var sent atomic.Int64
		c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return prompter{conn, func() {
				n := sent.Add(1)
				for _, w := range writers {
					w.due(n)
				}
			}}, err
		}
	})
	ours := op{swap: true, from: clock.Add(1)}
	err = swap(t.Context(), db, s, base, gained, what.Stop)
	ours.to = clock.Add(1)
	db.Close()
	ops := []op{ours}
	for _, w := range writers {
		ops = append(ops, w.finish()...)
	}
	switch {
	case err == nil:
		ends["written"]++
	case err == errStop, lenient && err != nil:
		ops[0].stopped = true
		ends["stopped"]++
	case isRefusal(err):
		ops[0].refused = true
		ends["refused"]++
	default:
		return err
	}
	found := rowsIn(read(t, s.production, s.spec))
	if err == nil && s.invented(what, found) {
		return fmt.Errorf("the platform's copy and the swap wrote a row twice: %v", found)
	}
	if lenient { // which numbers the rows have is another matter
		found = found.unnumbered()
	}
	if s.explain(what, rowsIn(base), rowsIn(after), ops, s.model.start(what).with(rowsIn(base)), found, lenient) {
		return nil
	}
	return fmt.Errorf("no order of these explains the rows %v from %v, on the branch %v:\n%s", found, rowsIn(base), rowsIn(after), told(ops))
}

func isRefusal(err error) bool {
	var drift *migration.DriftError
	var dirty *migration.DirtyError
	return errors.As(err, &drift) || errors.As(err, &dirty)
}

// explain searches an order of the operations that agrees with when they
// happened, with what was told, and with the rows found at the end.
func (s *stage) explain(t tale, base, branch rows, left []op, now, found rows, lenient bool) bool {
	if len(left) == 0 {
		if lenient {
			now = now.unnumbered()
		}
		return now.equal(found)
	}
	for i, o := range left {
		first := true
		for _, other := range left {
			first = first && other.to >= o.from
		}
		if !first {
			continue
		}
		after, agreed := now, true
		switch {
		case o.swap && !o.stopped:
			after, agreed = s.model.swap(now.clone(), t, base, branch)
		case !o.swap:
			after = s.model.move(now.clone(), t, o.m, o.did, branch)
		}
		rest := append(append([]op(nil), left[:i]...), left[i+1:]...)
		if agreed != o.refused && s.explain(t, base, branch, rest, after, found, lenient) {
			return true
		}
	}
	return false
}

// invented reports whether a row of ours is there twice although nobody but the
// swap and the platform's copy, which goes by ids, wrote it.
func (s *stage) invented(t tale, found rows) bool {
	for _, m := range append(t.Writers[0], t.Writers[1]...) {
		if m.Kind != "another" && m.Kind != "copy by id" {
			return false
		}
	}
	for _, r := range found {
		if len(found.keyed(r.key)) > 1 {
			return true
		}
	}
	return false
}

func told(ops []op) string {
	var b strings.Builder
	for _, o := range ops {
		switch {
		case o.swap:
			fmt.Fprintf(&b, "%d-%d the swap, refused: %v, stopped: %v\n", o.from, o.to, o.refused, o.stopped)
		default:
			fmt.Fprintf(&b, "%d-%d %+v: %+v\n", o.from, o.to, o.m, o.did)
		}
	}
	return b.String()
}

// writer makes its moves one after the other on a connection of its own.
type writer struct {
	moves []move
	next  int
	queue chan move
	ended chan struct{} // after each move
	done  chan struct{}
	ops   []op
}

func startWriter(t testing.TB, s *stage, what tale, moves []move, db *sql.DB, clock *atomic.Int64) *writer {
	w := &writer{moves: moves, queue: make(chan move, len(moves)), ended: make(chan struct{}, len(moves)), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for m := range w.queue {
			o := op{m: m, from: clock.Add(1)}
			o.did = transact(t, db, s.sql(s, what, m))
			o.to = clock.Add(1)
			w.ops = append(w.ops, o)
			w.ended <- struct{}{}
		}
	}()
	return w
}

// due starts the moves that wait for a packet and gives each a moment; one that
// has to wait for the swap's locks goes on by itself.
func (w *writer) due(packet int64) {
	for w.next < len(w.moves) && w.moves[w.next].Packet <= packet {
		w.queue <- w.moves[w.next]
		w.next++
		select {
		case <-w.ended:
		case <-time.After(4 * time.Millisecond):
		}
	}
}

// finish makes the moves that are left and waits for all.
func (w *writer) finish() []op {
	w.due(1 << 60)
	close(w.queue)
	<-w.done
	return w.ops
}

// transact runs statements in a transaction, again after a deadlock.
func transact(t testing.TB, db *sql.DB, statements []string) outcome {
	for {
		did, err := attempt(db, statements)
		var m *mysql.MySQLError
		switch {
		case err == nil:
			return did
		case errors.As(err, &m) && (m.Number == 1213 || m.Number == 1205 || m.Number == 1467):
		case errors.As(err, &m) && m.Number == 1062:
			return outcome{refused: true}
		default:
			t.Errorf("%v: %v", statements, err)
			return outcome{}
		}
	}
}

func attempt(db *sql.DB, statements []string) (outcome, error) {
	tx, err := db.Begin()
	if err != nil {
		return outcome{}, err
	}
	defer tx.Rollback()
	var did outcome
	for _, s := range statements {
		r, err := tx.Exec(s)
		if err != nil {
			return outcome{}, err
		}
		n, _ := r.RowsAffected()
		id, _ := r.LastInsertId()
		did.affected += n
		did.id = max(did.id, id)
	}
	return did, tx.Commit()
}

// prompter calls before each packet that goes out.
type prompter struct {
	net.Conn
	before func()
}

func (p prompter) Write(b []byte) (int, error) {
	p.before()
	return p.Conn.Write(b)
}

func TestRandomHistories(t *testing.T) {
	for _, s := range stages(t) {
		t.Run(s.name, func(t *testing.T) {
			s.open(t)
			ends := map[string]int{}
			for _, what := range s.short() {
				if err := s.play(t, what, properSwap, false, ends); err != nil {
					t.Fatalf("%+v: %v", what, err)
				}
			}
			t.Log("one move:", ends)
			rapid.Check(t, func(rt *rapid.T) {
				what := s.draw(rt)
				if err := s.play(t, what, properSwap, false, ends); err != nil {
					rt.Fatalf("%+v: %v", what, err)
				}
			})
			t.Log(ends)
			if ends["written"] == 0 || ends["refused"] == 0 || ends["stopped"] == 0 {
				t.Errorf("ends that never came up: %v", ends)
			}
		})
	}
}

func scalarOf(db *sql.DB) string {
	var name string
	if err := db.QueryRow("SELECT database()").Scan(&name); err != nil {
		panic(err)
	}
	return name
}
