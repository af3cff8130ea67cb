package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
)

// What an event looks like on a terminal of 80 columns.
func TestLines(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 0, 1, 250e6, time.Local)
	const shop = "/v1/organizations/acme/databases/shop"
	for _, test := range []struct {
		ev   emulator.Event
		line string
	}{
		{emulator.Event{Kind: emulator.EventRequest, Subject: "POST " + shop + "/branches", Status: 201, Took: 3149 * time.Microsecond, Actor: "ci"},
			"12:00:01.250  201 POST acme/shop/branches  3.1ms (ci)"},
		{emulator.Event{Kind: emulator.EventRequest, Subject: "GET /v1/organizations/acme/databases", Status: 200, Took: 1200 * time.Millisecond},
			"12:00:01.250  200 GET acme/databases  1200.0ms"},
		{emulator.Event{Kind: emulator.EventRequest, Subject: "GET /v1/organizations", Status: 401},
			"12:00:01.250  401 GET /v1/organizations  0.1ms"},
		{emulator.Event{Kind: emulator.EventRequest, Subject: "PATCH /_emulator/as/ann" + shop, Status: 200, Took: time.Millisecond, Actor: "ann"},
			"12:00:01.250  200 PATCH acme/shop  1.0ms (ann)"},
		{emulator.Event{Kind: emulator.EventRequest, Subject: "POST " + shop + "/deploy-requests/7/deploy", Took: 2 * time.Millisecond, Actor: "ci", Text: "fault drop-after"},
			"12:00:01.250  --- POST acme/shop/deploy-requests/7/deploy  2.0ms  fault drop-after (ci)"},
		{emulator.Event{Kind: emulator.EventRequest, Subject: "POST " + shop + "/branches", Status: 422, Actor: "ci", Text: "Name has already been taken"},
			"12:00:01.250  422 POST acme/shop/branches  0.1ms  Name has already been taken (ci)"},
		{emulator.Event{Kind: emulator.EventRequest, Subject: "POST " + shop + "/branches/pmig-20260102-ab12/safe-migrations", Status: 200, Took: time.Millisecond, Actor: "ci"},
			"12:00:01.250  200 POST acme/shop/branches/pmig-20260102-ab12/safe-migrations  1.0ms (ci)"},
		{emulator.Event{Kind: emulator.EventDatabase, Database: "acme/shop", Subject: "shop", Text: "created"},
			"12:00:01.250      acme/shop  created"},
		{emulator.Event{Kind: emulator.EventBranch, Database: "acme/shop", Subject: "work", Text: "created from main", Actor: "ci"},
			"12:00:01.250      acme/shop work  created from main (ci)"},
		{emulator.Event{Kind: emulator.EventDeployRequest, Database: "acme/shop", Subject: "#7", State: "in_progress"},
			"12:00:01.250      acme/shop #7  in_progress"},
		{emulator.Event{Kind: emulator.EventWebhook, Database: "acme/shop", Subject: "h1a2b3c4d5e6", Text: "200 OK"},
			"12:00:01.250      acme/shop webhook h1a2b3c4d5e6  200 OK"},
		{emulator.Event{Kind: emulator.EventFault, Subject: "1", Text: "set: drop-after POST /deploy$"},
			"12:00:01.250      fault 1  set: drop-after POST /deploy$"},
		{emulator.Event{Kind: emulator.EventClock, Text: "advanced by 30m0s"},
			"12:00:01.250      clock  advanced by 30m0s"},
		{emulator.Event{Kind: emulator.EventError, Database: "acme/shop", Subject: "work", Text: "the branch cannot be made: no room"},
			"12:00:01.250      acme/shop work  error: the branch cannot be made: no room"},
	} {
		test.ev.Time = at
		if got := (&printer{}).line(test.ev); got != test.line {
			t.Errorf("%+v:\n%s\nwant\n%s", test.ev, got, test.line)
		}
		if test.ev.Text == "" && len(test.line) > 90 {
			t.Errorf("longer than a terminal is wide by more than a name: %s", test.line)
		}
		coloured := (&printer{colour: true}).line(test.ev)
		if !strings.Contains(coloured, "\x1b[") {
			t.Errorf("no colour: %q", coloured)
		}
	}
}

// Nothing but a terminal gets colour, and quiet is quiet but for errors.
func TestPrinter(t *testing.T) {
	var b bytes.Buffer
	p := newPrinter(&b, false)
	p.event(emulator.Event{Kind: emulator.EventRequest, Subject: "GET /", Status: 500})
	if text := b.String(); strings.Contains(text, "\x1b") || strings.Count(text, "\n") != 1 {
		t.Errorf("%q", text)
	}
	b.Reset()
	p = newPrinter(&b, true)
	p.event(emulator.Event{Kind: emulator.EventRequest, Subject: "GET /", Status: 200})
	p.note("a note")
	if b.Len() != 0 {
		t.Errorf("quiet, and still %q", b.String())
	}
	p.event(emulator.Event{Kind: emulator.EventError, Text: "no room"})
	if !strings.Contains(b.String(), "error: no room") {
		t.Errorf("%q", b.String())
	}
}
