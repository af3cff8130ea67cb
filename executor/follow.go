package executor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// Of many processes that start at once one leads. The others follow: they look
// at the history, which with a url costs no call and otherwise the one for a
// password, and ask the platform only now and then whether somebody still works.

// Between two looks of a follower at the platform, the first and all others. In
// between it reads the history.
const (
	firstFollow = 20 * time.Second
	nextFollow  = time.Minute
	historyLook = 5 * time.Second
)

// follow waits while another run works, and reports whether that has brought
// everything that is pending here. Whatever is not plain it leaves to the plan:
// an unfinished run of this journal, an error, a branch that nobody holds.
func (r *Run) follow(ctx context.Context) (done bool, err error) {
	if r.unfinishedHere() {
		return false, nil
	}
	return r.followOthers(ctx)
}

// followOthers is follow for a run whose own journal says that it has begun.
func (r *Run) followOthers(ctx context.Context) (done bool, err error) {
	pause := firstFollow
	for {
		why, until := r.working(ctx)
		if why == "" {
			return false, nil
		}
		if !until.IsZero() { // from then on it may be dead
			pause = min(pause, until.Sub(planner.Now(r.API)))
		}
		if done, err := r.watchHistory(ctx, why, pause+rand.N(historyLook)); done || err != nil {
			return done, err
		}
		pause = nextFollow
	}
}

// unfinishedHere reports whether the journal tells of a run to end first, or
// cannot be read.
func (r *Run) unfinishedHere() bool {
	doc, err := r.Journal.Load(r.Key)
	if err != nil {
		return !errors.Is(err, state.ErrNone)
	}
	last, err := Last(doc)
	return err != nil || last != nil && !last.Finished
}

// watchHistory reads the history for a while and reports whether it has come to
// hold everything that is here.
func (r *Run) watchHistory(ctx context.Context, why string, during time.Duration) (bool, error) {
	if r.waiting.IsZero() {
		r.waiting = time.Now()
	}
	for until := time.Now().Add(during); time.Now().Before(until); {
		waited := time.Since(r.waiting)
		if waited >= r.LockTimeout {
			return false, locked(why)
		}
		r.send(Event{Type: Progress, Step: planner.BranchCreate, Message: "waiting: " + why, Waited: waited})
		if err := sleep(ctx, min(historyLook, r.LockTimeout-waited)); err != nil {
			return false, err
		}
		if r.met(ctx) {
			return true, nil
		}
	}
	return false, nil
}

// met reports whether the history has everything that is here. An error is no
// answer: the plan tells of it.
func (r *Run) met(ctx context.Context) bool {
	seen, err := r.Planner.History(ctx)
	return err == nil && len(seen.Unmet()) == 0 && len(seen.Lost()) == 0
}

// working says which run works on the target, "" where none plainly does, and
// until when it is taken for alive: its branch is being made, or has a
// heartbeat.
func (r *Run) working(ctx context.Context) (why string, until time.Time) {
	seen, err := r.Planner.History(ctx)
	if err != nil {
		return "", until
	}
	branches, err := r.API.Branches(ctx)
	if err != nil {
		return "", until
	}
	for _, b := range branches {
		if _, ours := numberOf(seen.Working, b.Name); !ours || b.Actor.IsUser() || b.Production {
			continue
		}
		now := planner.Now(r.API)
		if b.CreatedAt == nil || now.Sub(*b.CreatedAt) > planner.PasswordTTL && !b.Ready {
			continue
		}
		if !b.Ready {
			return fmt.Sprintf("branch %s is being made by another run", b.Name), until
		}
		passwords, err := r.API.Passwords(ctx, b.Name)
		if err != nil {
			return "", until
		}
		for _, p := range passwords {
			if strings.HasPrefix(p.Name, "pmig ") && beating(p, now) {
				return holderOf(b.Name, p).String(), p.ExpiresAt.Add(time.Minute)
			}
		}
	}
	return "", until
}

// locked is how a run ends whose patience with another one is over.
func locked(why string) error {
	return &Error{Outcome: Busy, Step: planner.BranchCreate, What: "another run has the lock", Why: why,
		Next: "wait for it, or give it longer: --lock-timeout 30m; one that hangs is ended by pmig unlock --force"}
}
