package planner_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// What a person has stopped stays stopped, until a file changes or somebody
// says so.
func TestBrake(t *testing.T) {
	base := world{tool: "dbmate", files: []string{"1_a.sql", "2_b.sql"}, rows: [][]string{{"1"}}, ddl: users}
	plan := base.decide(t)
	sum := plan.Sources[0].Pending[0].SHA256
	at := time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC)
	ada, token := &planetscale.Actor{Type: planetscale.ActorUser, DisplayName: "ada"}, &planetscale.Actor{Type: planetscale.ActorServiceToken, DisplayName: "ci"}

	carrying := func(n int, sha string, q planetscale.DeployRequest) planner.StampedRequest {
		q.Number, q.IntoBranch = n, "main"
		return planner.StampedRequest{Request: q, Stamp: &planner.Stamp{Identity: plan.Identity, Intent: plan.Intent, Histories: []planner.StampHistory{
			{Source: "dbmate", Tool: "dbmate", Keyspace: "shop", Table: "schema_migrations", Migrations: map[string]string{"2": sha}}}}}
	}
	state := func(s planetscale.State, d planetscale.Deployment) planetscale.DeployRequest {
		return planetscale.DeployRequest{State: planetscale.RequestClosed, DeploymentState: s, Deployment: &d}
	}
	closed := func(by *planetscale.Actor) planetscale.DeployRequest {
		return planetscale.DeployRequest{State: planetscale.RequestClosed, DeploymentState: planetscale.StateReady, ClosedBy: by, ClosedAt: &at}
	}
	reverted := state(planetscale.StateCompleteRevert, planetscale.Deployment{RevertRequest: &planetscale.RevertRequest{Actor: ada, FinishedAt: &at}})
	list := func(qs ...planetscale.DeployRequest) (out []planner.StampedRequest) {
		for i, q := range qs {
			out = append(out, carrying(len(qs)-i, sum, q))
		}
		return out
	}
	for _, c := range []struct {
		name     string
		requests []planner.StampedRequest
		by       []config.Acknowledged
		want     string // severity, code and a part of the message; "" for none
	}{
		{"nothing before", nil, nil, ""},
		{"reverted", list(reverted), nil, "error reverted: deploy request #1, which carried these migrations, was reverted by ada on 2026-01-02 15:04 UTC"},
		{"reverted, and the file changed", []planner.StampedRequest{carrying(1, "another", reverted)}, nil, ""},
		{"reverted, then deployed again and closed by a token", list(closed(token), reverted), nil, ""},
		{"closed by a person", list(closed(ada)), nil, "error stopped: deploy request #1, which carried these migrations, was closed by ada on 2026-01-02 15:04 UTC"},
		{"closed by a token, three times", list(closed(token), closed(token), closed(token)), nil, ""},
		{"closed by a token, four times", list(closed(token), closed(nil), closed(token), closed(token)), nil, "error stopped: deploy request #4, the 4th in a row for these very migrations, was closed by ci"},
		{"cancelled by a person", list(state(planetscale.StateCompleteCancel, planetscale.Deployment{CancelledActor: ada, FinishedAt: &at})), nil, "error stopped: deploy request #1, which carried these migrations, was cancelled by ada"},
		{"cancelled by nobody", list(state(planetscale.StateCancelled, planetscale.Deployment{})), nil, ""},
		{"failed while deploying", list(state(planetscale.StateCompleteError, planetscale.Deployment{FinishedAt: &at})), nil, "error deploy-failed: deploy request #1, which carried these migrations, failed while it was being deployed on 2026-01-02"},
		{"failed and taken out of the queue", list(state(planetscale.StateComplete, planetscale.Deployment{Operations: []planetscale.Operation{{State: "error"}}})), nil, "error deploy-failed: "},
		{"open", list(planetscale.DeployRequest{State: planetscale.RequestOpen, DeploymentState: planetscale.StateReady}, reverted), nil, ""},
		{"acknowledged", list(reverted), []config.Acknowledged{{Code: "reverted", Reason: "the disk is larger now"}}, "warning reverted: deploy request #1, which carried these migrations, was reverted by ada on 2026-01-02 15:04 UTC; acknowledged: the disk is larger now"},
		{"another is acknowledged", list(reverted), []config.Acknowledged{{Code: "stopped", Reason: "x"}}, "error reverted: "},
		{"acknowledged for nothing", nil, []config.Acknowledged{{Code: "reverted", Reason: "x", Range: hcl.Range{Filename: "pmig.hcl"}}}, `note acknowledged: nothing is "reverted" now`},
		{"--again for nothing", nil, []config.Acknowledged{{Code: "reverted", Reason: "--again"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := base
			w.requests, w.acknowledged = c.requests, c.by
			d := w.decide(t)
			got := ""
			for _, f := range d.Findings {
				if f.Code != planner.CodeUnfinished {
					got += fmt.Sprintf("%s %s: %s\n", f.Severity, f.Code, f.Message)
				}
			}
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("findings:\n%swant %s", got, c.want)
			}
			if d.Intent != plan.Intent {
				t.Error("an acknowledgment is no other intent: a run that waits for an approval is to be joined without it")
			}
		})
	}
}

// A revert is noticed as long as the history has anything of what it took back,
// while it runs and when somebody has put half of it right.
func TestRevertedInHistory(t *testing.T) {
	for _, c := range []struct {
		name string
		rows [][]string
		s    planetscale.State
		want bool
	}{
		{"all there", [][]string{{"1"}, {"2"}, {"3"}}, planetscale.StateCompleteRevert, true},
		{"being reverted", [][]string{{"1"}, {"2"}, {"3"}}, planetscale.StateInProgressRevert, true},
		{"half of it there", [][]string{{"1"}, {"3"}}, planetscale.StateCompleteRevert, true},
		{"gone", [][]string{{"1"}}, planetscale.StateCompleteRevert, false},
		{"live", [][]string{{"1"}, {"2"}, {"3"}}, planetscale.StateComplete, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world{tool: "dbmate", files: []string{"1_a.sql"}, rows: c.rows, ddl: users}
			w.requests = []planner.StampedRequest{{Request: planetscale.DeployRequest{Number: 1, DeploymentState: c.s},
				Stamp: &planner.Stamp{Histories: []planner.StampHistory{{Source: "dbmate", Tool: "dbmate", Keyspace: "shop", Table: "schema_migrations",
					Migrations: map[string]string{"2": "x", "3": "y"}}}}}}
			got := false
			for _, f := range w.decide(t).Findings {
				got = got || f.Code == planner.CodeReverted && f.Severity == planner.SeverityError && strings.Contains(f.Hint, "pmig revert")
			}
			if got != c.want {
				t.Errorf("found: %v, want %v", got, c.want)
			}
		})
	}
}
