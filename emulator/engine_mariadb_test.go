package emulator_test

import (
	"strings"
	"testing"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/emulator/mariadb"
)

// A clone's tables share a file, which compressed ones cannot; they come along all the same, and tables made later have files of
// their own again.
func TestCloneSharesFile(t *testing.T) {
	e := openEngine(t, mariaOrSkip(t), "")
	if err := e.Create(t.Context(), "main00000001", "shop"); err != nil {
		t.Fatal(err)
	}
	main := branchDB(t, e, "main00000001")
	must(t, main, "CREATE TABLE small (id int NOT NULL PRIMARY KEY, note text DEFAULT 'a;b') ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
		"CREATE TABLE plain (id int NOT NULL PRIMARY KEY)", "INSERT INTO small VALUES (1, 'one'), (2, 'two')")
	if err := e.Clone(t.Context(), "dev000000002", "main00000001", []string{"small"}); err != nil {
		t.Fatal(err)
	}
	dev := branchDB(t, e, "dev000000002")
	for _, table := range []string{"small", "plain"} {
		if want, got := rows(t, main, "SHOW CREATE TABLE "+table), rows(t, dev, "SHOW CREATE TABLE "+table); got != want {
			t.Errorf("%s became %s, want %s", table, got, want)
		}
	}
	if got := rows(t, dev, "SELECT id, note FROM small ORDER BY id"); got != "1|one\n2|two" {
		t.Errorf("rows: %s", got)
	}
	must(t, dev, "CREATE TABLE later (id int NOT NULL PRIMARY KEY)", "ALTER TABLE small ENGINE=InnoDB")
	if got := rows(t, dev, "SHOW VARIABLES LIKE 'innodb_file_per_table'"); !strings.HasSuffix(got, "|ON") {
		t.Error(got)
	}
}

// mariaOrSkip opens MariaDB engines, or skips the test where there is no server.
func mariaOrSkip(t *testing.T) opener {
	t.Helper()
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	return func(dir string) (emulator.Engine, error) { return emulator.NewMariaDB(dir) }
}
