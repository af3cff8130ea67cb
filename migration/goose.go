package migration

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// goose keeps a log that starts with a row 0. Sources: pressly/goose
// internal/dialects/mysql.go, migrate.go, up.go, migration.go.
var goose = Tool{
	Name:    "goose",
	Table:   "goose_db_version",
	Command: []string{"goose", "up"},
	Shape:   Log,
	Orphans: Ignores,
	Late:    Refuses, // unless -allow-missing
	Empty:   Refuses, // "no next version found"

	key:   []string{"version_id"},
	order: byNumber,
	needs: []need{
		{"version_id", []kind{intKind}},
		{"is_applied", []kind{intKind}},
		{"tstamp", []kind{timeKind}},
	},
	// Creating the table inserts version 0, which is no migration. Rows with
	// is_applied=0, which old releases wrote, still keep `up` from running a
	// file again, so they count as applied.
	ignored: func(key string) bool { return key == "0" },
	mark: func(_ []Column, _ []Row, now time.Time) map[string]Value {
		return map[string]Value{"is_applied": Text("1"), "tstamp": clock(now)}
	},
	collect: gooseFiles,
	claims: func(e entry) bool {
		_, err := gooseVersion(e.base)
		return err == "" && (strings.HasSuffix(e.base, ".sql") && gooseUp.Match(e.content) ||
			strings.HasSuffix(e.base, ".go") && gooseGo.Match(e.content))
	},
}

var (
	gooseUp = regexp.MustCompile(`(?m)^\s*--\s*\+goose\s+Up\b`)
	gooseGo = regexp.MustCompile(`\bgoose\.(Add|New)`)
)

// gooseFiles takes .sql and .go files with a version before the first "_". A
// .sql file whose name has none makes goose fail, a .go file does not.
func gooseFiles(_ Spec, entries []entry) ([]File, []Problem) {
	var files []File
	var problems []Problem
	for _, e := range entries {
		isSQL := strings.HasSuffix(e.base, ".sql")
		if strings.HasPrefix(e.base, ".") || strings.HasSuffix(e.base, "_test.go") || !isSQL && !strings.HasSuffix(e.base, ".go") {
			problems = append(problems, passedOver(e, "is neither .sql nor .go, goose passes over it")...)
			continue
		}
		key, fault := gooseVersion(e.base)
		switch {
		case fault != "" && isSQL:
			problems = append(problems, Problem{e.path, fault + ", which makes goose fail", Error})
			continue
		case fault != "":
			problems = append(problems, passedOver(e, fault+", goose passes over it")...)
			continue
		case isSQL && !gooseUp.Match(e.content):
			problems = append(problems, Problem{e.path, "has no `-- +goose Up` line, which makes goose fail", Error})
		}
		files = append(files, e.file(key))
	}
	return files, problems
}

// gooseVersion is the number before the first "_", or what is wrong with it.
func gooseVersion(base string) (version, fault string) {
	before, _, ok := strings.Cut(base, "_")
	if !ok {
		return "", "has no `_` after a version number"
	}
	n, err := strconv.ParseInt(before, 10, 64)
	switch {
	case err != nil:
		return "", "does not start with a version number"
	case n < 1:
		return "", "has a version number that is not above zero"
	}
	return strconv.FormatInt(n, 10), ""
}
