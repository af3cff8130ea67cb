package migration_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/pmig/pmig/migration"
)

const (
	gooseSQL  = "-- +goose Up\nCREATE TABLE a (id int);\n-- +goose Down\nDROP TABLE a;\n"
	dbmateSQL = "-- migrate:up\nCREATE TABLE a (id int);\n-- migrate:down\nDROP TABLE a;\n"
	plainSQL  = "CREATE TABLE a (id int);\n"
	knexJS    = "exports.up = (knex) => knex.schema.createTable('a', (t) => t.increments());\n"
	railsRB   = "class CreateA < ActiveRecord::Migration[7.1]\nend\n"
	laraPHP   = "<?php\nreturn new class extends Migration {};\n"
)

// folder makes a file system of names and contents.
func folder(pairs ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return m
}

func TestFiles(t *testing.T) {
	type problem struct {
		path     string
		severity migration.Severity
	}
	for _, tc := range []struct {
		name     string
		tool     string
		custom   *migration.Custom
		files    fstest.MapFS
		keys     []string
		paths    []string
		problems []problem
	}{
		{
			name: "knex keeps the extension and sorts names as text",
			tool: "knex",
			files: folder(
				"20240201100000_orders.ts", knexJS, "20240101100000_users.js", knexJS, "9_last.cjs", knexJS,
				"README.md", "", ".gitkeep", "", "types.d.ts", "", "20240301_x.mjs", "", "seeds/a.js", knexJS),
			keys: []string{"20240101100000_users.js", "20240201100000_orders.ts", "9_last.cjs", "types.d.ts"},
			problems: []problem{{"20240301_x.mjs", migration.Warning}, {"README.md", migration.Note}, {"seeds", migration.Note},
				{"types.d.ts", migration.Warning}},
		},
		{
			name: "golang-migrate takes numbers, and a version with only a down file",
			tool: "golang-migrate",
			files: folder(
				"10_c.up.sql", plainSQL, "10_c.down.sql", plainSQL, "0002_b.up.sql", plainSQL, "0002_b.down.sql", plainSQL,
				"1_a.b.up.sql", plainSQL, "7_gone.down.sql", plainSQL, "readme.txt", "", "99999999999999999999_x.up.sql", plainSQL,
				"18446744073709551615_x.up.sql", plainSQL),
			keys:  []string{"1", "2", "7", "10"},
			paths: []string{"1_a.b.up.sql", "0002_b.up.sql", "7_gone.down.sql", "10_c.up.sql"},
			problems: []problem{{"18446744073709551615_x.up.sql", migration.Error}, {"7_gone.down.sql", migration.Warning},
				{"99999999999999999999_x.up.sql", migration.Warning}, {"readme.txt", migration.Note}},
		},
		{
			name:     "golang-migrate rejects a version in two files",
			tool:     "golang-migrate",
			files:    folder("1_a.up.sql", plainSQL, "01_b.up.sql", plainSQL),
			keys:     []string{"1"},
			paths:    []string{"01_b.up.sql"},
			problems: []problem{{"1_a.up.sql", migration.Error}},
		},
		{
			name: "goose takes numbers before the first underscore",
			tool: "goose",
			files: folder(
				"00002_b.sql", gooseSQL, "00001_a.sql", gooseSQL, "20240101000000_c.go", "package m\nfunc init() { goose.AddMigration(nil, nil) }\n",
				"helper_test.go", "package m", "main.go", "package m", "notes.txt", ""),
			keys:     []string{"1", "2", "20240101000000"},
			problems: []problem{{"helper_test.go", migration.Note}, {"main.go", migration.Note}, {"notes.txt", migration.Note}},
		},
		{
			name: "goose fails on names and contents it can't parse",
			tool: "goose",
			files: folder("00001_a.sql", gooseSQL, "init.sql", gooseSQL, "0_zero.sql", gooseSQL, "x_y.sql", gooseSQL,
				"00003_plain.sql", plainSQL, "1_twice.sql", gooseSQL),
			keys:  []string{"1", "3"},
			paths: []string{"00001_a.sql", "00003_plain.sql"},
			problems: []problem{{"00003_plain.sql", migration.Error}, {"0_zero.sql", migration.Error}, {"1_twice.sql", migration.Error},
				{"init.sql", migration.Error}, {"x_y.sql", migration.Error}},
		},
		{
			name:     "dbmate keeps digits as text and sorts whole names",
			tool:     "dbmate",
			files:    folder("1_b.sql", dbmateSQL, "001_a.sql", dbmateSQL, "20240101.sql", dbmateSQL, "2_c.sql", plainSQL, "schema.sql", plainSQL),
			keys:     []string{"001", "1", "20240101", "2"},
			paths:    []string{"001_a.sql", "1_b.sql", "20240101.sql", "2_c.sql"},
			problems: []problem{{"2_c.sql", migration.Error}, {"schema.sql", migration.Note}},
		},
		{
			name: "rails takes integers from all folders",
			tool: "rails",
			files: folder("20240102030405_create_users.rb", railsRB, "003_add_name.rb", railsRB, "2024/20240202000000_create_orders.rb", railsRB,
				"20240303000000_create_blobs.active_storage.rb", railsRB, "20240404000000_Bad.rb", railsRB, "helper.rb", "",
				".hidden/1_x.rb", railsRB),
			keys:     []string{"3", "20240102030405", "20240202000000", "20240303000000"},
			problems: []problem{{"20240404000000_Bad.rb", migration.Error}, {"helper.rb", migration.Note}},
		},
		{
			name:     "rails fails on a version or a class that occurs twice",
			tool:     "rails",
			files:    folder("1_a_b.rb", railsRB, "01_c.rb", railsRB, "3_a__b.rb", railsRB),
			keys:     []string{"1", "3"},
			problems: []problem{{"1_a_b.rb", migration.Error}, {"3_a__b.rb", migration.Error}},
		},
		{
			name: "laravel drops .php",
			tool: "laravel",
			files: folder("2014_10_12_100000_create_users_table.php", laraPHP, "2014_10_12_000000_create_a.php", laraPHP,
				"helpers.php", laraPHP, ".php_cs.php", ""),
			keys:     []string{"2014_10_12_000000_create_a", "2014_10_12_100000_create_users_table"},
			problems: []problem{{"helpers.php", migration.Note}},
		},
		{
			name:     "custom takes the group, in numeric order",
			tool:     "custom",
			custom:   &migration.Custom{Key: []string{"version"}, File: `^V([0-9]+)__.*\.sql$`},
			files:    folder("V10__b.sql", "", "V9__a.sql", "", "other.sql", ""),
			keys:     []string{"9", "10"},
			problems: []problem{{"other.sql", migration.Note}},
		},
		{
			name:   "custom takes named groups for composite keys",
			tool:   "custom",
			custom: &migration.Custom{Key: []string{"app", "name"}, File: `^(?P<name>[a-z0-9_]+)@(?P<app>[a-z:]+)\.py$`},
			files:  folder("0001_initial@shop.py", "", "0001_initial@a:b.py", ""),
			keys:   []string{`a\:b:0001_initial`, "shop:0001_initial"},
		},
		{
			name:   "custom without a group takes the match",
			tool:   "custom",
			custom: &migration.Custom{Key: []string{"id"}, File: `^.*\.sql$`},
			files:  folder("b.sql", "", "a.sql", ""),
			keys:   []string{"a.sql", "b.sql"},
		},
		{name: "an empty folder has no migrations", tool: "knex", files: folder(".gitkeep", "")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := migration.Spec{Tool: tool(t, tc.tool), Custom: tc.custom, Table: "history"}
			files, problems, err := migration.Files(tc.files, spec)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "keys", keys(files), tc.keys)
			var got []problem
			for _, p := range problems {
				got = append(got, problem{p.Path, p.Severity})
			}
			if len(got) != len(tc.problems) {
				t.Errorf("problems: got %v, want %v", problems, tc.problems)
			} else {
				for i := range got {
					if got[i] != tc.problems[i] {
						t.Errorf("problem %d: got %v, want %v", i, problems[i], tc.problems[i])
					}
				}
			}
			for i, f := range files {
				if tc.paths != nil && f.Path != tc.paths[i] {
					t.Errorf("path of %s: got %s, want %s", f.Key, f.Path, tc.paths[i])
				}
				if f.Position != i || len(f.SHA256) != 64 || f.Size != int64(len(tc.files[f.Path].Data)) {
					t.Errorf("file %d: %+v", i, f)
				}
			}
		})
	}
}

// A folder of one tool, given to every other.
func TestFilesOfAnotherTool(t *testing.T) {
	folders := map[string]fs.FS{
		"knex":           folder("20240101000000_a.js", knexJS),
		"golang-migrate": folder("000001_a.up.sql", plainSQL, "000001_a.down.sql", plainSQL),
		"goose":          folder("00001_a.sql", gooseSQL),
		"dbmate":         folder("20240101000000_a.sql", dbmateSQL),
		"rails":          folder("20240101000000_create_a.rb", railsRB),
		"laravel":        folder("2024_01_01_000000_create_a.php", laraPHP),
	}
	for of, fsys := range folders {
		for _, asked := range migration.Tools() {
			if asked.Name == "custom" {
				continue
			}
			_, _, err := migration.Files(fsys, migration.Spec{Tool: asked})
			var wrong *migration.WrongToolError
			switch {
			case asked.Name == of && err != nil:
				t.Errorf("%s does not take its own folder: %v", of, err)
			case asked.Name != of && !errors.As(err, &wrong):
				t.Errorf("%s takes the folder of %s: %v", asked, of, err)
			case asked.Name != of && (wrong.Tool != asked.Name || wrong.Looks != of || wrong.Hint() == ""):
				t.Errorf("%s on the folder of %s: %v", asked, of, wrong)
			}
		}
	}
}

func TestFilesWithoutFolder(t *testing.T) {
	_, _, err := migration.Files(os.DirFS(filepath.Join(t.TempDir(), "gone")), migration.Spec{Tool: tool(t, "knex")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// A mounted ConfigMap shows every file as a link into a folder of dots.
func TestFilesThroughLinks(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "..2024_06_01")
	for _, step := range []error{
		os.Mkdir(data, 0o755),
		os.WriteFile(filepath.Join(data, "00001_a.sql"), []byte(gooseSQL), 0o644),
		os.Symlink("..2024_06_01", filepath.Join(dir, "..data")),
		os.Symlink("..data/00001_a.sql", filepath.Join(dir, "00001_a.sql")),
		os.Symlink("nowhere", filepath.Join(dir, "00002_b.sql")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	files, problems, err := migration.Files(os.DirFS(dir), migration.Spec{Tool: tool(t, "goose")})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "keys", keys(files), []string{"1"})
	if len(problems) != 1 || problems[0].Path != "00002_b.sql" || problems[0].Severity != migration.Warning {
		t.Errorf("problems: %v", problems)
	}
}

func TestSpecsThatCannotBe(t *testing.T) {
	custom := tool(t, "custom")
	for name, spec := range map[string]migration.Spec{
		"no tool":               {Table: "t"},
		"custom without a word": {Tool: custom, Table: "t"},
		"custom without table":  {Tool: custom, Custom: &migration.Custom{Key: []string{"v"}, File: "x"}},
		"described knex":        {Tool: tool(t, "knex"), Custom: &migration.Custom{Key: []string{"v"}, File: "x"}},
		"no key":                {Tool: custom, Table: "t", Custom: &migration.Custom{File: "x"}},
		"key twice":             {Tool: custom, Table: "t", Custom: &migration.Custom{Key: []string{"v", "V"}, File: "(x)(y)"}},
		"no pattern":            {Tool: custom, Table: "t", Custom: &migration.Custom{Key: []string{"v"}}},
		"bad pattern":           {Tool: custom, Table: "t", Custom: &migration.Custom{Key: []string{"v"}, File: "("}},
		"groups missing":        {Tool: custom, Table: "t", Custom: &migration.Custom{Key: []string{"a", "b"}, File: "(x)"}},
		"unknown shape":         {Tool: custom, Table: "t", Custom: &migration.Custom{Key: []string{"v"}, File: "x", Shape: "tree"}},
		"pointer of two":        {Tool: custom, Table: "t", Custom: &migration.Custom{Key: []string{"a", "b"}, File: "(x)(y)", Shape: migration.Pointer}},
	} {
		if _, _, err := migration.Files(folder(), spec); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTables(t *testing.T) {
	for _, tc := range []struct {
		tool, table   string
		tables, locks []string
	}{
		{"knex", "", []string{"knex_migrations", "knex_migrations_lock"}, []string{"knex_migrations_lock"}},
		{"knex", "migrations", []string{"migrations", "migrations_lock"}, []string{"migrations_lock"}},
		{"golang-migrate", "", []string{"schema_migrations"}, nil},
		{"goose", "", []string{"goose_db_version"}, nil},
		{"dbmate", "", []string{"schema_migrations"}, nil},
		{"rails", "", []string{"schema_migrations", "ar_internal_metadata"}, nil},
		{"rails", "shop_schema_migrations_v2", []string{"shop_schema_migrations_v2", "shop_ar_internal_metadata_v2"}, nil},
		{"laravel", "", []string{"migrations"}, nil},
	} {
		spec := migration.Spec{Tool: tool(t, tc.tool), Table: tc.table}
		equal(t, tc.tool+" tables", spec.Tables(), tc.tables)
		equal(t, tc.tool+" lock tables", spec.LockTables(), tc.locks)
	}
	if _, ok := migration.Lookup("Knex"); ok {
		t.Error("names of tools are exact")
	}
}
