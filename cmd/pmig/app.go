package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/pmig/pmig/executor"
)

// app is one invocation.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	env            map[string]string

	flags globals
	// patience is how long a command waits for another run that has the folder
	// of platform "embedded".
	patience time.Duration
	// journal wraps the journal of every run; a test dies in it.
	journal func(executor.Journal) executor.Journal
}

// globals are the flags of every command. Each can be given as PMIG_NAME too.
type globals struct {
	Chdir    string            `short:"C" placeholder:"DIR" help:"Run as if started in DIR."`
	Platform string            `enum:",embedded" default:"" placeholder:"embedded" help:"\"embedded\" puts the emulator in place of every platform block."`
	Var      map[string]string `mapsep:"none" placeholder:"NAME=VALUE" help:"Set a variable of pmig.hcl. Repeatable."`
	VarFile  []string          `placeholder:"FILE" help:"Read variables from FILE. Repeatable; a later one wins."`
	NoColor  bool              `help:"No colours. Also when NO_COLOR is set."`

	LogFormat string `enum:"console,json" default:"console" help:"Form of the log on stderr: ${enum}."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" help:"Least important line to log: ${enum}."`
}

// grammar is the whole command line.
type grammar struct {
	globals

	Validate validateCmd `cmd:"" help:"Check pmig.hcl. Makes no call and needs no token."`
	Fmt      fmtCmd      `cmd:"" help:"Put pmig.hcl into its canonical layout."`
	Plan     planCmd     `cmd:"" help:"Compare production's history with the files and show what apply would do."`
	Show     showCmd     `cmd:"" help:"Show a plan that was saved with plan --out."`
	Apply    applyCmd    `cmd:"" help:"Carry out the plan: migrate on a branch, deploy the schema, write the history."`
	Wait     waitCmd     `cmd:"" help:"Wait until production's history has every migration that is here."`
	Status   statusCmd   `cmd:"" help:"Show what is pending, the last run and open deploy requests."`
	History  historyCmd  `cmd:"" help:"Show files and production's history side by side, or repair it."`
	Cutover  cutoverCmd  `cmd:"" help:"Let the deployment that waits for it cut over, and finish its run."`
	Revert   revertCmd   `cmd:"" help:"Take the last deployment back while its revert window is open, and its history with it."`
	Abandon  abandonCmd  `cmd:"" help:"Give up an unfinished run: close its deploy request, remove branch and passwords."`
	Unlock   unlockCmd   `cmd:"" help:"Show who holds the lock; with --force end the hold of a run that is dead or hangs."`
	State    stateCmd    `cmd:"" help:"Make the tables of state \"database\", show a journal or delete it."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

const description = `pmig brings a team's own migrations to PlanetScale: it runs the migration tool on
a branch, ships the schema by a deploy request and keeps the tool's history right
on both sides. It can be killed at any instant and run again.

Tokens come from PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN.`

func (a *app) run(ctx context.Context, args []string) (code int) {
	var g grammar
	exited := -1
	parser, err := kong.New(&g,
		kong.Name("pmig"), kong.Description(description),
		kong.Writers(a.stdout, a.stderr), kong.Exit(func(c int) { exited = c }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 80}),
		kong.Resolvers(kong.ResolverFunc(a.fromEnvironment)),
	)
	if err != nil {
		panic(err) // a mistake in the grammar, which a test parses
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		return a.usage(err)
	}
	a.flags = g.globals
	kctx.BindTo(ctx, (*context.Context)(nil))
	if err := kctx.Run(a); err != nil {
		return a.fail(err)
	}
	return exitDone
}

// fromEnvironment lets PMIG_AUTO_APPROVE=1 stand for --auto-approve.
func (a *app) fromEnvironment(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	switch flag.Name {
	case "help", "var": // PMIG_VAR_name is the configuration's
		return nil, nil
	}
	if v, ok := a.env["PMIG_"+strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))]; ok && v != "" {
		return v, nil
	}
	return nil, nil
}

func (a *app) usage(err error) int {
	fmt.Fprintf(a.stderr, "pmig: %s\n", err)
	hint := "see pmig --help"
	var pe *kong.ParseError
	if errors.As(err, &pe) && pe.Context != nil && pe.Context.Command() != "" {
		hint = "see pmig " + strings.Fields(pe.Context.Command())[0] + " --help"
	}
	fmt.Fprintf(a.stderr, "hint: %s\n", hint)
	return exitUsage
}

// terminal reports whether a stream is a person's, and how wide it is.
func terminal(stream any) (width int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return w, true
	}
	return 80, true
}

func environMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return m
}
