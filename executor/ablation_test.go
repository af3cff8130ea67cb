package executor_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// at is a spot by its call.
func at(n int, call string) spot { return spot{call: call, at: n} }

// past is the first point after a call.
func past(call string) spot { return spot{at: 1, after: []string{call}} }

// lastLook is the look at the request just before it is deployed.
var lastLook = spot{call: "^GET /deploy-requests/1$", at: 1, after: []string{open, "^GET /deploy-requests[?]into_branch"}}

// later has a process begin when a heartbeat of the beginning has run out.
func later(who int) event {
	return event{who: who, spot: spot{at: 1}, do: stop, pause: 6*time.Minute + 30*time.Second}
}

// until stops a process somewhere until the next one has come somewhere.
func until(who int, x, till spot) event { return event{who: who, spot: x, do: stop, till: till} }

const (
	makeBranch = "^POST /branches$"
	open       = "^POST /deploy-requests$"
	deploy     = "^POST /deploy-requests/[0-9]+/deploy$"
	deleteOld  = "^DELETE /branches/pmig-migrator-1$"
	hold       = "^POST /branches/pmig-migrator-[0-9]+/passwords$"
	closeFirst = "^PATCH /deploy-requests/1$"
	listOwn    = "^GET /deploy-requests[?].*branch=pmig"
	never      = "^never$"
)

// ablations are schedules that go wrong without a rule, and how.
var ablations = []struct {
	rule   string
	beside []string // rules that are off in both cases, where the rule has a second line behind it
	breaks string   // invariant
	what   string
	c      scenario
}{
	{"heartbeat", []string{"fence"}, "I3", "a leader that wakes up just before it deploys does so while another leads",
		scenario{start: "clean", newest: []int{1, 2}, deploy: 150 * time.Second, plan: []event{
			later(1), until(0, lastLook, at(1, deleteOld)), until(1, at(1, deleteOld), past(deploy)), until(0, past(deploy), at(1, deploy)),
		}}},
	{"give way", nil, "I3", "a leader wakes up while another takes over, sees that it has lost the lead, and takes its own run up again",
		scenario{start: "clean", newest: []int{1, 2}, deploy: 150 * time.Second, plan: []event{
			later(1), until(0, at(1, open), at(1, deleteOld)), until(1, at(1, deleteOld), at(1, deploy)), until(0, past(deploy), at(1, deploy)),
		}}},
	{"margin", []string{"fence"}, "I3", "a leader that can renew no more deploys in its heartbeat's last minute; the call is slow and arrives when another leads",
		scenario{start: "clean", newest: []int{1, 2}, deploy: 150 * time.Second, plan: []event{
			{spot: spot{at: 1}, do: stale}, {spot: at(1, "^GET /deploy-requests/1$"), do: stop, pause: 4*time.Minute + 25*time.Second},
			{spot: at(1, deploy), do: stop, pause: 150 * time.Second}, {who: 1, spot: spot{at: 1}, do: stop, pause: 6 * time.Minute},
			until(1, at(1, deleteOld), past(deploy)), until(0, past(deploy), at(1, deploy)),
		}}},
	{"fence", nil, "I3", "a call to deploy an older request arrives when another has taken over and migrates",
		scenario{start: "clean", newest: []int{1, 2}, deploy: 150 * time.Second, plan: []event{
			later(1), until(0, at(1, deploy), at(1, deleteOld)), until(1, at(1, deleteOld), past(deploy)), until(0, past(deploy), at(1, deploy)),
		}}},
	{"read back", nil, "I3", "a call to deploy arrives just before the close of its request, which is refused",
		scenario{start: "clean", newest: []int{1, 2}, deploy: 150 * time.Second, plan: []event{
			later(1), until(0, at(1, deploy), at(1, closeFirst)), until(1, at(1, closeFirst), past(deploy)), until(0, past(deploy), at(1, deploy)),
		}}},
	{"replan", nil, "I9", "a process makes its branch when another has done everything since it looked",
		scenario{start: "clean", newest: []int{1, 1}, plan: []event{until(1, at(1, makeBranch), at(1, never))}}},
	{"owed", nil, "I5", "a process dies between its deployment and its history",
		scenario{start: "clean", newest: []int{1, 1}, plan: []event{{spot: at(1, deploy), do: gone}}}},
	{"branch id", []string{"numbers"}, "I9", "a request is opened from a branch of the same name that another has made since",
		scenario{start: "clean", newest: []int{1, 1}, plan: []event{
			later(1), until(0, at(1, open), at(1, listOwn)), until(1, at(1, listOwn), spot{at: 2, after: []string{open}}),
		}}},
	{"numbers", nil, "I9", "a request is opened from a branch of the same name that another has made since",
		scenario{start: "clean", newest: []int{1, 1}, plan: []event{
			later(1), until(0, at(1, open), at(1, listOwn)), until(1, at(1, listOwn), past(open)), until(0, past(open), at(1, never)),
		}}},
	{"confirm", nil, "I2", "a person reverts the deployment between the look at the target and the commit",
		scenario{start: "clean", newest: []int{1}, window: 30 * time.Minute, plan: []event{
			{spot: at(1, "begin"), do: people, act: reverts}, {spot: at(1, "begin"), do: stop, pause: 30 * time.Second},
		}}},
	{"seen", nil, "I2", "the platform says live while the target does not have it",
		scenario{start: "clean", newest: []int{1}, plan: []event{
			{spot: at(1, deploy), do: slow, pause: time.Minute}, {spot: spot{call: "^GET /deploy-requests/1$", at: 1, after: []string{deploy}}, do: people, act: undo},
		}}},
	{"two looks", []string{"give way"}, "I3", "a branch is seen before its maker has made its heartbeat",
		scenario{start: "clean", newest: []int{1, 2}, deploy: 150 * time.Second, plan: []event{
			{who: 1, spot: spot{at: 1}, do: stop, pause: 5 * time.Second}, {spot: at(1, hold), do: stop, pause: time.Minute}, until(1, at(1, makeBranch), at(1, open)), {spot: at(1, open), do: stop, pause: 40 * time.Second},
			until(1, at(1, deleteOld), past(deploy)), until(0, past(deploy), at(1, deploy)),
		}}},
}

// TestRulesAreNeeded takes the rules of the protocol away one by one: each time
// a schedule goes wrong that goes well with the rule.
func TestRulesAreNeeded(t *testing.T) {
	for _, a := range ablations {
		t.Run(strings.ReplaceAll(a.rule, " ", "-"), func(t *testing.T) {
			t.Parallel()
			with, without := a.c, a.c
			with.without, without.without = a.beside, append(slices.Clone(a.beside), a.rule)
			if problem, _, trace := play(t, with); problem != "" {
				t.Errorf("with the rule: %s\n%s\n%s", problem, with, strings.Join(trace, "\n"))
			}
			problem, _, trace := play(t, without)
			if !strings.Contains(problem, a.breaks) {
				t.Errorf("without the rule: %q, want %s: %s\n%s\n%s", problem, a.breaks, a.what, without, strings.Join(trace, "\n"))
			}
			if len(a.beside) > 0 { // a second line: this does not go wrong while the first holds
				alone := a.c
				alone.without = []string{a.rule}
				if problem, _, trace := play(t, alone); strings.Contains(problem, a.breaks) {
					t.Errorf("without the rule alone: %s\n%s\n%s", problem, alone, strings.Join(trace, "\n"))
				}
			}
			t.Logf("%s: %s", a.what, problem)
		})
	}
}
