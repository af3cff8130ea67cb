package executor_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planner"
)

// What the protocol's model test has found, each in a test of its own.

// lateSight sees no deploy requests at its first look: they are opened and
// deployed right after it.
type lateSight struct {
	executor.Planner
	n int
}

func (p *lateSight) Plan(ctx context.Context) (*planner.Database, *planner.Observation, error) {
	plan, seen, err := p.Planner.Plan(ctx)
	if p.n++; p.n == 1 && err == nil {
		seen.Requests = nil
	}
	return plan, seen, err
}

// A deployment whose history is owed is seen for the first time under the lock.
func TestOwedUnderTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		var away atomic.Bool
		w.at(planner.HistoryWrite, func() { away.Store(true) })
		_, err := w.run(rt(func(r *http.Request) (*http.Response, error) {
			if away.Load() {
				return nil, errBroken
			}
			return w.e.Transport().RoundTrip(r)
		}), "one").Apply(t.Context())
		t.Log("first:", err)
		w.event = nil
		r := w.run(w.e.Transport(), "two")
		r.Planner = &lateSight{Planner: r.Planner}
		if _, err := r.Apply(t.Context()); err != nil {
			t.Error(err)
		}
		if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
			t.Error(problem)
		}
	})
}

// A process that lost the lead takes its own run up again. The password with
// which it reads the target is not one of those that the run has left behind.
func TestTakesItsOwnRunUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		knobs := brief
		knobs.Deploy = 53 * time.Second // each of two tables: longer than until the first renewal
		w := newWorld(t, knobs, small())
		w.event = func(e executor.Event) {
			if e.Type == executor.Note || e.Type == executor.StepStart {
				t.Log(e.Time.Format("15:04:05"), e.Step, e.Message)
			}
		}
		taken := false
		_, err := w.run(rt(func(r *http.Request) (*http.Response, error) {
			if !taken && strings.HasSuffix(r.URL.Path, "/renew") && strings.Contains(r.URL.Path, "/branches/pmig-") {
				taken = true
				gone := r.Clone(r.Context())
				gone.Method, gone.URL.Path, gone.Body = "DELETE", strings.TrimSuffix(r.URL.Path, "/renew"), nil
				if _, err := w.e.Transport().RoundTrip(gone); err != nil {
					return nil, err
				}
			}
			return w.e.Transport().RoundTrip(r)
		}), "one").Apply(t.Context())
		if err != nil || !taken {
			t.Errorf("taken %v: %v", taken, err)
		}
		if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
			t.Error(problem)
		}
	})
}

// A heartbeat that cannot be renewed is not made anew under the holder's feet:
// a process that was asleep meanwhile would take it for its own.
func TestOneHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		knobs := brief
		knobs.Diff = 150 * time.Second
		w := newWorld(t, knobs, small())
		made := 0
		_, err := w.run(rt(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/branches/pmig-") && strings.HasSuffix(r.URL.Path, "/renew") {
				return nil, errBroken
			}
			if strings.Contains(r.URL.Path, "/branches/pmig-") && strings.HasSuffix(r.URL.Path, "/passwords") && r.Method == "POST" {
				made++
			}
			return w.e.Transport().RoundTrip(r)
		}), "one").Apply(t.Context())
		if err != nil || made != 1 {
			t.Errorf("%d heartbeats were made: %v", made, err)
		}
	})
}

// A person closes the request while its checks are being made: they never end.
func TestClosedDuringChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		knobs := brief
		knobs.Diff = 10 * time.Minute
		w := newWorld(t, knobs, small())
		w.at(planner.DeployReview, func() { time.AfterFunc(time.Minute, func() { t.Log(w.person(closes)) }) })
		began := time.Now()
		_, err := w.run(w.e.Transport(), "one").Apply(t.Context())
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "closed") || took > 2*time.Minute {
			t.Errorf("after %v: %v", took, err)
		}
		if problem := w.problem(0, nil); problem != "" {
			t.Error(problem)
		}
	})
}
