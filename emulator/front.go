package emulator

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/pmig/pmig/mysqlproxy"
)

// front is the MySQL side of an emulator: it makes every user of a branch see PlanetScale and not the engine behind it.
type front struct {
	once      sync.Once
	server    *mysqlproxy.Server
	authority []byte // PEM
}

// MySQL is the emulator's MySQL server, always the same one. The caller lets it Serve a listener; Close of the emulator closes it.
// TLS is offered with a certificate that CACertificate vouches for; plaintext is taken from this machine only.
func (e *Emulator) MySQL() *mysqlproxy.Server {
	e.startFront()
	return e.front.server
}

// CACertificate is the certificate of the authority that signed the MySQL server's own, in PEM. With a data folder it stays the
// same from run to run.
func (e *Emulator) CACertificate() []byte {
	e.startFront()
	return e.front.authority
}

// DialMySQL connects to the MySQL server inside the process, as a client would from this machine.
func (e *Emulator) DialMySQL(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return nil, mysqlproxy.ErrClosed
	}
	client, server := net.Pipe()
	go e.MySQL().ServeConn(context.WithoutCancel(ctx), server)
	return client, nil
}

func (e *Emulator) startFront() {
	e.front.once.Do(func() {
		s := &mysqlproxy.Server{Version: engineVersion, Login: e.login}
		host, _, _ := net.SplitHostPort(e.options.MySQLAddress)
		authority, certificate, err := frontCertificate(e.options.Data, host)
		if err != nil {
			// Without a certificate there is still the plaintext side.
			e.event(Event{Kind: EventError, Text: "MySQL is served without TLS: " + err.Error()})
		} else {
			s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
			e.front.authority = authority
		}
		e.front.server = s
		e.mu.Lock()
		e.atClose = append(e.atClose, s.Close)
		e.mu.Unlock()
	})
}

// errDenied makes the proxy answer 1045, with the user and where they came from.
var errDenied = errors.New("no such user, or another password")

// login decides about a connection: the user name stands for a branch and a role.
func (e *Emulator) login(ctx context.Context, a mysqlproxy.Attempt) (*mysqlproxy.Session, error) {
	if !a.TLS && !local(a.Remote) {
		return nil, &mysqlproxy.Error{Number: 1105, State: "HY000", Message: "server does not allow insecure connections, client must use SSL/TLS"}
	}
	access, ok := e.Access(a.User)
	if !a.Verify(access.Password) || !ok || access.Expired {
		return nil, errDenied
	}
	if !access.Ready {
		return nil, &mysqlproxy.Error{Number: 1105, State: "HY000", Message: "not_found: branch is missing or sleeping: " + access.BranchID}
	}
	if _, ok := realDatabase(a.Database, access.Database); !ok {
		return nil, unknownDatabase(a.Database)
	}
	backend, err := e.engine.Backend(ctx, access.BranchID)
	if err != nil {
		return nil, &mysqlproxy.Error{Number: 1105, State: "HY000", Message: "not_found: " + err.Error()}
	}
	until, end := context.WithCancelCause(context.Background())
	go func() {
		select {
		case <-access.Gone:
			end(&mysqlproxy.Error{Number: 1045, State: "28000", Message: "Access denied for user '" + a.User + "': the password was deleted or has expired, or its branch is gone"})
		case <-until.Done():
		}
	}()
	handler := &frontHandler{emulator: e, user: a.User, access: access, backend: backend}
	session := &mysqlproxy.Session{
		Backend: backend,
		Handler: handler,
		MapDatabase: func(name string) string {
			real, _ := realDatabase(name, access.Database)
			return real
		},
		Until: until,
	}
	if e.options.VitessLimits {
		handler.limits = newLimits(e, access, backend)
		session.MaxRows, session.Aside = maxRows, &handler.limits.aside
	}
	session.Done = func() {
		handler.limits.close()
		end(nil)
	}
	return session, nil
}

// local says that a client is on this machine: on loopback, or in this process.
func local(a net.Addr) bool {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.IsLoopback()
	}
	return true
}

// realDatabase is the engine's name for what a client calls the database: its name or nothing, with or without a tablet type
// ("shop@replica", "@primary") or shard ("shop:-", "shop/-"); or information_schema.
func realDatabase(name, database string) (string, bool) {
	base, _, _ := strings.Cut(name, "@")
	base, _, _ = strings.Cut(strings.ReplaceAll(base, "/", ":"), ":")
	switch {
	case base == "", base == database:
		return database, true
	case strings.EqualFold(base, "information_schema"):
		return "information_schema", true
	}
	return name, false
}

func unknownDatabase(name string) *mysqlproxy.Error {
	return &mysqlproxy.Error{Number: 1049, State: "42000", Message: "VT05003: unknown database '" + name + "' in vschema"}
}
