package migration

import (
	"strings"
	"time"
)

// laravel keeps a log with batches. Sources: laravel/framework
// src/Illuminate/Database/Migrations/{DatabaseMigrationRepository,Migrator}.php.
var laravel = Tool{
	Name:    "laravel",
	Table:   "migrations",
	Command: []string{"php", "artisan", "migrate", "--force", "--no-interaction"},
	Shape:   Log,
	Orphans: Ignores,
	Late:    Runs,
	Empty:   Runs, // and with a schema dump in database/schema it loads that first
	CAEnv:   []string{"MYSQL_ATTR_SSL_CA"},

	key:   []string{"migration"},
	order: byText,
	needs: []need{
		{"migration", []kind{textKind}},
		{"batch", []kind{intKind}},
	},
	mark: func(columns []Column, rows []Row, _ time.Time) map[string]Value {
		return map[string]Value{"batch": nextBatch(columns, rows, "batch")}
	},
	collect: laravelFiles,
	claims:  func(e entry) bool { return laravelGlob(e.base) },
}

// laravelGlob is PHP's glob("*_*.php").
func laravelGlob(base string) bool {
	name, isPHP := strings.CutSuffix(base, ".php")
	return isPHP && strings.Contains(name, "_") && !strings.HasPrefix(base, ".")
}

// laravelFiles takes *_*.php; the key is the name with every ".php" removed.
func laravelFiles(_ Spec, entries []entry) ([]File, []Problem) {
	var files []File
	var problems []Problem
	for _, e := range entries {
		if !laravelGlob(e.base) {
			problems = append(problems, passedOver(e, "is not named *_*.php, Laravel passes over it")...)
			continue
		}
		files = append(files, e.file(strings.ReplaceAll(e.base, ".php", "")))
	}
	return files, problems
}
