package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pmig/pmig/executor"
)

type revertCmd struct {
	Database    string `placeholder:"LABEL" help:"The database of pmig.hcl; needed where there are several."`
	Request     int    `placeholder:"N" help:"The deploy request to take back, instead of the newest that was deployed."`
	AutoApprove bool   `help:"Do not ask. Needed where there is no terminal."`
}

func (c *revertCmd) Run(ctx context.Context, a *app) error {
	w, d, err := a.openOne(ctx, c.Database)
	if err != nil {
		return err
	}
	defer w.shutdown()
	p := newPrinter(a, w, false, false)
	defer p.close()
	u, err := w.run(d, p.event).Revert(ctx, c.Request, func(u executor.Undo) error {
		p.close()
		if c.AutoApprove {
			return nil
		}
		if err := a.canAsk("run pmig revert --auto-approve"); err != nil {
			return err
		}
		printUndo(a.stdout, a.styleOf(a.stdout), u)
		return a.confirm(ctx, "Take this back?")
	})
	p.close()
	if err != nil {
		return err
	}
	if u.Done {
		fmt.Fprintf(a.stdout, "%s: deploy request #%d is reverted, and %s has nothing of it\n", u.Database, u.Request, strings.Join(u.Tables, ", "))
		return nil
	}
	fmt.Fprintf(a.stdout, "%s: deploy request #%d is reverted, and its history with it: %s in %s\n", u.Database, u.Request, plural(u.Rows, "row"), strings.Join(u.Tables, ", "))
	for _, key := range u.Keys {
		fmt.Fprintf(a.stdout, "  %s %s\n", a.styleOf(a.stdout).red("-"), key)
	}
	fmt.Fprintln(a.stdout, "  not deployed again until a file changes, or by pmig apply --again")
	return nil
}

// printUndo shows what would be taken back.
func printUndo(w io.Writer, s style, u executor.Undo) {
	fmt.Fprintf(w, "%s  %s\n", s.bold(fmt.Sprintf("deploy request #%d of %s", u.Request, u.Database)), s.dim(u.URL))
	if u.Schema() {
		until := ""
		if !u.Until.IsZero() {
			until = ", which is possible until " + u.Until.Local().Format("15:04")
		}
		fmt.Fprintf(w, "  the platform takes back%s:\n", until)
		for _, c := range u.Changes {
			wrap(w, "    ", c)
		}
	} else {
		fmt.Fprintf(w, "  the platform says that it is %s\n", u.State)
	}
	fmt.Fprintf(w, "  then these rows of %s go:\n", strings.Join(u.Tables, ", "))
	for _, key := range u.Keys {
		fmt.Fprintf(w, "    %s %s\n", s.red("-"), key)
	}
}
