package migration_test

import (
	"fmt"
	"testing"

	"github.com/pmig/pmig/migration"
)

func stages(t testing.TB) []*stage {
	log := func(name, create string, numbered bool) *stage {
		return &stage{
			name: name, create: create, model: logRules{numbered},
			spec:  migration.Spec{Tool: tool(t, "custom"), Table: "h", Custom: &migration.Custom{Key: []string{"k"}, File: "^.*$"}},
			kinds: []string{"delete", "change", "ours", "ours", "ours otherwise", "another", "another", "another", "copy by id", "copy by key"},
			reach: []int{0, 1},
			sql:   logSQL(numbered),
			seed: func(t tale) (out []string) {
				for i := range t.Base {
					out = append(out, "INSERT INTO h (k, v) VALUES ('"+baseKey(i)+"', 1)")
				}
				return out
			},
			run: func(t tale) (out []string) {
				for i := range t.Ours {
					out = append(out, "INSERT INTO h (k, v) VALUES ('"+ourKey(i)+"', 2)")
				}
				return out
			},
		}
	}
	return []*stage{
		log("numbered log", "CREATE TABLE h (id int unsigned auto_increment primary key, k varchar(40) not null, v int)", true),
		log("keyed log", "CREATE TABLE h (k varchar(40) not null primary key, v int)", false),
		{
			name: "pointer", create: "CREATE TABLE h (version bigint not null primary key, dirty boolean not null)", model: pointerRules{},
			spec:  migration.Spec{Tool: tool(t, "golang-migrate"), Table: "h"},
			kinds: []string{"delete", "step", "step", "dirty", "back", "forward", "forward", "forward"},
			reach: []int{1, 3},
			sql:   pointerSQL,
			seed: func(t tale) []string {
				if t.Base == 0 {
					return nil
				}
				return []string{fmt.Sprintf("INSERT INTO h VALUES (%d, 0)", t.Base)}
			},
			run: func(t tale) []string {
				return []string{"DELETE FROM h", fmt.Sprintf("INSERT INTO h VALUES (%d, 0)", t.Base+t.Ours)}
			},
		},
		{
			name: "pointer set", create: headsTable, model: setRules{},
			spec:  headsSpec(),
			kinds: []string{"up a", "up a", "up b", "up b", "merge", "first", "unknown", "unknown beyond", "back", "delete"},
			reach: []int{0, 1},
			sql:   setSQL,
			seed:  func(t tale) []string { return insertHeads(setBase(t)) },
			run: func(t tale) []string {
				return append([]string{"DELETE FROM alembic_version"}, insertHeads(setOurs(t))...)
			},
		},
	}
}
