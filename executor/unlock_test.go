package executor_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
)

// A hold that is ended under a run that still lives: the run loses the lead,
// plans again, and the plan is deployed once.
func TestUnlockLiveRun(t *testing.T) {
	for _, during := range []struct {
		name string
		wait time.Duration
	}{{"the checks", 2 * time.Minute}, {"the deployment", 8 * time.Minute}} {
		t.Run(during.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, small())
				k := brief
				k.Diff, k.Deploy = 5*time.Minute, 5*time.Minute
				w.e.SetKnobs(k)
				ended := make(chan error, 1)
				r := w.run(w.e.Transport(), "one")
				go func() { _, err := r.Apply(context.Background()); ended <- err }()
				time.Sleep(during.wait)

				l, err := w.run(w.e.Transport(), "two").Locks(t.Context())
				if err != nil || len(l.Holds) != 1 || l.Holds[0].Kind != executor.Held || l.Holds[0].Holder.Run != r.ID || l.Holds[0].Holder.Where != "a test" {
					t.Fatalf("%+v, %v", l, err)
				}
				done, err := w.run(w.e.Transport(), "two").Unlock(t.Context(), func(executor.Locks) error { return nil })
				if err != nil || len(done) != 1 {
					t.Fatal(done, err)
				}
				t.Log(done)
				if err := <-ended; err != nil {
					t.Error("the run that lost its hold:", err)
				}
				if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
					t.Error(problem)
				}
			})
		})
	}
}

// What a person has approved keeps its branch, and the next run goes on with it
// at once.
func TestUnlockTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "require"
		if _, err := w.run(w.e.Transport(), "one").Apply(t.Context()); executor.OutcomeOf(err) != executor.Person {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		r := w.run(w.e.Transport(), "one")
		r.WaitApproval = time.Hour
		ended := make(chan error, 1)
		go func() { _, err := r.Apply(ctx); ended <- err }()
		time.Sleep(time.Second)
		w.approve(1)
		done, err := w.run(w.e.Transport(), "two").Unlock(t.Context(), func(executor.Locks) error { return nil })
		if err != nil || len(done) != 1 || !strings.Contains(done[0], "deploy request #1 is left open: alice has approved it") {
			t.Fatal(done, err)
		}
		cancel()
		<-ended
		w.db.Deploy.Approval = "require"
		began := time.Now()
		if _, err := w.run(w.e.Transport(), "two").Apply(t.Context()); err != nil || time.Since(began) > time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if q, _ := w.api.DeployRequest(t.Context(), 1); q.DeploymentState != planetscale.StateComplete {
			t.Error("#1 is", q.DeploymentState)
		}
	})
}

// Another configuration's run is not ended from here.
func TestUnlockForeign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "require"
		r := w.run(w.e.Transport(), "one")
		r.WaitApproval = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := r.Apply(ctx); ended <- err }()
		time.Sleep(time.Minute)
		src := *w.db.Sources[0]
		src.Histories = append(src.Histories[:0:0], src.Histories[0])
		src.Histories[0].Table = "other_history"
		o := newWorldOn(w, small())
		o.db.Sources[0] = &src
		l, err := o.run(w.e.Transport(), "other").Locks(t.Context())
		if err != nil || len(l.Holds) != 1 || l.Holds[0].Kind != executor.Foreign {
			t.Fatalf("%+v %v", l, err)
		}
		done, err := o.run(w.e.Transport(), "other").Unlock(t.Context(), func(executor.Locks) error { return nil })
		if err != nil || len(done) != 0 {
			t.Error(done, err)
		}
		cancel()
		if err := <-ended; executor.OutcomeOf(err) != executor.Interrupted {
			t.Error(err)
		}
	})
}

// The holder's part of a password's name is left out where the platform does
// not take it.
func TestPasswordNameRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		refused := 0
		tr := rt(func(r *http.Request) (*http.Response, error) {
			if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/passwords") {
				b, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				if strings.Contains(string(b), "a test") {
					refused++
					return &http.Response{StatusCode: 422, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
						Body: io.NopCloser(strings.NewReader(`{"code":"unprocessable","message":"Name is too long (maximum is 40 characters)"}`))}, nil
				}
				r.Body = io.NopCloser(strings.NewReader(string(b)))
			}
			return w.e.Transport().RoundTrip(r)
		})
		if _, err := w.run(tr, "j").Apply(t.Context()); err != nil || refused == 0 {
			t.Fatal(refused, err)
		}
		if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
			t.Error(problem)
		}
	})
}

// A branch that nothing shows to be pmig's is not deleted for its name alone:
// with rows of somebody's on it the run is refused, also when the first look
// fails; an empty one is what a run left that was killed before its heartbeat.
func TestProof(t *testing.T) {
	for _, rows := range []bool{true, false} {
		t.Run(fmt.Sprintf("rows %v", rows), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, small())
				if _, err := w.e.SQL(t.Context(), "acme", "shop", "main", "CREATE TABLE theirs (id BIGINT NOT NULL, PRIMARY KEY (id)); CREATE TABLE h (version VARCHAR(128) NOT NULL, PRIMARY KEY (version)); INSERT INTO h VALUES ('0')"); err != nil {
					t.Fatal(err)
				}
				b, err := w.api.CreateBranch(t.Context(), planetscale.NewBranch{Name: "pmig-migrator-7", Parent: "main"})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if rows {
					if _, err := w.e.SQL(t.Context(), "acme", "shop", b.Name, "INSERT INTO theirs VALUES (1)"); err != nil {
						t.Fatal(err)
					}
				}
				failed := false
				tr := rt(func(r *http.Request) (*http.Response, error) {
					if r.Method == "POST" && strings.HasSuffix(r.URL.Path, b.Name+"/passwords") && !failed {
						failed = true
						return nil, errBroken
					}
					return w.e.Transport().RoundTrip(r)
				})
				_, err = w.run(tr, "j").Apply(t.Context())
				_, gone := w.api.Branch(t.Context(), b.Name)
				switch {
				case !failed:
					t.Error("it was never looked at")
				case rows && (executor.OutcomeOf(err) != executor.Refused || gone != nil):
					t.Errorf("with rows: %v; the branch: %v", err, gone)
				case !rows && (err != nil || !planetscale.IsNotFound(gone)):
					t.Errorf("without rows: %v; the branch: %v", err, gone)
				}
			})
		})
	}
}
