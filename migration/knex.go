package migration

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// knex keeps a log with batches. Sources: knex/knex
// lib/migrations/migrate/{Migrator,table-creator}.js, sources/fs-migrations.js.
var knex = Tool{
	Name:    "knex",
	Table:   "knex_migrations",
	Command: []string{"npx", "knex", "migrate:latest"},
	Shape:   Log,
	Orphans: Refuses, // "The migration directory is corrupt"
	Late:    Runs,
	Empty:   Runs,

	key:   []string{"name"},
	order: byText,
	needs: []need{
		{"name", []kind{textKind}},
		{"batch", []kind{intKind}},
		{"migration_time", []kind{timeKind}},
	},
	aux: []aux{{
		name:   func(history string) string { return history + "_lock" },
		policy: ResetPolicy,
		needs:  []need{{"index", []kind{intKind}}, {"is_locked", []kind{intKind}}},
		rest:   knexUnlocked,
		locked: knexLocked,
	}},
	mark: func(columns []Column, rows []Row, now time.Time) map[string]Value {
		return map[string]Value{"batch": nextBatch(columns, rows, "batch"), "migration_time": clock(now)}
	},
	collect: knexFiles,
	claims:  func(e entry) bool { return slices.Contains(knexExtensions, nodeExtension(e.base)) },
}

// knexExtensions are those that knex loads unless loadExtensions says more.
var knexExtensions = []string{".co", ".coffee", ".eg", ".iced", ".js", ".cjs", ".litcoffee", ".ls", ".ts"}

// knexFiles takes every file with one of the extensions: knex has no pattern
// for names, and a name keeps its extension in the history.
func knexFiles(_ Spec, entries []entry) ([]File, []Problem) {
	var files []File
	var problems []Problem
	for _, e := range entries {
		switch ext := nodeExtension(e.base); {
		case slices.Contains(knexExtensions, ext):
			files = append(files, e.file(e.base))
			if strings.HasSuffix(e.base, ".d.ts") {
				problems = append(problems, Problem{e.path, "is a declaration file, but knex loads it as a migration", Warning})
			}
		case ext == ".mjs":
			problems = append(problems, Problem{e.path, "is passed over unless the knexfile's loadExtensions names .mjs", Warning})
		default:
			problems = append(problems, passedOver(e, "has no extension that knex loads")...)
		}
	}
	return files, problems
}

// nodeExtension is path.extname of Node.js: a leading dot starts no extension.
func nodeExtension(base string) string {
	i := strings.LastIndexByte(base, '.')
	if i <= 0 {
		return ""
	}
	return base[i:]
}

// knexUnlocked is the one row that knex wants to find: it takes its lock by
// changing exactly one row from 0 to 1.
func knexUnlocked(columns []Column, rows []Row) []Row {
	row := make(Row, len(columns))
	if len(rows) > 0 {
		copy(row, rows[0])
	} else if i := columnIndex(columns, "index"); i >= 0 {
		row[i] = Text("1")
	}
	row[columnIndex(columns, "is_locked")] = Text("0")
	return []Row{row}
}

// knexLocked finds the states in which knex refuses to run: a row that is
// locked, or more than one row.
func knexLocked(table string, columns []Column, rows []Row) string {
	for _, r := range rows {
		if v := (rowView{columns, r}).value("is_locked"); v.Text() != "0" && !v.IsNull() {
			return fmt.Sprintf("%s.is_locked = %s", table, v)
		}
	}
	if len(rows) > 1 {
		return fmt.Sprintf("%d rows in %s, where knex wants one", len(rows), table)
	}
	return ""
}
