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

type modelBranch struct {
	name, id string
	data     modelSchema // with rows
	base     modelSchema // what its changes are counted from
	ready    bool
	safe     bool
	// parents are what main was since the branch was asked for: any of them
	// may be what the branch begins with.
	parents []modelSchema
}

type modelRequest struct {
	number   int
	branch   *modelBranch
	deleted  bool // its branch is no more
	creator  string
	open     bool
	state    string
	approved bool
	auto     bool
	instant  bool
	order    int // of queueing
	began    bool

	tolerated bool // the target moved since the checks

	branchData modelSchema // the branch when the deployment began
	formerBase modelSchema
	before     modelSchema // the target at the cutover, with rows
	after      modelSchema
	windowEnds time.Time
	closable   bool // what happens to it has not been said by anyone
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
	deployError, revertError, refuseDeploy, dropDeploy bool
	validating                                         int // refusals that may come
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

// queue is the serial queue into main.
func (m *model) queue() []*modelRequest {
	var all []*modelRequest
	for _, r := range m.requests {
		if r.order > 0 && (r.state == "queued" || r.is(holding...)) && (r.open || !r.is("complete_error", "complete_revert_error")) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *modelRequest) int { return a.order - b.order })
	return all
}

// observe takes in that a deployment came to a state by itself, at a time of
// the platform's clock. An error says why that must not be.
func (m *model) observe(r *modelRequest, state string, at time.Time) error {
	if state == r.state {
		return nil
	}
	from := r.state
	if r.is(unstarted...) && slices.Contains(unstarted, state) && r.tolerated && r.open {
		r.state = state // looked at again, since the target moved
		return m.resolved(r)
	}
	if r.state == "queued" && r.tolerated && slices.Contains(unstarted, state) {
		r.state, r.order = state, 0
		return m.resolved(r)
	}
	if !slices.Contains(spontaneous[from], state) {
		return fmt.Errorf("#%d went from %s to %s by itself", r.number, from, state)
	}
	if !r.open && !r.closable {
		return fmt.Errorf("#%d is closed and went from %s to %s", r.number, from, state)
	}
	r.state = state
	switch state {
	case "ready", "no_changes", "error":
		return m.resolved(r)
	case "submitting":
		for _, o := range m.queue() {
			if o != r && (o.began || o.order < r.order) {
				return fmt.Errorf("#%d is being deployed though #%d, %s, is before it", r.number, o.number, o.state)
			}
		}
		r.began, r.branchData = true, r.branch.data.clone(false)
	case "in_progress_cutover":
		if !r.auto {
			return fmt.Errorf("#%d was cut over though auto_cutover is off", r.number)
		}
	case "complete", "complete_pending_revert":
		if from == "complete_pending_revert" {
			if at.Before(r.windowEnds) {
				return fmt.Errorf("the window of #%d ended %v too early", r.number, r.windowEnds.Sub(at).Round(time.Second))
			}
			r.open = false
			return nil
		}
		return m.live(r, state, at)
	case "complete_error":
		x := merge(r.branch.base, r.branchData, m.main().data)
		_, misfit, unclear := deployed(m.main().data, x.want)
		switch {
		case misfit != "" || unclear || x.unclear || x.conflict:
		case m.deployError:
			m.deployError = false
		default:
			return fmt.Errorf("#%d failed though every row fits", r.number)
		}
	case "complete_revert", "complete_revert_error":
		back, misfit := reverted(m.main().data, r.before, r.after)
		if state == "complete_revert_error" {
			switch {
			case misfit != "":
			case m.revertError:
				m.revertError = false
			default:
				return fmt.Errorf("the revert of #%d failed though every row fits", r.number)
			}
			return nil
		}
		if misfit != "" {
			return fmt.Errorf("#%d was reverted though a row does not fit: %s", r.number, misfit)
		}
		m.move(back)
		r.branch.base = r.formerBase
		r.open = false
	case "complete_cancel", "cancelled":
		r.order = 0
	}
	return nil
}

// resolved holds the end of a request's checks to the schemas.
func (m *model) resolved(r *modelRequest) error {
	if r.state == "pending" {
		return nil
	}
	for _, o := range m.requests {
		// The target's schema moves a moment before the state that says so.
		if o.is("in_progress_cutover", "in_progress_revert", "in_progress_revert_vschema") || o.instant && o.is("submitting", "in_progress") {
			r.tolerated = true
			return nil
		}
	}
	if want := m.outcome(r); !slices.Contains(want, r.state) {
		return fmt.Errorf("the checks of #%d came to %s, want %v\nbase:\n%sbranch:\n%smain:\n%s", r.number, r.state, want,
			r.branch.base.text(false), r.branch.data.text(false), m.main().data.text(false))
	}
	r.tolerated = false
	return nil
}

// live takes in that a deployment's schema is on the target.
func (m *model) live(r *modelRequest, state string, at time.Time) error {
	main := m.main()
	x := merge(r.branch.base, r.branchData, main.data)
	after, misfit, _ := deployed(main.data, x.want)
	switch window := m.knobs.RevertWindow > 0 && !r.instant; {
	case x.conflict:
		return fmt.Errorf("#%d was deployed though it conflicts with the target", r.number)
	case misfit != "":
		return fmt.Errorf("#%d was deployed though a row does not fit: %s", r.number, misfit)
	case window != (state == "complete_pending_revert"):
		return fmt.Errorf("#%d is %s; revert window %v, instant %t", r.number, state, m.knobs.RevertWindow, r.instant)
	}
	r.before, r.after = main.data.clone(true), after.clone(false)
	r.formerBase, r.branch.base = r.branch.base, r.branchData
	m.move(after)
	r.open = state == "complete_pending_revert"
	r.windowEnds = at.Add(m.knobs.RevertWindow)
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
			r.state, r.approved, r.order = "pending", false, 0
		}
	}
}

// settled holds what is left after minutes to what may wait for longer.
func (m *model) settled() error {
	var blocked bool
	for _, r := range m.queue() {
		switch {
		case r.state == "queued" && blocked:
		case r.state == "pending_cutover" && r.auto, !r.is(resting...):
			return fmt.Errorf("#%d stays %s", r.number, r.state)
		}
		blocked = true
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
