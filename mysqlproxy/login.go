package mysqlproxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// clientLogin is a client that has said who it is.
type clientLogin struct {
	*wire
	*response
	salt []byte
	tls  bool
}

// errSilent marks connections that end before they say anything: port checks
// and health checks, which are no failures.
var errSilent = errors.New("closed without a word")

// greet sends the greeting and reads the client's answer, upgrading to TLS if
// it asks for that.
func (s *Server) greet(ctx context.Context, c net.Conn, id uint64) (*clientLogin, FailureKind, error) {
	g := &greeting{version: s.Version, conn: uint32(id), salt: newSalt(), caps: offered, charset: 45, status: statusAutocommit, plugin: s.AuthPlugin}
	if g.version == "" {
		g.version = DefaultVersion
	}
	if g.plugin != cachingSHA2 {
		g.plugin = nativePassword
	}
	if s.TLS != nil {
		g.caps |= clientSSL
	}
	c.SetDeadline(time.Now().Add(s.handshakeTimeout()))
	p := newWire(c)
	if err := p.writeFlush(g.encode()); err != nil {
		return nil, FailedProtocol, errSilent
	}
	l := &clientLogin{wire: p, salt: g.salt}
	b, err := p.read(handshakeLimit)
	if err != nil {
		if p.r.Buffered() == 0 && !isTimeout(err) && !isProtocol(err) {
			err = errSilent
		}
		return l, FailedProtocol, err
	}
	if l.response, err = parseResponse(b); err != nil {
		return l, FailedProtocol, err
	}
	if l.response.tls {
		if s.TLS == nil {
			return l, FailedProtocol, malformed("the client asks for TLS, which is not offered")
		}
		secure := tls.Server(&bufferedConn{c, p.r}, s.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, FailedTLS, err
		}
		seq := p.seq
		l.wire = newWire(secure)
		l.wire.seq = seq
		l.tls = true
		if b, err = l.read(handshakeLimit); err != nil {
			if isProtocol(err) || isTimeout(err) {
				return l, FailedProtocol, err
			}
			// Clients that check the certificate after the handshake (Node's)
			// refuse it by hanging up here.
			return l, FailedTLS, fmt.Errorf("the client hung up on seeing the certificate: %w", err)
		}
		if l.response, err = parseResponse(b); err != nil {
			return l, FailedProtocol, err
		}
	}
	return l, "", nil
}

func (s *Server) handshakeTimeout() time.Duration {
	if s.HandshakeTimeout > 0 {
		return s.HandshakeTimeout
	}
	return defaultHandshakeTimeout
}

// settle finds an authentication method that the client can do, asking it to
// switch if need be, and gives the function that checks a password.
func (l *clientLogin) settle(announced string) (verify func(string) bool, plugin string, err error) {
	plugin, salt, answer := l.plugin, l.salt, l.answer
	if plugin == "" || !l.caps.has(clientPluginAuth) {
		plugin = nativePassword
	}
	if plugin != nativePassword && plugin != cachingSHA2 {
		if plugin = announced; plugin != cachingSHA2 {
			plugin = nativePassword
		}
		salt = newSalt()
		b := append([]byte{headEOF}, plugin...)
		b = append(append(append(b, 0), salt...), 0)
		if err := l.writeFlush(b); err != nil {
			return nil, "", err
		}
		if answer, err = l.read(handshakeLimit); err != nil {
			return nil, "", cut(err)
		}
	}
	if len(answer) == 1 && answer[0] == 0 {
		answer = nil // how some clients say "no password" to caching_sha2
	}
	l.answer = answer
	return func(password string) bool { return proves(plugin, password, salt, answer) }, plugin, nil
}

// denied is the error of a bad password, as MySQL words it.
func denied(user string, remote net.Addr, withPassword bool) *Error {
	host, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		host = "localhost"
	}
	using := "NO"
	if withPassword {
		using = "YES"
	}
	return &Error{Number: 1045, State: "28000", Message: fmt.Sprintf("Access denied for user '%s'@'%s' (using password: %s)", user, host, using)}
}

// bufferedConn gives TLS the bytes that were read ahead with its request.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.r.Read(b) }

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func isProtocol(err error) bool {
	var p *protocolError
	return errors.As(err, &p) || errors.Is(err, errTooLong)
}
