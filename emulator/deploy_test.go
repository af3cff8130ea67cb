package emulator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

const users = "CREATE TABLE users (id bigint unsigned NOT NULL AUTO_INCREMENT, email varchar(190) NOT NULL, PRIMARY KEY (id))"

// seed gives main a table with rows.
func (s *stage) seed() {
	s.Helper()
	s.sql("main", users, "INSERT INTO users (email) VALUES ('a@example.test'), ('b@example.test')")
}

func (s *stage) deploy(number int) *planetscale.DeployRequest {
	s.Helper()
	return ok(s.shop.Deploy(s.Context(), number, false))(s)
}

func (s *stage) columns(branch, table string) string {
	s.Helper()
	var names []string
	for _, row := range s.sql(branch, "SHOW COLUMNS FROM "+table).Rows {
		names = append(names, *row[0])
	}
	return strings.Join(names, " ")
}

var ordinary = []planetscale.State{planetscale.StatePending, planetscale.StateReady, planetscale.StateQueued, planetscale.StateSubmitting,
	planetscale.StateInProgress, planetscale.StatePendingCutover, planetscale.StateInProgressCutover}

func TestDeployCycle(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.branch("work")
		if n := len(s.sql("work", "SELECT * FROM users").Rows); n != 0 {
			t.Errorf("a new branch has %d rows", n)
		}
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)", "CREATE TABLE notes (id int NOT NULL, PRIMARY KEY (id))")
		n := s.open("work")
		dr := s.await(n, planetscale.StateReady)
		if !dr.MayDeploy(false) {
			t.Errorf("not deployable: %+v", dr.Deployment)
		}
		var operations []string
		for _, op := range dr.Deployment.Operations {
			operations = append(operations, op.OperationName+" "+op.TableName+" "+op.State)
		}
		if diff := cmp.Diff([]string{"ALTER users pending", "CREATE notes pending"}, operations); diff != "" {
			t.Error(diff)
		}
		if got := s.columns("main", "users"); got != "id email" {
			t.Errorf("before the deployment main has %s", got)
		}
		if dr := s.deploy(n); dr.DeploymentState != planetscale.StateQueued {
			t.Errorf("the answer to deploy is %s", dr.DeploymentState)
		}
		dr = s.await(n, planetscale.StateComplete)
		if dr.State != planetscale.RequestClosed || dr.DeployedAt == nil || dr.ClosedAt == nil || dr.Deployment.RevertRequest != nil {
			t.Errorf("after the deployment: %+v", dr)
		}
		if got := s.columns("main", "users"); got != "id email nick" {
			t.Errorf("after the deployment main has %s", got)
		}
		if n := len(s.sql("main", "SELECT * FROM users").Rows); n != 2 {
			t.Errorf("after the deployment main has %d rows", n)
		}
		if diff := cmp.Diff(append(ordinary[:len(ordinary):len(ordinary)], planetscale.StateComplete), s.states("#1")); diff != "" {
			t.Error(diff)
		}
		if err := s.shop.DeleteBranch(t.Context(), "work"); err != nil {
			t.Error(err)
		}
		if _, err := s.shop.Branch(t.Context(), "work"); !planetscale.IsNotFound(err) {
			t.Errorf("a deleted branch: %v", err)
		}
		// Nothing of the deployment's own tables is left.
		if rows := s.sql("main", "SHOW TABLES").Rows; len(rows) != 2 {
			t.Errorf("main has %d tables", len(rows))
		}
	})
}

func TestRevertWindow(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		window := func(o *emulator.Options) { o.Knobs.RevertWindow = 30 * time.Minute }
		s := start(t, open, window)
		s.seed()
		s.sql("main", "ALTER TABLE users ADD COLUMN old varchar(20)", "UPDATE users SET old = CONCAT('old', id)",
			"CREATE TABLE gone (id int NOT NULL, PRIMARY KEY (id))", "INSERT INTO gone VALUES (7)")
		s.branch("work")
		s.sql("work", "ALTER TABLE users DROP COLUMN old, ADD COLUMN nick varchar(40)", "DROP TABLE gone")
		n := s.open("work")
		dr := s.await(n, planetscale.StateReady)
		for _, op := range dr.Deployment.Operations {
			if !op.CanDropData {
				t.Errorf("%s %s: can_drop_data is false", op.OperationName, op.TableName)
			}
		}
		s.deploy(n)
		dr = s.await(n, planetscale.StateCompletePendingRevert)
		if end, open := dr.RevertUntil(); !open || end.Sub(*dr.Deployment.FinishedAt) != 30*time.Minute || dr.State != planetscale.RequestOpen {
			t.Errorf("revert window until %v, state %s", end, dr.State)
		}
		s.sql("main", "INSERT INTO users (email, nick) VALUES ('new@example.test', 'n')")
		if _, err := s.shop.RevertDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		dr = s.await(n, planetscale.StateCompleteRevert)
		if dr.State != planetscale.RequestClosed {
			t.Errorf("a reverted request is %s", dr.State)
		}
		if got := s.columns("main", "users"); got != "id email old" {
			t.Errorf("after the revert users has %s", got)
		}
		var got []string
		for _, row := range s.sql("main", "SELECT email, old FROM users ORDER BY id").Rows {
			old := "NULL"
			if row[1] != nil {
				old = *row[1]
			}
			got = append(got, *row[0]+" "+old)
		}
		if diff := cmp.Diff([]string{"a@example.test old1", "b@example.test old2", "new@example.test NULL"}, got); diff != "" {
			t.Error(diff)
		}
		if n := len(s.sql("main", "SELECT * FROM gone").Rows); n != 1 {
			t.Errorf("the table that was dropped has %d rows", n)
		}
	})
}

// A row written since that has no value for what comes back makes a revert fail,
// and then nothing of the deployment is taken back.
func TestRevertOfNewRows(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		for name, fits := range map[string]bool{"none": true, "one": false} {
			t.Run(name, func(t *testing.T) {
				s := start(t, open, func(o *emulator.Options) { o.Knobs.RevertWindow = 30 * time.Minute })
				s.sql("main", "CREATE TABLE t (id int NOT NULL, a int NOT NULL, b int, PRIMARY KEY (id))", "INSERT INTO t VALUES (1, 10, 11), (2, 20, 21)")
				s.branch("work")
				s.sql("work", "CREATE TABLE a (id int NOT NULL, PRIMARY KEY (id))", "ALTER TABLE t DROP COLUMN a, MODIFY COLUMN b bigint")
				n := s.open("work")
				s.await(n, planetscale.StateReady)
				s.deploy(n)
				s.await(n, planetscale.StateCompletePendingRevert)
				s.sql("main", "DELETE FROM t WHERE id = 2")
				want, left := planetscale.StateCompleteRevert, "id a b"
				if !fits {
					s.sql("main", "INSERT INTO t VALUES (3, 31)")
					want, left = planetscale.StateCompleteRevertError, "id b"
				}
				if _, err := s.shop.RevertDeploy(t.Context(), n); err != nil {
					t.Fatal(err)
				}
				dr := s.await(n, planetscale.StateCompleteRevert, planetscale.StateCompleteRevertError)
				if dr.DeploymentState != want {
					t.Fatalf("the revert ended in %s", dr.DeploymentState)
				}
				if got := s.columns("main", "t"); got != left {
					t.Errorf("the table has %s", got)
				}
				if tables := len(s.sql("main", "SHOW TABLES LIKE 'a'").Rows); (tables == 0) != fits {
					t.Errorf("%s: there are %d tables a", dr.DeploymentState, tables)
				}
				if got := s.sql("main", "SELECT * FROM t WHERE id = 1").Rows[0]; fits && (*got[1] != "10" || *got[2] != "11") {
					t.Errorf("the row that was kept is %s, %s", *got[1], *got[2])
				}
			})
		}
	})
}

func TestWindowEnds(t *testing.T) {
	onMemory(t, func(t *testing.T, open opener) {
		s := start(t, open, func(o *emulator.Options) { o.Knobs.RevertWindow = 30 * time.Minute })
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users DROP COLUMN email")
		s.branch("second")
		s.sql("second", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)

		// The window holds the queue.
		m := s.open("second")
		s.await(m, planetscale.StateReady)
		s.deploy(m)
		dr := s.await(m, planetscale.StateQueued)
		if p := dr.Deployment.Preceding; len(p) != 1 || p[0].DeployRequestNumber != n {
			t.Errorf("preceding: %+v", p)
		}
		if q := ok(s.shop.DeployQueue(t.Context()))(t); len(q) != 2 || q[0].DeployRequestNumber != n || q[1].DeployRequestNumber != m {
			t.Errorf("queue: %+v", q)
		}
		if err := s.e.Advance(29 * time.Minute); err != nil {
			t.Fatal(err)
		}
		if dr := s.await(n, planetscale.StateCompletePendingRevert); dr.State != planetscale.RequestOpen {
			t.Error("the window ended early")
		}
		if err := s.e.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		s.await(n, planetscale.StateComplete)
		s.await(m, planetscale.StateCompletePendingRevert)
		if _, err := s.shop.SkipRevert(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		s.await(m, planetscale.StateComplete)
		if _, err := s.shop.RevertDeploy(t.Context(), m); !planetscale.IsRefused(err) {
			t.Errorf("revert after the window: %v", err)
		}
		s.until("what was kept for a revert is gone", func() bool { return len(s.sql("main", "SHOW TABLES").Rows) == 2 })
	})
}

func TestGatedCutover(t *testing.T) {
	onMemory(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		dr := ok(s.shop.CreateDeployRequest(t.Context(), planetscale.NewDeployRequest{Branch: "work", IntoBranch: "main"}))(t)
		n := dr.Number
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		dr = s.await(n, planetscale.StatePendingCutover)
		if !dr.WaitsForCutover() || s.columns("main", "users") != "id email" {
			t.Errorf("before the cutover main has %s", s.columns("main", "users"))
		}
		if p := dr.Deployment.Operations[0].ProgressPercentage; p == nil || *p != 100 {
			t.Errorf("progress %v", p)
		}
		if _, err := s.shop.ApplyDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.await(n, planetscale.StateComplete)
		if got := s.columns("main", "users"); got != "id email nick" {
			t.Errorf("after the cutover main has %s", got)
		}

		// The next request inherits the gate if it does not say.
		s.branch("next")
		s.sql("next", "ALTER TABLE users ADD COLUMN x int")
		_, o := s.call("POST", "/v1/organizations/acme/databases/shop/deploy-requests", `{"branch":"next","into_branch":"main"}`)
		if auto := o["deployment"].(map[string]any)["auto_cutover"]; auto != false {
			t.Errorf("auto_cutover of the next request is %v", auto)
		}
		n = int(o["number"].(float64))
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		s.await(n, planetscale.StatePendingCutover)
		if _, err := s.shop.CancelDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.await(n, planetscale.StateCompleteCancel)
		if got := s.columns("main", "users"); got != "id email nick" {
			t.Errorf("after the cancel main has %s", got)
		}
	})
}

func TestProgress(t *testing.T) {
	onMemory(t, func(t *testing.T, open opener) {
		s := start(t, open, func(o *emulator.Options) { o.Knobs.CopyPerRow = 50 * time.Second })
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		dr := s.await(n, planetscale.StateReady)
		if p := dr.Deployment.Operations[0].ProgressPercentage; p != nil {
			t.Errorf("progress before: %v", *p)
		}
		s.deploy(n)
		s.until("the operation runs", func() bool {
			op := s.await(n, planetscale.StateInProgress, planetscale.StateQueued, planetscale.StateSubmitting).Deployment.Operations[0]
			return op.State == "in_progress"
		})
		if err := s.e.Advance(40 * time.Second); err != nil {
			t.Fatal(err)
		}
		op := s.await(n, planetscale.StateInProgress).Deployment.Operations[0]
		if *op.ProgressPercentage != 40 || *op.ETASeconds < 55 || *op.ETASeconds > 60 {
			t.Errorf("progress %v, eta %v", *op.ProgressPercentage, *op.ETASeconds)
		}
		if err := s.shop.DeleteBranch(t.Context(), "work"); !planetscale.IsDeploying(err) {
			t.Errorf("delete while deploying: %v", err)
		}
		if err := s.e.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		s.await(n, planetscale.StateComplete)
	})
}

func TestFailureWhileRunning(t *testing.T) {
	onMemory(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)", "CREATE TABLE other (id int NOT NULL, PRIMARY KEY (id))")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		if _, err := s.e.AddFault(emulator.Fault{Do: emulator.FaultDeployError, Path: "^users$", Message: "Duplicate entry 'x' for key 'users.nick' (errno 1062)", Times: 1}); err != nil {
			t.Fatal(err)
		}
		s.deploy(n)
		dr := s.await(n, planetscale.StateCompleteError)
		if dr.State != planetscale.RequestOpen {
			t.Errorf("a failed request is %s", dr.State)
		}
		found := false
		for _, op := range dr.Deployment.Operations {
			found = found || op.State == "error" && strings.Contains(op.DeployErrors.String(), "1062")
		}
		if !found {
			t.Errorf("operations: %+v", dr.Deployment.Operations)
		}
		if got := s.columns("main", "users"); got != "id email" {
			t.Errorf("after the failure users has %s", got)
		}
		// It blocks the queue until it is completed.
		s.branch("next")
		s.sql("next", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
		m := s.open("next")
		s.await(m, planetscale.StateReady)
		s.deploy(m)
		if q := ok(s.shop.DeployQueue(t.Context()))(t); len(q) != 2 {
			t.Errorf("queue: %+v", q)
		}
		if _, err := s.shop.CompleteDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.await(m, planetscale.StateComplete)
	})
}

// On a real server the rows decide.
func TestRowsThatDoNotFit(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.sql("main", users, "INSERT INTO users (email) VALUES ('same@example.test'), ('same@example.test')")
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD UNIQUE KEY email (email)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		dr := s.await(n, planetscale.StateCompleteError)
		if op := dr.Deployment.Operations[0]; op.State != "error" || len(op.DeployErrors) == 0 {
			t.Errorf("operation %+v", op)
		}
		if rows := s.sql("main", "SHOW TABLES").Rows; len(rows) != 1 {
			t.Errorf("the failure left %d tables", len(rows))
		}
	})
}
