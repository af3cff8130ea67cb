package planetscale_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/planetscale"
)

// TestCalls holds every method to the request that the API wants: method,
// path, query and body.
func TestCalls(t *testing.T) {
	const d = "/v1/organizations/acme/databases/shop"
	const paged = "?page=1&per_page=100"
	one := sample(t, "deploy_request")
	type db = planetscale.DB
	ignore := func(_ any, err error) error { return err }
	tests := []struct {
		name   string
		do     func(context.Context, *planetscale.Client, *db) error
		method string
		uri    string
		body   string
		status int
		answer string
	}{
		{"organizations", func(ctx context.Context, c *planetscale.Client, _ *db) error { return ignore(c.Organizations(ctx)) },
			"GET", "/v1/organizations" + paged, "", 200, page("null", sample(t, "organization"))},
		{"organization", func(ctx context.Context, c *planetscale.Client, _ *db) error {
			return ignore(c.Organization(ctx, "acme"))
		}, "GET", "/v1/organizations/acme", "", 200, sample(t, "organization")},
		{"databases", func(ctx context.Context, c *planetscale.Client, _ *db) error {
			return ignore(c.Databases(ctx, "acme"))
		}, "GET", "/v1/organizations/acme/databases" + paged, "", 200, page("null", sample(t, "database"))},
		{"database", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Get(ctx)) },
			"GET", d, "", 200, sample(t, "database")},
		{"branches", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Branches(ctx)) },
			"GET", d + "/branches" + paged, "", 200, page("null", sample(t, "branch"))},
		{"branch", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Branch(ctx, "a/b c")) },
			"GET", d + "/branches/a%2Fb%20c", "", 200, sample(t, "branch")},
		{"create branch", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.CreateBranch(ctx, planetscale.NewBranch{Name: "pmig-migrator-1", Parent: "main"}))
		}, "POST", d + "/branches", `{"name":"pmig-migrator-1","parent_branch":"main"}`, 201, sample(t, "branch")},
		{"delete branch", func(ctx context.Context, _ *planetscale.Client, d *db) error { return d.DeleteBranch(ctx, "dev") },
			"DELETE", d + "/branches/dev", "", 204, ""},
		{"safe migrations on", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.SetSafeMigrations(ctx, "main", true))
		}, "POST", d + "/branches/main/safe-migrations", "{}", 200, sample(t, "branch")},
		{"safe migrations off", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.SetSafeMigrations(ctx, "main", false))
		}, "DELETE", d + "/branches/main/safe-migrations", "", 200, sample(t, "branch")},
		{"keyspaces", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Keyspaces(ctx, "main")) },
			"GET", d + "/branches/main/keyspaces" + paged, "", 200, page("null", `{"id":"k1","name":"shop","shards":1,"default":true}`)},
		{"schema", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.BranchSchema(ctx, "main", "shop"))
		}, "GET", d + "/branches/main/schema?keyspace=shop", "", 200, `{"data":[{"name":"users","raw":"CREATE TABLE users (id int primary key)","html":"<b>"}]}`},
		{"lint", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.BranchLint(ctx, "main"))
		},
			"GET", d + "/branches/main/schema/lint" + paged, "", 200, page("null", `{"lint_error":"NO_UNIQUE_KEY","table_name":"t","conflict_columns":null}`)},
		{"passwords", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Passwords(ctx, "dev")) },
			"GET", d + "/branches/dev/passwords" + paged, "", 200, page("null", sample(t, "password"))},
		{"create password", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.CreatePassword(ctx, "dev", planetscale.NewPassword{Name: "pmig", Role: "admin", TTL: 299*time.Second + time.Millisecond}))
		}, "POST", d + "/branches/dev/passwords", `{"name":"pmig","role":"admin","ttl":300}`, 201, sample(t, "password")},
		{"renew password", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.RenewPassword(ctx, "dev", "p1"))
		}, "POST", d + "/branches/dev/passwords/p1/renew", "{}", 200, strings.Replace(sample(t, "password"), `"pscale_pw_0123456789abcdefghijABCDEFGHIJ0123456789abc"`, "null", 1)},
		{"delete password", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return d.DeletePassword(ctx, "dev", "p1")
		}, "DELETE", d + "/branches/dev/passwords/p1", "", 204, ""},
		{"deploy requests", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.DeployRequests(ctx, planetscale.DeployRequestFilter{State: "open", Branch: "dev", IntoBranch: "main"}))
		}, "GET", d + "/deploy-requests?branch=dev&into_branch=main&page=1&per_page=100&state=open", "", 200, page("null", one)},
		{"deploy request", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.DeployRequest(ctx, 7)) },
			"GET", d + "/deploy-requests/7", "", 200, one},
		{"create deploy request", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.CreateDeployRequest(ctx, planetscale.NewDeployRequest{Branch: "dev", IntoBranch: "main", Notes: "n"}))
		}, "POST", d + "/deploy-requests", `{"branch":"dev","into_branch":"main","notes":"n","auto_cutover":false,"auto_delete_branch":false}`, 201, one},
		{"close", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.CloseDeployRequest(ctx, 7))
		},
			"PATCH", d + "/deploy-requests/7", `{"state":"closed"}`, 200, one},
		{"deploy", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Deploy(ctx, 7, false)) },
			"POST", d + "/deploy-requests/7/deploy", `{"instant_ddl":false}`, 200, one},
		{"deploy instant", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Deploy(ctx, 7, true)) },
			"POST", d + "/deploy-requests/7/deploy", `{"instant_ddl":true}`, 200, one},
		{"apply deploy", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.ApplyDeploy(ctx, 7)) },
			"POST", d + "/deploy-requests/7/apply-deploy", "{}", 200, one},
		{"complete deploy", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.CompleteDeploy(ctx, 7)) },
			"POST", d + "/deploy-requests/7/complete-deploy", "{}", 200, one},
		{"cancel", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.CancelDeploy(ctx, 7)) },
			"POST", d + "/deploy-requests/7/cancel", "{}", 200, one},
		{"revert", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.RevertDeploy(ctx, 7)) },
			"POST", d + "/deploy-requests/7/revert", "{}", 200, one},
		{"skip revert", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.SkipRevert(ctx, 7)) },
			"POST", d + "/deploy-requests/7/skip-revert", "{}", 200, one},
		{"force cutover", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.ForceCutover(ctx, 7)) },
			"POST", d + "/deploy-requests/7/force-cutover", "{}", 200, one},
		{"auto apply", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.SetAutoApply(ctx, 7, true))
		},
			"PUT", d + "/deploy-requests/7/auto-apply", `{"enable":true}`, 200, one},
		{"auto delete branch", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.SetAutoDeleteBranch(ctx, 7, false))
		}, "PUT", d + "/deploy-requests/7/auto-delete-branch", `{"enable":false}`, 200, one},
		{"operations", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Operations(ctx, 7)) },
			"GET", d + "/deploy-requests/7/operations" + paged, "", 200, page("null", `{"id":"z1","state":"queued"}`)},
		{"queue", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.DeployQueue(ctx)) },
			"GET", d + "/deploy-queue" + paged, "", 200, page("null", `{"id":"y1","state":"queued"}`)},
		{"reviews", func(ctx context.Context, _ *planetscale.Client, d *db) error { return ignore(d.Reviews(ctx, 7)) },
			"GET", d + "/deploy-requests/7/reviews" + paged, "", 200, page("null", `{"id":"w1","state":"approved"}`)},
		{"review", func(ctx context.Context, _ *planetscale.Client, d *db) error {
			return ignore(d.AddReview(ctx, 7, planetscale.ReviewApproved, "fine"))
		}, "POST", d + "/deploy-requests/7/reviews", `{"body":"fine","state":"approved"}`, 201, `{"id":"w1","state":"approved"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := always(tt.status, tt.answer)
			c := client(t, p)
			if err := tt.do(background, c, c.DB("acme", "shop")); err != nil {
				t.Fatal(err)
			}
			if len(p.seen) != 1 {
				t.Fatalf("%d requests", len(p.seen))
			}
			got := p.seen[0]
			want := exchange{method: tt.method, uri: tt.uri, body: tt.body}
			if diff := cmp.Diff([]string{want.method, want.uri, want.body}, []string{got.method, got.uri, got.body}); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			contentType := "application/json"
			if tt.method == http.MethodGet {
				contentType = ""
			}
			for name, value := range map[string]string{
				"Authorization": tokenID + ":" + token, "Accept": "application/json",
				"User-Agent": "pmig/test", "Content-Type": contentType,
			} {
				if got.header.Get(name) != value {
					t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
				}
			}
		})
	}
}

// TestNames refuses what would be a call on something else.
func TestNames(t *testing.T) {
	p := always(204, "")
	d := shop(t, p)
	for name, err := range map[string]error{
		"empty branch":    d.DeleteBranch(background, ""),
		"parent":          d.DeleteBranch(background, ".."),
		"empty password":  d.DeletePassword(background, "dev", ""),
		"number 0":        second(d.CloseDeployRequest(background, 0)),
		"negative number": second(d.Deploy(background, -1, false)),
		"no organization": second(client(t, p).DB("", "shop").Get(background)),
	} {
		if e := as(t, err); e.Kind != planetscale.KindInvalid || planetscale.IsLost(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(p.seen) != 0 {
		t.Errorf("sent %v", p.seen)
	}
}

func second[T any](_ T, err error) error { return err }
