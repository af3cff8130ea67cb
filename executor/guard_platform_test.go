package executor_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// What the platform does that nobody would expect of it: old pictures, lost
// answers, queues that do not move, a target that does.

// fault sets a fault and returns what takes it away again.
func (w *world) fault(f emulator.Fault) (end func()) {
	w.t.Helper()
	id, err := w.e.AddFault(f)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := w.e.RemoveFault(id); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *world) sql(statement string) {
	w.t.Helper()
	if _, err := w.e.SQL(context.Background(), "acme", "shop", "main", statement); err != nil {
		w.t.Fatal(err)
	}
}

// at runs something once, when a step begins.
func (w *world) at(step planner.Kind, do func()) {
	done := false
	w.event = func(e executor.Event) {
		if e.Type == executor.Note {
			w.t.Log(e.Step, e.Message)
		}
		if e.Type == executor.StepStart && e.Step == step && !done {
			done = true
			do()
		}
	}
}

// The checks of the request see the branch as it was made: no changes at all.
func TestOldPicture(t *testing.T) {
	for _, c := range []struct {
		name     string
		clears   time.Duration // after which the platform looks anew by itself; 0: never
		refresh  bool          // it does when it is asked to
		requests int
		refused  bool
	}{
		{"catches up", 20 * time.Second, false, 1, false},
		{"is refreshed", 0, true, 2, false},
		{"stays", 0, false, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, small())
				end := w.fault(emulator.Fault{Do: emulator.FaultStaleDiff})
				w.at(planner.DeployReview, func() {
					if c.clears > 0 {
						time.AfterFunc(c.clears, end)
					}
				})
				transport := rt(func(r *http.Request) (*http.Response, error) {
					if strings.HasSuffix(r.URL.Path, "/refresh-schema") {
						if !c.refresh {
							return &http.Response{StatusCode: 404, Header: http.Header{}, Body: http.NoBody}, nil
						}
						end()
					}
					return w.e.Transport().RoundTrip(r)
				})
				_, err := w.run(transport, "j").Apply(t.Context())
				all, _ := w.api.DeployRequests(t.Context(), planetscale.DeployRequestFilter{})
				if len(all) != c.requests {
					t.Errorf("%d requests were opened, want %d", len(all), c.requests)
				}
				if c.refused {
					if executor.OutcomeOf(err) != executor.Refused || !strings.Contains(err.Error(), "lacks what the migrations did") {
						t.Errorf("got %v", err)
					}
					if problem := w.problem(0, nil); problem != "" {
						t.Error(problem)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
					t.Error(problem)
				}
			})
		})
	}
}

// An answer is lost, and the same process finds its way.
func TestLostAnswers(t *testing.T) {
	for _, path := range []string{"/branches", "/deploy-requests", "/deploy"} {
		for _, effect := range []bool{true, false} {
			name := path + " carried out"
			if !effect {
				name = path + " not carried out"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, brief, small())
					lost := false
					transport := rt(func(r *http.Request) (*http.Response, error) {
						if r.Method != "POST" || !strings.HasSuffix(r.URL.Path, path) || lost {
							return w.e.Transport().RoundTrip(r)
						}
						lost = true
						if effect {
							if resp, err := w.e.Transport().RoundTrip(r); err == nil {
								resp.Body.Close()
							}
						}
						return nil, errBroken
					})
					_, err := w.run(transport, "j").Apply(t.Context())
					if err != nil && effect {
						t.Errorf("it was carried out: %v", err)
					}
					if err != nil {
						if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); err != nil {
							t.Errorf("again: %v", err)
						}
					}
					if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
						t.Error(problem)
					}
				})
			})
		}
	}
}

// A lost answer and a retry by whatever stands between have opened two requests.
func TestOpenedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		lost := false
		transport := rt(func(r *http.Request) (*http.Response, error) {
			if r.Method != "POST" || !strings.HasSuffix(r.URL.Path, "/deploy-requests") || lost {
				return w.e.Transport().RoundTrip(r)
			}
			lost = true
			for range 2 {
				again := r.Clone(r.Context())
				again.Body, _ = r.GetBody()
				if resp, err := w.e.Transport().RoundTrip(again); err != nil || resp.StatusCode != 201 {
					t.Errorf("open: %v, %v", resp, err)
				}
			}
			return nil, errBroken
		})
		sum, err := w.run(transport, "j").Apply(t.Context())
		if err != nil || sum.Request != 1 {
			t.Errorf("request %d, %v", sum.Request, err)
		}
		if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
			t.Error(problem)
		}
	})
}

// A deployment that never comes to its turn is cancelled when its time is up.
func TestQueuedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		end := w.fault(emulator.Fault{Do: emulator.FaultQueuePaused})
		r := w.run(w.e.Transport(), "j")
		r.WaitDeploy = 10 * time.Minute
		_, err := r.Apply(t.Context())
		if err == nil || !strings.Contains(err.Error(), "still queued after 10m0s; it was cancelled") {
			t.Errorf("got %v", err)
		}
		if problem := w.problem(0, nil); problem != "" {
			t.Error(problem)
		}
		end()
		if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); err != nil {
			t.Errorf("again: %v", err)
		}
		if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
			t.Error(problem)
		}
	})
}

// The target moves while the request waits: what still fits is deployed as it
// is, what does not is begun anew.
func TestTargetMoves(t *testing.T) {
	for _, c := range []struct {
		name, theirs string
		requests     int
		refused      string
	}{
		{"another column of the table", "ALTER TABLE c ADD COLUMN theirs int FIRST", 2, ""},
		{"the same column", "ALTER TABLE c ADD COLUMN x int", 3, "Duplicate column"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, small())
				if _, err := w.run(w.e.Transport(), "zero").Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.write("dbmate/2_d.sql", "-- migrate:up\nALTER TABLE c ADD COLUMN x int")
				w.at(planner.DeployStart, func() { w.sql(c.theirs) })
				_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
				all, _ := w.api.DeployRequests(t.Context(), planetscale.DeployRequestFilter{})
				if c.refused != "" {
					if err == nil {
						t.Error("a migration that cannot run any more was carried out")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(all) != c.requests {
					t.Errorf("%d requests, want %d", len(all), c.requests)
				}
				if problem := w.problem(2, map[string][]string{"h": {"1", "2"}}); problem != "" {
					t.Error(problem)
				}
				if got := w.query("SELECT column_name FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'c'"); len(got) != 3 {
					t.Errorf("columns %v, want three", got)
				}
			})
		})
	}
}

// The platform's copy of the history comes after pmig has seeded the branch.
func TestSeedChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		if _, err := w.run(w.e.Transport(), "zero").Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.write("dbmate/2_d.sql", "-- migrate:up\nALTER TABLE c ADD COLUMN x int")
		w.at(planner.Migrate, func() {
			branches, err := w.api.Branches(context.Background())
			if err != nil {
				t.Error(err)
			}
			for _, b := range branches {
				if b.Name != "main" {
					if _, err := w.e.SQL(context.Background(), "acme", "shop", b.Name, "INSERT INTO h VALUES ('2')"); err != nil {
						t.Error(err)
					}
				}
			}
		})
		if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if problem := w.problem(2, map[string][]string{"h": {"1", "2"}}); problem != "" {
			t.Error(problem)
		}
	})
}
