package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// opened looks for the deploy request that this run opened already: one of its
// branch, known by the branch's id.
func (r *Run) opened(ctx context.Context) (bool, error) {
	if r.facts.Request != 0 {
		return true, nil
	}
	requests, err := r.API.DeployRequests(ctx, planetscale.DeployRequestFilter{Branch: r.facts.Branch})
	if err != nil {
		return false, fail(planner.DeployOpen, "list deploy requests", err)
	}
	for _, q := range requests {
		if q.BranchID != r.facts.BranchID || q.State != "open" {
			continue
		}
		stamp, err := planner.ParseStamp(q.Notes)
		if err != nil || stamp == nil || stamp.Run != r.facts.Run {
			return false, refuse(planner.DeployOpen, fmt.Sprintf("deploy request #%d", q.Number), "somebody else opened it from this run's branch",
				"close it, then apply again: "+q.HTMLURL)
		}
		return true, r.has(&q)
	}
	return false, nil
}

// has takes a request for this run's own.
func (r *Run) has(q *planetscale.DeployRequest) error {
	r.facts.Request = q.Number
	r.summary.Request, r.summary.URL = q.Number, q.HTMLURL
	r.saw(q.DeploymentState)
	return r.record(planner.DeployOpen, "opened", fmt.Sprintf("#%d", q.Number))
}

// open opens the deploy request. Its notes tell whoever approves it what it
// carries, and every machine what is owed once it is live.
func (r *Run) open(ctx context.Context) (string, error) {
	const step = planner.DeployOpen
	notes, err := r.notes()
	if err != nil {
		return "", fail(step, "write the notes", err)
	}
	if err := r.leads(); err != nil {
		return "", err
	}
	auto := r.facts.Plan.Deploy.Cutover != "manual"
	q, err := r.API.CreateDeployRequest(ctx, planetscale.NewDeployRequest{
		Branch: r.facts.Branch, IntoBranch: r.facts.Plan.Target, Notes: notes, AutoCutover: auto, AutoDeleteBranch: false,
	})
	if err != nil {
		return "", fail(step, "open a deploy request", err)
	}
	if q.BranchID != "" && q.BranchID != r.facts.BranchID {
		_, err := r.API.CloseDeployRequest(ctx, q.Number)
		return "", errors.Join(errLost, err)
	}
	if err := r.has(q); err != nil {
		return "", err
	}
	return fmt.Sprintf("#%d", q.Number), r.settle(ctx, q.Number, auto)
}

// settle reads back the two switches that an absent value would inherit from
// the previous request, and puts them right.
func (r *Run) settle(ctx context.Context, number int, auto bool) error {
	q, err := r.API.DeployRequest(ctx, number)
	if err != nil {
		return fail(planner.DeployOpen, fmt.Sprintf("read deploy request #%d back", number), err)
	}
	if q.Deployment == nil {
		return nil
	}
	if q.Deployment.AutoCutover != auto {
		if _, err := r.API.SetAutoApply(ctx, number, auto); err != nil {
			return fail(planner.DeployOpen, "set the cutover", err)
		}
	}
	if q.Deployment.AutoDeleteBranch {
		if _, err := r.API.SetAutoDeleteBranch(ctx, number, false); err != nil {
			return fail(planner.DeployOpen, "keep the branch", err)
		}
	}
	return nil
}

// notes writes the request's notes.
func (r *Run) notes() (string, error) {
	p := r.facts.Plan
	var b strings.Builder
	fmt.Fprintf(&b, "**pmig**: %s into `%s`\n\n", plural(p.PendingCount(), "migration"), p.Target)
	for _, s := range p.Sources {
		for _, m := range s.Pending {
			fmt.Fprintf(&b, "- `%s/%s` (%s)\n", s.Path, m.File, s.Tool)
		}
	}
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "\n%s: %s\n", f.Severity, f.Message)
	}
	for _, d := range r.facts.Data {
		fmt.Fprintf(&b, "\nwarning: changes rows, which do not reach %s: `%s`\n", p.Target, d)
	}
	fmt.Fprintf(&b, "\nRun `%s` by %s.\n", r.facts.Run, r.Holder)
	s := planner.Stamp{
		Identity: p.Identity, Run: r.facts.Run, Database: p.Label, BranchID: r.facts.BranchID, Intent: p.Intent,
		Target: r.facts.TargetSchema, Branch: r.facts.BranchSchema, Tables: r.facts.Tables,
	}
	for i, src := range p.Sources {
		h := planner.StampHistory{Source: src.Name, Tool: src.Tool, Keyspace: src.Keyspace, Table: src.History.Table, Custom: src.History.Custom,
			Seeded: src.History.Digest, Migrations: map[string]string{}, Gained: &r.facts.Gained[i]}
		for _, m := range src.Pending {
			h.Migrations[m.Key] = m.SHA256
		}
		s.Histories = append(s.Histories, h)
	}
	return s.Notes(b.String())
}

func (r *Run) saw(s planetscale.State) {
	if n := len(r.facts.States); n == 0 || r.facts.States[n-1] != string(s) {
		r.facts.States = append(r.facts.States, string(s))
	}
	r.summary.States = r.facts.States
}

// look reads the run's request and tells of it.
func (r *Run) look(ctx context.Context, step planner.Kind, waited time.Duration) (*planetscale.DeployRequest, error) {
	q, err := r.API.DeployRequest(ctx, r.facts.Request)
	if err != nil {
		return nil, fail(step, fmt.Sprintf("look at deploy request #%d", r.facts.Request), err)
	}
	r.saw(q.DeploymentState)
	e := Event{Type: Progress, Step: step, State: string(q.DeploymentState), Waited: waited, Request: q.Number, URL: q.HTMLURL,
		Message: fmt.Sprintf("deploy request #%d", q.Number)}
	if d := q.Deployment; d != nil {
		e.Queue = len(d.Preceding)
		e.Percent, e.ETA = progress(d.Operations)
	}
	r.send(e)
	return q, nil
}

// progress is the mean of the operations' percentages and the longest of their
// estimates; nil where the platform says nothing.
func progress(ops []planetscale.Operation) (*int, time.Duration) {
	sum, n := 0, 0
	var eta time.Duration
	for _, o := range ops {
		if o.ProgressPercentage != nil {
			sum += int(*o.ProgressPercentage)
			n++
		}
		if o.ETASeconds != nil {
			eta = max(eta, time.Duration(*o.ETASeconds*float64(time.Second)))
		}
	}
	if n == 0 {
		return nil, eta
	}
	mean := sum / len(ops)
	return &mean, eta
}

// reviewed looks whether the request has been deployed already.
func (r *Run) reviewed(ctx context.Context) (bool, error) {
	q, err := r.API.DeployRequest(ctx, r.facts.Request)
	if err != nil {
		return false, fail(planner.DeployReview, fmt.Sprintf("look at deploy request #%d", r.facts.Request), err)
	}
	info := q.DeploymentState.Info()
	return info.Started && info.Class != planetscale.ClassFailed, nil
}

// review waits for the platform's checks, compares what would be deployed with
// what the migrations did, and waits for an approval where one is needed.
func (r *Run) review(ctx context.Context) (string, error) {
	const step = planner.DeployReview
	var q *planetscale.DeployRequest
	err := poll(ctx, duration(r.facts.Plan.Deploy.ReviewTimeout), func(waited time.Duration) (bool, error) {
		var err error
		if q, err = r.look(ctx, step, waited); err != nil {
			return false, err
		}
		class := q.DeploymentState.Info().Class
		return class != planetscale.ClassComputing && class != planetscale.ClassUnknown, nil
	})
	if err != nil {
		return "", fail(step, "wait for the checks", err)
	}
	if q.State != "open" {
		return "", &Error{Outcome: Failed, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "it was closed" + by(q.ClosedBy),
			Next: "ask why, then run pmig apply again"}
	}
	switch q.DeploymentState.Info().Class {
	case planetscale.ClassNoChanges:
		// Believed only where it is seen: history.write reads the target.
		return "the target has the schema already", nil
	case planetscale.ClassFailed:
		return "", &Error{Outcome: Failed, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "the platform's checks failed: " + complaints(q),
			Next: "mend the migrations; the request is closed: " + q.HTMLURL}
	}
	if err := r.onlyOurs(ctx, q); err != nil {
		return "", err
	}
	return "", r.approval(ctx, q)
}

// onlyOurs compares the request's operations with the recorded changes, clause
// by clause: a surplus would deploy what no migration did.
func (r *Run) onlyOurs(ctx context.Context, q *planetscale.DeployRequest) error {
	const step = planner.DeployReview
	var ops []planetscale.Operation
	if q.Deployment != nil {
		ops = q.Deployment.Operations
	}
	if len(ops) == 0 {
		var err error
		if ops, err = r.API.Operations(ctx, q.Number); err != nil {
			return fail(step, "read the operations", err)
		}
	}
	var got []schema.Change
	for _, o := range ops {
		c, err := schema.ParseChange(o.TableName, o.OperationName, o.DDLStatement)
		if err != nil {
			return fail(step, "read operation on "+o.TableName, err)
		}
		got = append(got, c)
	}
	missing, surplus := schema.Compare(r.facts.Changes, got)
	if len(surplus) > 0 {
		return refuse(step, fmt.Sprintf("deploy request #%d", q.Number), "it would change what no migration changed: "+describe(surplus),
			"the branch was made from an old schema, or somebody worked on it; apply again makes a new one")
	}
	if len(missing) > 0 {
		return refuse(step, fmt.Sprintf("deploy request #%d", q.Number), "it lacks what the migrations did: "+describe(missing),
			"the platform's picture of the branch is old; apply again makes a new one")
	}
	return nil
}

// approval waits for a person, or leaves, as the configuration says.
func (r *Run) approval(ctx context.Context, q *planetscale.DeployRequest) error {
	const step = planner.DeployReview
	d := r.facts.Plan.Deploy
	needed := r.facts.Plan.Seen.ApprovalRequired || d.Approval == "require"
	if !needed || q.Approved {
		return nil
	}
	wanted := &Error{Outcome: Person, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "it needs an approval",
		Next: "approve it at " + q.HTMLURL + " and run pmig apply again: it goes on from here"}
	if d.Approval != "wait" {
		return wanted
	}
	timeout := duration(d.ApprovalTimeout)
	if r.WaitApproval > 0 {
		timeout = r.WaitApproval
	}
	r.note(step, fmt.Sprintf("deploy request #%d needs an approval: %s", q.Number, q.HTMLURL))
	began := time.Now()
	for {
		waited := time.Since(began)
		if waited >= timeout {
			return wanted
		}
		if err := sleep(ctx, min(max(15*time.Second, pause(waited)), time.Minute, timeout-waited)); err != nil {
			return err
		}
		now, err := r.look(ctx, step, time.Since(began))
		switch {
		case err != nil:
			return err
		case now.State != "open" || now.DeploymentState != q.DeploymentState:
			return &backError{step}
		case now.Approved:
			return nil
		}
	}
}

// complaints lists why the platform will not deploy.
func complaints(q *planetscale.DeployRequest) string {
	var out []string
	if d := q.Deployment; d != nil {
		for _, l := range d.LintErrors {
			out = append(out, strings.TrimSpace(l.Code+" "+l.TableName+": "+l.Description))
		}
		out = append(out, d.DeployCheckErrors...)
	}
	if len(out) == 0 {
		return "no reason given, see " + q.HTMLURL
	}
	return list(out)
}

func by(a *planetscale.Actor) string {
	if a == nil || a.DisplayName == "" {
		return ""
	}
	return " by " + a.DisplayName
}

// started looks whether the deployment was asked for already.
func (r *Run) started(ctx context.Context) (bool, error) {
	q, err := r.API.DeployRequest(ctx, r.facts.Request)
	if err != nil {
		return false, fail(planner.DeployStart, fmt.Sprintf("look at deploy request #%d", r.facts.Request), err)
	}
	r.saw(q.DeploymentState)
	info := q.DeploymentState.Info()
	return info.Started || info.Class == planetscale.ClassNoChanges, nil
}

// start asks for the deployment. It is the act that cannot be taken back, so
// whatever was seen long ago is looked at again first.
func (r *Run) start(ctx context.Context) (string, error) {
	const step = planner.DeployStart
	if err := r.unmoved(ctx); err != nil {
		return "", err
	}
	if err := r.freeLane(ctx); err != nil {
		return "", err
	}
	for try := 0; ; try++ {
		if err := r.leads(); err != nil {
			return "", err
		}
		_, err := r.API.Deploy(ctx, r.facts.Request, r.facts.Plan.Deploy.Instant)
		switch {
		case err == nil:
			return "", nil
		case planetscale.IsValidating(err) && try < 8:
			r.send(Event{Type: Progress, Step: step, Message: "the platform is still validating the changes", Waited: time.Duration(try) * 15 * time.Second})
			if err := sleep(ctx, 15*time.Second); err != nil {
				return "", err
			}
			continue
		case planetscale.IsNeedsApproval(err):
			return "", &Error{Outcome: Person, Step: step, What: fmt.Sprintf("deploy request #%d", r.facts.Request), Why: "it needs an approval", Err: err,
				Next: "approve it and run pmig apply again: it goes on from here"}
		}
		// The answer may be lost and the deployment begun: the state tells.
		if done, e := r.started(ctx); e == nil && done {
			return "", nil
		}
		return "", fail(step, fmt.Sprintf("deploy request #%d", r.facts.Request), err)
	}
}

// unmoved checks that history and schema of the target are still those that
// the run began from.
func (r *Run) unmoved(ctx context.Context) error {
	const step = planner.DeployStart
	_, seen, err := r.Planner.Plan(ctx)
	if err != nil {
		return err
	}
	for i, s := range seen.Sources {
		if i < len(r.facts.Bases) && r.facts.Bases[i] != nil && s.History.Digest() != r.facts.Bases[i].Digest() {
			r.note(step, "the history on "+r.facts.Plan.Target+" has moved since the migrations ran")
			return errAgain
		}
	}
	if r.facts.TargetTables == nil {
		return nil
	}
	now := seen.Schema.Digests()
	for table := range r.facts.Tables {
		if now[table] != r.facts.TargetTables[table] {
			r.note(step, "table "+table+" of "+r.facts.Plan.Target+" has changed since the migrations ran")
			return errAgain
		}
	}
	return nil
}

// freeLane closes the revert window of this configuration's previous
// deployment, which holds the queue. Windows of others are waited for.
func (r *Run) freeLane(ctx context.Context) error {
	if r.facts.Plan.Deploy.RevertWindow == "keep" {
		return nil
	}
	for _, q := range r.seen.Requests {
		if q.Request.Number == r.facts.Request || q.Request.DeploymentState != planetscale.StateCompletePendingRevert {
			continue
		}
		if err := r.leads(); err != nil {
			return err
		}
		r.note(planner.DeployStart, fmt.Sprintf("closing the revert window of deploy request #%d", q.Request.Number))
		if err := r.skipRevert(ctx, q.Request.Number); err != nil {
			return fail(planner.DeployStart, fmt.Sprintf("close the revert window of deploy request #%d", q.Request.Number), err)
		}
	}
	return nil
}

// finish waits until the schema is live. Only the two states that say so end
// it well; an unknown state is waited out.
func (r *Run) finish(ctx context.Context) (string, error) {
	const step = planner.DeployFinish
	timeout := duration(r.facts.Plan.Deploy.DeployTimeout)
	if r.WaitDeploy > 0 {
		timeout = r.WaitDeploy
	}
	var q *planetscale.DeployRequest
	err := poll(ctx, timeout, func(waited time.Duration) (bool, error) {
		var err error
		if q, err = r.look(ctx, step, waited); err != nil {
			if passing(err) {
				r.note(step, err.Error())
				return false, nil
			}
			return false, err
		}
		info := q.DeploymentState.Info()
		switch {
		case info.Live, info.Class == planetscale.ClassNoChanges:
			return true, nil
		case info.Class == planetscale.ClassFailed:
			return false, r.deployFailed(q)
		case q.DeploymentState == planetscale.StateReady || q.DeploymentState == planetscale.StatePending:
			return false, &backError{planner.DeployReview} // somebody took it out of the queue
		case q.WaitsForCutover():
			return false, &Error{Outcome: Person, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "it waits for a person's cutover",
				Next: "cut over at " + q.HTMLURL + " and run pmig apply again: it goes on from here"}
		}
		return false, nil
	})
	var late *timeoutError
	if asTimeout(err, &late) {
		return "", &Error{Outcome: Failed, Step: step, What: fmt.Sprintf("deploy request #%d", r.facts.Request),
			Why: fmt.Sprintf("still %s after %s; once it is live its history is owed", q.DeploymentState, late.after), Next: "run pmig apply again: it goes on waiting and then writes the history"}
	}
	if err != nil {
		return "", fail(step, "wait for the deployment", err)
	}
	return strings.Join(slices.Compact(slices.Clone(r.facts.States)), " > "), nil
}

// deployFailed names how the deployment ended.
func (r *Run) deployFailed(q *planetscale.DeployRequest) error {
	var why []string
	if q.Deployment != nil {
		for _, o := range q.Deployment.Operations {
			for _, e := range o.DeployErrors {
				why = append(why, o.TableName+": "+e)
			}
		}
	}
	e := &Error{Outcome: Failed, Step: planner.DeployFinish, What: fmt.Sprintf("deploy request #%d ended as %s", q.Number, q.DeploymentState),
		Why: list(why), Next: "nothing was written to the history; see " + q.HTMLURL}
	if e.Why == "" {
		e.Why = q.DeploymentState.Info().Meaning
	}
	return e
}
