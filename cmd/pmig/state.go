package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/state"
)

type stateCmd struct {
	Init stateInitCmd `cmd:"" help:"Make the tables of state \"database\": by its url, or by a deploy request into the migrated database."`
	Show stateShowCmd `cmd:"" help:"Show the journal of the last run."`
	Rm   stateRmCmd   `cmd:"" help:"Delete a journal, for instance one that cannot be read. The platform still knows what was done."`
}

type stateShowCmd struct {
	which
	JSON bool `help:"Print the documents as JSON."`
}

// shownState is the state of one database.
type shownState struct {
	Database string            `json:"database"`
	Document *state.Document   `json:"document"` // null where there is none
	Last     *executor.LastRun `json:"last_run,omitempty"`
}

func (c *stateShowCmd) Run(ctx context.Context, a *app) error {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer w.shutdown()
	dbs, err := selection(w.config, c.Database)
	if err != nil {
		return err
	}
	all := make([]shownState, len(dbs))
	err = each(c.Parallelism, len(dbs), func(i int) (err error) {
		all[i], err = w.shownState(ctx, dbs[i])
		return about(dbs, i, err)
	})
	if c.JSON {
		e := json.NewEncoder(a.stdout)
		e.SetIndent("", "  ")
		if jerr := e.Encode(map[string]any{"format_version": 1, "states": all}); jerr != nil {
			return jerr
		}
		return err
	}
	for _, s := range all {
		printState(a.stdout, a.styleOf(a.stdout), s)
	}
	return err
}

func (w *world) shownState(ctx context.Context, d *config.Database) (shownState, error) {
	s := shownState{Database: d.Label}
	access := w.planner(d, executor.NewID(), "reader").Target
	defer access.Close(context.WithoutCancel(ctx))
	doc, err := w.store(d, access).Load(w.stateKey(d))
	if errors.Is(err, state.ErrNone) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Document = doc
	s.Last, err = executor.Last(doc)
	return s, err
}

func printState(w io.Writer, st style, s shownState) {
	if s.Document == nil {
		fmt.Fprintf(w, "%s  no journal\n", st.bold(s.Database))
		return
	}
	fmt.Fprintf(w, "%s  %s\n", st.bold(s.Database), s.Document.Key)
	fmt.Fprintf(w, "  written by pmig %s, serial %d\n", s.Document.WrittenBy, s.Document.Serial)
	if s.Last != nil {
		line := "run " + s.Last.Run + ": " + s.Last.Ended
		if s.Last.Request != 0 {
			line += fmt.Sprintf(", deploy request #%d", s.Last.Request)
		}
		wrap(w, "  ", line)
	}
	for _, r := range s.Document.Records {
		wrap(w, "    ", fmt.Sprintf("%s %s %s %s", r.Time.Local().Format("2006-01-02 15:04:05"), r.Step, r.Phase, r.Note))
	}
}

type stateRmCmd struct {
	which
}

func (c *stateRmCmd) Run(ctx context.Context, a *app) error {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer w.shutdown()
	dbs, err := selection(w.config, c.Database)
	if err != nil {
		return err
	}
	return each(1, len(dbs), func(i int) error { return about(dbs, i, w.removeState(ctx, dbs[i])) })
}

// removeState deletes a journal that no run is writing.
func (w *world) removeState(ctx context.Context, d *config.Database) error {
	key, store := w.stateKey(d), w.store(d, w.stateAccess(d, executor.NewID()))
	unlock, err := store.Lock(ctx, key, w.app.holder())
	var locked *state.LockedError
	if errors.As(err, &locked) {
		return &exitError{exitBusy, fmt.Errorf("delete the journal: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("delete the journal: %w", err)
	}
	defer unlock()
	if err := store.Remove(key); err != nil {
		return fmt.Errorf("delete the journal: %w", err)
	}
	fmt.Fprintf(w.app.stdout, "%s: no journal any more\n", d.Label)
	return nil
}
