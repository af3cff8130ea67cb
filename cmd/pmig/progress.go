package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pmig/pmig/executor"
)

// printer tells of a run: to a person on a terminal, to a log, or as JSON.
type printer struct {
	a       *app
	s       style
	log     *zap.Logger
	tty     bool
	several bool
	json    *jsonLines

	mu   sync.Mutex
	live bool // the last line is a progress line that may be written over
}

func newPrinter(a *app, w *world, asJSON, several bool) *printer {
	_, tty := terminal(a.stderr)
	p := &printer{a: a, s: a.styleOf(a.stderr), log: w.log, tty: tty && a.flags.LogFormat != "json", several: several}
	if asJSON {
		p.json = &jsonLines{a: a}
		p.json.write(map[string]any{"type": "version", "pmig": version, "format_version": 1})
	}
	return p
}

func (p *printer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// event is called for everything that happens in a run.
func (p *printer) event(e executor.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json != nil {
		p.json.write(e)
		return
	}
	if !p.tty {
		p.logged(e)
		return
	}
	label := ""
	if p.several {
		label = p.s.dim(e.Database+" ") + " "
	}
	switch e.Type {
	case executor.StepStart:
		p.progress(fmt.Sprintf("%s   . %-14s        %s", label, e.Step, e.Message))
	case executor.StepDone:
		p.step(label, p.s.green("ok"), e, took(e.Took), e.Message)
	case executor.StepSkip:
		p.step(label, p.s.dim("--"), e, "", e.Message)
	case executor.StepFail:
		p.step(label, p.s.red("!!"), e, took(e.Took), "failed")
	case executor.Progress:
		p.progress(fmt.Sprintf("%s   . %-14s %6s %s", label, e.Step, waited(e.Waited), progressText(e)))
	case executor.Output:
		p.line(fmt.Sprintf("%s     %s %s", label, p.s.dim(e.Source+" |"), e.Message))
	case executor.Note:
		p.line(fmt.Sprintf("%s     %s", label, e.Message))
	}
}

// step writes a step's line: mark, name, time, and what came of it, in columns.
func (p *printer) step(label, mark string, e executor.Event, took, message string) {
	const indent = 28
	width, _ := terminal(p.a.stderr)
	text := hang(message, width-indent-1)
	p.line(fmt.Sprintf("%s  %s %-14s %s %s", label, mark, e.Step, p.s.dim(fmt.Sprintf("%6s", took)), strings.Join(text, "\n"+strings.Repeat(" ", indent-1))))
}

func waited(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return took(d.Round(time.Second))
}

func (p *printer) line(text string) {
	p.clear()
	fmt.Fprintln(p.a.stderr, strings.TrimRight(text, " "))
}

// progress writes a line that the next one replaces.
func (p *printer) progress(text string) {
	p.clear()
	if p.several {
		return // several databases would write over one another
	}
	width, _ := terminal(p.a.stderr)
	fmt.Fprint(p.a.stderr, cut(text, width-1))
	p.live = true
}

func (p *printer) clear() {
	if p.live {
		fmt.Fprint(p.a.stderr, "\r\x1b[K")
		p.live = false
	}
}

func progressText(e executor.Event) string {
	parts := []string{e.Message}
	if e.State != "" {
		parts = append(parts, e.State)
	}
	if e.Percent != nil {
		parts = append(parts, fmt.Sprintf("%d%%", *e.Percent))
	}
	if e.ETA > 0 {
		parts = append(parts, "about "+took(e.ETA)+" left")
	}
	if e.Queue > 0 {
		parts = append(parts, plural(e.Queue, "deployment")+" ahead")
	}
	return strings.Join(parts, ", ")
}

// logged writes one line per event, for a log.
func (p *printer) logged(e executor.Event) {
	f := []zap.Field{zap.String("database", e.Database)}
	if e.Step != "" {
		f = append(f, zap.String("step", string(e.Step)))
	}
	if e.Request != 0 {
		f = append(f, zap.Int("deploy_request", e.Request))
	}
	if e.State != "" {
		f = append(f, zap.String("state", e.State))
	}
	if e.Percent != nil {
		f = append(f, zap.Int("percent", *e.Percent))
	}
	if e.Queue > 0 {
		f = append(f, zap.Int("ahead", e.Queue))
	}
	if e.Waited > 0 {
		f = append(f, zap.Duration("waited", e.Waited.Round(time.Millisecond)))
	}
	if e.Took > 0 {
		f = append(f, zap.Duration("took", e.Took.Round(time.Millisecond)))
	}
	switch e.Type {
	case executor.StepStart:
		p.log.Debug(string(e.Type), append(f, zap.String("what", e.Message))...)
	case executor.Output:
		p.log.Info(e.Source + " | " + e.Message)
	case executor.StepFail:
		p.log.Error(string(e.Type), append(f, zap.String("error", e.Message))...)
	case executor.Note, executor.Progress:
		p.log.Info(e.Message, f...)
	default:
		if e.Message != "" {
			f = append(f, zap.String("what", e.Message))
		}
		p.log.Info(string(e.Type), f...)
	}
}

// result tells how a database ended.
func (p *printer) result(label string, sum *executor.Summary, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if p.json != nil {
		line := map[string]any{"type": "summary", "database": label, "summary": sum, "exit": codeOf(err)}
		if err != nil {
			line["error"] = err.Error()
			var h interface{ Hint() string }
			if errors.As(err, &h) {
				line["hint"] = h.Hint()
			}
			if diff := diffOf(err); diff != "" {
				line["diff"] = strings.Split(strings.TrimSuffix(diff, "\n"), "\n")
			}
		}
		p.json.write(line)
		return
	}
	if err != nil {
		prefix := ""
		if p.several {
			prefix = label
		}
		var d *diagnostics
		if errors.As(err, &d) {
			p.a.printDiagnostics(d)
			return
		}
		p.a.printError(prefix, err)
		return
	}
	p.summary(label, sum)
}

func (p *printer) summary(label string, sum *executor.Summary) {
	out := p.a.stdout
	s := p.a.styleOf(out)
	if sum.Nothing {
		fmt.Fprintf(out, "%s: nothing to do\n", label)
		return
	}
	fmt.Fprintf(out, "%s: %s in %s\n", label, s.green(plural(len(sum.Applied), "migration")+" applied"), took(sum.Took))
	if sum.Request != 0 {
		fmt.Fprintf(out, "  deploy request #%d  %s\n", sum.Request, sum.URL)
	}
	if len(sum.States) > 0 {
		wrap(out, "  ", "states: "+strings.Join(sum.States, " > "))
	}
	for _, m := range sum.Applied {
		name := m.File
		if name == "" {
			name = m.Key
		}
		fmt.Fprintf(out, "  %s %s %s\n", s.green("+"), m.Source, name)
	}
	for _, d := range sum.Data {
		fmt.Fprintf(out, "  %s rows that did not travel: %s\n", s.yellow("!"), d)
	}
	if sum.Kept != "" {
		fmt.Fprintf(out, "  kept: %s\n", sum.Kept)
	}
}

// took shows a duration at the precision a person cares for.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func cut(text string, width int) string {
	// Colours take no room on the screen; a progress line has them only in
	// front, so counting them cuts a little early and never too late.
	r := []rune(text)
	if width > 0 && len(r) > width {
		return string(r[:width])
	}
	return text
}
