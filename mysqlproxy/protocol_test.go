package mysqlproxy

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeServer is a backend that takes any login and answers commands from a
// script, packet by packet.
type fakeServer struct {
	caps   capability
	script func(command []byte) [][]byte
	login  func(p *wire, r *response) error
}

func (f *fakeServer) serve(c net.Conn) {
	defer c.Close()
	p := newWire(c)
	g := &greeting{version: "fake", conn: 7, salt: []byte("01234567890123456789"), caps: offered&^clientDeprecateEOF | f.caps, plugin: cachingSHA2}
	if p.writeFlush(g.encode()) != nil {
		return
	}
	b, err := p.read(handshakeLimit)
	if err != nil {
		return
	}
	r, err := parseResponse(b)
	if err != nil {
		return
	}
	if f.login != nil {
		if err := f.login(p, r); err != nil {
			p.writeFlush((&Error{Number: 1045, State: "28000", Message: err.Error()}).encode())
			return
		}
	}
	p.writeFlush(okPacket{status: statusAutocommit}.encode(headOK))
	for {
		p.reset()
		b, err := p.read(1 << 20)
		if err != nil || len(b) == 0 || Command(b[0]) == quit {
			return
		}
		for _, packet := range f.script(b) {
			p.write(packet)
		}
		if p.w.Flush() != nil {
			return
		}
	}
}

func (f *fakeServer) dial(context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	go f.serve(far)
	return near, nil
}

// client logs in to a proxy before a backend and speaks the bare protocol.
type client struct {
	*backendConn
	t *testing.T
}

func newClient(t *testing.T, s *Session, want capability) *client {
	t.Helper()
	server := &Server{Login: func(context.Context, Attempt) (*Session, error) { return s, nil }}
	t.Cleanup(func() { server.Close() })
	b, err := connect(t.Context(), Backend{Dial: func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		go server.ServeConn(context.Background(), far)
		return near, nil
	}}, want, 45, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.conn.Close() })
	b.loose = false
	b.conn.SetDeadline(time.Now().Add(10 * time.Second))
	return &client{b, t}
}

// ask sends a command and reads n packets.
func (c *client) ask(n int, command ...byte) (out []string) {
	c.t.Helper()
	c.reset()
	if err := c.writeFlush(command); err != nil {
		c.t.Fatal(err)
	}
	for range n {
		b, err := c.read(1 << 20)
		if err != nil {
			return append(out, err.Error())
		}
		out = append(out, string(b))
	}
	return out
}

// TestEndOfRows: whichever form of "end of rows" either side speaks, each gets
// the form it asked for, with the same status.
func TestEndOfRows(t *testing.T) {
	column := string(encodeColumn("a", typeVarString, charsetUTF8, 0))
	for _, old := range []bool{true, false} {
		for _, oldBackend := range []bool{true, false} {
			t.Run(fmt.Sprintf("client old %v, backend old %v", old, oldBackend), func(t *testing.T) {
				backendSpeaksNew := !old && !oldBackend
				result := func(status uint16, rows ...string) (out [][]byte) {
					end := okPacket{status: status, warnings: 3}
					out = append(out, []byte{1}, []byte(column))
					if !backendSpeaksNew {
						out = append(out, okPacket{status: status &^ statusMoreResults}.encodeEnd(false))
						if status&statusCursorExists != 0 {
							return out
						}
					}
					for _, r := range rows {
						out = append(out, []byte(r))
					}
					return append(out, end.encodeEnd(backendSpeaksNew))
				}
				long := "\xfe" + strings.Repeat("x", 20) // a row that begins like an end
				if backendSpeaksNew {
					long = "\xfc" + strings.Repeat("x", 20)
				}
				f := &fakeServer{script: func(b []byte) [][]byte {
					switch Command(b[0]) {
					case Prepare:
						out := [][]byte{{0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0}, []byte(column)}
						if !backendSpeaksNew {
							out = append(out, okPacket{}.encodeEnd(false))
						}
						out = append(out, []byte(column))
						if !backendSpeaksNew {
							out = append(out, okPacket{}.encodeEnd(false))
						}
						return out
					case Execute:
						return result(statusCursorExists | statusAutocommit)
					case setOption:
						return [][]byte{okPacket{}.encodeEnd(backendSpeaksNew)}
					}
					return append(result(statusMoreResults, "\x01a", long), append(result(0), okPacket{affected: 5}.encode(headOK))[:len(result(0))]...)
				}}
				if !oldBackend {
					f.caps = clientDeprecateEOF
				}
				want := clientDeprecateEOF
				if old {
					want = 0
				}
				c := newClient(t, &Session{Backend: Backend{Dial: f.dial}}, want|clientMultiResults)
				end := func(status, warnings uint16) string {
					return string(okPacket{status: status, warnings: warnings}.encodeEnd(!old))
				}
				var expect []string
				header := []string{"\x01", column}
				if old {
					header = append(header, end(0, 0))
				}
				expect = append(append(append(expect, header...), "\x01a", long, end(statusMoreResults, 3)), append(header, end(0, 3))...)
				if diff := cmp.Diff(expect, c.ask(len(expect), []byte("\x03SELECT")...)); diff != "" {
					t.Errorf("query: %s", diff)
				}
				expect = []string{"\x00\x01\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00", column, column}
				if old {
					expect = []string{expect[0], column, end(0, 0), column, end(0, 0)}
				}
				if diff := cmp.Diff(expect, c.ask(len(expect), []byte("\x16SELECT ?")...)); diff != "" {
					t.Errorf("prepare: %s", diff)
				}
				warnings := uint16(0)
				if backendSpeaksNew {
					warnings = 3
				}
				expect = []string{"\x01", column, end(statusCursorExists|statusAutocommit, warnings)}
				if diff := cmp.Diff(expect, c.ask(3, 0x17, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0xfd, 0, 1, 'x')); diff != "" {
					t.Errorf("cursor: %s", diff)
				}
				if diff := cmp.Diff([]string{end(0, 0)}, c.ask(1, 0x1b, 1, 0)); diff != "" {
					t.Errorf("option: %s", diff)
				}
			})
		}
	}
}

func TestRefusedCommands(t *testing.T) {
	asked := 0
	f := &fakeServer{script: func([]byte) [][]byte { asked++; return [][]byte{okPacket{}.encode(headOK)} }}
	c := newClient(t, &Session{Backend: Backend{Dial: f.dial}}, 0)
	for _, cmd := range []byte{0x00, 0x05, 0x06, 0x07, 0x08, 0x0a, 0x0c, 0x0d, 0x12, 0x13, 0x15, 0x1d, 0x1e, 0x20, 0xfa, 0xff} {
		if e := parseErr([]byte(c.ask(1, cmd, 1, 2, 3)[0])); e.Number != 1047 {
			t.Errorf("command %#x: %v", cmd, e)
		}
	}
	for _, unknown := range []byte{0x17, 0x1a, 0x1c} {
		if e := parseErr([]byte(c.ask(1, unknown, 9, 0, 0, 0, 0, 0, 0, 0, 0)[0])); e.Number != 1243 {
			t.Errorf("command %#x: %v", unknown, e)
		}
	}
	c.ask(0, 0x19, 9, 0, 0, 0)
	c.ask(0, 0x18, 9, 0, 0, 0, 0, 0, 'x')
	if e := parseErr([]byte(c.ask(1, 0x1b, 7, 0)[0])); e.Number != 1047 {
		t.Errorf("option: %v", e)
	}
	if asked != 0 {
		t.Errorf("the backend was asked %d times", asked)
	}
	if got := c.ask(1, byte(ping)); got[0][0] != headOK || asked != 1 {
		t.Errorf("ping: %q", got)
	}
}

// TestLocalFileAsked: a backend that asks for a file nevertheless gets none.
func TestLocalFileAsked(t *testing.T) {
	var sent []byte
	near, far := net.Pipe()
	f := &fakeServer{}
	f.script = func(b []byte) [][]byte { sent = b; return [][]byte{append([]byte{headLocal}, "/etc/passwd"...)} }
	go f.serve(far)
	c := newClient(t, &Session{Backend: Backend{Dial: func(context.Context) (net.Conn, error) { return near, nil }}}, 0)
	// The fake server takes the empty packet for a bad command and hangs up.
	if e := parseErr([]byte(c.ask(1, []byte("\x03LOAD")...)[0])); e.Number != 2013 || string(sent) != "\x03LOAD" {
		t.Errorf("got %v", e)
	}
}

func TestMalformed(t *testing.T) {
	answers := func([]byte) [][]byte { return [][]byte{okPacket{}.encode(headOK)} }
	for _, c := range []struct {
		name string
		sent []byte
		want string
	}{
		{"packet out of order", []byte{1, 0, 0, 5, 0x0e}, "packet number 5 where 0 was due"},
		{"empty command", []byte{0, 0, 0, 0}, "without a command byte"},
		{"cut change of user", []byte{3, 0, 0, 0, 0x11, 'a', 'b'}, "cut short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newClient(t, &Session{Backend: Backend{Dial: (&fakeServer{script: answers}).dial}}, 0)
			if _, err := cl.conn.Write(c.sent); err != nil {
				t.Fatal(err)
			}
			cl.loose = true
			b, err := cl.read(1 << 20)
			if e := parseErr(b); err != nil || e.Number != 1835 || !strings.Contains(e.Message, c.want) {
				t.Errorf("got %v, %v", e, err)
			}
			if _, err := cl.read(1 << 20); err == nil {
				t.Error("the connection is still open")
			}
		})
	}
	for _, bad := range [][]byte{{0xfc}, {0xfd, 1}, {0xff, 0xff}, {}, {0, 0xfe}} {
		cl := newClient(t, &Session{Backend: Backend{Dial: (&fakeServer{script: func([]byte) [][]byte { return [][]byte{bad} }}).dial}}, 0)
		if e := parseErr([]byte(cl.ask(1, []byte("\x03SELECT")...)[0])); e.Number != 2013 {
			t.Errorf("backend says %x: %v", bad, e)
		}
	}
}

// TestFullAuthentication: a backend that does not know the password's hash yet
// asks for the password itself, which crosses only what nobody can read.
func TestFullAuthentication(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	const password = "pä ss"
	read := func(p *wire) []byte { b, _ := p.read(handshakeLimit); return b }
	full := func(p *wire, r *response) error {
		if !proves(cachingSHA2, password, []byte("01234567890123456789"), r.answer) {
			return errors.New("the first answer is wrong")
		}
		p.writeFlush([]byte{headMore, 4})
		b := read(p)
		if bytes.Equal(b, []byte{2}) {
			p.writeFlush(append([]byte{headMore}, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...))
			plain, err := rsa.DecryptOAEP(sha1.New(), nil, key, read(p), nil)
			if err != nil {
				return err
			}
			for i := range plain {
				plain[i] ^= "01234567890123456789"[i%20]
			}
			b = plain
		} else if p.conn.LocalAddr().Network() == "tcp" {
			return errors.New("the password came in the open")
		}
		if string(b) != password+"\x00" {
			return fmt.Errorf("password %q", b)
		}
		return nil
	}
	switched := func(plugin string) func(p *wire, r *response) error {
		return func(p *wire, r *response) error {
			p.writeFlush([]byte("\xfe" + plugin + "\x00abcdefghijklmnopqrst\x00"))
			if b := read(p); !bytes.Equal(b, scramble(plugin, password, []byte("abcdefghijklmnopqrst"))) {
				return fmt.Errorf("answer %q", b)
			}
			return nil
		}
	}
	clear := func(p *wire, r *response) error {
		p.writeFlush([]byte("\xfemysql_clear_password\x00"))
		if b := read(p); string(b) != password+"\x00" {
			return fmt.Errorf("answer %q", b)
		}
		return nil
	}
	for _, c := range []struct {
		name  string
		login func(*wire, *response) error
		tcp   bool
		want  string
	}{
		{"full over a pipe", full, false, ""},
		{"full over TCP", full, true, ""},
		{"switch to native", switched(nativePassword), true, ""},
		{"switch to caching", switched(cachingSHA2), false, ""},
		{"clear over a pipe", clear, false, ""},
		{"clear over TCP", clear, true, "others can read"},
		{"unknown method", func(p *wire, _ *response) error { p.writeFlush([]byte("\xfedialog\x00x")); read(p); return nil }, false, `"dialog"`},
		{"endless", func(p *wire, _ *response) error {
			for p.writeFlush([]byte{headMore, 3}) == nil {
			}
			return io.EOF
		}, false, "come to an end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fakeServer{login: c.login}
			dial := f.dial
			if c.tcp {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				go func() {
					if conn, err := l.Accept(); err == nil {
						f.serve(conn)
					}
				}()
				dial = func(ctx context.Context) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
				}
			}
			b, err := connect(t.Context(), Backend{Dial: dial, User: "u", Password: password}, 0, 45, "")
			if err == nil {
				b.conn.Close()
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestClientMethods: clients that prefer another method are asked to switch,
// old ones are taken as they are.
func TestClientMethods(t *testing.T) {
	for _, c := range []struct {
		name, plugin, answerWith string
		caps                     capability
	}{
		{"no plugins", "", nativePassword, 0},
		{"native", nativePassword, nativePassword, clientPluginAuth},
		{"caching", cachingSHA2, cachingSHA2, clientPluginAuth},
		{"unknown", "dialog", "", clientPluginAuth},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fakeServer{script: func([]byte) [][]byte { return nil }}
			server := &Server{Login: func(_ context.Context, a Attempt) (*Session, error) {
				if !a.Verify("secret") || a.Verify("Secret") || a.Verify("") {
					return nil, errors.New("no")
				}
				return &Session{Backend: Backend{Dial: f.dial}}, nil
			}}
			defer server.Close()
			near, far := net.Pipe()
			go server.ServeConn(context.Background(), far)
			near.SetDeadline(time.Now().Add(5 * time.Second))
			p := newWire(near)
			b, err := p.read(handshakeLimit)
			if err != nil {
				t.Fatal(err)
			}
			g, err := parseGreeting(b)
			if err != nil {
				t.Fatal(err)
			}
			r := &response{caps: clientProtocol41 | clientSecureConnection | c.caps, user: "u", plugin: c.plugin}
			if c.answerWith != "" {
				r.answer = scramble(c.answerWith, "secret", g.salt)
			}
			p.writeFlush(r.encode())
			if _, err := authenticate(p, "secret", c.plugin, g.salt, true); err != nil {
				t.Error(err)
			}
		})
	}
}
