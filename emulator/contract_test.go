package emulator_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// The documented members of each kind of answer. A member may have the value
// null; it may not be missing.
var members = map[string]string{
	"list": "type current_page per_page next_page next_page_url prev_page prev_page_url data",
	"organization": `id name plan billing_email database_count valid_billing_info sso sso_directory single_tenancy managed_tenancy idp_managed_roles
		keyspace_shard_limit has_card payment_info_required invoice_budget_amount features created_at updated_at`,
	"database": `id type name kind state ready plan url branches_url html_url branches_count development_branches_count production_branches_count default_branch
		default_branch_shard_count default_branch_table_count sharded require_approval_for_deploy foreign_keys_enabled allow_data_branching restrict_branch_region
		deletion_protected automatic_migrations migration_framework migration_table_name at_development_branch_usage_limit at_backup_restore_branches_limit
		production_branch_web_console insights_enabled insights_raw_queries resizing config_changing data_import schema_last_updated_at region created_at updated_at`,
	"branch": `id type name kind state ready schema_ready production safe_migrations deletion_protected stale_schema sharded shard_count keyspace_count parent_branch
		restored_from_branch mysql_address mysql_edge_address private_edge_connectivity direct_vtgate has_replicas has_read_only_replicas cluster_name metal vtgate_size
		vtgate_count vtgate_options actor region url html_url schema_last_updated_at created_at updated_at deleted_at`,
	"region": "id slug provider display_name location enabled public_ip_addresses current_default mysql_supported postgresql_supported",
	"actor":  "id type display_name avatar_url",
	"password": `id type name role username plain_text access_host_url access_host_regional_url access_host_regional_urls direct_vtgate direct_vtgate_addresses replica
		cidrs ttl_seconds expires_at expired renewable last_used_at deleted_at actor region database_branch created_at`,
	"keyspace": `id name shards sharded replicas extra_replicas cluster_name cluster_display_name ready default imported metal resizing resize_in_progress resize_pending
		config_change_in_progress vreplication_flags replication_durability_constraints mysqld_options vttablet_options created_at updated_at`,
	"deploy_request": `id type number state deployment_state approved branch branch_id branch_deleted branch_deleted_by branch_deleted_at into_branch into_branch_sharded
		into_branch_shard_count into_branch_keyspace_count actor closed_by num_comments notes html_body html_url created_at updated_at closed_at deployed_at deployment`,
	"deployment": `id type state deployable deploy_request_number into_branch auto_cutover auto_delete_branch instant_ddl instant_ddl_eligible queued_at submitted_at
		started_at ready_to_cutover_at cutover_at finished_at cutover_expiring force_cutover_requested_at deploy_check_errors queue_paused queue_pause_reason table_locked
		locked_table_name preceding_deployments lint_errors sequential_diff_dependencies lookup_vindex_operations throttler_configurations deployment_revert_request actor
		cutover_actor cancelled_actor schema_last_updated_at deploy_operations deploy_operation_summaries created_at updated_at`,
	"operation": `id type state keyspace_name table_name operation_name ddl_statement syntax_highlighted_ddl progress_percentage eta_seconds throttled_at can_drop_data
		table_locked table_recently_used table_recently_used_at removed_foreign_key_names deploy_errors deploy_error_docs_url created_at updated_at`,
	"summary": `id type state keyspace_name table_name operation_name ddl_statement progress_percentage eta_seconds deploy_errors sharded shard_count shard_names
		can_drop_data operations`,
	"lint": `lint_error subject_type keyspace_name table_name error_description docs_url column_name foreign_key_column_names auto_increment_column_names charset_name
		engine_name vindex_name json_path check_constraint_name enum_value partitioning_type partition_name`,
	"revert":   "id type actor cancelled_at finished_at waiting_period_end_at deploy_revert_operations",
	"review":   "id body html_body state actor created_at updated_at",
	"storage":  "enough_storage upgradeable storage_bytes_needed storage_report",
	"throttle": "keyspaces configurable configurations",
	"table":    "name raw html",
	"error":    "code message",
	"vschema":  "raw",
	"webhook":  "id url secret enabled events last_sent_result last_sent_success last_sent_at created_at updated_at",
}

func (s *stage) has(what string, kind string, o any) {
	s.Helper()
	m, is := o.(map[string]any)
	if !is {
		s.Errorf("%s: no %s but %v", what, kind, o)
		return
	}
	for _, name := range strings.Fields(members[kind]) {
		if _, there := m[name]; !there {
			s.Errorf("%s: %s has no member %s", what, kind, name)
		}
	}
	s.asDocumented(what, kind, o)
	switch kind {
	case "deploy_request":
		s.has(what, "deployment", m["deployment"])
		s.has(what, "actor", m["actor"])
	case "deployment":
		for _, op := range m["deploy_operations"].([]any) {
			s.has(what, "operation", op)
		}
		for _, op := range m["deploy_operation_summaries"].([]any) {
			s.has(what, "summary", op)
		}
		for _, l := range m["lint_errors"].([]any) {
			s.has(what, "lint", l)
		}
		if r := m["deployment_revert_request"]; r != nil {
			s.has(what, "revert", r)
		}
	case "branch":
		s.has(what, "region", m["region"])
		s.has(what, "actor", m["actor"])
	case "database":
		s.has(what, "region", m["region"])
	}
	if id, is := m["id"].(string); is && !regexp.MustCompile(`^[a-z0-9]{12}$`).MatchString(id) {
		s.Errorf("%s: id %q", what, id)
	}
	for name, v := range m {
		if text, is := v.(string); is && strings.HasSuffix(name, "_at") && !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(text) {
			s.Errorf("%s: %s is %q", what, name, text)
		}
	}
}

const d = "/v1/organizations/acme/databases/shop"

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
		for _, step := range []struct {
			method, path, body string
			status             int
			kind               string // "list x": a list of x
			then               func()
		}{
			{"GET", "/v1/organizations", "", 200, "list organization", nil},
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
			{"POST", d + "/branches", `{"name":"x","parent_branch":"nowhere"}`, 422, "error", nil},
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
		} {
			what := step.method + " " + step.path + " " + step.body
			visited.visit(step.method, step.path)
			status, o := s.call(step.method, step.path, step.body)
			if status != step.status {
				t.Errorf("%s: %d %v, want %d", what, status, o, step.status)
			}
			list, kind, isList := strings.Cut(step.kind, " ")
			switch {
			case step.kind == "":
				if o != nil {
					t.Errorf("%s: a body: %v", what, o)
				}
			case isList:
				if list != "data" {
					s.has(what, "list", o)
				}
				data, _ := o["data"].([]any)
				if (len(data) == 0) != (list == "empty") {
					t.Errorf("%s: a list of %d", what, len(data))
				}
				for _, item := range data {
					s.has(what, kind, item)
				}
			default:
				s.has(what, step.kind, o)
			}
			if step.then != nil {
				step.then()
			}
		}
		for _, route := range visited.left() {
			t.Errorf("not visited: %s", route)
		}
	})
}

func TestPaging(t *testing.T) {
	s := start(t, memory)
	s.branch("work")
	for range 30 {
		s.call("POST", d+"/branches/work/passwords", "{}")
	}
	for _, test := range []struct {
		query            string
		status           int
		items, next, per int
	}{
		{"", 200, 25, 2, 25},
		{"?page=2", 200, 5, 0, 25},
		{"?page=9", 200, 0, 0, 25},
		{"?per_page=10&page=2", 200, 10, 3, 10},
		{"?per_page=1000", 200, 30, 0, 100},
		{"?page=0", 400, 0, 0, 0},
		{"?page=x", 400, 0, 0, 0},
	} {
		status, o := s.call("GET", d+"/branches/work/passwords"+test.query, "")
		if status != test.status {
			t.Errorf("%s: %d", test.query, status)
		}
		if status != 200 {
			continue
		}
		next := 0
		if n, is := o["next_page"].(float64); is {
			next = int(n)
			if u := o["next_page_url"].(string); !strings.Contains(u, "page="+itoa(next)) || !strings.HasPrefix(u, "http://127.0.0.1/v1/") {
				t.Errorf("%s: next page at %s", test.query, u)
			}
		}
		if n := len(o["data"].([]any)); n != test.items || next != test.next || o["per_page"] != float64(test.per) || o["total_count"] != 30.0 {
			t.Errorf("%s: %d items, next %d, %v per page, %v in all", test.query, n, next, o["per_page"], o["total_count"])
		}
	}
	if all := ok(s.shop.Passwords(t.Context(), "work"))(t); len(all) != 30 {
		t.Errorf("the client finds %d passwords", len(all))
	}
}

func TestFilters(t *testing.T) {
	s := start(t, memory)
	s.seed()
	s.branch("one")
	s.branch("two")
	s.sql("one", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
	s.call("POST", d+"/branches/two/safe-migrations", "")
	n := s.open("one")
	s.await(n, planetscale.StateReady)
	s.deploy(n)
	s.await(n, planetscale.StateComplete)
	s.open("two")
	s.await(2, planetscale.StateReady, planetscale.StateNoChanges)
	for path, want := range map[string]string{
		"/branches?q=wo":                                      "two",
		"/branches?production=true":                           "main",
		"/branches?production=false":                          "one two",
		"/branches?safe_migrations=true":                      "main two",
		"/branches?order=desc":                                "two one main",
		"/deploy-requests":                                    "2 1",
		"/deploy-requests?state=open":                         "2",
		"/deploy-requests?state=closed":                       "1",
		"/deploy-requests?state=deployed":                     "1",
		"/deploy-requests?branch=one":                         "1",
		"/deploy-requests?into_branch=two":                    "",
		"/deploy-requests?deployed_at=2020-01-01T00:00:00Z..": "1",
		"/deploy-requests?running_at=..2020-01-01T00:00:00Z":  "",
	} {
		_, o := s.call("GET", d+path, "")
		var got []string
		data, _ := o["data"].([]any)
		for _, item := range data {
			m := item.(map[string]any)
			if m["number"] != nil {
				got = append(got, fmt.Sprint(m["number"]))
			} else {
				got = append(got, fmt.Sprint(m["name"]))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
	for _, path := range []string{"/branches?production=maybe", "/deploy-requests?state=lost", "/deploy-requests?deployed_at=today", "/passwords?status=x"} {
		s.branch2password()
		if status, _ := s.call("GET", d+path, ""); status != 400 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// branch2password makes sure that there is a password to filter.
func (s *stage) branch2password() {
	s.Helper()
	if status, o := s.call("POST", d+"/branches/two/passwords", "{}"); status != 201 {
		s.Fatal(status, o)
	}
}

func TestTokens(t *testing.T) {
	reader := emulator.Token{ID: "reader", Secret: "s", Permissions: []string{"read_database", "read_branch", "read_deploy_request", "connect_production_read_only_branch"}}
	// Who may delete production branches may not therefore delete others.
	remover := emulator.Token{ID: "remover", Secret: "s", Permissions: []string{"delete_production_branch"}}
	s := start(t, memory, func(o *emulator.Options) { o.Tokens = append(o.Tokens, reader, remover) })
	s.branch("work")
	for _, test := range []struct {
		method, path, body, authorization string
		status                            int
	}{
		{"GET", d, "", "", 401},
		{"GET", d, "", "nobody:s", 401},
		{"GET", d, "", "reader:wrong", 401},
		{"GET", d, "", "reader", 401},
		{"GET", d, "", "s:reader", 401},
		{"GET", "/v1/nowhere", "", "", 401},
		{"GET", d, "", "reader:s", 200},
		{"GET", d, "", "Bearer reader:s", 200},
		{"GET", d + "/branches", "", "reader:s", 200},
		{"POST", d + "/branches", `{"name":"x"}`, "reader:s", 404},
		{"PATCH", d, `{}`, "reader:s", 404},
		{"GET", d + "/deploy-requests", "", "reader:s", 200},
		{"POST", d + "/deploy-requests", `{}`, "reader:s", 404},
		{"POST", d + "/branches/main/passwords", `{"role":"reader"}`, "reader:s", 201},
		{"POST", d + "/branches/main/passwords", `{"role":"admin"}`, "reader:s", 404},
		{"DELETE", d + "/branches/work", "", "remover:s", 404},
		{"DELETE", d + "/branches/work", "", "reader:s", 404},
	} {
		if status, text := s.raw(test.method, test.path, test.body, "Authorization", test.authorization); status != test.status {
			t.Errorf("%s %s as %q: %d %s", test.method, test.path, test.authorization, status, text)
		}
	}
	for _, ev := range s.seen() {
		if strings.Contains(fmt.Sprint(ev), "pscale_tkn") {
			t.Errorf("an event tells a secret: %v", ev)
		}
	}
}

func TestLimits(t *testing.T) {
	s := start(t, memory)
	if status, text := s.raw("POST", d+"/branches", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`, "Authorization", "ciciciciciic:pscale_tkn_ci"); status != 413 || !strings.Contains(string(text), "too large") {
		t.Errorf("a huge body: %d %s", status, text)
	}
	_, o := s.call("GET", d+"/branches", "")
	if n := len(o["data"].([]any)); n != 1 {
		t.Errorf("%d branches", n)
	}
}

func TestPostgres(t *testing.T) {
	s := start(t, memory)
	if status, o := s.call("POST", "/_emulator/databases", `{"name":"pg","kind":"postgresql"}`); status != 201 || o["kind"] != "postgresql" {
		t.Fatal(status, o)
	}
	for _, path := range []string{"/deploy-requests", "/branches/main/passwords", "/deploy-queue"} {
		if status, _ := s.call("GET", "/v1/organizations/acme/databases/pg"+path, ""); status != 422 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, o := s.call("POST", "/_emulator/databases", `{"name":"open","direct_ddl":true}`); status != 201 {
		t.Fatal(status, o)
	}
	if b := ok(s.client.DB("acme", "open").Branch(t.Context(), "main"))(t); b.SafeMigrations || !b.Production {
		t.Errorf("%+v", b)
	}
	dbs := ok(s.client.Databases(t.Context(), "acme"))(t)
	if !slices.ContainsFunc(dbs, func(db planetscale.Database) bool { return db.Name == "pg" }) {
		t.Errorf("databases: %+v", dbs)
	}
}
