package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// TestKilledAfterEveryRecord kills the real binary (kill -9) after the first,
// second, ... record of its journal, and then types the same command again.
// However far it had come, the end is the same: the same schema, the same
// history, one deployed request and nothing left over.
func TestKilledAfterEveryRecord(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "pmig-emulator")
	if out, err := exec.Command("go", "build", "-o", bin, "../pmig-emulator").CombinedOutput(); err != nil {
		t.Fatalf("build the emulator: %v\n%s", err, out)
	}
	killed := 0
	for n := 1; ; n++ {
		if n > 100 {
			t.Fatal("100 records and no end")
		}
		died := crashOnce(t, bin, n)
		if t.Failed() {
			return
		}
		if !died {
			break
		}
		killed++
	}
	if killed < 20 {
		t.Errorf("only %d instants: the run keeps too few records", killed)
	}
	t.Logf("killed after each of %d records: all came to the same end", killed)
}

func crashOnce(t *testing.T, bin string, n int) (died bool) {
	dir := t.TempDir()
	e := startForTest(t, bin, filepath.Join(dir, ".emulator"))
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("pmig.hcl", "database \"shop\" {\n  source \"golang-migrate\" {\n    path = \"migrations\"\n  }\n}\n")
	write("migrations/1_a.up.sql", "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));")
	if out, err := e.pmig(dir, 0); err != nil {
		t.Fatalf("first deploy: %v\n%s", err, out)
	}
	write("migrations/2_b.up.sql", "CREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id)); ALTER TABLE a ADD COLUMN note VARCHAR(20);")

	out, err := e.pmig(dir, n)
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if !died && err != nil {
		t.Fatalf("record %d: %v\n%s", n, err, out)
	}
	again, err := e.pmig(dir, 0)
	if err != nil {
		t.Errorf("killed after record %d, the same command then fails: %v\n--- first\n%s\n--- then\n%s", n, err, out, again)
		return died
	}
	if problem := e.asWanted(t); problem != "" {
		t.Errorf("killed after record %d: %s\n--- first\n%s\n--- then\n%s", n, problem, out, again)
	}
	return died
}

type emulatorForTest struct {
	address string
	client  *planetscale.Client
}

func startForTest(t *testing.T, bin, data string, flags ...string) *emulatorForTest {
	t.Helper()
	cmd := exec.Command(bin, "--listen", "127.0.0.1:0", "--mysql-listen", "127.0.0.1:0", "--organization", "acme", "--database", "shop", "--engine", "memory", "--data", data, "--stop-with-stdin", "--quiet")
	cmd.Args = append(cmd.Args, flags...)
	cmd.Env = append(os.Environ(), "PMIG_EMULATOR_TOKEN="+testTokenID+":"+testToken)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	e := &emulatorForTest{address: addressLine.FindString(line)}
	if e.client, err = planetscale.New(planetscale.Options{Address: e.address, TokenID: testTokenID, Token: testToken, PerMinute: 6000}); err != nil {
		t.Fatal(err)
	}
	return e
}

// pmig types pmig apply --auto-approve; it dies after a record unless that is 0.
func (e *emulatorForTest) pmig(dir string, dieAfter int) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "apply", "--auto-approve", "--chdir", dir)
	cmd.Env = append(os.Environ(), "PMIGTEST_MAIN=1", "PLANETSCALE_API_URL="+e.address, "PLANETSCALE_ORG=acme",
		"PLANETSCALE_SERVICE_TOKEN_ID="+testTokenID, "PLANETSCALE_SERVICE_TOKEN="+testToken, "PMIG_LOG_LEVEL=info")
	if dieAfter > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprintf("PMIGTEST_DIE_AFTER=%d", dieAfter))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// asWanted looks at the platform: what is not as it should be, "" if nothing.
func (e *emulatorForTest) asWanted(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	api := e.client.DB("acme", "shop")
	requests, err := api.DeployRequests(ctx, planetscale.DeployRequestFilter{})
	if err != nil {
		t.Fatal(err)
	}
	live := 0
	for _, r := range requests {
		switch {
		case r.DeploymentState == planetscale.StateComplete:
			live++
		case r.State == planetscale.RequestOpen:
			return fmt.Sprintf("deploy request #%d is left open, %s", r.Number, r.DeploymentState)
		}
	}
	if live != 2 { // the first deploy and this one
		return fmt.Sprintf("%d requests were deployed, want 2 in all", live)
	}
	branches, err := api.Branches(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range branches {
		if b.Name != "main" {
			return "branch " + b.Name + " is left over"
		}
	}
	passwords, err := api.Passwords(ctx, "main")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range passwords {
		// One that nobody wrote down yet when its holder died ends by itself.
		if p.ExpiresAt == nil || time.Until(*p.ExpiresAt) > planner.PasswordTTL {
			return "password " + p.Name + " is left over for good"
		}
	}
	access := &planner.Access{API: api, Connect: connect, Branch: "main", Database: "shop", Name: "test", Role: "reader"}
	defer access.Close(ctx)
	db, err := access.DB(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	r, err := db.QueryContext(ctx, "SELECT version, dirty FROM schema_migrations")
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	for r.Next() {
		var v, d string
		if err := r.Scan(&v, &d); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, v+" "+d)
	}
	if got := strings.Join(rows, ", "); got != "2 0" {
		return fmt.Sprintf("history is %q, want %q", got, "2 0")
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'shop' AND (table_name = 'b' OR column_name = 'note')").Scan(&n); err != nil {
		return err.Error()
	}
	if n != 2 {
		return fmt.Sprintf("the schema has %d of the 2 new columns", n)
	}
	return ""
}
