package schema_test

import (
	"strings"
	"testing"

	"github.com/pmig/pmig/schema"
)

// Changes computed on one schema, and the schema as somebody else has made it since.
func TestFits(t *testing.T) {
	const base = "CREATE TABLE a (id bigint NOT NULL, x int, PRIMARY KEY (id));"
	for _, c := range []struct{ name, to, now, complaint string }{
		{"nothing moved", "CREATE TABLE a (id bigint NOT NULL, x int, y int, PRIMARY KEY (id));", base, ""},
		{"another column came", "CREATE TABLE a (id bigint NOT NULL, x int, y int, PRIMARY KEY (id));",
			"CREATE TABLE a (id bigint NOT NULL, x int, z int, PRIMARY KEY (id));", ""},
		{"the same column came", "CREATE TABLE a (id bigint NOT NULL, x int, y int, PRIMARY KEY (id));",
			"CREATE TABLE a (id bigint NOT NULL, x int, y int, PRIMARY KEY (id));", "y"},
		{"the column to be dropped went", "CREATE TABLE a (id bigint NOT NULL, PRIMARY KEY (id));",
			"CREATE TABLE a (id bigint NOT NULL, z int, PRIMARY KEY (id));", "x"},
		{"the table went", "CREATE TABLE a (id bigint NOT NULL, x bigint, PRIMARY KEY (id));",
			"CREATE TABLE b (id bigint NOT NULL, PRIMARY KEY (id));", "a"},
		{"the table to be made came", base + "CREATE TABLE b (id bigint NOT NULL, PRIMARY KEY (id));",
			base + "CREATE TABLE b (id int NOT NULL, PRIMARY KEY (id));", "b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to, now := parse(t, base), parse(t, c.to), parse(t, c.now)
			changes, err := schema.Diff(from, to)
			if err != nil {
				t.Fatal(err)
			}
			err = schema.Fits(now, changes)
			switch {
			case c.complaint == "" && err != nil:
				t.Errorf("%v", err)
			case c.complaint != "" && (err == nil || !strings.Contains(err.Error(), "`"+c.complaint+"`")):
				t.Errorf("%v, want a complaint about %s", err, c.complaint)
			}
		})
	}
}
