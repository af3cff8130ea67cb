package executor

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// lease is this run's hold on its working branch: a five-minute password that
// it keeps renewing. Everybody can see when it expires, so it is a heartbeat.
type lease struct {
	access *planner.Access
	db     *sql.DB
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu   sync.Mutex
	gone error
	lost func(error)

	margin time.Duration
}

// margin is how long before the heartbeat's end its holder stops acting: a
// call that was sent must not take effect after somebody else took over.
const margin = time.Minute

// hold makes the heartbeat on the working branch and keeps it alive.
func (r *Run) hold(ctx context.Context) error {
	access := &planner.Access{
		API: r.Urgent, Connect: r.Connect, Branch: r.facts.Branch, Database: r.facts.Plan.Name,
		Name: r.passwordName(), Role: "admin",
		Made: func(id string) { r.facts.Passwords = append(r.facts.Passwords, passwordRef{r.facts.Branch, id}) },
	}
	db, err := access.DB(ctx)
	if kind := planetscale.KindOf(err); kind == planetscale.KindInvalid || kind == planetscale.KindRefused {
		// The only part of it that the platform may not like is the holder's.
		access.Name = passwordPrefix(r.facts.Plan.Identity) + r.ID
		db, err = access.DB(ctx)
	}
	if planetscale.IsNotFound(err) {
		return errLost // the branch is gone: somebody took this run for dead
	}
	if err != nil {
		return err
	}
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{access: access, db: db, stop: stop, lost: r.lost, margin: margin}
	if r.without.margin {
		l.margin = 0
	}
	l.ended.Add(1)
	go func() {
		defer l.ended.Done()
		l.beat(beat)
	}()
	r.lease = l
	return nil
}

// beat renews until it is stopped or the password is gone.
func (l *lease) beat(ctx context.Context) {
	for {
		if sleep(ctx, planner.PasswordTTL/3) != nil {
			return
		}
		for {
			if l.left() <= 0 {
				l.lose()
				return
			}
			err := l.access.Renew(ctx)
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return
			}
			if planetscale.IsNotFound(err) {
				l.lose()
				return
			}
			if sleep(ctx, 10*time.Second) != nil {
				return
			}
		}
	}
}

func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = errLost
	if l.lost != nil {
		l.lost(errLost)
	}
}

// left is how long the holder may still act, by the platform's clock.
func (l *lease) left() time.Duration {
	p := l.access.Password()
	if p == nil || p.ExpiresAt == nil {
		return margin
	}
	return p.ExpiresAt.Sub(planner.Now(l.access.API)) - l.margin
}

func (l *lease) check() error {
	l.mu.Lock()
	gone := l.gone
	l.mu.Unlock()
	if gone != nil {
		return gone
	}
	if l.left() <= 0 {
		return errLost
	}
	return nil
}

// end stops the heartbeat and deletes the password.
func (l *lease) end(ctx context.Context) error {
	l.stop()
	l.ended.Wait()
	return l.access.Close(ctx)
}

// onLost has the lease cancel the walk when the lead is lost.
func (r *Run) onLost(cancel func(error)) {
	if r.without.heartbeat {
		return
	}
	r.lost = cancel
	if r.lease != nil {
		r.lease.mu.Lock()
		r.lease.lost = cancel
		r.lease.mu.Unlock()
	}
}

// leads is asked before every act that others can see.
func (r *Run) leads() error {
	if r.lease == nil || r.without.heartbeat {
		return nil
	}
	return r.lease.check()
}

// branch lends a connection to the working branch. It never makes another
// password: whose heartbeat cannot be renewed has lost it.
func (r *Run) branch(ctx context.Context) (*sql.DB, error) {
	if err := r.leads(); err != nil {
		return nil, err
	}
	return r.lease.db, nil
}
