package planner_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// world builds an observation the way Observe does, from files and rows.
type world struct {
	tool   string
	files  []string
	rows   [][]string
	ddl    string
	branch planetscale.Branch
	set    planetscale.Database
	policy config.Policy

	own          []string // pmig's own tables
	requests     []planner.StampedRequest
	acknowledged []config.Acknowledged
}

func (w world) decide(t *testing.T) *planner.Database {
	t.Helper()
	tool, ok := migration.Lookup(w.tool)
	if !ok {
		t.Fatalf("no tool %q", w.tool)
	}
	spec := migration.Spec{Tool: tool, Database: "shop", Table: tool.Table}
	fsys := fstest.MapFS{}
	for _, f := range w.files {
		fsys[f] = &fstest.MapFile{Data: []byte(marker[w.tool] + "\nSELECT 1; -- " + f)}
	}
	files, problems, err := migration.Files(fsys, spec)
	if err != nil {
		t.Fatal(err)
	}
	history := &migration.History{Table: tool.Table, Exists: w.rows != nil, Columns: columns[w.tool]}
	for _, r := range w.rows {
		row := make(migration.Row, len(r))
		for i, v := range r {
			row[i] = migration.Text(v)
		}
		history.Rows = append(history.Rows, row)
	}
	src := &config.Source{Name: w.tool, Tool: tool, RelPath: "migrations", Keyspace: "shop", Histories: []migration.Spec{spec}}
	if w.policy == (config.Policy{}) {
		w.policy = config.DefaultPolicy()
	}
	db := &config.Database{Label: "shop", Name: "shop", Target: config.Branch{Label: "main", Name: "main"},
		Working: config.Branch{Label: "migrator", Name: "migrator", Parent: "main"}, Sources: []*config.Source{src},
		Deploy: config.DefaultDeploy(), Policy: w.policy, Acknowledged: w.acknowledged}
	s, err := schema.Parse(w.ddl)
	if err != nil {
		t.Fatal(err)
	}
	if w.branch.Name == "" {
		w.branch = planetscale.Branch{Name: "main", Ready: true, SafeMigrations: true}
	}
	return planner.Decide("planetscale", "acme", db, &planner.Observation{
		Own: w.own, Settings: &w.set, Branch: &w.branch, Schema: s, Requests: w.requests,
		Sources: []planner.ObservedSource{{Source: src, Spec: spec, Files: files, Problems: problems, History: history,
			Status: migration.Compare(spec, files, history)}},
	})
}

var columns = map[string][]migration.Column{
	"dbmate":         {{Name: "version", Type: "varchar(128)", Primary: true}},
	"golang-migrate": {{Name: "version", Type: "bigint", Primary: true}, {Name: "dirty", Type: "tinyint(1)"}},
	"goose": {{Name: "id", Type: "bigint", Primary: true, AutoIncrement: true}, {Name: "version_id", Type: "bigint"},
		{Name: "is_applied", Type: "tinyint(1)"}, {Name: "tstamp", Type: "timestamp", Null: true}},
	"knex": {{Name: "id", Type: "int", Primary: true, AutoIncrement: true}, {Name: "name", Type: "varchar(255)", Null: true},
		{Name: "batch", Type: "int", Null: true}, {Name: "migration_time", Type: "timestamp", Null: true}},
}

// marker is the line without which a tool does not take a file.
var marker = map[string]string{"dbmate": "-- migrate:up", "goose": "-- +goose Up"}

const users = "CREATE TABLE users (id bigint NOT NULL, PRIMARY KEY (id));"

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name     string
		world    world
		pending  []string
		findings []string // severity code
	}{
		{"everything applied", world{tool: "dbmate", files: []string{"1_a.sql"}, rows: [][]string{{"1"}}, ddl: users}, nil, nil},
		{"one pending", world{tool: "dbmate", files: []string{"1_a.sql", "2_b.sql"}, rows: [][]string{{"1"}}, ddl: users}, []string{"2"}, nil},
		{"first ever", world{tool: "dbmate", files: []string{"1_a.sql"}}, []string{"1"}, nil},
		{"older image", world{tool: "dbmate", files: []string{"1_a.sql"}, rows: [][]string{{"1"}, {"2"}}, ddl: users}, nil, []string{"note history-orphans"}},
		{"orphans that the tool refuses", world{tool: "knex", files: []string{"1_a.js", "3_c.js"},
			rows: [][]string{{"1", "1_a.js", "1", "2026-01-01 00:00:00"}, {"2", "2_b.js", "1", "2026-01-01 00:00:00"}}, ddl: users},
			[]string{"3_c.js"}, []string{"error history-orphans"}},
		{"late file that runs", world{tool: "dbmate", files: []string{"1_a.sql", "2_b.sql"}, rows: [][]string{{"2"}}, ddl: users}, []string{"1"}, []string{"warning late-migration"}},
		{"late file that policy refuses", world{tool: "dbmate", files: []string{"1_a.sql", "2_b.sql"}, rows: [][]string{{"2"}}, ddl: users,
			policy: config.Policy{DataChanges: "refuse", Drops: "refuse", OutOfOrder: "refuse"}}, []string{"1"}, []string{"error late-migration"}},
		{"late file that the tool refuses", world{tool: "goose", files: []string{"1_a.sql", "2_b.sql"},
			rows: [][]string{{"1", "0", "1", "2026-01-01 00:00:00"}, {"2", "2", "1", "2026-01-01 00:00:00"}}, ddl: users}, []string{"1"}, []string{"error late-migration"}},
		{"dirty pointer", world{tool: "golang-migrate", files: []string{"1_a.up.sql", "2_b.up.sql"}, rows: [][]string{{"1", "1"}}, ddl: users}, []string{"2"}, []string{"error history-dirty"}},
		{"history empty, schema full", world{tool: "dbmate", files: []string{"1_a.sql"}, rows: [][]string{}, ddl: users}, []string{"1"}, []string{"error history-empty"}},
		{"safe migrations off", world{tool: "dbmate", files: []string{"1_a.sql"}, branch: planetscale.Branch{Name: "main", Ready: true}}, []string{"1"}, []string{"error safe-migrations-off"}},
		{"target asleep", world{tool: "dbmate", files: []string{"1_a.sql"}, branch: planetscale.Branch{Name: "main", SafeMigrations: true}}, []string{"1"}, []string{"error target-not-ready"}},
		{"approval", world{tool: "dbmate", files: []string{"1_a.sql"}, set: planetscale.Database{RequireApprovalForDeploy: true}}, []string{"1"}, []string{"note approval-required"}},
		{"platform copies a log", world{tool: "dbmate", files: []string{"1_a.sql"}, set: planetscale.Database{AutomaticMigrations: true, MigrationTableName: "schema_migrations"}},
			[]string{"1"}, []string{"note copy-migration-data"}},
		{"platform copies a pointer", world{tool: "golang-migrate", files: []string{"1_a.up.sql"}, set: planetscale.Database{AutomaticMigrations: true, MigrationTableName: "schema_migrations"}},
			[]string{"1"}, []string{"error copy-migration-data"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := c.world.decide(t)
			var pending, found []string
			for _, m := range d.Sources[0].Pending {
				pending = append(pending, m.Key)
			}
			for _, f := range d.Findings {
				found = append(found, string(f.Severity)+" "+f.Code)
				if f.Severity == planner.SeverityError && f.Hint == "" {
					t.Errorf("finding %s has no hint", f.Code)
				}
			}
			if diff := cmp.Diff(c.pending, pending); diff != "" {
				t.Errorf("pending (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(c.findings, found); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
			if want := len(c.pending) > 0; want != (len(d.Steps) == 12) {
				t.Errorf("%d steps with %d pending", len(d.Steps), len(c.pending))
			}
		})
	}
}

func TestIntentIsOfWhatIsAsked(t *testing.T) {
	base := world{tool: "dbmate", files: []string{"1_a.sql", "2_b.sql"}, rows: [][]string{{"1"}}, ddl: users}
	d := base.decide(t)
	same := base
	same.ddl = users + "CREATE TABLE other (id int NOT NULL, PRIMARY KEY (id));"
	if got := same.decide(t); got.Intent != d.Intent {
		t.Error("what was seen on the target changes the intent")
	}
	if same.decide(t).Seen.Schema == d.Seen.Schema {
		t.Error("another schema has the same digest")
	}
	for name, change := range map[string]func(*world){
		"files":  func(w *world) { w.files = append(w.files, "3_c.sql") },
		"policy": func(w *world) { w.policy = config.Policy{DataChanges: "allow", Drops: "refuse", OutOfOrder: "allow"} },
	} {
		w := base
		change(&w)
		if w.decide(t).Intent == d.Intent {
			t.Errorf("%s do not change the intent", name)
		}
	}
}

func TestPlanRoundTrip(t *testing.T) {
	d := world{tool: "dbmate", files: []string{"1_a.sql", "2_b.sql"}, rows: [][]string{{"2"}}, ddl: users}.decide(t)
	p := &planner.Plan{FormatVersion: planner.FormatVersion, Pmig: "test", Databases: []*planner.Database{d}}
	var one, two bytes.Buffer
	if err := p.Encode(&one); err != nil {
		t.Fatal(err)
	}
	back, err := planner.Decode(bytes.NewReader(one.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Encode(&two); err != nil {
		t.Fatal(err)
	}
	if one.String() != two.String() {
		t.Error("a plan that was read is written differently")
	}
	if diff := cmp.Diff(p, back); diff != "" {
		t.Error(diff)
	}
	for cut := range one.Len() - 2 {
		if _, err := planner.Decode(bytes.NewReader(one.Bytes()[:cut])); err == nil {
			t.Fatalf("a plan cut at byte %d is taken", cut)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, want := range map[string]string{
		``:                                  "not a plan",
		`{}`:                                "no format_version",
		`{"format_version":2,"pmig":"9.9"}`: "format 2, this pmig reads format 1",
		`{"format_version":1,"databases":[null]}`: "has no label",
		`{"format_version":1,"shell":"rm"}`:       "unknown field",
		`[1]`:                                     "not a plan",
	} {
		_, err := planner.Decode(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		var h interface{ Hint() string }
		if h, _ = err.(interface{ Hint() string }); h == nil || h.Hint() == "" {
			t.Errorf("%s: no hint", text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format_version":1,"pmig":"0.1","databases":[{"label":"a","sources":[]}]}`))
	f.Add([]byte(`{"format_version":1,"databases":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := planner.Decode(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := p.Encode(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := planner.Decode(&out); err != nil {
			t.Fatalf("what was decoded cannot be decoded again: %v", err)
		}
	})
}

func TestStamp(t *testing.T) {
	d := &migration.Delta{Table: "migrations", Keys: []string{"a --> b"}, Insert: []migration.Row{{migration.Text("--> \x00\xff"), migration.Null()}}}
	s := planner.Stamp{Identity: "id", Run: "r", BranchID: "b", Intent: "i", Before: map[string]string{"users": ""},
		Histories: []planner.StampHistory{{Source: "knex", Table: "migrations", Migrations: map[string]string{"a --> b": "x"}, Gained: d}}}
	notes, err := s.Notes("for people --> \n")
	if err != nil {
		t.Fatal(err)
	}
	back, err := planner.ParseStamp(notes)
	if err != nil {
		t.Fatal(err)
	}
	s.Format = planner.StampFormat
	if diff := cmp.Diff(mustJSON(t, s), mustJSON(t, *back)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(d.Insert[0][0].Text(), back.Histories[0].Gained.Insert[0][0].Text()); diff != "" {
		t.Errorf("bytes of a row: %s", diff)
	}
	if got, err := planner.ParseStamp("a person's own words"); got != nil || err != nil {
		t.Errorf("notes without a stamp: %v, %v", got, err)
	}
	for _, broken := range []string{notes[:len(notes)-10], strings.Replace(notes, `"pmig":1`, `"pmig":2`, 1), strings.Replace(notes, `{"pmig"`, `{pmig`, 1)} {
		if got, err := planner.ParseStamp(broken); err == nil {
			t.Errorf("a damaged stamp is taken: %+v", got)
		}
	}
}

func TestLongStampKeepsTheKeys(t *testing.T) {
	noise := make([]byte, planner.MaxNotes)
	rand.Read(noise)
	d := &migration.Delta{Table: "t", Insert: []migration.Row{{migration.Text(hex.EncodeToString(noise))}}}
	notes, err := planner.Stamp{Histories: []planner.StampHistory{{Table: "t", Migrations: map[string]string{"k": "s"}, Gained: d}}}.Notes("")
	if err != nil {
		t.Fatal(err)
	}
	s, err := planner.ParseStamp(notes)
	if err != nil {
		t.Fatal(err)
	}
	if s.Histories[0].Gained != nil || s.Histories[0].Migrations["k"] != "s" {
		t.Errorf("got %+v", s.Histories[0])
	}
}

func TestLongStampIsPacked(t *testing.T) {
	d := &migration.Delta{Table: "t", Insert: []migration.Row{{migration.Text(strings.Repeat("x", planner.MaxNotes))}}}
	changes := []schema.Change{{Table: "a", Verb: "DROP", SQL: "DROP TABLE a"}}
	notes, err := planner.Stamp{Changes: changes, Histories: []planner.StampHistory{{Table: "t", Gained: d}, {Table: "u"}}}.Notes("")
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) > 2000 {
		t.Errorf("the notes have %d bytes", len(notes))
	}
	s, err := planner.ParseStamp(notes)
	if err != nil {
		t.Fatal(err)
	}
	if s.Histories[0].Gained == nil || len(s.Histories[0].Gained.Insert[0][0].Text()) != planner.MaxNotes || s.Histories[1].Gained != nil {
		t.Error("the rows are not what they were")
	}
	if diff := cmp.Diff(changes, s.Changes); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseStamp(f *testing.F) {
	f.Add(`x <!-- pmig-stamp {"pmig":1,"identity":"a"} -->`)
	f.Add(`<!-- pmig-stamp {"pmig":1,"histories":[{}],"packed":"H4sIAAAAAAAA/6pWSk7MSc1LSU1RsiopKk3VUUpPLMnMS1GyMqgFBAAA//8="} -->`)
	f.Fuzz(func(t *testing.T, notes string) { planner.ParseStamp(notes) })
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMoved(t *testing.T) {
	base := world{tool: "dbmate", files: []string{"1_a.sql", "2_b.sql"}, rows: [][]string{{"1"}}, ddl: users}
	seen := base.decide(t)
	if m := planner.Moved(seen, base.decide(t)); len(m) > 0 {
		t.Errorf("the same world has moved: %v", m)
	}
	for want, change := range map[string]func(*world){
		"the schema of main has changed":               func(w *world) { w.ddl = users + "CREATE TABLE o (id int NOT NULL, PRIMARY KEY (id));" },
		"the history in schema_migrations has changed": func(w *world) { w.rows = [][]string{{"1"}, {"0"}} },
		"migration 3_c.sql is new":                     func(w *world) { w.files = append(w.files, "3_c.sql") },
		"the configuration has changed":                func(w *world) { w.policy = config.Policy{DataChanges: "allow", Drops: "refuse", OutOfOrder: "allow"} },
	} {
		w := base
		change(&w)
		m := planner.Moved(seen, w.decide(t))
		if len(m) == 0 || m[0] != want {
			t.Errorf("got %v, want %q", m, want)
		}
	}
}

// pmig's own tables beside an empty history are no schema that it forgot.
func TestOwnTablesAreNoBaseline(t *testing.T) {
	w := world{tool: "golang-migrate", files: []string{"1_a.up.sql"}, ddl: "CREATE TABLE pmig_journal (id BIGINT NOT NULL, PRIMARY KEY (id))"}
	if !w.decide(t).Refused() {
		t.Error("a full schema with an empty history is taken for a beginning")
	}
	w.own = []string{"pmig_journal", "pmig_lease"}
	if d := w.decide(t); d.Refused() {
		t.Errorf("refused: %+v", d.Findings)
	}
	w.ddl += "; CREATE TABLE users (id BIGINT NOT NULL, PRIMARY KEY (id))"
	if !w.decide(t).Refused() {
		t.Error("pmig's own tables hide others")
	}
}
