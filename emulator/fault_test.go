package emulator_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

func (s *stage) fault(f emulator.Fault) {
	s.Helper()
	if _, err := s.e.AddFault(f); err != nil {
		s.Fatal(err)
	}
}

// roundTrip makes a request whose answer may never come.
func (s *stage) roundTrip(method, path, body string) (int, string, http.Header, error) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", ci.ID+":"+ci.Secret)
	res, err := s.e.Transport().RoundTrip(r)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), res.Header, err
}

func TestRequestFaults(t *testing.T) {
	s := start(t, memory)
	post := func(name string) (int, string, http.Header, error) {
		return s.roundTrip("POST", d+"/branches", `{"name":"`+name+`"}`)
	}
	there := func(name string) bool {
		status, _ := s.call("GET", d+"/branches/"+name, "")
		return status == 200
	}
	s.fault(emulator.Fault{Do: emulator.FaultDropBefore, Method: "POST", Path: "/branches$", Times: 1})
	if _, _, _, err := post("a"); err == nil || there("a") {
		t.Errorf("drop before: %v, done %t", err, there("a"))
	}
	s.fault(emulator.Fault{Do: emulator.FaultDropAfter, Method: "POST", Path: "/branches$", Times: 1})
	if _, _, _, err := post("b"); err == nil || !there("b") {
		t.Errorf("drop after: %v, done %t", err, there("b"))
	}
	s.fault(emulator.Fault{Do: emulator.FaultCut, Method: "POST", Times: 1})
	if status, text, _, err := post("c"); err == nil || status != 201 || !strings.HasPrefix(text, "{") || !there("c") {
		t.Errorf("cut: %d %q %v", status, text, err)
	}
	s.fault(emulator.Fault{Do: emulator.FaultAnswer, Status: 429, Times: 2, Skip: 1, Method: "GET", Header: map[string]string{"Retry-After": "7"}})
	for i, want := range []int{200, 429, 429, 200} {
		status, text, header, err := s.roundTrip("GET", d, "")
		if err != nil || status != want || want == 429 && (header.Get("Retry-After") != "7" || !strings.Contains(text, `"too_many_requests"`)) {
			t.Errorf("call %d: %d %s %v", i, status, text, err)
		}
	}
	s.fault(emulator.Fault{Do: emulator.FaultAnswer, Status: 502, Body: "<html>Bad Gateway</html>", Times: 1})
	if status, text, _, _ := s.roundTrip("GET", d, ""); status != 502 || text != "<html>Bad Gateway</html>" {
		t.Errorf("%d %s", status, text)
	}
	s.fault(emulator.Fault{Do: emulator.FaultAnswerAfter, Status: 500, Method: "POST", Times: 1})
	if status, _, _, _ := post("e"); status != 500 || !there("e") {
		t.Errorf("answer after: %d, done %t", status, there("e"))
	}
	s.fault(emulator.Fault{Do: emulator.FaultDelay, Delay: 30 * time.Millisecond, Times: 1})
	if began := time.Now(); there("zzz") || time.Since(began) < 30*time.Millisecond {
		t.Error("no latency")
	}
	if status, o := s.call("POST", "/_emulator/faults", `{"do":"delay","delay":"1h","path":"never"}`); status != 201 {
		t.Errorf("%d %v", status, o)
	}
	if status, o := s.call("GET", "/_emulator/faults", ""); status != 200 || len(o["data"].([]any)) != 1 {
		t.Errorf("%d %v", status, o)
	}
	for _, bad := range []string{`{"do":"explode"}`, `{"do":"delay","delay":"soon"}`, `{"do":"delay","path":"("}`, `{`} {
		if status, o := s.call("POST", "/_emulator/faults", bad); status < 400 || status >= 500 {
			t.Errorf("%s: %d %v", bad, status, o)
		}
	}
	if status, _ := s.call("DELETE", "/_emulator/faults", ""); status != 204 {
		t.Error(status)
	}
	if status, o := s.call("GET", "/_emulator/requests", ""); status != 200 || len(o["data"].([]any)) < 10 {
		t.Errorf("%d %v", status, o)
	}
}

func TestPlatformFaults(t *testing.T) {
	onMemory(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.fault(emulator.Fault{Do: emulator.FaultValidating, Count: 2, Times: 1})
		s.fault(emulator.Fault{Do: emulator.FaultNoDeployment, Path: "/deploy$", Times: 1, Skip: 2})
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		for range 2 {
			if _, err := s.shop.Deploy(t.Context(), n, false); !planetscale.IsValidating(err) {
				t.Errorf("deploy: %v", err)
			}
		}
		if dr := s.deploy(n); dr.Deployment != nil || dr.DeploymentState != planetscale.StateQueued {
			t.Errorf("an answer without deployment: %+v", dr)
		}
		s.await(n, planetscale.StateComplete)

		s.fault(emulator.Fault{Do: emulator.FaultDeploying})
		if err := s.shop.DeleteBranch(t.Context(), "work"); !planetscale.IsDeploying(err) {
			t.Errorf("delete just after the deployment: %v", err)
		}
		if err := s.e.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := s.shop.DeleteBranch(t.Context(), "work"); err != nil {
			t.Error(err)
		}

		// A stale base lacks what was deployed last, and its deploy request
		// would drop it.
		s.fault(emulator.Fault{Do: emulator.FaultStaleBase, Times: 1})
		s.branch("stale")
		if got := s.columns("stale", "users"); got != "id email" {
			t.Errorf("a stale branch has %s", got)
		}
		s.sql("stale", "ALTER TABLE users ADD COLUMN more int")
		dr := s.await(s.open("stale"), planetscale.StateReady)
		if ops := dr.Deployment.Operations; len(ops) != 1 || !strings.Contains(ops[0].DDLStatement, "DROP COLUMN `nick`") || !ops[0].CanDropData {
			t.Errorf("operations: %+v", ops)
		}
		s.branch("fresh")
		if got := s.columns("fresh", "users"); got != "id email nick" {
			t.Errorf("a fresh branch has %s", got)
		}

		s.fault(emulator.Fault{Do: emulator.FaultStaleSchema, Path: "fresh/schema"})
		s.sql("fresh", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
		if tables := ok(s.shop.BranchSchema(t.Context(), "fresh", ""))(t); len(tables) != 1 {
			t.Errorf("the lagging schema endpoint shows %d tables", len(tables))
		}
		s.fault(emulator.Fault{Do: emulator.FaultUnknownState, Times: 1})
		if dr := ok(s.shop.DeployRequest(t.Context(), n))(t); dr.DeploymentState.Known() {
			t.Errorf("state %s", dr.DeploymentState)
		}
	})
}

func TestPerson(t *testing.T) {
	s := start(t, memory)
	s.seed()
	s.branch("work")
	s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	n := s.open("work")
	s.await(n, planetscale.StateReady)
	if status, o := s.call("PATCH", "/_emulator/as/Alice%20B/v1/organizations/acme/databases/shop/deploy-requests/"+itoa(n), `{"state":"closed"}`); status != 200 {
		t.Fatal(status, o)
	}
	dr := ok(s.shop.DeployRequest(t.Context(), n))(t)
	if dr.ClosedBy == nil || dr.ClosedBy.Type != "User" || dr.ClosedBy.DisplayName != "Alice B" || dr.Actor.Type != "ServiceToken" {
		t.Errorf("closed by %+v, opened by %+v", dr.ClosedBy, dr.Actor)
	}
	m := s.open("work")
	s.await(m, planetscale.StateReady)
	if status, _ := s.call("POST", "/_emulator/as/bob/v1/organizations/acme/databases/shop/deploy-requests/"+itoa(m)+"/deploy", ""); status != 200 {
		t.Error(status)
	}
	if dr := s.await(m, planetscale.StateComplete); dr.Deployment.Actor.DisplayName != "bob" {
		t.Errorf("deployed by %+v", dr.Deployment.Actor)
	}
	if status, _ := s.call("DELETE", "/_emulator/as/bob/v1/organizations/acme/databases/shop/branches/work", ""); status != 204 {
		t.Error(status)
	}
	if status, _ := s.call("GET", "/_emulator/as/bob/nowhere", ""); status != 404 {
		t.Error(status)
	}
}

// What is remembered of requests has no secrets, wherever a client puts them.
func TestRequestsWithoutSecrets(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) {
		o.Tokens = append(o.Tokens, emulator.Token{ID: "own", Secret: "a secret of my own"})
	})
	s.raw("POST", d+"/branches/pscale_pw_abc?token=pscale_tkn_xyz", `{"name":"pscale_oauth_q","notes":"a secret of my own"}`, "Authorization", ci.ID+":"+ci.Secret)
	status, text := s.raw("GET", "/_emulator/requests", "")
	if status != 200 || !strings.Contains(string(text), "[secret]") {
		t.Errorf("%d %s", status, text)
	}
	for _, secret := range []string{"abc", "xyz", "oauth_q", "of my own", ci.Secret} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s is told: %s", secret, text)
		}
	}
}

func TestCancelEnds(t *testing.T) {
	for _, other := range []bool{false, true} {
		s := start(t, memory, func(o *emulator.Options) {
			o.Knobs.Deploy, o.Unknowns.CancelEndsCancelled = time.Hour, other
		})
		s.seed()
		n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		s.deploy(n)
		s.await(n, planetscale.StateInProgress)
		if _, err := s.shop.CancelDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.await(n, map[bool]planetscale.State{false: planetscale.StateCompleteCancel, true: planetscale.StateCancelled}[other])
	}
}

// What else the platform was seen to answer, or may.
func TestOddAnswers(t *testing.T) {
	s := start(t, memory)
	s.seed()
	n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	request := d + "/deploy-requests/" + itoa(n)
	operation := func() map[string]any {
		_, o := s.call("GET", request, "")
		return o["deployment"].(map[string]any)["deploy_operations"].([]any)[0].(map[string]any)
	}

	s.fault(emulator.Fault{Do: emulator.FaultErrorsAsList, Times: 1})
	if e, is := operation()["deploy_errors"].([]any); !is || len(e) != 0 {
		t.Errorf("deploy_errors is %v", operation()["deploy_errors"])
	}
	s.fault(emulator.Fault{Do: emulator.FaultUnknownMembers, Path: "/deploy-requests/", Times: 2})
	if o := operation(); o["spline_count"] != 3.0 || o["table_name"] != "users" {
		t.Errorf("%v", o)
	}
	if dr := ok(s.shop.DeployRequest(t.Context(), n))(t); !dr.MayDeploy(false) { // a client that copes
		t.Errorf("%+v", dr)
	}
	if o := operation(); o["spline_count"] != nil {
		t.Errorf("%v", o)
	}

	// A burst of refusals, without a word about when to come again.
	s.fault(emulator.Fault{Do: emulator.FaultAnswer, Status: 429, Times: 2, Method: "GET"})
	for i, want := range []int{429, 429, 200} {
		status, text, header, err := s.roundTrip("GET", d, "")
		if err != nil || status != want || header.Get("Retry-After") != "" || want == 429 && !strings.Contains(text, `"code":"too_many_requests"`) {
			t.Errorf("call %d: %d %v %s %v", i, status, header, text, err)
		}
	}
	// One endpoint fails, and the others do not.
	s.fault(emulator.Fault{Do: emulator.FaultAnswer, Status: 503, Method: "POST", Path: "/deploy$", Message: "come back"})
	if _, err := s.shop.Deploy(t.Context(), n, false); err == nil || !strings.Contains(err.Error(), "come back") {
		t.Errorf("%v", err)
	}
	if dr := ok(s.shop.DeployRequest(t.Context(), n))(t); dr.DeploymentState != planetscale.StateReady {
		t.Errorf("it is %s", dr.DeploymentState)
	}
	if err := s.e.RemoveFault(0); err != nil {
		t.Fatal(err)
	}
	// A body that comes slowly comes whole.
	s.fault(emulator.Fault{Do: emulator.FaultSlow, Delay: 80 * time.Millisecond, Times: 1})
	began := time.Now()
	if status, text, _, err := s.roundTrip("GET", request, ""); status != 200 || err != nil || !strings.HasSuffix(strings.TrimSpace(text), "}") || time.Since(began) < 80*time.Millisecond {
		t.Errorf("%d %v after %v: %s", status, err, time.Since(began), text)
	}
}

// A branch cannot be deleted for as long after its deployment as one says.
func TestDeletionRefusedForAWhile(t *testing.T) {
	s := start(t, memory)
	s.seed()
	n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	s.deploy(n)
	s.await(n, planetscale.StateComplete)
	s.fault(emulator.Fault{Do: emulator.FaultDeploying, Delay: 5 * time.Minute, Times: 2})
	for range 2 {
		if err := s.shop.DeleteBranch(t.Context(), "work"); !planetscale.IsDeploying(err) {
			t.Errorf("%v", err)
		}
		advance(s, time.Minute)
	}
	s.fault(emulator.Fault{Do: emulator.FaultDeploying, Delay: 5 * time.Minute})
	advance(s, 4*time.Minute)
	if err := s.shop.DeleteBranch(t.Context(), "work"); err != nil {
		t.Error(err)
	}
}

// A revert that fails blocks the queue until somebody completes it.
func TestRevertFails(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open, windowOf(time.Hour))
		s.seed()
		n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		m := s.change("next", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)
		s.deploy(m)
		s.fault(emulator.Fault{Do: emulator.FaultRevertError, Path: "^#" + itoa(n) + "$", Message: "Data too long for column", Times: 1})
		ok(s.shop.RevertDeploy(t.Context(), n))(t)
		dr := s.await(n, planetscale.StateCompleteRevertError)
		if r := dr.Deployment.RevertRequest; dr.State != planetscale.RequestOpen || r == nil || r.FinishedAt == nil {
			t.Errorf("%s, %+v", dr.State, r)
		}
		if got := s.columns("main", "users"); got != "id email nick" {
			t.Errorf("main has %s", got)
		}
		if dr := ok(s.shop.DeployRequest(t.Context(), m))(t); dr.DeploymentState != planetscale.StateQueued {
			t.Errorf("behind it the next is %s", dr.DeploymentState)
		}
		ok(s.shop.CompleteDeploy(t.Context(), n))(t)
		s.await(m, planetscale.StateCompletePendingRevert)
	})
}
