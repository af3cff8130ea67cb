package mysqlproxy

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// conn is one client with its backend, in the command phase.
type conn struct {
	server  *Server
	id      uint64
	ctx     context.Context
	end     context.CancelCauseFunc
	client  *clientLogin
	session *Session
	backend *backendConn
	watch   *watch
	caps    capability // what the client and this proxy agreed on

	maxRows   uint64 // of one result; zero means any number
	database  string
	status    uint16 // the backend's last word, without what concerns one answer only
	prepared  map[uint32]*prepared
	lastLocal uint32
	leave     []func() // undoes what the session set up
	quiet     bool     // no request is in hand: nothing can be said to the client
}

var errQuit = errors.New("the client said goodbye")

// serve runs one client connection from the greeting to the end.
func (s *Server) serve(ctx context.Context, end context.CancelCauseFunc, nc net.Conn, id uint64) {
	// Reading stops at once when the connection must end; writing gets a
	// moment to say why.
	stop := context.AfterFunc(ctx, func() {
		nc.SetReadDeadline(time.Unix(1, 0))
		nc.SetWriteDeadline(time.Now().Add(time.Second))
	})
	defer stop()
	l, kind, err := s.greet(ctx, nc, id)
	if err != nil {
		s.fail(kind, nc, "", err)
		if isProtocol(err) && l != nil {
			l.writeFlush((&Error{Number: 1043, State: "08S01", Message: "Bad handshake: " + err.Error()}).encode())
		}
		return
	}
	nc.SetDeadline(time.Now().Add(s.handshakeTimeout() + backendTimeout))
	c := &conn{server: s, id: id, ctx: ctx, end: end, client: l, caps: l.caps & offered}
	defer c.close()
	if err := c.open(l.response, l.tls); err != nil {
		return
	}
	nc.SetDeadline(time.Time{})
	if ctx.Err() != nil {
		return
	}
	for err == nil {
		err = c.command()
	}
	if c.client.torn {
		return
	}
	if e := c.parting(err); e != nil {
		c.client.writeFlush(e.encode())
	}
}

// open authenticates r, connects to its backend and says OK.
func (c *conn) open(r *response, withTLS bool) error {
	nc := c.client.conn
	fail := func(kind FailureKind, err error, e *Error) error {
		c.server.fail(kind, nc, r.user, err)
		c.client.writeFlush(e.encode())
		return err
	}
	verify, plugin, err := c.client.settle(c.server.AuthPlugin)
	if err != nil {
		c.server.fail(FailedProtocol, nc, r.user, err)
		return err
	}
	session, err := c.server.Login(c.ctx, Attempt{Conn: c.id, User: r.user, Database: r.database, Remote: nc.RemoteAddr(), TLS: withTLS, Verify: verify})
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = denied(r.user, nc.RemoteAddr(), len(r.answer) > 0)
		}
		return fail(FailedLogin, err, e)
	}
	c.session, c.maxRows = session, session.MaxRows
	if session.Done != nil {
		c.leave = append(c.leave, session.Done)
	}
	if u := session.Until; u != nil {
		stop := context.AfterFunc(u, func() { c.end(context.Cause(u)) })
		c.leave = append(c.leave, func() { stop() })
	}
	if plugin == cachingSHA2 && len(r.answer) > 0 {
		// "Fast authentication": the scramble was enough.
		if err := c.client.write([]byte{headMore, 3}); err != nil {
			return err
		}
	}
	c.database = r.database
	b, err := connect(c.ctx, session.Backend, c.caps, r.charset, c.mapped(r.database))
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Number: 2003, Message: "Can't connect to the MySQL server behind this one: " + err.Error()}
		}
		return fail(FailedBackend, err, e)
	}
	c.backend, c.status, c.prepared = b, b.status, map[uint32]*prepared{}
	c.watch = watchBackend(b.wire, nc)
	raw := b.conn
	stop := context.AfterFunc(c.ctx, func() { raw.Close() })
	c.leave = append(c.leave, c.watch.stop, func() { stop(); raw.Close() })
	return c.client.writeFlush(okPacket{status: b.status}.encode(headOK))
}

// close ends the session, last things first.
func (c *conn) close() {
	for i := len(c.leave) - 1; i >= 0; i-- {
		c.leave[i]()
	}
	c.leave = nil
}

// mapped gives the backend's name for the client's database.
func (c *conn) mapped(database string) string {
	if m := c.session.MapDatabase; m != nil {
		database = m(database)
	}
	if database == "" {
		return c.session.Backend.Database
	}
	return database
}

// parting is what the client is told when its connection ends because of err,
// or nil where there is nothing to say or nobody to hear it.
func (c *conn) parting(err error) *Error {
	var e *Error
	var lost *backendLost
	switch {
	case err == errQuit, c.quiet && !isProtocol(err):
		return nil
	case c.ctx.Err() != nil:
		if errors.As(context.Cause(c.ctx), &e) {
			return e
		}
		return &Error{Number: 2013, Message: "Lost connection to MySQL server during query: " + context.Cause(c.ctx).Error()}
	case errors.As(err, &lost):
		return lost.told()
	case isProtocol(err):
		return &Error{Number: 1835, Message: "Malformed communication packet: " + err.Error()}
	}
	return nil
}

// backendLost is the end of the backend's connection while an answer was due.
type backendLost struct{ err error }

func (e *backendLost) Error() string { return "the backend is lost: " + e.err.Error() }
func (e *backendLost) Unwrap() error { return e.err }

// told is what MySQL's own client library would report, with the reason.
func (e *backendLost) told() *Error {
	reason := "the server behind this one broke off: " + e.err.Error()
	if errors.Is(e.err, io.EOF) || errors.Is(e.err, io.ErrUnexpectedEOF) {
		reason = "the server behind this one closed it"
	}
	return &Error{Number: 2013, Message: "Lost connection to MySQL server during query: " + reason}
}

func (s *Server) fail(kind FailureKind, c net.Conn, user string, err error) {
	if s.Failed != nil && err != errSilent {
		s.Failed(Failure{Kind: kind, Remote: c.RemoteAddr().String(), User: user, Err: err})
	}
}
