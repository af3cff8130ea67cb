package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// Undo is what a Revert takes back, for whoever is asked whether it shall, and
// afterwards what it has taken back.
type Undo struct {
	Database string
	Request  int
	URL      string
	State    planetscale.State // of the request when it was looked at
	Until    time.Time         // end of the revert window; zero where the platform does not say
	Changes  []string          // the statements that were deployed
	Keys     []string          // migrations that are pending again afterwards
	Tables   []string          // of their histories
	Rows     int               // taken out of the histories or changed back; after the Revert
	Done     bool              // there was nothing left to take back
}

// Schema reports whether the schema has still to be reverted, and not only the
// history.
func (u *Undo) Schema() bool { return u.State == planetscale.StateCompletePendingRevert }

// Revert takes a deployment back while its revert window is open: the schema by
// the platform, and then exactly the history rows that the request's notes say
// it wrote. Without a number it is the newest deployment of this configuration.
// One that was reverted without pmig gets its history put right. It works from
// the notes alone, and can be run again at any point. confirm is asked before
// the first act.
func (r *Run) Revert(ctx context.Context, number int, confirm func(Undo) error) (*Undo, error) {
	r.summary = &Summary{Run: r.ID, Database: r.Label}
	defer r.release(ctx)
	unlock, err := r.lockHere(ctx, false)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r.plan, r.seen, err = r.Planner.Plan(ctx); err != nil {
		return nil, err
	}
	q, err := r.revertible(number)
	if err != nil {
		return nil, err
	}
	hs, err := r.written(ctx, q.Stamp)
	if err != nil {
		return nil, err
	}
	u := r.undo(q, hs)
	if q.Request.DeploymentState == planetscale.StateCompleteRevert && !holding(hs) {
		u.Done = true
		r.sweep(ctx)
		return u, nil
	}
	if err := independent(q, hs); u.Schema() && err != nil {
		return nil, err
	}
	if err := confirm(*u); err != nil {
		return nil, err
	}
	if u.Schema() { // a person may have thought for long
		if hs, err = r.written(ctx, q.Stamp); err == nil {
			err = independent(q, hs)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.revertSchema(ctx, q.Request.Number); err != nil {
		return nil, err
	}
	if u.Rows, err = r.takeOut(ctx, q.Request.Number, hs); err != nil {
		return nil, err
	}
	r.sweep(ctx)
	return u, nil
}

// revertible finds the request to revert, and says why it cannot be: the one
// with the number, or the newest whose window is open or which is on its way
// back, or the newest that was deployed.
func (r *Run) revertible(number int) (*planner.StampedRequest, error) {
	i := slices.IndexFunc(r.seen.Requests, func(q planner.StampedRequest) bool {
		if number != 0 {
			return q.Request.Number == number
		}
		switch q.Request.DeploymentState {
		case planetscale.StateCompletePendingRevert, planetscale.StateInProgressRevert, planetscale.StateInProgressRevertVSchema:
			return true
		}
		return false
	})
	if i < 0 && number == 0 {
		i = slices.IndexFunc(r.seen.Requests, func(q planner.StampedRequest) bool { return q.Request.DeploymentState.Info().Started })
	}
	switch {
	case i < 0 && number == 0:
		return nil, refuse("", "nothing to revert", "no deploy request of this configuration was ever deployed", "")
	case i < 0:
		return nil, refuse("", fmt.Sprintf("deploy request #%d", number), "it is not one of this configuration's", "pmig status shows which are")
	}
	q := &r.seen.Requests[i]
	for _, newer := range r.seen.Requests[:i] {
		if info := newer.Request.DeploymentState.Info(); info.Started && info.Class != planetscale.ClassFailed {
			return nil, refuse("", fmt.Sprintf("deploy request #%d", q.Request.Number), fmt.Sprintf("#%d came after it and is %s", newer.Request.Number, newer.Request.DeploymentState),
				"take that one back first, or write a migration that takes this one back")
		}
	}
	what := fmt.Sprintf("deploy request #%d", q.Request.Number)
	switch s := q.Request.DeploymentState; s {
	case planetscale.StateCompletePendingRevert, planetscale.StateInProgressRevert, planetscale.StateInProgressRevertVSchema, planetscale.StateCompleteRevert:
		return q, nil
	case planetscale.StateComplete:
		return nil, refuse("", what, "its revert window is closed", "write a migration that takes it back")
	case planetscale.StateCompleteRevertError:
		return nil, revertFailed(&q.Request)
	default:
		next := "there is nothing to take back"
		if s.Info().Class == planetscale.ClassRunning {
			next = "cancel it at " + q.Request.HTMLURL + ", or wait until it is live"
		}
		return nil, refuse("", what, fmt.Sprintf("it is %s: %s", s, s.Info().Meaning), next)
	}
}

func revertFailed(q *planetscale.DeployRequest) error {
	return &Error{Outcome: Failed, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "the platform could not revert it; no history was touched",
		Next: "see why at " + q.HTMLURL + "; until that is settled it blocks every other deployment"}
}

func (r *Run) undo(q *planner.StampedRequest, hs []writtenHistory) *Undo {
	u := &Undo{Database: r.plan.Label, Request: q.Request.Number, URL: q.Request.HTMLURL, State: q.Request.DeploymentState}
	u.Until, _ = q.Request.RevertUntil()
	for _, c := range q.Stamp.Changes {
		u.Changes = append(u.Changes, c.SQL)
	}
	for _, h := range hs {
		u.Tables = append(u.Tables, h.stamp.Table)
		u.Keys = append(u.Keys, slices.SortedFunc(maps.Keys(h.keys), h.spec.Order)...)
	}
	return u
}

// outage is how long a revert that was asked for is waited for without a sign
// of the platform. The window does not stay open for ever.
const outage = 5 * time.Minute

// revertSchema asks for the revert, where that has not been done, and waits
// until the platform says that it is complete.
func (r *Run) revertSchema(ctx context.Context, number int) error {
	what := fmt.Sprintf("deploy request #%d", number)
	asked, seen := 0, time.Now()
	err := poll(ctx, duration(r.plan.Deploy.DeployTimeout), func(waited time.Duration) (bool, error) {
		q, err := r.API.DeployRequest(ctx, number)
		if err != nil {
			if passing(err) && asked > 0 && time.Since(seen) < outage {
				return false, nil
			}
			return false, err
		}
		seen = time.Now()
		r.send(Event{Type: Progress, Message: what, State: string(q.DeploymentState), Waited: waited, Request: number, URL: q.HTMLURL})
		switch s := q.DeploymentState; {
		case s == planetscale.StateCompleteRevert:
			return true, nil
		case s == planetscale.StateCompleteRevertError:
			return false, revertFailed(q)
		case s == planetscale.StateComplete:
			return false, refuse("", what, "its revert window has closed meanwhile", "write a migration that takes it back")
		case s == planetscale.StateCompletePendingRevert && asked < 3:
			// Asked again only where the answer was lost: a read may lag behind.
			_, err := r.API.RevertDeploy(ctx, number)
			if asked++; err == nil || planetscale.IsRefused(err) {
				asked = 3
			} else if !planetscale.IsLost(err) && !passing(err) {
				return false, err
			}
			if planetscale.IsRefused(err) {
				return false, r.stillOpen(ctx, number, err)
			}
		}
		return false, nil
	})
	var late *timeoutError
	if errors.As(err, &late) {
		return &Error{Outcome: Failed, What: what, Why: "it is not reverted after " + r.plan.Deploy.DeployTimeout, Next: "run pmig revert again: it goes on waiting and then puts the history right"}
	}
	if ctx.Err() != nil {
		return &Error{Outcome: Interrupted, What: "interrupted", Err: err, Next: "run pmig revert again: it goes on from here"}
	}
	return fail("", "revert "+what, err)
}

// stillOpen tells a refusal of the platform from one of a revert that runs
// already.
func (r *Run) stillOpen(ctx context.Context, number int, refusal error) error {
	q, err := r.API.DeployRequest(ctx, number)
	if err != nil || q.DeploymentState != planetscale.StateCompletePendingRevert {
		return err
	}
	return &Error{Outcome: Refused, What: fmt.Sprintf("deploy request #%d", number), Why: "the platform does not revert it", Err: refusal,
		Next: "see it at " + q.HTMLURL}
}
