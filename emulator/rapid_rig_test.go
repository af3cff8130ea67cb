package emulator_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/go-sql-driver/mysql"
	"pgregory.net/rapid"

	"github.com/pmig/pmig/emulator"
)

// rig is an emulator that is driven, and the model it is compared with.
type rig struct {
	*rapid.T
	kept    bool // in a folder, so that it can be started again
	dir     string
	engine  emulator.Engine
	e       *emulator.Emulator
	model   model
	builder []string           // what the token builder may do; nil: all
	looks   map[string]*sql.DB // past the front, by branch id
	steps   int
	idle    bool                  // nothing was done
	seen    map[string]int        // how often requests came to each state
	was     map[int]string        // the state that a request was in last
	stale   map[*modelBranch]bool // what may have changed since it was looked at
	told    []string              // what was logged

	mu     sync.Mutex
	events []emulator.Event
}

// The actors: a token with some of the permissions, one with all, and a person.
const (
	builder = "builder"
	keeper  = "keeper"
	ann     = "ann"
)

func newRig(t *rapid.T) *rig {
	s := &rig{T: t, looks: map[string]*sql.DB{}, stale: map[*modelBranch]bool{}, seen: map[string]int{}, was: map[int]string{}}
	dir, err := os.MkdirTemp("", "model-")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.model = model{branches: map[string]*modelBranch{}, knobs: emulator.Knobs{BranchReady: 10 * time.Second, Diff: 3 * time.Second,
		Queue: 2 * time.Second, Deploy: 10 * time.Second, Cutover: 4 * time.Second, Revert: 5 * time.Second, Cancel: 3 * time.Second}}
	if rapid.IntRange(0, 3).Draw(t, "window") > 0 {
		s.model.knobs.RevertWindow = 30 * time.Minute
	}
	u := &s.model.unknowns
	u.CloseQueued = rapid.Bool().Draw(t, "close queued")
	u.BranchDeleteKeepsRequest = rapid.Bool().Draw(t, "delete keeps request")
	u.BranchDeleteRefusedInWindow = rapid.Bool().Draw(t, "no delete in window")
	u.OneRequestPerBranch = rapid.IntRange(0, 2).Draw(t, "one request per branch") == 2
	u.CancelEndsCancelled = rapid.Bool().Draw(t, "cancelled")
	if rapid.Bool().Draw(t, "limited") {
		s.builder = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"create_branch", "delete_branch", "read_branch", "connect_branch",
			"delete_branch_password", "read_deploy_request", "create_deploy_request", "approve_deploy_request", "write_database",
			"promote_branches", "demote_branches", "connect_production_branch", "delete_production_branch"}), 1, 9, rapid.ID[string]).Draw(t, "permissions")
	}
	s.kept = rapid.IntRange(0, 2).Draw(t, "kept") == 0
	s.begin()
	t.Cleanup(s.end)
	main := &modelBranch{name: "main", ready: true, safe: true, production: true, data: modelSchema{}}
	s.model.branches["main"] = main
	_, o := s.call(keeper, "GET", "/branches/main", "")
	main.id, _ = o["id"].(string)
	for _, text := range []string{
		"CREATE TABLE keep (id int NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE t0 (id int NOT NULL, a int, b bigint NOT NULL, PRIMARY KEY (id))",
		"INSERT INTO t0 VALUES (1, 1, 1), (2, 2, 5000000000), (3, 2, 1)",
	} {
		if _, err := s.e.SQL(t.Context(), "acme", "shop", "main", text); err != nil {
			t.Fatal(err)
		}
	}
	main.data["keep"] = &modelTable{}
	main.data["t0"] = &modelTable{columns: map[string]modelColumn{"a": {typ: "int"}, "b": {typ: "bigint", notNull: true}},
		rows: map[int]map[string]string{1: {"a": "1", "b": "1"}, 2: {"a": "2", "b": big}, 3: {"a": "2", "b": "1"}}}
	s.drain()
	return s
}

// Log and Logf keep what was done as well: rapid shows it only of a failure that
// comes again.
func (s *rig) Log(args ...any) {
	s.Helper()
	s.told = append(s.told, fmt.Sprint(args...))
	s.T.Log(args...)
}

func (s *rig) Logf(format string, args ...any) {
	s.Helper()
	s.told = append(s.told, fmt.Sprintf(format, args...))
	s.T.Logf(format, args...)
}

func (s *rig) Fatal(args ...any) {
	s.Helper()
	s.told = append(s.told, fmt.Sprint(args...))
	s.T.Fatal(args...)
}

func (s *rig) Fatalf(format string, args ...any) {
	s.Helper()
	s.told = append(s.told, fmt.Sprintf(format, args...))
	s.T.Fatalf(format, args...)
}

// begin starts the emulator on what is in its folder.
func (s *rig) begin() {
	var err error
	data, engine := "", ""
	if s.kept {
		data, engine = s.dir, s.dir+"/engine"
	}
	if s.engine, err = emulator.NewMemory(engine); err != nil {
		s.Fatal(err)
	}
	s.e, err = emulator.New(s.Context(), emulator.Options{Data: data, Databases: []string{"shop"}, Engine: s.engine, Knobs: s.model.knobs, Unknowns: s.model.unknowns,
		Tokens: []emulator.Token{{ID: builder, Secret: "x", Permissions: s.builder}, {ID: keeper, Secret: "x"}},
		Events: func(ev emulator.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if slices.Contains([]emulator.EventKind{emulator.EventDeployRequest, emulator.EventBranch, emulator.EventError}, ev.Kind) {
				s.events = append(s.events, ev)
			}
		}})
	if err != nil {
		s.engine.Close()
		s.Fatalf("it does not begin: %v", err)
	}
}

func (s *rig) end() {
	for id, db := range s.looks {
		db.Close()
		delete(s.looks, id)
	}
	if err := s.e.Close(); err != nil {
		s.Errorf("close: %v", err)
	}
}

// may says whether an actor has one of some permissions.
func (s *rig) may(who string, permissions ...string) bool {
	return who != builder || s.builder == nil || slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(s.builder, p) })
}

// call makes a request under the database's path and logs it. Status 0 says
// that the connection was dropped.
func (s *rig) call(who, method, path, body string) (int, map[string]any) {
	s.Helper()
	status, o := s.quiet(who, method, path, body)
	line := fmt.Sprintf("%s: %s %s %s -> %d", who, method, path, body, status)
	if status >= 400 {
		line += fmt.Sprintf(" %v: %v", o["code"], o["message"])
	}
	s.Log(line)
	return status, o
}

func (s *rig) quiet(who, method, path, body string) (int, map[string]any) {
	s.Helper()
	prefix := ""
	if who == ann {
		prefix = "/_emulator/as/ann"
	}
	r, err := http.NewRequestWithContext(s.Context(), method, "http://127.0.0.1"+prefix+"/v1/organizations/acme/databases/shop"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", who+":x")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := s.e.Transport().RoundTrip(r)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	var o map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &o); err != nil {
			s.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return res.StatusCode, o
}

// expect makes a request that must be answered with one of some statuses.
func (s *rig) expect(who, method, path, body string, want ...int) (int, map[string]any) {
	s.Helper()
	status, o := s.call(who, method, path, body)
	if !slices.Contains(want, status) {
		s.Fatalf("status %d, want %v", status, want)
	}
	if code, _ := o["code"].(string); status == 404 && code != "not_found" || status == 422 && code != "unprocessable" && code != "invalid_params" {
		s.Fatalf("code %q with status %d", code, status)
	}
	return status, o
}

// drain takes in what happened since the last time, in order, and says how much
// that was.
func (s *rig) drain() int {
	s.Helper()
	synctest.Wait()
	s.mu.Lock()
	events := s.events
	s.events = nil
	s.mu.Unlock()
	for _, ev := range events {
		switch b := s.model.branches[ev.Subject]; {
		case ev.Kind == emulator.EventError:
			s.Fatalf("error event: %s %s", ev.Subject, ev.Text)
		case ev.Kind == emulator.EventBranch && ev.Text == "deleted" && b != nil:
			if !slices.Contains(b.doom, 204) && !slices.Contains(s.model.deletion(b), 204) || b.doom == nil {
				s.Fatalf("branch %s was deleted, which is in use or nobody deletes", b.name)
			}
			s.gone(b)
		}
		n, err := strconv.Atoi(strings.TrimPrefix(ev.Subject, "#"))
		if err != nil || n > len(s.model.requests) || ev.State == "" {
			continue
		}
		r := s.model.requests[n-1]
		s.stale[s.model.main()] = true
		if s.was[n] != string(ev.State) {
			s.was[n] = string(ev.State)
			s.seen[s.was[n]]++
		}
		if r.state != string(ev.State) {
			s.Logf("    #%d %s -> %s %s", n, r.state, ev.State, ev.Text)
		}
		if err := s.model.observe(r, string(ev.State), ev.Time); err != nil {
			s.Fatal(err, s.findings(n))
		}
		if r.halfway != nil {
			if err := s.model.stopped(r, s.look(s.model.main())); err != nil {
				s.Fatal(err)
			}
		}
	}
	return len(events)
}

// findings is what the platform says it found wrong with a request.
func (s *rig) findings(number int) string {
	s.Helper()
	_, o := s.quiet(keeper, "GET", fmt.Sprintf("/deploy-requests/%d/deployment", number), "")
	text := fmt.Sprintf("\n#%d is %v now, check errors %v\n", number, o["state"], o["deploy_check_errors"])
	for _, name := range []string{"lint_errors", "deploy_operations"} {
		for _, l := range list(o[name]) {
			text += fmt.Sprintf("  %s: %v %v %v %v %v\n", name, l["lint_error"], l["table_name"], l["error_description"], l["ddl_statement"], l["state"])
		}
	}
	return text
}

// look reads a whole branch from its engine, past the emulator.
func (s *rig) look(b *modelBranch) modelSchema {
	s.Helper()
	db := s.looks[b.id]
	if db == nil {
		backend, err := s.engine.Backend(s.Context(), b.id)
		if err != nil {
			s.Fatal(err)
		}
		db = s.open(backend.User, backend.Password, func(ctx context.Context) (net.Conn, error) { return backend.Dial(ctx) })
		s.looks[b.id] = db
	}
	got := modelSchema{}
	for _, name := range s.table(db, "SHOW TABLES") {
		if strings.HasPrefix(name[0], "_vt") { // what online DDL leaves for a while
			continue
		}
		create := s.table(db, "SHOW CREATE TABLE `"+name[0]+"`")[0][1]
		t := &modelTable{keyless: !strings.Contains(create, "PRIMARY KEY"), columns: map[string]modelColumn{}, rows: map[int]map[string]string{}}
		got[name[0]] = t
		for _, m := range columnLine.FindAllStringSubmatch(create, -1) {
			t.columns[m[1]] = modelColumn{typ: m[2], notNull: m[3] != "", unique: strings.Contains(create, "KEY `u_"+m[1]+"`")}
		}
		if t.keyless {
			continue
		}
		columns := append([]string{"id"}, t.names()...)
		for _, values := range s.table(db, "SELECT "+strings.Join(columns, ", ")+" FROM `"+name[0]+"`") {
			id, _ := strconv.Atoi(values[0])
			t.rows[id] = map[string]string{}
			for i, v := range values[1:] {
				t.rows[id][columns[i+1]] = v
			}
		}
	}
	return got
}

var columnLine = regexp.MustCompile("(?m)^ +`([abc])` (int|bigint)(?:\\(\\d+\\))?( NOT NULL)?")

func (s *rig) open(user, password string, dial func(context.Context) (net.Conn, error)) *sql.DB {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr, c.Logger = user, password, "shop", "emulator", "127.0.0.1:3306", &mysql.NopLogger{}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	connector, err := mysql.NewConnector(c)
	if err != nil {
		s.Fatal(err)
	}
	return sql.OpenDB(connector)
}

// table is a statement's rows as texts.
func (s *rig) table(db *sql.DB, text string) (all [][]string) {
	s.Helper()
	rows, err := db.QueryContext(s.Context(), text)
	if err != nil {
		s.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			s.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			if row[i] = v.String; !v.Valid {
				row[i] = null
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		s.Fatal(err)
	}
	return all
}
