package emulator_test

import (
	"regexp"
	"strings"
)

// The documented members of each kind of answer. A member may have the value
// null; it may not be missing.
var members = map[string]string{
	"list": "type current_page per_page next_page next_page_url prev_page prev_page_url data",
	"organization": `id name plan billing_email database_count valid_billing_info sso sso_directory single_tenancy managed_tenancy idp_managed_roles
		keyspace_shard_limit neki_router_replicas_per_cell_limit has_card has_past_due_invoices sso_portal_url payment_info_required invoice_budget_amount features created_at updated_at`,
	"database": `id type name kind state ready plan url branches_url html_url branches_count development_branches_count production_branches_count default_branch
		default_branch_shard_count default_branch_table_count sharded require_approval_for_deploy foreign_keys_enabled allow_data_branching restrict_branch_region
		deletion_protected automatic_migrations migration_framework migration_table_name at_development_branch_usage_limit at_backup_restore_branches_limit
		production_branch_web_console insights_enabled insights_raw_queries resizing resize_queued config_changing config_change_queued prefer_instant issues_count
		open_schema_recommendations_count multiple_admins_required_for_deletion default_branch_read_only_regions_count data_import schema_last_updated_at region
		created_at updated_at`,
	"branch": `id type name kind state ready schema_ready production safe_migrations deletion_protected stale_schema sharded shard_count keyspace_count parent_branch
		restored_from_branch mysql_address mysql_edge_address private_edge_connectivity direct_vtgate has_replicas has_read_only_replicas cluster_name metal vtgate_size
		vtgate_count vtgate_options vtgate_name vtgate_autoscaling vtgate_max_count vtgate_target_cpu_utilization cluster_iops cluster_architecture
		restore_checklist_completed_at initial_restore_id mysql_provider_address access_host_url multiple_admins_required_for_demotion actor region url html_url schema_last_updated_at created_at updated_at deleted_at`,
	"region": "id slug provider display_name location enabled public_ip_addresses current_default mysql_supported postgresql_supported neki_supported",
	"actor":  "id type display_name avatar_url",
	"password": `id type name role username plain_text access_host_url access_host_regional_url access_host_regional_urls direct_vtgate direct_vtgate_addresses replica read_only_region
		cidrs ttl_seconds expires_at expired renewable last_used_at deleted_at actor region database_branch created_at`,
	"size": "name display_name cpu storage ram metal enabled provider rate replica_rate default_vtgate default_vtgate_rate sort_order",
	"keyspace": `id name shards sharded external replicas extra_replicas cluster_name cluster_display_name ready default imported metal resizing resize_in_progress resize_pending
		config_change_in_progress vector_pool_allocation node_ttl_strategy disk_autoscaling max_rollout throttler vreplication_flags replication_durability_constraints mysqld_options vttablet_options created_at updated_at`,
	"deploy_request": `id type number state deployment_state approved branch branch_id branch_deleted branch_deleted_by branch_deleted_at into_branch into_branch_sharded
		into_branch_shard_count into_branch_keyspace_count actor closed_by num_comments notes html_body html_url strategy created_at updated_at closed_at
		deployed_at deployment`,
	"deployment": `id type state strategy parallel_lane_blocked deployable deploy_request_number into_branch auto_cutover auto_delete_branch instant_ddl instant_ddl_eligible queued_at submitted_at
		started_at ready_to_cutover_at cutover_at finished_at cutover_expiring force_cutover_requested_at deploy_check_errors queue_paused queue_pause_reason table_locked
		locked_table_name preceding_deployments lint_errors sequential_diff_dependencies lookup_vindex_operations throttler_configurations deployment_revert_request actor
		cutover_actor cancelled_actor schema_last_updated_at deploy_operations deploy_operation_summaries created_at updated_at`,
	"operation": `id type state keyspace_name table_name operation_name ddl_statement syntax_highlighted_ddl progress_percentage eta_seconds throttled_at can_drop_data
		table_locked table_recently_used table_recently_used_at removed_foreign_key_names deploy_errors deploy_error_docs_url created_at updated_at`,
	"summary": `id type state keyspace_name table_name operation_name ddl_statement progress_percentage eta_seconds deploy_errors sharded shard_count shard_names
		can_drop_data syntax_highlighted_ddl table_recently_used table_recently_used_at throttled_at removed_foreign_key_names created_at operations`,
	"lint": `lint_error subject_type keyspace_name table_name error_description docs_url column_name foreign_key_column_names auto_increment_column_names charset_name
		engine_name vindex_name json_path check_constraint_name enum_value partitioning_type partition_name`,
	"revert":   "id type actor cancelled_at finished_at waiting_period_end_at deploy_revert_operations",
	"review":   "id body html_body state actor created_at updated_at",
	"storage":  "enough_storage upgradeable storage_bytes_needed storage_report",
	"throttle": "keyspaces configurable configurations",
	"table":    "name raw html",
	"error":    "code message",
	"vschema":  "raw",
	"webhook":  "id url secret authorization_header_configured enabled events last_sent_result last_sent_success last_sent_at created_at updated_at",
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
		for i, op := range m["deploy_operation_summaries"].([]any) {
			s.has(what, "summary", op)
			if of := m["deploy_operations"].([]any)[i]; op.(map[string]any)["id"] != of.(map[string]any)["id"] { // seen on the platform
				s.Errorf("%s: the summary of %v is %v", what, of, op)
			}
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
