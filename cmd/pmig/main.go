// Command pmig plans and applies schema migrations on PlanetScale.
//
// It is a thin skin: it reads flags, files, tokens and the environment, prints,
// and turns errors into exit codes. What it does is in the packages beside it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// gcPercent has the first collection wait for a heap of 8 MB. The tables that
// Vitess makes when it starts nearly fill the usual 4, and a command that only
// looks would end in a collection that took a fifth of its time.
const gcPercent = 200

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	protect()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// run is the command, with everything that it takes from its process given to
// it. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ, env: environMap(environ)}
	return a.run(ctx, args)
}
