package executor_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"database/sql"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// complete_error is for ever.
func TestCompleteError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		if _, err := w.e.AddFault(emulator.Fault{Do: emulator.FaultDeployError, Times: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "complete_error") {
			t.Errorf("a deployment that failed: %v", err)
		}
		note, err := w.run(w.e.Transport(), "j").Abandon(t.Context())
		if err != nil {
			t.Errorf("abandon: %s, %v", note, err)
		}
		w.write("dbmate/1_c.sql", "-- migrate:up\nCREATE TABLE c2 (id BIGINT NOT NULL, PRIMARY KEY (id))")
		began := time.Now()
		_, err = w.run(w.e.Transport(), "j").Apply(t.Context())
		if err != nil || time.Since(began) > time.Hour {
			t.Errorf("mended, it ends after %v with: %v", time.Since(began), err)
		}
	})
}

// a statement that hangs on the branch, golang-migrate in process.
func TestHangingStatement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, pointer)
		w.db.Deploy.Timeouts.Migrate = time.Minute
		r := w.run(w.e.Transport(), "j")
		r.Dial = func(planner.Login) (func(context.Context) (net.Conn, error), *tls.Config, error) {
			return func(ctx context.Context) (net.Conn, error) {
				c, err := w.e.DialMySQL(ctx)
				if err != nil {
					return nil, err
				}
				return &hangs{Conn: c, closed: make(chan struct{})}, nil
			}, nil, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		ended := make(chan error, 1)
		go func() { _, err := r.Apply(ctx); ended <- err }()
		select {
		case err := <-ended:
			t.Log(err, time.Since(began))
		case <-time.After(2 * time.Hour):
			t.Errorf("timeouts.migrate is 1m; still there after %v", time.Since(began))
			cancel()
			select {
			case err := <-ended:
				t.Log("interrupted:", err)
			case <-time.After(time.Hour):
				t.Fatal("and an interrupt does not end it within an hour either")
			}
		}
		cancel()
	})
}

type hangs struct {
	net.Conn
	hung   atomic.Bool
	closed chan struct{}
}

func (h *hangs) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "CREATE TABLE b") {
		h.hung.Store(true)
		return len(p), nil
	}
	return h.Conn.Write(p)
}
func (h *hangs) Close() error {
	select {
	case <-h.closed:
	default:
		close(h.closed)
	}
	return h.Conn.Close()
}
func (h *hangs) Read(p []byte) (int, error) {
	if h.hung.Load() {
		<-h.closed
		return 0, net.ErrClosed
	}
	return h.Conn.Read(p)
}

// the list of branches lags behind.
func TestNameTakenForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		posts := 0
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		tr := rt(func(r *http.Request) (*http.Response, error) {
			if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/branches") {
				posts++
				if posts == 300 {
					cancel()
				}
				return &http.Response{StatusCode: 422, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(`{"code":"unprocessable","message":"Name has already been taken"}`)), Request: r}, nil
			}
			return w.e.Transport().RoundTrip(r)
		})
		r := w.run(tr, "j")
		r.LockTimeout = time.Minute
		_, err := r.Apply(ctx)
		t.Logf("%v: %d posts in %v", err, posts, time.Since(began))
		if posts > 100 {
			t.Errorf("--lock-timeout 1m; %d POST branch in 30 minutes", posts)
		}
	})
}

// a person's branch.
func TestPersonsBranch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		req, _ := http.NewRequest("POST", "https://emulator.test/_emulator/as/alice/v1/organizations/acme/databases/shop/branches", strings.NewReader(`{"name":"pmig-migrator-7","parent_branch":"main"}`))
		req.Header.Set("Content-Type", "application/json")
		resp, err := w.e.Transport().RoundTrip(req)
		if err != nil || resp.StatusCode != 201 {
			t.Fatal(err, resp)
		}
		time.Sleep(time.Minute)
		_, err = w.run(w.e.Transport(), "j").Apply(t.Context())
		t.Log(err)
		w.dump("end")
		if _, err := w.api.Branch(t.Context(), "pmig-migrator-7"); err != nil {
			t.Error("alice's branch was deleted:", err)
		}
	})
}

// two configurations, one table: the schema is live, and was changed further.
func TestSeenLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		ctx, cancel := context.WithCancel(t.Context())
		w.event = func(e executor.Event) {
			if e.Type == executor.StepDone && e.Step == planner.DeployFinish {
				cancel()
			}
		}
		_, err := w.run(w.e.Transport(), "j").Apply(ctx)
		t.Log(err)
		w.event = nil
		if _, err := w.e.SQL(context.Background(), "acme", "shop", "main", "ALTER TABLE c ADD COLUMN theirs int"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			_, err = w.run(w.e.Transport(), "j").Apply(t.Context())
			t.Log(err)
		}
		if err != nil {
			t.Error("the recorded change (CREATE TABLE c) is live; its history is never written")
		}
	})
}

// adopting a parked run after somebody else's table was deployed.
func TestAdoptAfterMove(t *testing.T) {
	for _, journal := range []string{"one", "lost"} {
		t.Run(journal, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, brief, small())
				if _, err := w.run(w.e.Transport(), "zero").Apply(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.write("dbmate/2_d.sql", "-- migrate:up\nALTER TABLE c ADD COLUMN x int")
				w.db.Deploy.Approval = "require"
				_, err := w.run(w.e.Transport(), "one").Apply(t.Context())
				t.Log(err)
				w.approve(2)
				if _, err := w.e.SQL(context.Background(), "acme", "shop", "main", "CREATE TABLE theirs (id BIGINT NOT NULL, PRIMARY KEY (id))"); err != nil {
					t.Fatal(err)
				}
				_, err = w.run(w.e.Transport(), journal).Apply(t.Context())
				t.Log(err)
				w.dump("end")
				if q, _ := w.api.DeployRequest(t.Context(), 2); q.DeploymentState != planetscale.StateComplete {
					t.Error("the approved request was not deployed but thrown away")
				}
			})
		})
	}
}

// abandon ends a live run elsewhere.
func TestAbandonLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Timeouts.Review = 10 * time.Minute
		k := brief
		k.Diff = 5 * time.Minute
		w.e.SetKnobs(k)
		res := make(chan error, 1)
		r := w.run(w.e.Transport(), "one")
		r.Event = func(e executor.Event) {
			if e.Type != executor.Progress {
				t.Log("  ", e.Type, e.Step, e.Message)
			}
		}
		go func() { _, err := r.Apply(context.Background()); res <- err }()
		time.Sleep(2 * time.Minute)
		if _, err := w.run(w.e.Transport(), "two").Abandon(t.Context()); executor.OutcomeOf(err) != executor.Busy {
			t.Errorf("abandon of a live run: %v", err)
		}
		if err := <-res; err != nil {
			t.Errorf("the live run: %v", err)
		}
	})
}

// the branch changes while an approval is waited for.
func TestChangedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "wait"
		req, _ := http.NewRequest("PATCH", "https://emulator.test/_emulator/as/alice/v1/organizations/acme/databases/shop", strings.NewReader(`{"require_approval_for_deploy":true}`))
		req.Header.Set("Content-Type", "application/json")
		resp, err := w.e.Transport().RoundTrip(req)
		if err != nil || resp.StatusCode != 200 {
			b, _ := io.ReadAll(resp.Body)
			t.Fatal(err, resp.StatusCode, string(b))
		}
		res := make(chan error, 1)
		go func() { _, err := w.run(w.e.Transport(), "one").Apply(context.Background()); res <- err }()
		time.Sleep(16500 * time.Millisecond)
		bs, _ := w.api.Branches(t.Context())
		name := ""
		for _, b := range bs {
			if strings.HasPrefix(b.Name, "pmig-") {
				name = b.Name
			}
		}
		// between two looks 15 s and more apart
		time.Sleep(20 * time.Second)
		if _, err := w.e.SQL(context.Background(), "acme", "shop", name, "CREATE TABLE sneaked (id BIGINT NOT NULL, PRIMARY KEY (id))"); err != nil {
			t.Fatal(err)
		}
		w.dump("changed")
		time.Sleep(2 * time.Second)
		w.dump("changed")
		w.approve(1)
		t.Log(<-res)
		w.dump("end")
		t.Log(w.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'"))
		for _, n := range w.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'") {
			if n == "sneaked" {
				t.Error("deployed a table that no migration made")
			}
		}
	})
}

// a file changes between the plan under the lock and the tool's run.
func TestFileChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, source{tool: "golang-migrate", files: map[string]string{
			"1_a.up.sql": "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));",
			"3_c.up.sql": "CREATE TABLE c (id BIGINT NOT NULL, PRIMARY KEY (id));",
		}})
		var seen *planner.Database
		w.event = func(e executor.Event) {
			if e.Type == executor.StepStart && e.Step == planner.Migrate {
				w.write("golang-migrate/2_b.up.sql", "CREATE TABLE unplanned (id BIGINT NOT NULL, PRIMARY KEY (id));")
				w.write("golang-migrate/3_c.up.sql", "CREATE TABLE edited (id BIGINT NOT NULL, PRIMARY KEY (id));")
			}
		}
		r := w.run(w.e.Transport(), "j")
		r.Check = func(d *planner.Database) error { seen = d; return nil }
		_, err := r.Apply(t.Context())
		t.Log(err, seen.Sources[0].Pending)
		tables := w.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'")
		if err == nil {
			t.Errorf("deployed what the plan does not hold: %v", tables)
		}
	})
}

// interrupted while waiting for an approval: what is said.
func TestInterruptedApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		w.db.Deploy.Approval = "wait"
		req, _ := http.NewRequest("PATCH", "https://emulator.test/_emulator/as/alice/v1/organizations/acme/databases/shop", strings.NewReader(`{"require_approval_for_deploy":true}`))
		req.Header.Set("Content-Type", "application/json")
		if _, err := w.e.Transport().RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		_, err := w.run(w.e.Transport(), "one").Apply(ctx)
		var h interface{ Hint() string }
		if !errors.As(err, &h) || executor.OutcomeOf(err) != executor.Interrupted {
			t.Errorf("interrupted: %v", err)
		}
		r := w.run(w.e.Transport(), "two")
		r.WaitApproval = time.Hour
		w.db.Deploy.Approval = "exit"
		began := time.Now()
		_, err = w.run(w.e.Transport(), "one").Apply(t.Context())
		t.Log(err, time.Since(began))
	})
}

// live, killed before history.write, and the branch cannot be reached.
func TestOwedNeedsBranch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, brief, small())
		ctx, cancel := context.WithCancel(t.Context())
		w.event = func(e executor.Event) {
			if e.Type == executor.StepDone && e.Step == planner.DeployFinish {
				cancel()
			}
		}
		_, err := w.run(w.e.Transport(), "j").Apply(ctx)
		t.Log(err)
		w.event = nil
		r := w.run(w.e.Transport(), "j")
		r.Connect = func(context.Context, planner.Login) (*sql.DB, error) { return nil, errBroken } // the branch only; the target has its own
		_, err = r.Apply(t.Context())
		if err != nil {
			t.Errorf("the schema is live and history needs only the target: %v", err)
		}
	})
}

// passwords of the target over a long deployment.
func TestPasswordsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := brief
		k.Diff = 12 * time.Minute
		k.Deploy = 20 * time.Minute
		w := newWorld(t, k, small())
		_, err := w.run(w.e.Transport(), "j").Apply(t.Context())
		t.Log(err)
		ps, _ := w.api.Passwords(t.Context(), "main")
		for _, p := range ps {
			t.Errorf("left: %s %s expired=%v", p.Name, p.ID, p.Expired)
		}
	})
}
