package planetscale_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/planetscale"
)

// documented are the values of deployment_state in the platform's description.
var documented = strings.Fields(`pending ready no_changes error queued submitting in_progress in_progress_vschema
	pending_cutover in_progress_cutover in_progress_cancel complete_pending_revert complete in_progress_revert
	in_progress_revert_vschema complete_revert complete_revert_error complete_error complete_cancel cancelled`)

func TestStates(t *testing.T) {
	var names []string
	for _, info := range planetscale.States() {
		names = append(names, string(info.State))
		if info != info.State.Info() || !info.State.Known() || info.Class == planetscale.ClassUnknown || info.Meaning == "" {
			t.Errorf("%+v", info)
		}
		if info.Live != (info.Class == planetscale.ClassLive) {
			t.Errorf("%s: live %v in class %s", info.State, info.Live, info.Class)
		}
		if info.Live && !info.Started {
			t.Errorf("%s is live and never started", info.State)
		}
		if info.Class == planetscale.ClassRunning && (!info.Started || info.Terminal || !info.BlocksQueue) {
			t.Errorf("%s runs, and %+v", info.State, info)
		}
		if info.Class == planetscale.ClassFailed && !info.Terminal {
			t.Errorf("%s failed and is not the end", info.State)
		}
	}
	want, got := slices.Sorted(slices.Values(documented)), slices.Sorted(slices.Values(names))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-documented +table):\n%s", diff)
	}
}

// TestDerived is the fact sheet's table of derived answers, state by state.
func TestDerived(t *testing.T) {
	set := func(s string) map[planetscale.State]bool {
		m := map[planetscale.State]bool{}
		for _, f := range strings.Fields(s) {
			m[planetscale.State(f)] = true
		}
		return m
	}
	live := set("complete complete_pending_revert")
	failed := set("error complete_error complete_revert_error cancelled complete_cancel complete_revert")
	started := set(`queued submitting in_progress in_progress_vschema pending_cutover in_progress_cutover in_progress_cancel
		complete_pending_revert complete in_progress_revert in_progress_revert_vschema complete_revert complete_revert_error
		complete_error complete_cancel cancelled`)
	blocks := set(`queued submitting in_progress in_progress_vschema pending_cutover in_progress_cutover in_progress_cancel
		complete_pending_revert in_progress_revert in_progress_revert_vschema complete_revert_error complete_error`)
	for _, name := range append(slices.Clone(documented), "failed", "", "Complete", "complete_something") {
		s := planetscale.State(name)
		i := s.Info()
		got := []bool{i.Live, s.Live(), i.Class == planetscale.ClassFailed, i.Started, i.BlocksQueue}
		want := []bool{live[s], live[s], failed[s], started[s], blocks[s]}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
		if i.Class.String() == "" || planetscale.Class(99).String() != "unknown" {
			t.Errorf("%q: class %q", name, i.Class)
		}
	}
}

func TestRequestQuestions(t *testing.T) {
	end := time.Date(2026, 1, 2, 3, 40, 0, 0, time.UTC)
	type answers struct{ May, Needs, Cutover, Revert bool }
	ask := func(r planetscale.DeployRequest, require bool) answers {
		_, revert := r.RevertUntil()
		return answers{r.MayDeploy(require), r.NeedsApproval(require), r.WaitsForCutover(), revert}
	}
	deployable := &planetscale.Deployment{Deployable: true, AutoCutover: true}
	tests := []struct {
		name    string
		request planetscale.DeployRequest
		require bool
		want    answers
	}{
		{"ready", planetscale.DeployRequest{State: "open", DeploymentState: "ready", Deployment: deployable}, false, answers{May: true}},
		{"ready, not approved", planetscale.DeployRequest{State: "open", DeploymentState: "ready", Deployment: deployable}, true, answers{Needs: true}},
		{"ready, approved", planetscale.DeployRequest{State: "open", DeploymentState: "ready", Approved: true, Deployment: deployable}, true, answers{May: true}},
		{"ready, deployable not said", planetscale.DeployRequest{State: "open", DeploymentState: "ready"}, false, answers{}},
		{"ready, not deployable", planetscale.DeployRequest{State: "open", DeploymentState: "ready", Deployment: &planetscale.Deployment{}}, false, answers{}},
		{"ready, closed", planetscale.DeployRequest{State: "closed", DeploymentState: "ready", Deployment: deployable}, true, answers{}},
		{"deploying stays deployable", planetscale.DeployRequest{State: "open", DeploymentState: "in_progress", Deployment: deployable}, false, answers{}},
		{"cutover by itself", planetscale.DeployRequest{State: "open", DeploymentState: "pending_cutover", Deployment: deployable}, false, answers{}},
		{"cutover by a person", planetscale.DeployRequest{State: "open", DeploymentState: "pending_cutover", Deployment: &planetscale.Deployment{}}, false, answers{Cutover: true}},
		{"cutover not said", planetscale.DeployRequest{State: "open", DeploymentState: "pending_cutover"}, false, answers{}},
		{"window", planetscale.DeployRequest{State: "open", DeploymentState: "complete_pending_revert",
			Deployment: &planetscale.Deployment{RevertRequest: &planetscale.RevertRequest{WaitingPeriodEndAt: &end}}}, false, answers{Revert: true}},
		{"window over", planetscale.DeployRequest{State: "closed", DeploymentState: "complete",
			Deployment: &planetscale.Deployment{RevertRequest: &planetscale.RevertRequest{WaitingPeriodEndAt: &end}}}, false, answers{}},
		{"unknown", planetscale.DeployRequest{State: "open", DeploymentState: "ready_soon", Deployment: deployable}, false, answers{}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, ask(tt.request, tt.require)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// TestTransitions holds the table to what must be true of the machine.
func TestTransitions(t *testing.T) {
	calls := map[planetscale.Trigger]bool{}
	for _, c := range []planetscale.Trigger{planetscale.TriggerCreate, planetscale.TriggerClose, planetscale.TriggerDeploy, planetscale.TriggerApplyDeploy,
		planetscale.TriggerAutoApply, planetscale.TriggerForceCutover, planetscale.TriggerCancel, planetscale.TriggerRevert,
		planetscale.TriggerSkipRevert, planetscale.TriggerCompleteDeploy} {
		calls[c] = true
	}
	outside := func(tr planetscale.Transition) bool {
		return calls[tr.Trigger] || tr.Trigger == planetscale.TriggerBranchChanged
	}
	seen := map[planetscale.Transition]bool{}
	leaves := map[planetscale.State]bool{}
	for _, tr := range planetscale.Transitions() {
		if seen[tr] {
			t.Errorf("twice: %v", tr)
		}
		seen[tr] = true
		if (tr.From == "") != (tr.Trigger == planetscale.TriggerCreate) || (tr.From != "" && !tr.From.Known()) || !tr.To.Known() || tr.Trigger == "" {
			t.Errorf("no such states: %v", tr)
		}
		if tr.From != tr.To && !outside(tr) {
			leaves[tr.From] = true
		}
		from, to := tr.From.Info(), tr.To.Info()
		if from.Terminal && !outside(tr) {
			t.Errorf("the end is left by itself: %v", tr)
		}
		if to.Started && !from.Started && tr.Trigger != planetscale.TriggerDeploy {
			t.Errorf("started without deploy: %v", tr)
		}
		if to.Live && !from.Started {
			t.Errorf("live without deploy: %v", tr)
		}
		if from.Live && !to.Live && tr.Trigger != planetscale.TriggerRevert {
			t.Errorf("live no more without revert: %v", tr)
		}
		if tr.Trigger == planetscale.TriggerClose && (tr.From != tr.To || from.Started) {
			t.Errorf("close: %v", tr)
		}
	}
	// Every state can be reached, and every one that is not the end moves on,
	// by itself or, from ready, by deploy.
	reached := map[planetscale.State]bool{"": true}
	for more := true; more; {
		more = false
		for tr := range seen {
			if reached[tr.From] && !reached[tr.To] {
				reached[tr.To], more = true, true
			}
		}
	}
	for _, info := range planetscale.States() {
		if !reached[info.State] {
			t.Errorf("%s can't be reached", info.State)
		}
		if !info.Terminal && !leaves[info.State] && info.State != planetscale.StateReady {
			t.Errorf("%s is never left", info.State)
		}
	}
}

// TestAfter: the rows that decide what a run may do.
func TestAfter(t *testing.T) {
	tests := []struct {
		from    planetscale.State
		trigger planetscale.Trigger
		want    []planetscale.State
	}{
		{planetscale.StateReady, planetscale.TriggerDeploy, []planetscale.State{planetscale.StateQueued}},
		{planetscale.StatePending, planetscale.TriggerDeploy, nil},
		{planetscale.StateNoChanges, planetscale.TriggerDeploy, nil},
		{planetscale.StateQueued, planetscale.TriggerDeploy, nil},
		{planetscale.StateComplete, planetscale.TriggerDeploy, nil},
		{planetscale.StateComplete, planetscale.TriggerRevert, nil},
		{planetscale.StateCompletePendingRevert, planetscale.TriggerRevert, []planetscale.State{planetscale.StateInProgressRevert}},
		{planetscale.StateCompletePendingRevert, planetscale.TriggerSkipRevert, []planetscale.State{planetscale.StateComplete}},
		{planetscale.StateInProgress, planetscale.TriggerClose, nil},
		{planetscale.StateInProgressCutover, planetscale.TriggerCancel, nil},
		{planetscale.StateCompleteError, planetscale.TriggerCompleteDeploy, []planetscale.State{planetscale.StateComplete}},
		{"hibernating", planetscale.TriggerDeploy, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.from.After(tt.trigger)); diff != "" {
			t.Errorf("%s, %s (-want +got):\n%s", tt.from, tt.trigger, diff)
		}
	}
	planetscale.Transitions()[0].To = "spoiled"
	planetscale.States()[0].Live = true
	if planetscale.Transitions()[0].To == "spoiled" || planetscale.States()[0].Live {
		t.Error("the tables can be changed from outside")
	}
}
