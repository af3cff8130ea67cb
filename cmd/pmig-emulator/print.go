package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/pmig/pmig/emulator"
)

// printer tells of events, one line each: on standard error, because standard
// output has one line only, the addresses. Colour only on a terminal.
type printer struct {
	w      io.Writer
	quiet  bool
	colour bool
}

func newPrinter(w io.Writer, quiet bool) *printer {
	p := &printer{w: w, quiet: quiet}
	if f, ok := w.(*os.File); ok {
		p.colour = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// always prints a line even when quiet.
func (p *printer) always(format string, args ...any) {
	fmt.Fprintf(p.w, "pmig-emulator: "+format+"\n", args...)
}

func (p *printer) note(format string, args ...any) {
	if !p.quiet {
		p.always(format, args...)
	}
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	faint  = "2"
)

func (p *printer) paint(colour, s string) string {
	if !p.colour || colour == "" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// event prints what happened.
func (p *printer) event(ev emulator.Event) {
	if p.quiet && ev.Kind != emulator.EventError {
		return
	}
	fmt.Fprintln(p.w, p.line(ev))
}

// line is an event in words:
//
//	12:00:01.250  201  POST /v1/organizations/acme/databases/shop/branches  3ms  (ci)
//	12:00:01.250  acme/shop #7 in_progress
func (p *printer) line(ev emulator.Event) string {
	parts := []string{p.paint(faint, ev.Time.Local().Format("15:04:05.000"))}
	if ev.Kind == emulator.EventRequest {
		status, colour := fmt.Sprint(ev.Status), ""
		switch {
		case ev.Status == 0:
			status, colour = "---", red
		case ev.Status >= 500:
			colour = red
		case ev.Status >= 400:
			colour = yellow
		}
		parts = append(parts, p.paint(colour, status), ev.Subject, p.paint(faint, ev.Took.Round(100*time.Microsecond).String()))
	} else {
		subject := strings.TrimSpace(ev.Database + " " + ev.Subject)
		if subject == "" {
			subject = string(ev.Kind)
		}
		parts = append(parts, subject)
		if ev.State != "" {
			parts = append(parts, p.paint(stateColour(ev), string(ev.State)))
		}
	}
	if ev.Text != "" {
		text := ev.Text
		if ev.Kind == emulator.EventError {
			text = p.paint(red, "error: "+text)
		}
		parts = append(parts, text)
	}
	if ev.Actor != "" {
		parts = append(parts, p.paint(faint, "("+ev.Actor+")"))
	}
	return strings.Join(parts, "  ")
}

func stateColour(ev emulator.Event) string {
	switch info := ev.State.Info(); {
	case info.Live:
		return green
	case info.Terminal && info.Started, ev.State == "error":
		return red
	}
	return ""
}
