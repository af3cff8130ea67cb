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
	Listen        string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Serve the API there. Port 0: any that is free."`
	MySQLListen   string        `name:"mysql-listen" default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Serve MySQL there. Port 0: any that is free."`
	Organization  string        `default:"acme" help:"The organization to begin with."`
	Database      []string      `sep:"none" placeholder:"NAME" help:"A database to begin with, with a production branch main that has safe migrations on. Repeatable. Default: shop."`
	Token         []string      `sep:"none" placeholder:"ID:SECRET" help:"A service token to take; ID:SECRET:PERMISSION,... limits it. Repeatable. Default: $PMIG_EMULATOR_TOKEN; with neither, any token is taken."`
	Engine        string        `default:"auto" enum:"auto,mariadb,memory" help:"What keeps the data: a MariaDB server per branch, or memory (needs nothing, and is not good for everything). auto: mariadb where it is installed."`
	Data          string        `type:"path" placeholder:"DIR" help:"Keep everything there between runs. Default: a temporary folder, removed at the end."`
	BranchReady   time.Duration `placeholder:"D" help:"How long a new branch takes to be ready."`
	DiffDelay     time.Duration `placeholder:"D" help:"How long the checks of a deploy request take."`
	DeployDelay   time.Duration `placeholder:"D" help:"How long each operation of a deployment takes."`
	RevertWindow  time.Duration `placeholder:"D" help:"How long a deployment can be reverted. 0: not at all."`
	VitessLimits  bool          `help:"Hold MySQL clients to PlanetScale's limits: 20 seconds for a transaction or a lock, 100 000 rows, and the like."`
	CAFile        string        `name:"ca-file" type:"path" placeholder:"FILE" help:"Write there the certificate that MySQL clients check the server's by."`
	Quiet         bool          `short:"q" help:"Do not tell of requests and state changes."`
	StopWithStdin bool          `help:"End when standard input does: for a program that starts this one."`

	tokens []emulator.Token
}

// parse reads the command line. done says that there is nothing left to do.
func parse(args []string, stdout, stderr io.Writer, environ []string) (o options, exit int, done bool) {
	parser, err := kong.New(&o, kong.Name("pmig-emulator"),
		kong.Description("Serve a PlanetScale on this machine: its API, and MySQL, with branches, passwords and deploy requests."),
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
		report(stderr, err)
		return o, exitUsage, true
	}
	return o, exitOK, false
}

// complete takes the defaults that are not constants.
func (o *options) complete(environ []string) error {
	if len(o.Database) == 0 {
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
	for name, d := range map[string]time.Duration{"--branch-ready": o.BranchReady, "--diff-delay": o.DiffDelay, "--deploy-delay": o.DeployDelay, "--revert-window": o.RevertWindow} {
		if d < 0 {
			return fmt.Errorf("%s is negative", name)
		}
	}
	return nil
}

func (o *options) knobs() emulator.Knobs {
	return emulator.Knobs{BranchReady: o.BranchReady, Diff: o.DiffDelay, Deploy: o.DeployDelay, RevertWindow: o.RevertWindow}
}

// report says what went wrong, and what to do where that is known.
func report(w io.Writer, err error) {
	fmt.Fprintf(w, "pmig-emulator: %v\n", err)
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		fmt.Fprintf(w, "hint: %s\n", hint.Hint())
	}
}
