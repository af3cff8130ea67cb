// Command pmig-emulator serves a PlanetScale on this machine.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/pmig/pmig/emulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitBusy   = 3 // another one uses the folder
	exitUsage  = 64
)

// run is the whole command. It returns when ctx ends, or with --stop-with-stdin
// when stdin does, with everything stopped.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	o, exit, done := parse(args, stdout, stderr, environ)
	if done {
		return exit
	}
	if o.StopWithStdin {
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		defer stop()
		go func() {
			io.Copy(io.Discard, stdin)
			stop()
		}()
	}
	if err := serve(ctx, o, stdout, stderr); err != nil {
		report(stderr, err)
		if errors.As(err, new(*emulator.BusyError)) || errors.As(err, new(*emulator.EngineLockedError)) {
			return exitBusy
		}
		return exitFailed
	}
	return exitOK
}
