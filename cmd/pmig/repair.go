package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planner"
)

type repairCmd struct {
	Database    string   `placeholder:"LABEL" help:"The database of pmig.hcl; needed where there are several."`
	Source      string   `placeholder:"LABEL" help:"The source of it; needed where there are several."`
	Mark        []string `sep:"none" placeholder:"KEY" help:"Record this migration as applied, without running it. Repeatable."`
	Unmark      []string `sep:"none" placeholder:"KEY" help:"Record it as not applied. Repeatable."`
	Clear       []string `sep:"none" placeholder:"KEY" help:"It is marked as failed: record it as applied. Repeatable."`
	Unlock      bool     `help:"Free the tool's lock table."`
	AutoApprove bool     `help:"Do not ask. Needed where there is no terminal."`
}

func (c *repairCmd) Run(ctx context.Context, a *app) error {
	if len(c.Mark)+len(c.Unmark)+len(c.Clear) == 0 && !c.Unlock {
		return usageError("nothing to repair was named", "say --mark, --unmark or --clear with a key that pmig history lists, or --unlock")
	}
	if _, tty := terminal(a.stdin); !tty && !c.AutoApprove {
		return usageError("there is no terminal to ask for a confirmation on", "look at pmig history, then run pmig history repair --auto-approve")
	}
	var names []string
	if c.Database != "" {
		names = []string{c.Database}
	}
	w, dbs, err := a.openHistory(ctx, config.Options{ReadOnly: true}, names)
	if err != nil {
		return err
	}
	defer w.shutdown()
	if len(dbs) > 1 {
		return usageError(fmt.Sprintf("%s declares %d databases", config.FileName, len(dbs)), "say which: --database LABEL")
	}
	return c.repair(ctx, w, dbs[0])
}

// repair shows what would change, asks, and changes it if nothing has moved.
func (c *repairCmd) repair(ctx context.Context, w *world, d *config.Database) (err error) {
	a := w.app
	p := w.planner(d, executor.NewID(), "readwriter")
	defer func() { err = errors.Join(err, p.Target.Close(context.WithoutCancel(ctx))) }()
	seen, err := p.History(ctx)
	if err != nil {
		return err
	}
	s, err := c.source(seen)
	if err != nil {
		return err
	}
	ask := migration.Repair{Mark: c.Mark, Unmark: c.Unmark, Clear: c.Clear, Unlock: c.Unlock}
	want, err := migration.Repaired(s.Spec, s.Files, s.History, ask, time.Now())
	if err != nil {
		return err
	}
	changes := migration.Changes(s.History, want)
	if len(changes) == 0 {
		fmt.Fprintf(a.stdout, "%s: nothing to repair: %s is so already\n", d.Label, s.Spec.HistoryTable())
		return nil
	}
	fmt.Fprintln(a.stdout, a.styleOf(a.stdout).bold(fmt.Sprintf("%s  %s, branch %s", d.Label, d.Name, d.Target.Name)))
	for _, line := range changes {
		fmt.Fprintf(a.stdout, "  %s\n", line)
	}
	if !c.AutoApprove {
		if err := a.confirm(ctx, "Write this?"); err != nil {
			return err
		}
	}
	db, err := p.Target.DB(ctx)
	if err != nil {
		return err
	}
	if err := migration.Rewrite(ctx, db, s.Spec, s.History, want); err != nil {
		return &executor.Error{Outcome: refusedOr(err), What: "repair the history", Err: err}
	}
	fmt.Fprintf(a.stdout, "%s: %s repaired\n", d.Label, s.Spec.HistoryTable())
	return nil
}

// source picks the one that --source names; without it there must be one only.
func (c *repairCmd) source(o *planner.Observation) (*planner.ObservedSource, error) {
	var have []string
	for i, s := range o.Sources {
		if c.Source == s.Source.Name || c.Source == "" && len(o.Sources) == 1 {
			return &o.Sources[i], nil
		}
		have = append(have, s.Source.Name)
	}
	what := "the database has several sources"
	if c.Source != "" {
		what = fmt.Sprintf("there is no source %q", c.Source)
	}
	return nil, usageError(what, "say which: --source "+strings.Join(have, ", --source "))
}

// refusedOr tells a history that has moved from a failure.
func refusedOr(err error) executor.Outcome {
	var drift *migration.DriftError
	if errors.As(err, &drift) {
		return executor.Refused
	}
	return executor.Failed
}
