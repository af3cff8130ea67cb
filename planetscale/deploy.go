package planetscale

import (
	"context"
)

// The actions on a deploy request. Their answers show the request, but some
// leave the deployment out, and their effect may lag: read the request again.
// None is repeated by the client; after an answer that was lost, look.

type enable struct {
	Enable bool `json:"enable"`
}

// CloseDeployRequest closes a deploy request that has not begun to deploy.
func (d *DB) CloseDeployRequest(ctx context.Context, number int) (*DeployRequest, error) {
	return d.request(ctx, opCloseRequest, number, map[string]string{"state": RequestClosed})
}

// Deploy puts the request into the queue; instant asks for instant DDL. The
// error is of KindValidating if the platform is not done checking, though the
// request says ready: try again in some 15 s; of KindNeedsApproval if an
// approval is demanded and absent; of KindRefused if the request is deploying,
// was deployed or is closed.
func (d *DB) Deploy(ctx context.Context, number int, instant bool) (*DeployRequest, error) {
	return d.request(ctx, opDeploy, number, map[string]bool{"instant_ddl": instant}, "deploy")
}

// ApplyDeploy lets a deploy that waits in pending_cutover go on.
func (d *DB) ApplyDeploy(ctx context.Context, number int) (*DeployRequest, error) {
	return d.act(ctx, number, "apply-deploy")
}

// CompleteDeploy takes a deploy that failed while running out of the queue.
func (d *DB) CompleteDeploy(ctx context.Context, number int) (*DeployRequest, error) {
	return d.act(ctx, number, "complete-deploy")
}

// CancelDeploy ends a deploy that is queued or running.
func (d *DB) CancelDeploy(ctx context.Context, number int) (*DeployRequest, error) {
	return d.act(ctx, number, "cancel")
}

// RevertDeploy undoes a deploy in its revert window.
func (d *DB) RevertDeploy(ctx context.Context, number int) (*DeployRequest, error) {
	return d.act(ctx, number, "revert")
}

// SkipRevert closes the revert window.
func (d *DB) SkipRevert(ctx context.Context, number int) (*DeployRequest, error) {
	return d.act(ctx, number, "skip-revert")
}

// ForceCutover ends the queries that stand in the cutover's way.
func (d *DB) ForceCutover(ctx context.Context, number int) (*DeployRequest, error) {
	return d.act(ctx, number, "force-cutover")
}

// SetAutoApply says whether the deploy cuts over by itself once it is copied.
func (d *DB) SetAutoApply(ctx context.Context, number int, on bool) (*DeployRequest, error) {
	return d.request(ctx, opSwitchRequest, number, enable{on}, "auto-apply")
}

// SetAutoDeleteBranch says whether the platform deletes the branch after success.
func (d *DB) SetAutoDeleteBranch(ctx context.Context, number int, on bool) (*DeployRequest, error) {
	return d.request(ctx, opSwitchRequest, number, enable{on}, "auto-delete-branch")
}

func (d *DB) act(ctx context.Context, number int, action string) (*DeployRequest, error) {
	return d.request(ctx, opActOnRequest, number, struct{}{}, action)
}

// Operations lists the statements of the deploy request, which appear some
// seconds after it was opened.
func (d *DB) Operations(ctx context.Context, number int) ([]Operation, error) {
	return list(ctx, d.client, opListOperations, append(d.requestPath(number), "operations"), nil, func(o *Operation) string { return o.ID })
}

// DeployQueue lists the deployments that wait or run, in order.
func (d *DB) DeployQueue(ctx context.Context) ([]Deployment, error) {
	return list(ctx, d.client, opDeployQueue, d.path("deploy-queue"), nil, func(q *Deployment) string { return q.ID })
}

// Reviews lists the reviews of the deploy request.
func (d *DB) Reviews(ctx context.Context, number int) ([]Review, error) {
	return list(ctx, d.client, opListReviews, append(d.requestPath(number), "reviews"), nil, func(r *Review) string { return r.ID })
}

// AddReview reviews the deploy request; state is ReviewApproved or
// ReviewCommented. A service token can't approve a request of its own.
func (d *DB) AddReview(ctx context.Context, number int, state, body string) (*Review, error) {
	r := new(Review)
	err := d.client.call(ctx, opAddReview, append(d.requestPath(number), "reviews"), nil, map[string]string{"state": state, "body": body}, r)
	if err != nil {
		return nil, err
	}
	return r, nil
}
