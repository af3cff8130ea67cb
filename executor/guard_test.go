package executor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

func small() source {
	return source{tool: "dbmate", table: "h", files: map[string]string{
		"1_c.sql": "-- migrate:up\nCREATE TABLE c (id BIGINT NOT NULL, PRIMARY KEY (id));"}}
}

func (w *world) approve(n int) {
	w.t.Helper()
	req, _ := http.NewRequest("POST", fmt.Sprintf("https://emulator.test/_emulator/as/alice/v1/organizations/acme/databases/shop/deploy-requests/%d/reviews", n), strings.NewReader(`{"state":"approved"}`))
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.e.Transport().RoundTrip(req)
	if err != nil || resp.StatusCode != 201 {
		w.t.Fatalf("approve: %v %v", err, resp)
	}
}

func (w *world) dump(what string) {
	qs, _ := w.api.DeployRequests(context.Background(), planetscale.DeployRequestFilter{})
	for _, q := range qs {
		w.t.Logf("%s: #%d %s %s approved=%v", what, q.Number, q.State, q.DeploymentState, q.Approved)
	}
	bs, _ := w.api.Branches(context.Background())
	for _, b := range bs {
		w.t.Logf("%s: branch %s", what, b.Name)
	}
}

type rt func(*http.Request) (*http.Response, error)

func (f rt) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// an older image with a pointer tool.
func TestOldImagePointer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, source{tool: "golang-migrate", files: map[string]string{
			"1_a.up.sql": "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));",
			"2_b.up.sql": "CREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id));",
			"3_c.up.sql": "CREATE TABLE c (id BIGINT NOT NULL, PRIMARY KEY (id));",
		}})
		if _, err := w.run(w.e.Transport(), "one").Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		// the same service, an image that knows only 1
		old := newWorldOn(w, source{tool: "golang-migrate", files: map[string]string{"1_a.up.sql": "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));"}})
		sum, err := old.run(w.e.Transport(), "two").Apply(t.Context())
		t.Logf("%+v", sum)
		if err != nil {
			t.Errorf("an image older than the target must exit 0: %v", err)
		}
	})
}

func newWorldOn(w *world, s source) *world {
	o := *w
	o.dir = w.t.TempDir()
	db := *w.db
	src := *w.db.Sources[0]
	src.Path = o.dir + "/" + s.tool
	db.Sources = nil
	db.Sources = append(db.Sources, &src)
	o.db = &db
	for n, text := range s.files {
		o.write(s.tool+"/"+n, text)
	}
	return &o
}

type unwritable struct{ executor.Journal }

func (u unwritable) Save(*state.Document) error {
	return &state.UnwritableError{Dir: "x", Err: errors.New("no space left")}
}

// a journal that can be read and not written, with an unfinished run in it.
func TestUnwritableJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "require"
		_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
		t.Log(err)
		w.approve(1)
		r := w.run(w.e.Transport(), "j")
		r.Journal = unwritable{r.Journal}
		sum, err := r.Apply(t.Context())
		w.dump("end")
		t.Logf("%+v", sum)
		if err != nil {
			t.Errorf("a full disk must not fail the run: %v", err)
		}
	})
}

// Finished stays set after a rebuild.
func TestRebuiltThenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		// give main two generations of schema, so that stale-base differs
		if _, err := w.run(w.e.Transport(), "zero").Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.write("dbmate/2_d.sql", "-- migrate:up\nALTER TABLE c ADD COLUMN x int")
		if _, err := w.e.AddFault(emulator.Fault{Do: emulator.FaultStaleBase, Times: 1}); err != nil {
			t.Fatal(err)
		}
		w.db.Deploy.Approval = "require"
		_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
		t.Log("first:", err)
		w.dump("parked")
		began := time.Now()
		w.approve(2)
		_, err = w.run(w.e.Transport(), "j").Apply(t.Context())
		if err != nil {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		w.dump("end")
	})
}

// rebuilt, then history drifts before deploy.start (errAgain): the lease is never released.
func TestRebuiltThenDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		if _, err := w.run(w.e.Transport(), "zero").Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.write("dbmate/2_d.sql", "-- migrate:up\nALTER TABLE c ADD COLUMN x int")
		if _, err := w.e.AddFault(emulator.Fault{Do: emulator.FaultStaleBase, Times: 1}); err != nil {
			t.Fatal(err)
		}
		done := false
		w.event = func(e executor.Event) {
			t.Log(e.Type, e.Step, e.Message)
			if e.Type == executor.StepStart && e.Step == planner.DeployStart && !done {
				done = true
				if _, err := w.e.SQL(context.Background(), "acme", "shop", "main", "INSERT INTO h VALUES ('0')"); err != nil {
					t.Error(err)
				}
			}
		}
		_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
		w.dump("end")
		if err != nil {
			t.Errorf("apply: %v", err)
		}
	})
}

// rows too long for the notes, and the API away for five minutes while deploying.
func TestLostWithLongRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := map[string]string{}
		for i := range 150 {
			files[fmt.Sprintf("%03d%s_x.sql", i+1, strings.Repeat("9", 120))] = "-- migrate:up\nCREATE TABLE IF NOT EXISTS c (id BIGINT NOT NULL, PRIMARY KEY (id));"
		}
		k := brief
		k.Deploy = 20 * time.Minute
		w := newWorld(t, k, source{tool: "dbmate", table: "h", files: files})
		var away atomic.Bool
		tr := rt(func(r *http.Request) (*http.Response, error) {
			if away.Load() {
				return nil, errBroken
			}
			return w.e.Transport().RoundTrip(r)
		})
		first := true
		w.event = func(e executor.Event) {
			if e.Type == executor.StepStart && e.Step == planner.DeployFinish && first {
				first = false
				time.AfterFunc(time.Minute, func() { away.Store(true) })
				time.AfterFunc(7*time.Minute, func() { away.Store(false) })
			}
			if e.Type == executor.Note || e.Type == executor.StepFail {
				t.Log(e.Type, e.Step, e.Message)
			}
		}
		_, err := w.run(tr, "j").Apply(t.Context())
		t.Log("first:", err)
		for i := range 3 {
			time.Sleep(30 * time.Minute)
			_, err = w.run(w.e.Transport(), "j").Apply(t.Context())
			t.Logf("again %d: %v", i, err)
		}
		w.dump("end")
		if n := len(w.query("SELECT version FROM h")); n != 150 {
			t.Errorf("%d rows in history, want 150", n)
		}
	})
}

// a timeout while the last look failed.
func TestFinishPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := brief
		k.Deploy = 20 * time.Minute
		w := newWorld(t, k, small())
		var away atomic.Bool
		tr := rt(func(r *http.Request) (*http.Response, error) {
			if away.Load() {
				return nil, errBroken
			}
			return w.e.Transport().RoundTrip(r)
		})
		w.event = func(e executor.Event) {
			if e.Type == executor.StepStart && e.Step == planner.DeployFinish {
				time.AfterFunc(10*time.Second, func() { away.Store(true) })
			}
		}
		r := w.run(tr, "j")
		r.WaitDeploy = time.Minute
		if _, err := r.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "its history is owed") {
			t.Errorf("got %v", err)
		}
	})
}

// the platform takes the deploy and the request stays ready.
func TestReadyForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		deploys := 0
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Minute)
		defer stop()
		began := time.Now()
		var calls atomic.Int64
		tr := rt(func(r *http.Request) (*http.Response, error) {
			calls.Add(1)
			if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/deploy") {
				deploys++
				if deploys == 30 {
					stop()
				}
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"number":1}`)), Request: r}, nil
			}
			return w.e.Transport().RoundTrip(r)
		})
		w.db.Deploy.Timeouts.Deploy = time.Minute
		_, err := w.run(tr, "j").Apply(ctx)
		t.Logf("%v; %d deploys, %d calls in %v", err, deploys, calls.Load(), time.Since(began))
		if deploys > 3 {
			t.Errorf("timeouts.deploy is 1m; after 20m: %d POST deploy", deploys)
		}
	})
}

// apply FILE on an unfinished run never looks at FILE.
func TestCheckOnResume(t *testing.T) {
	for _, journal := range []string{"j", "lost"} {
		t.Run(journal, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, small())
				w.db.Deploy.Approval = "require"
				_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
				t.Log(err)
				w.approve(1)
				r := w.run(w.e.Transport(), journal)
				stale := &executor.Error{Outcome: executor.Stale, What: "the plan is stale"}
				r.Check = func(*planner.Database) error { return stale }
				_, err = r.Apply(t.Context())
				w.dump("end")
				if executor.OutcomeOf(err) != executor.Stale {
					t.Errorf("got %v, want stale", err)
				}
			})
		})
	}
}

type failingPlanner struct {
	executor.Planner
	at, n int
}

func (p *failingPlanner) Plan(ctx context.Context) (*planner.Database, *planner.Observation, error) {
	p.n++
	if p.n == p.at {
		return nil, nil, fmt.Errorf("read the schema of main: %w", mysql.ErrInvalidConn)
	}
	return p.Planner.Plan(ctx)
}

// a MySQL blip before deploy.start throws an approved request away.
func TestApprovedThrownAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "require"
		_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
		t.Log(err)
		w.approve(1)
		r := w.run(w.e.Transport(), "j")
		r.Planner = &failingPlanner{Planner: r.Planner, at: 2}
		_, err = r.Apply(t.Context())
		t.Log(err)
		w.dump("end")
		if q, _ := w.api.DeployRequest(t.Context(), 1); q.State != "open" {
			t.Error("the approved request was closed")
		}
	})
}

// another configuration's parked, approved request loses its branch.
func TestOtherIdentityParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "require"
		_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
		t.Log(err)
		w.approve(1)
		o := newWorldOn(w, source{tool: "dbmate", files: map[string]string{"1_z.sql": "-- migrate:up\nCREATE TABLE z (id BIGINT NOT NULL, PRIMARY KEY (id))"}})
		src := *o.db.Sources[0]
		hs := src.Histories[0]
		hs.Table = "other_history"
		src.Histories = append(src.Histories[:0:0], hs)
		o.db.Sources[0] = &src
		o.db.Deploy.Approval = "exit"
		_, err = o.run(w.e.Transport(), "other").Apply(t.Context())
		t.Log("other configuration:", err)
		w.dump("end")
		if q, _ := w.api.DeployRequest(t.Context(), 1); q.State != "open" {
			t.Error("the other configuration's approved request was closed")
		}
	})
}

// a stale journal on machine 1 ends the live run of machine 2.
func TestStaleJournalKillsLiveRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "require"
		_, err := w.run(w.e.Transport(), "one").Apply(t.Context())
		t.Log("machine 1:", err)
		// machine 2, same files, approval = wait: takes the parked run up and waits
		two := newWorldOn(w, small())
		two.db.Deploy.Approval = "require"
		hung := false
		r2 := two.run(w.e.Transport(), "two")
		slow := brief
		slow.Queue = 0
		w.e.SetKnobs(slow)
		hold := make(chan struct{})
		two.event = func(e executor.Event) {}
		r2.Event = func(e executor.Event) {
			t.Log("  machine 2:", e.Type, e.Step, e.Message)
			if e.Type == executor.Progress && e.Step == planner.DeployReview && !hung {
				hung = true
				<-hold // alive, heartbeat renewed, just about to deploy
			}
		}
		res := make(chan error, 1)
		go func() { _, err := r2.Apply(context.Background()); res <- err }()
		time.Sleep(2 * time.Minute)
		w.dump("machine 2 is about to deploy")
		// machine 1 again, with one more file, --replace or not approved
		w.write("dbmate/2_d.sql", "-- migrate:up\nCREATE TABLE d (id BIGINT NOT NULL, PRIMARY KEY (id))")
		w.db.Deploy.Approval = "exit"
		r1 := w.run(w.e.Transport(), "one")
		r1.LockTimeout = 0
		r1.Event = func(e executor.Event) { t.Log("  machine 1:", e.Type, e.Step, e.Message) }
		_, err = r1.Apply(t.Context())
		t.Log("machine 1 again:", err)
		w.dump("then")
		close(hold)
		t.Log("machine 2:", <-res)
		if executor.OutcomeOf(err) != executor.Busy {
			t.Errorf("machine 1 must find the lock held: %v", err)
		}
	})
}
