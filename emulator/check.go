package emulator

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// tablesPerRequest is how many tables a deploy request may alter.
const tablesPerRequest = 10

// findings is what the checks of a deploy request found.
type findings struct {
	base, branch, target schemaID
	want                 schemaID
	altered              int  // the target's, when they were begun
	gone                 bool // the branch is no more
	operations           []*operation
	routing              bool
	lint                 []lintError
	checkErrors          string
	instant              bool
}

// outcome is how the checks have ended, and the state that follows.
func (f *findings) outcome() (planetscale.Trigger, planetscale.State) {
	switch {
	case len(f.lint) > 0 || f.checkErrors != "":
		return planetscale.TriggerCheckFailed, planetscale.StateError
	case len(f.operations) == 0 && !f.routing:
		return planetscale.TriggerDiffEmpty, planetscale.StateNoChanges
	}
	return planetscale.TriggerDiffFound, planetscale.StateReady
}

func (f *findings) deployable() bool {
	_, to := f.outcome()
	return to == planetscale.StateReady
}

// check computes a request's diff: what has changed on the branch since it was
// made, carried onto the target as it is now. The lock must not be held.
func (e *Emulator) check(ctx context.Context, db *database, dr *deployRequest) (*findings, error) {
	f, err := e.compare(ctx, db, dr)
	if err != nil && e.gone(db, dr) { // it was deleted meanwhile
		return e.compare(ctx, db, dr)
	}
	return f, err
}

// gone says whether a request's branch, or its target, is no more.
func (e *Emulator) gone(db *database, dr *deployRequest) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return db.branchByID(dr.BranchID) == nil || db.branchByID(dr.IntoID) == nil
}

func (e *Emulator) compare(ctx context.Context, db *database, dr *deployRequest) (*findings, error) {
	e.mu.Lock()
	b, into := db.branchByID(dr.BranchID), db.branchByID(dr.IntoID)
	opts := schema.LintOptions{ForeignKeys: db.Settings.ForeignKeys}
	perRow, each := e.world.Knobs.CopyPerRow, e.world.Knobs.Deploy
	f := &findings{branch: dr.Deployment.BranchSchema, target: dr.Deployment.TargetSchema, gone: b == nil || into == nil}
	if f.gone { // nothing will come of it, and nobody is to wait
		e.mu.Unlock()
		f.checkErrors = "the branch has been deleted"
		return f, nil
	}
	f.base, f.altered = b.Base, into.altered
	e.mu.Unlock()
	base, err := e.schemas.get(f.base)
	if err != nil {
		return nil, err
	}
	branchID, ours, err := e.picture(ctx, db, b)
	if err != nil {
		return nil, err
	}
	targetID, theirs, err := e.look(ctx, into.ID, db.Name)
	if err != nil {
		return nil, err
	}
	f.branch, f.target = branchID, targetID
	if len(ours.Tables) == 0 && len(theirs.Tables) > 0 {
		f.checkErrors = "the schema of the branch is empty"
		return f, nil
	}
	tables, conflicts := merge(base.Schema, ours.Schema, theirs.Schema)
	routed, more := mergeRouting(base.Routing, ours.Routing, theirs.Routing)
	if f.lint = slices.Concat(conflicts, more, lint(db.Name, ours, opts)); len(f.lint) > 0 {
		return f, nil
	}
	want := &structure{tables, routed}
	if f.lint = lintRouting(db.Name, want); len(f.lint) > 0 {
		return f, nil
	}
	f.routing = !sameRouting(routed, theirs.Routing)
	changes, err := schema.Diff(theirs.Schema, tables)
	if err != nil {
		f.checkErrors = err.Error()
		return f, nil
	}
	if f.want, err = e.schemas.put(want); err != nil {
		return nil, err
	}
	altered := map[string]bool{}
	f.instant = schema.Instant(changes) && !f.routing
	for _, c := range changes {
		altered[c.Table] = true
	}
	if len(altered) > tablesPerRequest {
		f.checkErrors = fmt.Sprintf("This deploy request is not deployable: it changes %d tables, the limit is %d", len(altered), tablesPerRequest)
	}
	conn, err := e.connect(ctx, into.ID, db.Name)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	now := e.now()
	for _, c := range changes {
		op := &operation{ID: newID(), State: "pending", Change: c, Copy: each, CreatedAt: now, UpdatedAt: now}
		if c.Verb == "ALTER" {
			op.Rows = rows(ctx, conn, c.Table)
			op.Copy += time.Duration(op.Rows) * perRow
		}
		f.operations = append(f.operations, op)
	}
	return f, nil
}

// rows counts a table's rows; a view, or a table that cannot be counted, has
// none.
func rows(ctx context.Context, conn *sql.DB, table string) (n int64) {
	if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quote(table)).Scan(&n); err != nil {
		return 0
	}
	return n
}

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// checkedLocked takes over what the checks found, unless the request has moved on.
func (e *Emulator) checkedLocked(db *database, dr *deployRequest, f *findings) {
	dr.Deployment.take(f)
	if b := db.branchByID(dr.BranchID); b != nil {
		e.sawLocked(b, f.branch)
	}
	if b := db.branchByID(dr.IntoID); b != nil {
		e.sawLocked(b, f.target)
	}
	dr.dismiss(f.branch)
	by, to := f.outcome()
	e.moveLocked(db, dr, by, to, f.summary())
}

// take is for what the checks found to stand in the deployment.
func (d *deployment) take(f *findings) {
	d.CountedFrom, d.BranchSchema, d.TargetSchema, d.WantSchema = f.base, f.branch, f.target, f.want
	d.Operations, d.Lint, d.CheckErrors, d.InstantEligible, d.Routing = f.operations, f.lint, f.checkErrors, f.instant, f.routing
}

func (f *findings) summary() string {
	var parts []string
	for _, l := range f.lint {
		parts = append(parts, l.Code+" "+l.Table)
	}
	if f.checkErrors != "" {
		parts = append(parts, f.checkErrors)
	}
	for _, op := range f.operations {
		parts = append(parts, op.Change.Verb+" "+op.Change.Table)
	}
	if f.routing {
		parts = append(parts, "VSchema")
	}
	if len(parts) == 0 {
		return "the branches do not differ"
	}
	return strings.Join(slices.Compact(parts), ", ")
}
