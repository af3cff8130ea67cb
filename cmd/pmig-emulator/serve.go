package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pmig/pmig/emulator"
)

// serve runs the emulator until ctx ends.
func serve(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	data := o.Data
	if data == "" {
		if data, err = os.MkdirTemp("", "pmig-emulator-"); err != nil {
			return err
		}
		defer os.RemoveAll(data)
	} else if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}

	api, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	defer api.Close()
	mysql, err := net.Listen("tcp", o.MySQLListen)
	if err != nil {
		return err
	}
	defer mysql.Close()
	out := newPrinter(stderr, o.Quiet)
	for _, l := range []net.Listener{api, mysql} {
		if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
			out.always("WARNING: listening on %s, which other machines may reach; this is no service for the open network", a)
		}
	}
	if len(o.tokens) == 0 && (o.fixtures == nil || len(o.fixtures.Tokens) == 0) {
		out.note("no --token and no %s: any service token is taken", tokenVariable)
	}

	engine, err := newEngine(o.Engine, filepath.Join(data, "engine"))
	if err != nil {
		return err
	}
	e, err := emulator.New(ctx, emulator.Options{
		Data:         data,
		Organization: o.Organization,
		Databases:    o.Database,
		Tokens:       o.tokens,
		Engine:       engine,
		MySQLAddress: mysql.Addr().String(),
		Address:      "http://" + api.Addr().String() + "/",
		Knobs:        o.knobs,
		Faults:       o.faults,
		Unknowns:     o.unknowns,
		Fixtures:     o.fixtures,
		VitessLimits: o.VitessLimits,
		Events:       out.event,
	})
	switch {
	case err != nil && ctx.Err() != nil: // told to end while beginning
		return engine.Close()
	case err != nil:
		return errors.Join(err, engine.Close())
	}
	if o.CAFile != "" {
		if err := os.WriteFile(o.CAFile, e.CACertificate(), 0o644); err != nil {
			return errors.Join(err, e.Close())
		}
	}
	return listen(ctx, e, api, mysql, stdout)
}

// newEngine makes the engine that was asked for.
func newEngine(name, dir string) (emulator.Engine, error) {
	switch name {
	case "mariadb":
		return emulator.NewMariaDB(dir)
	case "memory":
		return emulator.NewMemory(dir)
	}
	return emulator.Auto(dir)
}

// patience is how long a client may take for its part.
type patience struct {
	header  time.Duration // to send a request's header
	request time.Duration // to send all of it
	answer  time.Duration // from then on until it has read the answer
	idle    time.Duration // between two requests
}

func newServer(h http.Handler, p patience) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: p.header, ReadTimeout: p.request, WriteTimeout: p.answer, IdleTimeout: p.idle,
		MaxHeaderBytes: 64 << 10}
}

// listen accepts connections until ctx ends, and then stops everything.
func listen(ctx context.Context, e *emulator.Emulator, api, mysql net.Listener, stdout io.Writer) error {
	server := newServer(e, patience{header: 10 * time.Second, request: 30 * time.Second, answer: 2 * time.Minute, idle: 2 * time.Minute})
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(api) }()
	front := e.MySQL()
	mysqlCtx, stopMySQL := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMySQL()
	go func() { ended <- front.Serve(mysqlCtx, mysql) }()
	fmt.Fprintf(stdout, "pmig-emulator: listening on http://%s/ (MySQL %s)\n", api.Addr(), mysql.Addr())

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-ended:
	}
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if server.Shutdown(shutdown) != nil {
		server.Close()
	}
	stopMySQL()
	return errors.Join(failed, e.Close())
}
