package emulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pmig/pmig/emulator"
)

// examples are answers in the documented shape. A member of an answer must be
// there and have the example's type; one that is null in the example may be
// anything, and those in mayBeNull may be null.
var examples = map[string]string{
	"list": `{"type":"list","current_page":1,"per_page":25,"next_page":null,"next_page_url":null,"prev_page":null,"prev_page_url":null,"data":[]}`,
	"organization": `{"id":"o1a2b3c4d5e6","name":"acme","plan":"scaler_pro","billing_email":"x@example.test","database_count":3,
		"valid_billing_info":true,"sso":false,"single_tenancy":false,"managed_tenancy":false,"idp_managed_roles":false,
		"keyspace_shard_limit":8,"has_card":true,"payment_info_required":false,"features":{},
		"created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"}`,
	"database": `{"id":"d1a2b3c4d5e6","type":"Database","name":"shop","kind":"mysql","state":"ready","ready":true,"plan":"scaler_pro",
		"url":"https://","branches_url":"https://","html_url":"https://",
		"branches_count":2,"development_branches_count":1,"production_branches_count":1,
		"default_branch":"main","default_branch_shard_count":1,"default_branch_table_count":12,"sharded":false,
		"require_approval_for_deploy":false,"foreign_keys_enabled":false,"allow_data_branching":false,
		"restrict_branch_region":false,"deletion_protected":false,
		"automatic_migrations":true,"migration_framework":"rails","migration_table_name":"schema_migrations",
		"at_development_branch_usage_limit":false,"at_backup_restore_branches_limit":false,
		"production_branch_web_console":false,"insights_enabled":true,"insights_raw_queries":false,
		"resizing":false,"config_changing":false,"data_import":null,"schema_last_updated_at":"2026-01-02T00:00:00.000Z",
		"region":{"id":"r1a2b3c4d5e6","slug":"us-east","provider":"AWS","display_name":"AWS us-east-1","location":"N. Virginia",
			"enabled":true,"public_ip_addresses":[],"current_default":true,"mysql_supported":true,"postgresql_supported":true},
		"created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-02T00:00:00.000Z"}`,
	"branch": `{"id":"b1a2b3c4d5e6","type":"Branch","name":"pmig-20260102-ab12","kind":"mysql","state":"ready","ready":true,"schema_ready":true,
		"production":false,"safe_migrations":false,"deletion_protected":false,"stale_schema":false,
		"sharded":false,"shard_count":1,"keyspace_count":1,"parent_branch":"main","restored_from_branch":null,
		"mysql_address":"us-east.connect.psdb.cloud","mysql_edge_address":"aws.connect.psdb.cloud",
		"private_edge_connectivity":false,"direct_vtgate":false,"has_replicas":false,"has_read_only_replicas":false,
		"cluster_name":"PS_DEV","cluster_architecture":"x","cluster_iops":null,"metal":false,"vtgate_size":"","vtgate_count":1,"vtgate_options":{},
		"vtgate_autoscaling":false,"vtgate_max_count":null,
		"actor":{"id":"a1","type":"ServiceToken","display_name":"ci","avatar_url":""},
		"region":{"slug":"us-east","display_name":"AWS us-east-1"},
		"url":"https://","html_url":"https://",
		"schema_last_updated_at":"2026-01-02T03:04:05.678Z","created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:05:15.000Z","deleted_at":null}`,
	"region": `{"id":"r1a2b3c4d5e6","slug":"us-east","provider":"AWS","display_name":"x","location":"x","enabled":true,"public_ip_addresses":["x"],
		"current_default":true,"mysql_supported":true,"postgresql_supported":true,"neki_supported":false}`,
	"size": `{"name":"PS_10","display_name":"PS-10","cpu":"1/8","ram":1,"storage":null,"metal":false,"enabled":true,"provider":null,"rate":null,
		"replica_rate":null,"default_vtgate":"VTG_5","default_vtgate_rate":null,"sort_order":1}`,
	"keyspace": `{"id":"k1a2b3c4d5e6","name":"shop","shards":1,"sharded":false,"replicas":0,"extra_replicas":0,"cluster_name":"PS_10","cluster_display_name":"PS-10",
		"ready":true,"default":true,"imported":false,"metal":false,"resizing":false,"resize_in_progress":false,"resize_pending":false,
		"config_change_in_progress":false,"external":false,"node_ttl_strategy":"node_ttl_always","max_rollout":null,
		"disk_autoscaling":{"strategy":"grow","storage_limit_bytes":1},"throttler":{"enabled":true,"threshold":null},
		"vreplication_flags":{"optimize_inserts":true,"allow_no_blob_binlog_row_image":true,"vplayer_batching":false},"replication_durability_constraints":{},"mysqld_options":{},"vttablet_options":{},
		"created_at":"2026-01-02T03:05:00.000Z","updated_at":"2026-01-02T03:05:00.000Z"}`,
	"password": `{"id":"p1a2b3c4d5e6","type":"BranchPassword","name":"pmig","role":"admin","username":"k3v9q0w2e4r6t8y1u5i7",
		"plain_text":"pscale_pw_","access_host_url":"aws.connect.psdb.cloud","access_host_regional_url":"us-east.connect.psdb.cloud",
		"access_host_regional_urls":[],"direct_vtgate":false,"direct_vtgate_addresses":[],"replica":false,"read_only_region":false,"cidrs":null,
		"ttl_seconds":1800,"expires_at":"2026-01-02T03:35:00.000Z","expired":false,"renewable":true,"last_used_at":null,"deleted_at":null,
		"actor":{"id":"a1","display_name":"ci","avatar_url":""},"region":{"slug":"us-east"},
		"database_branch":{"id":"b1a2b3c4d5e6","name":"x","production":false,"mysql_edge_address":"aws.connect.psdb.cloud","private_edge_connectivity":false},
		"created_at":"2026-01-02T03:05:00.000Z"}`,
	"deploy_request": `{"id":"q1a2b3c4d5e6","type":"DeployRequest","number":7,"state":"open","deployment_state":"ready","approved":false,
		"branch":"x","branch_id":"b1a2b3c4d5e6","branch_deleted":false,"branch_deleted_by":null,"branch_deleted_at":null,
		"into_branch":"main","into_branch_sharded":false,"into_branch_shard_count":1,"into_branch_keyspace_count":1,
		"actor":{"id":"a1","type":"ServiceToken","display_name":"ci","avatar_url":""},"closed_by":null,
		"num_comments":0,"notes":"x","html_body":"","html_url":"https://","strategy":"serial",
		"created_at":"2026-01-02T03:06:00.000Z","updated_at":"2026-01-02T03:06:20.000Z","closed_at":null,"deployed_at":null,"deployment":` + deploymentExample + `}`,
	"deployment": deploymentExample,
	"operation":  operationExample,
	"revert":     `{"id":"v1a2b3c4d5e6","type":"DeploymentRevert","actor":null,"cancelled_at":null,"finished_at":null,"waiting_period_end_at":null,"deploy_revert_operations":[]}`,
	"lint": `{"lint_error":"NO_UNIQUE_KEY","subject_type":"table","keyspace_name":"shop","table_name":"t","error_description":"x","docs_url":"https://",
		"column_name":"","foreign_key_column_names":[""],"auto_increment_column_names":[""],"charset_name":"","engine_name":"","vindex_name":"",
		"json_path":"","check_constraint_name":"","enum_value":"","partitioning_type":"","partition_name":""}`,
	"review":   `{"id":"w1a2b3c4d5e6","body":"","html_body":"","state":"approved","actor":{"id":"a1"},"created_at":"2026-01-02T03:05:00.000Z","updated_at":"2026-01-02T03:05:00.000Z"}`,
	"storage":  `{"enough_storage":true,"upgradeable":true,"storage_bytes_needed":0,"storage_report":{}}`,
	"throttle": `{"keyspaces":["shop"],"configurable":{"id":"x","name":"x","created_at":"2026-01-02T03:05:00.000Z","updated_at":"2026-01-02T03:05:00.000Z","deleted_at":null},"configurations":[{"keyspace_name":"shop","ratio":0}]}`,
	"webhook": `{"id":"h1a2b3c4d5e6","url":"https://","secret":"x","authorization_header_configured":false,"enabled":true,"events":["branch.ready"],"last_sent_result":null,
		"last_sent_success":null,"last_sent_at":null,"created_at":"2026-01-02T03:05:00.000Z","updated_at":"2026-01-02T03:05:00.000Z"}`,
	"table":   `{"name":"users","raw":"","html":""}`,
	"vschema": `{"raw":"{}"}`,
	"error":   `{"code":"not_found","message":"Not Found"}`,
}

const deploymentExample = `{"id":"y1a2b3c4d5e6","type":"Deployment","state":"ready","strategy":"serial","parallel_lane_blocked":false,"deployable":true,"deploy_request_number":7,"into_branch":"main",
	"auto_cutover":true,"auto_delete_branch":false,"instant_ddl":false,"instant_ddl_eligible":true,
	"queued_at":null,"submitted_at":null,"started_at":null,"ready_to_cutover_at":null,"cutover_at":null,"finished_at":null,
	"cutover_expiring":false,"force_cutover_requested_at":null,"deploy_check_errors":null,
	"queue_paused":false,"queue_pause_reason":null,"table_locked":false,"locked_table_name":null,
	"preceding_deployments":[{"id":"x","state":"queued","deploy_request_number":6,"into_branch":"main","actor":null,"created_at":"2026-01-02T03:06:20.000Z",
		"updated_at":"2026-01-02T03:06:20.000Z","queued_at":null,"started_at":null,"finished_at":null}],
	"lint_errors":[{"lint_error":"x"}],"sequential_diff_dependencies":[],"lookup_vindex_operations":[],
	"throttler_configurations":{},"deployment_revert_request":null,
	"actor":null,"cutover_actor":null,"cancelled_actor":null,"schema_last_updated_at":null,
	"deploy_operations":[` + operationExample + `],
	"deploy_operation_summaries":[{"id":"x","type":"DeployOperationSummary","state":"pending","keyspace_name":"shop","table_name":"users","operation_name":"ALTER",
		"ddl_statement":"x","progress_percentage":0,"eta_seconds":0,"deploy_errors":"","sharded":false,"shard_count":1,"shard_names":[],"can_drop_data":false,"removed_foreign_key_names":["x"],
		"operations":[{"id":"x","shard":"","state":"pending","progress_percentage":0,"eta_seconds":0}]}],
	"created_at":"2026-01-02T03:06:00.000Z","updated_at":"2026-01-02T03:06:20.000Z"}`

const operationExample = `{"id":"z1a2b3c4d5e6","type":"DeployOperation","state":"pending","keyspace_name":"shop","table_name":"users","operation_name":"ALTER",
	"ddl_statement":"x","syntax_highlighted_ddl":"<div></div>","progress_percentage":null,"eta_seconds":null,"throttled_at":null,"can_drop_data":false,
	"table_locked":false,"table_recently_used":true,"table_recently_used_at":"2026-01-02T03:00:00.000Z","removed_foreign_key_names":["x"],
	"deploy_errors":"","deploy_error_docs_url":null,"created_at":"2026-01-02T03:06:20.000Z","updated_at":"2026-01-02T03:06:20.000Z"}`

// mayBeNull are members that the documents call nullable though their example
// has a value.
var mayBeNull = []string{"automatic_migrations", "migration_framework", "migration_table_name", "parent_branch", "plain_text", "expires_at", "notes",
	"table_recently_used_at", "progress_percentage", "eta_seconds", "next_page", "next_page_url", "ttl_seconds", "throttler_configurations"}

// like compares an answer with an example, member by member.
func like(path string, want, got any) (wrong []string) {
	member := path[strings.LastIndex(path, ".")+1:]
	if got == nil && slices.Contains(mayBeNull, member) {
		return nil
	}
	switch w := want.(type) {
	case nil:
		return nil
	case map[string]any:
		g, is := got.(map[string]any)
		if !is {
			return []string{fmt.Sprintf("%s is no object but %v", path, got)}
		}
		for name, v := range w {
			of, there := g[name]
			if !there {
				wrong = append(wrong, path+"."+name+" is missing")
				continue
			}
			wrong = append(wrong, like(path+"."+name, v, of)...)
		}
	case []any:
		g, is := got.([]any)
		if !is {
			return []string{fmt.Sprintf("%s is no list but %v", path, got)}
		}
		for _, item := range g {
			if len(w) > 0 {
				wrong = append(wrong, like(path, w[0], item)...)
			}
		}
	default:
		if fmt.Sprintf("%T", want) != fmt.Sprintf("%T", got) {
			return []string{fmt.Sprintf("%s is %T %v, in the example %T", path, got, got, want)}
		}
	}
	return wrong
}

// visited is which routes of the API a test has been to.
type visited struct {
	mux *http.ServeMux
	all map[string]bool
}

// visits begins with every route but those of webhooks, which have a contract
// test of their own.
func visits() *visited {
	v := &visited{http.NewServeMux(), map[string]bool{}}
	for _, route := range emulator.Routes() {
		if !strings.Contains(route, "/webhooks") {
			v.all[route] = false
			v.mux.Handle(route, http.NotFoundHandler())
		}
	}
	return v
}

func (v *visited) visit(method, path string) {
	if _, pattern := v.mux.Handler(httptest.NewRequest(method, path, nil)); pattern != "" {
		v.all[pattern] = true
	}
}

func (v *visited) left() (routes []string) {
	for route, been := range v.all {
		if !been {
			routes = append(routes, route)
		}
	}
	return routes
}

// asDocumented fails the test if an answer has not its example's shape.
func (s *stage) asDocumented(what, kind string, o any) {
	s.Helper()
	text, there := examples[kind]
	if !there {
		return
	}
	var want any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		s.Fatalf("example of %s: %v", kind, err)
	}
	for _, w := range like(kind, want, o) {
		s.Errorf("%s: %s", what, w)
	}
}

func TestLike(t *testing.T) {
	var want, got any
	for text, wrong := range map[string]int{
		examples["storage"]: 0,
		`{"enough_storage":"yes","upgradeable":true,"storage_bytes_needed":0,"storage_report":{}}`:   1,
		`{"enough_storage":true,"upgradeable":true,"storage_report":{}}`:                             1,
		`{"enough_storage":true,"upgradeable":true,"storage_bytes_needed":null,"storage_report":[]}`: 2,
		`[]`: 1,
	} {
		if err := json.Unmarshal([]byte(examples["storage"]), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if found := like("storage", want, got); len(found) != wrong {
			t.Errorf("%s: %v", text, found)
		}
	}
}
