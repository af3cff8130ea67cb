package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pmig/pmig/executor"
)

type cutoverCmd struct {
	Database    string        `placeholder:"LABEL" help:"The database of pmig.hcl; needed where there are several."`
	AutoApprove bool          `help:"Do not ask. Needed where there is no terminal."`
	LockTimeout time.Duration `default:"15m" help:"How long to wait for another run; 0 not at all."`
	JSON        bool          `help:"Print one JSON object per line for every event and result."`
}

func (c *cutoverCmd) Run(ctx context.Context, a *app) error {
	w, d, err := a.openOne(ctx, c.Database)
	if err != nil {
		return err
	}
	defer w.shutdown()
	p := newPrinter(a, w, c.JSON, false)
	defer p.close()
	r := w.run(d, p.event)
	r.LockTimeout = c.LockTimeout
	sum, err := r.Cutover(ctx, func(g executor.Gate) error {
		p.close()
		if c.AutoApprove {
			return nil
		}
		if err := a.canAsk("run pmig cutover --auto-approve"); err != nil {
			return err
		}
		s := a.styleOf(a.stderr)
		since := ""
		if !g.Since.IsZero() {
			since = " since " + g.Since.Local().Format("15:04")
		}
		fmt.Fprintf(a.stderr, "%s  %s\n  it waits%s; with the cutover this becomes live:\n", s.bold(fmt.Sprintf("deploy request #%d of %s", g.Request, g.Database)), s.dim(g.URL), since)
		for _, text := range g.Changes {
			wrap(a.stderr, "    ", text)
		}
		if g.Expiring {
			fmt.Fprintln(a.stderr, s.yellow("  the platform will soon give it up"))
		}
		return a.confirm(ctx, "Cut over?")
	})
	p.result(d.Label, sum, err)
	if code := codeOf(err); code != exitDone {
		return &exitError{code: code}
	}
	return nil
}
