package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator/mariadb"
)

// kills is how often each engine's emulator is killed.
func kills() int {
	if testing.Short() {
		return 4
	}
	return 20
}

// ledger is what clients were told. A thing is there or gone; in doubt is what
// was asked for and never answered.
type ledger struct {
	mu      sync.Mutex
	there   map[string]bool
	doubt   map[string]bool
	next    int
	answers int
}

// ask makes a request about some things. Once answered they are there or gone;
// without an answer they are in doubt, and so is everything else the client had
// in mind: it stops.
func (l *ledger) ask(ctx context.Context, api, method, path, body string, there bool, things ...string) (map[string]any, bool) {
	status, o, err := ask(ctx, api, method, path, body)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range things {
		if err != nil {
			l.doubt[t] = true
		} else if status < 300 {
			l.there[t] = there
		}
	}
	if err == nil && status < 300 {
		l.answers++
	}
	return o, err == nil && status < 300
}

func ask(ctx context.Context, api, method, path, body string) (int, map[string]any, error) {
	r, err := http.NewRequestWithContext(ctx, method, api+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "id:secret")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	var o map[string]any
	if len(b) > 0 {
		err = json.Unmarshal(b, &o)
	}
	return res.StatusCode, o, err
}

// eventually looks until something is so; false when nobody answers any more.
func eventually(ctx context.Context, api, path, member string, want any) bool {
	for ctx.Err() == nil {
		_, o, err := ask(ctx, api, "GET", path, "")
		if err != nil {
			return false
		}
		if o[member] == want {
			return true
		}
		time.Sleep(3 * time.Millisecond)
	}
	return false
}

// deploys brings one table after another to main, and changes what else can be
// changed.
func (l *ledger) deploys(ctx context.Context, api string) {
	password := ""
	for ctx.Err() == nil {
		l.mu.Lock()
		l.next++
		i := l.next
		l.mu.Unlock()
		branch, table := fmt.Sprintf("b%d", i), fmt.Sprintf("t%d", i)
		if _, ok := l.ask(ctx, api, "POST", shop+"/branches", `{"name":"`+branch+`"}`, true, "branch "+branch); !ok {
			return
		}
		if !eventually(ctx, api, shop+"/branches/"+branch, "ready", true) {
			return
		}
		statements := fmt.Sprintf("CREATE TABLE %s (id int NOT NULL, PRIMARY KEY (id)); INSERT INTO history VALUES (%d)", table, i)
		if _, ok := l.ask(ctx, api, "POST", "_emulator/sql", `{"database":"shop","branch":"`+branch+`","sql":"`+statements+`"}`, true); !ok {
			return
		}
		o, ok := l.ask(ctx, api, "POST", shop+"/deploy-requests", `{"branch":"`+branch+`","into_branch":"main","auto_cutover":true}`, true)
		if !ok {
			return
		}
		request := fmt.Sprintf("%s/deploy-requests/%v", shop, o["number"])
		l.mu.Lock()
		l.there["request "+request] = true
		l.mu.Unlock()
		if !eventually(ctx, api, request, "deployment_state", "ready") {
			return
		}
		if _, ok := l.ask(ctx, api, "POST", request+"/deploy", "", true, "table "+table, fmt.Sprintf("history %d", i)); !ok {
			return
		}
		if password != "" {
			if _, ok := l.ask(ctx, api, "DELETE", shop+"/branches/main/passwords/"+password, "", false, "password "+password); !ok {
				return
			}
		}
		if o, ok = l.ask(ctx, api, "POST", shop+"/branches/main/passwords", `{"name":"p","role":"reader"}`, true); !ok {
			return
		}
		password = o["id"].(string)
		l.mu.Lock()
		l.there["password "+password] = true
		l.mu.Unlock()
		on := i%2 == 0
		if _, ok := l.ask(ctx, api, "PATCH", shop, fmt.Sprintf(`{"insights_raw_queries":%t}`, on), on, "setting"); !ok {
			return
		}
		if !eventually(ctx, api, request, "deployment_state", "complete") {
			return
		}
		if _, ok := l.ask(ctx, api, "DELETE", shop+"/branches/"+branch, "", false, "branch "+branch); !ok {
			return
		}
	}
}

// writes inserts one row after another, through the controls.
func (l *ledger) writes(ctx context.Context, api string) {
	for ctx.Err() == nil {
		l.mu.Lock()
		l.next++
		i := l.next
		l.mu.Unlock()
		if _, ok := l.ask(ctx, api, "POST", "_emulator/sql", fmt.Sprintf(`{"database":"shop","sql":"INSERT INTO log VALUES (%d)"}`, i), true, fmt.Sprintf("row %d", i)); !ok {
			return
		}
	}
}

// inserts does so over MySQL.
func (l *ledger) inserts(ctx context.Context, api, address string) {
	o, ok := l.ask(ctx, api, "POST", shop+"/branches/main/passwords", `{"name":"p","role":"admin"}`, true)
	if !ok {
		return
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName, c.Logger = o["username"].(string), o["plain_text"].(string), "tcp", address, "shop", &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for ctx.Err() == nil {
		l.mu.Lock()
		l.next++
		i := l.next
		l.mu.Unlock()
		_, err := db.ExecContext(ctx, "INSERT INTO log VALUES (?)", i)
		row := fmt.Sprintf("row %d", i)
		l.mu.Lock()
		if err != nil {
			l.doubt[row] = true
		} else {
			l.there[row] = true
			l.answers++
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// check holds what there is against what clients were told, and settles what was
// in doubt.
func (l *ledger) check(p *process) {
	p.Helper()
	has := map[string]bool{}
	names := func(path, kind, member string) {
		for page := 1; page > 0; {
			status, o := p.call("GET", fmt.Sprintf("%s?per_page=100&page=%d", path, page), "")
			if status != 200 {
				p.Fatal(path, status, o)
			}
			for _, x := range o["data"].([]any) {
				has[kind+" "+fmt.Sprint(x.(map[string]any)[member])] = true
			}
			next, _ := o["next_page"].(float64)
			page = int(next)
		}
	}
	rows := func(statement, kind string) {
		status, o := p.call("POST", "_emulator/sql", `{"database":"shop","sql":"`+statement+`"}`)
		if status != 200 {
			p.Fatal(statement, status, o)
		}
		list, _ := o["rows"].([]any)
		for _, r := range list {
			has[kind+" "+r.([]any)[0].(string)] = true
		}
	}
	for thing := range l.there {
		if request, is := strings.CutPrefix(thing, "request "); is {
			status, _ := p.call("GET", request, "")
			has[thing] = status == 200
		}
	}
	// What was told to deploy is deployed, sooner or later.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, o := p.call("GET", shop+"/deploy-queue", ""); len(o["data"].([]any)) == 0 {
			break
		}
		if time.Now().After(deadline) {
			p.Fatalf("the queue does not empty\n%s", p.stderr)
		}
	}
	names(shop+"/branches", "branch", "name")
	for thing := range has {
		if branch, is := strings.CutPrefix(thing, "branch "); is && eventually(p.Context(), p.api, shop+"/branches/"+branch, "ready", true) {
			if status, o := p.call("POST", "_emulator/sql", `{"database":"shop","branch":"`+branch+`","sql":"SELECT COUNT(*) FROM log"}`); status != 200 {
				p.Errorf("branch %s: %d %v", branch, status, o)
			}
		}
	}
	names(shop+"/branches/main/passwords", "password", "id")
	rows("SHOW TABLES", "table")
	rows("SELECT id FROM log", "row")
	for range 100 { // the history comes a moment after its deployment
		if rows("SELECT id FROM history", "history"); l.hasAll(has, "history ") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	_, o := p.call("GET", shop, "")
	has["setting"] = o["insights_raw_queries"] == true
	l.mu.Lock()
	defer l.mu.Unlock()
	for thing, there := range l.there {
		if !l.doubt[thing] && has[thing] != there {
			p.Errorf("%s is there: %t, want %t", thing, has[thing], there)
		}
	}
	for thing := range l.doubt {
		l.there[thing] = has[thing]
	}
	clear(l.doubt)
}

// hasAll says whether everything of a kind is there that has to be.
func (l *ledger) hasAll(has map[string]bool, kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for thing, there := range l.there {
		if strings.HasPrefix(thing, kind) && there && !l.doubt[thing] && !has[thing] {
			return false
		}
	}
	return true
}

// kill -9 at any moment of much work loses nothing that was answered, and leaves
// nothing behind.
func TestKillAtAnyMoment(t *testing.T) {
	// As it is shipped: the race detector makes each start take seconds.
	bin := filepath.Join(t.TempDir(), "pmig-emulator")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("build the emulator: %v\n%s", err, out)
	}
	for _, engine := range []string{"memory", "mariadb"} {
		t.Run(engine, func(t *testing.T) {
			if _, err := mariadb.Find(); engine == "mariadb" && err != nil {
				t.Skip("mariadbd is not installed")
			}
			data := t.TempDir()
			args := []string{"--engine", engine, "--data", data, "--quiet"}
			l := &ledger{there: map[string]bool{}, doubt: map[string]bool{}}
			p := startBinary(t, bin, args...)
			if status, o := p.call("POST", "_emulator/sql", `{"database":"shop","sql":"CREATE TABLE log (id int NOT NULL, PRIMARY KEY (id)); CREATE TABLE history (id int NOT NULL, PRIMARY KEY (id))"}`); status != 200 {
				t.Fatal(status, o)
			}
			p.call("PATCH", shop, `{"automatic_migrations":true,"migration_table_name":"history"}`)
			for range kills() {
				ctx, cancel := context.WithCancel(t.Context())
				var work sync.WaitGroup
				work.Go(func() { l.deploys(ctx, p.api) })
				work.Go(func() { l.writes(ctx, p.api) })
				if engine == "mariadb" { // memory keeps such rows by the next answer of the API only
					work.Go(func() { l.inserts(ctx, p.api, readyLine.FindStringSubmatch(p.line)[2]) })
				}
				time.Sleep(time.Duration(rand.IntN(700)) * time.Millisecond)
				p.cmd.Process.Kill()
				p.wait()
				cancel()
				work.Wait()
				p = startBinary(t, bin, args...)
				l.check(p)
				if t.Failed() {
					t.FailNow()
				}
			}
			t.Logf("%d kills, %d answers", kills(), l.answers)
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				want, held := p.branchIDs(), engineHolds(data, engine)
				if diff := cmp.Diff(want, held); diff == "" {
					break
				} else if time.Now().After(deadline) {
					t.Fatalf("branches (-of the API +of the engine):\n%s", diff)
				}
			}
			for _, in := range []string{data, filepath.Join(data, "schemas")} {
				if half, _ := filepath.Glob(filepath.Join(in, ".new-*")); len(half) > 0 {
					t.Errorf("left behind: %v", half)
				}
			}
			p.cmd.Process.Kill()
			p.wait()
		})
	}
}

// branchIDs are the branches that the API knows, in order.
func (p *process) branchIDs() (ids []string) {
	p.Helper()
	_, o := p.call("GET", shop+"/branches?per_page=100", "")
	for _, b := range o["data"].([]any) {
		ids = append(ids, b.(map[string]any)["id"].(string))
	}
	slices.Sort(ids)
	return ids
}

// engineHolds are the branches whose data are in the folder, in order.
func engineHolds(data, engine string) (ids []string) {
	kept, _ := filepath.Glob(filepath.Join(data, "engine", engine, "*"))
	for _, k := range kept {
		if name := filepath.Base(k); name != "lock" {
			ids = append(ids, strings.TrimSuffix(name, ".sql"))
		}
	}
	slices.Sort(ids)
	return ids
}
