package mysqlproxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzMessages gives every reader of a message any bytes: none may panic, and
// what is read can be written and read again.
func FuzzMessages(f *testing.F) {
	salt := []byte("01234567890123456789")
	g := greeting{version: "8.0", conn: 1, salt: salt, caps: offered, plugin: cachingSHA2}
	f.Add(g.encode())
	r := response{caps: clientProtocol41 | clientSecureConnection | clientPluginAuth | clientConnectWithDB, user: "u", answer: salt, database: "d", plugin: nativePassword}
	f.Add(r.encode())
	f.Add(okPacket{affected: 1 << 40, status: 2}.encode(headOK))
	f.Add((&Error{Number: 1045, State: "28000", Message: "no"}).encode())
	f.Add([]byte("\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x01\x08\x00\xfc\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01x"))
	f.Add([]byte("USE `a``b`"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := parseGreeting(b); err == nil {
			if again, err := parseGreeting(g.encode()); err != nil || !bytes.Equal(again.salt, g.salt) || again.version != g.version {
				t.Errorf("a greeting changes: %+v, %v", again, err)
			}
		}
		if r, err := parseResponse(b); err == nil && len(r.answer) < 256 && !r.tls {
			r.caps &^= clientLenencAuth
			r.caps |= clientSecureConnection
			if again, err := parseResponse(r.encode()); err != nil || again.user != r.user || !bytes.Equal(again.answer, r.answer) || !again.tls && again.database != r.database {
				t.Errorf("a login changes: %+v, %v", again, err)
			}
		}
		parseChangeUser(b, offered)
		parseErr(b)
		if ok, err := parseOK(b); err == nil {
			if again, err := parseOK(ok.encode(headOK)); err != nil || again != ok {
				t.Errorf("an OK changes: %+v, %v", again, err)
			}
		}
		for _, params := range []int{0, 1, 2, 9} {
			p := &prepared{params: params}
			p.noteTypes(b)
			p.args(b)
			if len(b) > 0 {
				p.addLong(b)
				p.args(b)
			}
		}
		text := string(b)
		if n := countParams(text); n < 0 || n > len(b) {
			t.Errorf("%d parameters", n)
		}
		if name, ok := useName(text); ok && quoteName(name) == "" {
			t.Error("no name")
		}
	})
}

// FuzzClient lets a client send any bytes after the greeting, with and without
// a good login before them: the server must neither panic nor hang.
func FuzzClient(f *testing.F) {
	f.Add(false, []byte{32, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Add(true, []byte("\x09\x00\x00\x00\x03SELECT 1\x01\x00\x00\x00\x0e"))
	f.Add(true, []byte("\x09\x00\x00\x00\x16SELECT ?\x0a\x00\x00\x00\x17\x01\x00\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x19\x01\x00\x00\x00"))
	f.Add(true, []byte("\xff\xff\xff\x00\x03SELECT"))
	f.Add(true, []byte("\x05\x00\x00\x00\x11u\x00\x00d\x01\x00\x00\x00\x1f"))
	f.Fuzz(func(t *testing.T, login bool, sent []byte) {
		backend := &fakeServer{script: func(b []byte) [][]byte {
			if Command(b[0]) == Prepare {
				return [][]byte{{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}
			}
			return [][]byte{okPacket{}.encode(headOK)}
		}}
		one := "1"
		server := &Server{HandshakeTimeout: time.Second, Login: func(context.Context, Attempt) (*Session, error) {
			return &Session{Backend: Backend{Dial: backend.dial}, MapDatabase: func(s string) string { return s },
				Handler: answering{Verdict{Result: &Result{Columns: []string{"a"}, Rows: [][]*string{{&one}}}}}}, nil
		}}
		defer server.Close()
		near, far := net.Pipe()
		served := make(chan struct{})
		go func() { server.ServeConn(context.Background(), far); close(served) }()
		if login {
			sent = append(frame((&response{caps: clientProtocol41 | clientSecureConnection, user: "u"}).encode(), 1), sent...)
		}
		go io.Copy(io.Discard, near)
		near.Write(sent)
		near.Close()
		select {
		case <-served:
		case <-time.After(10 * time.Second):
			t.Error("the connection does not end")
		}
	})
}

// answering gives statements that begin with a digit a verdict, and asks for
// the arguments of all.
type answering struct{ v Verdict }

func (a answering) Statement(s *Statement) Verdict {
	s.Args()
	if s.SQL != "" && s.SQL[0] >= '0' && s.SQL[0] <= '9' {
		return a.v
	}
	return Verdict{}
}

func (answering) Finished(*Statement) {}

// FuzzBackend lets a backend answer with any bytes, in the login and after it.
func FuzzBackend(f *testing.F) {
	f.Add(false, byte(Query), []byte{0x0a, 0, 0, 0})
	f.Add(true, byte(Query), []byte("\x01\x00\x00\x01\x01\x05\x00\x00\x02\x03def\x01\x05\x00\x00\x03\xfe\x00\x00\x02\x00\x02\x00\x00\x04\x01a\x05\x00\x00\x05\xfe\x00\x00\x02\x00"))
	f.Add(true, byte(Prepare), []byte("\x0c\x00\x00\x01\x00\x01\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00"))
	f.Add(true, byte(FieldList), []byte("\x00\x00\x00\x01"))
	f.Add(true, byte(statistics), []byte("\xff\xff\xff\x01up"))
	f.Fuzz(func(t *testing.T, login bool, command byte, sent []byte) {
		dial := func(context.Context) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				defer far.Close()
				if login {
					p := newWire(far)
					g := &greeting{version: "x", salt: []byte("01234567890123456789"), caps: offered &^ clientDeprecateEOF}
					p.writeFlush(g.encode())
					if _, err := p.read(handshakeLimit); err != nil {
						return
					}
					p.writeFlush(okPacket{}.encode(headOK))
					if _, err := p.read(handshakeLimit); err != nil {
						return
					}
				}
				far.SetWriteDeadline(time.Now().Add(5 * time.Second))
				far.Write(sent)
			}()
			return near, nil
		}
		server := &Server{Login: func(context.Context, Attempt) (*Session, error) {
			return &Session{Backend: Backend{Dial: dial}, MaxRows: 3}, nil
		}}
		defer server.Close()
		near, far := net.Pipe()
		served := make(chan struct{})
		go func() { server.ServeConn(context.Background(), far); close(served) }()
		go io.Copy(io.Discard, near)
		near.Write(frame((&response{caps: clientProtocol41 | clientSecureConnection, user: "u"}).encode(), 1))
		near.SetWriteDeadline(time.Now().Add(5 * time.Second))
		near.Write(frame([]byte{command, 'x', 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0))
		near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		near.Write(frame([]byte{byte(quit)}, 0))
		near.Close()
		select {
		case <-served:
		case <-time.After(10 * time.Second):
			t.Error("the connection does not end")
		}
	})
}

// frame makes a packet of a short message.
func frame(b []byte, seq byte) []byte {
	return append([]byte{byte(len(b)), byte(len(b) >> 8), 0, seq}, b...)
}
