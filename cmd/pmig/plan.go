package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planner"
)

// which are the flags of commands that look at databases.
type which struct {
	Database    []string `placeholder:"LABEL" help:"Only this database of pmig.hcl. Repeatable."`
	Parallelism int      `default:"10" help:"How many databases at once."`
}

type planCmd struct {
	which
	Out              string `placeholder:"FILE" help:"Save the plan, for: pmig apply FILE."`
	Again            bool   `help:"Plan to deploy again what was reverted, stopped by a person or failed."`
	DetailedExitcode bool   `help:"Exit with 2 when something is pending."`
	JSON             bool   `help:"Print the plan as JSON."`
}

func (c *planCmd) Run(ctx context.Context, a *app) error {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer w.shutdown()
	w.again(c.Again)
	plan, failed := w.plan(ctx, c.which)
	if c.Out != "" && failed == nil {
		var b bytes.Buffer
		if err := plan.Encode(&b); err != nil {
			return err
		}
		if err := writeFile(c.Out, b.Bytes(), 0o644); err != nil {
			return &hinted{what: "save the plan", err: err, hint: "name a file in a folder that can be written to"}
		}
	}
	if c.JSON {
		if err := plan.Encode(a.stdout); err != nil {
			return err
		}
	} else {
		a.printPlan(plan)
		if c.Out != "" && failed == nil {
			fmt.Fprintf(a.stdout, "Saved to %s: pmig apply %s\n", c.Out, c.Out)
		}
	}
	if failed != nil {
		return failed
	}
	switch {
	case plan.Refused():
		return &exitError{code: exitRefused}
	case c.DetailedExitcode && plan.Changes():
		return &exitError{code: exitChanges}
	}
	return nil
}

// plan plans the selected databases, some at once. One that cannot be planned
// does not stop the others; the error names it.
func (w *world) plan(ctx context.Context, sel which) (*planner.Plan, error) {
	dbs, err := selection(w.config, sel.Database)
	plan := &planner.Plan{FormatVersion: planner.FormatVersion, Pmig: version, Databases: []*planner.Database{}}
	if err != nil {
		return plan, err
	}
	plans := make([]*planner.Database, len(dbs))
	err = each(sel.Parallelism, len(dbs), func(i int) error {
		p := w.planner(dbs[i], executor.NewID(), "reader")
		defer p.Target.Close(context.WithoutCancel(ctx))
		var err error
		plans[i], _, err = p.Plan(ctx)
		return about(dbs, i, err)
	})
	for _, p := range plans {
		if p != nil {
			plan.Databases = append(plan.Databases, p)
		}
	}
	return plan, err
}

// about names the database that an error is about, where there are several.
func about(dbs []*config.Database, i int, err error) error {
	if err == nil || len(dbs) == 1 {
		return err
	}
	return &labelled{dbs[i].Label, err}
}

type labelled struct {
	label string
	err   error
}

func (e *labelled) Error() string { return e.label + ": " + e.err.Error() }
func (e *labelled) Unwrap() error { return e.err }

// each calls f for 0 to n-1, some at once, and returns all errors.
func each(parallel, n int, f func(int) error) error {
	var g errgroup.Group
	g.SetLimit(max(1, parallel))
	var mu sync.Mutex
	errs := make([]error, n)
	for i := range n {
		g.Go(func() error {
			err := f(i)
			mu.Lock()
			errs[i] = err
			mu.Unlock()
			return nil
		})
	}
	g.Wait()
	var all []error
	for _, e := range errs {
		if e != nil {
			all = append(all, e)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return &several{all}
}

// several is the errors of several databases.
type several struct{ errs []error }

func (s *several) Error() string   { return errors.Join(s.errs...).Error() }
func (s *several) Unwrap() []error { return s.errs }

type showCmd struct {
	File string `arg:"" help:"The file that plan --out wrote."`
	JSON bool   `help:"Print the plan as JSON."`
}

func (c *showCmd) Run(a *app) error {
	plan, err := readPlan(c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return plan.Encode(a.stdout)
	}
	a.printPlan(plan)
	return nil
}

func readPlan(path string) (*planner.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &exitError{exitUsage, &hinted{what: "read the plan", err: err, hint: "make one with: pmig plan --out FILE"}}
	}
	defer f.Close()
	plan, err := planner.Decode(f)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("%s: %w", path, err)}
	}
	return plan, nil
}
