package schema_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/emulator/vitess"
	"github.com/pmig/pmig/schema"
)

// A schema read through a real Vitess is the one that its server has.
func TestReadOnVitess(t *testing.T) {
	binary := filepath.Join(os.Getenv("PMIG_TEST_TOOLS"), "bin", "vtcombo")
	if _, err := os.Stat(binary); err != nil {
		t.Skip("vtcombo is not installed")
	}
	s, err := vitess.Start(t.Context(), vitess.Options{Binary: binary, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	through := open(t, s.DSN(vitess.Keyspace))
	exec(t, through,
		"CREATE TABLE users (id bigint unsigned NOT NULL AUTO_INCREMENT, name varchar(100) NOT NULL DEFAULT 'it''s', data json, made timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (id), UNIQUE KEY by_name (name))",
		"CREATE TABLE orders (id bigint NOT NULL, user bigint unsigned, total decimal(10,2) NOT NULL DEFAULT 0, kind enum('a','b') DEFAULT 'a', PRIMARY KEY (id), KEY by_user (user), CONSTRAINT owner FOREIGN KEY (user) REFERENCES users (id))",
		"CREATE TABLE parts (id int NOT NULL, year int NOT NULL, PRIMARY KEY (id, year)) PARTITION BY RANGE (year) (PARTITION p0 VALUES LESS THAN (2020), PARTITION p1 VALUES LESS THAN MAXVALUE)",
		"CREATE VIEW named AS SELECT id, name FROM users WHERE name <> ''",
	)
	behind := open(t, s.BackendDSN(vitess.Keyspace))
	exec(t, behind, "CREATE TABLE _vt_hld_6ace8bcef73211ea87e9f875a4d24e90_20260101000000_ (id int NOT NULL, PRIMARY KEY (id))") // as online DDL leaves them
	got, err := schema.Read(t.Context(), through, vitess.Keyspace)
	if err != nil {
		t.Fatal(err)
	}
	want, err := schema.Read(t.Context(), behind, vitess.Keyspace)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tables) != 4 {
		t.Errorf("%d tables and views, want 4", len(got.Tables))
	}
	if got.Digest() != want.Digest() {
		t.Error(cmp.Diff(want, got))
	}
}
