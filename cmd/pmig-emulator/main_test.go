package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator/mariadb"
)

// The test binary is the command when it is told to be.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_COMMAND") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// buffer is a writer that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// process is the command, running as a process of its own.
type process struct {
	*testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr *buffer
	line   string
	api    string
	rest   chan string
}

var readyLine = regexp.MustCompile(`^pmig-emulator: listening on (http://127\.0\.0\.1:\d+/) \(MySQL (127\.0\.0\.1:\d+)\)$`)

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	return startBinary(t, os.Args[0], args...)
}

// startBinary is startProcess for a command that was built by itself.
func startBinary(t *testing.T, bin string, args ...string) *process {
	t.Helper()
	p := &process{T: t, stderr: &buffer{}, rest: make(chan string, 1)}
	p.cmd = exec.Command(bin, append([]string{"--listen", "127.0.0.1:0", "--token", "id:secret"}, args...)...)
	p.cmd.Env = append(os.Environ(), "RUN_AS_COMMAND=1", "TMPDIR="+t.TempDir())
	p.cmd.Stderr = p.stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("it did not begin: %v\n%s", err, p.stderr)
	}
	p.line = strings.TrimSuffix(line, "\n")
	m := readyLine.FindStringSubmatch(p.line)
	if m == nil {
		t.Fatalf("its line is %q", p.line)
	}
	p.api = m[1]
	go func() {
		b, _ := io.ReadAll(r)
		p.rest <- string(b)
	}()
	return p
}

func (p *process) call(method, path, body string) (int, map[string]any) {
	p.Helper()
	r, err := http.NewRequest(method, p.api+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Authorization", "id:secret")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	var o map[string]any
	if b, _ := io.ReadAll(res.Body); len(b) > 0 {
		if err := json.Unmarshal(b, &o); err != nil {
			p.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return res.StatusCode, o
}

// wait is for the process to end by itself, with its exit code and the rest of
// its standard output.
func (p *process) wait() (int, string) {
	p.Helper()
	over := time.AfterFunc(20*time.Second, func() { p.cmd.Process.Kill() })
	defer over.Stop()
	rest := <-p.rest
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode(), rest
}

const shop = "v1/organizations/acme/databases/shop"

func TestEndsWithStdin(t *testing.T) {
	p := startProcess(t, "--engine", "memory", "--stop-with-stdin")
	if status, o := p.call("GET", shop+"/branches/main", ""); status != 200 || o["safe_migrations"] != true {
		t.Error(status, o)
	}
	p.stdin.Close()
	if code, rest := p.wait(); code != 0 || rest != "" {
		t.Errorf("exit %d, more output %q", code, rest)
	}
	if !strings.Contains(p.stderr.String(), "  200 GET acme/shop/branches/main  ") {
		t.Errorf("it told:\n%s", p.stderr)
	}
}

func TestSIGTERM(t *testing.T) {
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	p := startProcess(t, "--engine", "mariadb", "--quiet", "--database", "one", "--database", "two")
	if status, _ := p.call("POST", "_emulator/sql", `{"database":"two","sql":"CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))"}`); status != 200 {
		t.Error(status)
	}
	children, err := exec.Command("pgrep", "-P", strconv.Itoa(p.cmd.Process.Pid)).Output()
	if err == nil && len(bytes.Fields(children)) == 0 {
		t.Error("no server runs")
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if code, rest := p.wait(); code != 0 || rest != "" {
		t.Errorf("exit %d, more output %q\n%s", code, rest, p.stderr)
	}
	for _, pid := range bytes.Fields(children) {
		if _, err := os.Stat("/proc/" + string(pid)); err == nil {
			t.Errorf("process %s is left", pid)
		}
	}
	for _, dir := range p.cmd.Env {
		if tmp, is := strings.CutPrefix(dir, "TMPDIR="); is {
			if left, _ := filepath.Glob(filepath.Join(tmp, "pmig-emulator-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	}
	if p.stderr.String() != "" {
		t.Errorf("quiet, it told:\n%s", p.stderr)
	}
}

// kill -9 at any instant loses nothing that was answered.
func TestKill(t *testing.T) {
	data := t.TempDir()
	args := []string{"--engine", "memory", "--data", data, "--quiet"}
	p := startProcess(t, append(args, "--deploy-delay", "200ms")...)
	p.call("POST", "_emulator/sql", `{"database":"shop","sql":"CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id)); INSERT INTO t VALUES (1)"}`)
	if status, o := p.call("POST", shop+"/branches", `{"name":"work"}`); status != 201 {
		t.Fatal(status, o)
	}
	await := func(path string, done func(map[string]any) bool) {
		t.Helper()
		for range 500 {
			if _, o := p.call("GET", path, ""); done(o) {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("it never happened\n%s", p.stderr)
	}
	await(shop+"/branches/work", func(o map[string]any) bool { return o["ready"] == true })
	p.call("POST", "_emulator/sql", `{"database":"shop","branch":"work","sql":"ALTER TABLE t ADD COLUMN a int; CREATE TABLE u (id int NOT NULL, PRIMARY KEY (id))"}`)
	p.call("POST", shop+"/deploy-requests", `{"branch":"work","into_branch":"main","auto_cutover":true}`)
	state := func(want string) func(map[string]any) bool {
		return func(o map[string]any) bool { return o["deployment_state"] == want }
	}
	await(shop+"/deploy-requests/1", state("ready"))
	if status, o := p.call("POST", shop+"/deploy-requests/1/deploy", ""); status != 200 {
		t.Fatal(status, o)
	}
	for range 4 {
		time.Sleep(60 * time.Millisecond)
		p.cmd.Process.Kill()
		p.wait()
		p = startProcess(t, args...)
	}
	await(shop+"/deploy-requests/1", state("complete"))
	if status, o := p.call("POST", "_emulator/sql", `{"database":"shop","sql":"SELECT id, a FROM t WHERE id NOT IN (SELECT id FROM u)"}`); status != 200 || len(o["rows"].([]any)) != 1 {
		t.Error(status, o)
	}

	// Two on one folder: the second says so and ends.
	var out, talk buffer
	if code := run(t.Context(), append(args, "--listen", "127.0.0.1:0"), nil, &out, &talk, nil); code != exitBusy || out.String() != "" ||
		!strings.Contains(talk.String(), "hint: ") {
		t.Errorf("a second one: exit %d, %q, %q", code, out.String(), talk.String())
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
		code int
	}{
		{[]string{"--engine", "oracle"}, "oracle", exitUsage},
		{[]string{"--token", "supersecret"}, "a token is written ID:SECRET", exitUsage},
		{[]string{"--revert-window=-1s"}, "negative", exitUsage},
		{[]string{"--dta", "x"}, "--data", exitUsage},
		{[]string{"--dta", "x"}, "hint: pmig-emulator --help", exitUsage},
		{[]string{"somewhere"}, "hint: ", exitUsage},
		{[]string{"--profile", "warp"}, "warp", exitUsage},
		{[]string{"--knob", "warp=1s"}, "nothing is called", exitUsage},
		{[]string{"--knob", "queue=-1s"}, "negative", exitUsage},
		{[]string{"--fault", "explode"}, "no fault", exitUsage},
		{[]string{"--fault", "delay,delay=soon"}, "soon", exitUsage},
		{[]string{"--unknown", "nothing"}, "close_queued", exitUsage},
		{[]string{"--fixtures", "testdata/nowhere.hcl"}, "nowhere.hcl", exitUsage},
		{[]string{"--fixtures", "testdata/mistake.hcl"}, "mistake.hcl:3", exitUsage},
		{[]string{"--fixtures", "testdata/badsql.hcl", "--engine", "memory", "--listen", "127.0.0.1:0"}, "badsql.hcl:4", exitFailed},
		{[]string{"--listen", "256.0.0.1:1", "--engine", "memory"}, "256.0.0.1", exitFailed},
		{[]string{"--database", "No", "--engine", "memory", "--listen", "127.0.0.1:0"}, "lower case", exitFailed},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var out, talk buffer
			code := run(ctx, test.args, nil, &out, &talk, nil)
			if code != test.code || !strings.Contains(talk.String(), test.want) || strings.Contains(talk.String(), "supersecret") || out.String() != "" {
				t.Errorf("exit %d, %q, %q", code, out.String(), talk.String())
			}
		})
	}
	var out, talk buffer
	if code := run(t.Context(), []string{"--help"}, nil, &out, &talk, nil); code != 0 || !strings.Contains(out.String(), "--stop-with-stdin") {
		t.Errorf("help: exit %d, %q", code, out.String())
	}
}

func TestTokenFromEnvironment(t *testing.T) {
	var o options
	if err := o.complete([]string{"PMIG_EMULATOR_TOKEN=a:b:read_branch,connect_branch"}); err != nil || len(o.tokens) != 1 || o.tokens[0].ID != "a" || len(o.tokens[0].Permissions) != 2 {
		t.Errorf("%v %+v", err, o.tokens)
	}
}
