package emulator_test

import (
	"fmt"
	"testing"

	"github.com/pmig/pmig/planetscale"
)

// What a lint error says beside its kind.
func TestLintErrors(t *testing.T) {
	s := start(t, memory)
	s.seed()
	s.branch("lint")
	s.sql("lint", "CREATE TABLE parents (id int NOT NULL, PRIMARY KEY (id))",
		"CREATE TABLE children (id int NOT NULL, parent_id int, PRIMARY KEY (id), FOREIGN KEY (parent_id) REFERENCES parents (id))",
		"CREATE TABLE keyless (a int)")
	n := s.open("lint")
	s.await(n, planetscale.StateError)
	_, o := s.call("GET", d+"/deploy-requests/"+itoa(n), "")
	found := map[string]map[string]any{}
	for _, l := range o["deployment"].(map[string]any)["lint_errors"].([]any) {
		m := l.(map[string]any)
		found[m["table_name"].(string)] = m
	}
	if m := found["keyless"]; m["lint_error"] != "NO_UNIQUE_KEY" || m["keyspace_name"] != "shop" || m["view_name"] != nil {
		t.Errorf("keyless: %v", m)
	}
	if m := found["children"]; m["lint_error"] != "FOREIGN_KEYS_DISALLOWED" || fmt.Sprint(m["foreign_key_column_names"]) != "[parent_id]" {
		t.Errorf("children: %v", m)
	}

	// Both sides give one column a type of their own: a conflict names it.
	s.branch("work")
	s.sql("work", "ALTER TABLE users MODIFY email varchar(170) NOT NULL, ADD COLUMN ours int")
	s.sql("main", "ALTER TABLE users MODIFY email varchar(180) NOT NULL, ADD COLUMN theirs int")
	n = s.open("work")
	s.await(n, planetscale.StateError)
	_, o = s.call("GET", d+"/deploy-requests/"+itoa(n), "")
	m := o["deployment"].(map[string]any)["lint_errors"].([]any)[0].(map[string]any)
	if m["lint_error"] != "CONFLICT" || fmt.Sprint(m["conflict_columns"]) != "[email]" || m["conflict_ddl_verb"] != "ALTER" || m["conflict_error"] == nil || m["conflict_partitions"] != false {
		t.Errorf("conflict: %v", m)
	}
}
