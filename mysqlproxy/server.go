package mysqlproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
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
	ends   map[uint64]context.CancelCauseFunc // of what Close must end
	closed bool
	wg     sync.WaitGroup
}

// ErrClosed is returned by Serve after Close, and is the cause of the end of
// every connection that Close ends.
var ErrClosed = errors.New("the MySQL server is closed")

// Serve accepts clients on l until ctx ends or Close is called; it closes l,
// ends its connections and waits for them. It returns ErrClosed, the cause of
// ctx or what accepting failed with.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, end := context.WithCancelCause(ctx)
	_, leave, err := s.enter(end)
	if err != nil {
		l.Close()
		return err
	}
	defer leave()
	var conns sync.WaitGroup
	defer conns.Wait()
	defer end(ErrClosed)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer l.Close()
	for pause := time.Millisecond; ; {
		c, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				c.Close()
			}
			return context.Cause(ctx)
		}
		if err != nil {
			// Out of file descriptors, most likely: others will end.
			if isPassing(err) && pause < time.Second {
				time.Sleep(pause)
				pause *= 2
				continue
			}
			return err
		}
		pause = time.Millisecond
		conns.Go(func() { s.ServeConn(ctx, c) })
	}
}

// ServeConn serves one client and returns when its connection has ended. The
// other end may be a net.Pipe.
func (s *Server) ServeConn(ctx context.Context, c net.Conn) {
	defer c.Close()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	id, leave, err := s.enter(end)
	if err != nil {
		return
	}
	defer leave()
	s.serve(ctx, end, c, id)
}

// Close stops every Serve, ends every connection and waits for them.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, end := range s.ends {
		end(ErrClosed)
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// enter registers something that Close must end and wait for.
func (s *Server) enter(end context.CancelCauseFunc) (id uint64, leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, nil, ErrClosed
	}
	if s.ends == nil {
		s.ends = map[uint64]context.CancelCauseFunc{}
	}
	s.next++
	id = s.next
	s.ends[id] = end
	s.wg.Add(1)
	return id, func() {
		s.mu.Lock()
		delete(s.ends, id)
		s.mu.Unlock()
		s.wg.Done()
	}, nil
}

func isPassing(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
