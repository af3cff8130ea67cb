package planner

import (
	"fmt"
	"strings"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/migration"
)

// findings looks at the plan with the eyes of a reviewer.
func findings(d *Database, db *config.Database, o *Observation) []Finding {
	var fs []Finding
	add := func(f Finding) { fs = append(fs, f) }
	pending := d.PendingCount() > 0
	if !o.Branch.Ready {
		add(Finding{Severity: SeverityError, Code: CodeTargetNotReady, Message: fmt.Sprintf("branch %s is not ready", d.Target), Hint: "wait until it is awake and try again"})
	}
	if !o.Branch.SafeMigrations {
		add(Finding{
			Severity: SeverityError, Code: CodeSafeMigrationsOff,
			Message: fmt.Sprintf("branch %s has no safe migrations, so nothing can be deployed into it", d.Target),
			Hint:    fmt.Sprintf("turn them on: pscale branch safe-migrations enable %s %s", d.Name, d.Target),
		})
	}
	if pending && (o.Settings.RequireApprovalForDeploy || d.Deploy.Approval == "require") {
		what := "apply leaves with exit code 4 until somebody has approved; run it again then"
		if d.Deploy.Approval == "wait" {
			what = "apply waits " + d.Deploy.ApprovalTimeout + " for it"
		}
		add(Finding{Severity: SeverityNote, Code: CodeApproval, Message: "the deploy request needs an approval", Hint: what})
	}
	owed := Owed(o)
	if owed != nil {
		add(Finding{Severity: SeverityNote, Code: CodeUnfinished,
			Message: fmt.Sprintf("deploy request #%d is %s and its history is not written yet", owed.Request.Number, owed.Request.DeploymentState),
			Hint:    "apply finishes that first, and then plans again"})
	}
	for _, q := range o.Requests {
		if q.Request.State == "open" && !q.Request.DeploymentState.Info().Started {
			add(Finding{Severity: SeverityNote, Code: CodeUnfinished,
				Message: fmt.Sprintf("deploy request #%d of an earlier run is open", q.Request.Number),
				Hint:    "apply goes on with it if it is for this very plan; pmig abandon gives it up"})
		}
	}
	if q := Reverted(o); q != nil {
		add(Finding{Severity: SeverityError, Code: CodeReverted,
			Message: fmt.Sprintf("deploy request #%d %s, and the history of %s still says that its migrations are applied", q.Request.Number, endOf(&q.Request).text(), d.Target),
			Hint:    "pmig revert takes its rows out of the history again"})
	}
	stop := brake(d, o)
	if stop != nil {
		acknowledge(stop, db.Acknowledged)
		add(*stop)
	}
	fs = append(fs, idle(stop, db.Acknowledged)...)
	for i, s := range o.Sources {
		fs = append(fs, sourceFindings(&d.Sources[i], s, db, o)...)
	}
	return fs
}

func sourceFindings(p *Source, s ObservedSource, db *config.Database, o *Observation) []Finding {
	var fs []Finding
	add := func(sev Severity, code, file, message, hint string) {
		fs = append(fs, Finding{Severity: sev, Code: code, Source: p.Name, File: file, Message: message, Hint: hint})
	}
	tool := s.Spec.Tool
	pending := len(p.Pending) > 0
	if f, ok := noFiles(p); ok {
		fs = append(fs, f)
	}
	for _, pr := range s.Problems {
		hint := ""
		if pr.Severity == migration.Error {
			hint = "mend or remove the file: " + tool.Name + " would stop at it"
		}
		add(severityOf(pr.Severity), CodeFile, pr.Path, pr.Message, hint)
	}
	if len(s.Status.Dirty) > 0 {
		add(SeverityError, CodeDirty, "", fmt.Sprintf("%s on %s is marked dirty at %s: a migration failed half-way", p.History.Table, db.Target.Name, list(s.Status.Dirty)),
			fmt.Sprintf("find out what was done of it, then say so: pmig history repair --clear %s if it is all there, --unmark if nothing is", s.Status.Dirty[0]))
	}
	if s.Status.Locked {
		by := ""
		if s.Status.LockedBy != "" {
			by = " by " + s.Status.LockedBy
		}
		add(SeverityError, CodeLocked, "", fmt.Sprintf("the lock table of %s on %s is held%s", p.History.Table, db.Target.Name, by),
			"if no migration is running there, free it: pmig history repair --unlock")
	}
	if len(p.Orphans) > 0 {
		sev, hint := SeverityNote, "these files are older than the target, which is fine"
		if pending && tool.Orphans == migration.Refuses {
			sev, hint = SeverityError, fmt.Sprintf("%s refuses to run with rows that have no file: bring the files back", tool.Name)
		}
		add(sev, CodeOrphans, "", fmt.Sprintf("%s of %s have no file here: %s", plural(len(p.Orphans), "row"), p.History.Table, list(p.Orphans)), hint)
	}
	for _, m := range p.Pending {
		if !m.Late {
			continue
		}
		switch {
		case tool.Late == migration.Skips:
			add(SeverityError, CodeLate, m.File, fmt.Sprintf("%s sorts before a migration that is applied, and %s would skip it in silence", m.Key, tool.Name), "give it a newer number")
		case tool.Late == migration.Refuses:
			add(SeverityError, CodeLate, m.File, fmt.Sprintf("%s sorts before a migration that is applied, and %s refuses it", m.Key, tool.Name), "give it a newer number")
		case db.Policy.OutOfOrder == "refuse":
			add(SeverityError, CodeLate, m.File, m.Key+" sorts before a migration that is applied", "give it a newer number, or set policy { out_of_order = \"allow\" }")
		default:
			add(SeverityWarning, CodeLate, m.File, fmt.Sprintf("%s sorts before a migration that is applied; %s runs it now", m.Key, tool.Name), "")
		}
	}
	if pending && s.Status.Baseline && !tool.OwnTables && hasOtherTables(o, s.Spec) && Owed(o) == nil {
		add(SeverityError, CodeBaseline, "", fmt.Sprintf("%s is empty on %s but the schema is not: %s would run every migration again", p.History.Table, db.Target.Name, tool.Name),
			"record what the schema already has in the history table (the tool's own baseline or mark command), then plan again")
	}
	if o.Settings.AutomaticMigrations && o.Settings.MigrationTableName == p.History.Table {
		sev, hint := SeverityNote, "pmig writes the rows itself, and PlanetScale's later copy then finds them there"
		if s.Spec.Shape() == migration.Pointer {
			sev, hint = SeverityError, fmt.Sprintf("turn it off: pscale database update-settings %s --automatic-migrations=false", db.Name)
		}
		add(sev, CodeCopySetting, "", "PlanetScale's setting \"copy migration data\" names "+p.History.Table, hint)
	}
	return fs
}

// noFiles finds a folder without any migration, which is an error where there
// has been one.
func noFiles(p *Source) (Finding, bool) {
	sev := SeverityWarning
	if p.History.Rows > 0 {
		sev = SeverityError
	}
	return Finding{Severity: sev, Code: CodeNoFiles, Source: p.Name,
		Message: fmt.Sprintf("there is no migration in %s, and %s has %s", p.Path, p.History.Table, plural(p.History.Rows, "row")),
		Hint:    "check that the folder is the right one, and that it is in this image"}, p.Files == 0
}

func severityOf(s migration.Severity) Severity {
	switch s {
	case migration.Error:
		return SeverityError
	case migration.Warning:
		return SeverityWarning
	}
	return SeverityNote
}

// hasOtherTables reports whether the target has tables besides the histories
// and pmig's own.
func hasOtherTables(o *Observation, spec migration.Spec) bool {
	own := append(spec.Tables(), o.Own...)
	for _, s := range o.Sources {
		own = append(own, s.Spec.Tables()...)
	}
	return len(o.Schema.Without(own...).Tables) > 0
}

func list(keys []string) string {
	const most = 5
	if len(keys) <= most {
		return strings.Join(keys, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(keys[:most], ", "), len(keys)-most)
}
