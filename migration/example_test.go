package migration_test

import (
	"fmt"
	"testing/fstest"

	"github.com/pmig/pmig/migration"
)

func ExampleFiles() {
	goose, _ := migration.Lookup("goose")
	folder := fstest.MapFS{
		"00010_orders.sql": {Data: []byte("-- +goose Up\nCREATE TABLE orders (id bigint PRIMARY KEY);\n")},
		"00002_users.sql":  {Data: []byte("-- +goose Up\nCREATE TABLE users (id bigint PRIMARY KEY);\n")},
		"README.md":        {Data: []byte("How we write migrations\n")},
	}
	files, problems, err := migration.Files(folder, migration.Spec{Tool: goose})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range files {
		fmt.Println(f.Position, f.Key, f.Path)
	}
	for _, p := range problems {
		fmt.Printf("%s: %s %s\n", p.Severity, p.Path, p.Message)
	}
	// Output:
	// 0 2 00002_users.sql
	// 1 10 00010_orders.sql
	// note: README.md is neither .sql nor .go, goose passes over it
}

func ExampleFiles_ofAnotherTool() {
	goose, _ := migration.Lookup("goose")
	folder := fstest.MapFS{"000001_users.up.sql": {}, "000001_users.down.sql": {}}
	_, _, err := migration.Files(folder, migration.Spec{Tool: goose})
	fmt.Println(err)
	if h, ok := err.(interface{ Hint() string }); ok {
		fmt.Println("hint:", h.Hint())
	}
	// Output:
	// the folder holds migrations of golang-migrate (000001_users.down.sql), not of goose
	// hint: name the tool "golang-migrate" in the source block, or let path point at the migrations of goose
}

func ExampleCompare() {
	dbmate, _ := migration.Lookup("dbmate")
	spec := migration.Spec{Tool: dbmate}
	files := []migration.File{{Key: "20240101", Position: 0}, {Key: "20240201", Position: 1}, {Key: "20240301", Position: 2}}
	history := &migration.History{
		Table: "schema_migrations", Exists: true,
		Columns: []migration.Column{{Name: "version", Type: "varchar(128)", Primary: true}},
		Rows:    []migration.Row{{migration.Text("20231201")}, {migration.Text("20240201")}},
	}
	s := migration.Compare(spec, files, history)
	fmt.Println("applied", keys(s.Applied))
	fmt.Println("pending", keys(s.Pending), "of them late", keys(s.Late), "which", dbmate, dbmate.Late)
	fmt.Println("orphans", s.Orphans, "which", dbmate, dbmate.Orphans)
	// Output:
	// applied [20240201]
	// pending [20240101 20240301] of them late [20240101] which dbmate runs
	// orphans [20231201] which dbmate ignores
}

func ExampleDriftError_Diff() {
	text := migration.Text
	drift := &migration.DriftError{
		Table:   "knex_migrations",
		Columns: []string{"id", "name", "batch"},
		Removed: []migration.Row{{text("2"), text("20240201_orders.js"), text("1")}},
		Changed: []migration.Edit{{
			Before: migration.Row{text("1"), text("20240101_users.js"), text("1")},
			After:  migration.Row{text("1"), text("20240101_users.ts"), text("1")},
		}},
		Added: []migration.Row{{text("3"), text(""), migration.Null()}},
	}
	fmt.Println(drift)
	fmt.Print(drift.Diff())
	// Output:
	// history table knex_migrations has moved since the run started: rows 1 added, 1 removed, 1 changed
	// - id=2 name=20240201_orders.js batch=1
	// ~ id=1 name=20240101_users.js batch=1 => id=1 name=20240101_users.ts batch=1
	// + id=3 name="" batch=NULL
}
