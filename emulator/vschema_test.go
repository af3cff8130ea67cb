package emulator_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// vschema sets a branch's VSchema and returns the status.
func (s *stage) setVSchema(branch, text string) int {
	s.Helper()
	body, err := json.Marshal(map[string]string{"vschema": text})
	if err != nil {
		s.Fatal(err)
	}
	status, _ := s.call("PATCH", d+"/branches/"+branch+"/keyspaces/shop/vschema", string(body))
	return status
}

// vschema is a branch's, in one spelling.
func (s *stage) vschema(branch string) string {
	s.Helper()
	_, o := s.call("GET", d+"/branches/"+branch+"/keyspaces/shop/vschema", "")
	var v any
	if err := json.Unmarshal([]byte(o["raw"].(string)), &v); err != nil {
		s.Fatalf("%v in %v", err, o)
	}
	b, _ := json.Marshal(v)
	return string(b)
}

const (
	sequenceTable  = `{"tables":{"users":{"type":"sequence"}}}`
	referenceTable = `{"tables":{"users":{"type":"reference"}}}`
)

// A VSchema alone is a change: it goes with a deploy request, in its own state,
// and comes back with a revert.
func TestVSchemaDeploys(t *testing.T) {
	window := func(o *emulator.Options) { o.Knobs.RevertWindow, o.Knobs.VSchema = 30*time.Minute, time.Minute }
	s := start(t, memory, window)
	s.seed()
	s.branch("work")
	if status := s.setVSchema("main", sequenceTable); status != 422 {
		t.Errorf("on a branch with safe migrations: %d", status)
	}
	n := s.open("work")
	s.await(n, planetscale.StateNoChanges)
	if status := s.setVSchema("work", sequenceTable); status != 200 {
		t.Fatal(status)
	}
	dr := s.await(n, planetscale.StateReady)
	if !dr.MayDeploy(false) || len(dr.Deployment.Operations) != 0 || dr.Deployment.InstantDDLEligible {
		t.Errorf("%+v", dr.Deployment)
	}
	if _, o := s.call("GET", d+"/deploy-requests/"+itoa(n)+"/diff", ""); len(o["data"].([]any)) != 1 ||
		o["data"].([]any)[0].(map[string]any)["name"] != "vschema" || o["data"].([]any)[0].(map[string]any)["raw"] != "+ tables.users: {\"type\":\"sequence\"}\n" {
		t.Errorf("diff %v", o)
	}
	if _, o := s.call("GET", d+"/branches/work/diff", ""); len(o["data"].([]any)) != 1 {
		t.Errorf("diff of the branch: %v", o)
	}
	s.deploy(n)
	s.await(n, planetscale.StateInProgressVSchema)
	if got := s.vschema("main"); got != `{"tables":{"users":{}}}` {
		t.Errorf("too early: %s", got)
	}
	advance(s, time.Minute)
	s.await(n, planetscale.StateCompletePendingRevert)
	if got := s.vschema("main"); got != sequenceTable {
		t.Errorf("main has %s", got)
	}
	if m := s.open("work"); s.await(m, planetscale.StateNoChanges).DeploymentState != planetscale.StateNoChanges {
		t.Error("deployed twice")
	}
	if _, err := s.shop.RevertDeploy(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	s.await(n, planetscale.StateInProgressRevertVSchema)
	advance(s, time.Minute)
	s.await(n, planetscale.StateCompleteRevert)
	if got := s.vschema("main"); got != `{"tables":{"users":{}}}` {
		t.Errorf("after the revert main has %s", got)
	}
	want := slices.Concat([]planetscale.State{planetscale.StatePending, planetscale.StateNoChanges}, ordinary,
		[]planetscale.State{planetscale.StateInProgressVSchema, planetscale.StateCompletePendingRevert,
			planetscale.StateInProgressRevert, planetscale.StateInProgressRevertVSchema, planetscale.StateCompleteRevert})
	if diff := cmp.Diff(want, s.states("#"+itoa(n))); diff != "" {
		t.Error(diff)
	}
}

func advance(s *stage, by time.Duration) {
	s.Helper()
	if err := s.e.Advance(by); err != nil {
		s.Fatal(err)
	}
}

// With tables it goes last, and the gate holds both.
func TestVSchemaBehindTables(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.branch("work")
		s.sql("work", "CREATE TABLE seq (id bigint NOT NULL, next_id bigint, cache bigint, PRIMARY KEY (id))")
		s.setVSchema("work", `{"tables":{"seq":{"type":"sequence"},"users":{"auto_increment":{"column":"id","sequence":"shop.seq"}}}}`)
		status, _ := s.call("PATCH", d+"/branches/work/routing-rules", `{"routing_rules":"{\"rules\":[{\"from_table\":\"people\",\"to_tables\":[\"shop.users\"]}]}"}`)
		if status != 200 {
			t.Fatal(status)
		}
		_, o := s.call("POST", d+"/deploy-requests", `{"branch":"work","into_branch":"main","auto_cutover":false}`)
		n := int(o["number"].(float64))
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		s.await(n, planetscale.StatePendingCutover)
		if got := s.vschema("main"); got != `{"tables":{"users":{}}}` {
			t.Errorf("before the cutover main has %s", got)
		}
		if _, err := s.shop.ApplyDeploy(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.await(n, planetscale.StateComplete)
		if got := s.vschema("main"); !strings.Contains(got, `"sequence":"shop.seq"`) {
			t.Errorf("main has %s", got)
		}
		if _, o := s.call("GET", d+"/branches/main/routing-rules", ""); !strings.Contains(o["raw"].(string), "people") {
			t.Errorf("main has %v", o)
		}
		if got := s.states("#" + itoa(n)); !slices.Contains(got, planetscale.StateInProgressVSchema) {
			t.Errorf("states %v", got)
		}
		// A new branch has what its parent has.
		s.branch("next")
		if s.vschema("next") != s.vschema("main") {
			t.Errorf("a new branch has %s", s.vschema("next"))
		}
		s.await(s.open("next"), planetscale.StateNoChanges)
	})
}

// It is merged as tables are: part by part, against what both sides had.
func TestVSchemaThreeWay(t *testing.T) {
	s := start(t, memory)
	s.seed()
	s.sql("main", "CREATE TABLE notes (id int NOT NULL, PRIMARY KEY (id))")
	for _, name := range []string{"first", "second", "third"} {
		s.branch(name)
	}
	s.setVSchema("first", sequenceTable)
	s.setVSchema("second", `{"sharded":false,"tables":{"users":{},"notes":{"type":"reference"}}}`)
	s.setVSchema("third", referenceTable)
	for _, name := range []string{"first", "second"} {
		n := s.open(name)
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		s.await(n, planetscale.StateComplete)
	}
	if got := s.vschema("main"); got != `{"tables":{"notes":{"type":"reference"},"users":{"type":"sequence"}}}` {
		t.Errorf("main has %s", got)
	}
	dr := s.await(s.open("third"), planetscale.StateError)
	if l := dr.Deployment.LintErrors; len(l) != 1 || l[0].Code != "CONFLICT" || l[0].TableName != "users" {
		t.Errorf("%+v", l)
	}
	s.setVSchema("third", `{}`)
	s.await(dr.Number, planetscale.StateNoChanges)
}

// What Vitess does not take is told by lint errors, which name the place.
func TestVSchemaLint(t *testing.T) {
	s := start(t, memory)
	s.seed()
	s.branch("work")
	n := s.open("work")
	s.await(n, planetscale.StateNoChanges)
	hash := `"vindexes":{"hash":{"type":"hash"}}`
	for text, want := range map[string][4]string{
		`{"sharded":"perhaps"}`:                                   {"INVALID_VSCHEMA", "", "", ""},
		`{"vindexes":{"odd":{"type":"sorcery"}}}`:                 {"INVALID_VSCHEMA", "", "odd", "$.vindexes.odd"},
		`{"tables":{"nowhere":{}, "users":{"type":"reference"}}}`: {"INVALID_VSCHEMA", "nowhere", "", "$.tables.nowhere"},
		`{"sharded":true,"tables":{"users":{}}}`:                  {"INVALID_VSCHEMA", "users", "", "$.tables.users"},
		`{"sharded":true,` + hash + `,"tables":{"users":{"column_vindexes":[{"column":"none","name":"hash"}]}}}`: {"INVALID_VSCHEMA", "users", "", "$.tables.users"},
		`{"sharded":true,` + hash + `,"tables":{"users":{"column_vindexes":[{"column":"id","name":"other"}]}}}`:  {"INVALID_VSCHEMA", "users", "", "$.tables.users"},
	} {
		if status := s.setVSchema("work", text); status != 200 {
			t.Fatalf("%s: %d", text, status)
		}
		s.await(n, planetscale.StateError)
		_, o := s.call("GET", d+"/deploy-requests/"+itoa(n), "")
		l := o["deployment"].(map[string]any)["lint_errors"].([]any)
		if len(l) != 1 {
			t.Errorf("%s: %v", text, l)
			continue
		}
		e := l[0].(map[string]any)
		str := func(name string) string { v, _ := e[name].(string); return v }
		got := [4]string{str("lint_error"), str("table_name"), str("vindex_name"), str("json_path")}
		if want[0] == "INVALID_VSCHEMA" && want[3] == "" {
			got[3] = ""
		}
		if got != want || e["subject_type"] != "vschema" || e["error_description"] == "" {
			t.Errorf("%s: %v, want %v", text, e, want)
		}
		if _, o := s.call("GET", d+"/branches/work/schema/lint", ""); len(o["data"].([]any)) != 1 {
			t.Errorf("%s: the branch's lint %v", text, o)
		}
		s.setVSchema("work", `{}`)
		s.await(n, planetscale.StateNoChanges)
	}
	good := `{"sharded":true,` + hash + `,"tables":{"users":{"column_vindexes":[{"column":"id","name":"hash"}]}}}`
	s.setVSchema("work", good)
	s.await(n, planetscale.StateReady)
	for _, rules := range []string{`{"rules":[{"from_table":"a","to_tables":["users"]}]}`, `{"rules":[{"from_table":"a","to_tables":["nowhere.users"]}]}`} {
		body, _ := json.Marshal(map[string]string{"routing_rules": rules})
		s.call("PATCH", d+"/branches/work/routing-rules", string(body))
		dr := s.await(n, planetscale.StateError)
		if l := dr.Deployment.LintErrors; len(l) != 1 || l[0].Code != "INVALID_ROUTING_RULES" || l[0].TableName != "a" {
			t.Errorf("%s: %+v", rules, l)
		}
	}
	// A table that the VSchema names cannot be dropped without a word to it.
	s.call("PATCH", d+"/branches/work/routing-rules", `{"routing_rules":"{}"}`)
	s.await(n, planetscale.StateReady)
	s.sql("work", "DROP TABLE users", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
	if l := s.await(n, planetscale.StateError).Deployment.LintErrors; len(l) != 1 || l[0].Code != "INVALID_VSCHEMA" {
		t.Errorf("%+v", l)
	}
}

// A changed VSchema dismisses an approval, as a changed table does, and takes a
// request out of the queue.
func TestVSchemaDismisses(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.Queue = time.Hour })
	s.seed()
	n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	if status, _ := s.call("POST", "/_emulator/as/ann"+d+"/deploy-requests/"+itoa(n)+"/reviews", `{"state":"approved"}`); status != 201 {
		t.Fatal(status)
	}
	s.setVSchema("work", sequenceTable)
	if dr := ok(s.shop.DeployRequest(t.Context(), n))(t); dr.Approved {
		t.Error("still approved")
	}
	s.await(n, planetscale.StateReady)
	s.deploy(n)
	s.setVSchema("work", referenceTable)
	s.await(n, planetscale.StateReady)
}

// Both its failures leave the tables where they are, and block the queue until
// somebody completes them.
func TestVSchemaFails(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.RevertWindow = time.Hour })
	s.seed()
	n := s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	s.setVSchema("work", sequenceTable)
	s.await(n, planetscale.StateReady)
	s.fault(emulator.Fault{Do: emulator.FaultVSchemaError, Path: "#" + itoa(n), Times: 1, Message: "no such vindex"})
	s.deploy(n)
	dr := s.await(n, planetscale.StateCompleteError)
	if c := dr.Deployment.DeployCheckErrors; !strings.Contains(c.String(), "no such vindex") {
		t.Errorf("%+v", dr.Deployment)
	}
	if got := s.columns("main", "users"); got != "id email nick" {
		t.Errorf("main has %s", got)
	}
	if _, err := s.shop.CompleteDeploy(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	// What is missing is what the next request carries.
	m := s.open("work")
	if dr := s.await(m, planetscale.StateReady); len(dr.Deployment.Operations) != 0 {
		t.Errorf("%+v", dr.Deployment.Operations)
	}
	s.deploy(m)
	s.await(m, planetscale.StateCompletePendingRevert)
	s.fault(emulator.Fault{Do: emulator.FaultVSchemaError, Times: 1})
	if _, err := s.shop.RevertDeploy(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	s.await(m, planetscale.StateCompleteRevertError)
	if got := s.vschema("main"); got != sequenceTable {
		t.Errorf("main has %s", got)
	}
	if _, err := s.shop.CompleteDeploy(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// It is kept from run to run, in every state.
func TestVSchemaSurvives(t *testing.T) {
	data := t.TempDir()
	kept := func(string) (emulator.Engine, error) { return memory(data + "/engine") }
	in := func(o *emulator.Options) { o.Data, o.Knobs.VSchema, o.Knobs.RevertWindow = data, time.Hour, time.Hour }
	var n int
	for i, step := range []func(s *stage){
		func(s *stage) {
			s.seed()
			s.branch("work")
			s.setVSchema("work", sequenceTable)
			n = s.open("work")
			s.await(n, planetscale.StateReady)
		},
		func(s *stage) {
			s.await(n, planetscale.StateReady)
			s.deploy(n)
			s.await(n, planetscale.StateInProgressVSchema)
		},
		func(s *stage) {
			s.await(n, planetscale.StateInProgressVSchema)
			advance(s, time.Hour)
			s.await(n, planetscale.StateCompletePendingRevert)
		},
		func(s *stage) {
			if got := s.vschema("main"); got != sequenceTable {
				s.Errorf("main has %s", got)
			}
			if _, err := s.shop.RevertDeploy(s.Context(), n); err != nil {
				s.Fatal(err)
			}
			s.await(n, planetscale.StateInProgressRevertVSchema)
			advance(s, time.Hour)
			s.await(n, planetscale.StateCompleteRevert)
		},
		func(s *stage) {
			if got := s.vschema("main"); got != `{"tables":{"users":{}}}` {
				s.Errorf("main has %s", got)
			}
		},
	} {
		t.Run(itoa(i), func(t *testing.T) { step(start(t, kept, in)) })
	}
}
