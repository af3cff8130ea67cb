package emulator

import "net/http"

// Permissions, in the platform's words. A missing one shows as 404.
var (
	readDatabase  = []string{"read_database", "write_database", "delete_database", "read_branch", "create_branch", "connect_branch", "connect_production_branch", "read_deploy_request", "create_deploy_request"}
	writeDatabase = []string{"write_database"}

	createDatabases = []string{"create_databases"}
	readBranch      = []string{"read_branch", "create_branch", "delete_branch", "connect_branch", "connect_production_branch", "connect_production_read_only_branch"}
	anyConnect      = []string{"connect_branch", "connect_production_branch", "connect_production_read_only_branch"}
	anyDelete       = []string{"delete_branch_password", "delete_production_branch_password", "delete_production_read_only_branch_password"}
	readRequest     = []string{"read_deploy_request"}
	createRequest   = []string{"create_deploy_request"}
	writeVSchema    = []string{"write_branch_vschema", "write_production_branch_vschema"}
	reviewRequest   = []string{"approve_deploy_request", "review_deploy_request"}
)

// permissions is every permission of a service token on databases and
// organizations.
var permissions = []string{"read_database", "write_database", "delete_database", "read_branch", "create_branch", "delete_branch",
	"delete_production_branch", "promote_branches", "demote_branches", "connect_branch", "connect_production_branch",
	"connect_production_read_only_branch", "delete_branch_password", "delete_production_branch_password",
	"delete_production_read_only_branch_password", "read_deploy_request", "create_deploy_request", "approve_deploy_request",
	"review_deploy_request", "read_comment", "create_comment", "read_backups", "write_backups", "delete_backups",
	"delete_production_branch_backups", "restore_backup", "restore_production_branch_backup", "write_branch_vschema",
	"write_production_branch_vschema", "read_organization", "read_databases", "create_databases", "read_service_tokens"}

const (
	pathO = "/v1/organizations/{org}"
	pathD = pathO + "/databases/{db}"
	pathB = pathD + "/branches/{branch}"
	pathR = pathD + "/deploy-requests/{number}"
)

// endpoints is every path of the API that the emulator serves. Permissions
// that depend on the branch (production or not, the role) are looked at by the
// handler.
func endpoints() []endpoint {
	return []endpoint{
		{"GET", "/v1/organizations", nil, listOrganizations},
		{"GET", "/v1/regions", nil, listRegions},
		{"GET", pathO, []string{"read_organization"}, getOrganization},
		{"GET", pathO + "/regions", nil, listRegions},
		{"GET", pathO + "/cluster-size-skus", []string{"read_organization"}, listSizes},
		{"GET", pathO + "/databases", nil, listDatabases},
		{"POST", pathO + "/databases", createDatabases, postDatabase},
		{"GET", pathD, readDatabase, getDatabase},
		{"PATCH", pathD, writeDatabase, patchDatabase},
		{"DELETE", pathD, []string{"delete_database"}, deleteDatabase},
		{"GET", pathD + "/regions", readDatabase, listRegions},
		{"GET", pathD + "/read-only-regions", readDatabase, listReadOnlyRegions},
		{"GET", pathD + "/throttler", append(readRequest, "create_deploy_request"), getThrottler},
		{"PATCH", pathD + "/throttler", writeDatabase, patchThrottler},
		{"GET", pathD + "/deploy-queue", readRequest, getDeployQueue},
		{"GET", pathD + "/passwords", readBranch, listAllPasswords},

		{"GET", pathD + "/branches", readBranch, listBranches},
		{"POST", pathD + "/branches", []string{"create_branch"}, postBranch},
		{"GET", pathB, readBranch, getBranch},
		{"PATCH", pathB, writeDatabase, patchBranch},
		{"DELETE", pathB, []string{"delete_branch", "delete_production_branch"}, deleteBranch},
		{"POST", pathB + "/promote", []string{"connect_production_branch", "promote_branches"}, promoteBranch},
		{"POST", pathB + "/demote", []string{"connect_production_branch", "demote_branches"}, demoteBranch},
		{"POST", pathB + "/safe-migrations", writeDatabase, enableSafeMigrations},
		{"DELETE", pathB + "/safe-migrations", writeDatabase, disableSafeMigrations},
		{"PUT", pathB + "/safe-migrations", writeDatabase, putSafeMigrations},
		{"GET", pathB + "/schema", readBranch, getBranchSchema},
		{"GET", pathB + "/schema/lint", readBranch, getBranchLint},
		{"GET", pathB + "/diff", readBranch, getBranchDiff},
		{"POST", pathB + "/refresh-schema", readBranch, refreshSchema},
		{"GET", pathB + "/keyspaces", readBranch, listKeyspaces},
		{"GET", pathB + "/keyspaces/{keyspace}", readBranch, getKeyspace},
		{"GET", pathB + "/keyspaces/{keyspace}/vschema", readBranch, getVSchema},
		{"PATCH", pathB + "/keyspaces/{keyspace}/vschema", writeVSchema, patchVSchema},
		{"GET", pathB + "/routing-rules", readBranch, getRoutingRules},
		{"PATCH", pathB + "/routing-rules", writeVSchema, patchRoutingRules},
		{"GET", pathB + "/cluster-size-skus", readBranch, listSizes},
		{"GET", pathB + "/resizes", readBranch, listChanges},
		{"PUT", pathB + "/resizes", writeDatabase, patchChanges},
		{"GET", pathB + "/changes", readBranch, listChanges},
		{"GET", pathB + "/changes/{id}", readBranch, getChange},
		{"PATCH", pathB + "/changes", writeDatabase, patchChanges},

		{"GET", pathB + "/passwords", readBranch, listPasswords},
		{"POST", pathB + "/passwords", anyConnect, postPassword},
		{"GET", pathB + "/passwords/{id}", readBranch, getPassword},
		{"PATCH", pathB + "/passwords/{id}", anyConnect, patchPassword},
		{"POST", pathB + "/passwords/{id}/renew", anyConnect, renewPassword},
		{"DELETE", pathB + "/passwords/{id}", anyDelete, deletePassword},

		{"GET", pathD + "/deploy-requests", readRequest, listDeployRequests},
		{"POST", pathD + "/deploy-requests", createRequest, postDeployRequest},
		{"GET", pathR, readRequest, getDeployRequest},
		{"PATCH", pathR, createRequest, patchDeployRequest},
		{"POST", pathR + "/deploy", createRequest, postDeploy},
		{"POST", pathR + "/apply-deploy", createRequest, postApplyDeploy},
		{"POST", pathR + "/complete-deploy", createRequest, postCompleteDeploy},
		{"POST", pathR + "/force-cutover", createRequest, postForceCutover},
		{"POST", pathR + "/cancel", createRequest, postCancel},
		{"POST", pathR + "/revert", createRequest, postRevert},
		{"POST", pathR + "/skip-revert", createRequest, postSkipRevert},
		{"PUT", pathR + "/auto-apply", createRequest, putAutoApply},
		{"PUT", pathR + "/auto-delete-branch", createRequest, putAutoDeleteBranch},
		{"GET", pathR + "/deployment", readRequest, getDeployment},
		{"GET", pathR + "/operations", readRequest, listOperations},
		{"GET", pathR + "/diff", readRequest, getDeployRequestDiff},
		{"GET", pathR + "/reviews", readRequest, listReviews},
		{"POST", pathR + "/reviews", reviewRequest, postReview},
		{"GET", pathR + "/storage-check", readRequest, getStorageCheck},
		{"GET", pathR + "/throttler", readRequest, getRequestThrottler},
		{"PATCH", pathR + "/throttler", createRequest, patchRequestThrottler},

		{"GET", pathD + "/webhooks", readDatabase, listWebhooks},
		{"POST", pathD + "/webhooks", writeDatabase, postWebhook},
		{"GET", pathD + "/webhooks/{id}", readDatabase, getWebhook},
		{"PATCH", pathD + "/webhooks/{id}", writeDatabase, patchWebhook},
		{"DELETE", pathD + "/webhooks/{id}", writeDatabase, deleteWebhook},
		{"POST", pathD + "/webhooks/{id}/test", writeDatabase, testWebhook},
	}
}

// mux finds endpoints by method and path. It is used for that only: answers,
// also those to unknown paths, are written by the call.
func (e *Emulator) mux() *http.ServeMux {
	m := http.NewServeMux()
	for _, ep := range endpoints() {
		m.Handle(ep.method+" "+ep.path, ep)
	}
	return m
}
