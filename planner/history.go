package planner

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
)

// History observes only the files and what the target's history has of them:
// enough to tell that there is nothing to do. With a url in place of a password
// it makes no call to the platform.
func (p *Planner) History(ctx context.Context) (*Observation, error) {
	o := &Observation{Working: WorkingPrefix(p.Config)}
	if err := p.readFiles(o); err != nil {
		return nil, err
	}
	db, err := p.Target.DB(ctx)
	if err != nil {
		return nil, err
	}
	return o, p.readHistory(ctx, db, o)
}

func (p *Planner) readHistory(ctx context.Context, db *sql.DB, o *Observation) (err error) {
	for i := range o.Sources {
		s := &o.Sources[i]
		if s.History, err = migration.Read(ctx, db, s.Spec); err != nil {
			return fmt.Errorf("source %q: read history: %w", s.Source.Name, err)
		}
		s.Status = migration.Compare(s.Spec, s.Files, s.History)
	}
	return nil
}

// Requests adds the deploy requests of this identity to an observation, which
// takes one list.
func (p *Planner) Requests(ctx context.Context, o *Observation) error {
	target := p.Config.Target
	requests, err := p.API.DeployRequests(ctx, planetscale.DeployRequestFilter{IntoBranch: target.Name})
	if err != nil {
		return fmt.Errorf("deploy requests of %s: %w", p.Config.Name, err)
	}
	identity := Identity(p.Organization, p.Config)
	for _, r := range requests {
		if r.IntoBranch != target.Name {
			continue
		}
		stamp, err := ParseStamp(r.Notes)
		if err != nil {
			if r.State == planetscale.RequestOpen || r.DeploymentState.Live() {
				return &WorldError{What: fmt.Sprintf("deploy request #%d", r.Number), Why: err.Error(),
					Next: "if it is live, see that its migrations are in the history, then mend its notes; let a newer pmig finish what a newer one began"}
			}
			continue
		}
		if stamp != nil && stamp.Identity == identity {
			o.Requests = append(o.Requests, StampedRequest{Request: r, Stamp: stamp})
		}
	}
	sortRequests(o.Requests)
	return nil
}

// Unmet names the migrations that keep the history from being what the files
// need: those it lacks and those it marks as failed.
func (o *Observation) Unmet() []string {
	var out []string
	for _, s := range o.Sources {
		for _, f := range s.Status.Pending {
			out = append(out, f.Path)
		}
		for _, key := range s.Status.Dirty {
			out = append(out, key+" (marked as failed)")
		}
	}
	return out
}

// Lost finds sources whose history has rows and whose folder has no migration:
// the files are missing in this image, and nothing can be said of what is
// pending.
func (o *Observation) Lost() []Finding {
	var out []Finding
	for _, s := range o.Sources {
		p := decideSource(s)
		if f, ok := noFiles(&p); ok && f.Severity == SeverityError {
			out = append(out, f)
		}
	}
	return out
}

// Owes reports whether the history of a live request has still to be written.
// Changes that are not on the target any more owe nothing.
func (o *Observation) Owes(s *Stamp) bool {
	return o.lacks(s) && (o.Schema == nil || !o.undone(s))
}
