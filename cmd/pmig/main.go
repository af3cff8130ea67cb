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
	"syscall"
)

func main() {
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
