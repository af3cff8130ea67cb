package emulator

import (
	"slices"

	"github.com/pmig/pmig/schema"
)

// queueLocked is the deployments into a branch that hold or await one of its
// two lanes, in order.
func (db *database) queueLocked(intoID string, parallel bool) []*deployRequest {
	var q []*deployRequest
	for _, dr := range db.DeployRequests {
		if dr.IntoID == intoID && dr.Deployment.Parallel == parallel && dr.deploying() {
			q = append(q, dr)
		}
	}
	slices.SortFunc(q, func(a, b *deployRequest) int { return a.Deployment.Order - b.Deployment.Order })
	return q
}

// deploying says whether a request holds or awaits a lane.
func (dr *deployRequest) deploying() bool {
	return !dr.Closed && dr.Deployment.State.Info().BlocksQueue
}

func (d *deployment) strategy() string {
	if d.Parallel {
		return "parallel"
	}
	return "serial"
}

// laneTaken says whether a request that could still be deployed finds the
// parallel lane taken.
func (db *database) laneTaken(dr *deployRequest) bool {
	d := &dr.Deployment
	return !dr.Closed && d.QueuedAt == nil && d.FinishedAt == nil && len(db.queueLocked(dr.IntoID, true)) > 0
}

// preceding is the part of its lane ahead of a request.
func (db *database) preceding(dr *deployRequest) []*deployRequest {
	q := db.queueLocked(dr.IntoID, dr.Deployment.Parallel)
	for i, other := range q {
		if other == dr {
			return q[:i]
		}
	}
	return nil
}

// mayEnter refuses a lane to a request: beside the serial lane there is room for
// one parallel deployment, which shares no table with any other.
func (db *database) mayEnter(dr *deployRequest, parallel bool) error {
	for _, other := range db.DeployRequests {
		if other == dr || other.IntoID != dr.IntoID || !other.deploying() {
			continue
		}
		switch {
		case parallel && other.Deployment.Parallel:
			return unprocessable("Another parallel deployment into this branch is in progress")
		case parallel == other.Deployment.Parallel: // both serial: one after the other
			continue
		case dr.Deployment.shares(&other.Deployment):
			return unprocessable("This deploy request cannot be deployed in parallel: deploy request " + other.subject() + " changes the same tables")
		}
	}
	return nil
}

// shares says whether two deployments change the same table, or both change
// what is beside the tables.
func (d *deployment) shares(other *deployment) bool {
	return d.Routing && other.Routing || slices.ContainsFunc(d.Operations, func(op *operation) bool { return slices.Contains(other.tables(), op.Change.Table) })
}

func (d *deployment) tables() []string {
	var all []string
	for _, op := range d.Operations {
		all = append(all, op.Change.Table)
	}
	return all
}

// mine is a target as it is, but for a deployment's own tables, which are as in
// wanted: the other lane's changes are not this deployment's to undo.
func (d *deployment) mine(now, wanted *schema.Schema) *schema.Schema {
	return exchanged(now, wanted, d.tables())
}
