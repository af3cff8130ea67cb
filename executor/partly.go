package executor

import (
	"context"
	"fmt"
	"slices"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// noteTouched writes down which tables each migration of a source defined, as
// far as the gateway could tell: where it saw another number of migrations than
// there were, it cannot be told which is which.
func (r *Run) noteTouched(src planner.Source, seen [][]string) {
	touches := make([]planner.Touch, len(src.Pending))
	for i, m := range src.Pending {
		touches[i].Key = m.Key
		if len(seen) == len(src.Pending) {
			touches[i].Tables = seen[i]
		}
	}
	r.facts.Touches = append(r.facts.Touches, touches)
}

// recordPart writes the history of those migrations of a failed deployment that
// are wholly on the target, in order, up to the first that is not. It returns
// how many there were, and the others.
func (r *Run) recordPart(ctx context.Context) (recorded int, rest []string, err error) {
	const step = planner.HistoryWrite
	live := make([]int, len(r.facts.Plan.Sources))
	if r.facts.Changes != nil {
		missing, err := r.missing(ctx)
		if err != nil {
			return 0, nil, err
		}
		copy(live, planner.Partly(r.facts.Touches, missing))
	}
	for i, src := range r.facts.Plan.Sources {
		pending := src.Pending
		if i < len(r.facts.Touches) {
			pending = inOrder(pending, r.facts.Touches[i])
		}
		n, err := r.recordFirst(ctx, i, src, pending[:live[i]])
		if err != nil {
			return recorded, nil, fail(step, fmt.Sprintf("source %q: write history", src.Name), err)
		}
		recorded += n
		for _, m := range pending[n:] {
			rest = append(rest, nameOf(m))
		}
	}
	return recorded, rest, nil
}

// recordFirst writes the history rows of a source's first migrations. Where the
// tool's history cannot be cut into migrations it writes none.
func (r *Run) recordFirst(ctx context.Context, i int, src planner.Source, live []planner.Migration) (int, error) {
	if len(live) == 0 || r.facts.Gained[i].Table == "" {
		return 0, nil
	}
	spec, err := r.spec(src)
	if err != nil {
		return 0, err
	}
	delta := r.facts.Gained[i]
	if len(live) < len(src.Pending) {
		var keys []string
		for _, m := range live {
			keys = append(keys, m.Key)
		}
		var ok bool
		if delta, ok = delta.Only(spec, keys); !ok {
			return 0, nil
		}
	}
	if err := r.leads(); err != nil {
		return 0, err
	}
	db, err := r.target(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := migration.Swap(ctx, db, spec, r.facts.Bases[i], delta, migration.SwapOptions{Confirm: r.confirmPart}); err != nil {
		return 0, err
	}
	for _, m := range live {
		r.summary.Applied = append(r.summary.Applied, Applied{src.Name, m.Key, m.File})
	}
	return len(live), nil
}

// confirmPart is asked just before the history of a failed deployment commits.
func (r *Run) confirmPart(ctx context.Context) error {
	q, err := r.Urgent.DeployRequest(ctx, r.facts.Request)
	if err != nil {
		return err
	}
	if q.DeploymentState != planetscale.StateCompleteError && !q.DeploymentState.Live() {
		return refuse(planner.HistoryWrite, fmt.Sprintf("deploy request #%d", q.Number), fmt.Sprintf("it is %s by now", q.DeploymentState),
			"run pmig apply again")
	}
	return nil
}

// inOrder gives migrations in the order they ran.
func inOrder(pending []planner.Migration, touches []planner.Touch) []planner.Migration {
	place := func(m planner.Migration) int {
		return slices.IndexFunc(touches, func(t planner.Touch) bool { return t.Key == m.Key })
	}
	out := slices.Clone(pending)
	slices.SortStableFunc(out, func(a, b planner.Migration) int { return place(a) - place(b) })
	return out
}

// nameOf is what a person knows a migration by.
func nameOf(m planner.Migration) string {
	if m.File != "" {
		return m.File
	}
	return m.Key
}
