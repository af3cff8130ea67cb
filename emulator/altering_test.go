package emulator_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/mysqlproxy"
	"github.com/pmig/pmig/planetscale"
)

// turnstile is an engine that stops one connection to a branch where a test
// wants it: what happens at one moment happens in the order that is tested.
type turnstile struct {
	emulator.Engine
	mu      sync.Mutex
	branch  string // the id of the branch it watches
	pass    int    // connections that go on before one is stopped
	stopped chan struct{}
	clones  int
	cloning func() // called once, before a branch is made
}

func (g *turnstile) stop(branch string, pass int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.branch, g.pass, g.stopped = branch, pass, make(chan struct{})
}

func (g *turnstile) release() { close(g.stopped) }

func (g *turnstile) Backend(ctx context.Context, id string) (mysqlproxy.Backend, error) {
	g.mu.Lock()
	var stopped chan struct{}
	if id == g.branch {
		if g.pass--; g.pass < 0 {
			stopped, g.branch = g.stopped, ""
		}
	}
	g.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
	return g.Engine.Backend(ctx, id)
}

func (g *turnstile) Clone(ctx context.Context, id, from string, withRows []string) error {
	g.mu.Lock()
	first := g.cloning
	g.cloning = nil
	g.clones++
	g.mu.Unlock()
	if first != nil {
		first()
	}
	return g.Engine.Clone(ctx, id, from, withRows)
}

// inTurn runs a test in a bubble with a turnstile before the engine.
func inTurn(t *testing.T, f func(s *stage, g *turnstile)) {
	synctest.Test(t, func(t *testing.T) {
		g := &turnstile{}
		s := start(t, memory, func(o *emulator.Options) {
			g.Engine, o.Engine = o.Engine, g
			o.Knobs.RevertWindow = 30 * time.Minute
		})
		s.pause = 100 * time.Millisecond
		s.seed()
		f(s, g)
	})
}

// A revert gives a branch back what its changes are counted from. A check of
// another request of that branch which had begun before must not end with both
// halves: it would find no changes, and nothing would make it look again.
func TestCheckBesideRevert(t *testing.T) {
	inTurn(t, func(s *stage, g *turnstile) {
		work := s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)

		g.stop(work.ID, 0)
		m := s.open("work")
		synctest.Wait() // its check stands before the branch
		if _, err := s.shop.RevertDeploy(s.Context(), n); err != nil {
			s.Fatal(err)
		}
		s.await(n, planetscale.StateCompleteRevert)
		g.release()
		s.await(m, planetscale.StateReady)
		if diff := cmp.Diff([]planetscale.State{planetscale.StatePending, planetscale.StateReady}, s.states("#"+itoa(m))); diff != "" {
			s.Error(diff)
		}
	})
}

// A check that has read the target before a deployment ends after it.
func TestCheckBesideCutover(t *testing.T) {
	inTurn(t, func(s *stage, g *turnstile) {
		s.branch("one")
		s.branch("two")
		for _, name := range []string{"one", "two"} {
			s.sql(name, "CREATE TABLE notes (id int NOT NULL, PRIMARY KEY (id))")
		}
		n := s.open("one")
		s.await(n, planetscale.StateReady)
		main, err := s.shop.Branch(s.Context(), "main")
		if err != nil {
			s.Fatal(err)
		}
		g.stop(main.ID, 1) // one look at the schema, and then it counts rows
		m := s.open("two")
		synctest.Wait()
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)
		g.release()
		s.await(m, planetscale.StateNoChanges)
		if diff := cmp.Diff([]planetscale.State{planetscale.StatePending, planetscale.StateNoChanges}, s.states("#"+itoa(m))); diff != "" {
			s.Error(diff)
		}
	})
}

// A branch begins with a schema that its parent had at some moment.
func TestBranchBesideCutover(t *testing.T) {
	inTurn(t, func(s *stage, g *turnstile) {
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		g.cloning, g.clones = func() {
			s.deploy(n)
			s.await(n, planetscale.StateCompletePendingRevert)
		}, 0
		s.branch("late")
		if g.clones != 2 {
			s.Errorf("the branch was made %d times", g.clones)
		}
		if got := s.columns("late", "users"); got != "id email nick" {
			s.Errorf("the branch has %s", got)
		}
	})
}

// A branch may be deleted while a check reads it: that is no failure.
func TestCheckBesideDeletion(t *testing.T) {
	for name, then := range map[string]planetscale.State{"closed": planetscale.StatePending, "kept": planetscale.StateError} {
		t.Run(name, func(t *testing.T) {
			inTurn(t, func(s *stage, g *turnstile) {
				s.e.SetUnknowns(emulator.Unknowns{BranchDeleteKeepsRequest: name == "kept"})
				work := s.branch("work")
				g.stop(work.ID, 0)
				n := s.open("work")
				synctest.Wait()
				if err := s.shop.DeleteBranch(s.Context(), "work"); err != nil {
					s.Fatal(err)
				}
				synctest.Wait()
				g.release()
				synctest.Wait()
				s.await(n, then)
			})
		})
	}
}

// What a deployment changed is counted anew when it is reverted, and what the
// branch deploys beside it is not, whichever of the two is over first.
func TestRevertBesideParallel(t *testing.T) {
	for name, then := range map[string]planetscale.State{"after": planetscale.StateCompletePendingRevert, "during": planetscale.StateInProgress} {
		t.Run(name, func(t *testing.T) {
			inTurn(t, func(s *stage, _ *turnstile) {
				s.e.SetKnobs(emulator.Knobs{Deploy: time.Minute, RevertWindow: 30 * time.Minute})
				s.branch("work")
				s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
				n := s.open("work")
				s.await(n, planetscale.StateReady)
				s.deploy(n)
				s.await(n, planetscale.StateCompletePendingRevert)
				s.sql("work", "CREATE TABLE notes (id int NOT NULL, PRIMARY KEY (id))")
				m := s.open("work")
				s.await(m, planetscale.StateReady)
				if status, o := s.call("POST", d+"/deploy-requests/"+itoa(m)+"/deploy", `{"strategy":"parallel"}`); status != 200 {
					s.Fatal(status, o)
				}
				s.await(m, then)
				if _, err := s.shop.RevertDeploy(s.Context(), n); err != nil {
					s.Fatal(err)
				}
				s.await(n, planetscale.StateCompleteRevert)
				s.await(m, planetscale.StateCompletePendingRevert)
				s.sql("work", "ALTER TABLE notes ADD COLUMN body text")
				var got []string
				for _, op := range s.await(s.open("work"), planetscale.StateReady).Deployment.Operations {
					got = append(got, op.OperationName+" "+op.TableName)
				}
				if slices.Sort(got); !slices.Equal(got, []string{"ALTER notes", "ALTER users"}) {
					s.Errorf("operations: %v", got)
				}
			})
		})
	}
}
