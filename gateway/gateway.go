// Package gateway stands between a migration tool and a branch: it holds the credentials, records every statement and decides
// which may pass.
package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/pmig/pmig/mysqlproxy"
)

// Options is what a Gateway needs: the branch behind it and the owner's wishes.
type Options struct {
	Backend  mysqlproxy.Backend // the branch, with the real credentials
	Database string             // the branch's database, what the endpoint's URL names

	// History names the tables that hold the tool's own bookkeeping: writes to
	// them are no data changes. A name may be qualified and quoted; one that is
	// not belongs to Database.
	History []string

	// Record, if not nil, gets each statement when its outcome is known and
	// before the client learns it. Calls never overlap. Statements that are
	// only prepared are left out unless preparing failed.
	Record func(Statement)

	// Refuse lists classes that are answered with error 1105 instead of being
	// forwarded.
	Refuse []Class

	// Listen opens the gateway's port. Nil: 127.0.0.1 with any free port.
	Listen func() (net.Listener, error)
}

// Gateway is one open gateway: a port on loopback with a user, a password and
// a certificate made for this run.
type Gateway struct {
	options    Options
	endpoint   Endpoint
	classifier *classifier
	server     *mysqlproxy.Server
	locks      locks
	served     chan error
	close      sync.Once

	recording sync.Mutex // held while Record runs
	mu        sync.Mutex
	report    Report
	open      []string // tables that the migration under way has defined
}

// Start opens a gateway. It serves until Close is called or ctx ends.
func Start(ctx context.Context, o Options) (*Gateway, error) {
	if o.Listen == nil {
		o.Listen = func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	}
	config, ca, err := newCertificate()
	if err != nil {
		return nil, err
	}
	l, err := o.Listen()
	if err != nil {
		return nil, err
	}
	g := &Gateway{options: o, classifier: newClassifier(o.History, o.Database), served: make(chan error, 1)}
	// The password has no character that any URL, DSN or shell would change.
	g.endpoint = Endpoint{Host: "127.0.0.1", User: "pmig-" + rand.Text()[:6], Password: rand.Text(), Database: o.Database, CA: ca}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		g.endpoint.Port = a.Port
		if !a.IP.IsUnspecified() {
			g.endpoint.Host = a.IP.String()
		}
	}
	g.server = &mysqlproxy.Server{TLS: config, Login: g.login, Failed: g.failed}
	go func() { g.served <- g.server.Serve(ctx, l) }()
	return g, nil
}

// Endpoint says how to connect.
func (g *Gateway) Endpoint() Endpoint { return g.endpoint }

// Close ends every connection, stops listening and waits for both.
func (g *Gateway) Close() error {
	var err error
	g.close.Do(func() {
		g.server.Close()
		if e := <-g.served; !errors.Is(e, mysqlproxy.ErrClosed) && !errors.Is(e, context.Canceled) && !errors.Is(e, context.DeadlineExceeded) {
			err = e
		}
	})
	return err
}

var errDenied = errors.New("wrong user or password")

// login takes the one user there is.
func (g *Gateway) login(_ context.Context, a mysqlproxy.Attempt) (*mysqlproxy.Session, error) {
	// The password is checked for a wrong user too: both take the same time.
	if known := a.Verify(g.endpoint.Password); !known || a.User != g.endpoint.User {
		return nil, errDenied
	}
	g.mu.Lock()
	g.report.Connections++
	g.mu.Unlock()
	return &mysqlproxy.Session{
		Backend: g.options.Backend,
		Handler: &handler{g: g, state: newState()},
		Done:    func() { g.locks.releaseAll(a.Conn) },
	}, nil
}

func (g *Gateway) failed(f mysqlproxy.Failure) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch f.Kind {
	case mysqlproxy.FailedTLS:
		g.report.FailedTLS++
	case mysqlproxy.FailedLogin:
		g.report.FailedLogins++
	case mysqlproxy.FailedBackend:
		g.report.FailedBackend++
	}
}

// refuses says whether statements of a class are not let through.
func (g *Gateway) refuses(c Class) bool { return slices.Contains(g.options.Refuse, c) }
