package emulator

import (
	"html"
	"time"

	"github.com/pmig/pmig/schema"
)

// object is one answer's JSON object. The platform's answers have many members
// that nobody here decides: they are written down once, where they are shown.
type object = map[string]any

// dataOnly is the envelope of lists that have no pages.
type dataOnly struct {
	Data []any `json:"data"`
}

const timeForm = "2006-01-02T15:04:05.000Z"

func at(t time.Time) string { return t.UTC().Format(timeForm) }

// atOrNull is a time that may not have come.
func atOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return at(*t)
}

// orNull is a text that may not be there.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (a actor) show() object {
	return object{"id": a.ID, "type": a.Type, "display_name": a.Name, "avatar_url": "https://app.planetscale.com/gravatar-fallback.png"}
}

// showActor is nobody, or somebody.
func showActor(a *actor) any {
	if a == nil {
		return nil
	}
	return a.show()
}

// showRegion is the only region there is.
func showRegion() object {
	return object{"id": idOf("region us-east"), "type": "Region", "slug": "us-east", "provider": "AWS", "display_name": "AWS us-east-1",
		"location": "N. Virginia", "enabled": true, "public_ip_addresses": []string{}, "current_default": true,
		"mysql_supported": true, "postgresql_supported": true, "neki_supported": false}
}

func (c *call) showOrganization(o *organization) object {
	return object{"id": o.ID, "type": "Organization", "name": o.Name, "plan": "scaler_pro", "billing_email": "billing@" + o.Name + ".test",
		"database_count": len(o.Databases), "valid_billing_info": true, "sso": false, "sso_directory": false, "sso_portal_url": nil,
		"single_tenancy": false, "managed_tenancy": false, "idp_managed_roles": false, "keyspace_shard_limit": 8, "neki_router_replicas_per_cell_limit": 0, "has_card": true,
		"has_past_due_invoices": false, "invoice_budget_amount": "0.0", "payment_info_required": false, "features": object{},
		"created_at": at(o.CreatedAt), "updated_at": at(o.CreatedAt)}
}

func (c *call) apiURL(db *database) string {
	return c.base + "v1/organizations/" + db.Org + "/databases/" + db.Name
}

func (c *call) htmlURL(db *database) string { return c.base + db.Org + "/" + db.Name }

func (c *call) showDatabase(db *database) object {
	s := db.Settings
	production, tables := 0, 0
	var schemaUpdated *time.Time
	for _, b := range db.Branches {
		if b.Production {
			production++
		}
		if b.Name == s.DefaultBranch {
			schemaUpdated = b.SchemaUpdatedAt
			if sch, err := c.e.schemas.get(b.Seen); err == nil {
				tables = len(sch.Tables)
			}
		}
	}
	if schemaUpdated == nil {
		schemaUpdated = &db.CreatedAt
	}
	return object{"id": db.ID, "type": "Database", "name": db.Name, "kind": db.Kind, "state": "ready", "ready": true, "plan": "scaler_pro",
		"url": c.apiURL(db), "branches_url": c.apiURL(db) + "/branches", "html_url": c.htmlURL(db),
		"branches_count": len(db.Branches), "development_branches_count": len(db.Branches) - production, "production_branches_count": production,
		"default_branch": s.DefaultBranch, "default_branch_shard_count": 1, "default_branch_table_count": tables,
		"default_branch_read_only_regions_count": 0, "sharded": false, "open_schema_recommendations_count": 0, "issues_count": 0,
		"multiple_admins_required_for_deletion": false,
		"require_approval_for_deploy":           s.RequireApproval, "foreign_keys_enabled": s.ForeignKeys, "allow_data_branching": s.AllowDataBranching,
		"restrict_branch_region": s.RestrictBranchRegion, "deletion_protected": s.DeletionProtected, "prefer_instant": false,
		"development_branches_limit": developmentBranches,
		"automatic_migrations":       s.AutomaticMigrations, "migration_framework": s.MigrationFramework, "migration_table_name": s.MigrationTable,
		"at_development_branch_usage_limit": len(db.Branches)-production >= developmentBranches, "at_backup_restore_branches_limit": false,
		"production_branch_web_console": s.ProductionWebConsole, "insights_enabled": true, "insights_raw_queries": s.InsightsRawQueries,
		"resizing": false, "resize_queued": false, "config_changing": false, "config_change_queued": false, "data_import": nil,
		"schema_last_updated_at": at(*schemaUpdated), "region": showRegion(),
		"created_at": at(db.CreatedAt), "updated_at": at(db.UpdatedAt)}
}

func showSchema(s *schema.Schema) dataOnly {
	data := []any{}
	for _, t := range s.Tables {
		raw := t.Create
		if text, err := schema.Normalize(raw); err == nil {
			raw = text
		}
		data = append(data, object{"name": t.Name, "raw": raw, "html": highlight(raw), "annotated": false})
	}
	return dataOnly{data}
}

// showDiff shows changes of tables, and what differs between two routings.
func showDiff(changes []schema.Change, from, to routing) dataOnly {
	data := []any{}
	for _, ch := range changes {
		data = append(data, object{"name": ch.Table, "raw": ch.SQL, "html": highlight(ch.SQL)})
	}
	return dataOnly{append(data, showRoutingDiff(from, to)...)}
}

// highlight is the HTML that the platform gives beside SQL.
func highlight(sql string) string {
	return `<div class="highlight"><pre>` + html.EscapeString(sql) + `</pre></div>`
}

func showVSchema(s *schema.Schema) object {
	raw := "{\n  \"tables\": {"
	for i, t := range s.Tables {
		if i > 0 {
			raw += ","
		}
		raw += "\n    " + jsonText(t.Name) + ": {}"
	}
	if len(s.Tables) > 0 {
		raw += "\n  "
	}
	raw += "}\n}\n"
	return object{"raw": raw, "html": highlight(raw)}
}

func (c *call) showThrottler(db *database, id, name string) object {
	return object{"keyspaces": []string{db.Name},
		"configurable":   object{"id": id, "name": name, "created_at": at(db.CreatedAt), "updated_at": at(db.UpdatedAt), "deleted_at": nil},
		"configurations": []object{{"keyspace_name": db.Name, "ratio": db.Settings.ThrottlerRatio}}}
}
