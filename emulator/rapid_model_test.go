package emulator_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/pmig/pmig/emulator"
)

// The model of the platform's workflow, written from what its vendor and its
// users say of it, and from nothing in this module. States are texts here, so
// that a slip in a table of this module is not taken over.

// spontaneous are the changes of a deployment's state that time alone makes.
var spontaneous = map[string][]string{
	"pending":                    {"ready", "no_changes", "error"},
	"queued":                     {"submitting"},
	"submitting":                 {"in_progress", "complete", "complete_error"},
	"in_progress":                {"in_progress_vschema", "pending_cutover", "complete", "complete_error"},
	"in_progress_vschema":        {"in_progress", "pending_cutover", "complete_error"},
	"pending_cutover":            {"in_progress_cutover", "complete_error"},
	"in_progress_cutover":        {"complete_pending_revert", "complete", "complete_error"},
	"in_progress_cancel":         {"complete_cancel", "cancelled"},
	"complete_pending_revert":    {"complete"},
	"in_progress_revert":         {"in_progress_revert_vschema", "complete_revert", "complete_revert_error"},
	"in_progress_revert_vschema": {"complete_revert", "complete_revert_error"},
	"complete_revert":            nil,
	"complete_revert_error":      nil,
	"complete":                   nil,
	"complete_error":             nil,
	"complete_cancel":            nil,
	"cancelled":                  nil,
	"ready":                      nil,
	"no_changes":                 nil,
	"error":                      nil,
}

var (
	unstarted = []string{"pending", "ready", "no_changes", "error"}
	// holding are the states that keep the next of the queue waiting.
	holding = []string{"submitting", "in_progress", "in_progress_vschema", "pending_cutover", "in_progress_cutover", "in_progress_cancel",
		"complete_pending_revert", "in_progress_revert", "in_progress_revert_vschema", "complete_revert_error", "complete_error"}
	// resting are those of them that do not end by themselves within minutes.
	resting = []string{"pending_cutover", "complete_pending_revert", "complete_revert_error", "complete_error"}
	running = []string{"queued", "submitting", "in_progress", "in_progress_vschema", "pending_cutover", "in_progress_cutover", "in_progress_cancel",
		"in_progress_revert", "in_progress_revert_vschema"}
	cancellable = []string{"queued", "submitting", "in_progress", "pending_cutover"}
)

// patience is how long a cutover may be kept from its tables until it is forced
// by itself.
const patience = time.Hour

type modelBranch struct {
	name, id         string
	data             modelSchema // with rows
	base             modelSchema // what its changes are counted from
	ready            bool
	safe, production bool
	// parents are what main was since the branch was asked for: any of them
	// may be what the branch begins with.
	parents []modelSchema
	// doom are the answers that its deletion would have had when a request that
	// deletes it was complete; nil: none was.
	doom []int
}

type modelRequest struct {
	number     int
	branch     *modelBranch
	deleted    bool // its branch is no more
	creator    string
	open       bool
	state      string
	approved   bool
	auto       bool
	autoDelete bool
	instant    bool
	parallel   bool // its lane
	order      int  // of queueing
	began      bool
	forced     bool // its cutover

	tolerated bool // the target moved since the checks

	tables     []string    // that it changes, since it was queued
	branchData modelSchema // the branch when the deployment began
	want       modelSchema // the target after it, as far as its tables go
	formerBase modelSchema
	before     modelSchema // the target at the cutover, with rows
	after      modelSchema
	cutOver    time.Time // when its cutover began
	finished   time.Time // when its deployment ended, one way or another
	windowEnds time.Time
	closable   bool // what happens to it has not been said by anyone
	// halfway are the forms of its tables, some of which the target may have
	// after a failure; nil: it has not failed.
	halfway modelSchema
}

func (r *modelRequest) is(states ...string) bool { return slices.Contains(states, r.state) }

type modelPassword struct {
	branch         *modelBranch
	id, user, text string
	role           string
	ends           time.Time // zero: never
	deleted        bool
}

type model struct {
	knobs     emulator.Knobs
	unknowns  emulator.Unknowns
	approval  bool // require_approval_for_deploy
	lastOrder int
	branches  map[string]*modelBranch
	requests  []*modelRequest
	passwords []*modelPassword

	// Faults that are set, each for one time.
	deployError, revertError, refuseDeploy, dropDeploy, deploying bool
	validating                                                    int // refusals that may come
	// blocked is the fault that keeps cutovers from their tables; 0: none.
	blocked int
}

func (m *model) main() *modelBranch { return m.branches["main"] }

// outcome is what the checks of a request must come to, or several if nobody
// has said.
func (m *model) outcome(r *modelRequest) []string {
	if r.deleted {
		return unstarted
	}
	x := merge(r.branch.base, r.branch.data, m.main().data)
	switch {
	case r.branch.data.keyless(), x.conflict:
		return []string{"error"}
	case x.unclear:
		return []string{"ready", "no_changes", "error"}
	case x.want.equal(m.main().data):
		return []string{"no_changes"}
	}
	return []string{"ready"}
}

// queue is one of the two lanes into main.
func (m *model) queue(parallel bool) []*modelRequest {
	var all []*modelRequest
	for _, r := range m.requests {
		if r.parallel == parallel && r.order > 0 && (r.state == "queued" || r.is(holding...)) && (r.open || !r.is("complete_error", "complete_revert_error")) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *modelRequest) int { return a.order - b.order })
	return all
}

// mayEnter says whether a request that changes some tables may be queued in a
// lane: the parallel one has room for one, and no table is changed in both.
func (m *model) mayEnter(parallel bool, tables []string) bool {
	if parallel && len(m.queue(true)) > 0 {
		return false
	}
	return !slices.ContainsFunc(m.queue(!parallel), func(o *modelRequest) bool { return o.shares(tables) })
}

func (r *modelRequest) shares(tables []string) bool {
	return slices.ContainsFunc(tables, func(t string) bool { return slices.Contains(r.tables, t) })
}

// resolved holds the end of a request's checks to the schemas.
func (m *model) resolved(r *modelRequest) error {
	if r.state == "pending" {
		return nil
	}
	if want := m.outcome(r); !slices.Contains(want, r.state) {
		return fmt.Errorf("the checks of #%d came to %s, want %v\nbase:\n%sbranch:\n%smain:\n%s", r.number, r.state, want,
			r.branch.base.text(false), r.branch.data.text(false), m.main().data.text(false))
	}
	r.tolerated = false
	return nil
}

// move gives main other tables; requests not begun may be looked at again.
func (m *model) move(to modelSchema) {
	m.main().data = to
	for _, b := range m.branches {
		if !b.ready {
			b.parents = append(b.parents, to.clone(false))
		}
	}
	for _, r := range m.requests {
		if r.open && (r.is(unstarted...) || r.is("queued")) {
			r.tolerated = true
		}
	}
}

// changed takes in that a branch's schema was changed: requests not begun are
// looked at again, and nobody has approved what they are now.
func (m *model) changed(b *modelBranch) {
	for _, r := range m.requests {
		if r.branch == b && r.open && (r.is(unstarted...) || r.is("queued")) {
			r.state, r.approved = "pending", false
			r.dequeue()
		}
	}
}

func (r *modelRequest) dequeue() { r.order, r.parallel, r.tables = 0, false, nil }

// completed takes in that a deployment has come to its good end.
func (m *model) completed(r *modelRequest) {
	r.state, r.open = "complete", false
	if r.autoDelete && !r.deleted {
		r.branch.doom = m.deletion(r.branch)
	}
}

// deletion is what the deletion of a branch may be answered with.
func (m *model) deletion(b *modelBranch) []int {
	status := []int{204}
	for _, r := range m.requests {
		switch {
		case r.branch != b || !r.open:
		case r.is(running...), r.is("complete_pending_revert") && m.unknowns.BranchDeleteRefusedInWindow:
			return []int{422}
		case r.is("complete_error", "complete_revert_error"):
			status = []int{204, 422}
		}
	}
	return status
}

// gone takes in that a branch was deleted.
func (m *model) gone(b *modelBranch) {
	delete(m.branches, b.name)
	for _, r := range m.requests {
		if r.branch == b {
			r.deleted = true
			if r.is(unstarted...) && !m.unknowns.BranchDeleteKeepsRequest {
				r.open = false
			}
		}
	}
}

// settled holds what is left after minutes to what may wait for longer.
func (m *model) settled() error {
	for _, parallel := range []bool{false, true} {
		var held bool
		for _, r := range m.queue(parallel) {
			switch {
			case r.state == "queued" && held:
			case r.state == "in_progress_cutover" && m.blocked != 0 && !r.forced:
			case r.state == "pending_cutover" && r.auto, !r.is(resting...):
				return fmt.Errorf("#%d stays %s", r.number, r.state)
			}
			held = true
		}
	}
	for _, r := range m.requests {
		if r.open && r.state == "pending" && !r.deleted {
			return fmt.Errorf("#%d stays pending", r.number)
		}
		if r.open && r.is("ready", "no_changes", "error") {
			if err := m.resolved(r); err != nil {
				return err
			}
		}
	}
	for _, b := range m.branches {
		if !b.ready {
			return fmt.Errorf("branch %s is not ready", b.name)
		}
	}
	return nil
}
