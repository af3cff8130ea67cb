package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// onlyOurs compares the request's operations with the recorded changes, clause
// by clause: a surplus would deploy what no migration did.
func (r *Run) onlyOurs(ctx context.Context, q *planetscale.DeployRequest) error {
	missing, surplus, err := r.compared(ctx, q)
	switch {
	case err != nil:
		return err
	case len(surplus) > 0:
		return &Error{Outcome: Refused, Step: planner.DeployReview, What: fmt.Sprintf("deploy request #%d", q.Number), Over: true,
			Why:  "it would change what no migration changed: " + describe(surplus),
			Next: "the branch was made from an old schema, or somebody worked on it; apply again makes a new one"}
	case len(missing) > 0:
		return r.oldPicture(ctx, q, missing)
	}
	return nil
}

// compared says which recorded changes the request's operations lack, and which
// they have beyond them.
func (r *Run) compared(ctx context.Context, q *planetscale.DeployRequest) (missing, surplus []schema.Change, err error) {
	const step = planner.DeployReview
	var ops []planetscale.Operation
	if q.Deployment != nil {
		ops = q.Deployment.Operations
	}
	if len(ops) == 0 {
		if ops, err = r.API.Operations(ctx, q.Number); err != nil {
			return nil, nil, fail(step, "read the operations", err)
		}
	}
	var got []schema.Change
	for _, o := range ops {
		c, err := schema.ParseChange(o.TableName, o.OperationName, o.DDLStatement)
		if err != nil {
			return nil, nil, fail(step, "read operation on "+o.TableName, err)
		}
		got = append(got, c)
	}
	missing, surplus = schema.Compare(r.facts.Changes, got)
	return missing, surplus, nil
}

// missing says which recorded changes are not on the target.
func (r *Run) missing(ctx context.Context) ([]schema.Change, error) {
	db, err := r.target(ctx)
	if err != nil {
		return nil, fail(r.step, "connect to "+r.facts.Plan.Target, err)
	}
	now, err := schema.Read(ctx, db, r.facts.Plan.Name)
	if err != nil {
		return nil, fail(r.step, "read the schema of "+r.facts.Plan.Target, err)
	}
	return schema.Missing(now, r.facts.Changes)
}

// oldPicture deals with a request that lacks what the migrations did: the
// platform computes it from a snapshot of the branch, which can be old. It
// waits for a newer one, then asks for one and opens the request anew, and
// then refuses.
func (r *Run) oldPicture(ctx context.Context, q *planetscale.DeployRequest, missing []schema.Change) error {
	const step = planner.DeployReview
	err := poll(ctx, staleWait, func(waited time.Duration) (bool, error) {
		now, err := r.look(ctx, step, waited)
		if err != nil || now.State != planetscale.RequestOpen || now.DeploymentState.Info().Started {
			return true, err
		}
		switch now.DeploymentState.Info().Class {
		case planetscale.ClassReady:
			less, _, err := r.compared(ctx, now)
			return len(less) < len(missing), err
		case planetscale.ClassNoChanges:
			return false, nil
		}
		return true, nil
	})
	var late *timeoutError
	switch {
	case err == nil:
		return r.goBack()
	case !errors.As(err, &late):
		return err
	case r.reopened > 0 || q.Approved:
		return &Error{Outcome: Refused, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Over: !q.Approved,
			Why:  "it lacks what the migrations did: " + describe(missing),
			Next: "the platform's picture of the branch is old; wait some minutes, then run pmig apply again"}
	}
	r.reopened++
	r.note(step, fmt.Sprintf("deploy request #%d lacks what the migrations did: it is opened again from a newer picture of the branch", q.Number))
	if err := r.API.RefreshSchema(ctx, r.facts.Branch); err != nil {
		r.note(step, "the platform was asked in vain to look at the branch again: "+err.Error())
	}
	return r.reopen(ctx, q)
}

// reopen closes the request and sends the walk back to open another one.
func (r *Run) reopen(ctx context.Context, q *planetscale.DeployRequest) error {
	const step = planner.DeployReview
	if err := r.leads(); err != nil {
		return err
	}
	if _, err := r.API.CloseDeployRequest(ctx, q.Number); err != nil && !planetscale.IsRefused(err) {
		return fail(step, fmt.Sprintf("close deploy request #%d", q.Number), err)
	}
	now, err := r.look(ctx, step, 0)
	if err != nil {
		return err
	}
	if now.State == planetscale.RequestOpen {
		return r.goBack() // somebody has deployed it in this very moment
	}
	r.facts.Request, r.facts.States = 0, nil
	if err := r.record(step, "closed", fmt.Sprintf("#%d", q.Number)); err != nil {
		return err
	}
	return &backError{planner.DeployOpen}
}
