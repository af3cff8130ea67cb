package emulator

import (
	"context"
	"slices"
	"time"
)

// longestTTL is how long a password may live, in seconds: a century.
const longestTTL = 100 * 365 * 24 * 3600

var roles = []string{"reader", "writer", "readwriter", "admin"}

// newPasswordRequest is the body of POST passwords.
type newPasswordRequest struct {
	Name    string   `json:"name"`
	Role    string   `json:"role"`
	Replica bool     `json:"replica"`
	TTL     int64    `json:"ttl"`
	CIDRs   []string `json:"cidrs"`
	Direct  bool     `json:"direct_vtgate"`
}

// createPasswordLocked makes a user of a branch.
func (e *Emulator) createPasswordLocked(db *database, b *branch, n newPasswordRequest, by actor) (*password, error) {
	if n.Role == "" {
		n.Role = "admin"
	}
	switch {
	case !b.Ready:
		return nil, unprocessable("Branch is not ready")
	case !slices.Contains(roles, n.Role):
		return nil, invalid("Role is not included in the list")
	case n.TTL < 0:
		return nil, invalid("Ttl must be greater than or equal to 0")
	case n.TTL > longestTTL:
		return nil, invalid("Ttl is too long")
	case n.Replica:
		return nil, unprocessable("Replica passwords can only be created for a branch with replicas.")
	}
	now := e.nowLocked()
	p := &password{ID: newID(), Name: n.Name, Role: n.Role, Username: chance(20), PlainText: newPassword(),
		TTL: time.Duration(n.TTL) * time.Second, CIDRs: n.CIDRs, Direct: n.Direct, Actor: by, CreatedAt: now, gone: make(chan struct{})}
	if p.Name == "" {
		p.Name = "password-" + p.ID
	}
	if p.TTL > 0 {
		ends := now.Add(p.TTL)
		p.ExpiresAt = &ends
	}
	b.Passwords = append(b.Passwords, p)
	e.startExpiryLocked()
	e.eventLocked(Event{Kind: EventPassword, Database: db.path(), Subject: b.Name, Actor: by.Name, Text: "password " + p.Name + " made, role " + p.Role})
	return p, nil
}

func (p *password) expired(now time.Time) bool {
	return p.ExpiresAt != nil && !now.Before(*p.ExpiresAt)
}

// renewLocked gives a password its time once more.
func (e *Emulator) renewLocked(p *password) error {
	now := e.nowLocked()
	switch {
	case p.ExpiresAt == nil:
		return unprocessable("Password is not renewable")
	case p.expired(now):
		return unprocessable("Password has expired")
	}
	ends := now.Add(p.TTL)
	p.ExpiresAt = &ends
	return nil
}

// deletePasswordLocked ends a password and the connections made with it.
func (e *Emulator) deletePasswordLocked(db *database, b *branch, p *password, by actor) {
	b.Passwords = slices.DeleteFunc(b.Passwords, func(x *password) bool { return x == p })
	p.end()
	e.eventLocked(Event{Kind: EventPassword, Database: db.path(), Subject: b.Name, Actor: by.Name, Text: "password " + p.Name + " deleted"})
}

// end closes the channel that the password's connections watch.
func (p *password) end() {
	select {
	case <-p.gone:
	default:
		close(p.gone)
	}
}

// startExpiryLocked watches the passwords' times.
func (e *Emulator) startExpiryLocked() {
	e.startLocked("expiry", func(ctx context.Context) {
		for ctx.Err() == nil {
			e.mu.Lock()
			now, next := e.nowLocked(), time.Time{}
			e.eachPasswordLocked(func(_ *database, _ *branch, p *password) {
				switch {
				case p.expired(now):
					p.end()
				case p.ExpiresAt != nil && (next.IsZero() || p.ExpiresAt.Before(next)):
					next = *p.ExpiresAt
				}
			})
			changed := e.changed
			e.mu.Unlock()
			e.wait(ctx, changed, next)
		}
	})
}

func (e *Emulator) eachPasswordLocked(f func(*database, *branch, *password)) {
	for _, o := range e.world.Organizations {
		for _, db := range o.Databases {
			for _, b := range db.Branches {
				for _, p := range b.Passwords {
					f(db, b, p)
				}
			}
		}
	}
}

// access looks a MySQL user name up.
func (e *Emulator) access(user string) (a Access, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.nowLocked()
	e.eachPasswordLocked(func(db *database, b *branch, p *password) {
		if p.Username != user {
			return
		}
		a, ok = Access{BranchID: b.ID, Branch: b.Name, Database: db.Name, Role: p.Role, Password: p.PlainText, SafeMigrations: b.SafeMigrations,
			ForeignKeys: db.Settings.ForeignKeys, Expired: p.expired(now), Ready: b.Ready, Gone: p.gone}, true
	})
	return a, ok
}
