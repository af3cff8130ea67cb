package planner

import (
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// Owed finds the newest request of this identity that was deployed, or is being
// deployed, while the target's history lacks its migrations: history must
// follow before anything else is planned. A request whose changes are not on
// the target any more owes nothing: somebody has undone them since. One that
// failed while running owes what of it is wholly live, and its place in the
// queue.
func Owed(o *Observation) *StampedRequest {
	for i := range o.Requests {
		q := &o.Requests[i]
		info := q.Request.DeploymentState.Info()
		if HalfDone(&q.Request) {
			if o.owesPart(q) {
				return q
			}
			continue
		}
		if !info.Started || info.Class == planetscale.ClassFailed {
			continue
		}
		if !o.lacks(q.Stamp) || info.Live && o.undone(q.Stamp) {
			return nil
		}
		return q
	}
	return nil
}

// Reverted finds the newest deployed request of this identity if it was
// reverted and the target's history still has a migration of it, all of them or
// what a revert that was cut short has left.
func Reverted(o *Observation) *StampedRequest {
	for i := range o.Requests {
		q := &o.Requests[i]
		if !q.Request.DeploymentState.Info().Started {
			continue
		}
		switch q.Request.DeploymentState {
		case planetscale.StateCompleteRevert, planetscale.StateInProgressRevert, planetscale.StateInProgressRevertVSchema:
			if o.Holds(q.Stamp) {
				return q
			}
		}
		return nil
	}
	return nil
}

// undone reports whether a change of a stamp is not on the target.
func (o *Observation) undone(s *Stamp) bool {
	missing, err := schema.Missing(o.Schema, s.Changes)
	return err == nil && len(missing) > 0
}

// lacks reports whether the target's history misses a migration of a stamp.
func (o *Observation) lacks(s *Stamp) bool {
	for _, h := range s.Histories {
		for _, src := range o.Sources {
			if src.Spec.HistoryTable() == h.Table && src.Spec.Database == h.Keyspace && src.lacks(h) {
				return true
			}
		}
	}
	return false
}

// Holds reports whether the target's history has any migration of a stamp.
func (o *Observation) Holds(s *Stamp) bool {
	for _, h := range s.Histories {
		for _, src := range o.Sources {
			if src.Spec.HistoryTable() == h.Table && src.Spec.Database == h.Keyspace && src.holds(h) {
				return true
			}
		}
	}
	return false
}

func (s *ObservedSource) holds(h StampHistory) bool {
	has := s.recorded()
	for key := range h.Migrations {
		if s.Spec.Shape() == migration.Pointer {
			if s.Status.Pointer != "" && s.Spec.Order(s.Status.Pointer, key) >= 0 {
				return true
			}
		} else if has[key] {
			return true
		}
	}
	return false
}

// recorded are the keys that a log holds.
func (s *ObservedSource) recorded() map[string]bool {
	has := map[string]bool{}
	for _, f := range s.Status.Applied {
		has[f.Key] = true
	}
	for _, k := range s.Status.Orphans {
		has[k] = true
	}
	return has
}

func (s *ObservedSource) lacks(h StampHistory) bool {
	if s.Spec.Shape() == migration.Pointer {
		to := ""
		for key := range h.Migrations {
			if to == "" || s.Spec.Order(to, key) < 0 {
				to = key
			}
		}
		return to != "" && (s.Status.Pointer == "" || s.Spec.Order(s.Status.Pointer, to) < 0)
	}
	has := s.recorded()
	for key := range h.Migrations {
		if !has[key] {
			return true
		}
	}
	return false
}
