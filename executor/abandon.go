package executor

import (
	"context"
	"fmt"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// Abandon ends this configuration's unfinished run: it closes its deploy
// request, unless that has been deployed, and removes branch and passwords.
// The note says what was done, for people.
func (r *Run) Abandon(ctx context.Context) (note string, err error) {
	r.summary = &Summary{Run: r.ID}
	unlock, err := r.lockHere(ctx, false)
	if err != nil {
		return "", err
	}
	defer unlock()
	defer r.release(ctx)
	if r.plan, r.seen, err = r.Planner.Plan(ctx); err != nil {
		return "", err
	}
	r.summary.Database = r.plan.Label
	f, err := r.load()
	if err != nil {
		return "", err
	}
	if f == nil || f.Finished {
		f = r.unfinished()
	}
	if f == nil {
		return "nothing is unfinished", nil
	}
	r.facts = f
	q, err := r.requestOf(ctx, f)
	if err != nil {
		return "", err
	}
	if branch, live, err := r.holderElsewhere(ctx); err != nil {
		return "", err
	} else if live != nil {
		return "", &Error{Outcome: Busy, Step: planner.Cleanup, What: "another run has the lock",
			Why: holderOf(branch, *live).String(), Next: "end that one first; if it hangs: pmig unlock --force"}
	}
	if q != nil && q.DeploymentState.Info().Class == planetscale.ClassFailed {
		if err := r.outOfQueue(ctx, q); err != nil {
			return "", err
		}
	} else if q != nil && q.DeploymentState.Info().Started {
		return "", refuse(planner.Cleanup, fmt.Sprintf("deploy request #%d", q.Number), fmt.Sprintf("it is %s: it cannot be abandoned any more", q.DeploymentState),
			"run pmig apply: it waits for it and writes the history")
	}
	r.Replace = true // whoever abandons a run means the approval too
	if err := r.withdraw(ctx, q); err != nil {
		return "", fail(planner.Cleanup, "remove what the run left", err)
	}
	if q != nil {
		return fmt.Sprintf("closed deploy request #%d and removed branch and passwords of run %s", q.Number, f.Run), nil
	}
	return "removed branch and passwords of run " + f.Run, nil
}

// unfinished finds a run on the platform that no journal here tells of: an
// open deploy request of this configuration that was not deployed.
func (r *Run) unfinished() *facts {
	for _, q := range r.seen.Requests {
		if q.Request.State == "open" && !q.Request.DeploymentState.Info().Started {
			return r.fromStamp(q)
		}
	}
	return nil
}
