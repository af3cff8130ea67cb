package emulator_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/emulator/mariadb"
)

func TestRestartFindsEverything(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		ctx, dir := t.Context(), t.TempDir()
		e := openEngine(t, open, dir)
		if err := e.Create(ctx, "main00000001", "shop"); err != nil {
			t.Fatal(err)
		}
		db := branchDB(t, e, "main00000001")
		must(t, db, shopSchema...)
		must(t, db, shopRows...)
		if err := e.Clone(ctx, "dev000000002", "main00000001", nil); err != nil {
			t.Fatal(err)
		}
		state := func(db *sql.DB) string {
			return strings.Join([]string{describe(t, db), rows(t, db, "SELECT * FROM customers"), rows(t, db, "SELECT * FROM a_orders"), rows(t, db, "SELECT * FROM migrations")}, "\n")
		}
		want := state(db)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if err := e.Create(ctx, "late00000003", "shop"); err == nil {
			t.Error("a closed engine makes branches")
		}

		e = openEngine(t, open, dir)
		if _, err := open(dir); err == nil {
			t.Error("two engines on one folder")
		}
		db = branchDB(t, e, "main00000001")
		if diff := cmp.Diff(want, state(db)); diff != "" {
			t.Errorf("after a restart (-before +after):\n%s", diff)
		}
		must(t, db, "INSERT INTO migrations (name) VALUES ('next')")
		if got := rows(t, db, "SELECT max(id) FROM migrations"); got != "3" {
			t.Errorf("the counter stands at %s, want 3", got)
		}
		if got := rows(t, branchDB(t, e, "dev000000002"), "SELECT count(*) FROM customers"); got != "0" {
			t.Errorf("rows of the other branch: %s", got)
		}
	})
}

// TestFlushSurvivesDeath opens the folder's copy as a process that was killed after Flush would have left it.
func TestFlushSurvivesDeath(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	e := openEngine(t, func(dir string) (emulator.Engine, error) { return emulator.NewMemory(dir) }, dir)
	if err := e.Create(ctx, "main00000001", "shop"); err != nil {
		t.Fatal(err)
	}
	db := branchDB(t, e, "main00000001")
	must(t, db, "CREATE TABLE t (id int primary key)", "INSERT INTO t VALUES (1)")
	if err := e.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	killed := func() string {
		t.Helper()
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		again := openEngine(t, func(dir string) (emulator.Engine, error) { return emulator.NewMemory(dir) }, copied)
		return rows(t, branchDB(t, again, "main00000001"), "SELECT count(*) FROM t")
	}
	if got := killed(); got != "1" {
		t.Errorf("rows after Flush = %s, want 1", got)
	}
	// Without Flush it takes a moment.
	must(t, db, "INSERT INTO t VALUES (2)")
	for deadline := time.Now().Add(5 * time.Second); killed() != "2"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the second row was never written out")
		}
	}
	file := filepath.Join(dir, "memory", "main00000001.sql")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string]string{
		"cut":            string(text[:len(text)-3]),
		"of the future":  strings.Replace(string(text), "format 1", "format 2", 1),
		"not SQL at all": "hello",
	} {
		bad := t.TempDir()
		if err := os.MkdirAll(filepath.Join(bad, "memory"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bad, "memory", "main00000001.sql"), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := emulator.NewMemory(bad); err == nil {
			t.Errorf("a file %s was taken", name)
		}
	}
}

func TestAutoKeepsToItsData(t *testing.T) {
	dir := t.TempDir()
	m, err := emulator.NewMemory(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Create(t.Context(), "main00000001", "shop"); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	e := openEngine(t, emulator.Auto, dir)
	if e.Name() != "memory" {
		t.Errorf("on a folder of memory, Auto opens %s", e.Name())
	}
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	_, err = emulator.NewMariaDB(dir)
	var wrong *emulator.EngineDataError
	if !errors.As(err, &wrong) {
		t.Errorf("mariadb on a folder of memory: %v", err)
	}
	fresh := openEngine(t, emulator.Auto, t.TempDir())
	if fresh.Name() != "mariadb" {
		t.Errorf("with a server installed, Auto opens %s", fresh.Name())
	}
}

func TestHalfMadeBranchIsSweptUp(t *testing.T) {
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	dir := t.TempDir()
	half := filepath.Join(dir, "mariadb", "half00000001")
	if err := os.MkdirAll(filepath.Join(half, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	e := openEngine(t, func(dir string) (emulator.Engine, error) { return emulator.NewMariaDB(dir) }, dir)
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a crash left is still there (%v)", err)
	}
	if err := e.Create(t.Context(), "half00000001", "shop"); err != nil {
		t.Error(err)
	}
	if err := e.Create(t.Context(), "../../etc", "shop"); err == nil {
		t.Error("an id that leaves the folder was taken")
	}
}

// Rows written over MySQL are kept by the time that the API answers a change.
func TestRowsKeptBeforeAnswered(t *testing.T) {
	dir := t.TempDir()
	s := start(t, func(string) (emulator.Engine, error) { return emulator.NewMemory(dir) })
	s.sql("main", "CREATE TABLE notes (id int NOT NULL PRIMARY KEY, body text)")
	db := s.superuser("main")
	for i := range 20 {
		if _, err := db.Exec("INSERT INTO notes VALUES (?, ?)", i, fmt.Sprintf("note %d.", i)); err != nil {
			t.Fatal(err)
		}
		if status, o := s.call("PATCH", "/v1/organizations/acme/databases/shop", `{"allow_foreign_key_constraints": false}`); status != 200 {
			t.Fatal(status, o)
		}
		files, err := filepath.Glob(filepath.Join(dir, "memory", "*.sql"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if text, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(text), fmt.Sprintf("note %d.", i)) {
			t.Fatalf("after row %d the file is (%v)\n%s", i, err, text)
		}
	}
}

// What a deployment leaves behind is seen where it was, and not on a new branch.
func TestLeftoversStay(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		e := openEngine(t, open, "")
		if err := e.Create(t.Context(), "main00000001", "shop"); err != nil {
			t.Fatal(err)
		}
		main := branchDB(t, e, "main00000001")
		must(t, main, "CREATE TABLE _vt_hld_6ace8bcef73211ea87e9f875a4d24e90_20260915120410_ (id int NOT NULL PRIMARY KEY)", "CREATE TABLE _vtiger (id int NOT NULL PRIMARY KEY)")
		if err := e.Clone(t.Context(), "dev000000002", "main00000001", []string{"_vt_hld_6ace8bcef73211ea87e9f875a4d24e90_20260915120410_"}); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, branchDB(t, e, "dev000000002"), "SHOW TABLES"); got != "_vtiger" {
			t.Errorf("the branch has %s", got)
		}
		if got := rows(t, main, "SHOW TABLES"); !strings.Contains(got, "_vt_hld_") {
			t.Errorf("main has %s", got)
		}
	})
}
