package migration_test

import (
	"testing"

	"github.com/pmig/pmig/migration"
)

// history makes a history of text rows for comparing without a database.
func history(columns []string, rows ...[]string) *migration.History {
	h := &migration.History{Table: "h", Exists: true}
	for _, c := range columns {
		h.Columns = append(h.Columns, migration.Column{Name: c, Type: "varchar(255)"})
	}
	for _, r := range rows {
		var row migration.Row
		for _, v := range r {
			if v == "NULL" {
				row = append(row, migration.Null())
			} else {
				row = append(row, migration.Text(v))
			}
		}
		h.Rows = append(h.Rows, row)
	}
	return h
}

func TestCompare(t *testing.T) {
	pointer := []string{"version", "dirty"}
	for _, tc := range []struct {
		name                   string
		tool                   string
		files                  []string // file names
		columns                []string
		rows                   [][]string
		want                   migration.Status
		applied, pending, late []string
	}{
		{
			name: "knex, late file and orphan", tool: "knex", columns: []string{"id", "name"},
			files:   []string{"1_a.js", "2_b.js", "3_c.js"},
			rows:    [][]string{{"1", "1_a.js"}, {"2", "3_c.js"}, {"3", "0_gone.js"}},
			applied: []string{"1_a.js", "3_c.js"}, pending: []string{"2_b.js"}, late: []string{"2_b.js"},
			want: migration.Status{Orphans: []string{"0_gone.js"}},
		},
		{
			name: "knex, renamed from js to ts", tool: "knex", columns: []string{"id", "name"},
			files:   []string{"1_a.ts"},
			rows:    [][]string{{"1", "1_a.js"}},
			pending: []string{"1_a.ts"},
			want:    migration.Status{Orphans: []string{"1_a.js"}},
		},
		{
			name: "an older image has nothing to do", tool: "laravel", columns: []string{"id", "migration", "batch"},
			files:   []string{"2024_01_a.php"},
			rows:    [][]string{{"1", "2024_01_a", "1"}, {"2", "2024_02_b", "2"}},
			applied: []string{"2024_01_a"},
			want:    migration.Status{Orphans: []string{"2024_02_b"}},
		},
		{
			name: "late against an orphan", tool: "rails", columns: []string{"version"},
			files:   []string{"9_a.rb", "11_b.rb"},
			rows:    [][]string{{"10"}},
			pending: []string{"9", "11"}, late: []string{"9"},
			want: migration.Status{Orphans: []string{"10"}},
		},
		{
			name: "rails reads old versions as numbers", tool: "rails", columns: []string{"version"},
			files:   []string{"003_a.rb"},
			rows:    [][]string{{"003"}},
			applied: []string{"3"},
		},
		{
			name: "goose, row 0 is no migration", tool: "goose", columns: []string{"id", "version_id", "is_applied"},
			files:   []string{"1_a.sql"},
			rows:    [][]string{{"1", "0", "1"}},
			pending: []string{"1"},
			want:    migration.Status{Baseline: true},
		},
		{
			name: "goose, a row not applied still keeps the file from running", tool: "goose", columns: []string{"id", "version_id", "is_applied"},
			files:   []string{"1_a.sql", "2_b.sql"},
			rows:    [][]string{{"1", "0", "1"}, {"2", "2", "0"}, {"3", "2", "1"}},
			applied: []string{"2"}, pending: []string{"1"}, late: []string{"1"},
		},
		{
			name: "dbmate tells 1 from 001", tool: "dbmate", columns: []string{"version"},
			files:   []string{"001_a.sql", "1_a.sql"},
			rows:    [][]string{{"001"}},
			applied: []string{"001"}, pending: []string{"1"},
		},
		{
			name: "a pointer, below it everything is applied", tool: "golang-migrate", columns: pointer,
			files:   []string{"1_a.up.sql", "2_b.up.sql", "10_c.up.sql"},
			rows:    [][]string{{"2", "0"}},
			applied: []string{"1", "2"}, pending: []string{"10"},
			want: migration.Status{Pointer: "2"},
		},
		{
			name: "a pointer without its file", tool: "golang-migrate", columns: pointer,
			files:   []string{"1_a.up.sql", "10_c.up.sql"},
			rows:    [][]string{{"7", "0"}},
			applied: []string{"1"}, pending: []string{"10"},
			want: migration.Status{Pointer: "7", Orphans: []string{"7"}},
		},
		{
			name: "a pointer of a newer image", tool: "golang-migrate", columns: pointer,
			files:   []string{"1_a.up.sql"},
			rows:    [][]string{{"9", "0"}},
			applied: []string{"1"},
			want:    migration.Status{Pointer: "9", Orphans: []string{"9"}},
		},
		{
			name: "a dirty pointer", tool: "golang-migrate", columns: pointer,
			files:   []string{"1_a.up.sql"},
			rows:    [][]string{{"1", "1"}},
			applied: []string{"1"},
			want:    migration.Status{Pointer: "1", Dirty: []string{"1"}},
		},
		{
			name: "no pointer yet", tool: "golang-migrate", columns: pointer,
			files:   []string{"1_a.up.sql"},
			pending: []string{"1"},
			want:    migration.Status{Baseline: true},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := migration.Spec{Tool: tool(t, tc.tool)}
			var pairs []string
			for _, f := range tc.files {
				pairs = append(pairs, f, map[string]string{"goose": gooseSQL, "dbmate": dbmateSQL}[tc.tool])
			}
			files, _, err := migration.Files(folder(pairs...), spec)
			if err != nil {
				t.Fatal(err)
			}
			got := migration.Compare(spec, files, history(tc.columns, tc.rows...))
			equal(t, "applied", keys(got.Applied), tc.applied)
			equal(t, "pending", keys(got.Pending), tc.pending)
			equal(t, "late", keys(got.Late), tc.late)
			got.Applied, got.Pending, got.Late = nil, nil, nil
			equal(t, "the rest", got, tc.want)
		})
	}
}

// The states of knex's lock table in which knex refuses to start.
func TestCompareKnexLock(t *testing.T) {
	spec := migration.Spec{Tool: tool(t, "knex")}
	for _, tc := range []struct {
		name   string
		rows   [][]string
		locked bool
	}{
		{"no row: knex inserts it", nil, false},
		{"one free row", [][]string{{"1", "0"}}, false},
		{"one row of NULL", [][]string{{"1", "NULL"}}, false},
		{"one locked row", [][]string{{"1", "1"}}, true},
		{"two free rows", [][]string{{"1", "0"}, {"2", "0"}}, true},
	} {
		lock := history([]string{"index", "is_locked"}, tc.rows...)
		h := history([]string{"id", "name"})
		h.Aux = []migration.AuxTable{{Name: "knex_migrations_lock", Exists: true, Columns: lock.Columns, Rows: lock.Rows, Policy: migration.ResetPolicy}}
		s := migration.Compare(spec, nil, h)
		if s.Locked != tc.locked || s.Locked != (s.LockedBy != "") {
			t.Errorf("%s: locked %v by %q", tc.name, s.Locked, s.LockedBy)
		}
	}
}

func TestDigest(t *testing.T) {
	one := history([]string{"id", "name"}, []string{"1", "a"}, []string{"2", "NULL"})
	turned := history([]string{"Name", "id"}, []string{"a", "1"}, []string{"NULL", "2"})
	if one.Digest() != turned.Digest() {
		t.Error("the order of columns changes the digest")
	}
	for name, other := range map[string]*migration.History{
		"'' for NULL":         history([]string{"id", "name"}, []string{"1", "a"}, []string{"2", ""}),
		"a row less":          history([]string{"id", "name"}, []string{"1", "a"}),
		"another order":       history([]string{"id", "name"}, []string{"2", "NULL"}, []string{"1", "a"}),
		"values run together": history([]string{"id", "name"}, []string{"1a", ""}, []string{"2", "NULL"}),
		"none":                {Table: "h"},
	} {
		if other.Digest() == one.Digest() {
			t.Errorf("%s: same digest", name)
		}
	}
	if (&migration.History{Table: "h"}).Digest() != history([]string{"id"}).Digest() {
		t.Error("no table and an empty one differ")
	}
}
