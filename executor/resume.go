package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// resume ends a run that was cut short: it goes on where that can be done, and
// otherwise removes what is left of it. Either way the plan is made anew after
// it, because what was unfinished need not be what is wanted now.
func (r *Run) resume(ctx context.Context, f *facts) error {
	r.facts = f
	r.summary.Request = f.Request
	q, err := r.requestOf(ctx, f)
	if err != nil {
		return err
	}
	if q != nil {
		f.Request, r.summary.Request, r.summary.URL = q.Number, q.Number, q.HTMLURL
		r.saw(q.DeploymentState)
	}
	failed := q != nil && planner.HalfDone(q)
	running := q != nil && !failed && q.DeploymentState.Info().Started && q.DeploymentState.Info().Class != planetscale.ClassFailed
	if running {
		r.note(planner.Preflight, fmt.Sprintf("run %s is unfinished and deploy request #%d is %s: going on from there", f.Run, q.Number, q.DeploymentState))
	}
	if running && q.DeploymentState.Live() {
		return r.walk(ctx, planner.DeployFinish) // its history needs the target alone
	}
	if err := r.unheld(ctx); err != nil {
		return err
	}
	if running {
		if _, err := r.retake(ctx); err != nil {
			r.note(planner.Preflight, err.Error())
		}
		return r.walk(ctx, planner.DeployFinish)
	}
	if failed {
		var e *Error
		if err := r.deployFailed(ctx, q); errors.As(err, &e) && e.Over {
			r.note(planner.DeployFinish, e.Error()+"; "+e.Next)
		} else if err != nil {
			return err
		}
	} else if f.Checked && f.Plan.Intent == r.plan.Intent && (q == nil || q.State == planetscale.RequestOpen) {
		if err := r.agreed(r.plan); err != nil {
			return err
		}
		same, err := r.takeUp(ctx)
		if err != nil {
			return err
		}
		if same {
			r.note(planner.Preflight, fmt.Sprintf("run %s is unfinished: going on after its migrations", f.Run))
			return r.walk(ctx, planner.DeployOpen)
		}
	}
	if f.Branch != "" || q != nil {
		r.note(planner.Preflight, fmt.Sprintf("run %s was cut short: removing what is left of it", f.Run))
	}
	if err := r.withdraw(ctx, q); err != nil {
		return fail(planner.Cleanup, "remove what an earlier run left", err)
	}
	r.summary.Request, r.summary.URL, r.summary.States = 0, "", nil
	return nil
}

// takeUp holds the run's branch again and reports whether it is still as
// branch.check saw it.
func (r *Run) takeUp(ctx context.Context) (bool, error) {
	held, err := r.retake(ctx)
	if err != nil || !held {
		return false, err
	}
	if err := r.overtaken(ctx); err != nil {
		return false, err
	}
	return r.asChecked(ctx)
}

// unheld waits until nobody else holds the run's branch: another machine may
// have taken it up while this one's journal lay still.
func (r *Run) unheld(ctx context.Context) error {
	b, live, err := r.holderElsewhere(ctx)
	if err != nil || live == nil {
		return err
	}
	if err := r.waitForOther(ctx, holderOf(b, *live).String()); err != nil && !errors.Is(err, errAgain) {
		return err
	}
	return errWaited
}

// holderElsewhere finds a heartbeat on the run's branch that is not this run's.
func (r *Run) holderElsewhere(ctx context.Context) (branch string, live *planetscale.Password, err error) {
	f := r.facts
	if f.Branch == "" || f.BranchID == "" {
		return "", nil, nil
	}
	b, err := r.API.Branch(ctx, f.Branch)
	if planetscale.IsNotFound(err) || err == nil && !r.without.same(b.ID, f.BranchID) {
		return f.Branch, nil, nil
	}
	if err != nil {
		return f.Branch, nil, fail(planner.Preflight, "look at branch "+f.Branch, err)
	}
	passwords, err := r.API.Passwords(ctx, f.Branch)
	if planetscale.IsNotFound(err) {
		return f.Branch, nil, nil
	}
	if err != nil {
		return f.Branch, nil, fail(planner.Preflight, "look who holds branch "+f.Branch, err)
	}
	for _, p := range passwords {
		own := slices.ContainsFunc(f.Passwords, func(o passwordRef) bool { return o.ID == p.ID })
		if strings.HasPrefix(p.Name, "pmig ") && !own && beating(p, planner.Now(r.API)) {
			return f.Branch, &p, nil
		}
	}
	return f.Branch, nil, nil
}

// beating reports whether a password is a live heartbeat.
func beating(p planetscale.Password, now time.Time) bool {
	return p.ExpiresAt != nil && p.ExpiresAt.After(now.Add(-time.Minute))
}

// outOfQueue takes a deployment that failed out of the queue, where it would
// keep every other one waiting.
func (r *Run) outOfQueue(ctx context.Context, q *planetscale.DeployRequest) error {
	if q.DeploymentState != planetscale.StateCompleteError {
		return nil
	}
	if _, err := r.API.CompleteDeploy(ctx, q.Number); err != nil && !planetscale.IsRefused(err) {
		return fail(planner.DeployFinish, fmt.Sprintf("take deploy request #%d out of the queue", q.Number), err)
	}
	return nil
}

// requestOf finds the deploy request of a run: by its number, and where the
// answer to its creation was lost, by the id of its branch.
func (r *Run) requestOf(ctx context.Context, f *facts) (*planetscale.DeployRequest, error) {
	if f.Request != 0 {
		q, err := r.API.DeployRequest(ctx, f.Request)
		if err != nil {
			return nil, fail(planner.Preflight, fmt.Sprintf("look at deploy request #%d", f.Request), err)
		}
		return q, nil
	}
	if f.BranchID == "" {
		return nil, nil
	}
	for _, q := range r.seen.Requests {
		if q.Request.BranchID == f.BranchID && (q.Request.State == "open" || q.Request.DeploymentState.Info().Live) {
			return &q.Request, nil
		}
	}
	return nil, nil
}

// retake makes a new heartbeat on the run's branch. It reports false where the
// branch is gone, or where its name is another branch's now.
func (r *Run) retake(ctx context.Context) (bool, error) {
	if r.facts.Branch == "" || r.facts.BranchID == "" {
		return false, nil
	}
	b, err := r.API.Branch(ctx, r.facts.Branch)
	if planetscale.IsNotFound(err) || err == nil && !r.without.same(b.ID, r.facts.BranchID) {
		return false, nil
	}
	if err != nil {
		return false, fail(planner.Preflight, "look at branch "+r.facts.Branch, err)
	}
	if !b.Ready {
		return false, fail(planner.Preflight, "hold branch "+r.facts.Branch, errors.New("it is not ready"))
	}
	old := r.facts.Passwords
	r.facts.Passwords = nil
	inUse := ""
	if p := r.Target.Password(); p != nil {
		inUse = p.ID
		r.facts.Passwords = append(r.facts.Passwords, passwordRef{r.Target.Branch, p.ID})
	}
	if err := r.hold(ctx); err != nil {
		return false, fail(planner.Preflight, "hold branch "+r.facts.Branch, err)
	}
	// The new heartbeat beats before the old one ends: nobody sees a gap.
	for _, p := range old {
		if p.ID == inUse {
			continue
		}
		if err := r.API.DeletePassword(ctx, p.Branch, p.ID); err != nil && !planetscale.IsNotFound(err) {
			r.facts.Passwords = append(r.facts.Passwords, p)
		}
	}
	return true, nil
}

// asChecked reports whether the branch still has the schema that branch.check
// wrote down, and whether it is known what the migrations changed.
func (r *Run) asChecked(ctx context.Context) (bool, error) {
	db, err := r.branch(ctx)
	if err != nil {
		return false, fail(planner.Preflight, "connect to the branch", err)
	}
	s, err := schema.Read(ctx, db, r.facts.Plan.Name)
	if err != nil {
		return false, fail(planner.Preflight, "read the branch's schema", err)
	}
	return s.Digest() == r.facts.BranchSchema && r.facts.Changes != nil, nil
}

// owing finds the request whose history is owed and has not been seen to.
func (r *Run) owing() *planner.StampedRequest {
	q := planner.Owed(r.seen)
	if r.without.owed || q == nil || r.joined[q.Request.Number] {
		return nil
	}
	return q
}

// owed gives what is known of the request whose history is owed, nil if there is
// none. Each is seen to once: what cannot be written then is reported, not tried
// for ever.
func (r *Run) owed() *facts {
	q := r.owing()
	if q == nil {
		return nil
	}
	r.joined[q.Request.Number] = true
	return r.fromStamp(*q)
}

// fromStamp rebuilds what a run knew from the notes of its deploy request.
func (r *Run) fromStamp(q planner.StampedRequest) *facts {
	s := q.Stamp
	plan := *r.plan
	plan.Intent, plan.Sources = s.Intent, nil
	f := &facts{
		Run: s.Run, Plan: &plan, Branch: q.Request.Branch, BranchID: s.BranchID, Request: q.Request.Number,
		Checked: true, Before: s.Before, Changes: s.Changes, BranchSchema: s.Branch,
	}
	for _, h := range s.Histories {
		src := planner.Source{Name: h.Source, Tool: h.Tool, Keyspace: h.Keyspace,
			History: planner.History{Table: h.Table, Custom: h.Custom, Exists: h.Seeded != "", Digest: h.Seeded}}
		for _, key := range slices.Sorted(maps.Keys(h.Migrations)) {
			src.Pending = append(src.Pending, planner.Migration{Key: key, SHA256: h.Migrations[key]})
		}
		plan.Sources = append(plan.Sources, src)
		var d migration.Delta
		if h.Gained != nil {
			d = *h.Gained
		}
		f.Gained, f.Touches = append(f.Gained, d), append(f.Touches, h.Touches)
		f.Bases = append(f.Bases, nil)
	}
	return f
}

// parked looks whether a working branch without a heartbeat carries an open
// deploy request that waits for a person. One with this very plan is taken up;
// one that people have approved is not replaced unasked.
func (r *Run) parked(ctx context.Context, v rival, p pulse) (wait string, err error) {
	if p == alive {
		return "", nil
	}
	for _, q := range r.seen.Requests {
		if q.Request.BranchID != v.branch.ID || q.Request.State != "open" || q.Request.DeploymentState.Info().Started {
			continue
		}
		if q.Stamp.Intent == r.facts.Plan.Intent {
			r.adopt = r.fromStamp(q)
			return "", errAgain
		}
		if r.within(q.Stamp) {
			return fmt.Sprintf("deploy request #%d carries these migrations and waits for a person", q.Request.Number), nil
		}
		if err := r.untouched(ctx, &q.Request); err != nil {
			return "", err
		}
	}
	return "", nil
}

// within reports whether a stamp has every migration that is pending here.
func (r *Run) within(s *planner.Stamp) bool {
	for _, src := range r.facts.Plan.Sources {
		for _, m := range src.Pending {
			found := false
			for _, h := range s.Histories {
				if h.Table == src.History.Table && h.Keyspace == src.Keyspace && h.Migrations[m.Key] == m.SHA256 {
					found = true
				}
			}
			if !found {
				return false
			}
		}
	}
	return true
}
