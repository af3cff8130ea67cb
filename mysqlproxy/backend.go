package mysqlproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// handshakeLimit bounds the messages of a login, on both sides.
const handshakeLimit = 128 << 10

// backendTimeout bounds connecting and logging in to a backend.
const backendTimeout = 30 * time.Second

// backendConn is a connection to a backend that has logged in.
type backendConn struct {
	*wire
	caps   capability
	id     uint32
	status uint16
}

// connect logs in to b with what a client asked for. An *Error is the
// backend's own.
func connect(ctx context.Context, b Backend, want capability, charset byte, database string) (*backendConn, error) {
	ctx, cancel := context.WithTimeout(ctx, backendTimeout)
	defer cancel()
	raw, err := b.Dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	conn, err := login(ctx, raw, b, want, charset, database)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return conn, nil
}

func login(ctx context.Context, raw net.Conn, b Backend, want capability, charset byte, database string) (*backendConn, error) {
	p := newWire(raw)
	p.loose = true
	first, err := p.read(handshakeLimit)
	if err != nil {
		return nil, fmt.Errorf("no greeting from the server: %w", cut(err))
	}
	if len(first) > 0 && first[0] == headErr {
		return nil, parseErr(first)
	}
	g, err := parseGreeting(first)
	if err != nil {
		return nil, err
	}
	r := &response{charset: charset, user: b.User, database: database}
	r.caps = clientLongPassword | clientProtocol41 | clientTransactions | clientSecureConnection |
		g.caps&(clientPluginAuth|want&passedOn)
	if database != "" {
		r.caps |= clientConnectWithDB
	}
	private := isPrivate(raw)
	if b.TLS != nil {
		if !g.caps.has(clientSSL) {
			return nil, errors.New("the server does not offer TLS")
		}
		r.caps |= clientSSL
		r.tls = true
		if err := p.writeFlush(r.encode()); err != nil {
			return nil, err
		}
		secure := tls.Client(raw, b.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS with the server: %w", err)
		}
		seq := p.seq
		p = newWire(secure)
		p.loose, p.seq = true, seq
		r.tls, private = false, true
	}
	r.plugin = g.plugin
	if r.plugin != cachingSHA2 {
		// Whatever else the server prefers, it can ask for by a switch.
		r.plugin = nativePassword
	}
	r.answer = scramble(r.plugin, b.Password, g.salt)
	if err := p.writeFlush(r.encode()); err != nil {
		return nil, err
	}
	ok, err := authenticate(p, b.Password, r.plugin, g.salt, private)
	if err != nil {
		return nil, err
	}
	return &backendConn{wire: p, caps: r.caps, id: g.conn, status: ok.status}, nil
}

// isPrivate says that nobody else can read the connection.
func isPrivate(c net.Conn) bool {
	switch c.LocalAddr().Network() {
	case "unix", "pipe":
		return true
	}
	return false
}

// authenticate answers the server until it says OK or ERR.
func authenticate(p *wire, password, plugin string, salt []byte, private bool) (okPacket, error) {
	for range 10 { // a login needs three rounds at most
		b, err := p.read(handshakeLimit)
		if err != nil {
			return okPacket{}, fmt.Errorf("the server broke off the login: %w", cut(err))
		}
		if len(b) == 0 {
			return okPacket{}, malformed("an empty packet in a login")
		}
		var answer []byte
		switch b[0] {
		case headOK:
			return parseOK(b)
		case headErr:
			return okPacket{}, parseErr(b)
		case headEOF:
			f := newFields(b[1:])
			plugin = string(f.zeroBytes())
			salt = bytes.TrimSuffix(f.b, []byte{0})
			if answer, err = answerTo(plugin, password, salt, private); err != nil {
				return okPacket{}, err
			}
		case headMore:
			if plugin != cachingSHA2 || len(b) < 2 {
				return okPacket{}, malformed("the server asks for more than %s gives", plugin)
			}
			switch {
			case len(b) == 2 && b[1] == 3: // it knew us: OK follows
				continue
			case len(b) == 2 && b[1] == 4 && private:
				answer = append([]byte(password), 0)
			case len(b) == 2 && b[1] == 4:
				answer = []byte{2} // show the public key
			default:
				if answer, err = sealPassword(password, salt, b[1:]); err != nil {
					return okPacket{}, err
				}
			}
		default:
			return okPacket{}, malformed("a packet of kind 0x%02x in a login", b[0])
		}
		if err := p.writeFlush(answer); err != nil {
			return okPacket{}, err
		}
	}
	return okPacket{}, malformed("the login does not come to an end")
}

// answerTo gives the answer to a server that wants another plugin.
func answerTo(plugin, password string, salt []byte, private bool) ([]byte, error) {
	switch plugin {
	case nativePassword, cachingSHA2:
		if len(salt) == 0 {
			return nil, malformed("a switch to %s without a salt", plugin)
		}
		return scramble(plugin, password, salt), nil
	case clearPassword:
		if !private {
			return nil, errors.New("the server asks for the plain password over a connection that others can read")
		}
		return append([]byte(password), 0), nil
	}
	return nil, fmt.Errorf("the server asks for the authentication method %q, which is not supported", plugin)
}
