package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// cleanup removes what the run made. A branch whose deployment can still be
// reverted is kept for that; the next run removes it.
func (r *Run) cleanup(ctx context.Context) (string, error) {
	const step = planner.Cleanup
	kept, err := r.closeWindow(ctx)
	if err != nil {
		return "", fail(step, "close the revert window", err)
	}
	if err := r.dropHeartbeat(ctx); err != nil {
		r.note(step, err.Error())
	}
	if kept == "" {
		if err := r.deleteBranch(ctx, r.facts.Branch, r.facts.BranchID); err != nil {
			kept = fmt.Sprintf("branch %s: %v", r.facts.Branch, err)
		}
	}
	r.sweep(ctx)
	r.summary.Kept = kept
	if kept != "" {
		return "kept: " + kept, nil
	}
	return "", nil
}

// closeWindow ends the revert window where the configuration says so, and
// otherwise tells until when it keeps the branch.
func (r *Run) closeWindow(ctx context.Context) (kept string, err error) {
	if r.facts.Request == 0 {
		return "", nil
	}
	q, err := r.API.DeployRequest(ctx, r.facts.Request)
	if err != nil {
		return "", err
	}
	if q.DeploymentState != planetscale.StateCompletePendingRevert {
		return "", nil
	}
	if r.facts.Plan.Deploy.RevertWindow != "skip" {
		until := ""
		if end, ok := q.RevertUntil(); ok {
			until = " until " + end.Local().Format("15:04")
		}
		return fmt.Sprintf("branch %s, so that the deployment can be reverted%s", r.facts.Branch, until), nil
	}
	return "", r.skipRevert(ctx, q.Number)
}

// skipRevert closes a revert window and waits until it is closed.
func (r *Run) skipRevert(ctx context.Context, number int) error {
	if _, err := r.API.SkipRevert(ctx, number); err != nil && !planetscale.IsRefused(err) {
		return err
	}
	return poll(ctx, 2*time.Minute, func(waited time.Duration) (bool, error) {
		q, err := r.API.DeployRequest(ctx, number)
		if err != nil {
			return false, err
		}
		if q.Number == r.facts.Request {
			r.saw(q.DeploymentState)
		}
		return q.DeploymentState != planetscale.StateCompletePendingRevert, nil
	})
}

// dropHeartbeat ends the lease and deletes the passwords of this run that are
// still there, but for the one that the target is being read with.
func (r *Run) dropHeartbeat(ctx context.Context) error {
	var errs []error
	if r.lease != nil {
		beat := r.lease.access.Password()
		if err := r.lease.end(ctx); err != nil {
			errs = append(errs, err)
		} else if beat != nil {
			r.facts.Passwords = slices.DeleteFunc(r.facts.Passwords, func(p passwordRef) bool { return p.ID == beat.ID })
		}
		r.lease = nil
	}
	inUse := ""
	if p := r.Target.Password(); p != nil {
		inUse = p.ID
	}
	var left []passwordRef
	for _, p := range r.facts.Passwords {
		if p.ID == inUse {
			continue
		}
		if err := r.API.DeletePassword(ctx, p.Branch, p.ID); err != nil && !planetscale.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("delete password %s of branch %s: %w", p.ID, p.Branch, err))
			left = append(left, p)
		}
	}
	r.facts.Passwords = left
	return errors.Join(errs...)
}

// deleteBranch deletes a branch, but only if the name is still that branch's.
// While a deployment has just ended the platform refuses; that passes.
func (r *Run) deleteBranch(ctx context.Context, name, id string) error {
	if name == "" || id == "" {
		return nil
	}
	var last error
	for try := range 6 {
		b, err := r.API.Branch(ctx, name)
		if planetscale.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if !r.without.same(b.ID, id) {
			return nil // somebody else's by now
		}
		last = r.API.DeleteBranch(ctx, name)
		switch {
		case last == nil, planetscale.IsNotFound(last):
			return nil
		case !planetscale.IsDeploying(last):
			return last
		}
		r.send(Event{Type: Progress, Step: planner.Cleanup, Message: "branch " + name + " cannot be deleted yet", Waited: time.Duration(try) * 20 * time.Second})
		if err := sleep(ctx, 20*time.Second); err != nil {
			return err
		}
	}
	return last
}

// sweep deletes the branches that earlier runs of this configuration kept so
// that their deployments could be reverted, once that is over.
func (r *Run) sweep(ctx context.Context) {
	for _, q := range r.seen.Requests {
		own := r.facts != nil && q.Stamp.BranchID == r.facts.BranchID
		if own || q.Request.BranchDeleted || q.Request.Number == r.summary.Request || !q.Request.DeploymentState.Info().Started {
			continue
		}
		now, err := r.API.DeployRequest(ctx, q.Request.Number)
		if err != nil || !now.DeploymentState.Info().Terminal || now.DeploymentState.Live() && r.seen.Owes(q.Stamp) {
			continue // not ended, or another run is about to write its history
		}
		if err := r.deleteBranch(ctx, q.Request.Branch, q.Stamp.BranchID); err != nil {
			r.note(planner.Cleanup, fmt.Sprintf("branch %s of an earlier run is still there: %v", q.Request.Branch, err))
		}
	}
}

// discard gives up the working branch: heartbeat first, then the branch.
func (r *Run) discard(ctx context.Context) error {
	if err := r.dropHeartbeat(ctx); err != nil {
		return err
	}
	if err := r.deleteBranch(ctx, r.facts.Branch, r.facts.BranchID); err != nil {
		return err
	}
	r.facts.Branch, r.facts.BranchID, r.facts.Checked = "", "", false
	return nil
}

// conclude writes down that the run has ended.
func (r *Run) conclude(how string) error {
	if r.ending != "" {
		how = r.ending
	}
	r.facts.Finished, r.facts.Ended = true, how
	return r.record(r.step, "ended", how)
}

// withdraw ends a run: it closes its request, if that is open and not deployed,
// and gives up the branch. A request that a person has approved or reviewed
// stays, unless that person's work is to be replaced.
func (r *Run) withdraw(ctx context.Context, q *planetscale.DeployRequest) error {
	if q != nil && q.State == planetscale.RequestOpen && !q.DeploymentState.Info().Started {
		if err := r.untouched(ctx, q); err != nil {
			return err
		}
		if _, err := r.API.CloseDeployRequest(ctx, q.Number); err != nil && !planetscale.IsRefused(err) {
			return err
		}
	}
	if err := r.discard(ctx); err != nil {
		return err
	}
	return r.conclude("withdrawn")
}

// withdrawOwn is withdraw for the request that this run has opened, if any.
func (r *Run) withdrawOwn(ctx context.Context) error {
	var q *planetscale.DeployRequest
	if r.facts.Request != 0 {
		var err error
		if q, err = r.API.DeployRequest(ctx, r.facts.Request); err != nil {
			return err
		}
	}
	return r.withdraw(ctx, q)
}

// failed decides what becomes of a run that did not go through: it is kept for
// the next one where that can go on from it, and removed otherwise.
func (r *Run) failed(ctx context.Context, step planner.Kind, err error) error {
	if errors.Is(err, errLost) {
		// With a request open or running, what is known of it is still needed.
		if r.facts.Request == 0 {
			r.facts.Finished, r.facts.Ended = true, "lost the lead"
		}
		err = errors.Join(err, r.record(step, "failed", err.Error()))
		r.makeWay(ctx, errors.Is(err, errTaken))
		return err
	}
	if errors.Is(err, errAgain) || errors.Is(err, errMet) {
		if r.facts.Finished {
			return err
		}
		if e := r.withdrawOwn(ctx); e != nil {
			return errors.Join(e, r.dropHeartbeat(ctx))
		}
		return err
	}
	r.send(Event{Type: StepFail, Step: step, Message: err.Error()})
	// Without the caller's cancellation: whoever interrupts wants the
	// checkpoint written, but not to wait for ever.
	patience := 2 * time.Minute
	if ctx.Err() != nil {
		patience = 4 * time.Second
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if rec := r.record(step, "failed", err.Error()); errors.Is(rec, errLost) {
		return r.failed(ctx, step, rec)
	} else if rec != nil {
		err = errors.Join(err, rec)
	}
	if r.worthKeeping(err) {
		if e := r.dropHeartbeat(end); e != nil {
			r.note(step, e.Error())
		}
		return err
	}
	r.ending = "failed: " + err.Error()
	if e := r.withdrawOwn(end); e != nil {
		r.note(step, "not everything was removed: "+e.Error())
		if e := r.dropHeartbeat(end); e != nil {
			r.note(step, e.Error())
		}
	}
	return err
}

// makeWay lets go before another run. If that one has taken over with the
// journal, the heartbeat of one who does not lead would only keep it waiting,
// and the password that the target was read with has been deleted by it.
func (r *Run) makeWay(ctx context.Context, taken bool) {
	if r.lease != nil && !taken {
		r.lease.stop()
		r.lease.access.Leave()
	}
	end := context.WithoutCancel(ctx)
	var errs []error
	if r.lease != nil && taken {
		errs = append(errs, r.lease.end(end))
	}
	if r.lease = nil; taken {
		errs = append(errs, r.Target.Close(end))
	}
	if err := errors.Join(errs...); err != nil {
		r.note(r.step, err.Error())
	}
}

// worthKeeping reports whether a later run can go on from here: the migrations
// have been checked, and nothing has been found that ends the run for good.
// What was approved is not thrown away for a passing fault.
func (r *Run) worthKeeping(err error) bool {
	var e *Error
	return r.facts.Checked && !(errors.As(err, &e) && e.Over)
}

// release is the last thing a run does: no password of it stays.
func (r *Run) release(ctx context.Context) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if r.lease != nil {
		if err := r.lease.end(end); err != nil {
			r.note(planner.Cleanup, err.Error())
		}
		r.lease = nil
	}
	if err := r.Target.Close(end); err != nil {
		r.note(planner.Cleanup, err.Error())
	}
}
