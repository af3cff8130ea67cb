package planner

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/pmig/pmig/planetscale"
)

// Login is how to reach a branch over MySQL: a password of the platform, or a
// URL of the configuration that replaces it.
type Login struct {
	Host     string // host, or host:port; port 3306 where there is none
	User     string
	Password planetscale.Secret
	Database string             // the keyspace to use
	URL      planetscale.Secret // mysql://user:password@host:port/database; the other members are empty then
}

// Connect opens a connection pool to a branch. It is the caller's, so that a
// test can answer in process.
type Connect func(ctx context.Context, l Login) (*sql.DB, error)

// PasswordTTL is how long a password lives that nobody renews. PlanetScale's
// own client uses the same five minutes.
const PasswordTTL = 5 * time.Minute

// Access lends connections to one branch. Unless it has a URL it makes a
// short-lived password for the purpose when the first connection is asked for,
// and Close deletes it.
type Access struct {
	API      *planetscale.DB
	Connect  Connect
	Branch   string             // name on the platform
	Database string             // keyspace
	Name     string             // name of the password it makes
	Role     string             // reader, writer, readwriter or admin
	URL      planetscale.Secret // connect with this instead
	Made     func(id string)    // told of a password's id before it is used; may be nil

	making   sync.Mutex // held while a password is made or deleted
	db       *sql.DB    // guarded by making
	mu       sync.Mutex // never held during a call: a renewal that hangs must not hide when the password ends
	password *planetscale.Password
}

// DB returns the connection pool, making the password first where needed.
func (a *Access) DB(ctx context.Context) (*sql.DB, error) {
	a.making.Lock()
	defer a.making.Unlock()
	if a.db != nil && a.left() > lend {
		return a.db, nil
	}
	if a.db != nil && a.left() > 30*time.Second && a.Renew(ctx) == nil {
		return a.db, nil
	}
	if err := a.discard(ctx); err != nil {
		return nil, err
	}
	login := Login{URL: a.URL, Database: a.Database}
	if a.URL == "" {
		p, err := a.API.CreatePassword(ctx, a.Branch, planetscale.NewPassword{Name: a.Name, Role: a.Role, TTL: PasswordTTL})
		if err != nil {
			if p != nil && p.ID != "" { // made, but the answer cannot be used
				a.set(p)
				err = errors.Join(err, a.discard(ctx))
			}
			return nil, fmt.Errorf("make a %s password for branch %s: %w", a.Role, a.Branch, err)
		}
		a.set(p)
		if a.Made != nil {
			a.Made(p.ID)
		}
		login = Login{Host: p.Address(), User: p.Username, Password: p.PlainText, Database: a.Database}
	}
	db, err := a.Connect(ctx, login)
	if err == nil {
		if err = a.settle(ctx, db); err != nil {
			db.Close()
		}
	}
	if err != nil {
		err = fmt.Errorf("connect to branch %s: %w", a.Branch, err)
		return nil, errors.Join(err, a.discard(context.WithoutCancel(ctx)))
	}
	a.db = db
	return db, nil
}

// settleTime is how long a new password may take to be known everywhere.
const settleTime = 20 * time.Second

// settle waits until a connection works. A password that was just made reaches
// the platform's edge a moment later.
func (a *Access) settle(ctx context.Context, db *sql.DB) error {
	began := time.Now()
	for {
		err := db.PingContext(ctx)
		if err == nil || ctx.Err() != nil || a.URL != "" || time.Since(began) > settleTime {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return err
		}
	}
}

// Password returns what the platform said of the password in use, nil where
// there is none.
func (a *Access) Password() *planetscale.Password {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.password
}

func (a *Access) set(p *planetscale.Password) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.password = p
}

// Renew moves the password's expiry. A password past its expiry is never
// renewed: whoever held it has lost it.
func (a *Access) Renew(ctx context.Context) error {
	old := a.Password()
	if old == nil {
		return errors.New("there is no password to renew")
	}
	renewed, err := a.API.RenewPassword(ctx, a.Branch, old.ID)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if renewed.ExpiresAt != nil && a.password != nil && a.password.ID == old.ID {
		next := *a.password
		next.ExpiresAt = renewed.ExpiresAt // the answer to a renewal holds no plain text
		a.password = &next
	}
	return nil
}

// Now is the platform's time, which is what expiries and ages are told by: the
// local clock may be wrong, and stands in only until the platform has answered.
func Now(api *planetscale.DB) time.Time {
	t, _ := api.Client().Now()
	return t
}

// lend is how long a connection that is lent lives at least: more than a
// history write that waits for its table needs.
const lend = 3 * time.Minute

// left is how long the password will live; for ever without one, or without an
// expiry.
func (a *Access) left() time.Duration {
	p := a.Password()
	if p == nil || p.ExpiresAt == nil {
		return math.MaxInt64
	}
	return p.ExpiresAt.Sub(Now(a.API))
}

func (a *Access) drop() {
	if a.db != nil {
		a.db.Close()
		a.db = nil
	}
}

// Leave ends the connections and leaves the password as it is: for a holder
// who has lost it.
func (a *Access) Leave() {
	a.making.Lock()
	defer a.making.Unlock()
	a.drop()
}

// Close ends the connections and deletes the password. A password that is gone
// already is no error.
func (a *Access) Close(ctx context.Context) error {
	a.making.Lock()
	defer a.making.Unlock()
	return a.discard(ctx)
}

func (a *Access) discard(ctx context.Context) error {
	a.drop()
	p := a.Password()
	if p == nil {
		return nil
	}
	id := p.ID
	if err := a.API.DeletePassword(ctx, a.Branch, id); err != nil && !planetscale.IsNotFound(err) {
		return fmt.Errorf("delete password %s of branch %s: %w", id, a.Branch, err)
	}
	a.set(nil)
	return nil
}
