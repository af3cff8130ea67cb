package executor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/pmig/pmig/gateway"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// Planner plans one database, as often as it is asked: before the run and
// again under the lock. History is the part of an observation that tells
// whether anything is pending, and Requests adds the deploy requests to it.
type Planner interface {
	Plan(context.Context) (*planner.Database, *planner.Observation, error)
	History(context.Context) (*planner.Observation, error)
	Requests(context.Context, *planner.Observation) error
}

// Run is one database's run: what it works with and how it behaves. The
// unexported members are its own.
type Run struct {
	ID      string // NewID; names the run on the platform
	Label   string // of the database in the configuration
	Version string // of pmig
	Holder  string // who runs it, for people: user, host, process or CI job

	Planner Planner
	API     *planetscale.DB
	Urgent  *planetscale.DB // the same outside the request budget: heartbeat and history
	Target  *planner.Access // as readwriter; the planner reads through it too
	Connect planner.Connect
	Dial    Dial
	Command func(source string, at gateway.Endpoint) (Command, error)
	Exec    func(context.Context, Command) error
	// Listen opens the gateway's port and DialGate reaches it from this process;
	// nil is any free port on loopback, and TCP.
	Listen   func() (net.Listener, error)
	DialGate func(context.Context) (net.Conn, error)
	Journal  Journal
	Key      state.Key
	Lock     func(context.Context, state.Key, string) (func() error, error)
	Event    func(Event)

	// Check compares the plan about to be carried out with one that a person
	// has seen; nil where there is none. It gives a *Error of Outcome Stale.
	Check func(*planner.Database) error

	LockTimeout  time.Duration // how long to wait for another run; 0: not at all
	WaitApproval time.Duration // overrides the plan's timeout where not zero
	WaitDeploy   time.Duration // overrides the plan's timeout where not zero
	Replace      bool          // close a request that people have approved, for another plan

	doc        *state.Document
	facts      *facts
	plan       *planner.Database
	seen       *planner.Observation
	lease      *lease
	summary    *Summary
	unwritable bool
	taken      bool // another run writes the journal now, and what was known is its business
	step       planner.Kind
	adopt      *facts       // a parked run to take up
	lost       func(error)  // cancels the walk
	rebuilt    int          // times the branch was made again because it was stale
	joined     map[int]bool // requests whose owed history was seen to in this Apply
	waiting    time.Time    // since when another run is waited for
	accepted   time.Time    // when the platform took the deployment
	deadline   time.Time    // of start and finish together
	ending     string       // why the run is being withdrawn
	backs      int          // times the walk went back to the review
	reopened   int          // times the request was opened again because it lacked changes
	recorded   bool         // the history of a deployment that failed is written, all of it was live
	moved      int          // times the target moved under the run
	reseeded   int          // times the branch's history was found changed after it was seeded
	denied     int          // times a password of this run was not known any more
	watched    watch        // later branches than that of a run that was taken up
	without    without      // rules that are off: the model test's
}

// Dial says how the gateway reaches a branch.
type Dial func(l planner.Login) (dial func(context.Context) (net.Conn, error), tls *tls.Config, err error)

// Command is a migration tool's command, ready to run.
type Command struct {
	Source   string
	Args     []string
	Dir      string
	Env      []string // complete
	Withheld []string // names of variables that were kept from it
	Secrets  []string // to be kept out of its output
	Output   func(line string)
	Done     func() // after it has run; may be nil
}

// NewID makes a name for a run.
func NewID() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// maxRounds bounds how often one Apply plans anew: an earlier run is finished,
// the lead is lost, the target moves.
const maxRounds = 12

// Apply brings the target to where the plan wants it. It first ends what an
// earlier run left, then plans, takes the lock, plans again and carries that
// plan out. The error says how it ended: see OutcomeOf.
func (r *Run) Apply(ctx context.Context) (*Summary, error) {
	began := time.Now()
	r.summary = &Summary{Run: r.ID, Database: r.Label}
	defer r.release(ctx)
	if r.leave(ctx) {
		return r.summary, nil
	}
	unlock, err := r.lockHere(ctx, true)
	if errors.Is(err, errMet) {
		r.summary.Nothing = true
		return r.summary, nil
	}
	if err != nil {
		return r.summary, err
	}
	defer unlock()
	r.joined = map[int]bool{}
	r.Target.Made = func(id string) {
		if r.facts != nil {
			r.facts.Passwords = append(r.facts.Passwords, passwordRef{r.Target.Branch, id})
		}
	}

	if r.summary.Nothing, err = r.follow(ctx); err == nil && !r.summary.Nothing {
		err = r.rounds(ctx)
	}
	r.summary.Took = time.Since(began)
	var e *Error
	if err != nil && ctx.Err() != nil && (!errors.As(err, &e) || e.Outcome == Failed) {
		err = &Error{Outcome: Interrupted, Step: r.step, What: "interrupted", Err: err, Next: "run pmig apply again: it goes on from here"}
	}
	return r.summary, err
}

func (r *Run) rounds(ctx context.Context) error {
	for n := 0; n < maxRounds; n++ {
		again, err := r.round(ctx)
		switch {
		case errors.Is(err, errMet):
			r.summary.Nothing = len(r.summary.Applied) == 0
			return nil
		case errors.Is(err, errWaited):
			n--
		case errors.Is(err, errAgain), errors.Is(err, errLost):
			r.note(r.step, err.Error())
		case r.overslept(err):
			r.note(r.step, err.Error())
			if err := r.Target.Close(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		case !again:
			return nil
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	return &Error{Outcome: Failed, What: "gave up", Why: fmt.Sprintf("the target moved, or others took the lead, %d times in a row", maxRounds),
		Next: "see what else deploys to this database, then run pmig apply again"}
}

// round is one pass: finish what is unfinished, or carry out a fresh plan.
func (r *Run) round(ctx context.Context) (again bool, err error) {
	r.step = planner.Preflight
	plan, seen, err := r.Planner.Plan(ctx)
	if err != nil {
		return false, err
	}
	r.plan, r.seen = plan, seen
	r.summary.Database = plan.Label
	old, err := r.load()
	if err != nil {
		return false, err
	}
	if old != nil && !old.Finished {
		return true, r.resume(ctx, old)
	}
	f := r.adopt
	if r.adopt = nil; f == nil {
		f = r.owed()
	}
	if f != nil {
		err := r.resume(ctx, f)
		if errors.Is(err, errWaited) {
			delete(r.joined, f.Request)
			r.facts = nil // it was never this process's own
		}
		return true, err
	}
	if plan.PendingCount() == 0 {
		if err := refused(plan, planner.CodeReverted, planner.CodeNoFiles); err != nil {
			return false, err
		}
		r.sweep(ctx)
		r.summary.Nothing = len(r.summary.Applied) == 0 && r.summary.Request == 0
		return false, nil
	}
	if err := r.agreed(plan); err != nil {
		return false, err
	}
	r.ending = ""
	r.begin(plan)
	return false, r.walk(ctx, planner.Preflight)
}

// agreed lets a plan be carried out, or says why not: it is not the one that a
// person has seen, or it holds an error.
func (r *Run) agreed(plan *planner.Database) error {
	if r.Check != nil {
		if err := r.Check(plan); err != nil {
			return err
		}
	}
	return refused(plan)
}

// refused turns the plan's errors into one; with codes, only those.
func refused(plan *planner.Database, codes ...string) error {
	for _, f := range plan.Findings {
		if f.Severity == planner.SeverityError && (len(codes) == 0 || slices.Contains(codes, f.Code)) {
			what := plan.Label
			if f.Source != "" {
				what += ", source " + f.Source
			}
			return &Error{Outcome: Refused, Step: planner.Preflight, What: what, Why: f.Message, Next: f.Hint}
		}
	}
	return nil
}

// stepFunc does one step. look tells whether it is done already and is nil
// where a step is always taken anew.
type stepFunc struct {
	kind planner.Kind
	look func(context.Context) (bool, error)
	act  func(context.Context) (string, error)
}

func (r *Run) steps() []stepFunc {
	return []stepFunc{
		{planner.Preflight, nil, r.preflight},
		{planner.BranchCreate, nil, r.createBranch},
		{planner.BranchVerify, nil, r.verifyBranch},
		{planner.HistorySeed, nil, r.seed},
		{planner.Migrate, nil, r.migrate},
		{planner.BranchCheck, nil, r.checkBranch},
		{planner.DeployOpen, r.opened, r.open},
		{planner.DeployReview, r.reviewed, r.review},
		{planner.DeployStart, r.started, r.start},
		{planner.DeployFinish, nil, r.finish},
		{planner.HistoryWrite, nil, r.writeHistory},
		{planner.Cleanup, nil, r.cleanup},
	}
}

// walk takes the steps from one on, each between two records of the journal.
func (r *Run) walk(ctx context.Context, from planner.Kind) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.onLost(cancel)
	steps := r.steps()
	for i := index(steps, from); i < len(steps); i++ {
		s := steps[i]
		if r.onlyHistory() && shipsSchema(s.kind) {
			continue
		}
		err := r.take(ctx, s)
		var back *backError
		if errors.As(err, &back) {
			i = index(steps, back.to) - 1
			continue
		}
		if err != nil {
			return r.failed(ctx, s.kind, r.orLost(ctx, err))
		}
	}
	r.facts.Finished, r.facts.Ended = true, "done"
	return r.record(planner.Cleanup, "finished", "")
}

// orLost is an error, or the loss of the lead where that is behind it: what this
// run had made may be another's or gone by now.
func (r *Run) orLost(ctx context.Context, err error) error {
	if lost := context.Cause(ctx); errors.Is(lost, errLost) {
		return lost
	}
	if lost := r.leads(); lost != nil && ctx.Err() == nil && OutcomeOf(err) == Failed && !errors.Is(err, errAgain) && !errors.Is(err, errWaited) {
		r.note(r.step, err.Error())
		return lost
	}
	return err
}

// onlyHistory reports whether the migrations changed no schema, so that there
// is nothing to deploy. A run that was taken up from a request's notes does not
// know its changes; that it has a request tells that there are some.
func (r *Run) onlyHistory() bool {
	return r.facts.Checked && r.facts.Request == 0 && len(r.facts.Changes) == 0
}

func (r *Run) take(ctx context.Context, s stepFunc) error {
	r.step = s.kind
	began := time.Now()
	if s.look != nil {
		done, err := s.look(ctx)
		if err != nil {
			return err
		}
		if done {
			r.send(Event{Type: StepSkip, Step: s.kind, Message: "done already"})
			return nil
		}
	}
	if err := r.record(s.kind, "before", ""); err != nil {
		return err
	}
	r.send(Event{Type: StepStart, Step: s.kind, Message: r.summaryOf(s.kind)})
	note, err := s.act(ctx)
	if err != nil {
		return err
	}
	if err := r.record(s.kind, "after", note); err != nil {
		return err
	}
	r.send(Event{Type: StepDone, Step: s.kind, Message: note, Took: time.Since(began)})
	return nil
}

// backError sends the walk back to an earlier step.
type backError struct{ to planner.Kind }

func (e *backError) Error() string { return "back to " + string(e.to) }

func shipsSchema(k planner.Kind) bool {
	switch k {
	case planner.DeployOpen, planner.DeployReview, planner.DeployStart, planner.DeployFinish:
		return true
	}
	return false
}

func index(steps []stepFunc, k planner.Kind) int {
	for i, s := range steps {
		if s.kind == k {
			return i
		}
	}
	panic("executor: no step " + string(k))
}

func (r *Run) summaryOf(k planner.Kind) string {
	for _, s := range r.facts.Plan.Steps {
		if s.Kind == k {
			return s.Summary
		}
	}
	return ""
}

func (r *Run) send(e Event) {
	e.Time, e.Database, e.Run = time.Now(), r.summary.Database, r.ID
	if r.Event != nil {
		r.Event(e)
	}
}

func (r *Run) note(step planner.Kind, message string) {
	r.send(Event{Type: Note, Step: step, Message: message})
}

// lockHere keeps processes that share a journal apart: those of one machine, or
// where the journal is in a database, all of them. Whoever follows gets errMet as
// soon as the other one has brought everything.
func (r *Run) lockHere(ctx context.Context, following bool) (func() error, error) {
	var unlock func() error
	err := poll(ctx, r.LockTimeout, func(waited time.Duration) (bool, error) {
		u, err := r.Lock(ctx, r.Key, r.here())
		var locked *state.LockedError
		if errors.As(err, &locked) {
			if waited >= r.LockTimeout {
				return false, &Error{Outcome: Busy, What: "another pmig works on this database", Err: err, Next: "wait for it, or give it longer: --lock-timeout 30m"}
			}
			r.send(Event{Type: Progress, Message: "waiting for another pmig: " + locked.Holder, Waited: waited})
			if following && waited > 0 && r.met(ctx) {
				return false, errMet
			}
			return false, nil
		}
		if err != nil {
			var unwritable *state.UnwritableError
			if errors.As(err, &unwritable) {
				r.forgo(err) // the platform's lock is the one that counts
				return true, nil
			}
			return false, err
		}
		unlock = u
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if unlock == nil {
		unlock = func() error { return nil }
	}
	return unlock, nil
}

// target lends a connection to the target.
func (r *Run) target(ctx context.Context) (*sql.DB, error) { return r.Target.DB(ctx) }
