package executor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/state"
)

// paused is a journal after whose n-th record its run is paused, as by SIGSTOP
// or a partition, while its lease runs out.
type paused struct {
	executor.Journal
	left int
	wake func() // returns when the run goes on
	done bool
}

func (p *paused) Save(d *state.Document) error {
	err := p.Journal.Save(d)
	if p.left--; p.left == 0 {
		p.done = true
		p.wake()
	}
	return err
}

// TestTakenForDead pauses a run after its first, second, ... record. Another
// one, with the same journal, takes it for dead and goes on at once, either to
// its end or for a while; then the first wakes up. However far it had come,
// there is one deploy, the history is right and nothing is left over.
func TestTakenForDead(t *testing.T) {
	for _, asleep := range []time.Duration{0, 10 * time.Minute} {
		t.Run(fmt.Sprint(asleep), func(t *testing.T) {
			again, n := true, 0
			for n = 1; again && n < 100; n++ {
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { again = pauseOnce(t, asleep, n) })
				})
				if t.Failed() {
					return
				}
			}
			if n < 20 {
				t.Errorf("only %d records", n)
			}
		})
	}
}

func pauseOnce(t *testing.T, asleep time.Duration, n int) bool {
	w := newWorld(t, brief, log) // golang-migrate's library leaks a goroutine when its connection ends
	var second error
	var group sync.WaitGroup
	leases := &leases{}
	first := leases.run(w, "shared")
	journal := &paused{Journal: first.Journal, left: n, wake: func() {
		began := time.Now()
		group.Go(func() {
			r := leases.run(w, "shared") // the first one's has run out
			_, second = r.Apply(t.Context())
			if waited := time.Since(began); asleep == 10*time.Minute && waited > time.Minute {
				t.Errorf("the journal is there, and the second still took %v", waited)
			}
		})
		time.Sleep(asleep)
	}}
	first.Journal = journal
	_, err := first.Apply(t.Context())
	group.Wait()
	if err != nil || second != nil {
		t.Fatalf("the first: %v; the second: %v", err, second)
	}
	if problem := w.problem(1, map[string][]string{"dbmate_migrations": {"1", "2"}}); problem != "" {
		t.Fatal(problem)
	}
	return journal.done
}

// leases hands a lease to whoever asks, as if the one before had run out, and
// takes nothing from its holder any more: what a state database does.
type leases struct {
	mu    sync.Mutex
	fence int
}

// run makes a run with a lease on a journal.
func (l *leases) run(w *world, journal string) *executor.Run {
	r := w.run(w.e.Transport(), journal)
	f := &fenced{Journal: r.Journal, leases: l}
	r.Journal = f
	r.Lock = func(context.Context, state.Key, string) (func() error, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.fence++
		f.fence = l.fence
		return func() error { return nil }, nil
	}
	return r
}

type fenced struct {
	executor.Journal
	leases *leases
	fence  int
}

func (f *fenced) Save(d *state.Document) error {
	f.leases.mu.Lock()
	defer f.leases.mu.Unlock()
	if f.fence < f.leases.fence {
		return &state.StaleError{Where: state.Where{Row: "of a test"}, By: "the other"}
	}
	return f.Journal.Save(d)
}

// unreachable is a state database that does not answer.
type unreachable struct{ asked int }

var errRefused = &state.UnwritableError{Database: "state at db.test", Err: errors.New("connection refused")}

func (u *unreachable) Load(state.Key) (*state.Document, error) { u.asked++; return nil, errRefused }
func (u *unreachable) Save(*state.Document) error              { u.asked++; return errRefused }
func (u *unreachable) Lock(context.Context, state.Key, string) (func() error, error) {
	return nil, errRefused
}

// A run needs no journal: it says once that there is none and goes on. Without
// the lock it asks no further than whether something was left behind: what the
// journal says may be another run's.
func TestUnreachableJournal(t *testing.T) {
	for _, locked := range []bool{false, true} {
		t.Run(fmt.Sprintf("lock taken %v", locked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, pointer, log)
				said := 0
				w.event = func(e executor.Event) {
					if strings.Contains(e.Message, "state at db.test") {
						said++
					}
				}
				r := w.run(w.e.Transport(), "unused")
				u := &unreachable{}
				r.Journal, r.Lock = u, u.Lock
				if locked {
					r.Lock = func(context.Context, state.Key, string) (func() error, error) {
						return func() error { return nil }, nil
					}
				}
				if _, err := r.Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
				if said != 1 || !locked && u.asked > 1 {
					t.Errorf("said %d times, asked %d times", said, u.asked)
				}
				if problem := w.problem(1, map[string][]string{"schema_migrations": {"2"}, "dbmate_migrations": {"1", "2"}}); problem != "" {
					t.Error(problem)
				}
			})
		})
	}
}

// Without its tables a state database is a mistake, not a fault: nothing is done.
func TestMissingStateTables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, pointer)
		r := w.run(w.e.Transport(), "unused")
		r.Lock = func(context.Context, state.Key, string) (func() error, error) {
			return nil, &state.MissingTablesError{Database: "shop", Table: "pmig_lease"}
		}
		_, err := r.Apply(t.Context())
		var hint interface{ Hint() string }
		if !errors.As(err, &hint) || !strings.Contains(hint.Hint(), "pmig state init") {
			t.Errorf("%v", err)
		}
	})
}
