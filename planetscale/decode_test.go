package planetscale_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/planetscale"
)

func TestDecodeDeployRequest(t *testing.T) {
	r, err := shop(t, always(200, sample(t, "deploy_request"))).DeployRequest(background, 7)
	if err != nil {
		t.Fatal(err)
	}
	y := r.Deployment
	window := time.Date(2026, 1, 2, 3, 40, 0, 0, time.UTC)
	got := []any{r.Number, r.State, r.DeploymentState, r.BranchID, r.Branch, r.IntoBranch, r.Notes, r.Actor.IsUser(), r.ClosedBy == nil,
		y.State, y.Deployable, y.AutoCutover, y.AutoDeleteBranch, y.InstantDDLEligible, len(y.DeployCheckErrors),
		y.Preceding[0].State, y.Preceding[0].DeployRequestNumber, y.Preceding[0].Actor.IsUser(),
		y.RevertRequest.WaitingPeriodEndAt.Equal(window), y.Actor.IsUser(),
		y.Operations[0].DDLStatement, y.Operations[0].ProgressPercentage == nil, y.Operations[0].DeployErrors.String(),
		*y.Operations[1].ProgressPercentage, *y.Operations[1].ETASeconds, y.Operations[1].CanDropData, y.Operations[1].DeployErrors.String()}
	want := []any{7, "open", planetscale.StateReady, "b1a2b3c4d5e6", "pmig-migrator-1", "main", "two migrations", false, true,
		planetscale.StateReady, true, true, false, true, 0,
		planetscale.StateCompletePendingRevert, 6, true,
		true, false,
		"ALTER TABLE `users` ADD COLUMN `nick` varchar(40)", true, "",
		41.5, 12.0, true, "row 4 does not fit; gave up"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !r.CreatedAt.Equal(time.Date(2026, 1, 2, 3, 6, 0, 0, time.UTC)) || r.DeployedAt != nil || r.ClosedAt != nil {
		t.Errorf("times %v %v %v", r.CreatedAt, r.DeployedAt, r.ClosedAt)
	}
}

func TestDecodeOthers(t *testing.T) {
	database, err := shop(t, always(200, sample(t, "database"))).Get(background)
	if err != nil || !database.MySQL() || !database.RequireApprovalForDeploy || database.MigrationTableName != "schema_migrations" || database.DefaultBranch != "main" {
		t.Errorf("database %+v, %v", database, err)
	}
	branch, err := shop(t, always(200, sample(t, "branch"))).Branch(background, "pmig-migrator-1")
	if err != nil || branch.ID != "b1a2b3c4d5e6" || !branch.Ready || branch.ParentBranch != "main" || branch.Actor.Type != planetscale.ActorServiceToken ||
		!branch.CreatedAt.Equal(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)) {
		t.Errorf("branch %+v, %v", branch, err)
	}
	password, err := shop(t, always(201, sample(t, "password"))).CreatePassword(background, "dev", planetscale.NewPassword{})
	if err != nil || password.PlainText.Reveal() != "pscale_pw_0123456789abcdefghijABCDEFGHIJ0123456789abc" ||
		password.Address() != "aws.connect.psdb.cloud:3306" || password.DatabaseBranch.ID != "b1a2b3c4d5e6" || password.TTLSeconds != 1800 {
		t.Errorf("password %+v, %v", password, err)
	}
}

// TestTolerance: what the platform leaves out or adds is no error.
func TestTolerance(t *testing.T) {
	tests := []struct {
		name, body string
		check      func(*planetscale.DeployRequest) bool
	}{
		{"nothing but a state", `{"deployment_state":"pending"}`, func(r *planetscale.DeployRequest) bool {
			return r.Number == 7 && r.DeploymentState == planetscale.StatePending && r.Deployment == nil
		}},
		{"nulls everywhere", `{"number":7,"state":"open","deployment_state":null,"approved":null,"notes":null,"branch_id":null,"actor":null,"closed_by":null,"created_at":null,"deployment":null}`,
			func(r *planetscale.DeployRequest) bool { return r.State == "open" && !r.DeploymentState.Known() }},
		{"state in the deployment only", `{"number":7,"deployment":{"state":"queued"}}`, func(r *planetscale.DeployRequest) bool {
			return r.DeploymentState == planetscale.StateQueued
		}},
		{"nulls in the deployment", `{"state":"open","deployment":{"state":null,"deploy_operations":null,"lint_errors":null,"preceding_deployments":null,"deployment_revert_request":null}}`,
			func(r *planetscale.DeployRequest) bool { return len(r.Deployment.Operations) == 0 }},
		{"errors as a text", `{"state":"open","deployment":{"deploy_check_errors":"no shared columns"}}`, func(r *planetscale.DeployRequest) bool {
			return r.Deployment.DeployCheckErrors.String() == "no shared columns"
		}},
		{"errors as objects", `{"state":"open","deployment":{"deploy_check_errors":[{"message":"bad","table":"t"},null,""]}}`, func(r *planetscale.DeployRequest) bool {
			return r.Deployment.DeployCheckErrors.String() == "message: bad, table: t"
		}},
		{"unknown members and state", `{"state":"open","deployment_state":"hibernating","new":{"a":[1]},"deployment":{"state":"hibernating","shiny":1}}`,
			func(r *planetscale.DeployRequest) bool {
				i := r.DeploymentState.Info()
				return i.Class == planetscale.ClassUnknown && !i.Live && !i.Terminal && !r.DeploymentState.Live()
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := shop(t, always(200, tt.body)).DeployRequest(background, 7)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(r) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestLint(t *testing.T) {
	got, err := shop(t, always(200, page("null",
		`{"lint_error":"NO_UNIQUE_KEY","subject_type":"table","table_name":"logs","error_description":"table has no unique key","docs_url":null,"column_name":"","shiny":{}}`,
		`{"lint_error":"CONFLICT","table_name":null,"conflict_error":["both added a column"],"conflict_columns":["nick"],"statement":7}`,
		`"a text"`, `null`))).BranchLint(background, "main")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range got {
		lines = append(lines, e.String())
	}
	want := []string{"logs table has no unique key (NO_UNIQUE_KEY)", "both added a column (CONFLICT)", "a text", ""}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestActionAnswers: an action's answer may say little; the number is known.
func TestActionAnswers(t *testing.T) {
	for _, body := range []string{"", "{}", `{"number":7,"state":"open","deployment_state":"queued"}`} {
		r, err := shop(t, always(200, body)).Deploy(background, 7, false)
		if err != nil || r.Number != 7 || r.Deployment != nil {
			t.Errorf("%q: %+v, %v", body, r, err)
		}
	}
}

// TestUnusable: a success that says nothing, or something else, is none.
func TestUnusable(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		do     func(*planetscale.DB) error
		want   string
	}{
		{"list without data", 200, `{}`, func(d *planetscale.DB) error { return second(d.Branches(background)) }, "no data"},
		{"empty list answer", 200, ``, func(d *planetscale.DB) error { return second(d.Branches(background)) }, "no data"},
		{"list of texts", 200, `{"data":["a"]}`, func(d *planetscale.DB) error { return second(d.Branches(background)) }, "can't be understood"},
		{"branch without anything", 200, `{}`, func(d *planetscale.DB) error { return second(d.Branch(background, "dev")) }, "neither id nor name"},
		{"new request without number", 201, `{}`, func(d *planetscale.DB) error {
			return second(d.CreateDeployRequest(background, planetscale.NewDeployRequest{Branch: "dev"}))
		}, "no number"},
		{"request without state", 200, `{"number":7}`, func(d *planetscale.DB) error { return second(d.DeployRequest(background, 7)) }, "no state"},
		{"another request", 200, `{"number":8,"state":"open"}`, func(d *planetscale.DB) error { return second(d.DeployRequest(background, 7)) }, "about deploy request 8"},
		{"wrong type", 200, `{"id":"b","ready":"yes"}`, func(d *planetscale.DB) error { return second(d.Branch(background, "dev")) }, "the member ready is a string"},
		{"a login page", 200, "<html><body>Sign in</body></html>", func(d *planetscale.DB) error { return second(d.Branch(background, "dev")) }, "not JSON: <html><body>Sign in"},
		{"a broken answer is not shown", 201, `{"id":"p","plain_text":"hunter2"`, func(d *planetscale.DB) error {
			return second(d.CreatePassword(background, "dev", planetscale.NewPassword{}))
		}, "the answer is not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.do(shop(t, always(tt.status, tt.body)))
			e := as(t, err)
			if e.Kind != planetscale.KindMalformed || e.Status != tt.status || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v (%s)", err, e.Kind)
			}
			if !planetscale.IsLost(err) || e.Hint() == "" {
				t.Errorf("lost %v, hint %q", planetscale.IsLost(err), e.Hint())
			}
		})
	}
}

// TestPasswordWithoutText: the password exists, so the caller gets its id.
func TestPasswordWithoutText(t *testing.T) {
	p, err := shop(t, always(201, `{"id":"p1","username":"u","access_host_url":"h"}`)).CreatePassword(background, "dev", planetscale.NewPassword{})
	if as(t, err).Kind != planetscale.KindMalformed || p == nil || p.ID != "p1" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAddressOfPassword(t *testing.T) {
	for host, want := range map[string]string{
		"": "", "aws.connect.psdb.cloud": "aws.connect.psdb.cloud:3306", "127.0.0.1:4001": "127.0.0.1:4001", "[::1]:4001": "[::1]:4001", "::1": "[::1]:3306",
	} {
		if got := (&planetscale.Password{Host: host}).Address(); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestPages(t *testing.T) {
	p := &platform{answer: func(n int, r *http.Request, _ string) (*http.Response, error) {
		switch r.URL.Query().Get("page") {
		case "1":
			return answer(200, page("2", `{"id":"b1","name":"one"}`, `{"id":"b2","name":"two"}`))
		case "2": // b2 has slid here while the pages were read
			return answer(200, page("3", `{"id":"b2","name":"two"}`, `{"id":"b3","name":"three"}`, `{"name":"no id"}`))
		case "3":
			return answer(200, page("null"))
		}
		return answer(404, `{}`)
	}}
	branches, err := shop(t, p).Branches(background)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range branches {
		names = append(names, b.Name)
	}
	if diff := cmp.Diff([]string{"one", "two", "three", "no id"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	for name, next := range map[string]string{"itself": "1", "backwards": "0"} {
		p := always(200, page(next))
		if _, err := shop(t, p).Branches(background); as(t, err).Kind != planetscale.KindMalformed || len(p.seen) != 1 {
			t.Errorf("%s: %v after %d pages", name, err, len(p.seen))
		}
	}
	half := &platform{answer: func(n int, r *http.Request, _ string) (*http.Response, error) {
		if n == 1 {
			return answer(200, page("2", `{"id":"b1"}`))
		}
		return answer(404, `{"code":"not_found","message":"Not Found"}`)
	}}
	if got, err := shop(t, half).Branches(background); !planetscale.IsNotFound(err) || got != nil {
		t.Errorf("half a list: %v, %v", got, err)
	}
	endless := &platform{}
	endless.answer = func(n int, r *http.Request, _ string) (*http.Response, error) {
		return answer(200, page(itoa(n+1)))
	}
	if _, err := shop(t, endless).Branches(background); as(t, err).Kind != planetscale.KindMalformed || len(endless.seen) > 2000 {
		t.Errorf("endless: %v after %d pages", err, len(endless.seen))
	}
}
