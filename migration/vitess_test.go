package migration_test

import (
	"strings"
	"testing"
	"time"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/pmig/pmig/migration"
)

// Every statement that this package sends is one that Vitess can parse. They are
// taken from the server's own log.
func TestStatementsParseOnVitess(t *testing.T) {
	parser := sqlparser.NewTestParser()
	for _, f := range fixtures {
		t.Run(f.tool+" "+f.table, func(t *testing.T) {
			p := prepare(t, f)
			p.spec.Database = name(t, p.production)
			branch := database(t)
			exec(t, branch, f.create...)
			exec(t, branch, f.run...)
			log := connect(t, "")
			exec(t, log, "SET GLOBAL log_output = 'TABLE'", "TRUNCATE TABLE mysql.general_log", "SET GLOBAL general_log = ON")
			var err error
			for range 2 {
				if _, err = migration.Swap(t.Context(), p.production, p.spec, p.base, p.gained, migration.SwapOptions{}); err != nil {
					break
				}
			}
			if err == nil {
				_, err = migration.Swap(t.Context(), p.production, p.spec, nil, p.gained.Inverse(), migration.SwapOptions{Back: true})
			}
			branchSpec := p.spec
			branchSpec.Database = ""
			if err == nil {
				err = migration.Seed(t.Context(), branch, branchSpec, p.base)
			}
			if err == nil {
				err = repairs(t, p)
			}
			exec(t, log, "SET GLOBAL general_log = OFF")
			if err != nil {
				t.Fatal(err)
			}
			verbs := map[string]int{}
			for _, statement := range table(t, log, "SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Prepare') AND argument NOT LIKE '%GLOBAL%'") {
				if _, err := parser.Parse(statement); err != nil {
					t.Errorf("%s: %v", statement, err)
				}
				verbs[strings.ToUpper(strings.Fields(statement)[0])]++
			}
			t.Log(verbs)
			for _, verb := range []string{"SET", "START", "SELECT", "COMMIT"} {
				if verbs[verb] == 0 {
					t.Errorf("no %s in the log: %v", verb, verbs)
				}
			}
			if verbs["INSERT"]+verbs["UPDATE"] == 0 {
				t.Errorf("nothing was written: %v", verbs)
			}
		})
	}
}

// repairs takes the last migration out of a history and puts it in again.
func repairs(t testing.TB, p project) error {
	files, _, err := migration.Files(p.fixture.files, p.spec)
	if err != nil {
		return err
	}
	applied := migration.Compare(p.spec, files, read(t, p.production, p.spec)).Applied
	last := []string{applied[len(applied)-1].Key}
	for _, r := range []migration.Repair{{Unmark: last, Unlock: true}, {Mark: last}} {
		seen := read(t, p.production, p.spec)
		want, err := migration.Repaired(p.spec, files, seen, r, time.Now())
		if err != nil {
			return err
		}
		if err := migration.Rewrite(t.Context(), p.production, p.spec, seen, want); err != nil {
			return err
		}
	}
	return nil
}
