package state_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pmig/pmig/emulator/vitess"
	"github.com/pmig/pmig/state"
)

// The contract behind a real Vitess that takes no DDL, as a production branch
// with safe migrations.
func TestContractOnVitess(t *testing.T) {
	binary := filepath.Join(os.Getenv("PMIG_TEST_TOOLS"), "bin", "vtcombo")
	if _, err := os.Stat(binary); err != nil {
		t.Skip("vtcombo is not installed")
	}
	var tables []string
	for _, table := range state.Tables("pmig_") {
		tables = append(tables, table.SQL)
	}
	s, err := vitess.Start(t.Context(), vitess.Options{Binary: binary, Dir: t.TempDir(), NoDirectDDL: true, Prepare: tables})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	db := openDSN(t, s.DSN(vitess.Keyspace))
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			for _, table := range state.Tables("pmig_") {
				must(t, db, "DELETE FROM "+table.Name)
			}
			p := inDatabase(t, db)
			p.child = "mysql:" + s.DSN(vitess.Keyspace)
			c.run(t, p)
		})
	}
}
