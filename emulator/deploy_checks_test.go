package emulator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

func TestChecks(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()

		s.branch("same")
		s.sql("same", "INSERT INTO users (email) VALUES ('rows do not travel')")
		dr := s.await(s.open("same"), planetscale.StateNoChanges)
		if dr.Deployment.Deployable || len(dr.Deployment.Operations) != 0 {
			t.Errorf("no changes: %+v", dr.Deployment)
		}
		if _, err := s.shop.Deploy(t.Context(), dr.Number, false); !planetscale.IsRefused(err) {
			t.Errorf("deploy of no changes: %v", err)
		}

		s.branch("bad")
		s.sql("bad", "CREATE TABLE nokey (a int)")
		dr = s.await(s.open("bad"), planetscale.StateError)
		if l := dr.Deployment.LintErrors; len(l) != 1 || l[0].Code != "NO_UNIQUE_KEY" || l[0].TableName != "nokey" {
			t.Errorf("lint errors: %+v", l)
		}
		if l := ok(s.shop.BranchLint(t.Context(), "bad"))(t); len(l) != 1 {
			t.Errorf("lint of the branch: %+v", l)
		}

		// A changed branch brings it back, without its approval.
		n := dr.Number
		s.sql("bad", "DROP TABLE nokey", "CREATE TABLE keyed (a int NOT NULL, PRIMARY KEY (a))")
		s.await(n, planetscale.StateReady)
		if status, _ := s.call("POST", "/_emulator/as/alice/v1/organizations/acme/databases/shop/deploy-requests/"+itoa(n)+"/reviews", `{"state":"approved"}`); status != 201 {
			t.Errorf("a person's approval: %d", status)
		}
		if dr := s.await(n, planetscale.StateReady); !dr.Approved {
			t.Error("not approved")
		}
		s.sql("bad", "ALTER TABLE keyed ADD COLUMN b int")
		dr = ok(s.shop.DeployRequest(t.Context(), n))(t)
		if dr.Approved || len(dr.Deployment.Operations) != 0 && dr.DeploymentState == planetscale.StatePending {
			t.Errorf("after a change of the branch: %s, approved %t", dr.DeploymentState, dr.Approved)
		}
		s.await(n, planetscale.StateReady)
		if dr := ok(s.shop.CloseDeployRequest(t.Context(), n))(t); dr.State != planetscale.RequestClosed || dr.DeploymentState != planetscale.StateReady || dr.ClosedBy.DisplayName != "ci" {
			t.Errorf("closed: %+v", dr)
		}
	})
}

func TestApproval(t *testing.T) {
	onMemory(t, func(t *testing.T, open opener) {
		other := emulator.Token{ID: "other", Secret: "secret"}
		s := start(t, open, func(o *emulator.Options) { o.Tokens = append(o.Tokens, other) })
		if status, o := s.call("PATCH", "/v1/organizations/acme/databases/shop", `{"require_approval_for_deploy":true}`); status != 200 || o["require_approval_for_deploy"] != true {
			t.Fatal(status, o)
		}
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		dr := s.await(n, planetscale.StateReady)
		if !dr.NeedsApproval(true) {
			t.Errorf("%+v", dr)
		}
		if _, err := s.shop.Deploy(t.Context(), n, false); !planetscale.IsNeedsApproval(err) {
			t.Errorf("deploy without an approval: %v", err)
		}
		if _, err := s.shop.AddReview(t.Context(), n, planetscale.ReviewApproved, "mine"); !planetscale.IsRefused(err) {
			t.Errorf("own approval: %v", err)
		}
		path := "/v1/organizations/acme/databases/shop/deploy-requests/" + itoa(n) + "/reviews"
		if status, text := s.raw("POST", path, `{"state":"approved","body":"fine"}`, "Authorization", "other:secret"); status != 201 {
			t.Fatal(status, string(text))
		}
		if r := ok(s.shop.Reviews(t.Context(), n))(t); len(r) != 1 || r[0].Actor.DisplayName != "other" || r[0].State != planetscale.ReviewApproved {
			t.Errorf("reviews: %+v", r)
		}
		s.deploy(n)
		s.await(n, planetscale.StateComplete)
	})
}

func TestThreeWay(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.branch("ours")
		s.branch("clash")
		s.sql("ours", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		s.sql("clash", "ALTER TABLE users MODIFY email varchar(100) NOT NULL")
		// Meanwhile the target moves: a table, a column, and the column that
		// clash changes.
		s.sql("main", "CREATE TABLE theirs (id int NOT NULL, PRIMARY KEY (id))", "ALTER TABLE users ADD COLUMN age int", "ALTER TABLE users MODIFY email varchar(150) NOT NULL")
		dr := s.await(s.open("ours"), planetscale.StateReady)
		if ops := dr.Deployment.Operations; len(ops) != 1 || strings.Contains(ops[0].DDLStatement, "age") || ops[0].CanDropData {
			t.Errorf("operations: %+v", ops)
		}
		dr = s.await(s.open("clash"), planetscale.StateError)
		if l := dr.Deployment.LintErrors; len(l) != 1 || l[0].TableName != "users" {
			t.Errorf("lint errors: %+v", l)
		}
		s.deploy(1)
		s.await(1, planetscale.StateComplete)
		got := s.columns("main", "users")
		if !strings.Contains(got, "nick") || !strings.Contains(got, "age") {
			t.Errorf("main has %s", got)
		}
	})
}

// A branch lives on after its deployment: its next request is about what came
// after.
func TestSecondRequestOfABranch(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open, func(o *emulator.Options) { o.Knobs.RevertWindow = time.Hour })
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)
		ok(s.shop.SkipRevert(t.Context(), n))(t)
		s.sql("main", "ALTER TABLE users ADD COLUMN theirs int")
		s.sql("work", "ALTER TABLE users ADD COLUMN more int")
		n = s.open("work")
		dr := s.await(n, planetscale.StateReady)
		if ops := dr.Deployment.Operations; len(ops) != 1 || !strings.Contains(ops[0].DDLStatement, "more") || strings.Contains(ops[0].DDLStatement, "nick") || ops[0].CanDropData {
			t.Errorf("operations: %+v", ops)
		}
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)
		ok(s.shop.RevertDeploy(t.Context(), n))(t)
		s.await(n, planetscale.StateCompleteRevert)
		// Reverted, it can be asked for again.
		dr = s.await(s.open("work"), planetscale.StateReady)
		if ops := dr.Deployment.Operations; len(ops) != 1 || !strings.Contains(ops[0].DDLStatement, "more") {
			t.Errorf("operations after the revert: %+v", ops)
		}
	})
}

func TestInstant(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.RevertWindow = time.Hour })
	s.seed()
	s.branch("work")
	s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	n := s.open("work")
	if dr := s.await(n, planetscale.StateReady); !dr.Deployment.InstantDDLEligible {
		t.Fatalf("not eligible: %+v", dr.Deployment.Operations)
	}
	ok(s.shop.Deploy(t.Context(), n, true))(t)
	dr := s.await(n, planetscale.StateComplete)
	if !dr.Deployment.InstantDDL || dr.Deployment.RevertRequest != nil || dr.State != planetscale.RequestClosed {
		t.Errorf("%+v", dr.Deployment)
	}
	s.branch("index")
	s.sql("index", "ALTER TABLE users ADD KEY nick (nick)")
	n = s.open("index")
	if dr := s.await(n, planetscale.StateReady); dr.Deployment.InstantDDLEligible {
		t.Error("an index is eligible")
	}
	if _, err := s.shop.Deploy(t.Context(), n, true); !planetscale.IsRefused(err) {
		t.Errorf("%v", err)
	}
}

func TestControl(t *testing.T) {
	s := start(t, memory)
	if status, o := s.call("POST", "/_emulator/sql", `{"database":"shop","sql":"CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id)); INSERT INTO t VALUES (1), (2); SELECT COUNT(*) FROM t"}`); status != 200 || len(o["rows"].([]any)) != 1 {
		t.Errorf("%d %v", status, o)
	}
	if status, o := s.call("POST", "/_emulator/sql", `{"database":"shop","sql":"SELECT nonsense FROM"}`); status != 422 {
		t.Errorf("%d %v", status, o)
	}
	if status, o := s.call("POST", "/_emulator/sql", `{"database":"nowhere","sql":"SELECT 1"}`); status != 404 {
		t.Errorf("%d %v", status, o)
	}
	before := s.e.Now()
	if status, o := s.call("POST", "/_emulator/advance", `{"duration":"30m"}`); status != 200 || s.e.Now().Sub(before) < 30*time.Minute {
		t.Errorf("%d %v", status, o)
	}
	for _, bad := range []string{`{"duration":"-1s"}`, `{"duration":"soon"}`, `{"duration":7}`} {
		if status, o := s.call("POST", "/_emulator/advance", bad); status < 400 || status > 422 {
			t.Errorf("%s: %d %v", bad, status, o)
		}
	}
	if status, o := s.call("PATCH", "/_emulator/knobs", `{"revert_window":"30m"}`); status != 200 || o["revert_window"] != "30m0s" {
		t.Errorf("%d %v", status, o)
	}
	p := s.password("main", "admin", time.Minute)
	for _, path := range []string{"state", "events", "requests"} {
		status, text := s.raw("GET", "/_emulator/"+path, "")
		if status != 200 || strings.Contains(string(text), p.PlainText.Reveal()) || strings.Contains(string(text), ci.Secret) {
			t.Errorf("%s: %d, or it tells a secret", path, status)
		}
	}
	if status, _ := s.call("GET", "/_emulator/nothing", ""); status != 404 {
		t.Error(status)
	}
}
