package executor

import (
	"context"
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// A run whose heartbeat had run out can be taken up again in the very moment in
// which another takes over. Each of the two first shows itself, by a heartbeat
// or by the next branch, and then looks for the other: at least one of them sees
// the other and gives way.

// awake reports whether a branch that was found dead is held again.
func (r *Run) awake(ctx context.Context, older []rival) (bool, error) {
	if r.without.giveWay {
		return false, nil
	}
	for _, v := range older {
		passwords, err := r.API.Passwords(ctx, v.branch.Name)
		if planetscale.IsNotFound(err) {
			continue
		}
		if err != nil {
			return false, fail(planner.BranchCreate, "look at branch "+v.branch.Name+" again", err)
		}
		for _, p := range passwords {
			if strings.HasPrefix(p.Name, "pmig ") && beating(p, planner.Now(r.API)) {
				return true, nil
			}
		}
	}
	return false, nil
}

// overtaken waits while somebody holds a later branch than this run's, which it
// has taken up again. A later one that is dead and empty is deleted.
func (r *Run) overtaken(ctx context.Context) error {
	if r.without.giveWay {
		return nil
	}
	mine, _ := numberOf(r.facts.Plan.Working, r.facts.Branch)
	rivals, _, err := r.survey(ctx)
	if err != nil {
		return fail(planner.Preflight, "look for other runs", err)
	}
	if r.watched == nil {
		r.watched = watch{}
	}
	var left []rival
	for _, v := range rivals {
		if v.number < mine {
			continue
		}
		p, why, err := r.feel(ctx, r.watched, v)
		switch {
		case err != nil:
			return fail(planner.Preflight, "look for other runs", err)
		case p == dead && len(v.requests) == 0:
			left = append(left, v)
		case p == alive || p == quiet:
			if err := r.dropHeartbeat(ctx); err != nil {
				return err
			}
			if err := r.waitForOther(ctx, why); err != nil {
				return err
			}
			return errWaited
		}
	}
	return r.deleteAll(ctx, left)
}

// overslept reports whether a login was refused because a password of this run
// has ended: a process that was asleep for longer than it lives plans again.
func (r *Run) overslept(err error) bool {
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1045 || r.Target.URL != "" || r.denied >= 2 {
		return false
	}
	r.denied++
	return true
}
