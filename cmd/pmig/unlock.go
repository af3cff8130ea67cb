package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pmig/pmig/executor"
)

type unlockCmd struct {
	Database    string `placeholder:"LABEL" help:"The database of pmig.hcl; needed where there are several."`
	Force       bool   `xor:"act" help:"End the hold. A process that still lives plans again: stop it first."`
	Adopt       string `xor:"act" placeholder:"BRANCH" help:"Remove a branch of a working branch's name that nothing shows to be pmig's."`
	AutoApprove bool   `help:"Do not ask. Needed where there is no terminal."`
	JSON        bool   `xor:"act" help:"Print who holds the lock as JSON."`
}

func (c *unlockCmd) Run(ctx context.Context, a *app) error {
	w, d, err := a.openOne(ctx, c.Database)
	if err != nil {
		return err
	}
	defer w.shutdown()
	p := newPrinter(a, w, false, false)
	defer p.close()
	r := w.run(d, p.event)
	switch {
	case c.Force:
		return c.force(ctx, a, r)
	case c.Adopt != "":
		err := r.Adopt(ctx, c.Adopt, func(h executor.Hold) error {
			return c.ask(ctx, a, executor.Locks{Database: d.Label, Holds: []executor.Hold{h}}, "Take this branch for pmig's own and delete it?")
		})
		if err == nil {
			fmt.Fprintf(a.stdout, "%s: %s is removed\n", d.Label, c.Adopt)
		}
		return err
	}
	l, err := r.Locks(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			FormatVersion int `json:"format_version"`
			*executor.Locks
		}{1, l})
	}
	printLocks(a.stdout, a.styleOf(a.stdout), *l)
	return nil
}

func (c *unlockCmd) force(ctx context.Context, a *app, r *executor.Run) error {
	done, err := r.Unlock(ctx, func(l executor.Locks) error {
		return c.ask(ctx, a, l, "End this?")
	})
	for _, what := range done {
		fmt.Fprintf(a.stdout, "%s: %s\n", r.Label, what)
	}
	if err == nil && len(done) == 0 {
		fmt.Fprintf(a.stdout, "%s: nobody holds the lock\n", r.Label)
	}
	return err
}

func (c *unlockCmd) ask(ctx context.Context, a *app, l executor.Locks, question string) error {
	if c.AutoApprove {
		return nil
	}
	command := "pmig unlock --force"
	if c.Adopt != "" {
		command = "pmig unlock --adopt " + c.Adopt
	}
	if err := a.canAsk("look at pmig unlock, then run " + command + " --auto-approve"); err != nil {
		return err
	}
	printLocks(a.stderr, a.styleOf(a.stderr), l)
	return a.confirm(ctx, question)
}

// explained is what a reader wants to know of each kind of hold.
var explained = map[executor.HoldKind]string{
	executor.Held:    "others wait for it",
	executor.Silent:  "its heartbeat has stopped; the next run watches it for a while and takes over",
	executor.Parked:  "it waits for a person; the same plan goes on with it",
	executor.Kept:    "its run is done; the next one removes it when it may",
	executor.Foreign: "another configuration's: unlock it there",
	executor.Strange: "it is left alone",
}

func printLocks(w io.Writer, s style, l executor.Locks) {
	if l.Here != "" {
		wrap(w, "", l.Database+": on this machine "+l.Here+" is at work")
	}
	if len(l.Holds) == 0 {
		fmt.Fprintf(w, "%s: nobody holds the lock\n", l.Database)
	}
	for _, h := range l.Holds {
		fmt.Fprintf(w, "%s: %s\n", l.Database, s.bold(h.Holder.Branch+" is "+string(h.Kind)))
		wrap(w, "  ", explained[h.Kind])
		if h.Why != "" {
			wrap(w, "  ", h.Why)
		}
		line := func(name, value string) {
			if value != "" {
				fmt.Fprintf(w, "  %-6s %s\n", name, value)
			}
		}
		line("run", h.Holder.Run)
		line("who", h.Holder.Who)
		line("where", h.Holder.Where)
		if !h.Holder.Since.IsZero() {
			line("since", h.Holder.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		if !h.Holder.Until.IsZero() {
			line("until", h.Holder.Until.UTC().Format("2006-01-02 15:04:05 UTC")+", unless it goes on")
		}
		if h.Request != 0 {
			line("deploy", fmt.Sprintf("request #%d, %s  %s", h.Request, h.State, h.URL))
		}
	}
}
