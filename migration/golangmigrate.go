package migration

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// golangMigrate keeps a pointer. Sources: golang-migrate/migrate
// database/mysql/mysql.go, source/parse.go, source/migration.go, migrate.go.
var golangMigrate = Tool{
	Name:      "golang-migrate",
	Table:     "schema_migrations",
	InProcess: true,
	Shape:     Pointer,
	Orphans:   Refuses, // only when the pointer's own file is absent
	Late:      Skips,   // a gap file below the pointer is never run
	Empty:     Runs,

	key:   []string{"version"},
	order: byNumber,
	needs: []need{
		{"version", []kind{intKind}},
		{"dirty", []kind{intKind}},
	},
	dirty: func(v rowView) bool { d := v.value("dirty"); return !d.IsNull() && d.Text() != "0" },
	clean: func(columns []Column, row Row) Row {
		row = slices.Clone(row)
		row[columnIndex(columns, "dirty")] = Text("0")
		return row
	},
	collect: golangMigrateFiles,
	claims: func(e entry) bool {
		return golangMigrateName.MatchString(e.base) && !gooseUp.Match(e.content) && !dbmateUp.Match(e.content)
	},
}

// golangMigrateName is the tool's own expression.
var golangMigrateName = regexp.MustCompile(`^([0-9]+)_(.*)\.(down|up)\.(.*)$`)

// golangMigrateFiles pairs up and down files. A version that has only a down
// file is run as an empty step and moves the pointer, so it is listed too.
func golangMigrateFiles(_ Spec, entries []entry) ([]File, []Problem) {
	var files []File
	var problems []Problem
	ups, downs := map[string]entry{}, map[string]entry{}
	for _, e := range entries {
		m := golangMigrateName.FindStringSubmatch(e.base)
		if m == nil {
			problems = append(problems, passedOver(e, "is not named N_title.up.ext, golang-migrate passes over it")...)
			continue
		}
		n, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			problems = append(problems, Problem{e.path, "has a version number that is too large, golang-migrate passes over it", Warning})
			continue
		}
		if n > 1<<63-1 {
			problems = append(problems, Problem{e.path, "has a version number that does not fit into the history table", Error})
			continue
		}
		key, side := strconv.FormatUint(n, 10), ups
		if m[3] == "down" {
			side = downs
		}
		if other, twice := side[key]; twice {
			problems = append(problems, Problem{e.path, fmt.Sprintf("has the version %s of %s", key, other.path), Error})
			continue
		}
		side[key] = e
		if m[3] == "up" {
			files = append(files, e.file(key))
		}
	}
	for _, key := range sortedKeys(downs) {
		if _, paired := ups[key]; !paired {
			e := downs[key]
			files = append(files, e.file(key))
			problems = append(problems, Problem{e.path, "has no up file, golang-migrate runs its version as an empty step", Warning})
		}
	}
	return files, problems
}
