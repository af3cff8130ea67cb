package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// started looks whether the deployment was asked for already.
func (r *Run) started(ctx context.Context) (bool, error) {
	q, err := r.API.DeployRequest(ctx, r.facts.Request)
	if err != nil {
		return false, fail(planner.DeployStart, fmt.Sprintf("look at deploy request #%d", r.facts.Request), err)
	}
	r.saw(q.DeploymentState)
	info := q.DeploymentState.Info()
	return info.Started || info.Class == planetscale.ClassNoChanges, nil
}

// start asks for the deployment. It is the act that cannot be taken back, so
// whatever was seen long ago is looked at again first.
func (r *Run) start(ctx context.Context) (string, error) {
	const step = planner.DeployStart
	if r.deadline.IsZero() {
		r.deadline = time.Now().Add(r.deployTimeout())
	}
	if err := r.unmoved(ctx); err != nil {
		return "", err
	}
	if err := r.unchanged(ctx); err != nil {
		return "", err
	}
	if err := r.freeLane(ctx); err != nil {
		return "", err
	}
	for try := 0; ; try++ {
		if err := r.leads(); err != nil {
			return "", err
		}
		_, err := r.API.Deploy(ctx, r.facts.Request, r.facts.Plan.Deploy.Instant)
		switch {
		case err == nil:
			r.accepted = time.Now()
			return "", nil
		case planetscale.IsValidating(err) && try < 8:
			r.send(Event{Type: Progress, Step: step, Message: "the platform is still validating the changes", Waited: time.Duration(try) * 15 * time.Second})
			if err := sleep(ctx, 15*time.Second); err != nil {
				return "", err
			}
			continue
		case planetscale.IsNeedsApproval(err):
			return "", &Error{Outcome: Person, Step: step, What: fmt.Sprintf("deploy request #%d", r.facts.Request), Why: "it needs an approval", Err: err,
				Next: "approve it and run pmig apply again: it goes on from here"}
		}
		// The answer may be lost and the deployment begun: the state tells, if
		// not at once.
		for look := 0; ; look++ {
			if done, e := r.started(ctx); e == nil && done {
				r.accepted = time.Now()
				return "", nil
			}
			if look == 3 || !planetscale.IsLost(err) {
				return "", fail(step, fmt.Sprintf("deploy request #%d", r.facts.Request), err)
			}
			if err := sleep(ctx, 3*time.Second); err != nil {
				return "", err
			}
		}
	}
}

// unmoved checks that history and schema of the target are still those that
// the run began from.
func (r *Run) unmoved(ctx context.Context) error {
	const step = planner.DeployStart
	_, seen, err := r.Planner.Plan(ctx)
	if err != nil {
		return err
	}
	for i, s := range seen.Sources {
		if i < len(r.facts.Bases) && r.facts.Bases[i] != nil && s.History.Digest() != r.facts.Bases[i].Digest() {
			r.note(step, "the history on "+r.facts.Plan.Target+" has moved since the migrations ran")
			return errAgain
		}
	}
	now := seen.Schema.Digests()
	for table, before := range r.facts.Before {
		if now[table] == before {
			continue
		}
		r.note(step, "table "+table+" of "+r.facts.Plan.Target+" has changed since the migrations ran")
		if err := schema.Fits(seen.Schema, r.facts.Changes); err != nil {
			r.note(step, "the changes cannot be made to it any more: "+err.Error())
			return r.startOver(table)
		}
		r.facts.Before[table] = now[table] // whether the request still does what it should is looked at next
	}
	return nil
}

// startOver ends a run whose target has moved, so that it is planned anew, but
// not for ever.
func (r *Run) startOver(table string) error {
	if r.moved++; r.moved > 3 {
		return &Error{Outcome: Refused, Step: planner.DeployStart, What: r.facts.Plan.Target, Over: true,
			Why:  "table " + table + " keeps changing while its migrations wait to be deployed",
			Next: "see what else deploys to this database, then run pmig apply again"}
	}
	return errAgain
}

// unchanged checks that the branch is still as the migrations left it, and that
// the request is what was reviewed: somebody may have worked on the branch
// while an approval was waited for.
func (r *Run) unchanged(ctx context.Context) error {
	const step = planner.DeployStart
	db, err := r.branch(ctx)
	if err != nil {
		return fail(step, "connect to the branch", err)
	}
	s, err := schema.Read(ctx, db, r.facts.Plan.Name)
	if err != nil {
		return fail(step, "read the branch's schema", err)
	}
	if s.Digest() != r.facts.BranchSchema {
		return refuse(step, "branch "+r.facts.Branch, "somebody has changed it since its migrations were checked",
			"give this run up with pmig abandon, then run pmig apply again")
	}
	q, err := r.look(ctx, step, 0)
	if err != nil {
		return err
	}
	if q.State != planetscale.RequestOpen || q.DeploymentState != planetscale.StateReady {
		return r.goBack()
	}
	return r.onlyOurs(ctx, q)
}

// goBack sends the walk back to the review, but not for ever.
func (r *Run) goBack() error {
	if r.backs++; r.backs > 3 {
		return &Error{Outcome: Failed, Step: planner.DeployStart, What: fmt.Sprintf("deploy request #%d", r.facts.Request),
			Why: "it keeps coming back from its deployment", Next: "look at it, and run pmig apply again: " + r.summary.URL}
	}
	return &backError{planner.DeployReview}
}

func (r *Run) deployTimeout() time.Duration {
	if r.WaitDeploy > 0 {
		return r.WaitDeploy
	}
	return duration(r.facts.Plan.Deploy.DeployTimeout)
}

// freeLane closes the revert window of this configuration's previous
// deployment, which holds the queue. Windows of others are waited for.
func (r *Run) freeLane(ctx context.Context) error {
	if r.facts.Plan.Deploy.RevertWindow == "keep" {
		return nil
	}
	for _, q := range r.seen.Requests {
		if q.Request.Number == r.facts.Request || q.Request.DeploymentState != planetscale.StateCompletePendingRevert {
			continue
		}
		if err := r.leads(); err != nil {
			return err
		}
		r.note(planner.DeployStart, fmt.Sprintf("closing the revert window of deploy request #%d", q.Request.Number))
		if err := r.skipRevert(ctx, q.Request.Number); err != nil {
			return fail(planner.DeployStart, fmt.Sprintf("close the revert window of deploy request #%d", q.Request.Number), err)
		}
	}
	return nil
}

// finish waits until the schema is live. Only the two states that say so end
// it well; an unknown state is waited out.
func (r *Run) finish(ctx context.Context) (string, error) {
	const step = planner.DeployFinish
	if r.deadline.IsZero() {
		r.deadline = time.Now().Add(r.deployTimeout())
	}
	last := "not known"
	err := poll(ctx, time.Until(r.deadline), func(waited time.Duration) (bool, error) {
		q, err := r.look(ctx, step, waited)
		if err != nil {
			if passing(err) {
				r.note(step, err.Error())
				return false, nil
			}
			return false, err
		}
		last = string(q.DeploymentState)
		info := q.DeploymentState.Info()
		switch {
		case info.Live && !planner.HalfDone(q), info.Class == planetscale.ClassNoChanges:
			return true, nil
		case info.Class == planetscale.ClassFailed, planner.HalfDone(q):
			err := r.deployFailed(ctx, q)
			return err == nil, err
		case q.DeploymentState == planetscale.StateReady || q.DeploymentState == planetscale.StatePending:
			if time.Since(r.accepted) < 30*time.Second {
				return false, nil // reads may lag behind our own write
			}
			return false, r.goBack() // somebody took it out of the queue
		case q.WaitsForCutover():
			return false, &Error{Outcome: Person, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "it waits for a person's cutover",
				Next: "pmig cutover lets it go on and finishes the run; or cut over at " + q.HTMLURL + " and run pmig apply again"}
		}
		return false, nil
	})
	var late *timeoutError
	if errors.As(err, &late) && last == string(planetscale.StateQueued) {
		return "", r.unqueue(ctx)
	}
	if errors.As(err, &late) {
		return "", &Error{Outcome: Failed, Step: step, What: fmt.Sprintf("deploy request #%d", r.facts.Request),
			Why: fmt.Sprintf("still %s after %s; once it is live its history is owed", last, r.deployTimeout()), Next: "run pmig apply again: it goes on waiting and then writes the history"}
	}
	if err != nil {
		return "", fail(step, "wait for the deployment", err)
	}
	return strings.Join(slices.Compact(slices.Clone(r.facts.States)), " > "), nil
}

// unqueue cancels a deployment that never came to its turn. One that begins in
// this very moment is left: it owes its history.
func (r *Run) unqueue(ctx context.Context) error {
	const step = planner.DeployFinish
	what := fmt.Sprintf("deploy request #%d", r.facts.Request)
	if err := r.leads(); err != nil {
		return err
	}
	_, err := r.API.CancelDeploy(ctx, r.facts.Request)
	if err != nil && !planetscale.IsRefused(err) {
		return fail(step, "cancel "+what, err)
	}
	ended := &Error{Outcome: Failed, Step: step, What: what, Why: "still queued after " + r.deployTimeout().String(),
		Next: "see what stands before it in the queue, then run pmig apply again"}
	err = poll(ctx, 2*time.Minute, func(waited time.Duration) (bool, error) {
		q, err := r.look(ctx, step, waited)
		if err != nil {
			return false, err
		}
		ended.Over = q.DeploymentState.Info().Class == planetscale.ClassFailed || !q.DeploymentState.Info().Started
		if ended.Over {
			ended.Why += "; it was cancelled and nothing was deployed"
		}
		return ended.Over || err == nil && q.DeploymentState != planetscale.StateQueued && q.DeploymentState != planetscale.StateInProgressCancel, nil
	})
	var late *timeoutError
	if err != nil && !errors.As(err, &late) {
		return fail(step, "look at "+what, err)
	}
	if !ended.Over {
		ended.Why, ended.Next = "still not live after "+r.deployTimeout().String()+"; once it is live its history is owed", "run pmig apply again: it goes on waiting and then writes the history"
	}
	return ended
}

// deployFailed names how the deployment ended, and takes it out of the queue.
// What came through of it is recorded; if that is everything, it has not failed.
func (r *Run) deployFailed(ctx context.Context, q *planetscale.DeployRequest) error {
	if err := r.outOfQueue(ctx, q); err != nil {
		r.note(planner.DeployFinish, err.Error())
	}
	var why []string
	if q.Deployment != nil {
		for _, o := range q.Deployment.Operations {
			for _, e := range o.DeployErrors {
				why = append(why, o.TableName+": "+e)
			}
		}
	}
	e := &Error{Outcome: Failed, Over: true, Step: planner.DeployFinish, What: fmt.Sprintf("deploy request #%d ended as %s", q.Number, q.DeploymentState),
		Why: list(why), Next: "nothing was written to the history; see " + q.HTMLURL}
	if e.Why == "" {
		e.Why = q.DeploymentState.Info().Meaning
	}
	if !planner.HalfDone(q) {
		return e
	}
	recorded, rest, err := r.recordPart(ctx)
	switch {
	case err != nil:
		e.Over, e.Err, e.Next = false, err, "run pmig apply again: it records what came through of it"
	case recorded > 0 && len(rest) == 0:
		r.note(planner.DeployFinish, e.Error()+"; all of its changes are on "+r.facts.Plan.Target+" nevertheless")
		r.recorded = true
		return nil
	case recorded > 0:
		e.Next = fmt.Sprintf("%s of it came through and recorded; not live: %s; see %s", plural(recorded, "migration"), list(rest), q.HTMLURL)
	}
	return e
}
