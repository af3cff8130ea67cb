package planetscale

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// The values of DeployRequest.State. Which deployed ones are closed depends on
// DeploymentState. The list's filter takes RequestDeployed as well.
const (
	RequestOpen     = "open"
	RequestClosed   = "closed"
	RequestDeployed = "deployed"
)

// A DeployRequest asks to bring the schema of a branch to another one.
type DeployRequest struct {
	ID     string `json:"id"`
	Number int    `json:"number"`
	// State is RequestOpen or RequestClosed.
	State           string `json:"state"`
	DeploymentState State  `json:"deployment_state"`
	// Approved stays false where no approval is demanded.
	Approved bool `json:"approved"`
	// Branch is a name, which outlives the branch; BranchID is the branch.
	Branch        string `json:"branch"`
	BranchID      string `json:"branch_id"`
	BranchDeleted bool   `json:"branch_deleted"`
	IntoBranch    string `json:"into_branch"`
	Notes         string `json:"notes"`
	NumComments   int    `json:"num_comments"`
	HTMLURL       string `json:"html_url"`
	Actor         *Actor `json:"actor"`
	ClosedBy      *Actor `json:"closed_by"`
	// Deployment is nil in some answers to actions: read the request again.
	Deployment *Deployment `json:"deployment"`
	CreatedAt  *time.Time  `json:"created_at"`
	UpdatedAt  *time.Time  `json:"updated_at"`
	ClosedAt   *time.Time  `json:"closed_at"`
	DeployedAt *time.Time  `json:"deployed_at"`
}

// DeployRequestFilter narrows a list; "" is any. State is one of RequestOpen,
// RequestClosed and RequestDeployed. The branches are names.
type DeployRequestFilter struct {
	State, Branch, IntoBranch string
}

// NewDeployRequest says what to ask for. Both bools are always sent: without
// auto_cutover the platform takes the value of the request before.
type NewDeployRequest struct {
	Branch           string `json:"branch"`
	IntoBranch       string `json:"into_branch,omitempty"`
	Notes            string `json:"notes"`
	AutoCutover      bool   `json:"auto_cutover"`
	AutoDeleteBranch bool   `json:"auto_delete_branch"`
}

// DeployRequests lists the deploy requests that pass the filter, on all pages.
func (d *DB) DeployRequests(ctx context.Context, f DeployRequestFilter) ([]DeployRequest, error) {
	query := url.Values{}
	for name, value := range map[string]string{"state": f.State, "branch": f.Branch, "into_branch": f.IntoBranch} {
		if value != "" {
			query.Set(name, value)
		}
	}
	all, err := list(ctx, d.client, opListRequests, d.path("deploy-requests"), query, func(r *DeployRequest) string { return r.ID })
	for i := range all {
		all[i].settle()
	}
	return all, err
}

// DeployRequest returns the deploy request of that number.
func (d *DB) DeployRequest(ctx context.Context, number int) (*DeployRequest, error) {
	r, err := d.request(ctx, opGetRequest, number, nil)
	if err == nil && r.DeploymentState == "" && r.State == "" {
		return nil, unusable(opGetRequest, d.requestPath(number), "the answer has no state")
	}
	return r, err
}

// CreateDeployRequest opens a deploy request. After an answer that was lost
// one may have been opened: look before doing it again.
func (d *DB) CreateDeployRequest(ctx context.Context, n NewDeployRequest) (*DeployRequest, error) {
	r := new(DeployRequest)
	path := d.path("deploy-requests")
	if err := d.client.call(ctx, opCreateRequest, path, nil, n, r); err != nil {
		return nil, err
	}
	if r.Number <= 0 {
		return nil, unusable(opCreateRequest, path, "the new deploy request has no number")
	}
	d.client.remember(d.requestPath(r.Number))
	r.settle()
	return r, nil
}

// request makes a call on one deploy request. The answer to an action may be
// incomplete or empty; whoever asked knows the number at least.
func (d *DB) request(ctx context.Context, op operation, number int, in any, below ...string) (*DeployRequest, error) {
	r := new(DeployRequest)
	path := append(d.requestPath(number), below...)
	if err := d.client.call(ctx, op, path, nil, in, r); err != nil {
		return nil, err
	}
	if r.Number != 0 && r.Number != number {
		return nil, unusable(op, path, "the answer is about deploy request "+strconv.Itoa(r.Number))
	}
	r.Number = number
	r.settle()
	return r, nil
}

// requestPath gives a number that can't be one as an empty segment, which is
// refused before anything is sent.
func (d *DB) requestPath(number int) []string {
	if number <= 0 {
		return d.path("deploy-requests", "")
	}
	return d.path("deploy-requests", strconv.Itoa(number))
}

// settle fills in the state where only the deployment has it, or only the
// request.
func (r *DeployRequest) settle() {
	if r.Deployment == nil {
		return
	}
	if r.DeploymentState == "" {
		r.DeploymentState = r.Deployment.State
	}
	if r.Deployment.State == "" {
		r.Deployment.State = r.DeploymentState
	}
}
