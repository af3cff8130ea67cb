package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// writtenHistory is one history that a request wrote, as it is now.
type writtenHistory struct {
	stamp planner.StampHistory
	spec  migration.Spec
	now   *migration.History
	keys  map[string]bool // the request's migrations
	own   bool            // the request changed the history table itself
}

// written reads the histories that a stamp speaks of. The migration files need
// not be here.
func (r *Run) written(ctx context.Context, s *planner.Stamp) ([]writtenHistory, error) {
	db, err := r.target(ctx)
	if err != nil {
		return nil, err
	}
	var out []writtenHistory
	for _, h := range s.Histories {
		if len(h.Migrations) == 0 {
			continue
		}
		spec, err := r.spec(planner.Source{Name: h.Source, Tool: h.Tool, Keyspace: h.Keyspace, History: planner.History{Table: h.Table, Custom: h.Custom}})
		if err != nil {
			return nil, err
		}
		now, err := migration.Read(ctx, db, spec)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", h.Table, err)
		}
		w := writtenHistory{stamp: h, spec: spec, now: now, keys: map[string]bool{}}
		for key := range h.Migrations {
			w.keys[key] = true
		}
		for _, c := range s.Changes {
			w.own = w.own || c.Table == h.Table
		}
		out = append(out, w)
	}
	return out, nil
}

// holding reports whether a history has anything of the request.
func holding(hs []writtenHistory) bool {
	for _, h := range hs {
		st := migration.Compare(h.spec, nil, h.now)
		for key := range h.keys {
			if h.spec.Shape() == migration.Pointer && st.Pointer != "" && h.spec.Order(st.Pointer, key) >= 0 {
				return true
			}
		}
		if of, _ := migration.Split(h.spec, h.now, h.keys); h.spec.Shape() != migration.Pointer && len(of.Rows) > 0 {
			return true
		}
	}
	return false
}

// independent refuses a revert that would take the ground from under later
// migrations: rows that came after the request's, or since its run began.
func independent(q *planner.StampedRequest, hs []writtenHistory) error {
	for _, h := range hs {
		st := migration.Compare(h.spec, nil, h.now)
		first, last := "", ""
		for key := range h.keys {
			if first == "" || h.spec.Order(key, first) < 0 {
				first = key
			}
			if last == "" || h.spec.Order(key, last) > 0 {
				last = key
			}
		}
		var later []string
		if h.spec.Shape() == migration.Pointer {
			if st.Pointer != "" && h.spec.Order(st.Pointer, last) > 0 {
				later = append(later, st.Pointer)
			}
		} else if _, rest := migration.Split(h.spec, h.now, h.keys); h.own || rest.Digest() != h.stamp.Seeded {
			for _, key := range st.Orphans {
				if !h.keys[key] && h.spec.Order(key, first) > 0 {
					later = append(later, key)
				}
			}
			if len(later) == 0 && !h.own {
				later = append(later, "rows that somebody has written or changed since")
			}
		}
		if len(later) > 0 {
			return refuse("", fmt.Sprintf("deploy request #%d", q.Request.Number), fmt.Sprintf("%s holds what came after it and may depend on it: %s", h.stamp.Table, list(later)),
				"write a migration that takes it back; or revert it at "+q.Request.HTMLURL+" on your own judgment, and pmig revert then puts its history right")
		}
	}
	return nil
}

// takeOut takes out of the histories what the request wrote: here, and only
// here, a pointer goes back. A table that the revert has dropped with all its
// rows needs nothing.
func (r *Run) takeOut(ctx context.Context, number int, hs []writtenHistory) (rows int, err error) {
	db, err := r.target(ctx)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, h := range hs {
		back, err := h.inverse()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		res, err := migration.Swap(ctx, db, h.spec, nil, back, migration.SwapOptions{Back: true, Confirm: func(ctx context.Context) error {
			return r.confirmReverted(ctx, number)
		}})
		var missing *migration.MissingTableError
		if errors.As(err, &missing) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("source %q: %w", h.stamp.Source, err))
		}
		rows += res.Written
	}
	if err := errors.Join(errs...); err != nil {
		e := &Error{Outcome: Failed, What: fmt.Sprintf("deploy request #%d is reverted, but its history is not put right", number), Err: err}
		if guarded(err) {
			e.Outcome = Refused
		}
		return rows, e
	}
	return rows, nil
}

// inverse is what takes the request's rows out again. Where they were too long
// for the notes their keys are there.
func (h *writtenHistory) inverse() (migration.Delta, error) {
	if g := h.stamp.Gained; g != nil && g.Table != "" {
		return g.Inverse(), nil
	}
	if h.spec.Shape() == migration.Pointer {
		return migration.Delta{}, fmt.Errorf("the notes do not say where %s stood before: put it back with %s's own command", h.stamp.Table, h.stamp.Tool)
	}
	of, _ := migration.Split(h.spec, h.now, h.keys)
	return migration.Delta{Table: h.stamp.Table, Columns: h.now.Columns, Delete: of.Rows}, nil
}

// confirmReverted is asked inside the transaction, just before it commits.
func (r *Run) confirmReverted(ctx context.Context, number int) error {
	q, err := r.Urgent.DeployRequest(ctx, number)
	if err != nil {
		return err
	}
	if q.DeploymentState != planetscale.StateCompleteRevert {
		return refuse("", fmt.Sprintf("deploy request #%d", number), fmt.Sprintf("it is %s, not reverted", q.DeploymentState), "see it at "+q.HTMLURL)
	}
	return nil
}
