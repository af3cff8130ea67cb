package mysqlproxy

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/pmig/pmig/emulator/mariadb"
)

// TestCommandsOnServer speaks the commands that no Go driver uses to a real
// server through the proxy, in both forms of the protocol.
func TestCommandsOnServer(t *testing.T) {
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	dir, err := os.MkdirTemp("", "mysqlproxy")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	server, err := mariadb.Start(t.Context(), mariadb.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	for _, want := range []capability{clientMultiStatements | clientMultiResults, clientMultiStatements | clientMultiResults | clientDeprecateEOF} {
		dial := func(ctx context.Context) (net.Conn, error) { return server.Dial(ctx) }
		c := newClient(t, &Session{Backend: Backend{Dial: dial, User: "root"}}, want)
		isNew := want.has(clientDeprecateEOF)
		ok := func(answer []string) bool { return answer[0][0] == headOK }
		end := func(answer []string) (okPacket, bool) {
			last := answer[len(answer)-1]
			e, err := parseOK([]byte(last))
			return e, last[0] == headEOF && err == nil && (len(last) > 5) == isNew
		}
		for _, q := range []string{"CREATE DATABASE IF NOT EXISTS c", "USE c", "CREATE OR REPLACE TABLE t (a INT, b LONGTEXT)"} {
			if got := c.ask(1, []byte("\x03"+q)...); !ok(got) {
				t.Fatalf("%s: %q", q, got)
			}
		}
		if got := c.ask(1, 0x02, 'c'); !ok(got) {
			t.Errorf("init db: %q", got)
		}
		if got := c.ask(3, []byte("\x04t\x00%")...); !strings.Contains(got[1], "\x01b") {
			t.Errorf("field list: %q", got)
		} else if _, ok := end(got); !ok {
			t.Errorf("field list ends with %q", got[2])
		}
		if got := c.ask(1, 0x09); !strings.Contains(got[0], "Uptime") {
			t.Errorf("statistics: %q", got)
		}
		if _, ok := end(c.ask(1, 0x1b, 1, 0)); !ok {
			t.Error("multi statements cannot be turned off")
		}
		if e := parseErr([]byte(c.ask(1, []byte("\x03SELECT 1; SELECT 2")...)[0])); e.Number != 1064 {
			t.Errorf("they are not off: %v", e)
		}
		// A statement whose parameter comes in pieces.
		n := 4 // OK, two parameters, their end
		if isNew {
			n = 3
		}
		prepared := c.ask(n, []byte("\x16INSERT INTO t VALUES (?, ?)")...)
		if !ok(prepared) {
			t.Fatalf("prepare: %q", prepared)
		}
		id := prepared[0][1:5]
		send := func(parts ...string) []byte { return []byte(strings.Join(parts, "")) }
		for range 3 {
			c.ask(0, send("\x18", id, "\x01\x00", strings.Repeat("x", 10))...)
		}
		if got := c.ask(1, send("\x17", id, "\x00\x01\x00\x00\x00\x00\x01\x03\x00\xfc\x00", "\x05\x00\x00\x00")...); !ok(got) {
			t.Errorf("execute: %q", got)
		}
		if got := c.ask(1, send("\x1a", id)...); !ok(got) {
			t.Errorf("reset: %q", got)
		}
		c.ask(0, send("\x19", id)...)
		// A cursor: columns first, rows when they are fetched.
		if n = 3; isNew {
			n = 2
		}
		prepared = c.ask(n, []byte("\x16SELECT seq FROM seq_1_to_5")...)
		if !ok(prepared) {
			t.Fatalf("prepare: %q", prepared)
		}
		id = prepared[0][1:5]
		opened := c.ask(3, send("\x17", id, "\x01\x01\x00\x00\x00")...)
		if e, ok := end(opened); !ok || e.status&statusCursorExists == 0 {
			t.Errorf("cursor: %q", opened)
		}
		for _, rows := range []int{2, 2, 1} {
			got := c.ask(rows+1, send("\x1c", id, "\x02\x00\x00\x00")...)
			if _, ok := end(got); !ok {
				t.Errorf("fetch of %d: %q", rows, got)
			}
		}
		if got := c.ask(1, 0x1f); !ok(got) {
			t.Errorf("reset connection: %q", got)
		}
		if e := parseErr([]byte(c.ask(1, send("\x17", id, "\x01\x01\x00\x00\x00")...)[0])); e.Number != 1243 {
			t.Errorf("a statement outlives the reset: %v", e)
		}
		if got := c.ask(3, []byte("\x03SELECT LENGTH(b) FROM t")...); len(got) == 3 && !isNew {
			c.rest(2)
		} else {
			got = append(got, c.rest(1)...)
			if !strings.Contains(strings.Join(got, "|"), "\x0230") {
				t.Errorf("the pieces: %q", got)
			}
		}
	}
}

// rest reads n more packets.
func (c *client) rest(n int) (out []string) {
	for range n {
		b, err := c.read(1 << 20)
		if err != nil {
			return append(out, err.Error())
		}
		out = append(out, string(b))
	}
	return out
}
