package emulator_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// Whatever a client sends in place of a login, or after one that was cut, the front does not panic, keeps nothing of it, and
// serves the next client.
func FuzzFrontHandshake(f *testing.F) {
	frame := func(seq byte, b string) []byte {
		return append([]byte{byte(len(b)), byte(len(b) >> 8), byte(len(b) >> 16), seq}, b...)
	}
	// Protocol 4.1, secure connection, with a database and a plugin; 32 bytes before the user.
	head := "\x8d\xa2\x0b\x00\x00\x00\x00\x01\x2d" + strings.Repeat("\x00", 23)
	for _, seed := range [][]byte{
		nil,
		frame(1, head+"user\x00\x14"+strings.Repeat("x", 20)+"shop\x00mysql_native_password\x00"),
		frame(1, head+"user\x00\x00shop\x00caching_sha2_password\x00"),
		frame(1, head+"user\x00\x00shop\x00sha256_password\x00"),
		frame(1, head+"user\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff"),
		frame(1, "\x8d\xaa\x0b\x00\x00\x00\x00\x01\x2d"+strings.Repeat("\x00", 23)), // asks for TLS
		append(frame(1, "\x8d\xaa\x0b\x00\x00\x00\x00\x01\x2d"+strings.Repeat("\x00", 23)), "\x16\x03\x01\x00\x05hello"...),
		frame(0, "\x03SELECT 1"),
		frame(1, ""),
		{0xff, 0xff, 0xff, 1},
		{0xff, 0xff, 0x00, 1, 'x'},
		[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		[]byte("SSH-2.0-OpenSSH_9.2\r\n"),
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	engine, err := emulator.NewMemory("")
	if err != nil {
		f.Fatal(err)
	}
	e, err := emulator.New(f.Context(), emulator.Options{Databases: []string{"shop"}, Engine: engine})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })

	// Another client, which stays connected and must never notice.
	user := frontUser(f, e)
	f.Fuzz(func(t *testing.T, sent []byte, hangUp bool) {
		before := runtime.NumGoroutine()
		conn, err := e.DialMySQL(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		answered := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(conn)
			answered <- b
		}()
		conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = conn.Write(sent)
		if !hangUp { // give it the time to say something
			time.Sleep(time.Millisecond)
		}
		conn.Close()
		select {
		case b := <-answered:
			if bytes.Contains(b, []byte("\x07\x00\x00\x02\x00\x00\x00")) { // an OK packet
				t.Errorf("it was let in: %q", b)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the connection does not end")
		}
		if err := user(); err != nil {
			t.Fatalf("another client: %v", err)
		}
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// Whatever a client sends once it is let in, the same holds: bytes that are no
// packets, packets out of order, commands cut anywhere.
func FuzzFrontCommands(f *testing.F) {
	for _, seed := range []string{
		"\x09\x00\x00\x00\x03SELECT 1", "\x09\x00\x00\x00\x16SELECT ?", "\x09\x00\x00\x05\x03SELECT 1", "\xff\xff\xff\x00\x03SELECT",
		"\x01\x00\x00\x00\x0e\x01\x00\x00\x00\x01", "\x05\x00\x00\x00\x02shop", "\x05\x00\x00\x00\x17\x01\x00\x00\x00", "\x05\x00\x00\x00\x11u\x00\x00d",
		"\x01\x00\x00\x00\x1f", "\x01\x00\x00\x00\x12", "\x05\x00\x00\x00\x0c\x01\x00\x00\x00", "\x03\x00\x00\x00\x1b\x00\x00", "\x03\x00\x00\x00\x04t\x00",
		"\x12\x00\x00\x00\x03SELECT 1; SELECT 2", "\x00\x00\x00\x00", "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	engine, err := emulator.NewMemory("")
	if err != nil {
		f.Fatal(err)
	}
	e, err := emulator.New(f.Context(), emulator.Options{Databases: []string{"shop"}, Engine: engine, VitessLimits: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	user := frontUser(f, e)
	config := frontConfig(f, e)
	f.Fuzz(func(t *testing.T, sent []byte, hangUp bool) {
		before := runtime.NumGoroutine()
		c := config.Clone()
		var conn net.Conn
		c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var err error
			conn, err = e.DialMySQL(ctx)
			return conn, err
		}
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		client, err := connector.Connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			io.Copy(io.Discard, conn)
			close(ended)
		}()
		conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = conn.Write(sent)
		if !hangUp {
			time.Sleep(time.Millisecond)
		}
		conn.Close()
		client.Close()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatal("the connection does not end")
		}
		if err := user(); err != nil {
			t.Fatalf("another client: %v", err)
		}
		for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// frontUser connects as a real client and gives a function that uses the connection.
func frontUser(f *testing.F, e *emulator.Emulator) func() error {
	f.Helper()
	connector, err := mysql.NewConnector(frontConfig(f, e))
	if err != nil {
		f.Fatal(err)
	}
	conn, err := connector.Connect(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { conn.Close() })
	return func() error { return conn.(interface{ Ping(context.Context) error }).Ping(context.Background()) }
}

// frontConfig is the configuration of a real client, who reads main.
func frontConfig(f *testing.F, e *emulator.Emulator) *mysql.Config {
	f.Helper()
	client, err := planetscale.New(planetscale.Options{Address: "http://127.0.0.1/", TokenID: "id", Token: "secret", Transport: e.Transport(), PerMinute: 60000})
	if err != nil {
		f.Fatal(err)
	}
	p, err := client.DB("acme", "shop").CreatePassword(f.Context(), "main", planetscale.NewPassword{Name: "other", Role: "reader"})
	if err != nil {
		f.Fatal(err)
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr = p.Username, p.PlainText.Reveal(), "shop", "emulator", "127.0.0.1:3306"
	c.Logger = &mysql.NopLogger{}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return e.DialMySQL(ctx) }
	return c
}
