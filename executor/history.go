package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// writeHistory brings the rows that the branch's history gained to the target,
// once the schema has been seen there.
func (r *Run) writeHistory(ctx context.Context) (string, error) {
	const step = planner.HistoryWrite
	if err := r.leads(); err != nil {
		return "", err
	}
	if r.recorded {
		return "done already", nil
	}
	if err := r.seenLive(ctx); err != nil {
		return "", err
	}
	db, err := r.target(ctx)
	if err != nil {
		return "", fail(step, "connect to "+r.facts.Plan.Target, err)
	}
	written, there := 0, 0
	var errs []error
	for i, src := range r.facts.Plan.Sources {
		if len(src.Pending) == 0 {
			continue
		}
		spec, err := r.spec(src)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		delta := r.facts.Gained[i]
		if delta.Table == "" {
			errs = append(errs, fmt.Errorf("the rows of %s are in no notes and no journal; record them with the tool's own mark command", src.History.Table))
			continue
		}
		res, err := migration.Swap(ctx, db, spec, r.facts.Bases[i], delta, migration.SwapOptions{Confirm: r.confirmLive})
		if err != nil {
			errs = append(errs, fmt.Errorf("source %q: %w", src.Name, err))
			continue
		}
		written += res.Written
		there += res.AlreadyThere
		for _, m := range src.Pending {
			r.summary.Applied = append(r.summary.Applied, Applied{src.Name, m.Key, m.File})
		}
	}
	for _, c := range r.facts.Changes {
		r.summary.Changes = append(r.summary.Changes, c.SQL)
	}
	r.summary.Data = r.facts.Data
	if err := errors.Join(errs...); err != nil {
		if guarded(err) {
			return "", &Error{Outcome: Refused, Step: step, What: "write history", Err: err}
		}
		return "", fail(step, "write history", err)
	}
	note := plural(written, "row") + " written"
	if there > 0 {
		note += fmt.Sprintf(", %d there already", there)
	}
	return note, nil
}

// guarded reports whether an error is the history's own refusal: writing would
// have changed what this run does not know.
func guarded(err error) bool {
	var (
		drift     *migration.DriftError
		dirty     *migration.DirtyError
		backward  *migration.BackwardError
		isolation *migration.IsolationError
		shape     *migration.ShapeError
	)
	return errors.As(err, &drift) || errors.As(err, &dirty) || errors.As(err, &backward) || errors.As(err, &isolation) || errors.As(err, &shape)
}

// confirmLive is asked inside the history transaction, just before it commits.
func (r *Run) confirmLive(ctx context.Context) error {
	if r.facts.Request == 0 || r.without.confirm {
		return nil // there was no schema to deploy
	}
	q, err := r.Urgent.DeployRequest(ctx, r.facts.Request)
	if err != nil {
		return err
	}
	r.saw(q.DeploymentState)
	info := q.DeploymentState.Info()
	if !info.Live && info.Class != planetscale.ClassNoChanges {
		return refuse(planner.HistoryWrite, fmt.Sprintf("deploy request #%d", q.Number), fmt.Sprintf("it is %s: its schema is not live", q.DeploymentState),
			"see what happened to it at "+q.HTMLURL)
	}
	return nil
}

// liveWait is how long the target may take to show what has been deployed.
const liveWait = 2 * time.Minute

// seenLive reads the target over MySQL and wants every recorded change to be
// there. What others have done to the same tables since does not matter.
func (r *Run) seenLive(ctx context.Context) error {
	const step = planner.HistoryWrite
	if r.onlyHistory() || r.without.seen {
		return nil
	}
	if r.facts.Changes == nil {
		return refuse(step, r.facts.Plan.Target, "what the deployment changed stands in no notes and no journal, so it cannot be seen that it is live",
			"look at the schema, and record the migrations with the tool's own mark command")
	}
	var missing []schema.Change
	err := poll(ctx, liveWait, func(waited time.Duration) (bool, error) {
		db, err := r.target(ctx)
		if err != nil {
			return false, err
		}
		now, err := schema.Read(ctx, db, r.facts.Plan.Name)
		if err != nil {
			return false, err
		}
		if missing, err = schema.Missing(now, r.facts.Changes); err != nil {
			return false, err
		}
		if len(missing) > 0 {
			r.send(Event{Type: Progress, Step: step, Message: r.facts.Plan.Target + " does not show the changes yet", Waited: waited})
		}
		return len(missing) == 0, nil
	})
	var late *timeoutError
	if errors.As(err, &late) {
		return refuse(step, r.facts.Plan.Target, "the deploy request is done, but its changes are not there: "+describe(missing),
			"compare them by hand; no history was written, and pmig apply tries again")
	}
	return fail(step, "read the schema of "+r.facts.Plan.Target, err)
}

// spec finds where a source's history lives. A source that is no longer in the
// configuration is known by its tool and table.
func (r *Run) spec(src planner.Source) (migration.Spec, error) {
	for _, s := range r.seen.Sources {
		if s.Spec.HistoryTable() == src.History.Table && s.Spec.Database == src.Keyspace {
			return s.Spec, nil
		}
	}
	tool, ok := migration.Lookup(src.Tool)
	if !ok {
		return migration.Spec{}, fmt.Errorf("source %q: this pmig does not know the tool %q", src.Name, src.Tool)
	}
	return migration.Spec{Tool: tool, Database: src.Keyspace, Table: src.History.Table, Custom: src.History.Custom}, nil
}
