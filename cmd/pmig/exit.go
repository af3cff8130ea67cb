package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/migration"
)

// The exit codes, all of them.
const (
	exitDone        = 0   // done, or nothing to do
	exitFailed      = 1   // failed
	exitChanges     = 2   // plan --detailed-exitcode: there are changes
	exitBusy        = 3   // somebody else must finish first
	exitPerson      = 4   // waiting for a person; a later apply goes on
	exitStale       = 5   // the saved plan is stale
	exitRefused     = 6   // refused by a policy or a guard
	exitUsage       = 64  // the command line or the configuration is wrong
	exitInterrupted = 130 // interrupted; a later apply goes on
)

// order says which code wins where several databases end differently.
var order = []int{exitInterrupted, exitFailed, exitRefused, exitStale, exitBusy, exitPerson, exitChanges, exitDone}

var outcomes = map[executor.Outcome]int{
	executor.Failed: exitFailed, executor.Busy: exitBusy, executor.Person: exitPerson,
	executor.Stale: exitStale, executor.Refused: exitRefused, executor.Interrupted: exitInterrupted,
}

// exitError carries an exit code to the end of a command. Without an error in
// it nothing is printed: the output has said it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// hinted is an error with advice, for what this package itself finds wrong.
type hinted struct {
	what string
	hint string
	err  error
}

func (e *hinted) Error() string {
	if e.err == nil {
		return e.what
	}
	return e.what + ": " + e.err.Error()
}
func (e *hinted) Hint() string  { return e.hint }
func (e *hinted) Unwrap() error { return e.err }

func usageError(what, hint string) error {
	return &exitError{exitUsage, &hinted{what: what, hint: hint}}
}

// codeOf finds the exit code of an error.
func codeOf(err error) int {
	if err == nil {
		return exitDone
	}
	var x *exitError
	if errors.As(err, &x) {
		return x.code
	}
	var (
		wrong *migration.WrongToolError
		bad   *migration.RepairError
		diags *diagnostics
		many  *several
	)
	switch {
	case errors.As(err, &many):
		codes := make([]int, len(many.errs))
		for i, e := range many.errs {
			codes[i] = codeOf(e)
		}
		return worst(codes...)
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &wrong), errors.As(err, &bad), errors.As(err, &diags):
		return exitUsage
	}
	return outcomes[executor.OutcomeOf(err)]
}

// worst picks the code of a command over several databases.
func worst(codes ...int) int {
	for _, c := range order {
		for _, have := range codes {
			if have == c {
				return c
			}
		}
	}
	return exitDone
}

// fail prints an error the way every pmig error looks, and gives its code.
func (a *app) fail(err error) int {
	var x *exitError
	if errors.As(err, &x) && x.err == nil {
		return x.code
	}
	var d *diagnostics
	if errors.As(err, &d) {
		a.printDiagnostics(d)
		return exitUsage
	}
	var many *several
	if errors.As(err, &many) {
		for _, e := range many.errs {
			a.printError("", e)
		}
		return codeOf(err)
	}
	a.printError("", err)
	return codeOf(err)
}

func (a *app) printError(prefix string, err error) {
	if prefix != "" {
		prefix += ": "
	}
	fmt.Fprintf(a.stderr, "pmig: %s%s\n", prefix, err)
	fmt.Fprint(a.stderr, diffOf(err))
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", h.Hint())
	}
}

// diffOf collects the rows that an error and its causes show, of every history
// table that it speaks of.
func diffOf(err error) string {
	if d, ok := err.(interface{ Diff() string }); ok {
		return d.Diff()
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return diffOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all string
		for _, one := range e.Unwrap() {
			all += diffOf(one)
		}
		return all
	}
	return ""
}

// diagnostics is what is wrong with pmig.hcl, with the sources to quote.
type diagnostics struct {
	diags hcl.Diagnostics
	files map[string]*hcl.File
}

func (d *diagnostics) Error() string { return d.diags.Error() }

func (a *app) printDiagnostics(d *diagnostics) {
	width, tty := terminal(a.stderr)
	if !tty {
		width = 78
	}
	w := hcl.NewDiagnosticTextWriter(a.stderr, d.files, uint(width), tty && a.colour())
	if err := w.WriteDiagnostics(d.diags); err != nil {
		fmt.Fprintln(a.stderr, "pmig:", err)
	}
	errs := 0
	for _, one := range d.diags {
		if one.Severity == hcl.DiagError {
			errs++
		}
	}
	if errs > 0 {
		fmt.Fprintf(a.stderr, "pmig: %s in the configuration\n", plural(errs, "mistake"))
	}
}

func (a *app) colour() bool {
	_, set := a.env["NO_COLOR"]
	return !a.flags.NoColor && !set && a.env["TERM"] != "dumb"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
