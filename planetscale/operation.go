package planetscale

import "net/http"

// An operation is one kind of call: what it is about, and the permission of a
// service token that it needs. A missing permission shows as 404, so this
// table is the only way to name it. Source: the authorization notes of
// PlanetScale's API description and its list of service token permissions.
type operation struct {
	method     string
	subject    string
	permission string
	creates    bool // answers 201
	named      bool // a 409 means that the name is taken
	refusals   []refusal
}

// read reports whether the call changes nothing, and so may be repeated.
func (o operation) read() bool { return o.method == http.MethodGet }

// success is the status that a call which went well answers with.
func (o operation) success() int {
	if o.creates {
		return http.StatusCreated
	}
	return http.StatusOK
}

const (
	seeBranch   = "read_branch"
	workRequest = "create_deploy_request"
	seeRequest  = "read_deploy_request"
	connect     = "connect_branch (connect_production_branch for a production branch)"
)

var (
	opListOrganizations = operation{method: http.MethodGet, subject: "organization"}
	opGetOrganization   = operation{method: http.MethodGet, subject: "organization", permission: "read_organization"}
	opListDatabases     = operation{method: http.MethodGet, subject: "organization", permission: "read_database"}
	opGetDatabase       = operation{method: http.MethodGet, subject: "database", permission: "read_database"}

	opListBranches  = operation{method: http.MethodGet, subject: "database", permission: seeBranch}
	opGetBranch     = operation{method: http.MethodGet, subject: "branch", permission: seeBranch}
	opCreateBranch  = operation{method: http.MethodPost, subject: "database or the parent branch", permission: "create_branch", creates: true, named: true, refusals: createBranchRefusals}
	opDeleteBranch  = operation{method: http.MethodDelete, subject: "branch", permission: "delete_branch", refusals: deleteBranchRefusals}
	opListKeyspaces = operation{method: http.MethodGet, subject: "branch", permission: seeBranch}
	opBranchSchema  = operation{method: http.MethodGet, subject: "branch", permission: seeBranch}
	opBranchLint    = operation{method: http.MethodGet, subject: "branch", permission: seeBranch}
	// Not in the API description; the permissions are an assumption.
	opRefreshSchema     = operation{method: http.MethodPost, subject: "branch", permission: seeBranch}
	opSafeMigrationsOn  = operation{method: http.MethodPost, subject: "branch", permission: "write_database", refusals: safeMigrationsRefusals}
	opSafeMigrationsOff = operation{method: http.MethodDelete, subject: "branch", permission: "write_database"}

	opListPasswords  = operation{method: http.MethodGet, subject: "branch", permission: seeBranch}
	opCreatePassword = operation{method: http.MethodPost, subject: "branch", permission: connect, creates: true, refusals: createPasswordRefusals}
	opRenewPassword  = operation{method: http.MethodPost, subject: "password", permission: connect}
	opDeletePassword = operation{method: http.MethodDelete, subject: "password", permission: "delete_branch_password (delete_production_branch_password for a production branch)"}

	opListRequests   = operation{method: http.MethodGet, subject: "database", permission: seeRequest}
	opGetRequest     = operation{method: http.MethodGet, subject: "deploy request", permission: seeRequest}
	opCreateRequest  = operation{method: http.MethodPost, subject: "database or one of the branches", permission: workRequest, creates: true, refusals: createRequestRefusals}
	opCloseRequest   = operation{method: http.MethodPatch, subject: "deploy request", permission: workRequest}
	opDeploy         = operation{method: http.MethodPost, subject: "deploy request", permission: workRequest, refusals: deployRefusals}
	opActOnRequest   = operation{method: http.MethodPost, subject: "deploy request", permission: workRequest}
	opSwitchRequest  = operation{method: http.MethodPut, subject: "deploy request", permission: workRequest}
	opListOperations = operation{method: http.MethodGet, subject: "deploy request", permission: seeRequest}
	opDeployQueue    = operation{method: http.MethodGet, subject: "database", permission: seeRequest}
	opListReviews    = operation{method: http.MethodGet, subject: "deploy request", permission: seeRequest}
	opAddReview      = operation{method: http.MethodPost, subject: "deploy request", permission: "approve_deploy_request or review_deploy_request", creates: true}
)
