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

// line is an event in words. What was answered has its status in front, what
// became of something has not:
//
//	12:00:01.250  201 POST acme/shop/branches  3.1ms (ci)
//	12:00:01.250      acme/shop #7  in_progress
func (p *printer) line(ev emulator.Event) string {
	status, text := "   ", ev.Text
	var parts []string
	switch subject := strings.TrimSpace(ev.Database + " " + ev.Subject); {
	case ev.Kind == emulator.EventRequest:
		status = p.paint(statusColour(ev.Status), statusText(ev.Status))
		parts = append(parts, short(ev.Subject), p.paint(faint, milliseconds(ev.Took)))
	case ev.Kind == emulator.EventDatabase:
		parts = append(parts, ev.Database)
	case ev.Kind == emulator.EventFault, ev.Kind == emulator.EventWebhook:
		parts = append(parts, strings.TrimSpace(ev.Database+" "+string(ev.Kind)+" "+ev.Subject))
	case subject == "":
		parts = append(parts, string(ev.Kind))
	default:
		parts = append(parts, subject)
	}
	if ev.State != "" {
		parts = append(parts, p.paint(stateColour(ev), string(ev.State)))
	}
	if text != "" {
		if ev.Kind == emulator.EventError {
			text = p.paint(red, "error: "+text)
		}
		parts = append(parts, text)
	}
	line := p.paint(faint, ev.Time.Local().Format("15:04:05.000")) + "  " + status + " " + strings.Join(parts, "  ")
	if ev.Actor != "" {
		line += " " + p.paint(faint, "("+ev.Actor+")")
	}
	return line
}

// short is a request's method and path without what every path has, so that a
// line fits a terminal.
func short(request string) string {
	method, path, _ := strings.Cut(request, " ")
	if rest, is := strings.CutPrefix(path, "/_emulator/as/"); is { // the actor is told anyway
		_, rest, _ = strings.Cut(rest, "/")
		path = "/" + rest
	}
	if rest, is := strings.CutPrefix(path, "/v1/organizations/"); is {
		path = strings.Replace(rest, "/databases/", "/", 1)
	}
	return method + " " + path
}

// milliseconds is how long an answer took, to a tenth.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1fms", max(d.Seconds()*1000, 0.1))
}

// statusText is a status, or that there was no answer.
func statusText(status int) string {
	if status == 0 {
		return "---"
	}
	return fmt.Sprint(status)
}

func statusColour(status int) string {
	switch {
	case status == 0 || status >= 500:
		return red
	case status >= 400:
		return yellow
	}
	return ""
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
