package migration_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pmig/pmig/migration"
)

func TestRepair(t *testing.T) {
	now := time.Date(2024, 7, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		tool, table string
		first       []string // what has happened to production
		repair      migration.Repair
		changes     []string
		refuses     string
	}{
		{tool: "knex", repair: migration.Repair{Mark: []string{"20240101090000_notes.js"}},
			changes: []string{"+ migrations: id=NULL name=20240101090000_notes.js batch=3 migration_time=2024-07-01 12:00:00"}},
		{tool: "knex", repair: migration.Repair{Mark: []string{"20230101090000_users.js"}}},
		{tool: "knex", repair: migration.Repair{Mark: []string{"20240101090000_note.js"}}, refuses: "20240101090000_note.js: no migration file has this key"},
		{tool: "knex", repair: migration.Repair{Unmark: []string{"20230301090000_orders.js"}, Mark: []string{"20240101090000_notes.js"}},
			changes: []string{"- migrations: id=3 name=20230301090000_orders.js batch=2 migration_time=2023-03-01 09:00:11",
				"+ migrations: id=NULL name=20240101090000_notes.js batch=2 migration_time=2024-07-01 12:00:00"}},
		{tool: "knex", repair: migration.Repair{Unmark: []string{"20240101090000_notes.js"}}, refuses: "it is not recorded as applied"},
		{tool: "knex", repair: migration.Repair{Clear: []string{"20230301090000_orders.js"}}, refuses: "it is not marked as failed"},
		{tool: "knex", first: []string{"UPDATE migrations_lock SET is_locked = 1"}, repair: migration.Repair{Unlock: true},
			changes: []string{"- migrations_lock: index=1 is_locked=1", "+ migrations_lock: index=1 is_locked=0"}},
		{tool: "knex", first: []string{"DELETE FROM migrations_lock"}, repair: migration.Repair{Unlock: true}},
		{tool: "laravel", repair: migration.Repair{Mark: []string{"2024_01_01_000000_create_notes_table"}},
			changes: []string{"+ migrations: id=NULL migration=2024_01_01_000000_create_notes_table batch=2"}},
		{tool: "goose", repair: migration.Repair{Mark: []string{"20240101000000"}, Unmark: []string{"2"}},
			changes: []string{"- goose_db_version: id=3 version_id=2 is_applied=1 tstamp=2023-02-01 00:00:00",
				"- goose_db_version: id=4 version_id=2 is_applied=0 tstamp=2023-02-01 00:05:00",
				"- goose_db_version: id=7 version_id=2 is_applied=1 tstamp=2023-02-01 00:06:00",
				"+ goose_db_version: id=NULL version_id=20240101000000 is_applied=1 tstamp=2024-07-01 12:00:00"}},
		{tool: "dbmate", repair: migration.Repair{Unmark: []string{"20230401000000"}, Mark: []string{"1"}},
			changes: []string{"- schema_migrations: version=20230401000000", "+ schema_migrations: version=1"}},
		{tool: "rails", repair: migration.Repair{Mark: []string{"20240101000000"}, Unmark: []string{"3"}},
			changes: []string{"- schema_migrations: version=3", "+ schema_migrations: version=20240101000000"}},
		{tool: "custom", table: "applied`changes", repair: migration.Repair{Mark: []string{"shop:2_b"}},
			changes: []string{"+ applied`changes: app=shop name=2_b sum=NULL took=NULL"}},

		{tool: "golang-migrate", repair: migration.Repair{Mark: []string{"3"}},
			changes: []string{"- schema_migrations: version=2 dirty=0", "+ schema_migrations: version=3 dirty=0"}},
		{tool: "golang-migrate", repair: migration.Repair{Mark: []string{"10"}}, refuses: "10: it would be applied and 3 before it not"},
		{tool: "golang-migrate", repair: migration.Repair{Mark: []string{"10", "3"}},
			changes: []string{"- schema_migrations: version=2 dirty=0", "+ schema_migrations: version=10 dirty=0"}},
		{tool: "golang-migrate", repair: migration.Repair{Unmark: []string{"2"}},
			changes: []string{"- schema_migrations: version=2 dirty=0", "+ schema_migrations: version=1 dirty=0"}},
		{tool: "golang-migrate", repair: migration.Repair{Unmark: []string{"1"}}, refuses: "2: it would be applied and 1 before it not"},
		{tool: "golang-migrate", repair: migration.Repair{Unmark: []string{"1", "2"}}, changes: []string{"- schema_migrations: version=2 dirty=0"}},
		{tool: "golang-migrate", first: []string{"DELETE FROM schema_migrations"}, repair: migration.Repair{Mark: []string{"1"}},
			changes: []string{"+ schema_migrations: version=1 dirty=0"}},
		{tool: "golang-migrate", first: []string{"UPDATE schema_migrations SET version = 3, dirty = 1"}, repair: migration.Repair{Clear: []string{"3"}},
			changes: []string{"- schema_migrations: version=3 dirty=1", "+ schema_migrations: version=3 dirty=0"}},
		{tool: "golang-migrate", first: []string{"UPDATE schema_migrations SET version = 3, dirty = 1"}, repair: migration.Repair{Unmark: []string{"3"}},
			changes: []string{"- schema_migrations: version=3 dirty=1", "+ schema_migrations: version=2 dirty=0"}},
		{tool: "golang-migrate", first: []string{"UPDATE schema_migrations SET version = 3, dirty = 1"}, repair: migration.Repair{Mark: []string{"10"}},
			refuses: "3: it is marked as failed"},
		{tool: "golang-migrate", first: []string{"UPDATE schema_migrations SET version = 77"}, repair: migration.Repair{Unmark: []string{"77"}},
			changes: []string{"- schema_migrations: version=77 dirty=0", "+ schema_migrations: version=10 dirty=0"}},
		{tool: "golang-migrate", first: []string{"UPDATE schema_migrations SET version = 77"}, repair: migration.Repair{Unmark: []string{"10"}}, refuses: ""},
		{tool: "golang-migrate", first: []string{"DROP TABLE schema_migrations"}, repair: migration.Repair{Mark: []string{"1"}}, refuses: "it is not there"},
	} {
		t.Run(fmt.Sprintf("%s %v %+v", tc.tool, tc.first, tc.repair), func(t *testing.T) {
			f := fixtureOf(t, tc.tool)
			spec, production := f.spec(t), database(t)
			exec(t, production, f.create...)
			exec(t, production, f.applied...)
			exec(t, production, tc.first...)
			files, _, err := migration.Files(f.files, spec)
			if err != nil {
				t.Fatal(err)
			}
			seen := read(t, production, spec)
			want, err := migration.Repaired(spec, files, seen, tc.repair, now)
			var refused *migration.RepairError
			if tc.refuses != "" {
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), tc.refuses) || refused.Hint() == "" {
					t.Fatalf("got %v, want a RepairError with %q", err, tc.refuses)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "changes", migration.Changes(seen, want), tc.changes)
			for range 2 { // the second time as if the answer had been lost
				if err := migration.Rewrite(t.Context(), production, spec, seen, want); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, line := range migration.Changes(seen, read(t, production, spec)) {
				if i := strings.Index(line, ": id="); i > 0 && line[0] == '+' { // the server has numbered it
					line = line[:i] + ": id=NULL" + line[i+strings.Index(line[i+5:], " ")+5:]
				}
				got = append(got, line)
			}
			equal(t, "what was written", got, tc.changes)
		})
	}
}

// A history that has moved since it was looked at is not touched.
func TestRewriteRefusesDrift(t *testing.T) {
	f := fixtureOf(t, "knex")
	spec, production := f.spec(t), database(t)
	exec(t, production, f.create...)
	exec(t, production, f.applied...)
	files, _, err := migration.Files(f.files, spec)
	if err != nil {
		t.Fatal(err)
	}
	for name, other := range map[string]string{
		"a row more":  "INSERT INTO migrations (name) VALUES ('other.js')",
		"a row less":  "DELETE FROM migrations WHERE id = 1",
		"another row": "UPDATE migrations SET batch = batch + 1 WHERE id = 3",
	} {
		t.Run(name, func(t *testing.T) {
			seen := read(t, production, spec)
			want, err := migration.Repaired(spec, files, seen, migration.Repair{Mark: []string{"20240101090000_notes.js"}}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			exec(t, production, other)
			moved := read(t, production, spec)
			var drift *migration.DriftError
			if err := migration.Rewrite(t.Context(), production, spec, seen, want); !errors.As(err, &drift) {
				t.Fatalf("got %v, want a DriftError", err)
			}
			equal(t, "rows", read(t, production, spec).Rows, moved.Rows)
		})
	}
	// A table that does not change may have moved.
	seen := read(t, production, spec)
	want, err := migration.Repaired(spec, files, seen, migration.Repair{Mark: []string{"20240101090000_notes.js"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	exec(t, production, "UPDATE migrations_lock SET is_locked = 1")
	if err := migration.Rewrite(t.Context(), production, spec, seen, want); err != nil {
		t.Error(err)
	}
	equal(t, "lock", table(t, production, "SELECT is_locked FROM migrations_lock"), []string{"1"})
}

func TestKeysComeApartAgain(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) migration.Value {
			if rapid.IntRange(0, 4).Draw(t, "null") == 0 {
				return migration.Null()
			}
			return migration.Text(rapid.StringOf(rapid.SampledFrom([]rune(`ab:\N `))).Draw(t, "text"))
		}), 2, 4).Draw(rt, "parts")
		if again := migration.SplitKey(migration.JoinKey(parts), len(parts)); !slices.Equal(again, parts) {
			rt.Fatalf("%v became %q and %v", parts, migration.JoinKey(parts), again)
		}
	})
}
