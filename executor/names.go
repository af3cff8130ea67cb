package executor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// A working branch's name is a prefix and a number, and no number is used
// twice: creating the next one is the lock, because the platform lets only one
// of several creators have it.

// rival is a working branch that is not this run's.
type rival struct {
	branch   planetscale.Branch
	number   int
	requests []planner.StampedRequest // of this branch; Stamp is nil where pmig did not open it
}

// numberOf reads the number from a working branch's name.
func numberOf(prefix, name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || digits == "" || digits[0] == '0' {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n > 0
}

// survey lists the working branches there are and the highest number ever
// used, by a branch or by a request of a branch that is gone.
func (r *Run) survey(ctx context.Context) (rivals []rival, highest int, err error) {
	prefix := r.facts.Plan.Working
	branches, err := r.API.Branches(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("list branches: %w", err)
	}
	requests, err := r.API.DeployRequests(ctx, planetscale.DeployRequestFilter{})
	if err != nil {
		return nil, 0, fmt.Errorf("list deploy requests: %w", err)
	}
	of := map[string][]planner.StampedRequest{}
	for _, q := range requests {
		if n, ok := numberOf(prefix, q.Branch); ok {
			highest = max(highest, n)
			stamp, _ := planner.ParseStamp(q.Notes) // one that cannot be read is somebody else's
			of[q.BranchID] = append(of[q.BranchID], planner.StampedRequest{Request: q, Stamp: stamp})
		}
	}
	for _, b := range branches {
		n, ok := numberOf(prefix, b.Name)
		if !ok {
			continue
		}
		highest = max(highest, n)
		if b.ID != r.facts.BranchID {
			rivals = append(rivals, rival{b, n, of[b.ID]})
		}
	}
	return rivals, highest, nil
}

// pulse is what one look at a rival says.
type pulse int

const (
	dead    pulse = iota
	alive         // somebody holds it
	quiet         // no heartbeat, but for too short a time to say
	foreign       // nobody holds it, and it is another configuration's: it is left alone
)

// watch remembers when a branch was first seen without a heartbeat. Only the
// observer's own watching counts: a clock elsewhere may be wrong.
type watch map[string]time.Time

// secondLook is how far apart two looks must be that find a run dead.
const secondLook = 30 * time.Second

// feel takes a rival's pulse. An error is never evidence of death.
func (r *Run) feel(ctx context.Context, seen watch, v rival) (pulse, string, error) {
	b := v.branch
	if why := r.stranger(b); why != "" {
		return alive, "", refuse(planner.BranchCreate, "branch "+b.Name, why,
			"it is left alone; if it is pmig's to remove: pmig unlock --adopt "+b.Name)
	}
	timeout := duration(r.facts.Plan.Deploy.BranchTimeout)
	if !b.Ready {
		if b.CreatedAt == nil || planner.Now(r.API).Sub(*b.CreatedAt) < timeout+time.Minute {
			return alive, makerOf(b).String() + ", and is being made", nil
		}
		return r.doubt(seen, b.ID, secondLook, "branch "+b.Name+" never became ready")
	}
	passwords, err := r.API.Passwords(ctx, b.Name)
	if planetscale.IsNotFound(err) {
		return quiet, "branch " + b.Name + " is being deleted", nil
	}
	if err != nil {
		return quiet, "", fmt.Errorf("passwords of branch %s: %w", b.Name, err)
	}
	pmig, ours, last := 0, false, makerOf(b)
	for _, p := range passwords {
		if !strings.HasPrefix(p.Name, "pmig ") {
			continue
		}
		pmig++
		last = holderOf(b.Name, p)
		ours = ours || strings.HasPrefix(p.Name, passwordPrefix(r.facts.Plan.Identity))
		if beating(p, planner.Now(r.API)) {
			delete(seen, b.ID)
			return alive, holderOf(b.Name, p).String(), nil
		}
	}
	if r.kept(b.ID) {
		return dead, "branch " + b.Name + " was kept by a run that is done", nil
	}
	for _, q := range v.requests {
		mine := q.Stamp != nil && q.Stamp.Identity == r.facts.Plan.Identity
		ours = ours || mine
		if !mine && q.Request.State == planetscale.RequestOpen {
			return alive, fmt.Sprintf("branch %s carries deploy request #%d, which is not of this configuration", b.Name, q.Request.Number), nil
		}
	}
	if pmig == 0 {
		if _, looked := seen[b.ID]; !looked && !ours {
			var refused *Error
			if err := r.bare(ctx, b); errors.As(err, &refused) || ctx.Err() != nil {
				return quiet, "", err
			} else if err != nil { // not looked at is not watched: the next look tries again
				return quiet, last.String() + ", and " + err.Error(), nil
			}
		}
		return r.doubt(seen, b.ID, planner.PasswordTTL, last.String()+", and has no heartbeat")
	}
	p, why, err := r.doubt(seen, b.ID, secondLook, last.String()+", and its heartbeat has run out")
	if p == dead && !ours {
		p = foreign
	}
	return p, why, err
}

// stranger says why a branch cannot be one that pmig made, "" if it can. Such a
// branch is never deleted, whatever its name.
func (r *Run) stranger(b planetscale.Branch) string {
	switch {
	case b.Production, b.SafeMigrations:
		return "it has a working branch's name and is protected"
	case b.ParentBranch != "" && b.ParentBranch != r.facts.Plan.Target:
		return "it has a working branch's name and was made from " + b.ParentBranch
	case b.Actor.IsUser():
		return "it has a working branch's name and was made by " + b.Actor.DisplayName
	}
	return ""
}

// kept reports whether a branch is what a run left whose deployment has ended,
// well or not: for a revert, or by accident. It locks nothing: owed history is
// looked for before anything else.
func (r *Run) kept(id string) bool {
	for _, q := range r.seen.Requests {
		if info := q.Request.DeploymentState.Info(); q.Stamp.BranchID == id && info.Started && (info.Live || info.Terminal) {
			return true
		}
	}
	return false
}

func (r *Run) doubt(seen watch, id string, patience time.Duration, why string) (pulse, string, error) {
	since, ok := seen[id]
	if !ok && !r.without.twoLooks {
		seen[id] = time.Now()
		return quiet, why, nil
	}
	if time.Since(since) < patience && !r.without.twoLooks {
		return quiet, why, nil
	}
	return dead, why, nil
}

// duration reads a duration that a plan holds. Plans are made by pmig; one
// that was altered by hand gets the shortest patience.
func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return d
}
