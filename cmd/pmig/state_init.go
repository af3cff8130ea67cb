package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/state"
)

type stateInitCmd struct {
	which
	AutoApprove bool          `help:"Do not ask. Needed where there is no terminal."`
	LockTimeout time.Duration `default:"15m" help:"How long to wait for another run; 0 not at all."`
}

func (c *stateInitCmd) Run(ctx context.Context, a *app) error {
	w, err := a.open(ctx, config.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer w.shutdown()
	if w.config.State.Kind != config.StateDatabase {
		return usageError("the state is kept in files, which need no tables",
			"to share it between machines, write state \"database\" { } in "+config.FileName+"; platform \"embedded\" always keeps it in files")
	}
	if w.config.State.URL != "" {
		return c.byURL(ctx, w)
	}
	return c.byDeployRequest(ctx, w)
}

// byURL makes the tables in the database of the url.
func (c *stateInitCmd) byURL(ctx context.Context, w *world) error {
	a, place := w.app, placeOf(w.config.State.URL)
	tables := w.stateTables(nil, nil)
	missing, err := tables.Missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		fmt.Fprintf(a.stdout, "%s has the state tables already\n", place)
		return nil
	}
	fmt.Fprintf(a.stdout, "In %s:\n\n", place)
	for _, t := range missing {
		fmt.Fprintf(a.stdout, "%s;\n", t.SQL)
	}
	if !c.AutoApprove {
		if err := a.canAsk("run pmig state init --auto-approve"); err != nil {
			return err
		}
		if err := a.confirm(ctx, "Carry this out?"); err != nil {
			return err
		}
	}
	if err := tables.Create(ctx, missing); err != nil {
		return &hinted{what: "make the state tables", err: err,
			hint: "the user of the url needs the right to create tables; a branch with safe migrations takes them only by deploy request: leave out url, and pmig state init ships them"}
	}
	fmt.Fprintf(a.stdout, "\nMade: %s\n", names(missing))
	return nil
}

// byDeployRequest ships the tables like any other migration: a source whose one
// file makes them, on a branch, through a deploy request, with a history of its
// own. What can go wrong with it and how it goes on is known from apply.
func (c *stateInitCmd) byDeployRequest(ctx context.Context, w *world) error {
	dbs, err := selection(w.config, c.Database)
	if err != nil {
		return err
	}
	var lacking []*config.Database
	seen := map[string]bool{} // two blocks may be about one branch
	for _, d := range dbs {
		missing, err := w.missingTables(ctx, d)
		if err != nil {
			return about(dbs, 0, err)
		}
		if len(missing) == 0 {
			fmt.Fprintf(w.app.stdout, "%s: branch %s has the state tables already\n", d.Label, d.Target.Name)
		} else if place := d.Name + "/" + d.Target.Name; !seen[place] {
			seen[place] = true
			lacking = append(lacking, d)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "pmig-state-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeMigration(dir, state.Tables(w.config.State.TablePrefix)); err != nil {
		return err
	}
	shipping, err := w.shipping(lacking, dir)
	if err != nil {
		return err
	}
	apply := &applyCmd{which: which{Parallelism: c.Parallelism}, AutoApprove: c.AutoApprove, LockTimeout: c.LockTimeout}
	if err := apply.carryOut(ctx, shipping, shipping.config.Databases, nil); err != nil {
		return err
	}
	for _, d := range lacking {
		if missing, err := w.missingTables(ctx, d); err != nil {
			return err
		} else if len(missing) > 0 {
			return &hinted{what: fmt.Sprintf("%s: %s still lacks %s", d.Label, d.Target.Name, names(missing)),
				hint: "its table " + w.config.State.TablePrefix + historySuffix + " says otherwise: ship a DROP of it, then run pmig state init again"}
		}
	}
	return nil
}

func (w *world) missingTables(ctx context.Context, d *config.Database) ([]state.Table, error) {
	access := w.planner(d, executor.NewID(), "reader").Target
	defer access.Close(context.WithoutCancel(ctx))
	missing, err := w.stateTables(d, access).Missing(ctx)
	var unusable *state.UnwritableError
	if errors.As(err, &unusable) {
		err = unusable.Err // the platform's own advice is the better one
	}
	return missing, err
}

// historySuffix ends the name of the table with the history of pmig's own tables.
const historySuffix = "migrations"

// shipping is a world whose databases have one source, in dir: the state's
// tables. Its own state is in files, because it makes the place for the other.
func (w *world) shipping(dbs []*config.Database, dir string) (*world, error) {
	known, ok := migration.Lookup("golang-migrate")
	if !ok {
		return nil, errors.New("golang-migrate is not known")
	}
	tool := *known
	tool.OwnTables = true
	c := *w.config
	c.Databases = nil
	c.State = config.State{Kind: config.StateFile, Path: filepath.Join(w.config.State.Path, "state-init")}
	for _, d := range dbs {
		one := *d
		one.Policy = config.DefaultPolicy()
		one.Sources = []*config.Source{{
			Name: "state", Tool: &tool, Path: dir, RelPath: "pmig state init", Dir: dir, Keyspace: d.Name, On: config.OnBranch,
			Histories: []migration.Spec{{Tool: &tool, Database: d.Name, Table: w.config.State.TablePrefix + historySuffix}},
		}}
		c.Databases = append(c.Databases, &one)
	}
	s := *w
	s.config = &c
	return &s, nil
}

func writeMigration(dir string, tables []state.Table) error {
	var text strings.Builder
	for _, t := range tables {
		fmt.Fprintf(&text, "%s;\n", t.SQL)
	}
	return os.WriteFile(filepath.Join(dir, "1_state.up.sql"), []byte(text.String()), 0o600)
}

func names(tables []state.Table) string {
	var out []string
	for _, t := range tables {
		out = append(out, t.Name)
	}
	return strings.Join(out, ", ")
}
