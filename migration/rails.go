package migration

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// rails keeps a log of version texts. Sources: rails/rails
// activerecord/lib/active_record/{schema_migration,internal_metadata,migration}.rb.
var rails = Tool{
	Name:    "rails",
	Table:   "schema_migrations",
	Command: []string{"bin/rails", "db:migrate"},
	Shape:   Log,
	Orphans: Ignores,
	Late:    Runs,
	Empty:   Runs,

	key:    []string{"version"},
	rowKey: railsInteger,
	order:  byNumber,
	needs:  []need{{"version", []kind{textKind}}},
	aux: []aux{{
		name:   railsMetadata,
		policy: SeedPolicy,
		needs:  []need{{"key", []kind{textKind}}, {"value", []kind{textKind}}},
	}},
	nested:  true,
	collect: railsFiles,
	claims:  func(e entry) bool { return railsName.MatchString(e.base) },
}

var (
	railsGlob = regexp.MustCompile(`^[0-9].*_.*\.rb$`)
	railsName = regexp.MustCompile(`^([0-9]+)_([_a-z0-9]*)\.?([_a-z0-9]*)?\.rb$`)
)

// railsFiles takes [0-9]*_*.rb in all folders. A file that matches this and not
// the stricter expression makes Rails fail, and so do two of one class.
func railsFiles(_ Spec, entries []entry) ([]File, []Problem) {
	var files []File
	var problems []Problem
	classes := map[string]string{}
	for _, e := range entries {
		if !railsGlob.MatchString(e.base) {
			problems = append(problems, passedOver(e, "is not named N_name.rb, Rails passes over it")...)
			continue
		}
		m := railsName.FindStringSubmatch(e.base)
		if m == nil {
			problems = append(problems, Problem{e.path, "is an illegal name to Rails (lower case letters, digits and `_` only), which makes it fail", Error})
			continue
		}
		class := camelize(m[2])
		if other, twice := classes[class]; twice {
			problems = append(problems, Problem{e.path, fmt.Sprintf("has the class name %s of %s, which makes Rails fail", class, other), Error})
		} else {
			classes[class] = e.path
		}
		files = append(files, e.file(railsInteger(m[1])))
	}
	return files, problems
}

// railsInteger is String#to_i of Ruby on what a version can hold: the leading
// digits without zeros, "0" if there are none.
func railsInteger(version string) string {
	digits := leadingDigits(strings.TrimLeft(version, " \t\n"))
	if digits == "" {
		return "0"
	}
	return trimZeros(digits)
}

// railsMetadata is the name of the metadata table: prefix and suffix of the
// history table's name go around it too.
func railsMetadata(history string) string {
	if strings.Contains(history, "schema_migrations") {
		return strings.Replace(history, "schema_migrations", "ar_internal_metadata", 1)
	}
	return "ar_internal_metadata"
}

// camelize turns create_users into CreateUsers.
func camelize(name string) string {
	parts := slices.DeleteFunc(strings.Split(name, "_"), func(p string) bool { return p == "" })
	for i, p := range parts {
		parts[i] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}
