// Package bench measures pmig and its emulator against their budgets: memory and time of branches, and the start of the command.
//
// The emulator that it measures is the pmig-emulator command in a process of its own, with its database servers, over its API, as a user
// would. Memory is the proportional set size of /proc (a page that n processes share counts 1/n for each), so it runs on Linux.
package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator/mariadb"
)

// The budget.
const (
	memoryBranches, memoryBudget   = 200, 200 // MB, of the process
	mariadbBranches, mariadbBudget = 10, 600  // MB, of the process and all its servers
	tables, readyBudget            = 300, 2 * time.Second
)

// BenchmarkMemory200Branches makes 200 branches of databases of ten tables and keeps them all.
func BenchmarkMemory200Branches(b *testing.B) {
	manyBranches(b, "memory", memoryBranches, memoryBudget)
}

// BenchmarkMariaDB10Branches makes 10 branches, each with a server of its own that is running and has been used.
func BenchmarkMariaDB10Branches(b *testing.B) {
	needServer(b)
	manyBranches(b, "mariadb", mariadbBranches, mariadbBudget)
}

func manyBranches(b *testing.B, engine string, count int, budget float64) {
	for range b.N {
		databases := []string{"shop"}
		for more := count / 100; more > 0; more-- { // the platform allows a database 100 branches
			databases = append(databases, fmt.Sprintf("shop%d", more))
		}
		p := start(b, engine, databases...)
		for _, database := range databases {
			p.sql(database, "main", schemaOf(10))
		}
		began := time.Now()
		for i := range count {
			name, database := fmt.Sprintf("branch-%03d", i), databases[i%len(databases)]
			p.branch(database, name)
			p.sql(database, name, "ALTER TABLE t000 ADD COLUMN more int; INSERT INTO t000 (name) VALUES ('a'), ('b'); SELECT * FROM t000")
		}
		took := time.Since(began)
		all := p.megabytes()
		b.ReportMetric(all, "MB")
		b.ReportMetric(float64(took.Milliseconds())/float64(count), "ms/branch")
		if all > budget {
			b.Errorf("%d branches on %s take %.0f MB, more than %.0f", count, engine, all, budget)
		}
		p.stop()
	}
}

// BenchmarkMariaDB300Tables makes a branch of a database with 300 tables and waits until it is ready.
func BenchmarkMariaDB300Tables(b *testing.B) {
	needServer(b)
	bigBranch(b, "mariadb")
}

// BenchmarkMemory300Tables is the same on the other engine; the budget is the same too.
func BenchmarkMemory300Tables(b *testing.B) { bigBranch(b, "memory") }

func bigBranch(b *testing.B, engine string) {
	p := start(b, engine, "shop")
	p.sql("shop", "main", schemaOf(tables))
	b.ResetTimer()
	worst := time.Duration(0)
	for i := range b.N {
		began := time.Now()
		p.branch("shop", fmt.Sprintf("branch-%03d", i))
		worst = max(worst, time.Since(began))
		b.StopTimer()
		if got := p.sql("shop", fmt.Sprintf("branch-%03d", i), "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop'"); got != strconv.Itoa(tables) {
			b.Fatalf("the branch has %s tables", got)
		}
		if status, text := p.call("DELETE", databasesPath+fmt.Sprintf("shop/branches/branch-%03d", i), ""); status != 204 {
			b.Fatal(status, text)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(worst.Milliseconds()), "ms-worst")
	if worst > readyBudget {
		b.Errorf("a branch of %d tables on %s took %s to be ready, more than %s", tables, engine, worst, readyBudget)
	}
	p.stop()
}

func needServer(b *testing.B) {
	if _, err := mariadb.Find(); err != nil {
		b.Skip("mariadbd is not installed")
	}
}

// schemaOf is the SQL of a number of tables as an application has them.
func schemaOf(count int) string {
	var s strings.Builder
	for i := range count {
		fmt.Fprintf(&s, `CREATE TABLE t%03d (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  name varchar(120) NOT NULL,
  email varchar(255) DEFAULT NULL,
  state enum('new','active','gone') NOT NULL DEFAULT 'new',
  amount decimal(12,2) NOT NULL DEFAULT '0.00',
  owner_id bigint unsigned DEFAULT NULL,
  notes text,
  created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (id), UNIQUE KEY email (email), KEY owner (owner_id, created_at)
);`, i)
	}
	return s.String()
}

// process is a pmig-emulator.
type process struct {
	*testing.B
	cmd   *exec.Cmd
	stdin io.Closer
	api   string
}

var readyLine = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`)

const databasesPath = "v1/organizations/acme/databases/"

// start runs the command.
func start(b *testing.B, engine string, databases ...string) *process {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		b.Skip("this system has no /proc to measure memory by")
	}
	binary := shipped(b, "pmig-emulator")
	p := &process{B: b}
	p.cmd = exec.Command(binary, "--listen", "127.0.0.1:0", "--token", "id:secret", "--engine", engine, "--data", b.TempDir(), "--quiet", "--stop-with-stdin")
	for _, d := range databases {
		p.cmd.Args = append(p.cmd.Args, "--database", d)
	}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if p.api = readyLine.FindString(line); err != nil || p.api == "" {
		b.Fatalf("the emulator said %q (%v)", line, err)
	}
	return p
}

func (p *process) stop() {
	p.stdin.Close()
	p.cmd.Wait()
}

func (p *process) call(method, path, body string) (int, []byte) {
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
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	return res.StatusCode, text
}

// branch makes a branch of main and waits until it is ready.
func (p *process) branch(database, name string) {
	p.Helper()
	if status, text := p.call("POST", databasesPath+database+"/branches", `{"name":"`+name+`","parent_branch":"main"}`); status != 201 {
		p.Fatal(status, string(text))
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		if _, text := p.call("GET", databasesPath+database+"/branches/"+name, ""); bytes.Contains(text, []byte(`"ready":true`)) {
			return
		}
		if time.Now().After(deadline) {
			p.Fatalf("branch %s does not become ready", name)
		}
	}
}

// sql runs statements and gives the first value of the last one's answer.
func (p *process) sql(database, branch, statements string) string {
	p.Helper()
	body, err := json.Marshal(map[string]string{"database": database, "branch": branch, "sql": statements})
	if err != nil {
		p.Fatal(err)
	}
	status, text := p.call("POST", "_emulator/sql", string(body))
	var answer struct{ Rows [][]string }
	if json.Unmarshal(text, &answer); status != 200 {
		p.Fatal(status, string(text))
	}
	if len(answer.Rows) == 0 {
		return ""
	}
	return answer.Rows[0][0]
}

// megabytes is the memory of the emulator and of the servers that it runs.
func (p *process) megabytes() float64 {
	p.Helper()
	sum := 0.0
	pids := []string{strconv.Itoa(p.cmd.Process.Pid)}
	for len(pids) > 0 {
		pid := pids[0]
		pids = pids[1:]
		children, _ := filepath.Glob("/proc/" + pid + "/task/*/children")
		for _, file := range children {
			text, _ := os.ReadFile(file)
			pids = append(pids, strings.Fields(string(text))...)
		}
		text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err != nil {
			p.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); f[0] == "Pss:" {
				n, _ := strconv.ParseFloat(f[1], 64)
				sum += n / 1000 * 1.024
			}
		}
	}
	return sum
}
