package planner

import (
	"slices"
	"strings"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// Touch is a migration and the tables that it defined; nil where that is not
// known.
type Touch struct {
	Key    string   `json:"key"`
	Tables []string `json:"tables"`
}

// Partly says how many migrations of each source are wholly live, in the order
// they ran, while some changes are missing: a deployment that failed can have
// changed some tables and not others. What comes after one that is not wholly
// live counts as not live either.
func Partly(sources [][]Touch, missing []schema.Change) []int {
	live := make([]int, len(sources))
	for i, touches := range sources {
		for _, t := range touches {
			if len(missing) > 0 && (t.Tables == nil || slices.ContainsFunc(missing, func(c schema.Change) bool {
				return slices.ContainsFunc(t.Tables, func(name string) bool { return strings.EqualFold(name, c.Table) })
			})) {
				return live
			}
			live[i]++
		}
	}
	return live
}

// HalfDone reports whether a deployment failed while it was running, also if it
// has been taken out of the queue since, after which it is said to be complete.
func HalfDone(q *planetscale.DeployRequest) bool {
	if q.DeploymentState == planetscale.StateCompleteError {
		return true
	}
	return q.Deployment != nil && slices.ContainsFunc(q.Deployment.Operations, func(o planetscale.Operation) bool {
		return o.State == "error" || len(o.DeployErrors) > 0
	})
}

// owesPart reports whether a failed deployment still stands in the queue, or
// brought migrations that the target's history lacks.
func (o *Observation) owesPart(q *StampedRequest) bool {
	if q.Request.DeploymentState == planetscale.StateCompleteError {
		return true
	}
	missing, err := schema.Missing(o.Schema, q.Stamp.Changes)
	if err != nil || q.Stamp.Changes == nil {
		return false
	}
	part := *q.Stamp
	part.Histories = nil
	for i, n := range Partly(q.Stamp.touches(), missing) {
		h := q.Stamp.Histories[i]
		live := map[string]string{}
		for _, t := range h.Touches[:n] {
			live[t.Key] = h.Migrations[t.Key]
		}
		h.Migrations = live
		part.Histories = append(part.Histories, h)
	}
	return o.lacks(&part)
}

// touches are those of each history.
func (s *Stamp) touches() [][]Touch {
	all := make([][]Touch, len(s.Histories))
	for i, h := range s.Histories {
		all[i] = h.Touches
	}
	return all
}
