package planner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// Planner makes the plan of one database, as often as it is asked: before a
// run and again under the lock.
type Planner struct {
	Platform     string // planetscale or embedded
	Organization string
	API          *planetscale.DB
	Target       *Access
	Config       *config.Database
	Own          []string // tables of pmig itself in the target
}

// Observation is all that a plan is decided on.
type Observation struct {
	Working  string // prefix of the working branches' names
	Settings *planetscale.Database
	Branch   *planetscale.Branch // the target
	Schema   *schema.Schema      // of the target, read over MySQL
	Sources  []ObservedSource
	Own      []string // tables of pmig itself

	// Requests are the deploy requests into the target that carry a stamp of
	// this plan's identity, newest first.
	Requests []StampedRequest
}

// ObservedSource is a source's files and the target's history of them.
type ObservedSource struct {
	Source   *config.Source
	FS       fs.FS // the source's folder
	Spec     migration.Spec
	Files    []migration.File
	Problems []migration.Problem
	History  *migration.History
	Status   migration.Status
}

// StampedRequest is a deploy request that pmig opened.
type StampedRequest struct {
	Request planetscale.DeployRequest
	Stamp   *Stamp
}

// Plan observes and decides.
func (p *Planner) Plan(ctx context.Context) (*Database, *Observation, error) {
	o, err := p.Observe(ctx)
	if err != nil {
		return nil, nil, err
	}
	return Decide(p.Platform, p.Organization, p.Config, o), o, nil
}

// WorldError is something about the platform or the project that a plan cannot
// be made on.
type WorldError struct {
	What string
	Why  string
	Next string
	Err  error
}

func (e *WorldError) Error() string {
	s := e.What + ": " + e.Why
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Hint says what to do about it.
func (e *WorldError) Hint() string { return e.Next }

// Unwrap returns the cause, if any.
func (e *WorldError) Unwrap() error { return e.Err }

// Observe reads everything that a plan depends on and changes nothing but to
// make a short-lived password on the target.
func (p *Planner) Observe(ctx context.Context) (*Observation, error) {
	o := &Observation{Own: p.Own, Working: WorkingPrefix(p.Config)}
	if err := p.readFiles(o); err != nil {
		return nil, err
	}
	if err := p.readPlatform(ctx, o); err != nil {
		return nil, err
	}
	return o, p.readTarget(ctx, o)
}

// readFiles lists the migrations of every source, which costs no call.
func (p *Planner) readFiles(o *Observation) error {
	for _, src := range p.Config.Sources {
		if src.On == config.OnTarget {
			return &WorldError{What: fmt.Sprintf("source %q", src.Name), Why: "this pmig cannot run a source on the target yet",
				Next: "run its tool by hand after the deploy, and leave the source out of pmig.hcl"}
		}
		if len(src.Histories) != 1 {
			return &WorldError{What: fmt.Sprintf("source %q", src.Name), Why: fmt.Sprintf("it has %d history tables", len(src.Histories)),
				Next: "give each history table a source of its own"}
		}
		spec := src.Histories[0]
		dir := os.DirFS(src.Path)
		files, problems, err := migration.Files(dir, spec)
		if errors.Is(err, fs.ErrNotExist) {
			return &WorldError{What: fmt.Sprintf("source %q", src.Name), Why: "there is no folder " + src.RelPath,
				Next: "set path to the folder with the migrations, relative to pmig.hcl"}
		}
		if err != nil {
			return fmt.Errorf("source %q: %s: %w", src.Name, src.RelPath, err)
		}
		o.Sources = append(o.Sources, ObservedSource{Source: src, FS: dir, Spec: spec, Files: files, Problems: problems})
	}
	return nil
}

func (p *Planner) readPlatform(ctx context.Context, o *Observation) error {
	settings, err := p.API.Get(ctx)
	if err != nil {
		return fmt.Errorf("database %s: %w", p.Config.Name, err)
	}
	if !settings.MySQL() {
		return &WorldError{What: "database " + p.Config.Name, Why: fmt.Sprintf("it is of kind %q", settings.Kind),
			Next: "deploy requests exist only for MySQL (Vitess) databases"}
	}
	o.Settings = settings
	target := p.Config.Target
	branch, err := p.API.Branch(ctx, target.Name)
	if planetscale.IsNotFound(err) {
		return &WorldError{What: fmt.Sprintf("branch %q", target.Name), Why: "the database has no such branch, or the token may not see it", Err: err,
			Next: fmt.Sprintf("the default branch is %q; name the target in pmig.hcl, and give the token read_branch", settings.DefaultBranch)}
	}
	if err != nil {
		return fmt.Errorf("branch %s: %w", target.Name, err)
	}
	if target.Production != nil && *target.Production != branch.Production {
		return &WorldError{What: fmt.Sprintf("branch %q", target.Name),
			Why:  fmt.Sprintf("pmig.hcl says production = %v, the platform says %v", *target.Production, branch.Production),
			Next: "check that this is the database and the branch you mean"}
	}
	o.Branch = branch
	return p.Requests(ctx, o)
}

// readTarget reads the target's schema and history over MySQL.
func (p *Planner) readTarget(ctx context.Context, o *Observation) error {
	db, err := p.Target.DB(ctx)
	if err != nil {
		return err
	}
	if o.Schema, err = schema.Read(ctx, db, p.Config.Name); err != nil {
		return fmt.Errorf("read the schema of %s: %w", p.Config.Target.Name, err)
	}
	return p.readHistory(ctx, db, o)
}
