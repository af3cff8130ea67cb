package emulator

import "time"

func (c *call) showBranch(db *database, b *branch) object {
	state := "pending"
	if b.Ready {
		state = "ready"
	}
	schemaUpdated := b.SchemaUpdatedAt
	if schemaUpdated == nil {
		schemaUpdated = &b.CreatedAt
	}
	host := c.e.options.MySQLAddress
	return object{"id": b.ID, "type": "Branch", "name": b.Name, "kind": db.Kind, "state": state, "ready": b.Ready, "schema_ready": b.Ready,
		"production": b.Production, "safe_migrations": b.SafeMigrations, "deletion_protected": b.DeletionProtected, "stale_schema": false,
		"sharded": false, "shard_count": 1, "keyspace_count": 1, "parent_branch": orNull(b.Parent), "restored_from_branch": nil,
		"restore_checklist_completed_at": nil, "initial_restore_id": nil, "multiple_admins_required_for_demotion": false,
		"mysql_address": host, "mysql_edge_address": host, "mysql_provider_address": host, "access_host_url": host, "private_edge_connectivity": false,
		"direct_vtgate": false, "has_replicas": false, "has_read_only_replicas": false, "cluster_name": clusterName, "cluster_iops": nil,
		"cluster_architecture": "x86_64", "cluster_display_name": clusterDisplayName, "metal": false,
		"vtgate_size": "vg.c1.nano", "vtgate_display_name": "VTG-5", "vtgate_name": "VTG_5", "vtgate_count": 1, "vtgate_options": object{},
		"vtgate_autoscaling": false, "vtgate_max_count": nil, "vtgate_target_cpu_utilization": nil,
		"actor": b.Actor.show(), "region": showRegion(),
		"url": c.apiURL(db) + "/branches/" + b.Name, "html_url": c.htmlURL(db) + "/" + b.Name,
		"schema_last_updated_at": at(*schemaUpdated), "created_at": at(b.CreatedAt), "updated_at": at(b.UpdatedAt), "deleted_at": nil}
}

func (c *call) showPassword(b *branch, p *password, plain bool) object {
	var text, cidrs, ttl any
	if plain {
		text = p.PlainText
	}
	if p.CIDRs != nil {
		cidrs = p.CIDRs
	}
	if p.TTL > 0 {
		ttl = int64(p.TTL / time.Second)
	}
	host := c.e.options.MySQLAddress
	return object{"id": p.ID, "type": "BranchPassword", "name": p.Name, "role": p.Role, "username": p.Username, "plain_text": text,
		"access_host_url": host, "access_host_regional_url": host, "access_host_regional_urls": []string{}, "direct_vtgate": p.Direct,
		"direct_vtgate_addresses": []string{}, "replica": p.Replica, "read_only_region": false, "cidrs": cidrs, "ttl_seconds": ttl,
		"expires_at": atOrNull(p.ExpiresAt), "expired": p.expired(c.e.nowLocked()), "renewable": p.ExpiresAt != nil,
		"last_used_at": nil, "deleted_at": nil, "actor": p.Actor.show(), "region": showRegion(),
		"database_branch": object{"id": b.ID, "name": b.Name, "production": b.Production, "mysql_edge_address": host, "access_host_url": host,
			"private_edge_connectivity": false},
		"created_at": at(p.CreatedAt)}
}

func showKeyspace(db *database, b *branch) object {
	return object{"id": idOf("keyspace " + b.ID), "type": "Keyspace", "name": db.Name, "shards": 1, "sharded": false, "external": false,
		"replicas": 0, "extra_replicas": 0, "cluster_name": clusterName, "cluster_rate_name": clusterName, "cluster_display_name": clusterDisplayName,
		"ready": b.Ready, "default": true, "imported": false, "metal": false,
		"resizing": false, "resize_in_progress": false, "resize_pending": false, "config_change_in_progress": false,
		"vector_pool_allocation": nil, "max_rollout": nil, "node_ttl_strategy": "node_ttl_follow_maintenance",
		"disk_autoscaling":                   object{"strategy": "disable", "storage_limit_bytes": 0},
		"throttler":                          object{"enabled": true, "threshold": nil},
		"vreplication_flags":                 object{"optimize_inserts": true, "allow_no_blob_binlog_row_image": true, "vplayer_batching": false},
		"replication_durability_constraints": object{"strategy": "available"}, "read_only_regions": []object{},
		"mysqld_options": object{}, "vttablet_options": object{}, "created_at": at(b.CreatedAt), "updated_at": at(b.UpdatedAt)}
}
