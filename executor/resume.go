package executor

import (
	"context"
	"fmt"

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
		info := q.DeploymentState.Info()
		if info.Started && info.Class != planetscale.ClassFailed {
			r.note(planner.Preflight, fmt.Sprintf("run %s is unfinished and deploy request #%d is %s: going on from there", f.Run, q.Number, q.DeploymentState))
			if _, err := r.retake(ctx); err != nil {
				return err
			}
			return r.walk(ctx, planner.DeployFinish)
		}
	}
	same := f.Plan.Intent == r.plan.Intent
	open := q != nil && q.State == "open"
	if f.Checked && same && (q == nil || open) {
		held, err := r.retake(ctx)
		if err != nil {
			return err
		}
		if held && r.asChecked(ctx) {
			r.note(planner.Preflight, fmt.Sprintf("run %s is unfinished: going on after its migrations", f.Run))
			return r.walk(ctx, planner.DeployOpen)
		}
	}
	if open && q.Approved && !same && !r.Replace {
		return &Error{Outcome: Person, Step: planner.Preflight, What: fmt.Sprintf("deploy request #%d", q.Number),
			Why:  "a person has approved it, and the plan is another one now",
			Next: "deploy it, or close it with pmig abandon, or replace it with pmig apply --replace"}
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
	if planetscale.IsNotFound(err) || err == nil && b.ID != r.facts.BranchID {
		return false, nil
	}
	if err != nil {
		return false, fail(planner.Preflight, "look at branch "+r.facts.Branch, err)
	}
	if !b.Ready {
		return false, nil
	}
	old := r.facts.Passwords
	r.facts.Passwords = nil
	if p := r.Target.Password(); p != nil {
		r.facts.Passwords = append(r.facts.Passwords, passwordRef{r.Target.Branch, p.ID})
	}
	if err := r.hold(ctx); err != nil {
		return false, fail(planner.Preflight, "hold branch "+r.facts.Branch, err)
	}
	// The new heartbeat beats before the old one ends: nobody sees a gap.
	for _, p := range old {
		if err := r.API.DeletePassword(ctx, p.Branch, p.ID); err != nil && !planetscale.IsNotFound(err) {
			r.facts.Passwords = append(r.facts.Passwords, p)
		}
	}
	return true, nil
}

// asChecked reports whether the branch still has the schema that branch.check
// wrote down.
func (r *Run) asChecked(ctx context.Context) bool {
	db, err := r.branch(ctx)
	if err != nil {
		return false
	}
	s, err := schema.Read(ctx, db, r.facts.Plan.Name)
	if err != nil || s.Digest() != r.facts.BranchSchema {
		return false
	}
	if r.facts.Changes == nil {
		// Taken up from the notes alone: what the branch changed is seen again.
		if r.facts.Changes, err = schema.Diff(r.seen.Schema, s); err != nil {
			return false
		}
	}
	return true
}

// owed finds the newest request of this identity that was deployed, or is
// being deployed, while the target's history lacks its rows: the schema is
// live, or will be, and history must follow before anything else is planned.
func (r *Run) owed() *facts {
	for _, q := range r.seen.Requests {
		info := q.Request.DeploymentState.Info()
		if !info.Started || info.Class == planetscale.ClassFailed {
			continue
		}
		if r.lacks(q.Stamp) {
			return r.fromStamp(q)
		}
		return nil
	}
	return nil
}

// lacks reports whether the target's history misses a migration of a stamp.
func (r *Run) lacks(s *planner.Stamp) bool {
	for _, h := range s.Histories {
		for _, o := range r.seen.Sources {
			if o.Spec.HistoryTable() != h.Table || o.Spec.Database != h.Keyspace {
				continue
			}
			has := map[string]bool{}
			for _, f := range o.Status.Applied {
				has[f.Key] = true
			}
			for _, k := range o.Status.Orphans {
				has[k] = true
			}
			for key := range h.Migrations {
				if !has[key] {
					return true
				}
			}
		}
	}
	return false
}

// fromStamp rebuilds what a run knew from the notes of its deploy request.
func (r *Run) fromStamp(q planner.StampedRequest) *facts {
	s := q.Stamp
	plan := *r.plan
	plan.Intent, plan.Sources = s.Intent, nil
	f := &facts{
		Run: s.Run, Plan: &plan, Branch: q.Request.Branch, BranchID: s.BranchID, Request: q.Request.Number,
		TargetSchema: s.Target, Checked: true, Tables: s.Tables, BranchSchema: s.Branch,
	}
	for _, h := range s.Histories {
		src := planner.Source{Name: h.Source, Tool: h.Tool, Keyspace: h.Keyspace,
			History: planner.History{Table: h.Table, Custom: h.Custom, Exists: h.Seeded != "", Digest: h.Seeded}}
		for key, sum := range h.Migrations {
			src.Pending = append(src.Pending, planner.Migration{Key: key, SHA256: sum})
		}
		plan.Sources = append(plan.Sources, src)
		var d migration.Delta
		if h.Gained != nil {
			d = *h.Gained
		}
		f.Gained = append(f.Gained, d)
		f.Bases = append(f.Bases, nil)
	}
	return f
}

// parked looks whether a working branch without a heartbeat carries an open
// deploy request that waits for a person. One with this very plan is taken up;
// one that people have approved is not replaced unasked.
func (r *Run) parked(v rival, p pulse) (wait string, err error) {
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
		if q.Request.Approved && !r.Replace {
			return "", &Error{Outcome: Person, Step: planner.BranchCreate, What: fmt.Sprintf("deploy request #%d", q.Request.Number),
				Why:  "a person has approved it, and it is for another plan",
				Next: "deploy it, or close it with pmig abandon, or replace it with pmig apply --replace"}
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
