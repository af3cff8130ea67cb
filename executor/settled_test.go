package executor_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/state"
)

// A process whose files are all in the history leaves at once, whoever holds
// the lock, and with the few calls that tell it so.
func TestSettledTakesNoLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		store := state.NewFileStore(w.dir+"/j", "test")
		r := w.run(w.e.Transport(), "j")
		unlock, err := store.Lock(t.Context(), r.Key, "another")
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		calls := &breaking{next: w.e.Transport()}
		r = w.run(calls, "j")
		r.LockTimeout = 0
		sum, err := r.Apply(t.Context())
		if err != nil || !sum.Nothing {
			t.Errorf("%+v, %v", sum, err)
		}
		if calls.n > 3 { // a password, one list, the password's end
			t.Errorf("%d calls to find that there is nothing to do", calls.n)
		}
	})
}

// What a crash between the history and the end has left is removed by whoever
// comes next, without the journal too.
func TestSettledRemovesLeftovers(t *testing.T) {
	for _, journal := range []string{"j", "gone"} {
		t.Run(journal, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, small())
				cut := rt(func(r *http.Request) (*http.Response, error) {
					if r.Method == "DELETE" {
						return nil, errBroken
					}
					return w.e.Transport().RoundTrip(r)
				})
				sum, err := w.run(cut, "j").Apply(t.Context())
				if bs, _ := w.api.Branches(t.Context()); len(bs) != 2 {
					t.Fatalf("the branch should be left over: %v, %+v", err, sum)
				}
				if _, err := w.run(w.e.Transport(), journal).Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
				if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
					t.Error(problem)
				}
			})
		})
	}
}

// Wait ends soon after the history is there, and with Busy when it never is.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lags, small())
		began := time.Now()
		if _, err := w.run(w.e.Transport(), "w").Wait(t.Context(), time.Minute); executor.OutcomeOf(err) != executor.Busy || time.Since(began) < time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		waited := make(chan error, 1)
		go func() {
			_, err := w.run(w.e.Transport(), "w").Wait(t.Context(), time.Hour)
			waited <- err
		}()
		if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		done := time.Now()
		if err := <-waited; err != nil || time.Since(done) > 10*time.Second {
			t.Errorf("%v after the end: %v", time.Since(done), err)
		}
	})
}
