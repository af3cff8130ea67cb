package executor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// preflight removes what an earlier run of this identity left on the target
// and that nobody uses any more. All else that can be known beforehand was
// seen by the planner.
func (r *Run) preflight(ctx context.Context) (string, error) {
	if r.Target.URL != "" {
		return "", nil
	}
	passwords, err := r.API.Passwords(ctx, r.plan.Target)
	if err != nil {
		return "", fail(planner.Preflight, "list passwords of "+r.plan.Target, err)
	}
	for _, p := range passwords {
		if p.Expired && strings.HasPrefix(p.Name, passwordPrefix(r.plan.Identity)) {
			if err := r.API.DeletePassword(ctx, r.plan.Target, p.ID); err != nil && !planetscale.IsNotFound(err) {
				r.note(planner.Preflight, "an expired password of an earlier run is still there: "+err.Error())
			}
		}
	}
	return "", nil
}

// createBranch takes the lock by making the next working branch, holds it with
// a heartbeat, and plans again under it. Nothing that was seen before counts.
func (r *Run) createBranch(ctx context.Context) (string, error) {
	const step = planner.BranchCreate
	seen, taken := watch{}, 0
	for {
		rivals, highest, err := r.survey(ctx)
		if err != nil {
			return "", fail(step, "look for other runs", err)
		}
		highest = max(highest, taken)
		wait := ""
		var older []rival
		for _, v := range rivals {
			p, why, err := r.feel(ctx, seen, v)
			if err != nil {
				return "", fail(step, "look for other runs", err)
			}
			waits, err := r.parked(ctx, v, p)
			switch {
			case err != nil:
				return "", err
			case waits != "":
				wait = waits
			case p == dead:
				older = append(older, v)
			case p != foreign:
				wait = why
			}
		}
		if wait == "" {
			if r.without.numbers {
				if err := r.deleteAll(ctx, older); err != nil {
					return "", err
				}
				highest = 0
			}
			won, err := r.makeBranch(ctx, highest+1)
			if err != nil {
				return "", err
			}
			if !won {
				taken = highest + 1
				wait = r.whoHas(ctx, fmt.Sprintf("%s%d", r.facts.Plan.Working, taken))
			}
		}
		if wait != "" {
			if done, err := r.followOthers(ctx); err != nil {
				return "", err
			} else if done {
				return "", errMet
			}
			if err := r.waitForOther(ctx, wait); err != nil {
				return "", err
			}
			if err := r.stillPending(ctx); err != nil {
				return "", err
			}
			continue
		}
		if err := r.underLock(ctx, older); err != nil {
			return "", err
		}
		return r.facts.Branch, nil
	}
}

// waitForOther waits until the other run is looked at again; where the history
// has everything before that, the plan is made again at once.
func (r *Run) waitForOther(ctx context.Context, why string) error {
	if r.waiting.IsZero() {
		r.waiting = time.Now()
	}
	if time.Since(r.waiting) >= r.LockTimeout {
		return locked(why)
	}
	met, err := r.watchHistory(ctx, why, 15*time.Second+rand.N(3*time.Second)) // so that many who wait do not look at once
	if err == nil && met {
		return errAgain
	}
	return err
}

// stillPending lets a waiter leave as soon as somebody else has done its work.
func (r *Run) stillPending(ctx context.Context) error {
	plan, seen, err := r.Planner.Plan(ctx)
	if err != nil {
		return err
	}
	if plan.PendingCount() == 0 || plan.Intent != r.facts.Plan.Intent {
		return errAgain
	}
	r.plan, r.seen = plan, seen
	return nil
}

// makeBranch creates the branch of a number and waits until it is ready. It
// reports false where somebody else was faster.
func (r *Run) makeBranch(ctx context.Context, number int) (bool, error) {
	const step = planner.BranchCreate
	r.facts.Branch, r.facts.BranchID = fmt.Sprintf("%s%d", r.facts.Plan.Working, number), ""
	if err := r.record(step, "creating", r.facts.Branch); err != nil {
		return false, err
	}
	b, err := r.API.CreateBranch(ctx, planetscale.NewBranch{Name: r.facts.Branch, Parent: r.facts.Plan.Target})
	if planetscale.IsConflict(err) {
		return false, nil
	}
	if planetscale.IsLost(err) {
		// It may be there and it may be somebody else's: it is never claimed,
		// and without a heartbeat it dies.
		r.note(step, "whether branch "+r.facts.Branch+" was made is not known: "+err.Error())
		return false, nil
	}
	if err != nil {
		return false, fail(step, "create branch "+r.facts.Branch, err)
	}
	r.facts.BranchID = b.ID
	if err := r.record(step, "created", b.ID); errors.Is(err, errTaken) {
		return false, errors.Join(err, r.deleteBranch(ctx, b.Name, b.ID)) // nobody else can know it
	} else if err != nil {
		return false, err
	}
	err = poll(ctx, duration(r.facts.Plan.Deploy.BranchTimeout), func(waited time.Duration) (bool, error) {
		if b.Ready {
			return true, nil
		}
		now, err := r.API.Branch(ctx, r.facts.Branch)
		if planetscale.IsNotFound(err) && waited < time.Minute {
			return false, nil // reads may lag behind our own write
		}
		if planetscale.IsNotFound(err) {
			return false, errLost // somebody took this run for dead
		}
		if err != nil {
			return false, err
		}
		if !r.without.same(now.ID, r.facts.BranchID) {
			return false, errLost
		}
		b = now
		r.send(Event{Type: Progress, Step: step, Message: "branch " + b.Name, State: readiness(b), Waited: waited})
		return b.Ready, nil
	})
	if err != nil {
		return false, fail(step, "wait for branch "+r.facts.Branch, err)
	}
	if err := r.hold(ctx); err != nil {
		return false, fail(step, "hold branch "+r.facts.Branch, err)
	}
	return true, r.record(step, "held", "")
}

func readiness(b *planetscale.Branch) string {
	if b.Ready {
		return "ready"
	}
	return "being made"
}

// underLock makes sure that this run leads, plans again, and fences off what
// others of this identity left open.
func (r *Run) underLock(ctx context.Context, older []rival) error {
	const step = planner.BranchCreate
	mine, _ := numberOf(r.facts.Plan.Working, r.facts.Branch)
	rivals, _, err := r.survey(ctx)
	if err != nil {
		return fail(step, "look for other runs", err)
	}
	for _, v := range rivals {
		if v.number > mine {
			if err := r.withdraw(ctx, nil); err != nil {
				return err
			}
			return errAgain
		}
	}
	held, err := r.awake(ctx, older)
	if err != nil {
		return err
	}
	if held {
		if err := r.withdraw(ctx, nil); err != nil {
			return err
		}
		return errAgain
	}
	plan, seen := r.plan, r.seen
	if !r.without.replan {
		if plan, seen, err = r.Planner.Plan(ctx); err != nil {
			return err
		}
	}
	r.plan, r.seen = plan, seen
	if plan.PendingCount() == 0 || r.owing() != nil {
		if err := r.withdraw(ctx, nil); err != nil {
			return err
		}
		return errAgain
	}
	if err := r.agreed(plan); err != nil {
		return err
	}
	r.facts.Plan = plan
	r.facts.TargetSchema = seen.Schema.Digest()
	r.facts.Bases = nil
	for _, s := range seen.Sources {
		r.facts.Bases = append(r.facts.Bases, s.History)
	}
	if err := r.fenceOff(ctx, older); err != nil {
		return err
	}
	return r.record(step, "planned", plan.Intent)
}

// fenceOff closes the open requests of earlier runs of this identity, which
// nobody may deploy any more, and deletes their branches.
func (r *Run) fenceOff(ctx context.Context, older []rival) error {
	const step = planner.BranchCreate
	for _, q := range r.seen.Requests {
		if r.without.fence || q.Request.State != "open" || q.Stamp.BranchID == r.facts.BranchID || q.Request.DeploymentState.Info().Started {
			continue
		}
		if err := r.untouched(ctx, &q.Request); err != nil {
			return err
		}
		if err := r.leads(); err != nil {
			return err
		}
		if _, err := r.API.CloseDeployRequest(ctx, q.Request.Number); r.without.readBack {
			continue
		} else if planetscale.IsRefused(err) {
			return errAgain // it was deployed in this very moment: it is joined
		} else if err != nil {
			return fail(step, fmt.Sprintf("close deploy request #%d of an earlier run", q.Request.Number), err)
		}
		after, err := r.API.DeployRequest(ctx, q.Request.Number)
		if err != nil {
			return fail(step, fmt.Sprintf("look at deploy request #%d", q.Request.Number), err)
		}
		if after.State == "open" {
			return errAgain // it was deployed in this very moment: it is joined
		}
		r.note(step, fmt.Sprintf("closed deploy request #%d of an earlier run", q.Request.Number))
	}
	return r.deleteAll(ctx, older)
}

// deleteAll deletes the branches of earlier runs.
func (r *Run) deleteAll(ctx context.Context, older []rival) error {
	const step = planner.BranchCreate
	for _, v := range older {
		if r.kept(v.branch.ID) {
			continue // swept once its revert window is closed
		}
		if err := r.leads(); err != nil {
			return err
		}
		if err := r.deleteBranch(ctx, v.branch.Name, v.branch.ID); err != nil {
			r.note(step, fmt.Sprintf("branch %s of an earlier run is still there: %v", v.branch.Name, err))
		}
	}
	return nil
}

// verifyBranch compares the branch with the target, both read over MySQL. A
// fresh branch can lag behind: deploying it would drop the newest columns.
func (r *Run) verifyBranch(ctx context.Context) (string, error) {
	const step = planner.BranchVerify
	db, err := r.branch(ctx)
	if err != nil {
		return "", fail(step, "connect to the branch", err)
	}
	var differ []schema.Change
	err = poll(ctx, staleWait, func(waited time.Duration) (bool, error) {
		s, err := schema.Read(ctx, db, r.facts.Plan.Name)
		if err != nil {
			return false, err
		}
		if s.Digest() == r.facts.TargetSchema {
			return true, nil
		}
		if differ, err = schema.Diff(s, r.seen.Schema); err != nil {
			return false, err
		}
		r.send(Event{Type: Progress, Step: step, Message: "the branch lags behind the target", Waited: waited})
		return false, nil
	})
	var late *timeoutError
	switch {
	case errors.As(err, &late):
		if r.rebuilt < 1 {
			r.rebuilt++
			r.note(step, "the branch has an old schema: it is made again")
			if err := r.discard(ctx); err != nil {
				return "", err
			}
			return "", &backError{planner.BranchCreate}
		}
		return "", refuse(step, "branch "+r.facts.Branch, fmt.Sprintf("its schema is not %s's: %s", r.facts.Plan.Target, describe(differ)),
			"the platform made the branch from an old schema; take a backup of the target so that it is read anew, and apply again")
	case err != nil:
		return "", fail(step, "compare the branch with the target", err)
	}
	return plural(len(r.seen.Schema.Tables), "table") + " equal", nil
}

// staleWait is how long a branch may lag behind before it is made again.
const staleWait = 45 * time.Second

// stillSeeded checks that the branch's history is as it was seeded: the platform
// has a copy of its own, which can come late.
func (r *Run) stillSeeded(ctx context.Context) error {
	const step = planner.Migrate
	db, err := r.branch(ctx)
	if err != nil {
		return fail(step, "connect to the branch", err)
	}
	for i, s := range r.seen.Sources {
		h, err := migration.Read(ctx, db, s.Spec)
		if err != nil {
			return fail(step, "read "+s.Spec.HistoryTable()+" on the branch", err)
		}
		if h.Digest() == r.facts.Bases[i].Digest() {
			continue
		}
		if r.reseeded++; r.reseeded > 3 {
			return refuse(step, "branch "+r.facts.Branch, s.Spec.HistoryTable()+" is changed on it by somebody else",
				"turn off the platform's own copy of migration data, or find out who works on the branch")
		}
		r.note(step, s.Spec.HistoryTable()+" has changed on the branch since it was seeded: it is seeded again")
		return &backError{planner.HistorySeed}
	}
	return nil
}

// seed gives the branch the target's history rows. It writes nothing where the
// platform has copied them already.
func (r *Run) seed(ctx context.Context) (string, error) {
	db, err := r.branch(ctx)
	if err != nil {
		return "", fail(planner.HistorySeed, "connect to the branch", err)
	}
	rows := 0
	for i, s := range r.seen.Sources {
		if err := migration.Seed(ctx, db, s.Spec, r.facts.Bases[i]); err != nil {
			return "", fail(planner.HistorySeed, "copy "+s.Spec.HistoryTable()+" to the branch", err)
		}
		rows += len(r.facts.Bases[i].Rows)
	}
	return plural(rows, "row"), nil
}
