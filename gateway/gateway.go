// Package gateway stands between a migration tool and a branch: it holds the credentials, records every statement and decides
// which may pass.
package gateway

import (
	"context"
	"net"

	"github.com/pmig/pmig/mysqlproxy"
)

// Options is what a Gateway needs: the branch behind it and the owner's wishes.
type Options struct {
	Backend  mysqlproxy.Backend // the branch, with the real credentials
	Database string             // the branch's database, what the endpoint's URL names

	// History names the tables that hold the tool's own bookkeeping: writes to
	// them are no data changes. A name may be qualified and quoted.
	History []string

	// Record, if not nil, gets each statement when its outcome is known and
	// before the client learns it. Calls never overlap.
	Record func(Statement)

	// Refuse lists classes that are answered with error 1105 instead of being
	// forwarded.
	Refuse []Class

	// Listen opens the gateway's port. Nil: 127.0.0.1 with any free port.
	Listen func() (net.Listener, error)
}

// Gateway is one open gateway: a port on loopback with a user, a password and
// a certificate made for this run.
type Gateway struct{}

// Start opens a gateway. It serves until Close or until ctx ends.
func Start(ctx context.Context, o Options) (*Gateway, error) { panic("being built") }
