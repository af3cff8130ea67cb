package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/gateway"
	"github.com/pmig/pmig/planner"
)

type applyCmd struct {
	which
	File         string        `arg:"" optional:"" help:"A plan that plan --out saved: apply refuses to do anything else."`
	AutoApprove  bool          `help:"Do not ask. Needed where there is no terminal."`
	LockTimeout  time.Duration `default:"15m" help:"How long to wait for another run; 0 not at all."`
	WaitApproval time.Duration `placeholder:"DURATION" help:"How long to wait for an approval, instead of the configuration's time."`
	WaitDeploy   time.Duration `placeholder:"DURATION" help:"How long to wait for the deployment, instead of the configuration's time."`
	Again        bool          `help:"Deploy again what was reverted, stopped by a person or failed."`
	Replace      bool          `help:"Replace a deploy request that people have approved for another plan."`
	JSON         bool          `help:"Print one JSON object per line for every event and result."`
}

func (c *applyCmd) Run(ctx context.Context, a *app) error {
	var saved *planner.Plan
	if c.File != "" {
		var err error
		if saved, err = readPlan(c.File); err != nil {
			return err
		}
	}
	a.patience = c.LockTimeout
	w, dbs, err := a.openHistory(ctx, config.Options{}, c.Database)
	if err != nil {
		return err
	}
	defer w.shutdown()
	if w.client == nil {
		return c.settled(ctx, w, dbs)
	}
	w.again(c.Again)
	if saved != nil {
		if dbs, err = savedDatabases(dbs, saved, len(c.Database) > 0); err != nil {
			return err
		}
	}
	return c.carryOut(ctx, w, dbs, saved)
}

// carryOut applies what has been agreed to, or asks for it first.
func (c *applyCmd) carryOut(ctx context.Context, w *world, dbs []*config.Database, saved *planner.Plan) (err error) {
	a := w.app
	switch {
	case saved != nil:
		if err := c.compare(ctx, w, saved); err != nil {
			return err
		}
	case !c.AutoApprove:
		if saved, err = c.ask(ctx, a, w); err != nil {
			return err
		}
	}
	p := newPrinter(a, w, c.JSON, len(dbs) > 1)
	defer p.close()
	sums := make([]*executor.Summary, len(dbs))
	errs := make([]error, len(dbs))
	each(c.Parallelism, len(dbs), func(i int) error {
		sums[i], errs[i] = c.apply(ctx, w, dbs[i], saved, p)
		return nil
	})
	codes := []int{}
	for i, d := range dbs {
		codes = append(codes, codeOf(errs[i]))
		p.result(d.Label, sums[i], errs[i])
	}
	if code := worst(codes...); code != exitDone {
		return &exitError{code: code}
	}
	return nil
}

// settled is an apply without a token: it can find that there is nothing to do.
func (c *applyCmd) settled(ctx context.Context, w *world, dbs []*config.Database) error {
	p := newPrinter(w.app, w, c.JSON, len(dbs) > 1)
	defer p.close()
	return each(c.Parallelism, len(dbs), func(i int) error {
		r := w.run(dbs[i], p.event)
		defer r.Target.Close(context.WithoutCancel(ctx))
		ok, err := r.Settled(ctx)
		if err == nil && !ok {
			err = w.noToken
		}
		if err == nil {
			p.result(dbs[i].Label, &executor.Summary{Database: dbs[i].Label, Nothing: true}, nil)
		}
		return about(dbs, i, err)
	})
}

// apply runs one database.
func (c *applyCmd) apply(ctx context.Context, w *world, d *config.Database, saved *planner.Plan, p *printer) (*executor.Summary, error) {
	r := w.run(d, p.event)
	r.LockTimeout, r.WaitApproval, r.WaitDeploy, r.Replace = c.LockTimeout, c.WaitApproval, c.WaitDeploy, c.Replace
	if saved != nil {
		r.Check = func(now *planner.Database) error { return unchanged(saved, now) }
	}
	return r.Apply(ctx)
}

// run makes the run of one database.
func (w *world) run(d *config.Database, event func(executor.Event)) *executor.Run {
	id := executor.NewID()
	p := w.planner(d, id, "readwriter")
	store := w.store(d, w.stateAccess(d, id))
	var journal executor.Journal = store
	if w.app.journal != nil {
		journal = w.app.journal(journal)
	}
	r := &executor.Run{
		ID: id, Label: d.Label, Version: version, Holder: w.app.holder(),
		Planner: p, API: p.API, Target: p.Target,
		Connect: connect, Dial: dial,
		Command: func(source string, at gateway.Endpoint) (executor.Command, error) { return w.command(d, source, at) },
		Exec:    runChild,
		Journal: journal, Key: w.stateKey(d), Lock: store.Lock, Event: event,
	}
	if p.API != nil {
		r.Urgent = p.API.Unbudgeted()
	}
	return r
}

// holder says who runs this, for the people who wait for it.
func (a *app) holder() string {
	for _, ci := range []struct{ run, name string }{
		{"GITHUB_RUN_ID", "GitHub Actions run"}, {"CI_PIPELINE_ID", "GitLab pipeline"}, {"BUILDKITE_BUILD_NUMBER", "Buildkite build"}, {"CIRCLE_BUILD_NUM", "CircleCI build"},
	} {
		if v := a.env[ci.run]; v != "" {
			return ci.name + " " + v
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	user := a.env["USER"]
	if user == "" {
		return fmt.Sprintf("process %d on %s", os.Getpid(), host)
	}
	return fmt.Sprintf("%s, process %d on %s", user, os.Getpid(), host)
}

// compare looks at all databases of a saved plan before the first act.
func (c *applyCmd) compare(ctx context.Context, w *world, saved *planner.Plan) error {
	now, err := w.plan(ctx, c.which)
	if err != nil {
		return err
	}
	for _, d := range now.Databases {
		if d.PendingCount() == 0 {
			continue // done already, perhaps by the run that this one takes up
		}
		if err := unchanged(saved, d); err != nil {
			return err
		}
	}
	return nil
}

// ask shows the plan and asks a person, and returns what was agreed to. Without
// a terminal there is nobody to ask.
func (c *applyCmd) ask(ctx context.Context, a *app, w *world) (*planner.Plan, error) {
	if err := a.canAsk("look at pmig plan, then run pmig apply --auto-approve"); err != nil {
		return nil, err
	}
	plan, err := w.plan(ctx, c.which)
	if err != nil {
		return nil, err
	}
	if plan.Refused() {
		a.printPlan(plan)
		return nil, &exitError{code: exitRefused}
	}
	if !plan.Changes() {
		return plan, nil // apply still finishes what an earlier run left
	}
	a.printPlan(plan)
	if err := a.confirm(ctx, "Carry this out?"); err != nil {
		return nil, err
	}
	return plan, nil
}

// savedDatabases narrows the run to what the saved plan speaks of.
func savedDatabases(dbs []*config.Database, saved *planner.Plan, some bool) ([]*config.Database, error) {
	var out []*config.Database
	for _, p := range saved.Databases {
		found := false
		for _, d := range dbs {
			if d.Label == p.Label {
				out, found = append(out, d), true
			}
		}
		if !found && !some {
			return nil, &exitError{exitStale, &hinted{what: fmt.Sprintf("the plan is stale: it has a database %q that %s does not declare", p.Label, config.FileName), hint: "make a new plan"}}
		}
	}
	return out, nil
}

// unchanged compares what would be done now with what a person has seen. What
// is carried out is always the fresh plan: a saved one can only refuse it.
func unchanged(saved *planner.Plan, now *planner.Database) error {
	for _, d := range saved.Databases {
		if d.Label != now.Label {
			continue
		}
		if moved := planner.Moved(d, now); len(moved) > 0 {
			return &executor.Error{Outcome: executor.Stale, What: "the plan is stale", Why: strings.Join(moved, "; "), Next: "look at a new plan: pmig plan --out FILE"}
		}
		return nil
	}
	return &executor.Error{Outcome: executor.Stale, What: "the plan is stale", Why: "it does not hold database " + now.Label, Next: "look at a new plan: pmig plan --out FILE"}
}

// jsonLines writes JSON objects to stdout, one a line.
type jsonLines struct {
	mu sync.Mutex
	a  *app
}

func (j *jsonLines) write(v any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	json.NewEncoder(j.a.stdout).Encode(v)
}
