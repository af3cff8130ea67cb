package emulator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

const d = "/v1/organizations/acme/databases/shop"

// step is a request and what the answer to it must be.
type step struct {
	method, path, body string
	status             int
	kind               string // "list x": a list of x, "empty x": one with nothing in it, "data x": one without pages, "nothing x": an empty one of that, "bare x": one without an envelope
	then               func()
}

// walk takes steps and looks at what comes of each.
func (s *stage) walk(visited *visited, steps []step) {
	s.Helper()
	for _, step := range steps {
		what := step.method + " " + step.path + " " + step.body
		visited.visit(step.method, step.path)
		status, answer := s.ask(step.method, step.path, step.body)
		if status != step.status {
			s.Errorf("%s: %d %v, want %d", what, status, answer, step.status)
		}
		list, kind, isList := strings.Cut(step.kind, " ")
		switch {
		case step.kind == "":
			if answer != nil {
				s.Errorf("%s: a body: %v", what, answer)
			}
		case isList:
			data, _ := answer.([]any)
			if list != "bare" {
				o, _ := answer.(map[string]any)
				data, _ = o["data"].([]any)
			}
			if list == "list" || list == "empty" {
				s.has(what, "list", answer)
			}
			if (len(data) == 0) != (list == "empty" || list == "nothing") {
				s.Errorf("%s: a list of %d", what, len(data))
			}
			for _, item := range data {
				s.has(what, kind, item)
			}
		default:
			s.has(what, step.kind, answer)
		}
		if step.then != nil {
			step.then()
		}
	}
}

// Every endpoint, in an order in which each can answer well.
func TestContract(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open, func(o *emulator.Options) { o.Knobs.RevertWindow = 30 * time.Minute })
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		s.branch("spare")
		s.branch("gated")
		s.sql("gated", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
		s.branch("lint")
		s.sql("lint", "CREATE TABLE t (id int)")
		_, pw := s.call("POST", d+"/branches/spare/passwords", `{"name":"p","ttl":600}`)
		id := fmt.Sprint(pw["id"])

		visited := visits()
		s.walk(visited, []step{
			{"GET", "/v1/organizations", "", 200, "list organization", nil},
			{"GET", "/v1/regions", "", 200, "list region", nil},
			{"GET", "/v1/organizations/acme/regions", "", 200, "list region", nil},
			{"GET", "/v1/organizations/other/regions", "", 404, "error", nil},
			{"GET", "/v1/organizations/acme/cluster-size-skus", "", 200, "bare size", nil},
			{"GET", d + "/regions", "", 200, "list region", nil},
			{"GET", d + "/read-only-regions", "", 200, "empty region", nil},
			{"GET", d + "/branches/main/cluster-size-skus", "", 200, "bare size", nil},
			{"GET", d + "/branches/main/resizes", "", 200, "empty change", nil},
			{"PUT", d + "/branches/main/resizes", "{}", 204, "", nil},
			{"PUT", d + "/branches/main/resizes", `{"vtgate_count":3}`, 422, "error", nil},
			{"POST", "/v1/organizations/acme/databases", `{"name":"new_one","kind":"mysql","region":"us-east","cluster_size":"PS_10"}`, 201, "database", nil},
			{"POST", "/v1/organizations/acme/databases", `{"name":"new_one"}`, 422, "error", nil},
			{"POST", "/v1/organizations/acme/databases", `{"name":"No"}`, 422, "error", nil},
			{"POST", "/v1/organizations/acme/databases", `{}`, 422, "error", nil},
			{"POST", "/v1/organizations/acme/databases", `{"name":"x","kind":"oracle"}`, 422, "error", nil},
			{"POST", "/v1/organizations/other/databases", `{"name":"x"}`, 404, "error", nil},
			{"GET", "/v1/organizations/acme/databases/new_one/branches/main", "", 200, "branch", nil},
			{"PATCH", "/v1/organizations/acme/databases/new_one", `{"deletion_protected":true}`, 200, "database", nil},
			{"DELETE", "/v1/organizations/acme/databases/new_one", "", 422, "error", nil},
			{"PATCH", "/v1/organizations/acme/databases/new_one", `{"deletion_protected":false}`, 200, "database", nil},
			{"DELETE", "/v1/organizations/acme/databases/new_one", "", 204, "", nil},
			{"DELETE", "/v1/organizations/acme/databases/new_one", "", 404, "error", nil},
			{"GET", "/v1/organizations/acme", "", 200, "organization", nil},
			{"GET", "/v1/organizations/acme/databases", "", 200, "list database", nil},
			{"GET", d, "", 200, "database", nil},
			{"PATCH", d, `{"insights_raw_queries":true}`, 200, "database", nil},
			{"GET", d + "/throttler", "", 200, "throttle", nil},
			{"PATCH", d + "/throttler", `{"ratio":10}`, 200, "throttle", nil},
			{"PATCH", d + "/throttler", `{"ratio":96}`, 422, "error", nil},
			{"GET", d + "/branches", "", 200, "list branch", nil},
			{"POST", d + "/branches", `{"name":"another","parent_branch":""}`, 201, "branch", nil},
			{"POST", d + "/branches", `{"name":"another"}`, 422, "error", nil},
			{"POST", d + "/branches", `{"name":"No Name"}`, 422, "error", nil},
			{"POST", d + "/branches", `{}`, 422, "error", nil},
			{"POST", d + "/branches", `{"name":"x","parent_branch":"nowhere"}`, 404, "error", nil},
			{"POST", d + "/branches", `{"name":7}`, 422, "error", nil},
			{"POST", d + "/branches", `{"name":`, 400, "error", nil},
			{"GET", d + "/branches/main", "", 200, "branch", nil},
			{"GET", d + "/branches/nowhere", "", 404, "error", nil},
			{"PATCH", d + "/branches/spare", `{"new_name":"renamed"}`, 200, "branch", nil},
			{"PATCH", d + "/branches/renamed", `{"new_name":"spare"}`, 200, "branch", nil},
			{"POST", d + "/branches/spare/promote", "", 200, "branch", nil},
			{"POST", d + "/branches/spare/demote", "{}", 200, "branch", nil},
			{"POST", d + "/branches/main/demote", "", 422, "error", nil},
			{"POST", d + "/branches/spare/safe-migrations", "", 200, "branch", nil},
			{"DELETE", d + "/branches/spare/safe-migrations", "", 200, "branch", nil},
			{"PUT", d + "/branches/spare/safe-migrations", `{"safe_migrations":true}`, 200, "branch", nil},
			{"PUT", d + "/branches/spare/safe-migrations", `{"safe_migrations":false}`, 200, "branch", nil},
			{"POST", d + "/branches/lint/safe-migrations", "", 422, "error", nil},
			{"GET", d + "/branches/work/schema", "", 200, "data table", nil},
			{"GET", d + "/branches/work/schema?keyspace=shop", "", 200, "data table", nil},
			{"GET", d + "/branches/lint/schema/lint", "", 200, "list lint", nil},
			{"GET", d + "/branches/work/diff", "", 200, "data table", nil},
			{"POST", d + "/branches/work/refresh-schema", "", 204, "", nil},
			{"GET", d + "/branches/work/keyspaces", "", 200, "list keyspace", nil},
			{"GET", d + "/branches/work/keyspaces/shop", "", 200, "keyspace", nil},
			{"GET", d + "/branches/work/keyspaces/other", "", 404, "error", nil},
			{"GET", d + "/branches/work/keyspaces/shop/vschema", "", 200, "vschema", nil},

			{"PATCH", d + "/branches/work/keyspaces/shop/vschema", `{"vschema":"{\"tables\":{}}"}`, 200, "vschema", nil},
			{"PATCH", d + "/branches/work/keyspaces/shop/vschema", `{"vschema":"{"}`, 422, "error", nil},
			{"PATCH", d + "/branches/work/keyspaces/shop/vschema", `{}`, 400, "error", nil},
			{"PATCH", d + "/branches/work/keyspaces/other/vschema", `{"vschema":"{}"}`, 404, "error", nil},
			{"GET", d + "/branches/work/routing-rules", "", 200, "vschema", nil},
			{"PATCH", d + "/branches/work/routing-rules", `{"routing_rules":"{\"rules\":[]}"}`, 200, "vschema", nil},
			{"PATCH", d + "/branches/work/routing-rules", `{"routing_rules":"no"}`, 422, "error", nil},
			{"GET", d + "/branches/work/changes", "", 200, "empty change", nil},
			{"GET", d + "/branches/work/changes/c1a2b3c4d5e6", "", 404, "error", nil},
			{"PATCH", d + "/branches/work/changes", "", 204, "", nil},
			{"PATCH", d + "/branches/work/changes", `{"cluster_size":"PS_10"}`, 422, "error", nil},

			{"GET", d + "/branches/spare/passwords", "", 200, "list password", nil},
			{"GET", d + "/passwords", "", 200, "list password", nil},
			{"POST", d + "/branches/spare/passwords", `{"role":"reader"}`, 201, "password", nil},
			{"POST", d + "/branches/spare/passwords", `{"role":"king"}`, 422, "error", nil},
			{"POST", d + "/branches/spare/passwords", `{"replica":true}`, 422, "error", nil},
			{"GET", d + "/branches/spare/passwords/" + id, "", 200, "password", nil},
			{"PATCH", d + "/branches/spare/passwords/" + id, `{"name":"renamed"}`, 200, "password", nil},
			{"POST", d + "/branches/spare/passwords/" + id + "/renew", "", 200, "password", nil},
			{"DELETE", d + "/branches/spare/passwords/" + id, "", 204, "", nil},
			{"DELETE", d + "/branches/spare/passwords/" + id, "", 404, "error", nil},

			{"POST", d + "/deploy-requests", `{"branch":"work","into_branch":"main","notes":"n","auto_cutover":true,"auto_delete_branch":false}`, 201, "deploy_request",
				func() { s.await(1, planetscale.StateReady) }},
			{"POST", d + "/deploy-requests", `{"branch":"work","into_branch":"lint"}`, 422, "error", nil},
			{"POST", d + "/deploy-requests", `{"branch":"nowhere","into_branch":"main"}`, 422, "error", nil},
			{"GET", d + "/deploy-requests", "", 200, "list deploy_request", nil},
			{"GET", d + "/deploy-requests/1", "", 200, "deploy_request", nil},
			{"GET", d + "/deploy-requests/2", "", 404, "error", nil},
			{"GET", d + "/deploy-requests/one", "", 404, "error", nil},
			{"GET", d + "/deploy-requests/1/deployment", "", 200, "deployment", nil},
			{"GET", d + "/deploy-requests/1/operations", "", 200, "list operation", nil},
			{"GET", d + "/deploy-requests/1/diff", "", 200, "data table", nil},
			{"POST", d + "/deploy-requests/1/reviews", `{"body":"hm"}`, 201, "review", nil},
			{"POST", d + "/deploy-requests/1/reviews", `{"state":"approved"}`, 422, "error", nil},
			{"GET", d + "/deploy-requests/1/reviews", "", 200, "list review", nil},
			{"GET", d + "/deploy-requests/1/storage-check", "", 200, "storage", nil},
			{"GET", d + "/deploy-requests/1/throttler", "", 200, "throttle", nil},
			{"PATCH", d + "/deploy-requests/1/throttler", `{"configurations":[{"keyspace_name":"shop","ratio":0}]}`, 200, "throttle", nil},
			{"PUT", d + "/deploy-requests/1/auto-apply", `{"enable":false}`, 200, "deploy_request", nil},
			{"PUT", d + "/deploy-requests/1/auto-apply", `{}`, 400, "error", nil},
			{"PUT", d + "/deploy-requests/1/auto-delete-branch", `{"enable":false}`, 200, "deploy_request", nil},
			{"POST", d + "/deploy-requests/1/apply-deploy", "", 422, "error", nil},
			{"POST", d + "/deploy-requests/1/complete-deploy", "", 422, "error", nil},
			{"POST", d + "/deploy-requests/1/force-cutover", "", 422, "error", nil},
			{"POST", d + "/deploy-requests/1/cancel", "", 422, "error", nil},
			{"POST", d + "/deploy-requests/1/revert", "", 422, "error", nil},
			{"POST", d + "/deploy-requests/1/skip-revert", "", 422, "error", nil},
			{"POST", d + "/deploy-requests/1/deploy", "{}", 200, "deploy_request", func() { s.await(1, planetscale.StatePendingCutover) }},
			{"POST", d + "/deploy-requests/1/deploy", "", 422, "error", nil},
			{"PATCH", d + "/deploy-requests/1", `{"state":"closed"}`, 422, "error", nil},
			{"GET", d + "/deploy-queue", "", 200, "list deployment", nil},
			{"POST", d + "/deploy-requests/1/apply-deploy", "", 200, "deploy_request", func() { s.await(1, planetscale.StateCompletePendingRevert) }},
			{"GET", d + "/deploy-requests/1", "", 200, "deploy_request", nil},
			{"POST", d + "/deploy-requests/1/skip-revert", "", 200, "deploy_request", nil},
			{"POST", d + "/deploy-requests/1/skip-revert", "", 422, "error", nil},

			{"POST", d + "/deploy-requests", `{"branch":"gated","auto_cutover":false}`, 201, "deploy_request", func() { s.await(2, planetscale.StateReady) }},
			{"POST", d + "/deploy-requests/2/deploy", "", 200, "deploy_request", func() { s.await(2, planetscale.StatePendingCutover) }},
			{"PUT", d + "/deploy-requests/2/auto-apply", `{"enable":true}`, 200, "deploy_request", func() { s.await(2, planetscale.StateCompletePendingRevert) }},
			{"POST", d + "/deploy-requests/2/revert", "", 200, "deploy_request", func() { s.await(2, planetscale.StateCompleteRevert) }},
			{"POST", d + "/deploy-requests", `{"branch":"gated","auto_cutover":false}`, 201, "deploy_request", func() { s.await(3, planetscale.StateReady) }},
			{"POST", d + "/deploy-requests/3/deploy", "", 200, "deploy_request", func() { s.await(3, planetscale.StatePendingCutover) }},
			{"POST", d + "/deploy-requests/3/cancel", "", 200, "deploy_request", func() { s.await(3, planetscale.StateCompleteCancel) }},
			{"POST", d + "/deploy-requests", `{"branch":"gated","auto_cutover":true}`, 201, "deploy_request", func() { s.await(4, planetscale.StateReady) }},
			{"PATCH", d + "/deploy-requests/4", `{"state":"open"}`, 422, "error", nil},
			{"PATCH", d + "/deploy-requests/4", `{"state":"closed"}`, 200, "deploy_request", nil},
			{"PATCH", d + "/deploy-requests/4", `{"state":"closed"}`, 422, "error", nil},
			{"DELETE", d + "/branches/main", "", 422, "error", nil},
			{"PATCH", d + "/branches/gated", `{"deletion_protected":true}`, 200, "branch", nil},
			{"DELETE", d + "/branches/gated", "", 422, "error", nil},
			{"PATCH", d + "/branches/gated", `{"deletion_protected":false}`, 200, "branch", nil},
			{"POST", d + "/branches", `{"name":"child","parent_branch":"gated"}`, 201, "branch", nil},
			{"DELETE", d + "/branches/gated", "", 422, "error", nil},
			{"DELETE", d + "/branches/gated?delete_descendants=true", "", 204, "", nil},
			{"GET", d + "/branches/child", "", 404, "error", nil},
			{"DELETE", d + "/branches/gated", "", 404, "error", nil},
			{"GET", d + "/deploy-requests/4", "", 200, "deploy_request", nil},

			{"GET", "/v1/nowhere", "", 404, "error", nil},
			{"GET", "/", "", 404, "error", nil},
			{"POST", d, "", 404, "error", nil},
			{"GET", "/v1/organizations/other/databases/shop", "", 404, "error", nil},
			{"GET", "/v1/organizations//databases", "", 404, "error", nil},
		})
		for _, route := range visited.left() {
			t.Errorf("not visited: %s", route)
		}
	})
}
