package planetscale_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pmig/pmig/planetscale"
)

// FuzzAnswer gives every kind of call any answer: nothing may panic, show a
// secret, or turn a failure or an unknown state into success.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"organization", "database", "branch", "password", "deploy_request"} {
		f.Add(200, sample(f, name), "")
		f.Add(200, page("null", sample(f, name)), "")
	}
	f.Add(404, `{"code":"not_found","message":"Not Found"}`, "")
	f.Add(401, `{"error":"invalid_token","error_description":"x","state":"unauthorized"}`, "")
	f.Add(422, `{"errors":[{"namespace":"n","name":"a","errors":["b"]}]}`, "")
	f.Add(422, `{"code":"invalid_params","message":"We're currently validating that these changes are safe to deploy."}`, "")
	f.Add(429, `{}`, "3")
	f.Add(502, page502, "Fri, 02 Jan 2026 03:04:35 GMT")
	f.Add(302, "", "-1")
	f.Add(200, `{"data":[{"number":1,"deployment":{"deploy_operations":[{"deploy_errors":[[],{"a":{}}]}]}}],"next_page":2}`, "")
	f.Add(500, token, "99999999999999999999")
	f.Fuzz(func(t *testing.T, status int, body, retryAfter string) {
		if status < 100 || status > 999 {
			t.Skip("net/http lets no such status through")
		}
		synctest.Test(t, func(t *testing.T) {
			d := shop(t, always(status, body, "Retry-After", retryAfter))
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			r, err := d.DeployRequest(ctx, 7)
			if r != nil && r.DeploymentState.Live() && !strings.Contains(body, `complete`) && !strings.Contains(body, `\u`) {
				t.Errorf("live: %s", body)
			}
			if (r == nil) == (err == nil) {
				t.Errorf("%v, %v", r, err)
			}
			_, listErr := d.DeployRequests(ctx, planetscale.DeployRequestFilter{})
			_, password := d.CreatePassword(ctx, "dev", planetscale.NewPassword{})
			_, deploy := d.Deploy(ctx, 7, false)
			_, branch := d.Branch(ctx, "dev")
			for _, err := range []error{err, listErr, password, deploy, branch, second(d.Get(ctx)), second(d.BranchLint(ctx, "dev")), d.DeleteBranch(ctx, "dev")} {
				if err == nil {
					if status < 200 || status > 299 {
						t.Errorf("%d is a success", status)
					}
					continue
				}
				e := as(t, err)
				text := err.Error() + e.Hint()
				if e.Kind == "" || strings.Contains(text, token) || strings.ContainsAny(err.Error(), "\n\x1b") {
					t.Errorf("%q %q", e.Kind, text)
				}
			}
		})
	})
}
