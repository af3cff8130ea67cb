package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pmig/pmig/gateway"
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// migrate runs every source's tool on the branch, through the gateway. It is
// never resumed: what a tool has half done cannot be told from outside.
func (r *Run) migrate(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, duration(r.facts.Plan.Deploy.MigrateTimeout),
		&Error{Outcome: Failed, Step: planner.Migrate, What: "the migrations", Why: "not done after " + r.facts.Plan.Deploy.MigrateTimeout,
			Next: "look at what they wait for, or give them longer: deploy { timeouts { migrate = \"2h\" } }"})
	defer cancel()
	if err := r.stillSeeded(ctx); err != nil {
		return "", err
	}
	statements := 0
	r.facts.Touches = nil
	for i, src := range r.facts.Plan.Sources {
		if len(src.Pending) == 0 {
			r.noteTouched(src, nil)
			continue
		}
		if err := r.leads(); err != nil {
			return "", err
		}
		n, err := r.migrateSource(ctx, i, src)
		if err != nil {
			if cause := context.Cause(ctx); ctx.Err() != nil && isOwn(cause) {
				return "", cause
			}
			return "", err
		}
		statements += n
	}
	return plural(statements, "statement"), nil
}

func (r *Run) migrateSource(ctx context.Context, i int, src planner.Source) (int, error) {
	const step = planner.Migrate
	seen := r.seen.Sources[i]
	gw, err := r.gate(ctx, src, seen.Spec)
	if err != nil {
		return 0, fail(step, "start the gateway", err)
	}
	defer gw.Close()
	began := time.Now()
	withheld, runErr := r.runTool(ctx, src, seen, gw.Endpoint())
	gw.Close()
	report := gw.Report()
	r.noteData(src.Name, report)
	r.noteTouched(src, report.Migrations)
	what := fmt.Sprintf("source %q", src.Name)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if report.Connections == 0 {
		return 0, r.neverConnected(what, report, withheld, runErr)
	}
	if runErr != nil {
		return 0, &Error{Outcome: Failed, Step: step, What: what, Err: runErr,
			Next: "the branch is thrown away and production is untouched: mend the migration and apply again"}
	}
	if len(r.facts.Plan.Sources) > 1 {
		r.send(Event{Type: Note, Step: step, Source: src.Name, Took: time.Since(began),
			Message: fmt.Sprintf("%s: %s on the branch", src.Name, plural(report.Statements, "statement"))})
	}
	return report.Statements, nil
}

// noteData remembers the statements that changed rows, so many of them as a
// person would read.
func (r *Run) noteData(source string, report gateway.Report) {
	const most = 20
	for i, s := range report.DataChanges {
		if i == most {
			r.facts.Data = append(r.facts.Data, fmt.Sprintf("%s: and %d more", source, len(report.DataChanges)-most+report.Unlisted))
			return
		}
		r.facts.Data = append(r.facts.Data, source+": "+firstLine(s.SQL))
	}
}

// gate starts the gateway to the branch for one source.
func (r *Run) gate(ctx context.Context, src planner.Source, spec migration.Spec) (*gateway.Gateway, error) {
	p := r.lease.access.Password()
	dial, tls, err := r.Dial(planner.Login{Host: p.Host, User: p.Username, Password: p.PlainText, Database: src.Keyspace})
	if err != nil {
		return nil, err
	}
	o := gateway.Options{Database: src.Keyspace, History: spec.Tables(), Listen: r.Listen}
	o.Backend.Dial, o.Backend.TLS = dial, tls
	o.Backend.User, o.Backend.Password, o.Backend.Database = p.Username, p.PlainText.Reveal(), src.Keyspace
	return gateway.Start(ctx, o)
}

// runTool runs the source's command, or the library that does its job in this
// process. It returns the names of the variables that were kept from the child.
func (r *Run) runTool(ctx context.Context, src planner.Source, seen planner.ObservedSource, at gateway.Endpoint) (withheld []string, err error) {
	if len(src.Command) == 0 && seen.Spec.Tool.InProcess {
		return nil, golangMigrate(ctx, seen, src.Pending, at, r.DialGate)
	}
	cmd, err := r.Command(src.Name, at)
	if err != nil {
		return nil, err
	}
	cmd.Output = func(line string) {
		r.send(Event{Type: Output, Step: planner.Migrate, Source: src.Name, Message: line})
	}
	if cmd.Done != nil {
		defer cmd.Done()
	}
	return cmd.Withheld, r.Exec(ctx, cmd)
}

// neverConnected explains a command that ended without having been seen.
func (r *Run) neverConnected(what string, report gateway.Report, withheld []string, runErr error) error {
	e := &Error{Outcome: Failed, Step: planner.Migrate, What: what, Why: "the command never connected to the branch", Err: runErr,
		Next: "pass it the branch, for example: env = { DATABASE_URL = branch." + r.branchLabel() + ".url }"}
	var advice interface{ Hint() string }
	switch {
	case errors.As(runErr, &advice): // it could not even be started
		return &Error{Outcome: Failed, Step: planner.Migrate, What: what, Err: runErr}
	case report.FailedTLS > 0:
		e.Why = "the command refused the gateway's certificate"
		e.Next = "trust the one-run CA in branch." + r.branchLabel() + ".ca_file, or connect without TLS: the gateway is on 127.0.0.1"
	case report.FailedLogins > 0:
		e.Why = "the command connected with another user or password than the branch's"
	case len(withheld) > 0:
		e.Why += "; not passed on to it: " + strings.Join(withheld, ", ")
		e.Next += "; a variable that it needs is let through with pass_env"
	}
	return e
}

func (r *Run) branchLabel() string {
	return strings.TrimSuffix(strings.TrimPrefix(r.facts.Plan.Working, "pmig-"), "-")
}

// checkBranch believes no exit code: the branch's history must have gained
// exactly the plan, and what the branch's schema gained is written down.
func (r *Run) checkBranch(ctx context.Context) (string, error) {
	const step = planner.BranchCheck
	db, err := r.branch(ctx)
	if err != nil {
		return "", fail(step, "connect to the branch", err)
	}
	r.facts.Gained = nil
	for i, src := range r.facts.Plan.Sources {
		spec := r.seen.Sources[i].Spec
		h, err := migration.Read(ctx, db, spec)
		if err != nil {
			return "", fail(step, "read "+spec.HistoryTable()+" on the branch", err)
		}
		d, err := migration.Gained(spec, r.facts.Bases[i], h)
		if err != nil {
			return "", fail(step, "compare "+spec.HistoryTable(), err)
		}
		if err := r.asPlanned(src, r.seen.Sources[i], h, d); err != nil {
			return "", err
		}
		if err := unedited(src, r.seen.Sources[i]); err != nil {
			return "", err
		}
		r.facts.Gained = append(r.facts.Gained, d)
	}
	if len(r.facts.Data) > 0 && r.facts.Plan.Policy.DataChanges != "allow" {
		return "", refuse(step, "a migration changes rows, and rows on a branch never reach the target", list(r.facts.Data),
			"move it to a migration that runs on the target after the deploy, or accept the loss: policy { data_changes = \"allow\" }")
	}
	if err := r.noteChanges(ctx); err != nil {
		return "", err
	}
	r.facts.Checked, r.facts.CheckedAt = true, time.Now().UTC()
	return plural(r.facts.Plan.PendingCount(), "migration") + ", " + plural(len(r.facts.Changes), "schema change"), nil
}

// asPlanned compares what one history gained with what the plan wanted.
func (r *Run) asPlanned(src planner.Source, seen planner.ObservedSource, h *migration.History, d migration.Delta) error {
	const step = planner.BranchCheck
	what := fmt.Sprintf("source %q", src.Name)
	after := migration.Compare(seen.Spec, seen.Files, h)
	if len(after.Dirty) > 0 {
		return &Error{Outcome: Failed, Step: step, What: what, Why: fmt.Sprintf("%s left %s marked as failed", src.Tool, list(after.Dirty)),
			Next: "the branch is thrown away and production is untouched: mend the migration and apply again"}
	}
	if after.Locked {
		return &Error{Outcome: Failed, Step: step, What: what, Why: src.Tool + " ended and left its lock table locked", Next: "see its output above"}
	}
	want := map[string]bool{}
	for _, m := range src.Pending {
		want[m.Key] = true
	}
	var missing, surplus []string
	for _, f := range after.Pending {
		if want[f.Key] {
			missing = append(missing, f.Key)
		}
	}
	for _, k := range d.Keys {
		if !want[k] {
			surplus = append(surplus, k)
		}
	}
	if len(missing) > 0 {
		return &Error{Outcome: Failed, Step: step, What: what, Why: fmt.Sprintf("%s ended without an error but did not apply %s", src.Tool, list(missing)),
			Next: "see its output above; check that the command runs all pending migrations of " + src.Path}
	}
	if d.To != "" && len(src.Pending) > 0 && d.To != src.Pending[len(src.Pending)-1].Key {
		surplus = append(surplus, d.To)
	}
	if len(surplus) > 0 {
		return refuse(step, what, fmt.Sprintf("%s recorded %s, which the plan does not hold", src.Tool, list(surplus)),
			"check that the command reads the folder "+src.Path)
	}
	return nil
}

// unedited wants the files to be those that were planned: a tool reads them
// when it runs, and somebody may have changed them since.
func unedited(src planner.Source, seen planner.ObservedSource) error {
	const step = planner.BranchCheck
	what := fmt.Sprintf("source %q", src.Name)
	now, _, err := migration.Files(seen.FS, seen.Spec)
	if err != nil {
		return fail(step, what+": read its files again", err)
	}
	was := map[string]string{}
	for _, f := range seen.Files {
		was[f.Key] = f.SHA256
	}
	for _, f := range now {
		if was[f.Key] != f.SHA256 {
			return refuse(step, what, f.Path+" was changed or added while the run was under way", "apply again: the plan is made anew")
		}
		delete(was, f.Key)
	}
	for key := range was {
		return refuse(step, what, "the file of "+key+" was removed while the run was under way", "apply again: the plan is made anew")
	}
	return nil
}

// noteChanges reads the branch's schema and writes down what the migrations
// changed, which is what the deploy request must be equal to.
func (r *Run) noteChanges(ctx context.Context) error {
	const step = planner.BranchCheck
	db, err := r.branch(ctx)
	if err != nil {
		return fail(step, "connect to the branch", err)
	}
	after, err := schema.Read(ctx, db, r.facts.Plan.Name)
	if err != nil {
		return fail(step, "read the branch's schema", err)
	}
	changes, err := schema.Diff(r.seen.Schema, after)
	if err != nil {
		return fail(step, "compare the schemas", err)
	}
	if changes == nil {
		changes = []schema.Change{}
	}
	var drops []string
	before := r.seen.Schema.Digests()
	r.facts.Before = map[string]string{}
	for _, c := range changes {
		r.facts.Before[c.Table] = before[c.Table]
		if c.DropsData {
			drops = append(drops, c.SQL)
		}
	}
	if len(drops) > 0 && r.facts.Plan.Policy.Drops != "allow" {
		return refuse(step, "the migrations drop data", list(drops),
			"a renamed column or table shows as a drop too: add, backfill, switch, then drop; to drop on purpose: policy { drops = \"allow\" }")
	}
	r.facts.Changes, r.facts.BranchSchema = changes, after.Digest()
	return nil
}

func list(items []string) string {
	const most = 5
	if len(items) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(items[:most], ", "), len(items)-most)
	}
	return strings.Join(items, ", ")
}

func firstLine(sql string) string {
	const most = 160
	sql = strings.Join(strings.Fields(sql), " ")
	if len(sql) > most {
		sql = sql[:most] + "..."
	}
	return sql
}

// describe puts schema changes into a few words.
func describe(changes []schema.Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, firstLine(c.SQL))
	}
	if len(out) == 0 {
		return "they differ in a way that has no statement"
	}
	return list(out)
}
