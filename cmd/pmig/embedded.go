package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/planetscale"
)

// emulator is a pmig-emulator that this process started for itself.
type emulator struct {
	address string
	id      string
	token   planetscale.Secret
	cmd     *exec.Cmd
	stdin   io.Closer
}

var announced = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

// folderBusy says that another pmig-emulator has the folder.
type folderBusy struct{ error }

// emulatorBusy is the exit code that pmig-emulator has for it.
const emulatorBusy = 3

// While another run has the folder: how often to try again, and to say so.
const (
	folderRetry = 500 * time.Millisecond
	folderTell  = 30 * time.Second
)

// startEmulator is tryEmulator once more and once more, for as long as the
// command has patience, while another run has the folder.
func (w *world) startEmulator(ctx context.Context) (*emulator, error) {
	began, told := time.Now(), time.Time{}
	for {
		e, err := w.tryEmulator(ctx)
		if !errors.As(err, new(*folderBusy)) {
			return e, err
		}
		left := w.app.patience - time.Since(began)
		if left <= 0 {
			return nil, &exitError{exitBusy, &hinted{what: "another pmig uses the emulator's data in " + rel(w.config.Platform.Data),
				hint: "wait until it has finished; apply does so by itself, --lock-timeout says how long"}}
		}
		if time.Since(told) >= folderTell {
			told = time.Now()
			w.log.Info("waiting for another pmig that uses the emulator's data", zap.String("at most", left.Round(time.Second).String()))
		}
		select {
		case <-time.After(min(folderRetry, left)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryEmulator starts pmig-emulator on loopback, with its data in the folder
// that the configuration names. It ends with its standard input, so it never
// outlives this process, however that ends.
func (w *world) tryEmulator(ctx context.Context) (*emulator, error) {
	path, err := findEmulator(w.app.env)
	if err != nil {
		return nil, err
	}
	p := w.config.Platform
	args := []string{"--listen", "127.0.0.1:0", "--mysql-listen", "127.0.0.1:0", "--organization", p.Organization,
		"--data", p.Data, "--engine", p.Engine, "--stop-with-stdin", "--quiet"}
	for _, name := range databaseNames(w.config) {
		args = append(args, "--database", name)
	}
	e := &emulator{id: randomHex(6), token: planetscale.Secret("pscale_tkn_" + randomHex(20))}
	e.cmd = exec.Command(path, args...)
	// The token goes by the environment: arguments can be read by everybody.
	e.cmd.Env = append(withoutOwn(w.app.environ), "PMIG_EMULATOR_TOKEN="+e.id+":"+e.token.Reveal())
	stdin, err := e.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	e.stdin = stdin
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	errs := &tail{}
	e.cmd.Stderr = errs
	apart(e.cmd) // an interrupt from the terminal is for us to handle
	if err := e.cmd.Start(); err != nil {
		return nil, &hinted{what: "start " + path, err: err, hint: "check that it can be executed"}
	}
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		lines <- line
		io.Copy(io.Discard, stdout)
	}()
	select {
	case line := <-lines:
		if e.address = announced.FindString(line); e.address != "" {
			return e, nil
		}
		stdin.Close()
		e.cmd.Wait()
		said := strings.TrimPrefix(errs.String(), "pmig-emulator: ")
		if e.cmd.ProcessState.ExitCode() == emulatorBusy {
			return nil, &folderBusy{errors.New(said)}
		}
		return nil, &hinted{what: "the emulator did not start: " + said, hint: "its data is in " + rel(p.Data)}
	case <-time.After(60 * time.Second):
		e.cmd.Process.Kill()
		e.cmd.Wait()
		return nil, &hinted{what: "the emulator did not start within a minute", hint: "run it by hand to see why: " + path + " --data " + rel(p.Data)}
	case <-ctx.Done():
		e.stop()
		return nil, ctx.Err()
	}
}

// stop ends the emulator and waits until its data is on disk.
func (e *emulator) stop() {
	e.stdin.Close()
	done := make(chan struct{})
	go func() { e.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		e.cmd.Process.Kill()
		<-done
	}
}

// findEmulator looks beside this program first, then on PATH.
func findEmulator(env map[string]string) (string, error) {
	const name = "pmig-emulator"
	if own, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(own), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := lookPath(name, env["PATH"])
	if err != nil {
		return "", &hinted{what: "platform \"embedded\" needs " + name + ", which is neither beside pmig nor on PATH",
			hint: "build it: go build -o bin/ ./cmd/pmig-emulator"}
	}
	return path, nil
}

// lookPath is exec.LookPath for a given PATH.
func lookPath(name, path string) (string, error) {
	if strings.ContainsRune(name, os.PathSeparator) {
		return name, nil
	}
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, name)
		if st, err := os.Stat(full); err == nil && !st.IsDir() && st.Mode()&0o111 != 0 {
			return full, nil
		}
	}
	return "", exec.ErrNotFound
}

func databaseNames(c *config.Config) []string {
	var names []string
	seen := map[string]bool{}
	for _, d := range c.Databases {
		if !seen[d.Name] {
			seen[d.Name] = true
			names = append(names, d.Name)
		}
	}
	return names
}

// withoutOwn is the environment without what is meant for pmig alone.
func withoutOwn(environ []string) []string {
	var out []string
	for _, kv := range environ {
		if !strings.HasPrefix(kv, "PMIG_") && !strings.HasPrefix(kv, "PLANETSCALE_") {
			out = append(out, kv)
		}
	}
	return out
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Write(p)
	if extra := t.b.Len() - 4096; extra > 0 {
		t.b.Next(extra)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.b.String())
}
