package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// Gate is a deployment that waits for a person's cutover, for whoever is asked.
type Gate struct {
	Database string
	Request  int
	URL      string
	Since    time.Time // when it was ready to cut over; zero where the platform does not say
	Expiring bool      // the platform will soon give it up
	Changes  []string  // the statements that become live
}

// Cutover lets this configuration's deployment that waits for a person cut
// over, waits until it is live and writes the history: what a later Apply would
// do after a cutover by hand, and nothing more. confirm is asked first.
func (r *Run) Cutover(ctx context.Context, confirm func(Gate) error) (*Summary, error) {
	began := time.Now()
	r.summary = &Summary{Run: r.ID, Database: r.Label}
	defer r.release(ctx)
	unlock, err := r.lockHere(ctx, false)
	if err != nil {
		return r.summary, err
	}
	defer unlock()
	r.joined = map[int]bool{}
	if r.plan, r.seen, err = r.Planner.Plan(ctx); err != nil {
		return r.summary, err
	}
	q, err := r.gated()
	if err != nil {
		return r.summary, err
	}
	g := Gate{Database: r.plan.Label, Request: q.Request.Number, URL: q.Request.HTMLURL, Expiring: q.Request.Deployment.CutoverExpiring}
	if at := q.Request.Deployment.ReadyToCutoverAt; at != nil {
		g.Since = *at
	}
	for _, c := range q.Stamp.Changes {
		g.Changes = append(g.Changes, c.SQL)
	}
	if err := confirm(g); err != nil {
		return r.summary, err
	}
	f, err := r.load()
	if err != nil {
		return r.summary, err
	}
	if f == nil || f.Finished || f.Request != q.Request.Number {
		f = r.fromStamp(*q)
	}
	r.facts = f
	if err := r.cutOver(ctx, q.Request.Number); err != nil {
		return r.summary, err
	}
	for err = errWaited; errors.Is(err, errWaited) && ctx.Err() == nil; {
		err = r.resume(ctx, f)
	}
	if errors.Is(err, errLost) || errors.Is(err, errAgain) {
		err = &Error{Outcome: Failed, Step: r.step, What: "the cutover was asked for, and the run is not finished", Err: err, Next: "run pmig apply: it goes on from here"}
	}
	r.summary.Took = time.Since(began)
	if err != nil && ctx.Err() != nil && OutcomeOf(err) == Failed {
		err = &Error{Outcome: Interrupted, Step: r.step, What: "interrupted", Err: err, Next: "run pmig apply: it goes on from here"}
	}
	return r.summary, err
}

// gated finds the deployment that waits, or says why none does.
func (r *Run) gated() (*planner.StampedRequest, error) {
	for i := range r.seen.Requests {
		q := &r.seen.Requests[i]
		switch s := q.Request.DeploymentState; {
		case q.Request.WaitsForCutover():
			return q, nil
		case s.Info().Class == planetscale.ClassRunning:
			return nil, &Error{Outcome: Person, What: fmt.Sprintf("deploy request #%d", q.Request.Number), Why: fmt.Sprintf("it is %s, and does not wait for a cutover yet", s),
				Next: "run pmig cutover again when it is pending_cutover: " + q.Request.HTMLURL}
		}
	}
	return nil, refuse("", "nothing waits for a cutover", "no deploy request of this configuration is pending_cutover", "see pmig status")
}

// cutOver asks for the cutover and waits until the platform shows it.
func (r *Run) cutOver(ctx context.Context, number int) error {
	what := fmt.Sprintf("deploy request #%d", number)
	if _, err := r.API.ApplyDeploy(ctx, number); err != nil && !planetscale.IsLost(err) && !planetscale.IsRefused(err) {
		return fail(planner.DeployFinish, "cut over "+what, err)
	}
	err := poll(ctx, time.Minute, func(waited time.Duration) (bool, error) {
		q, err := r.look(ctx, planner.DeployFinish, waited)
		return err == nil && !q.WaitsForCutover(), err
	})
	var late *timeoutError
	if errors.As(err, &late) {
		return &Error{Outcome: Person, Step: planner.DeployFinish, What: what, Why: "the platform did not cut over", Next: "run pmig cutover again, or cut over at " + r.summary.URL}
	}
	return fail(planner.DeployFinish, "cut over "+what, err)
}
