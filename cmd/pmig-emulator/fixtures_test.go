package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Everything that a file and the flags can set.
func TestFixturesAndTrouble(t *testing.T) {
	p := startProcess(t, "--engine", "memory", "--quiet", "--fixtures", "testdata/shop.hcl", "--profile", "planetscale", "--branch-ready", "0s",
		"--knob", "gate=4h", "--unknown", "close_queued", "--vitess-limits",
		"--fault", "answer,path=/databases/store$,status=429,header.Retry-After=2,times=1", "--fault", "slow,path=/organizations$,delay=80ms")
	const store = "v1/organizations/acme/databases/store"
	if status, o := p.call("GET", store, ""); status != 429 {
		t.Errorf("the first: %d %v", status, o)
	}
	if status, o := p.call("GET", store, ""); status != 200 || o["migration_table_name"] != "goose_db_version" {
		t.Errorf("%d %v", status, o)
	}
	began := time.Now()
	if status, o := p.call("GET", "v1/organizations", ""); status != 200 || len(o["data"].([]any)) != 1 || time.Since(began) < 80*time.Millisecond {
		t.Errorf("a slow answer after %v: %d %v", time.Since(began), status, o)
	}
	if _, o := p.call("GET", "_emulator/knobs", ""); o["revert_window"] != "30m0s" || o["branch_ready"] != "0s" || o["gate"] != "4h0m0s" {
		t.Errorf("knobs: %v", o)
	}
	if _, o := p.call("GET", "_emulator/unknowns", ""); o["close_queued"] != true {
		t.Errorf("unknowns: %v", o)
	}
	if _, o := p.call("POST", "_emulator/sql", `{"database":"store","branch":"work","sql":"SHOW COLUMNS FROM users"}`); len(o["rows"].([]any)) != 3 {
		t.Errorf("work has %v", o)
	}
	if status, _ := p.call("GET", shop, ""); status != 404 {
		t.Error("a database that the fixtures do not have")
	}
}

// Clients that never end their requests, or speak nonsense, do not keep the
// others out.
func TestSlowClient(t *testing.T) {
	p := startProcess(t, "--engine", "memory", "--quiet")
	addr := strings.TrimSuffix(strings.TrimPrefix(p.api, "http://"), "/")
	for _, begin := range []string{"GET /v1/organizations HTTP/1.1\r\nHost: x\r\n", "POST /v1/organizations HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{", "\x00\x01\x02 nonsense\r\n\r\n"} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, begin)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", p.api+"v1/organizations", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "id:secret")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Error(res.Status)
	}
}

// Help can be read on a terminal of 80 columns.
func TestHelpWidth(t *testing.T) {
	var out, talk buffer
	if code := run(t.Context(), []string{"--help"}, nil, &out, &talk, nil); code != exitOK {
		t.Fatal(code)
	}
	for line := range strings.Lines(out.String()) {
		if n := len(strings.TrimRight(line, "\n")); n > helpWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"--fixtures", "--profile", "--fault", "--unknown", "127.0.0.1:8080"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no word of %s", want)
		}
	}
}
