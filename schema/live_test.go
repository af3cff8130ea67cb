package schema_test

import (
	"testing"

	"github.com/pmig/pmig/schema"
)

func TestMissing(t *testing.T) {
	const before = "CREATE TABLE c (id bigint NOT NULL, n int, gone int, PRIMARY KEY (id), KEY k (n)); CREATE TABLE old (id int NOT NULL, PRIMARY KEY (id));"
	const after = "CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n bigint, PRIMARY KEY (id), UNIQUE KEY u (n,x), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, z json, PRIMARY KEY (id));"
	changes, err := schema.Diff(parse(t, before), parse(t, after))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now  string
		want int
	}{
		"all of it":                  {after, 0},
		"none of it":                 {before, 3},
		"others added a column":      {"CREATE TABLE c (id bigint NOT NULL, theirs int, x varchar(20) DEFAULT 'a', n bigint, PRIMARY KEY (id), UNIQUE KEY u (n,x), KEY t (theirs), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, theirs int, z json, PRIMARY KEY (id));", 0},
		"a column has another type":  {"CREATE TABLE c (id bigint NOT NULL, x varchar(21) DEFAULT 'a', n bigint, PRIMARY KEY (id), UNIQUE KEY u (n,x), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, z json, PRIMARY KEY (id));", 1},
		"a column was not modified":  {"CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n int, PRIMARY KEY (id), UNIQUE KEY u (n,x), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, z json, PRIMARY KEY (id));", 1},
		"a key is not there":         {"CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n bigint, PRIMARY KEY (id), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, z json, PRIMARY KEY (id));", 1},
		"a check is not there":       {"CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n bigint, PRIMARY KEY (id), UNIQUE KEY u (n,x)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, z json, PRIMARY KEY (id));", 1},
		"a dropped column is there":  {"CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n bigint, gone int, PRIMARY KEY (id), UNIQUE KEY u (n,x), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, z json, PRIMARY KEY (id));", 1},
		"a dropped key is there":     {"CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n bigint, PRIMARY KEY (id), UNIQUE KEY u (n,x), KEY k (n), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, z json, PRIMARY KEY (id));", 1},
		"a new table is not there":   {"CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n bigint, PRIMARY KEY (id), UNIQUE KEY u (n,x), CHECK (n > 0)) COMMENT='x';", 1},
		"a dropped table is there":   {after + "CREATE TABLE old (id int NOT NULL, PRIMARY KEY (id));", 1},
		"the new table is not whole": {"CREATE TABLE c (id bigint NOT NULL, x varchar(20) DEFAULT 'a', n bigint, PRIMARY KEY (id), UNIQUE KEY u (n,x), CHECK (n > 0)) COMMENT='x'; CREATE TABLE d (id bigint NOT NULL, PRIMARY KEY (id));", 1},
	} {
		got, err := schema.Missing(parse(t, c.now), changes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(got) != c.want {
			t.Errorf("%s: %d changes are missing, want %d: %+v", name, len(got), c.want, got)
		}
	}
}
