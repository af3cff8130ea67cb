package migration

import (
	"regexp"
)

// dbmate keeps a log of version texts. Sources: amacneil/dbmate
// pkg/driver/mysql/mysql.go, pkg/dbmate/{db,migration}.go.
var dbmate = Tool{
	Name:    "dbmate",
	Table:   "schema_migrations",
	Command: []string{"dbmate", "--no-dump-schema", "migrate"},
	Shape:   Log,
	Orphans: Ignores,
	Late:    Runs, // unless --strict
	Empty:   Runs,

	key:      []string{"version"},
	order:    byText,
	needs:    []need{{"version", []kind{textKind}}},
	collect:  dbmateFiles,
	sortName: true,
	claims:   func(e entry) bool { return dbmateName.MatchString(e.base) && dbmateUp.Match(e.content) },
}

var (
	dbmateName = regexp.MustCompile(`^(\d+).*\.sql$`)
	dbmateUp   = regexp.MustCompile(`(?m)^--\s*migrate:up(\s*$|\s+\S+)`)
)

// dbmateFiles takes the leading digits as text: 001 and 1 are two versions.
func dbmateFiles(_ Spec, entries []entry) ([]File, []Problem) {
	var files []File
	var problems []Problem
	for _, e := range entries {
		m := dbmateName.FindStringSubmatch(e.base)
		if m == nil {
			problems = append(problems, passedOver(e, "is not named N*.sql, dbmate passes over it")...)
			continue
		}
		if !dbmateUp.Match(e.content) {
			problems = append(problems, Problem{e.path, "has no `-- migrate:up` line, which makes dbmate fail", Error})
		}
		files = append(files, e.file(m[1]))
	}
	return files, problems
}
