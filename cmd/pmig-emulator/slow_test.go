package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
)

// serveSlow serves an emulator with little patience and returns its address.
func serveSlow(t *testing.T, p patience) string {
	t.Helper()
	engine, err := emulator.NewMemory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := emulator.New(t.Context(), emulator.Options{Databases: []string{"shop"}, Engine: engine})
	if err != nil {
		engine.Close()
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(e, p)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// A client that takes its time is cut off, however little at a time it goes on
// sending, and everybody else is answered meanwhile.
func TestSlowClients(t *testing.T) {
	const limit, many = 700 * time.Millisecond, 50
	address := serveSlow(t, patience{header: limit, request: limit, answer: time.Minute, idle: limit})
	const branches = "/v1/organizations/acme/databases/shop/branches"
	head := "POST " + branches + " HTTP/1.1\r\nHost: x\r\nAuthorization: a:b\r\n"
	began := time.Now()
	type end struct {
		what, answer string
		after        time.Duration
	}
	ends := make(chan end, 3*many)
	slow := func(what, first, drip string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			ends <- end{what: what + ": " + err.Error()}
			return
		}
		defer c.Close()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			io.WriteString(c, first)
			for drip != "" {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				if _, err := io.WriteString(c, drip); err != nil {
					return
				}
			}
		}()
		c.SetReadDeadline(time.Now().Add(20 * limit))
		b, err := io.ReadAll(c)
		if ne, is := err.(net.Error); is && ne.Timeout() {
			ends <- end{what: what + ": it was not cut off"}
			return
		}
		ends <- end{what, string(b), time.Since(began)}
	}
	for range many {
		go slow("header", "POST /v1", "")
		go slow("dripping header", head, "X: y\r\n")
		go slow("body", head+"Content-Length: 100000\r\n\r\n{", " ")
	}
	for len(ends) < 3*many {
		before := time.Now()
		r, err := http.NewRequest("GET", "http://"+address+branches, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "a:b")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if took := time.Since(before); res.StatusCode != 200 || took > limit {
			t.Fatalf("another client is answered %d after %v", res.StatusCode, took)
		}
		if time.Since(began) > 20*limit {
			t.Fatalf("%d of %d are not cut off", 3*many-len(ends), 3*many)
		}
		time.Sleep(10 * time.Millisecond)
	}
	http.DefaultClient.CloseIdleConnections()
	for range 3 * many {
		e := <-ends
		if e.after < limit/2 {
			t.Errorf("%s: ended after %v: %q", e.what, e.after, e.answer)
		}
		if e.what != "body" {
			continue
		}
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(e.answer)), nil)
		if err != nil || res.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%s: %v %q", e.what, err, e.answer)
		}
	}
}
