package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

type statusCmd struct {
	which
	JSON bool `help:"Print as JSON."`
}

// databaseStatus is what status knows of one database.
type databaseStatus struct {
	Database string            `json:"database"`
	Name     string            `json:"name"`
	Target   string            `json:"target"`
	Pending  int               `json:"pending"`
	Refused  bool              `json:"refused"`
	Findings []planner.Finding `json:"findings,omitempty"`
	Last     *executor.LastRun `json:"last_run,omitempty"`
	Requests []statusOfRequest `json:"open_deploy_requests,omitempty"`
	Problem  string            `json:"problem,omitempty"` // of the journal
	Error    string            `json:"error,omitempty"`
}

type statusOfRequest struct {
	Number int    `json:"number"`
	State  string `json:"state"`
	URL    string `json:"url"`
	Run    string `json:"run"`
}

func (c *statusCmd) Run(ctx context.Context, a *app) error {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer w.shutdown()
	dbs, err := selection(w.config, c.Database)
	if err != nil {
		return err
	}
	all := make([]databaseStatus, len(dbs))
	err = each(c.Parallelism, len(dbs), func(i int) error {
		s, err := w.status(ctx, dbs[i])
		if err != nil {
			s.Error = err.Error()
		}
		all[i] = s
		return about(dbs, i, err)
	})
	if c.JSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		if jerr := e.Encode(map[string]any{"format_version": 1, "databases": all}); jerr != nil {
			return jerr
		}
		return err
	}
	for _, s := range all {
		if s.Error == "" {
			a.printStatus(s)
		}
	}
	return err
}

func (w *world) status(ctx context.Context, d *config.Database) (databaseStatus, error) {
	s := databaseStatus{Database: d.Label, Name: d.Name, Target: d.Target.Name}
	p := w.planner(d, executor.NewID(), "reader")
	defer p.Target.Close(context.WithoutCancel(ctx))
	doc, err := w.store(d, p.Target).Load(w.stateKey(d))
	switch {
	case err == nil:
		if s.Last, err = executor.Last(doc); err != nil {
			s.Problem = err.Error()
		}
	case !errors.Is(err, state.ErrNone):
		s.Problem = err.Error()
	}
	plan, seen, err := p.Plan(ctx)
	if err != nil {
		return s, err
	}
	s.Pending, s.Refused, s.Findings = plan.PendingCount(), plan.Refused(), plan.Findings
	for _, q := range seen.Requests {
		if q.Request.State == "open" {
			s.Requests = append(s.Requests, statusOfRequest{q.Request.Number, string(q.Request.DeploymentState), q.Request.HTMLURL, q.Stamp.Run})
		}
	}
	return s, nil
}

func (a *app) printStatus(s databaseStatus) {
	out := a.stdout
	st := a.styleOf(out)
	pending := "up to date"
	if s.Pending > 0 {
		pending = plural(s.Pending, "migration") + " pending"
	}
	fmt.Fprintf(out, "%s  %s, branch %s: %s\n", st.bold(s.Database), s.Name, s.Target, pending)
	if s.Last != nil {
		line := fmt.Sprintf("last run %s, %s: %s", s.Last.Run, s.Last.Time.Local().Format("2006-01-02 15:04:05"), s.Last.Ended)
		if s.Last.Request != 0 {
			line += fmt.Sprintf(", deploy request #%d", s.Last.Request)
		}
		wrap(out, "  ", line)
	}
	for _, q := range s.Requests {
		fmt.Fprintf(out, "  deploy request #%d is %s  %s\n", q.Number, q.State, q.URL)
	}
	if s.Problem != "" {
		wrap(out, "  ", "journal: "+s.Problem)
	}
	for _, f := range s.Findings {
		if f.Severity != planner.SeverityNote {
			wrap(out, "  ", string(f.Severity)+": "+f.Message)
		}
	}
}

type historyCmd struct {
	Show   historyShowCmd `cmd:"" default:"withargs" help:"Show files and production's history side by side. What pmig history alone does."`
	Repair repairCmd      `cmd:"" help:"Put production's history right by hand: mark, unmark, clear a failure, unlock."`
}

type historyShowCmd struct {
	which
	JSON bool `help:"Print as JSON."`
}

// line of history: a migration and where it is known.
type historyLine struct {
	Database string `json:"database"`
	Source   string `json:"source"`
	Table    string `json:"table"`
	Key      string `json:"key"`
	File     string `json:"file,omitempty"`
	State    string `json:"state"` // applied, pending, late or no file
}

func (c *historyShowCmd) Run(ctx context.Context, a *app) error {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer w.shutdown()
	dbs, err := selection(w.config, c.Database)
	if err != nil {
		return err
	}
	all := make([][]historyLine, len(dbs))
	err = each(c.Parallelism, len(dbs), func(i int) error {
		p := w.planner(dbs[i], executor.NewID(), "reader")
		defer p.Target.Close(context.WithoutCancel(ctx))
		_, seen, err := p.Plan(ctx)
		if err == nil {
			all[i] = historyOf(dbs[i], seen)
		}
		return about(dbs, i, err)
	})
	if c.JSON {
		lines := []historyLine{}
		for _, l := range all {
			lines = append(lines, l...)
		}
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		if jerr := e.Encode(map[string]any{"format_version": 1, "migrations": lines}); jerr != nil {
			return jerr
		}
		return err
	}
	last := ""
	for _, lines := range all {
		for _, l := range lines {
			if head := l.Database + "  " + l.Source + "  " + l.Table; head != last {
				fmt.Fprintln(a.stdout, a.styleOf(a.stdout).bold(head))
				last = head
			}
			name := l.File
			if name == "" {
				name = l.Key
			}
			fmt.Fprintf(a.stdout, "  %-8s %s\n", l.State, name)
		}
	}
	return err
}

func historyOf(d *config.Database, o *planner.Observation) []historyLine {
	var out []historyLine
	for _, s := range o.Sources {
		state := map[string]string{}
		for _, f := range s.Status.Applied {
			state[f.Key] = "applied"
		}
		for _, f := range s.Status.Pending {
			state[f.Key] = "pending"
		}
		for _, f := range s.Status.Late {
			state[f.Key] = "late"
		}
		add := func(key, file, st string) {
			out = append(out, historyLine{d.Label, s.Source.Name, s.Spec.HistoryTable(), key, file, st})
		}
		for _, k := range s.Status.Orphans {
			add(k, "", "no file")
		}
		for _, f := range s.Files {
			add(f.Key, f.Path, state[f.Key])
		}
	}
	return out
}

type abandonCmd struct {
	which
}

func (c *abandonCmd) Run(ctx context.Context, a *app) error {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer w.shutdown()
	dbs, err := selection(w.config, c.Database)
	if err != nil {
		return err
	}
	p := newPrinter(a, w, false, len(dbs) > 1)
	defer p.close()
	return each(1, len(dbs), func(i int) error {
		note, err := w.run(dbs[i], p.event).Abandon(ctx)
		if err == nil {
			fmt.Fprintf(a.stdout, "%s: %s\n", dbs[i].Label, strings.TrimSpace(note))
		}
		return about(dbs, i, err)
	})
}
