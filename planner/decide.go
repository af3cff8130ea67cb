package planner

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/migration"
)

// Decide makes the plan. It reads nothing: the same configuration and
// observation give the same plan, byte for byte.
func Decide(platform, organization string, db *config.Database, o *Observation) *Database {
	d := &Database{
		Label: db.Label, Platform: platform, Organization: organization,
		Name: db.Name, Target: db.Target.Name, Working: WorkingPrefix(db),
		Seen: Seen{
			Schema: o.Schema.Digest(), Tables: o.Schema.Digests(),
			ApprovalRequired: o.Settings.RequireApprovalForDeploy,
		},
		Deploy:   deploySettings(db.Deploy),
		Policy:   Policy{DataChanges: db.Policy.DataChanges, Drops: db.Policy.Drops, OutOfOrder: db.Policy.OutOfOrder},
		Identity: Identity(organization, db),
	}
	for _, s := range o.Sources {
		d.Sources = append(d.Sources, decideSource(s))
	}
	d.Intent = intent(d)
	d.Findings = findings(d, db, o)
	if d.PendingCount() > 0 {
		d.Steps = steps(d)
	}
	return d
}

// WorkingPrefix is what the names of the working branches begin with on the
// platform; a number follows.
func WorkingPrefix(db *config.Database) string { return "pmig-" + db.Working.Name + "-" }

// Identity is a short digest of what is migrated: organization, database,
// target and history tables. Two configurations with one identity do the same
// job; two with different ones on one database are strangers.
func Identity(organization string, db *config.Database) string {
	tables := make([]string, 0, len(db.Sources))
	for _, s := range db.Sources {
		for _, spec := range s.Histories {
			tables = append(tables, spec.Database+"."+spec.HistoryTable())
		}
	}
	sort.Strings(tables)
	d := digest([]any{organization, db.Name, db.Target.Name, tables})
	return strings.TrimPrefix(d, "sha256:")[:12]
}

func deploySettings(d config.Deploy) Deploy {
	return Deploy{
		Approval: d.Approval, Cutover: d.Cutover, Instant: d.Instant, RevertWindow: d.RevertWindow,
		BranchTimeout: d.Timeouts.Branch.String(), MigrateTimeout: d.Timeouts.Migrate.String(),
		ReviewTimeout: d.Timeouts.Review.String(), ApprovalTimeout: d.Timeouts.Approval.String(),
		DeployTimeout: d.Timeouts.Deploy.String(),
	}
}

func decideSource(s ObservedSource) Source {
	out := Source{
		Name: s.Source.Name, Tool: s.Spec.Tool.Name, Path: s.Source.RelPath, Keyspace: s.Spec.Database,
		Command: s.Source.CommandText(), Env: s.Source.EnvText(),
		History: History{
			Table: s.Spec.HistoryTable(), Shape: string(s.Spec.Shape()), Exists: s.History.Exists, Rows: len(s.History.Rows),
			Digest: s.History.Digest(), Pointer: s.Status.Pointer, Custom: s.Spec.Custom,
		},
		Files: len(s.Files), Applied: len(s.Status.Applied), Orphans: s.Status.Orphans,
	}
	late := map[string]bool{}
	for _, f := range s.Status.Late {
		late[f.Key] = true
	}
	for _, f := range s.Status.Pending {
		out.Pending = append(out.Pending, Migration{Key: f.Key, File: f.Path, SHA256: f.SHA256, Late: late[f.Key]})
	}
	return out
}

// intent digests what the run is asked to do: where, with which tools, which
// migrations by content, and how careful to be. Nothing that was seen on the
// target is in it but through the list of what is pending.
func intent(d *Database) string {
	type source struct {
		Name, Tool, Keyspace, Table, Path string
		Command                           []string
		Env                               map[string]string
		Pending                           []Migration
	}
	in := struct {
		Identity, Target, Working string
		Sources                   []source
		Deploy                    Deploy
		Policy                    Policy
	}{Identity: d.Identity, Target: d.Target, Working: d.Working, Deploy: d.Deploy, Policy: d.Policy}
	for _, s := range d.Sources {
		in.Sources = append(in.Sources, source{s.Name, s.Tool, s.Keyspace, s.History.Table, s.Path, s.Command, s.Env, s.Pending})
	}
	return digest(in)
}

func steps(d *Database) []Step {
	n := d.PendingCount()
	var tables, tools, writes []string
	for _, s := range d.Sources {
		tables = append(tables, s.History.Table)
		switch last := len(s.Pending) - 1; {
		case last < 0:
		case s.History.Shape == string(migration.Pointer):
			writes = append(writes, fmt.Sprintf("move %s to %s", s.History.Table, s.Pending[last].Key))
		default:
			writes = append(writes, fmt.Sprintf("add %s to %s", plural(last+1, "row"), s.History.Table))
		}
		if len(s.Pending) > 0 {
			tools = append(tools, fmt.Sprintf("%s (%d)", s.Name, len(s.Pending)))
		}
	}
	history := strings.Join(tables, ", ")
	review := "wait for the checks"
	if d.Seen.ApprovalRequired || d.Deploy.Approval == "require" {
		review = "wait for the checks and for an approval"
	}
	finish := "wait until the schema is live"
	if d.Deploy.Cutover == "manual" {
		finish = "wait for a person's cutover and until the schema is live"
	}
	return []Step{
		{Preflight, "look at settings, permissions and unfinished work"},
		{BranchCreate, fmt.Sprintf("make branch %sN from %s", d.Working, d.Target)},
		{BranchVerify, fmt.Sprintf("its schema equals %s's", d.Target)},
		{HistorySeed, "copy the rows of " + history + " to it"},
		{Migrate, "run " + strings.Join(tools, ", ")},
		{BranchCheck, fmt.Sprintf("history gained exactly %d, nothing else changed", n)},
		{DeployOpen, fmt.Sprintf("open a deploy request into %s", d.Target)},
		{DeployReview, review},
		{DeployStart, "deploy it"},
		{DeployFinish, finish},
		{HistoryWrite, strings.Join(writes, ", ") + " on " + d.Target},
		{Cleanup, "delete passwords and branch"},
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func sortRequests(rs []StampedRequest) {
	sort.Slice(rs, func(i, j int) bool { return rs[i].Request.Number > rs[j].Request.Number })
}

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }
