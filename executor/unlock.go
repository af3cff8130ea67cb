package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// HoldKind says what a working branch is there for.
type HoldKind string

// The kinds of holds. Only the first two are the lock.
const (
	Held    HoldKind = "held"     // a run holds it: its heartbeat beats, or it is just being made
	Silent  HoldKind = "silent"   // its heartbeat has stopped; the next run takes over after having watched it
	Parked  HoldKind = "parked"   // it waits for a person, and locks only other plans
	Kept    HoldKind = "kept"     // its run is done; the next one removes it
	Foreign HoldKind = "foreign"  // another configuration's run, held or not; unlocked there
	Strange HoldKind = "not ours" // nothing of pmig's, or protected: left alone
)

// Hold is one working branch and what keeps it.
type Hold struct {
	Kind    HoldKind `json:"kind"`
	Holder  Holder   `json:"holder"`
	Why     string   `json:"why,omitempty"` // of Strange
	Request int      `json:"request,omitempty"`
	State   string   `json:"state,omitempty"` // of the request
	URL     string   `json:"url,omitempty"`

	id string
}

// Locks is who holds what of one database.
type Locks struct {
	Database string `json:"database"`
	Here     string `json:"here,omitempty"` // a process of this machine that is at work
	Holds    []Hold `json:"holds"`
}

// Locks looks who holds the lock. It changes nothing.
func (r *Run) Locks(ctx context.Context) (*Locks, error) {
	r.summary = &Summary{Run: r.ID, Database: r.Label}
	defer r.release(ctx)
	return r.locks(ctx)
}

func (r *Run) locks(ctx context.Context) (*Locks, error) {
	var err error
	if r.plan, r.seen, err = r.Planner.Plan(ctx); err != nil {
		return nil, err
	}
	r.facts = &facts{Plan: r.plan}
	l := &Locks{Database: r.plan.Label, Holds: []Hold{}}
	unlock, err := r.Lock(ctx, r.Key, r.here())
	var locked *state.LockedError
	if errors.As(err, &locked) {
		l.Here = locked.Holder
	} else if err == nil {
		unlock()
	}
	rivals, _, err := r.survey(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range rivals {
		h, err := r.holdOf(ctx, v)
		if err != nil {
			return nil, err
		}
		l.Holds = append(l.Holds, h)
	}
	return l, nil
}

func (r *Run) holdOf(ctx context.Context, v rival) (Hold, error) {
	b := v.branch
	h := Hold{Kind: Held, Holder: makerOf(b), id: b.ID}
	for _, q := range v.requests {
		if q.Request.State == planetscale.RequestOpen {
			h.Request, h.State, h.URL = q.Request.Number, string(q.Request.DeploymentState), q.Request.HTMLURL
			if q.Stamp == nil {
				h.Kind, h.Why = Strange, fmt.Sprintf("deploy request #%d is not pmig's", h.Request)
			}
		}
	}
	if why := r.stranger(b); why != "" {
		h.Kind, h.Why = Strange, why
	}
	if h.Kind == Strange || !b.Ready {
		return h, nil
	}
	passwords, err := r.API.Passwords(ctx, b.Name)
	if err != nil {
		return h, fmt.Errorf("passwords of branch %s: %w", b.Name, err)
	}
	proven, own, beats := len(v.requests) > 0, r.ownRequest(v), false
	for _, p := range passwords {
		if !strings.HasPrefix(p.Name, "pmig ") {
			continue
		}
		proven, own = true, own || strings.HasPrefix(p.Name, passwordPrefix(r.plan.Identity))
		if h.Holder.Run == "" || beating(p, planner.Now(r.API)) {
			h.Holder = holderOf(b.Name, p)
		}
		beats = beats || beating(p, planner.Now(r.API))
	}
	switch {
	case proven && !own:
		h.Kind = Foreign
	case beats:
	case r.kept(b.ID):
		h.Kind = Kept
	case h.Request != 0:
		h.Kind = Parked
	default:
		h.Kind = Silent
		if !proven {
			err := r.bare(ctx, b)
			var refused *Error
			if errors.As(err, &refused) {
				h.Kind, h.Why = Strange, refused.Why
				return h, nil
			}
			return h, err
		}
	}
	return h, nil
}

// ownRequest reports whether a request of a branch is this configuration's.
func (r *Run) ownRequest(v rival) bool {
	return slices.ContainsFunc(v.requests, func(q planner.StampedRequest) bool { return q.Stamp != nil && q.Stamp.Identity == r.plan.Identity })
}
