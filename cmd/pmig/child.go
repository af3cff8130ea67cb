package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/gateway"
)

// command makes the command of a source ready to run against the gateway.
func (w *world) command(d *config.Database, name string, at gateway.Endpoint) (executor.Command, error) {
	var src *config.Source
	for _, s := range d.Sources {
		if s.Name == name {
			src = s
		}
	}
	if src == nil {
		return executor.Command{}, fmt.Errorf("there is no source %q", name)
	}
	dir, err := os.MkdirTemp("", "pmig-ca-")
	if err != nil {
		return executor.Command{}, fmt.Errorf("write the gateway's certificate: %w", err)
	}
	done := func() { os.RemoveAll(dir) }
	ca, err := at.WriteCA(dir, w.app.environ)
	if err != nil {
		done()
		return executor.Command{}, fmt.Errorf("write the gateway's certificate: %w", err)
	}
	argv, set, diags := src.Command(config.BranchValues{
		Name: d.Working.Name, URL: at.URL(), DSN: at.DSN(), JDBCURL: at.JDBCURL(), Host: at.Host, Port: at.Port,
		User: at.User, Password: at.Password, Database: at.Database, CAFile: ca.CA,
	})
	if diags.HasErrors() {
		done()
		return executor.Command{}, &diagnostics{diags, w.config.Files}
	}
	if set == nil {
		set = map[string]string{}
	}
	for name, value := range ca.Environment(src.Tool.CAEnv...) {
		if _, ok := set[name]; !ok {
			set[name] = value
		}
	}
	var hosts []string
	if h := hostOf(w.config.State.URL); h != "" {
		hosts = append(hosts, h)
	}
	for _, one := range w.config.Databases {
		if h := hostOf(one.Target.URL); h != "" {
			hosts = append(hosts, h)
		}
	}
	env, withheld := gateway.Environment(w.app.environ, set, src.PassEnv, hosts)
	secrets := append([]string{at.Password}, w.secrets...)
	for _, kv := range env {
		secrets = append(secrets, credential.FindAllString(kv, -1)...)
	}
	if u := w.config.State.URL; u != "" {
		secrets = append(secrets, u.Reveal())
	}
	for _, one := range w.config.Databases {
		if one.Target.URL != "" {
			secrets = append(secrets, one.Target.URL.Reveal())
		}
	}
	return executor.Command{Source: name, Args: argv, Dir: src.Dir, Env: env, Withheld: withheld, Secrets: secrets, Done: done}, nil
}

// credential finds the platform's tokens and passwords in a value: what a child
// was given on purpose is still not for the log.
var credential = regexp.MustCompile(`pscale_(?:pw|tkn|oauth)_[A-Za-z0-9_-]+`)

// grace is how long a child may take to end when it is told to.
const grace = 3 * time.Second

// runChild runs a migration tool. Its output goes line by line to the caller,
// scrubbed; when the context ends, so does the child and all that it started.
func runChild(ctx context.Context, c executor.Command) error {
	if len(c.Args) == 0 {
		return &hinted{what: "the command is empty", hint: "set command in the source block"}
	}
	path := ""
	for _, kv := range c.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	program, err := lookPath(c.Args[0], path)
	if err != nil {
		return &hinted{what: fmt.Sprintf("command %q is not on PATH", c.Args[0]), hint: "install it in this image, or give its full path in command"}
	}
	cmd := exec.Command(program, c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	apart(cmd)
	// On Linux the child ends with the thread that started it, which this keeps.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dieWithParent(cmd)
	read, write := io.Pipe()
	scrub := gateway.NewScrubber(write, c.Secrets...)
	out := &oneWriter{w: scrub}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = 2 * time.Second
	var lines sync.WaitGroup
	lines.Add(1)
	go func() {
		defer lines.Done()
		r := bufio.NewReaderSize(read, 64<<10)
		for {
			line, err := r.ReadSlice('\n') // one that is longer comes in pieces
			if text := strings.TrimRight(string(line), "\r\n"); text != "" || err == nil {
				c.Output(text)
			}
			if err != nil && err != bufio.ErrBufferFull {
				return
			}
		}
	}()
	if err := cmd.Start(); err != nil {
		write.Close()
		lines.Wait()
		return &hinted{what: fmt.Sprintf("start %q", c.Args[0]), err: err, hint: "check command and dir of the source block"}
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			endGroup(cmd)
			select {
			case <-ended:
			case <-time.After(grace):
			}
			killGroup(cmd) // what it started may outlive it
		case <-ended:
		}
	}()
	err = cmd.Wait()
	close(ended)
	scrub.Flush()
	write.Close()
	lines.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%s ended with %s", c.Args[0], exit.ProcessState)
	}
	return err
}

// oneWriter lets stdout and stderr share one scrubber.
type oneWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (o *oneWriter) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}
