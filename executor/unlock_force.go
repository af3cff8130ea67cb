package executor

import (
	"context"
	"fmt"
	"strings"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// Unlock ends the holds of runs that are dead or hang, which confirm is shown
// first. It does what a run does that takes over: it closes the request that
// was not deployed, so that nobody can deploy it, ends the heartbeat and deletes
// the branch. A request that is being deployed, or that people have touched,
// keeps its branch and loses only its holder: the next run goes on with it. A
// process that is still alive notices, plans again, and may take the lock again.
func (r *Run) Unlock(ctx context.Context, confirm func(Locks) error) ([]string, error) {
	r.summary = &Summary{Run: r.ID, Database: r.Label}
	defer r.release(ctx)
	l, err := r.locks(ctx)
	if err != nil {
		return nil, err
	}
	var held []Hold
	for _, h := range l.Holds {
		if h.Kind == Held || h.Kind == Silent {
			held = append(held, h)
		}
	}
	if len(held) == 0 && l.Here != "" {
		return nil, &Error{Outcome: Busy, What: "another pmig works on this database", Why: l.Here,
			Next: "the lock of this machine goes with the process that holds it: wait for it, or stop it"}
	}
	if len(held) == 0 {
		return nil, nil
	}
	l.Holds = held
	if err := confirm(*l); err != nil {
		return nil, err
	}
	var done []string
	for _, h := range held {
		what, err := r.endHold(ctx, h)
		if err != nil {
			return done, err
		}
		done = append(done, what)
	}
	return done, nil
}

// endHold ends one hold. The request is looked at again, and closed before
// anything else: from then on the holder can no longer deploy it.
func (r *Run) endHold(ctx context.Context, h Hold) (string, error) {
	branch := h.Holder.Branch
	q, err := r.openOf(ctx, h)
	if err != nil {
		return "", err
	}
	keep := ""
	if q != nil {
		started := q.DeploymentState.Info().Started
		how := ""
		if !started {
			if how, err = r.touched(ctx, q); err != nil {
				return "", err
			}
		}
		switch {
		case started:
			keep = fmt.Sprintf("deploy request #%d is %s and goes on", q.Number, q.DeploymentState)
		case how != "":
			keep = fmt.Sprintf("deploy request #%d is left open: %s", q.Number, how)
		default:
			if _, err := r.API.CloseDeployRequest(ctx, q.Number); err != nil && !planetscale.IsRefused(err) {
				return "", fail(planner.Cleanup, fmt.Sprintf("close deploy request #%d", q.Number), err)
			}
			after, err := r.API.DeployRequest(ctx, q.Number)
			if err != nil {
				return "", fail(planner.Cleanup, fmt.Sprintf("look at deploy request #%d", q.Number), err)
			}
			if after.State == planetscale.RequestOpen {
				keep = fmt.Sprintf("deploy request #%d is %s and goes on", q.Number, after.DeploymentState)
			}
		}
	}
	if err := r.endHeartbeat(ctx, branch, h.id); err != nil {
		return "", err
	}
	if keep != "" {
		return branch + " has no holder any more; " + keep, nil
	}
	if err := r.deleteBranch(ctx, branch, h.id); err != nil {
		return "", fail(planner.Cleanup, "delete branch "+branch, err)
	}
	return branch + " is removed", nil
}

// openOf is the open request of a hold's branch, nil if there is none.
func (r *Run) openOf(ctx context.Context, h Hold) (*planetscale.DeployRequest, error) {
	requests, err := r.API.DeployRequests(ctx, planetscale.DeployRequestFilter{Branch: h.Holder.Branch})
	if err != nil {
		return nil, fail(planner.Cleanup, "list deploy requests", err)
	}
	for i := range requests {
		if requests[i].BranchID == h.id && requests[i].State == planetscale.RequestOpen {
			return &requests[i], nil
		}
	}
	return nil, nil
}

// endHeartbeat deletes pmig's passwords on a branch.
func (r *Run) endHeartbeat(ctx context.Context, branch, id string) error {
	b, err := r.API.Branch(ctx, branch)
	if planetscale.IsNotFound(err) || err == nil && b.ID != id {
		return nil
	}
	if err != nil {
		return fail(planner.Cleanup, "look at branch "+branch, err)
	}
	passwords, err := r.API.Passwords(ctx, branch)
	if err != nil {
		return fail(planner.Cleanup, "passwords of branch "+branch, err)
	}
	for _, p := range passwords {
		if !strings.HasPrefix(p.Name, "pmig ") {
			continue
		}
		if err := r.API.DeletePassword(ctx, branch, p.ID); err != nil && !planetscale.IsNotFound(err) {
			return fail(planner.Cleanup, "delete password "+p.ID+" of branch "+branch, err)
		}
	}
	return nil
}
