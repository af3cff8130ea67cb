package migration_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator/vitess"
	"github.com/pmig/pmig/migration"
)

func startVitess(t *testing.T, o vitess.Options) (open func(keyspace string) *sql.DB) {
	t.Helper()
	o.Binary = filepath.Join(os.Getenv("PMIG_TEST_TOOLS"), "bin", "vtcombo")
	if _, err := os.Stat(o.Binary); err != nil {
		t.Skip("vtcombo is not installed")
	}
	o.Dir = t.TempDir()
	s, err := vitess.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return func(keyspace string) *sql.DB {
		db, err := sql.Open("mysql", s.DSN(keyspace))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
}

// The whole way of every tool's history through a real Vitess: read, seeded on
// a branch, compared, written back, written back once more, and taken back.
func TestHistoryOnVitess(t *testing.T) {
	open := startVitess(t, vitess.Options{})
	admin := open(vitess.Keyspace)
	for i, f := range fixtures {
		t.Run(f.tool+" "+f.table, func(t *testing.T) {
			place := func(role string) (*sql.DB, migration.Spec) {
				keyspace := fmt.Sprintf("%s%d", role, i)
				exec(t, admin, "CREATE DATABASE "+keyspace)
				t.Cleanup(func() { exec(t, admin, "DROP DATABASE "+keyspace) })
				spec := f.spec(t)
				spec.Database = keyspace
				db := open(keyspace)
				exec(t, db, f.create...)
				return db, spec
			}
			production, spec := place("production")
			branch, onBranch := place("branch")
			exec(t, production, f.applied...)
			base := read(t, production, spec)
			if err := migration.Seed(t.Context(), branch, onBranch, base); err != nil {
				t.Fatal(err)
			}
			equal(t, "rows on the branch", rowsOf(read(t, branch, onBranch)), rowsOf(base))
			exec(t, branch, f.run...)
			gained, err := migration.Gained(spec, base, read(t, branch, onBranch))
			if err != nil {
				t.Fatal(err)
			}
			first, err := migration.Swap(t.Context(), production, spec, base, gained, migration.SwapOptions{})
			if err != nil || first.Written == 0 {
				t.Fatalf("written back: %+v, %v", first, err)
			}
			equal(t, "production", table(t, production, f.query), f.after)
			again, err := migration.Swap(t.Context(), production, spec, base, gained, migration.SwapOptions{})
			if err != nil || again.Written != 0 {
				t.Errorf("written back again: %+v, %v", again, err)
			}
			if _, err := migration.Swap(t.Context(), production, spec, nil, gained.Inverse(), migration.SwapOptions{Back: true}); err != nil {
				t.Errorf("taken back: %v", err)
			}
			equal(t, "production as it was", table(t, production, f.query), f.before)
			if err := repairs(t, project{spec: spec, production: production, fixture: f}); err != nil {
				t.Errorf("repaired: %v", err)
			}
		})
	}
}

// A target with safe migrations takes the history all the same: nothing of it is DDL.
func TestHistoryWithoutDirectDDL(t *testing.T) {
	for _, tool := range []string{"knex", "golang-migrate"} {
		t.Run(tool, func(t *testing.T) {
			f := fixtureOf(t, tool)
			p := prepare(t, f)
			db := startVitess(t, vitess.Options{NoDirectDDL: true, Prepare: append(append([]string{}, f.create...), f.applied...)})(vitess.Keyspace)
			spec := f.spec(t)
			spec.Database = vitess.Keyspace
			base := read(t, db, spec)
			if res, err := migration.Swap(t.Context(), db, spec, base, p.gained, migration.SwapOptions{}); err != nil || res.Written == 0 {
				t.Errorf("written back: %+v, %v", res, err)
			}
			equal(t, "production", table(t, db, f.query), f.after)
			var refused *mysql.MySQLError
			if _, err := db.Exec("CREATE TABLE more (id BIGINT NOT NULL, PRIMARY KEY (id))"); !errors.As(err, &refused) || refused.Number != 1105 {
				t.Errorf("DDL: %v", err)
			}
		})
	}
}

// A history table in a sharded keyspace that has no vindex takes no row, which
// is said before the tool says it in words of its own; with one it is like others.
func TestHistoryInAShardedKeyspace(t *testing.T) {
	open := startVitess(t, vitess.Options{})
	f := fixtureOf(t, "dbmate")
	p := prepare(t, f)
	db := open(vitess.Sharded)
	exec(t, db, "ALTER VSCHEMA ON other ADD VINDEX xx(id) USING xxhash", "CREATE TABLE other (id bigint not null primary key)", f.create[0])
	var vindex *migration.VindexError
	if err := migration.Seed(t.Context(), db, p.spec, p.base); !errors.As(err, &vindex) || vindex.Table != "schema_migrations" {
		t.Fatalf("seed: got %v, want a VindexError", err)
	}
	if _, err := migration.Swap(t.Context(), db, p.spec, nil, p.gained, migration.SwapOptions{}); !errors.As(err, &vindex) {
		t.Fatalf("swap: got %v, want a VindexError", err)
	}
	exec(t, db, "ALTER VSCHEMA ON schema_migrations ADD VINDEX xx(version) USING xxhash")
	if err := migration.Seed(t.Context(), db, p.spec, p.base); err != nil {
		t.Fatal(err)
	}
	swap(t, db, p.spec, p.base, p.gained, migration.SwapOptions{})
	equal(t, "rows", table(t, db, f.query), f.after)
}
