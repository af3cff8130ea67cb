package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pmig/pmig/emulator"
)

// tokenVariable is where a token comes from when there is no --token.
const tokenVariable = "PMIG_EMULATOR_TOKEN"

// options is the command line.
type options struct {
	Listen       string   `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Serve the API there. Port 0: any that is free. Default: ${default}."`
	MySQLListen  string   `name:"mysql-listen" default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Serve MySQL there. Port 0, the default: any that is free."`
	Organization string   `default:"acme" help:"The organization to begin with."`
	Database     []string `sep:"none" placeholder:"NAME" help:"A database to begin with, with a production branch main that has safe migrations on. Repeatable. Default: shop."`
	Token        []string `sep:"none" placeholder:"ID:SECRET" help:"A service token to take; ID:SECRET:PERMISSION,... limits it. Repeatable. Default: $PMIG_EMULATOR_TOKEN; with neither, any token is taken."`
	Engine       string   `default:"auto" enum:"auto,mariadb,memory" help:"What keeps the data: a MariaDB server per branch, or memory (needs nothing, and is not good for everything). auto: mariadb where it is installed."`
	Data         string   `type:"path" placeholder:"DIR" help:"Keep everything there between runs. Default: a temporary folder, removed at the end."`
	Fixtures     string   `type:"path" placeholder:"FILE" help:"What there shall be at the beginning, in HCL or JSON: organizations, databases, branches with SQL and rows, tokens. What --data has already stays as it is."`

	Profile      string                   `group:"time" default:"instant" enum:"instant,planetscale" help:"The times that things take: none, or as seen of the platform."`
	BranchReady  *time.Duration           `group:"time" placeholder:"D" help:"How long a new branch takes to be ready."`
	DiffDelay    *time.Duration           `group:"time" placeholder:"D" help:"How long the checks of a deploy request take."`
	DeployDelay  *time.Duration           `group:"time" placeholder:"D" help:"How long each operation of a deployment takes."`
	RevertWindow *time.Duration           `group:"time" placeholder:"D" help:"How long a deployment can be reverted. 0: not at all."`
	Knob         map[string]time.Duration `group:"time" mapsep:"none" placeholder:"NAME=D" help:"Any time by its name in /_emulator/knobs: queue, submit, copy_per_row, cutover, gate, revert, cancel, ... Repeatable."`

	Fault   []string `group:"trouble" sep:"none" placeholder:"FAULT" help:"Something that goes wrong: 'drop-after,method=POST,path=/deploy$,times=1', 'answer,status=429,header.Retry-After=2,times=3', or JSON as for /_emulator/faults. Repeatable."`
	Unknown []string `group:"trouble" sep:"none" placeholder:"NAME" help:"The other answer to an open question about the platform, by its name in /_emulator/unknowns: close_queued, notes_limit=1000, ... Repeatable."`

	VitessLimits  bool   `help:"Hold MySQL clients to PlanetScale's limits: 20 seconds for a transaction or a lock, 100 000 rows, and the like."`
	CAFile        string `name:"ca-file" type:"path" placeholder:"FILE" help:"Write there the certificate that MySQL clients check the server's by."`
	Quiet         bool   `short:"q" help:"Do not tell of requests and state changes."`
	StopWithStdin bool   `help:"End when standard input does: for a program that starts this one."`

	tokens   []emulator.Token
	knobs    emulator.Knobs
	faults   []emulator.Fault
	unknowns emulator.Unknowns
	fixtures *emulator.Fixtures
}

// parse reads the command line. done says that there is nothing left to do.
func parse(args []string, stdout, stderr io.Writer, environ []string) (o options, exit int, done bool) {
	parser, err := kong.New(&o, kong.Name("pmig-emulator"),
		kong.Description("Serve a PlanetScale on this machine: its API, and MySQL, with branches, passwords and deploy requests."),
		kong.ExplicitGroups([]kong.Group{{Key: "time", Title: "Time:"}, {Key: "trouble", Title: "Trouble:"}}),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: helpWidth}),
		kong.Writers(stdout, stderr), kong.Exit(func(code int) { exit, done = code, true }))
	if err != nil {
		report(stderr, err)
		return o, exitFailed, true
	}
	_, err = parser.Parse(args)
	if done { // --help
		return o, exit, true
	}
	if err == nil {
		err = o.complete(environ)
	}
	if err != nil {
		report(stderr, usageError{err})
		return o, exitUsage, true
	}
	return o, exitOK, false
}

// helpWidth is what a terminal has for sure.
const helpWidth = 80

// usageError is a command line that cannot be.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Hint says what to do about it, as the error itself does where it knows.
func (e usageError) Hint() string {
	var hint interface{ Hint() string }
	if errors.As(e.error, &hint) {
		return hint.Hint()
	}
	return "pmig-emulator --help lists what there is"
}

// complete takes the defaults that are not constants.
func (o *options) complete(environ []string) error {
	if o.Fixtures != "" {
		var err error
		if o.fixtures, err = emulator.LoadFixtures(o.Fixtures); err != nil {
			return fmt.Errorf("fixtures: %w", err)
		}
	}
	if len(o.Database) == 0 && o.fixtures == nil {
		o.Database = []string{"shop"}
	}
	if len(o.Token) == 0 {
		for _, v := range environ {
			if value, is := strings.CutPrefix(v, tokenVariable+"="); is && value != "" {
				o.Token = []string{value}
			}
		}
	}
	for _, t := range o.Token {
		parts := strings.Split(t, ":")
		if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
			return errors.New("a token is written ID:SECRET") // not the value: it may be a secret
		}
		token := emulator.Token{ID: parts[0], Secret: parts[1]}
		if len(parts) == 3 {
			token.Permissions = strings.Split(parts[2], ",")
		}
		o.tokens = append(o.tokens, token)
	}
	for _, text := range o.Fault {
		f, err := emulator.ParseFault(text)
		if err != nil {
			return fmt.Errorf("--fault %s: %w", text, err)
		}
		o.faults = append(o.faults, f)
	}
	for _, text := range o.Unknown {
		if err := o.unknowns.Set(text); err != nil {
			return fmt.Errorf("--unknown %s: %w", text, err)
		}
	}
	return o.completeKnobs()
}

// completeKnobs takes the profile's times, then those given by name.
func (o *options) completeKnobs() (err error) {
	if o.knobs, err = emulator.ProfileKnobs(o.Profile); err != nil {
		return err
	}
	for name, d := range o.Knob {
		if err := o.knobs.Set(name, d); err != nil {
			return fmt.Errorf("--knob: %w", err)
		}
	}
	for _, k := range []struct {
		flag string
		from *time.Duration
		to   *time.Duration
	}{
		{"--branch-ready", o.BranchReady, &o.knobs.BranchReady},
		{"--diff-delay", o.DiffDelay, &o.knobs.Diff},
		{"--deploy-delay", o.DeployDelay, &o.knobs.Deploy},
		{"--revert-window", o.RevertWindow, &o.knobs.RevertWindow},
	} {
		switch {
		case k.from == nil:
		case *k.from < 0:
			return fmt.Errorf("%s is negative", k.flag)
		default:
			*k.to = *k.from
		}
	}
	return nil
}

// report says what went wrong, and what to do where that is known.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "pmig-emulator: %v\n", err)
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		fmt.Fprintf(w, "hint: %s\n", hint.Hint())
	}
}
