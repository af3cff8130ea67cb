package planetscale

import (
	"context"
	"net"
	"slices"
	"time"
)

// A Password is a user name and a password for MySQL connections to one branch.
type Password struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Role is reader, writer, readwriter or admin; only admin may run DDL.
	Role     string `json:"role"`
	Username string `json:"username"`
	// PlainText is the password itself; "" in every answer but create's.
	PlainText Secret `json:"plain_text"`
	// Host to connect to, with a port where it is not 3306; see Address.
	Host string `json:"access_host_url"`
	// ExpiresAt is nil for a password that does not expire.
	ExpiresAt  *time.Time `json:"expires_at"`
	TTLSeconds int        `json:"ttl_seconds"`
	Expired    bool       `json:"expired"`
	Renewable  bool       `json:"renewable"`
	Actor      *Actor     `json:"actor"`
	// DatabaseBranch is the branch that the password opens.
	DatabaseBranch BranchRef  `json:"database_branch"`
	CreatedAt      *time.Time `json:"created_at"`
	LastUsedAt     *time.Time `json:"last_used_at"`
	DeletedAt      *time.Time `json:"deleted_at"`
}

// A BranchRef names a branch in another object's answer; empty where the
// answer left it out.
type BranchRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Address returns Host with a port: its own, or MySQL's 3306. It is "" if the
// answer has no host.
func (p *Password) Address() string {
	if p.Host == "" {
		return ""
	}
	if host, port, err := net.SplitHostPort(p.Host); err == nil && port != "" {
		return net.JoinHostPort(host, port)
	}
	return net.JoinHostPort(p.Host, "3306")
}

// NewPassword says what password to make. TTL 0 never expires; a part of a
// second counts as one.
type NewPassword struct {
	Name string
	Role string
	TTL  time.Duration
}

type newPassword struct {
	Name string `json:"name,omitempty"`
	Role string `json:"role,omitempty"`
	TTL  int64  `json:"ttl,omitempty"`
}

// Passwords lists the branch's passwords. Whether expired ones are among them
// is unconfirmed.
func (d *DB) Passwords(ctx context.Context, branch string) ([]Password, error) {
	return list(ctx, d.client, opListPasswords, d.path("branches", branch, "passwords"), nil, func(p *Password) string { return p.ID })
}

// CreatePassword makes a password. If the answer lacks what a connection needs,
// the password that there is comes together with the error, to be deleted.
func (d *DB) CreatePassword(ctx context.Context, branch string, p NewPassword) (*Password, error) {
	path := d.path("branches", branch, "passwords")
	made, err := d.password(ctx, opCreatePassword, path, newPassword{
		Name: p.Name, Role: p.Role, TTL: int64((p.TTL + time.Second - 1) / time.Second),
	})
	if err != nil {
		return nil, err
	}
	if made.PlainText == "" || made.Username == "" || made.Host == "" {
		return made, unusable(opCreatePassword, path, "the new password lacks its text, user name or host")
	}
	d.client.remember(append(path, made.ID))
	return made, nil
}

// RenewPassword moves the password's end to one TTL from now. The answer has
// no PlainText.
func (d *DB) RenewPassword(ctx context.Context, branch, id string) (*Password, error) {
	return d.password(ctx, opRenewPassword, d.path("branches", branch, "passwords", id, "renew"), struct{}{})
}

// DeletePassword deletes the password; its connections end within minutes.
// KindForbidden where a 404 meant that the token may not.
func (d *DB) DeletePassword(ctx context.Context, branch, id string) error {
	return d.client.remove(ctx, opDeletePassword, d.path("branches", branch, "passwords", id), func() (bool, error) {
		all, err := d.Passwords(ctx, branch)
		if IsNotFound(err) { // with its branch, or the token may not see it
			return d.hasBranch(ctx, branch)
		}
		return slices.ContainsFunc(all, func(p Password) bool { return p.ID == id }), err
	})
}

// password makes a call that answers with a password.
func (d *DB) password(ctx context.Context, op operation, path []string, in any) (*Password, error) {
	p := new(Password)
	if err := d.client.call(ctx, op, path, nil, in, p); err != nil {
		return nil, err
	}
	if p.ID == "" {
		return nil, unusable(op, path, "the answer has no id")
	}
	return p, nil
}
