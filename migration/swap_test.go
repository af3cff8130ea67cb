package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/migration"
)

// project is production with a seeded and migrated branch, just before the swap.
type project struct {
	spec       migration.Spec
	production *sql.DB
	base       *migration.History
	gained     migration.Delta
	fixture    fixture
}

func prepare(t testing.TB, f fixture) project {
	t.Helper()
	p := project{spec: f.spec(t), production: database(t), fixture: f}
	branch := database(t)
	exec(t, p.production, f.create...)
	exec(t, p.production, f.applied...)
	exec(t, branch, f.create...)
	p.base = read(t, p.production, p.spec)
	if err := migration.Seed(t.Context(), branch, p.spec, p.base); err != nil {
		t.Fatal(err)
	}
	exec(t, branch, f.run...)
	var err error
	if p.gained, err = migration.Gained(p.spec, p.base, read(t, branch, p.spec)); err != nil {
		t.Fatal(err)
	}
	return p
}

func fixtureOf(t testing.TB, tool string) fixture {
	t.Helper()
	for _, f := range fixtures {
		if f.tool == tool {
			return f
		}
	}
	t.Fatalf("no fixture of %s", tool)
	return fixture{}
}

// What others did to production between the start of the run and its swap.
func TestSwapMeetsOthers(t *testing.T) {
	insert := "INSERT INTO migrations (id, name, batch, migration_time) VALUES "
	for _, tc := range []struct {
		name, tool string
		others     []string
		result     migration.SwapResult
		diff       []string // of the drift, nil for none
		after      []string // rows of fixture.query
	}{
		{
			name: "another key in a log is merged, ids stay in order", tool: "knex",
			others: []string{insert + "(4, '20230501_other.js', 3, '2024-05-01 00:00:00')"},
			result: migration.SwapResult{Written: 2, Merged: 1},
			after: []string{"20230101090000_users.js 1 2023-01-01 09:00:10", "20230301090000_orders.js 2 2023-03-01 09:00:11",
				"20230501_other.js 3 2024-05-01 00:00:00", "20240101090000_notes.js 3 2024-06-01 10:00:00", "20240201090000_tags.js 3 2024-06-01 10:00:01"},
		},
		{
			name: "the platform's copy wrote the rows", tool: "knex",
			others: []string{insert + "(4, '20240101090000_notes.js', 3, '2024-06-01 10:00:00'), (5, '20240201090000_tags.js', 3, '2024-06-01 10:00:01')"},
			result: migration.SwapResult{AlreadyThere: 2},
		},
		{
			name: "one of them, under another number", tool: "knex",
			others: []string{insert + "(9, '20240101090000_notes.js', 3, '2024-06-01 10:00:00')"},
			result: migration.SwapResult{Written: 1, AlreadyThere: 1},
			after: []string{"20230101090000_users.js 1 2023-01-01 09:00:10", "20230301090000_orders.js 2 2023-03-01 09:00:11",
				"20240201090000_tags.js 3 2024-06-01 10:00:01", "20240101090000_notes.js 3 2024-06-01 10:00:00"},
		},
		{
			name: "our key with another content", tool: "knex",
			others: []string{insert + "(4, '20240101090000_notes.js', 9, NULL)"},
			diff: []string{"~ id=4 name=20240101090000_notes.js batch=3 migration_time=2024-06-01 10:00:00" +
				" => id=4 name=20240101090000_notes.js batch=9 migration_time=NULL"},
		},
		{
			name: "a row is gone", tool: "knex",
			others: []string{"DELETE FROM migrations WHERE id = 3"},
			diff:   []string{"- id=3 name=20230301090000_orders.js batch=2 migration_time=2023-03-01 09:00:11"},
		},
		{
			name: "a row has changed", tool: "knex",
			others: []string{"UPDATE migrations SET name = 'renamed.js' WHERE id = 3"},
			diff: []string{"~ id=3 name=20230301090000_orders.js batch=2 migration_time=2023-03-01 09:00:11" +
				" => id=3 name=renamed.js batch=2 migration_time=2023-03-01 09:00:11"},
		},
		{
			name: "a row was written again", tool: "knex",
			others: []string{"DELETE FROM migrations WHERE id = 3", insert + "(8, '20230301090000_orders.js', 3, NULL)"},
			diff: []string{"~ id=3 name=20230301090000_orders.js batch=2 migration_time=2023-03-01 09:00:11" +
				" => id=8 name=20230301090000_orders.js batch=3 migration_time=NULL"},
		},
		{
			name: "a row was doubled", tool: "knex",
			others: []string{insert + "(8, '20230301090000_orders.js', 3, NULL)"},
			diff:   []string{"+ id=8 name=20230301090000_orders.js batch=3 migration_time=NULL"},
		},
		{
			name: "everything is gone", tool: "laravel",
			others: []string{"TRUNCATE TABLE migrations"},
			diff: []string{"- id=1 migration=2014_10_12_000000_create_users_table batch=1",
				"- id=2 migration=2019_08_19_000000_create_failed_jobs_table batch=1"},
		},
		{
			name: "dbmate, another version", tool: "dbmate",
			others: []string{"INSERT INTO schema_migrations VALUES ('20250101')"},
			result: migration.SwapResult{Written: 2, Merged: 1},
			after:  []string{"001", "1", "20230101000000", "20230401000000", "20240101000000", "20250101"},
		},
		{
			name: "rails, one of ours in an old spelling", tool: "rails",
			others: []string{"INSERT INTO schema_migrations VALUES ('020240101000000')"},
			diff:   []string{"~ version=20240101000000 => version=020240101000000"},
		},
		{
			name: "goose, a further row for an applied version", tool: "goose",
			others: []string{"INSERT INTO goose_db_version VALUES (8, 2, 0, NULL)"},
			diff:   []string{"+ id=8 version_id=2 is_applied=0 tstamp=NULL"},
		},
		{
			name: "a pointer between start and ours is advanced", tool: "golang-migrate",
			others: []string{"UPDATE schema_migrations SET version = 3"},
			result: migration.SwapResult{Written: 1, Merged: 1},
			after:  []string{"10 0"},
		},
		{
			name: "a pointer at ours is done", tool: "golang-migrate",
			others: []string{"UPDATE schema_migrations SET version = 10"},
			result: migration.SwapResult{AlreadyThere: 1},
		},
		{
			name: "a pointer beyond ours is done", tool: "golang-migrate",
			others: []string{"UPDATE schema_migrations SET version = 11"},
			result: migration.SwapResult{AlreadyThere: 1},
			after:  []string{"11 0"},
		},
		{
			name: "a pointer behind the start is not touched", tool: "golang-migrate",
			others: []string{"UPDATE schema_migrations SET version = 1"},
			diff:   []string{"~ version=2 dirty=0 => version=1 dirty=0"},
		},
		{
			name: "a pointer that is gone", tool: "golang-migrate",
			others: []string{"DELETE FROM schema_migrations"},
			diff:   []string{"- version=2 dirty=0"},
		},
		{
			name: "two pointers", tool: "golang-migrate",
			others: []string{"INSERT INTO schema_migrations VALUES (3, 0)"},
			diff:   []string{"- version=2 dirty=0", "+ version=2 dirty=0", "+ version=3 dirty=0"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := prepare(t, fixtureOf(t, tc.tool))
			exec(t, p.production, tc.others...)
			before := table(t, p.production, p.fixture.query)
			result, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
			equal(t, "result", result, tc.result)
			after := table(t, p.production, p.fixture.query)
			if tc.diff == nil {
				if err != nil {
					t.Fatal(err)
				}
				if tc.after == nil {
					tc.after = p.fixture.after
				}
				equal(t, "rows", after, tc.after)
				again, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
				if err != nil || again.Written != 0 {
					t.Errorf("again: %+v, %v", again, err)
				}
				return
			}
			var drift *migration.DriftError
			if !errors.As(err, &drift) {
				t.Fatalf("got %v, want a DriftError", err)
			}
			equal(t, "diff", strings.Split(strings.TrimSuffix(drift.Diff(), "\n"), "\n"), tc.diff)
			if !strings.Contains(drift.Hint(), "run pmig apply again") || !strings.Contains(drift.Error(), drift.Table) {
				t.Errorf("%v, hint %q", drift, drift.Hint())
			}
			equal(t, "rows of a refused swap", after, before)
		})
	}
}

func TestSwapRefusesDirtyPointers(t *testing.T) {
	p := prepare(t, fixtureOf(t, "golang-migrate"))
	dirty := p.gained
	dirty.Update = []migration.Edit{{Before: p.gained.Update[0].Before, After: migration.Row{migration.Text("10"), migration.Text("1")}}}
	var e *migration.DirtyError
	if _, err := migration.Swap(t.Context(), p.production, p.spec, p.base, dirty, migration.SwapOptions{}); !errors.As(err, &e) || e.Key != "10" {
		t.Errorf("a dirty branch: %v", err)
	}
	exec(t, p.production, "UPDATE schema_migrations SET dirty = 1")
	if _, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); !errors.As(err, &e) || e.Key != "2" || e.Hint() == "" {
		t.Errorf("a dirty production: %v", err)
	}
	equal(t, "rows", table(t, p.production, p.fixture.query), []string{"2 1"})
}

func TestPointersDoNotGoBack(t *testing.T) {
	p := prepare(t, fixtureOf(t, "golang-migrate"))
	swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
	now := read(t, p.production, p.spec)
	var back *migration.BackwardError
	if _, err := migration.Gained(p.spec, now, p.base); !errors.As(err, &back) || back.From != "10" || back.To != "2" {
		t.Errorf("a branch that went back: %v", err)
	}
	if _, err := migration.Swap(t.Context(), p.production, p.spec, now, p.gained.Inverse(), migration.SwapOptions{}); !errors.As(err, &back) {
		t.Errorf("a swap that goes back: %v", err)
	}
	equal(t, "rows", table(t, p.production, p.fixture.query), p.fixture.after)
}

// Taking a deployment back takes back exactly the rows that it wrote.
func TestInverse(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.tool+" "+f.table, func(t *testing.T) {
			p := prepare(t, f)
			swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
			back := roundTrip(t, p.gained.Inverse())
			for i := range 2 {
				r := swap(t, p.production, p.spec, nil, back, migration.SwapOptions{Back: true})
				if i == 0 && r.Written == 0 || i == 1 && r.Written != 0 {
					t.Errorf("time %d: %+v", i, r)
				}
			}
			equal(t, "rows", table(t, p.production, f.query), f.before)
		})
	}
	t.Run("rows that were given other numbers", func(t *testing.T) {
		p := prepare(t, fixtureOf(t, "knex"))
		exec(t, p.production, "INSERT INTO migrations VALUES (4, 'other.js', 3, NULL)")
		swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
		swap(t, p.production, p.spec, nil, p.gained.Inverse(), migration.SwapOptions{})
		equal(t, "rows", table(t, p.production, p.fixture.query), append(p.fixture.before, "other.js 3 NULL"))
	})
	t.Run("a pointer that is gone", func(t *testing.T) {
		p := prepare(t, fixtureOf(t, "golang-migrate"))
		exec(t, p.production, "DELETE FROM schema_migrations")
		var drift *migration.DriftError
		if _, err := migration.Swap(t.Context(), p.production, p.spec, nil, p.gained, migration.SwapOptions{}); !errors.As(err, &drift) || drift.Diff() != "- version=2 dirty=0\n" {
			t.Errorf("got %v, want a DriftError", err)
		}
	})
	t.Run("others have gone further", func(t *testing.T) {
		p := prepare(t, fixtureOf(t, "golang-migrate"))
		swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
		exec(t, p.production, "UPDATE schema_migrations SET version = 11")
		var drift *migration.DriftError
		if _, err := migration.Swap(t.Context(), p.production, p.spec, nil, p.gained.Inverse(), migration.SwapOptions{Back: true}); !errors.As(err, &drift) {
			t.Errorf("got %v, want a DriftError", err)
		}
	})
}

// Confirm sees the rows written and nobody else does; its refusal undoes them.
func TestSwapConfirms(t *testing.T) {
	p := prepare(t, fixtureOf(t, "knex"))
	reverted := errors.New("the deployment was reverted")
	calls := 0
	_, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{Confirm: func(context.Context) error {
		calls++
		equal(t, "rows that others see", table(t, p.production, p.fixture.query), p.fixture.before)
		other := connect(t, name(t, p.production), func(c *mysql.Config) { c.Params = map[string]string{"innodb_lock_wait_timeout": "1"} })
		var refused *mysql.MySQLError
		if _, err := other.Exec("INSERT INTO migrations (name) VALUES ('late.js')"); !errors.As(err, &refused) || refused.Number != 1205 {
			t.Errorf("another writer got in: %v", err)
		}
		return reverted
	}})
	if err != reverted || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	equal(t, "rows", table(t, p.production, p.fixture.query), p.fixture.before)

	// An error that looks like one of the server's is still the caller's.
	_, err = migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{Confirm: func(context.Context) error {
		calls++
		return &mysql.MySQLError{Number: 1213}
	}})
	if err == nil || calls != 2 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{Confirm: func(context.Context) error { return nil }})
	swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{Confirm: func(context.Context) error {
		t.Error("asked with nothing to write")
		return nil
	}})
}

// The rows keep the ids of the branch where they are free, and their order in
// any case; a copy by missing ids that comes later finds nothing to do.
func TestSwapKeepsIDs(t *testing.T) {
	insert := "INSERT INTO migrations (id, name) VALUES "
	for _, tc := range []struct {
		name   string
		others string
		want   []string // id and name of the new rows
	}{
		{"all are free", "", []string{"4 n1", "5 n2", "9 n3"}},
		{"the first is taken", insert + "(4, 'x')", []string{"4 x", "5 n1", "6 n2", "9 n3"}},
		{"the second is taken", insert + "(5, 'x')", []string{"4 n1", "5 x", "6 n2", "9 n3"}},
		{"a run is taken", insert + "(4, 'x1'), (5, 'x2'), (6, 'x3'), (7, 'x4'), (8, 'x5')",
			[]string{"4 x1", "5 x2", "6 x3", "7 x4", "8 x5", "9 n1", "10 n2", "11 n3"}},
		{"others are far ahead", insert + "(100, 'x')", []string{"4 n1", "5 n2", "9 n3", "100 x"}},
		{"a copy has done the second", insert + "(5, 'n2')", []string{"4 n1", "5 n2", "9 n3"}},
		{"a copy has done the second by another id", insert + "(7, 'n2')", []string{"4 n1", "7 n2", "9 n3"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := fixtureOf(t, "knex")
			f.run = []string{insert + "(4, 'n1'), (5, 'n2'), (9, 'n3')"}
			p := prepare(t, f)
			if tc.others != "" {
				exec(t, p.production, tc.others)
			}
			swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
			equal(t, "rows", table(t, p.production, "SELECT id, name FROM migrations WHERE id > 3 ORDER BY id"), tc.want)
			if tc.name != "a copy has done the second by another id" {
				exec(t, p.production, "INSERT IGNORE INTO migrations (id, name) VALUES (4, 'n1'), (5, 'n2'), (9, 'n3')")
				equal(t, "rows after a copy", table(t, p.production, "SELECT id, name FROM migrations WHERE id > 3 ORDER BY id"), tc.want)
			}
			exec(t, p.production, "INSERT INTO migrations (name) VALUES ('next')")
			if last := scalar(t, p.production, "SELECT name FROM migrations ORDER BY id DESC LIMIT 1"); last != "next" {
				t.Errorf("the tool's next row sorts before %s", last)
			}
		})
	}
}

// Deletes and edits of a tool that rolled back and ran again.
func TestSwapOfEditsAndDeletes(t *testing.T) {
	f := fixtureOf(t, "knex")
	f.run = []string{
		"DELETE FROM migrations WHERE id = 1",
		"UPDATE migrations SET batch = 7 WHERE id = 3",
		"INSERT INTO migrations VALUES (12, '20230101090000_users.js', 8, NULL)",
	}
	p := prepare(t, f)
	if len(p.gained.Delete) != 1 || len(p.gained.Update) != 1 || len(p.gained.Insert) != 1 {
		t.Fatalf("gained %+v", p.gained)
	}
	want := []string{"20230301090000_orders.js 7 2023-03-01 09:00:11", "20230101090000_users.js 8 NULL"}
	for i := range 2 {
		r := swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
		if i == 0 && r.Written != 3 || i == 1 && (r.Written != 0 || r.AlreadyThere != 3) {
			t.Errorf("time %d: %+v", i, r)
		}
		equal(t, "rows", table(t, p.production, f.query), want)
	}

	// The row to change has been changed by others.
	p = prepare(t, f)
	exec(t, p.production, "UPDATE migrations SET batch = 5 WHERE id = 3")
	var drift *migration.DriftError
	if _, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); !errors.As(err, &drift) {
		t.Errorf("got %v, want a DriftError", err)
	}
	// So has the row to delete.
	p = prepare(t, f)
	exec(t, p.production, "UPDATE migrations SET batch = 5 WHERE id = 1")
	if _, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); !errors.As(err, &drift) {
		t.Errorf("got %v, want a DriftError", err)
	}
}
