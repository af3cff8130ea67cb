package mysqlproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// Limits and the version that a zero Server uses.
const (
	// DefaultVersion is what PlanetScale's own servers call themselves: MySQL
	// 8.0 with a suffix.
	DefaultVersion = "8.0.34-Vitess"

	// DefaultMaxText is the largest message PlanetScale takes: 64 MiB.
	DefaultMaxText = 64 << 20

	defaultHandshakeTimeout = 10 * time.Second
)

// Server accepts MySQL clients and gives each its own connection to a backend.
// Its members must not be changed once it serves.
type Server struct {
	// TLS is offered to clients that ask for it; plaintext is taken on the
	// same port. Nil offers none.
	TLS *tls.Config

	// Version is the server version told to clients. Empty: DefaultVersion.
	Version string

	// AuthPlugin is announced in the greeting: mysql_native_password (also
	// when empty) or caching_sha2_password. A client may answer with either.
	AuthPlugin string

	// Login decides about a client. An *Error is sent as it is; any other
	// error becomes 1045, access denied, with a text that does not show it.
	Login func(ctx context.Context, a Attempt) (*Session, error)

	// MaxText bounds how many bytes of a statement's text are held for the
	// Handler; what follows is only passed on. Zero: DefaultMaxText.
	MaxText int

	// HandshakeTimeout bounds the time from connection to login. Zero: 10 s.
	HandshakeTimeout time.Duration

	// Failed, if not nil, learns of connections that ended before their first
	// statement. It may be called from several goroutines.
	Failed func(Failure)

	mu     sync.Mutex
	next   uint64
	open   map[net.Conn]context.CancelCauseFunc
	ls     map[net.Listener]struct{}
	closed bool
	wg     sync.WaitGroup
}

// ErrClosed is returned by Serve after Close, and is the cause of the end of
// every connection that Close ends.
var ErrClosed = errors.New("the MySQL server is closed")

// Serve accepts clients on l until ctx ends or Close is called; it closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { panic("being built") }

// ServeConn serves one client and returns when its connection has ended. The
// other end may be a net.Pipe.
func (s *Server) ServeConn(ctx context.Context, c net.Conn) { panic("being built") }

// Close stops every Serve, ends every connection and waits for them.
func (s *Server) Close() error { panic("being built") }
