package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pmig/pmig/planner"
)

// The terminal's law: results go to stdout, talk to stderr; nothing is wider
// than 80 columns that can be broken; colour is for the eye only and never
// carries the meaning alone.

// style paints for a terminal, or not at all.
type style struct{ on bool }

func (s style) paint(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(t string) string   { return s.paint("1", t) }
func (s style) dim(t string) string    { return s.paint("2", t) }
func (s style) green(t string) string  { return s.paint("32", t) }
func (s style) yellow(t string) string { return s.paint("33", t) }
func (s style) red(t string) string    { return s.paint("31", t) }

func (a *app) styleOf(w io.Writer) style {
	_, tty := terminal(w)
	return style{on: tty && a.colour()}
}

// printPlan shows a plan to a reviewer.
func (a *app) printPlan(p *planner.Plan) {
	s := a.styleOf(a.stdout)
	pending, changed := 0, 0
	for _, d := range p.Databases {
		printDatabase(a.stdout, s, d)
		pending += d.PendingCount()
		if d.PendingCount() > 0 {
			changed++
		}
	}
	switch {
	case len(p.Databases) == 0:
	case p.Refused():
		fmt.Fprintf(a.stdout, "%s\n", s.red("Refused: apply would not do this. See the errors above."))
	case pending == 0:
		fmt.Fprintf(a.stdout, "%s\n", s.bold("Nothing to do: production has every migration that is here."))
	default:
		fmt.Fprintf(a.stdout, "%s\n", s.bold(fmt.Sprintf("Plan: %s in %s. Nothing has been changed yet.", plural(pending, "migration"), plural(changed, "database"))))
	}
}

func printDatabase(w io.Writer, s style, d *planner.Database) {
	where := d.Organization + "/" + d.Name
	if d.Platform == "embedded" {
		where = "embedded " + d.Name
	}
	fmt.Fprintf(w, "%s  %s\n\n", s.bold("database "+d.Label), s.dim(where+", branch "+d.Target))
	for _, src := range d.Sources {
		printSource(w, s, src)
	}
	for _, f := range d.Findings {
		printFinding(w, s, f)
	}
	if len(d.Steps) > 0 {
		fmt.Fprintf(w, "  %s\n", s.dim("steps"))
		for i, st := range d.Steps {
			fmt.Fprintf(w, "  %s\n", s.dim(fmt.Sprintf("%3d  %-14s %s", i+1, st.Kind, st.Summary)))
		}
		fmt.Fprintln(w)
	}
}

func printSource(w io.Writer, s style, src planner.Source) {
	name := src.Name
	if src.Tool != src.Name {
		name += " (" + src.Tool + ")"
	}
	table := src.History.Table
	if !src.History.Exists {
		table += ", which does not exist yet"
	}
	fmt.Fprintf(w, "  %s  %s\n", s.bold("source "+name), s.dim(src.Path))
	fmt.Fprintf(w, "    %s\n", s.dim("history in "+table))
	fmt.Fprintf(w, "    %d of %s applied", src.Applied, plural(src.Files, "file"))
	if len(src.Pending) > 0 {
		fmt.Fprintf(w, ", %d pending", len(src.Pending))
	}
	fmt.Fprintln(w)
	for _, m := range src.Pending {
		late := ""
		if m.Late {
			late = s.yellow("  (late)")
		}
		fmt.Fprintf(w, "    %s %s%s\n", s.green("+"), m.File, late)
	}
	fmt.Fprintln(w)
}

func printFinding(w io.Writer, s style, f planner.Finding) {
	head := string(f.Severity)
	switch f.Severity {
	case planner.SeverityError:
		head = s.red(head)
	case planner.SeverityWarning:
		head = s.yellow(head)
	default:
		head = s.dim(head)
	}
	where := ""
	if f.Source != "" {
		where = f.Source + ": "
	}
	if f.File != "" {
		where += f.File + ": "
	}
	fmt.Fprintf(w, "  %s [%s]\n", head, f.Code)
	wrap(w, "    ", where+f.Message)
	if f.Hint != "" {
		wrap(w, "    ", "hint: "+f.Hint)
	}
	fmt.Fprintln(w)
}

// wrap breaks a text at spaces so that it fits 80 columns.
func wrap(w io.Writer, indent, text string) {
	const width = 80
	for i, line := range hang(text, width-len(indent)-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, indent+line)
	}
}

// hang breaks a text at spaces into lines of a width. A word that is longer
// stands alone.
func hang(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
