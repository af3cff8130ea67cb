package executor_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
)

// What a person has said something about is closed for no other plan, on this
// machine or another; what only a service token has commented on is.
func TestTouched(t *testing.T) {
	person := func(w *world, state string) {
		req, _ := http.NewRequest("POST", "https://emulator.test/_emulator/as/alice/v1/organizations/acme/databases/shop/deploy-requests/1/reviews", strings.NewReader(`{"state":"`+state+`"}`))
		req.Header.Set("Content-Type", "application/json")
		if resp, err := w.e.Transport().RoundTrip(req); err != nil || resp.StatusCode != 201 {
			w.t.Fatal(err, resp)
		}
	}
	for name, c := range map[string]struct {
		touch func(*world)
		open  bool
		says  string
	}{
		"approved":             {func(w *world) { person(w, planetscale.ReviewApproved) }, true, "alice has approved it, and it is for another plan"},
		"commented":            {func(w *world) { person(w, planetscale.ReviewCommented) }, true, "alice has reviewed it, and it is for another plan"},
		"commented by a token": {func(w *world) { w.api.AddReview(context.Background(), 1, planetscale.ReviewCommented, "lint: fine") }, false, "it needs an approval"},
		"not at all":           {func(*world) {}, false, "it needs an approval"},
	} {
		for _, journal := range []string{"j", "elsewhere"} {
			t.Run(name+", journal "+journal, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, brief, small())
					w.db.Deploy.Approval = "require"
					if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); executor.OutcomeOf(err) != executor.Person {
						t.Fatal(err)
					}
					c.touch(w)
					w.write("dbmate/2_d.sql", "-- migrate:up\nCREATE TABLE d (id BIGINT NOT NULL, PRIMARY KEY (id))")
					_, err := w.run(w.e.Transport(), journal).Apply(t.Context())
					if executor.OutcomeOf(err) != executor.Person || !strings.Contains(err.Error(), c.says) {
						t.Error(err)
					}
					if q, _ := w.api.DeployRequest(t.Context(), 1); (q.State == planetscale.RequestOpen) != c.open {
						t.Errorf("#1 is %s", q.State)
					}
				})
			})
		}
	}
}
