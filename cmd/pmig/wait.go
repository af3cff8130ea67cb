package main

import (
	"context"
	"fmt"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
)

type waitCmd struct {
	which
	Timeout time.Duration `default:"15m" help:"How long to wait; then it exits with 3. 0 looks once."`
	JSON    bool          `help:"Print one JSON object per line for every event and result."`
}

// Run only reads, so it is what an init container does while a job applies.
func (c *waitCmd) Run(ctx context.Context, a *app) error {
	w, dbs, err := a.openHistory(ctx, config.Options{ReadOnly: true}, c.Database)
	if err != nil {
		return err
	}
	defer w.shutdown()
	p := newPrinter(a, w, c.JSON, len(dbs) > 1)
	defer p.close()
	codes := make([]int, len(dbs))
	each(c.Parallelism, len(dbs), func(i int) error {
		r := w.run(dbs[i], p.event)
		r.Target.Role = "reader"
		sum, err := r.Wait(ctx, c.Timeout)
		codes[i] = codeOf(err)
		p.waited(dbs[i].Label, sum, err)
		return nil
	})
	if code := worst(codes...); code != exitDone {
		return &exitError{code: code}
	}
	return nil
}

// waited tells how the wait for a database ended.
func (p *printer) waited(label string, sum *executor.Summary, err error) {
	if err == nil && p.json == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
		fmt.Fprintf(p.a.stdout, "%s: up to date after %s\n", label, took(sum.Took))
		return
	}
	p.result(label, sum, err)
}
