package emulator_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/planetscale"
)

// json reads a deploy request as JSON.
func (s *stage) json(n int) (request, deployment map[string]any) {
	s.Helper()
	status, o := s.call("GET", d+"/deploy-requests/"+itoa(n), "")
	if status != 200 {
		s.Fatal(status, o)
	}
	return o, o["deployment"].(map[string]any)
}

// change makes a branch that differs by a statement and opens a request.
func (s *stage) change(branch, statement string) int {
	s.Helper()
	s.branch(branch)
	s.sql(branch, statement)
	n := s.open(branch)
	s.await(n, planetscale.StateReady)
	return n
}

func TestParallelLane(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.Deploy = time.Hour })
	s.seed()
	s.sql("main", "CREATE TABLE others (id int NOT NULL, PRIMARY KEY (id))", "CREATE TABLE thirds (id int NOT NULL, PRIMARY KEY (id))")
	one := s.change("one", "ALTER TABLE users ADD COLUMN a int")
	same := s.change("same", "ALTER TABLE users ADD COLUMN b int")
	two := s.change("two", "ALTER TABLE others ADD COLUMN c int")
	three := s.change("three", "ALTER TABLE thirds ADD COLUMN d int")
	post := func(n int, body string) (int, string) {
		status, o := s.call("POST", d+"/deploy-requests/"+itoa(n)+"/deploy", body)
		text, _ := o["message"].(string)
		return status, text
	}
	for _, step := range []struct {
		n      int
		body   string
		status int
		text   string
	}{
		{one, `{"strategy":"sideways"}`, 422, "Strategy"},
		{one, `{"strategy":"serial"}`, 200, ""},
		{same, `{"strategy":"parallel"}`, 422, "same tables"},
		{two, `{"strategy":"parallel"}`, 200, ""},
		{three, `{"strategy":"parallel"}`, 422, "Another parallel"},
		{same, `{}`, 200, ""},
	} {
		if status, text := post(step.n, step.body); status != step.status || !strings.Contains(text, step.text) {
			t.Errorf("deploy #%d %s: %d %s", step.n, step.body, status, text)
		}
	}
	s.await(one, planetscale.StateInProgress)
	s.await(two, planetscale.StateInProgress)
	if dr := s.await(same, planetscale.StateQueued); len(dr.Deployment.Preceding) != 1 || dr.Deployment.Preceding[0].DeployRequestNumber != one {
		t.Errorf("ahead of #%d: %+v", same, dr.Deployment.Preceding)
	}
	for n, want := range map[int][2]any{one: {"serial", false}, two: {"parallel", false}, three: {"serial", true}} {
		_, o := s.call("GET", d+"/deploy-requests/"+itoa(n), "")
		if m := o["deployment"].(map[string]any); m["strategy"] != want[0] || o["strategy"] != want[0] || m["parallel_lane_blocked"] != want[1] {
			t.Errorf("#%d: %v and %v, %v, want %v", n, o["strategy"], m["strategy"], m["parallel_lane_blocked"], want)
		}
	}
	if _, o := s.call("GET", d+"/deploy-queue", ""); len(o["data"].([]any)) != 3 {
		t.Errorf("queue: %v", o["data"])
	}
	s.until("both lanes move", func() bool {
		if err := s.e.Advance(time.Hour); err != nil {
			t.Fatal(err)
		}
		return ok(s.shop.DeployRequest(t.Context(), same))(t).DeploymentState == planetscale.StateComplete
	})
	s.await(one, planetscale.StateComplete)
	s.await(two, planetscale.StateComplete)
	if got := s.columns("main", "users") + ", " + s.columns("main", "others"); got != "id email a b, id c" {
		t.Errorf("main has %s", got)
	}
}

// A revert takes back its own tables, not what the other lane did meanwhile.
func TestParallelRevert(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.RevertWindow = time.Hour })
	s.seed()
	s.sql("main", "CREATE TABLE others (id int NOT NULL, PRIMARY KEY (id))")
	one := s.change("one", "ALTER TABLE users ADD COLUMN a int")
	two := s.change("two", "ALTER TABLE others ADD COLUMN c int")
	s.deploy(one)
	s.await(one, planetscale.StateCompletePendingRevert)
	if status, o := s.call("POST", d+"/deploy-requests/"+itoa(two)+"/deploy", `{"strategy":"parallel"}`); status != 200 {
		t.Fatal(status, o)
	}
	s.await(two, planetscale.StateCompletePendingRevert)
	if _, err := s.shop.RevertDeploy(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	s.await(one, planetscale.StateCompleteRevert)
	if got := s.columns("main", "users") + ", " + s.columns("main", "others"); got != "id email, id c" {
		t.Errorf("main has %s", got)
	}
}

func TestBlockedCutover(t *testing.T) {
	for name, unblock := range map[string]func(s *stage, n int){
		"forced": func(s *stage, n int) {
			if status, o := s.call("POST", d+"/deploy-requests/"+itoa(n)+"/force-cutover", ""); status != 200 || o["deployment"].(map[string]any)["force_cutover_requested_at"] == nil {
				s.Error(status, o)
			}
		},
		"an hour later": func(s *stage, n int) { _ = s.e.Advance(time.Hour) },
		"released":      func(s *stage, n int) { _ = s.e.RemoveFault(0); _ = s.e.Advance(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, memory)
			s.seed()
			s.fault(emulator.Fault{Do: emulator.FaultCutoverBlocked, Path: "^users$"})
			n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
			s.deploy(n)
			s.until("the cutover meets the lock", func() bool {
				_, deployment := s.json(n)
				op := deployment["deploy_operations"].([]any)[0].(map[string]any)
				return deployment["table_locked"] == true && deployment["locked_table_name"] == "users" && op["table_locked"] == true
			})
			if got := s.columns("main", "users"); got != "id email" {
				t.Errorf("main has %s", got)
			}
			unblock(s, n)
			s.await(n, planetscale.StateComplete)
			if _, deployment := s.json(n); deployment["table_locked"] != false || deployment["locked_table_name"] != nil {
				t.Errorf("%v", deployment["locked_table_name"])
			}
		})
	}
}

// A real transaction blocks a real cutover, and is ended when that is forced.
func TestCutoverAgainstTransaction(t *testing.T) {
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	s := start(t, func(dir string) (emulator.Engine, error) { return emulator.NewMariaDB(dir) })
	s.seed()
	n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	p := ok(s.shop.CreatePassword(t.Context(), "main", planetscale.NewPassword{Name: "p", Role: "readwriter"}))(t)
	db := s.connect(p)
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE users SET email = 'x' WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	s.deploy(n)
	s.until("the cutover meets the lock", func() bool {
		_, deployment := s.json(n)
		return deployment["table_locked"] == true
	})
	if status, o := s.call("POST", d+"/deploy-requests/"+itoa(n)+"/force-cutover", ""); status != 200 {
		t.Fatal(status, o)
	}
	s.await(n, planetscale.StateComplete)
	if err := tx.Commit(); err == nil {
		t.Error("the transaction was not ended")
	}
}

func TestGateAndQueue(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.Gate = 4 * time.Hour })
	s.seed()
	s.branch("work")
	s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	_, o := s.call("POST", d+"/deploy-requests", `{"branch":"work","auto_cutover":false}`)
	n := int(o["number"].(float64))
	s.await(n, planetscale.StateReady)
	s.fault(emulator.Fault{Do: emulator.FaultQueuePaused})
	s.deploy(n)
	if _, deployment := s.json(n); deployment["queue_paused"] != true || deployment["queue_pause_reason"] == nil || deployment["state"] != "queued" {
		t.Errorf("%v %v", deployment["state"], deployment["queue_paused"])
	}
	if err := s.e.RemoveFault(0); err != nil {
		t.Fatal(err)
	}
	s.await(n, planetscale.StatePendingCutover)
	for _, step := range []struct {
		hours    time.Duration
		expiring bool
	}{{0, false}, {2, false}, {1, true}} {
		if err := s.e.Advance(step.hours * time.Hour); err != nil {
			t.Fatal(err)
		}
		if _, deployment := s.json(n); deployment["cutover_expiring"] != step.expiring {
			t.Errorf("after %d more hours: %v", step.hours, deployment["cutover_expiring"])
		}
	}
	if err := s.e.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	s.await(n, planetscale.StateCompleteCancel)
}

// A throttled copy takes longer.
func TestThrottledCopy(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.Deploy = time.Hour })
	s.seed()
	n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	if status, o := s.call("PATCH", d+"/throttler", `{"ratio":90}`); status != 200 {
		t.Fatal(status, o)
	}
	s.deploy(n)
	s.until("the operation runs", func() bool {
		return ok(s.shop.DeployRequest(t.Context(), n))(t).Deployment.Operations[0].State == "in_progress"
	})
	if err := s.e.Advance(5 * time.Hour); err != nil {
		t.Fatal(err)
	}
	_, deployment := s.json(n)
	op := deployment["deploy_operations"].([]any)[0].(map[string]any)
	if op["progress_percentage"] != 50.0 || op["throttled_at"] == nil || deployment["throttler_configurations"] == nil {
		t.Errorf("%v %% done, throttled at %v", op["progress_percentage"], op["throttled_at"])
	}
}
