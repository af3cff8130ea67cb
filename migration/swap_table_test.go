package migration_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/migration"
)

// A history table that the deployment creates may show up late.
func TestSwapWaitsForTheTable(t *testing.T) {
	f := fixtureOf(t, "dbmate")
	spec := f.spec(t)
	production, branch := database(t), database(t)
	exec(t, branch, f.create...)
	none := read(t, branch, spec)
	none.Exists, none.Columns = false, nil
	exec(t, branch, f.applied...)
	gained, err := migration.Gained(spec, none, read(t, branch, spec))
	if err != nil {
		t.Fatal(err)
	}
	created := make(chan error, 1)
	go func() {
		time.Sleep(400 * time.Millisecond)
		_, err := production.Exec(f.create[0])
		created <- err
	}()
	result, err := migration.Swap(t.Context(), production, spec, none, gained, migration.SwapOptions{})
	if err := errors.Join(err, <-created); err != nil {
		t.Fatal(err)
	}
	if result.Written != 3 {
		t.Errorf("%+v", result)
	}

	exec(t, production, "DROP TABLE schema_migrations")
	start := time.Now()
	var missing *migration.MissingTableError
	if _, err := migration.Swap(t.Context(), production, spec, none, gained, migration.SwapOptions{TableWait: 300 * time.Millisecond}); !errors.As(err, &missing) {
		t.Errorf("got %v, want a MissingTableError", err)
	}
	if d := time.Since(start); d < 300*time.Millisecond || d > 5*time.Second {
		t.Errorf("waited %v", d)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("told to stop"))
	defer cancel()
	if _, err := migration.Swap(ctx, production, spec, none, gained, migration.SwapOptions{}); err == nil || !strings.Contains(err.Error(), "told to stop") {
		t.Errorf("interrupted: %v", err)
	}
	// A table that was there at the start does not come back.
	none.Exists, gained.Creates = true, false
	start = time.Now()
	if _, err := migration.Swap(t.Context(), production, spec, none, gained, migration.SwapOptions{}); !errors.As(err, &missing) || time.Since(start) > time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

// A table or a column that the server lists may be unknown to the gate that the
// write goes through, for a while.
func TestSwapWaitsForGates(t *testing.T) {
	for _, tc := range []struct {
		name   string
		number int
		base   func(*migration.History)
		typed  bool
	}{
		{"the table", 1146, func(h *migration.History) { h.Exists, h.Columns, h.Rows = false, nil, nil }, true},
		{"a column", 1054, func(h *migration.History) {
			h.Columns, h.Rows = h.Columns[:2], slices.Clone(h.Rows)
			for i := range h.Rows {
				h.Rows[i] = h.Rows[i][:2]
			}
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := prepare(t, fixtureOf(t, "laravel"))
			old := *p.base
			tc.base(&old)
			if !old.Exists {
				exec(t, p.production, "DELETE FROM migrations")
			}
			refuse := fmt.Sprintf("CREATE TRIGGER gate BEFORE INSERT ON migrations FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = %d, MESSAGE_TEXT = 'not here yet'", tc.number)
			exec(t, p.production, refuse)
			start := time.Now()
			_, err := migration.Swap(t.Context(), p.production, p.spec, &old, p.gained, migration.SwapOptions{TableWait: 300 * time.Millisecond})
			var missing *migration.MissingTableError
			var refused *mysql.MySQLError
			if d := time.Since(start); d < 300*time.Millisecond || d > 5*time.Second {
				t.Errorf("waited %v", d)
			}
			if tc.typed && !errors.As(err, &missing) || !tc.typed && (!errors.As(err, &refused) || int(refused.Number) != tc.number) {
				t.Errorf("got %v", err)
			}
			opened := make(chan error, 1)
			go func() {
				time.Sleep(300 * time.Millisecond)
				_, err := p.production.Exec("DROP TRIGGER gate")
				opened <- err
			}()
			r := swap(t, p.production, p.spec, &old, p.gained, migration.SwapOptions{})
			if err := <-opened; err != nil || r.Written != 1 {
				t.Errorf("%+v, %v", r, err)
			}
			// For what was there at the start nobody waits.
			exec(t, p.production, "DELETE FROM migrations WHERE batch = 2", refuse)
			start = time.Now()
			if _, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); err == nil || time.Since(start) > time.Second {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		})
	}
}

// Values for a column that production does not have are not dropped in silence.
func TestSwapMissesAColumn(t *testing.T) {
	f := fixtureOf(t, "laravel")
	f.run = append([]string{"ALTER TABLE migrations ADD COLUMN took int, ADD COLUMN spare int", "UPDATE migrations SET took = id * 10 WHERE id = 2"}, f.run...)
	p := prepare(t, f)
	var column *migration.MissingColumnError
	if _, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{TableWait: -1}); !errors.As(err, &column) || column.Column != "took" || column.Hint() == "" {
		t.Fatalf("got %v, want a MissingColumnError for took", err)
	}
	equal(t, "rows", table(t, p.production, f.query), f.before)
	added := make(chan error, 1)
	go func() {
		time.Sleep(300 * time.Millisecond)
		_, err := p.production.Exec("ALTER TABLE migrations ADD COLUMN took int")
		added <- err
	}()
	swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", table(t, p.production, "SELECT id, took FROM migrations ORDER BY id"), []string{"1 NULL", "2 20", "3 NULL"})

	// One that production had and lost does not come back.
	p = prepare(t, fixtureOf(t, "laravel"))
	exec(t, p.production, "ALTER TABLE migrations ADD COLUMN note varchar(9), RENAME COLUMN batch TO party")
	var shape *migration.ShapeError
	if _, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); !errors.As(err, &shape) {
		t.Errorf("got %v, want a ShapeError", err)
	}
}

// Vitess takes no row for a table of a sharded keyspace without a vindex.
func TestVindexIsMissing(t *testing.T) {
	p := prepare(t, fixtureOf(t, "laravel"))
	for _, says := range []string{
		"MYSQL_ERRNO = 1173, MESSAGE_TEXT = 'table ''migrations'' does not have a primary vindex'",
		"MYSQL_ERRNO = 1105, MESSAGE_TEXT = 'VT09001: table ''migrations'' does not have a primary vindex'",
		"MYSQL_ERRNO = 1105, MESSAGE_TEXT = 'table migrations not found'",
	} {
		exec(t, p.production, "CREATE OR REPLACE TRIGGER sharded BEFORE INSERT ON migrations FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET "+says)
		start := time.Now()
		var vindex *migration.VindexError
		_, err := migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
		if !errors.As(err, &vindex) || vindex.Table != "migrations" || !strings.Contains(vindex.Hint(), "keyspace") || time.Since(start) > time.Second {
			t.Errorf("swap: got %v after %v, want a VindexError", err, time.Since(start))
		}
		exec(t, p.production, "DELETE FROM migrations")
		if err := migration.Seed(t.Context(), p.production, p.spec, p.base); !errors.As(err, &vindex) {
			t.Errorf("seed: got %v, want a VindexError", err)
		}
		exec(t, p.production, "DROP TRIGGER sharded", p.fixture.applied[0])
	}
}

// The deployment may have altered the history table, or not yet.
func TestSwapWritesSharedColumns(t *testing.T) {
	p := prepare(t, fixtureOf(t, "laravel"))
	exec(t, p.production, "ALTER TABLE migrations ADD COLUMN note varchar(20) NOT NULL DEFAULT 'none' FIRST")
	swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
	equal(t, "rows", table(t, p.production, "SELECT note, migration FROM migrations WHERE id = 3"), []string{"none 2024_01_01_000000_create_notes_table"})

	// The tool adds a column on the branch and fills it, as some do when they are
	// upgraded.
	f := fixtureOf(t, "laravel")
	f.run = append([]string{"ALTER TABLE migrations ADD COLUMN took int", "UPDATE migrations SET took = id * 10 WHERE id = 2"}, f.run...)
	p = prepare(t, f)
	if len(p.gained.Update) != 1 || len(p.gained.Insert) != 1 {
		t.Fatalf("gained %+v", p.gained)
	}
	exec(t, p.production, "ALTER TABLE migrations ADD COLUMN took int")
	swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{})
	equal(t, "rows", table(t, p.production, "SELECT id, took FROM migrations ORDER BY id"), []string{"1 NULL", "2 20", "3 NULL"})
	if r := swap(t, p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); r.Written != 0 || r.AlreadyThere != 2 {
		t.Errorf("again: %+v", r)
	}
}
