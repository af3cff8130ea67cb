package emulator

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
)

// unknownState is what the fault "unknown-state" shows.
const unknownState planetscale.State = "in_progress_reticulating"

func (c *call) state(d *deployment) planetscale.State {
	if c.unknownState {
		return unknownState
	}
	return d.State
}

func (c *call) showDeployRequest(db *database, dr *deployRequest) object {
	state := planetscale.RequestOpen
	if dr.Closed {
		state = planetscale.RequestClosed
	}
	o := object{"id": dr.ID, "type": "DeployRequest", "number": dr.Number, "state": state, "deployment_state": c.state(&dr.Deployment),
		"approved": dr.Approved, "branch": dr.Branch, "branch_id": dr.BranchID, "branch_deleted": dr.BranchDeletedAt != nil,
		"branch_deleted_by": showActor(dr.BranchDeletedBy), "branch_deleted_at": atOrNull(dr.BranchDeletedAt),
		"into_branch": dr.Into, "into_branch_sharded": false, "into_branch_shard_count": 1, "into_branch_keyspace_count": 1,
		"actor": dr.Actor.show(), "closed_by": showActor(dr.ClosedBy), "num_comments": len(dr.Reviews), "notes": dr.Notes,
		"html_body": htmlBody(dr.Notes), "html_url": c.htmlURL(db) + "/deploy-requests/" + dr.subject()[1:], "strategy": dr.Deployment.strategy(),
		"created_at": at(dr.CreatedAt), "updated_at": at(dr.UpdatedAt), "closed_at": atOrNull(dr.ClosedAt), "deployed_at": atOrNull(dr.DeployedAt)}
	if !c.noDeployment || c.r.Method == "GET" {
		o["deployment"] = c.showDeployment(db, dr)
	}
	return o
}

func htmlBody(text string) string {
	if text == "" {
		return ""
	}
	return "<p>" + html.EscapeString(text) + "</p>"
}

func (c *call) showDeployment(db *database, dr *deployRequest) object {
	d := &dr.Deployment
	operations, summaries := []object{}, []object{}
	for _, op := range d.Operations {
		operations = append(operations, c.showOperation(db, dr, op))
		summaries = append(summaries, c.showSummary(db, dr, op))
	}
	lint := []object{}
	for _, f := range d.Lint {
		lint = append(lint, showLintError(db.Name, f))
	}
	preceding := []object{}
	for _, other := range db.preceding(dr) {
		preceding = append(preceding, c.showPreceding(other))
	}
	var schemaUpdated *time.Time
	if b := db.branchByID(dr.BranchID); b != nil {
		if schemaUpdated = b.SchemaUpdatedAt; schemaUpdated == nil {
			schemaUpdated = &b.CreatedAt
		}
	}
	paused := d.State == planetscale.StateQueued && c.e.hasFaultLocked(FaultQueuePaused, db.path())
	locked := ""
	if d.Blocked != nil && d.State == planetscale.StateInProgressCutover {
		locked = d.Blocked.Table
	}
	return object{"id": d.ID, "type": "Deployment", "state": c.state(d), "strategy": d.strategy(), "parallel_lane_blocked": db.laneTaken(dr),
		"deployable": d.deployable(), "deploy_request_number": dr.Number,
		"into_branch": dr.Into, "auto_cutover": d.AutoCutover, "auto_delete_branch": d.AutoDeleteBranch,
		"instant_ddl": d.Instant, "instant_ddl_eligible": d.InstantEligible,
		"queued_at": atOrNull(d.QueuedAt), "submitted_at": atOrNull(d.SubmittedAt), "started_at": atOrNull(d.StartedAt),
		"ready_to_cutover_at": atOrNull(d.ReadyToCutoverAt), "cutover_at": atOrNull(d.CutoverAt), "finished_at": atOrNull(d.FinishedAt),
		"cutover_expiring": c.e.expiringLocked(d), "force_cutover_requested_at": atOrNull(d.ForceCutoverAt), "deploy_check_errors": orNull(d.CheckErrors),
		"queue_paused": paused, "queue_pause_reason": pauseReason(paused), "table_locked": locked != "", "locked_table_name": orNull(locked),
		"preceding_deployments": preceding, "lint_errors": lint, "sequential_diff_dependencies": []object{}, "lookup_vindex_operations": []object{},
		"throttler_configurations": throttlers(db), "deployment_revert_request": c.showRevert(db, dr),
		"actor": showActor(d.Actor), "cutover_actor": showActor(d.CutoverActor), "cancelled_actor": showActor(d.CancelledActor),
		"schema_last_updated_at": atOrNull(schemaUpdated), "deploy_operations": operations, "deploy_operation_summaries": summaries,
		"created_at": at(d.CreatedAt), "updated_at": at(d.UpdatedAt)}
}

// droppedKey is a foreign key that a statement drops. The clauses of a change
// will not do: they have one word for all constraints.
var droppedKey = regexp.MustCompile("\\bDROP FOREIGN KEY `((?:[^`]|``)+)`")

// removedKeys names the foreign keys that an operation drops.
func removedKeys(op *operation) []string {
	names := []string{}
	for _, m := range droppedKey.FindAllStringSubmatch(op.Change.SQL, -1) {
		names = append(names, strings.ReplaceAll(m[1], "``", "`"))
	}
	return names
}

// throttlers is the ratio of each keyspace, or null while nothing is throttled.
func throttlers(db *database) any {
	if db.Settings.ThrottlerRatio == 0 {
		return nil
	}
	return object{db.Name: db.Settings.ThrottlerRatio}
}

// throttledAt is when an operation was throttled last: now, while it copies.
func (c *call) throttledAt(db *database, op *operation) any {
	if db.Settings.ThrottlerRatio == 0 || op.State != "in_progress" || op.Copied {
		return nil
	}
	return at(c.e.nowLocked())
}

func pauseReason(paused bool) any {
	if !paused {
		return nil
	}
	return "The deploy queue of this database is paused"
}

// deployable stays true while deploying and after, as on the platform.
func (d *deployment) deployable() bool {
	return d.State != planetscale.StatePending && (len(d.Operations) > 0 || d.Routing) && len(d.Lint) == 0 && d.CheckErrors == ""
}

func (c *call) showPreceding(dr *deployRequest) object {
	d := &dr.Deployment
	return object{"id": d.ID, "type": "Deployment", "state": d.State, "deploy_request_number": dr.Number, "into_branch": dr.Into,
		"actor": showActor(d.Actor), "created_at": at(d.CreatedAt), "updated_at": at(d.UpdatedAt), "queued_at": atOrNull(d.QueuedAt),
		"started_at": atOrNull(d.StartedAt), "finished_at": atOrNull(d.FinishedAt)}
}

// progress is how far an operation is: null until it runs.
func (c *call) progress(op *operation) (percent, eta any) {
	switch {
	case op.State == "complete" || op.Copied:
		return 100, 0
	case op.StartedAt == nil:
		return nil, nil
	}
	gone := c.e.nowLocked().Sub(*op.StartedAt)
	if gone >= op.Copy {
		return 100, 0
	}
	if op.State == "error" || op.State == "cancelled" {
		return int(100 * gone / op.Copy), nil
	}
	return int(100 * gone / op.Copy), int((op.Copy - gone + time.Second - 1) / time.Second)
}

func (c *call) operationErrors(op *operation) any {
	if !c.errorsAsList {
		return op.Error
	}
	if op.Error == "" {
		return []string{}
	}
	return []string{op.Error}
}

func (c *call) showOperation(db *database, dr *deployRequest, op *operation) object {
	percent, eta := c.progress(op)
	used := c.e.nowLocked()
	blocked := dr.Deployment.Blocked
	locked := blocked != nil && dr.Deployment.State == planetscale.StateInProgressCutover && blocked.Table == op.Change.Table
	return object{"id": op.ID, "type": "DeployOperation", "state": op.State, "keyspace_name": db.Name, "table_name": op.Change.Table,
		"operation_name": op.Change.Verb, "ddl_statement": op.Change.SQL, "syntax_highlighted_ddl": highlight(op.Change.SQL),
		"progress_percentage": percent, "eta_seconds": eta, "throttled_at": c.throttledAt(db, op), "can_drop_data": op.Change.DropsData, "table_locked": locked,
		"table_recently_used": op.Rows > 0, "table_recently_used_at": usedAt(op.Rows > 0, used), "removed_foreign_key_names": removedKeys(op),
		"deploy_errors": c.operationErrors(op), "deploy_error_docs_url": nil, "created_at": at(op.CreatedAt), "updated_at": at(op.UpdatedAt)}
}

func usedAt(used bool, t time.Time) any {
	if !used {
		return nil
	}
	return at(t)
}

func (c *call) showSummary(db *database, dr *deployRequest, op *operation) object {
	percent, eta := c.progress(op)
	if percent == nil {
		percent, eta = 0, 0
	}
	state := op.State
	if state == "queued" {
		state = "pending"
	}
	return object{"id": op.ID, "type": "DeployOperationSummary", "state": state, "keyspace_name": db.Name,
		"table_name": op.Change.Table, "operation_name": op.Change.Verb, "ddl_statement": op.Change.SQL,
		"syntax_highlighted_ddl": highlight(op.Change.SQL), "progress_percentage": percent, "eta_seconds": eta, "deploy_errors": c.operationErrors(op),
		"sharded": false, "shard_count": 1, "shard_names": []string{}, "can_drop_data": op.Change.DropsData, "throttled_at": c.throttledAt(db, op),
		"table_recently_used": op.Rows > 0, "table_recently_used_at": usedAt(op.Rows > 0, c.e.nowLocked()), "removed_foreign_key_names": removedKeys(op),
		"operations": []object{{"id": op.ID, "shard": "", "state": op.State, "progress_percentage": percent, "eta_seconds": eta}},
		"created_at": at(op.CreatedAt)}
}

func (c *call) showRevert(db *database, dr *deployRequest) any {
	r := dr.Deployment.Revert
	if r == nil {
		return nil
	}
	operations := []object{}
	for _, op := range r.Operations {
		o := c.showOperation(db, dr, op)
		o["type"] = "DeployRevertOperation"
		operations = append(operations, o)
	}
	return object{"id": r.ID, "type": "DeploymentRevert", "actor": showActor(r.Actor), "cancelled_at": nil, "finished_at": atOrNull(r.FinishedAt),
		"waiting_period_end_at": atOrNull(r.EndsAt), "deploy_revert_operations": operations, "created_at": at(r.CreatedAt)}
}

func showReview(r *review) object {
	return object{"id": r.ID, "type": "DeployRequestReview", "body": r.Body, "html_body": htmlBody(r.Body), "state": r.State,
		"actor": r.Actor.show(), "created_at": at(r.CreatedAt), "updated_at": at(r.CreatedAt)}
}

func jsonText(s string) string {
	b, _ := json.Marshal(s) // a string cannot fail
	return string(b)
}
