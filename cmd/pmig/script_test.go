package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// The scripts in testdata/script are the manual: they type real commands. The
// verbs of their own are
//
//	emulator start [flags]   start pmig-emulator for organization acme, database shop
//	emulator stop            stop it cleanly; emulator start takes its data up again
//	mariadb start            start a MariaDB with a database "state"; its url is in $STATE_URL
//	exits CODE COMMAND...    run a command that must end with this exit code
//	api METHOD PATH [BODY]   call its API with the token of the script
//	sql BRANCH STATEMENT     run SQL on a branch, past safe migrations
//	password BRANCH ROLE     print a mysql:// URL with a new password
//	client STATEMENT...      a migration tool of few words: connects to $DATABASE_URL, runs each statement
//	hide TEXT...             fail if one of the texts stands in any file of the script's folder

func TestMain(m *testing.M) {
	if os.Getenv("PMIGTEST_MAIN") != "" {
		os.Exit(runForTest())
	}
	testscript.Main(m, map[string]func(){
		"pmig": func() { os.Exit(runForTest()) },
		"api":  func() { os.Exit(apiMain()) },
		"sql":  func() { os.Exit(sqlMain()) },

		"client":   func() { os.Exit(clientMain()) },
		"password": func() { os.Exit(passwordMain()) },
	})
}

// runForTest is main, with a journal that can kill the process:
// PMIGTEST_DIE_AFTER=n is kill -9 right after the n-th record is on disk.
func runForTest() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, environ: os.Environ(), env: environMap(os.Environ())}
	if n, err := strconv.Atoi(os.Getenv("PMIGTEST_DIE_AFTER")); err == nil {
		a.journal = func(j executor.Journal) executor.Journal { return &deadly{Journal: j, left: n} }
	}
	return a.run(ctx, os.Args[1:])
}

// deadly is a journal after whose n-th record the process is gone.
type deadly struct {
	executor.Journal
	left int
}

func (d *deadly) Save(doc *state.Document) error {
	err := d.Journal.Save(doc)
	if d.left--; d.left == 0 {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return err
}

// emulatorBinary is built once for all scripts.
var emulatorBinary string

func TestScripts(t *testing.T) {
	bin := t.TempDir()
	emulatorBinary = filepath.Join(bin, "pmig-emulator")
	build := exec.Command("go", "build", "-o", emulatorBinary, "../pmig-emulator")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the emulator: %v\n%s", err, out)
	}
	tools := os.Getenv("PMIG_TEST_TOOLS")
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: false,
		UpdateScripts:       os.Getenv("PMIGTEST_UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			path := bin + string(os.PathListSeparator) + e.Getenv("PATH")
			if tools != "" {
				path = filepath.Join(tools, "bin") + string(os.PathListSeparator) + filepath.Join(tools, "node_modules", ".bin") + string(os.PathListSeparator) + path
			}
			examples, err := filepath.Abs("../../examples")
			if err != nil {
				return err
			}
			e.Setenv("PATH", path)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("EXAMPLES", examples)
			e.Setenv("TOOLS", tools)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "mariadb" {
				_, err := mariadb.Find()
				return err == nil, nil
			}
			if name, ok := strings.CutPrefix(cond, "example:"); ok {
				_, err := os.Stat(filepath.Join("../../examples", name, "node_modules", ".complete"))
				return err == nil, nil
			}
			if name, ok := strings.CutPrefix(cond, "tool:"); ok {
				for _, dir := range []string{"bin", filepath.Join("node_modules", ".bin")} {
					if _, err := os.Stat(filepath.Join(tools, dir, name)); tools != "" && err == nil {
						return true, nil
					}
				}
				return false, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"emulator": emulatorVerb,
			"mariadb":  mariadbVerb,
			"hide":     hideVerb,
			"exits":    exitsVerb,
		},
	})
}

const (
	testTokenID = "tokenid00001"
	testToken   = "pscale_tkn_marked-secret-0123456789abcdefghij"
)

type runningEmulator struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

var addressLine = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

func emulatorVerb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: emulator start|stop [flags]")
	}
	dir := ts.MkAbs(".emulator")
	key := "emulator"
	switch args[0] {
	case "start":
		flags := append([]string{"--listen", "127.0.0.1:0", "--mysql-listen", "127.0.0.1:0", "--organization", "acme", "--data", dir, "--stop-with-stdin"}, args[1:]...)
		if !strings.Contains(strings.Join(args, " "), "--database") {
			flags = append(flags, "--database", "shop")
		}
		cmd := exec.Command(emulatorBinary, flags...)
		cmd.Env = append(os.Environ(), "PMIG_EMULATOR_TOKEN="+testTokenID+":"+testToken)
		log, err := os.OpenFile(ts.MkAbs("emulator.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		ts.Check(err)
		cmd.Stderr = log
		stdin, err := cmd.StdinPipe()
		ts.Check(err)
		stdout, err := cmd.StdoutPipe()
		ts.Check(err)
		ts.Check(cmd.Start())
		line, _ := bufio.NewReader(stdout).ReadString('\n')
		address := addressLine.FindString(line)
		if address == "" {
			b, _ := os.ReadFile(ts.MkAbs("emulator.log"))
			ts.Fatalf("the emulator did not start: %q\n%s", line, b)
		}
		running.Store(ts.Name()+key, &runningEmulator{cmd, stdin})
		ts.Setenv("PLANETSCALE_API_URL", address)
		ts.Setenv("PLANETSCALE_ORG", "acme")
		ts.Setenv("PLANETSCALE_SERVICE_TOKEN_ID", testTokenID)
		ts.Setenv("PLANETSCALE_SERVICE_TOKEN", testToken)
		name := ts.Name() + key
		ts.Defer(func() { stopEmulator(name) })
	case "stop":
		stopEmulator(ts.Name() + key)
	default:
		ts.Fatalf("usage: emulator start|stop [flags]")
	}
}

// running is what each script has started; scripts of one name do not exist.
var running sync.Map

func stopEmulator(name string) {
	found, ok := running.LoadAndDelete(name)
	if !ok {
		return
	}
	e := found.(*runningEmulator)
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

// statePassword is marked, for hide.
const statePassword = "marked-state-password"

// mariadbVerb starts a server of the script's own.
func mariadbVerb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || args[0] != "start" {
		ts.Fatalf("usage: mariadb start")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := mariadb.Start(ctx, mariadb.Options{Dir: ts.MkAbs(".mariadb"), Port: -1})
	ts.Check(err)
	ts.Defer(func() { s.Stop() })
	db, err := sql.Open("mysql", s.DSN(""))
	ts.Check(err)
	defer db.Close()
	for _, statement := range []string{
		"CREATE DATABASE state", "CREATE USER pmig@'%' IDENTIFIED BY '" + statePassword + "'", "GRANT ALL ON state.* TO pmig@'%'",
	} {
		_, err := db.ExecContext(ctx, statement)
		ts.Check(err)
	}
	ts.Setenv("STATE_URL", "mysql://pmig:"+statePassword+"@"+s.Addr+"/state")
	ts.Setenv("STATE_ADDR", s.Addr)
}

// exitsVerb wants a command to end with a code and nothing else.
func exitsVerb(ts *testscript.TestScript, neg bool, args []string) {
	want, err := 0, error(nil)
	if len(args) >= 2 && !neg {
		want, err = strconv.Atoi(args[0])
	}
	if len(args) < 2 || neg || err != nil {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// hideVerb looks for secrets in everything that the script left on disk.
func hideVerb(ts *testscript.TestScript, neg bool, args []string) {
	root := ts.MkAbs(".")
	ts.Check(filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d != nil && (d.Name() == ".emulator" || d.Name() == ".mariadb") { // the other side keeps its own tokens
				return filepath.SkipDir
			}
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, secret := range append(args, testToken, statePassword) {
			if bytes.Contains(b, []byte(secret)) {
				return fmt.Errorf("%s holds the secret %q", path, secret)
			}
		}
		return nil
	}))
}

// apiMain is the api verb.
func apiMain() int {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: api METHOD PATH [BODY]")
		return 2
	}
	var body io.Reader
	if len(os.Args) > 3 {
		body = strings.NewReader(os.Args[3])
	}
	req, err := http.NewRequest(os.Args[1], strings.TrimSuffix(os.Getenv("PLANETSCALE_API_URL"), "/")+os.Args[2], body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	req.Header.Set("Authorization", os.Getenv("PLANETSCALE_SERVICE_TOKEN_ID")+":"+os.Getenv("PLANETSCALE_SERVICE_TOKEN"))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	var pretty bytes.Buffer
	if json.Indent(&pretty, b, "", " ") == nil {
		b = pretty.Bytes()
	}
	fmt.Println(string(b))
	if resp.StatusCode >= 300 {
		fmt.Fprintln(os.Stderr, resp.Status)
		return 1
	}
	return 0
}

// passwordMain is the password verb.
func passwordMain() int {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: password BRANCH ROLE")
		return 2
	}
	c, err := testClient()
	if err == nil {
		var p *planetscale.Password
		if p, err = c.DB("acme", testDatabase()).CreatePassword(context.Background(), os.Args[1], planetscale.NewPassword{Name: "script", Role: os.Args[2]}); err == nil {
			fmt.Printf("mysql://%s:%s@%s/%s\n", p.Username, p.PlainText.Reveal(), p.Address(), testDatabase())
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func testClient() (*planetscale.Client, error) {
	return planetscale.New(planetscale.Options{Address: os.Getenv("PLANETSCALE_API_URL"), TokenID: os.Getenv("PLANETSCALE_SERVICE_TOKEN_ID"),
		Token: planetscale.Secret(os.Getenv("PLANETSCALE_SERVICE_TOKEN"))})
}

func testDatabase() string {
	if name := os.Getenv("SQL_DATABASE"); name != "" {
		return name
	}
	return "shop"
}

// clientMain is the client verb.
func clientMain() int {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := connect(ctx, planner.Login{URL: planetscale.Secret(os.Getenv("DATABASE_URL"))})
	if err == nil {
		err = db.PingContext(ctx)
	}
	for _, statement := range os.Args[1:] {
		if err == nil {
			_, err = db.ExecContext(ctx, statement)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// sqlMain is the sql verb: it prints rows with tabs between the columns.
func sqlMain() int {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sql BRANCH STATEMENT")
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := runSQL(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runSQL(ctx context.Context, branch, statement string) error {
	database := testDatabase()
	first := strings.ToUpper(strings.Fields(statement)[0])
	if first != "SELECT" && first != "SHOW" {
		body, err := json.Marshal(map[string]string{"organization": "acme", "database": database, "branch": branch, "sql": statement})
		if err != nil {
			return err
		}
		resp, err := http.Post(strings.TrimSuffix(os.Getenv("PLANETSCALE_API_URL"), "/")+"/_emulator/sql", "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode >= 300 {
			b, _ := io.ReadAll(resp.Body)
			return fmt.Errorf("%s: %s", resp.Status, b)
		}
		return nil
	}
	c, err := testClient()
	if err != nil {
		return err
	}
	access := &planner.Access{API: c.DB("acme", database), Connect: connect, Branch: branch, Database: database, Name: "script", Role: "reader"}
	defer access.Close(ctx)
	db, err := access.DB(ctx)
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		cells := make([]any, len(cols))
		for i := range cells {
			cells[i] = new([]byte)
		}
		if err := rows.Scan(cells...); err != nil {
			return err
		}
		var out []string
		for _, c := range cells {
			if b := *c.(*[]byte); b == nil {
				out = append(out, "NULL")
			} else {
				out = append(out, string(b))
			}
		}
		fmt.Println(strings.Join(out, "\t"))
	}
	return rows.Err()
}
