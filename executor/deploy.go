package executor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
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
	var first *planetscale.DeployRequest
	for i, q := range requests {
		if !r.without.same(q.BranchID, r.facts.BranchID) || q.State != planetscale.RequestOpen {
			continue
		}
		stamp, err := planner.ParseStamp(q.Notes)
		if err != nil || stamp == nil || stamp.Run != r.facts.Run {
			return false, refuse(planner.DeployOpen, fmt.Sprintf("deploy request #%d", q.Number), "somebody else opened it from this run's branch",
				"close it, then apply again: "+q.HTMLURL)
		}
		if first == nil || q.Number < first.Number {
			first = &requests[i]
		}
	}
	if first == nil {
		return false, nil
	}
	// A lost answer can leave more than one: the lowest counts.
	for _, q := range requests {
		if q.BranchID == r.facts.BranchID && q.State == planetscale.RequestOpen && q.Number != first.Number {
			if err := r.leads(); err != nil {
				return false, err
			}
			if _, err := r.API.CloseDeployRequest(ctx, q.Number); err != nil && !planetscale.IsRefused(err) {
				return false, fail(planner.DeployOpen, fmt.Sprintf("close deploy request #%d, opened twice", q.Number), err)
			}
		}
	}
	return true, r.has(first)
}

// lookForOpened looks for a request whose answer was lost: it may show up late.
func (r *Run) lookForOpened(ctx context.Context) (bool, error) {
	for range 3 {
		if err := sleep(ctx, 3*time.Second); err != nil {
			return false, err
		}
		if done, err := r.opened(ctx); done || err != nil {
			return done, err
		}
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
	if planetscale.IsLost(err) {
		if done, e := r.lookForOpened(ctx); done || e != nil {
			return fmt.Sprintf("#%d", r.facts.Request), e
		}
	}
	if err != nil {
		return "", fail(step, "open a deploy request", err)
	}
	if q.BranchID != "" && !r.without.same(q.BranchID, r.facts.BranchID) {
		_, err := r.API.CloseDeployRequest(ctx, q.Number)
		return "", errors.Join(errLost, err)
	}
	return fmt.Sprintf("#%d", q.Number), r.has(q)
}

// settle reads back the two switches that an absent value would inherit from
// the previous request, and puts them right.
func (r *Run) settle(ctx context.Context, q *planetscale.DeployRequest) error {
	const step = planner.DeployReview
	auto := r.facts.Plan.Deploy.Cutover != "manual"
	if q.Deployment == nil {
		return fail(step, fmt.Sprintf("read deploy request #%d back", q.Number), errors.New("the answer holds no deployment"))
	}
	if q.Deployment.AutoCutover != auto {
		if _, err := r.API.SetAutoApply(ctx, q.Number, auto); err != nil {
			return fail(step, "set the cutover", err)
		}
	}
	if q.Deployment.AutoDeleteBranch {
		if _, err := r.API.SetAutoDeleteBranch(ctx, q.Number, false); err != nil {
			return fail(step, "keep the branch", err)
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
		Branch: r.facts.BranchSchema, Before: r.facts.Before, Changes: r.facts.Changes,
	}
	for i, src := range p.Sources {
		h := planner.StampHistory{Source: src.Name, Tool: src.Tool, Keyspace: src.Keyspace, Table: src.History.Table, Custom: src.History.Custom,
			Seeded: src.History.Digest, Migrations: map[string]string{}, Gained: &r.facts.Gained[i], Touches: r.facts.Touches[i]}
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
		return q.State != planetscale.RequestOpen || class != planetscale.ClassComputing && class != planetscale.ClassUnknown, nil
	})
	if err != nil {
		return "", fail(step, "wait for the checks", err)
	}
	if q.State != planetscale.RequestOpen && q.ClosedBy != nil && !q.ClosedBy.IsUser() {
		r.note(step, fmt.Sprintf("deploy request #%d was closed%s", q.Number, by(q.ClosedBy)))
		return "", errAgain // by another run, that took this one for dead or was told to end it
	}
	if q.State != planetscale.RequestOpen {
		return "", &Error{Outcome: Failed, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "it was closed" + by(q.ClosedBy),
			Next: "ask why, then run pmig apply again", Over: true}
	}
	switch q.DeploymentState.Info().Class {
	case planetscale.ClassNoChanges:
		missing, err := r.missing(ctx)
		if err != nil || len(missing) == 0 {
			return "the target has the schema already", err
		}
		return "", r.oldPicture(ctx, q, missing)
	case planetscale.ClassFailed:
		if q.DeploymentState.Info().Started {
			return "", r.deployFailed(ctx, q)
		}
		return "", &Error{Over: true, Outcome: Failed, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "the platform's checks failed: " + complaints(q),
			Next: "mend the migrations; the request is closed: " + q.HTMLURL}
	}
	if err := r.settle(ctx, q); err != nil {
		return "", err
	}
	if err := r.onlyOurs(ctx, q); err != nil {
		return "", err
	}
	return "", r.approval(ctx, q)
}

// approval waits for a person, or leaves, as the configuration says.
func (r *Run) approval(ctx context.Context, q *planetscale.DeployRequest) error {
	const step = planner.DeployReview
	d := r.facts.Plan.Deploy
	if ok, err := r.approved(ctx, q); ok || err != nil {
		return err
	}
	wanted := &Error{Outcome: Person, Step: step, What: fmt.Sprintf("deploy request #%d", q.Number), Why: "it needs an approval" + r.dismissed(ctx, q),
		Next: "approve it at " + q.HTMLURL + " and run pmig apply again: it goes on from here"}
	timeout := duration(d.ApprovalTimeout)
	switch {
	case r.WaitApproval > 0:
		timeout = r.WaitApproval
	case d.Approval != "wait":
		return wanted
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
		case now.State != planetscale.RequestOpen || now.DeploymentState != q.DeploymentState:
			return &backError{step}
		}
		if ok, err := r.approved(ctx, now); ok || err != nil {
			return err
		}
	}
}

// approved reports whether a request has the approval that it needs, if any.
// Where the database demands none, the platform keeps the approved member
// false, and the reviews tell.
func (r *Run) approved(ctx context.Context, q *planetscale.DeployRequest) (bool, error) {
	demanded := r.seen.Settings.RequireApprovalForDeploy
	if q.Approved || !demanded && r.facts.Plan.Deploy.Approval != "require" {
		return true, nil
	}
	if demanded {
		return false, nil
	}
	reviews, err := r.API.Reviews(ctx, q.Number)
	if err != nil {
		return false, fail(planner.DeployReview, fmt.Sprintf("read the reviews of deploy request #%d", q.Number), err)
	}
	for _, v := range reviews {
		if v.State == planetscale.ReviewApproved {
			return true, nil
		}
	}
	return false, nil
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
