package emulator_test

import (
	"strings"
	"testing"

	"github.com/pmig/pmig/emulator"
)

// What the engine keeps a FULLTEXT key in shows nowhere, and a clone works as the original does.
func TestMemoryFulltext(t *testing.T) {
	e := openEngine(t, memory, "")
	if err := e.Create(t.Context(), "main00000001", "shop"); err != nil {
		t.Fatal(err)
	}
	db := branchDB(t, e, "main00000001")
	must(t, db, "CREATE TABLE docs (id int NOT NULL PRIMARY KEY, body text, title varchar(50), FULLTEXT KEY b (body))",
		"INSERT INTO docs VALUES (1, 'some words', 'x')", "ALTER TABLE docs ADD FULLTEXT KEY t (title)")
	if err := e.Clone(t.Context(), "dev000000002", "main00000001", []string{"docs"}); err != nil {
		t.Fatal(err)
	}
	dev := branchDB(t, e, "dev000000002")
	for _, query := range []string{"SHOW TABLES", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'shop'"} {
		if a, b := rows(t, db, query), rows(t, dev, query); a != "docs" || b != "docs" {
			t.Errorf("%s: %s, and of the clone %s", query, a, b)
		}
	}
	must(t, dev, "INSERT INTO docs VALUES (2, 'other words', 'y')", "DELETE FROM docs WHERE id = 1")
	if got := rows(t, dev, "SELECT id FROM docs WHERE MATCH (body) AGAINST ('words')"); got != "2" {
		t.Errorf("found %q", got)
	}
	must(t, dev, "ALTER TABLE docs DROP KEY b", "DROP TABLE docs", "CREATE TABLE docs (id int NOT NULL PRIMARY KEY, body text, FULLTEXT KEY b (body))")
}

// Columns and constraints on them may come with one ALTER.
func TestMemoryAlterWithConstraint(t *testing.T) {
	e := openEngine(t, memory, "")
	if err := e.Create(t.Context(), "main00000001", "shop"); err != nil {
		t.Fatal(err)
	}
	db := branchDB(t, e, "main00000001")
	must(t, db, "CREATE TABLE parents (id int NOT NULL PRIMARY KEY)", "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int)",
		"ALTER TABLE t ADD COLUMN x int, ADD CHECK (x > 0)",
		"ALTER TABLE t ADD COLUMN y int, ADD CONSTRAINT low CHECK (y < 9), DROP COLUMN n, ADD KEY y (y)",
		"ALTER TABLE t ADD COLUMN p int, ADD CONSTRAINT fk FOREIGN KEY (p) REFERENCES parents (id)")
	if _, err := db.Exec("INSERT INTO t (id, y) VALUES (1, 10)"); err == nil {
		t.Error("the constraint does not hold")
	}
	if _, err := db.Exec("ALTER TABLE t ADD COLUMN z int, ADD CHECK (nowhere > 0)"); number(err) != 1054 {
		t.Errorf("a constraint on no column: %v", err)
	}
	got := rows(t, db, "SHOW CREATE TABLE t")
	for _, want := range []string{"`x` int", "`y` int", "CHECK", "`low`", "KEY `y` (`y`)", "FOREIGN KEY (`p`)"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Contains(got, "`n`") || strings.Contains(got, "`z`") {
		t.Errorf("%s", got)
	}
}

// The state of a branch is another one after every write, also of a branch that
// was made anew under its name, and the same after a read.
func TestMemoryState(t *testing.T) {
	const id = "main00000001"
	e, err := emulator.NewMemory("")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, known := e.State(id); known {
		t.Error("a branch that is not there has a state")
	}
	if err := e.Create(t.Context(), id, "shop"); err != nil {
		t.Fatal(err)
	}
	db := branchDB(t, e, id)
	seen := map[uint64]string{}
	for _, step := range []struct {
		text   string
		writes bool
	}{
		{"CREATE TABLE t (id int NOT NULL PRIMARY KEY)", true},
		{"SHOW CREATE TABLE t", false},
		{"INSERT INTO t VALUES (1)", true},
		{"SELECT * FROM t", false},
		{"ALTER TABLE t ADD COLUMN a int", true},
		{"BEGIN", false},
		{"DROP TABLE t", true},
	} {
		before, _ := e.State(id)
		must(t, db, step.text)
		after, known := e.State(id)
		if !known || (before != after) != step.writes {
			t.Errorf("%s: %d, then %d", step.text, before, after)
		}
		if step.writes && seen[after] != "" {
			t.Errorf("%s: the state of %s", step.text, seen[after])
		}
		seen[after] = step.text
	}
	if err := e.Drop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := e.Create(t.Context(), id, "shop"); err != nil {
		t.Fatal(err)
	}
	if state, _ := e.State(id); seen[state] != "" {
		t.Errorf("a new branch has the state of an old one after %s", seen[state])
	}
}
