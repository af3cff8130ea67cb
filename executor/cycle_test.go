package executor_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// cycleOf are lags of 8 s to a branch, 5 s to the checks and 17 s to the end of
// the deployment of so many operations, which take their time one by one.
func cycleOf(operations int) emulator.Knobs {
	return emulator.Knobs{BranchReady: 8 * time.Second, Diff: 5 * time.Second, Queue: 500 * time.Millisecond,
		Deploy: 12 * time.Second / time.Duration(operations), Cutover: 2 * time.Second}
}

// The platform's own time in a cycle, and what pmig may add to it.
const (
	platformTime = 30 * time.Second
	mostOver     = 6 // per cent
	mostCalls    = 75
)

// TestCycle measures one apply, in the platform's time, beside a script that
// asks at a fixed interval and checks nothing.
func TestCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range shapes {
			w := newShape(t, cycleOf(s.operations), s)
			var calls atomic.Int64
			p := w.process(&disk{}, 0, goesWell)
			p.calls = &calls
			began := time.Now()
			if err := <-p.apply(t.Context()); err != nil {
				t.Fatal(err)
			}
			over := report(t, "pmig, "+s.name, time.Since(began), calls.Load())
			if over > mostOver || calls.Load() > mostCalls {
				t.Errorf("%s: %.1f %% over the platform's own time and %d calls, more than %d %% or %d", s.name, over, calls.Load(), mostOver, mostCalls)
				t.Log(strings.Join(p.seen, "\n"))
			}
		}
		for _, every := range []time.Duration{time.Second, 5 * time.Second, 10 * time.Second} {
			w := newShape(t, cycleOf(1), shapes[0])
			began := time.Now()
			calls := w.script(t, every)
			report(t, "a script that asks every "+every.String(), time.Since(began), calls)
		}
	})
}

func report(t *testing.T, who string, took time.Duration, calls int64) (over float64) {
	over = 100 * float64(took-platformTime) / float64(platformTime)
	t.Logf("%-40s %6.1f s, %5.1f %% over the platform's own %v, %3d calls", who, took.Seconds(), over, platformTime, calls)
	return over
}

// script does what a shell script does that has no guards: branch, password,
// migration, request, deploy, branch away.
func (w *world) script(t *testing.T, every time.Duration) (calls int64) {
	ctx := t.Context()
	must := func(err error) {
		calls++
		if err != nil {
			t.Fatal(err)
		}
	}
	wait := func(done func() bool) {
		for !done() {
			time.Sleep(every)
		}
	}
	_, err := w.api.CreateBranch(ctx, planetscale.NewBranch{Name: "work", Parent: "main"})
	must(err)
	wait(func() bool {
		b, err := w.api.Branch(ctx, "work")
		must(err)
		return b.Ready
	})
	p, err := w.api.CreatePassword(ctx, "work", planetscale.NewPassword{Name: "work", Role: "admin"})
	must(err)
	db, err := pool(p.Username, p.PlainText.Reveal(), "shop", w.e.DialMySQL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id))"); err != nil {
		t.Fatal(err)
	}
	q, err := w.api.CreateDeployRequest(ctx, planetscale.NewDeployRequest{Branch: "work", IntoBranch: "main", AutoCutover: true})
	must(err)
	reaches := func(states ...planetscale.State) func() bool {
		return func() bool {
			now, err := w.api.DeployRequest(ctx, q.Number)
			must(err)
			for _, s := range states {
				if now.DeploymentState == s {
					return true
				}
			}
			return false
		}
	}
	wait(reaches(planetscale.StateReady))
	_, err = w.api.Deploy(ctx, q.Number, false)
	must(err)
	wait(reaches(planetscale.StateComplete))
	must(w.api.DeletePassword(ctx, "work", p.ID))
	must(w.api.DeleteBranch(ctx, "work"))
	return calls
}
