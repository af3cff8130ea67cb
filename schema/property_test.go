package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pmig/pmig/schema"
)

// drawColumn is a column without its name.
func drawColumn(t *rapid.T) string {
	kinds := []string{
		"int", "int unsigned", "bigint(20)", "tinyint(1)", "smallint DEFAULT 3", "int NOT NULL DEFAULT '7'",
		"decimal(10,2) DEFAULT 1.5", "double", "bit(4) DEFAULT b'1'", "varchar(20)", "varchar(30) NOT NULL DEFAULT ''",
		"varchar(20) COLLATE utf8mb4_bin", "varchar(20) CHARACTER SET latin1", "char(3) DEFAULT 'a''b'", "text", "text DEFAULT 'x'",
		"mediumblob", "varbinary(8)", "json", "json NOT NULL DEFAULT '[]'", "date", "datetime(3) DEFAULT CURRENT_TIMESTAMP(3)",
		"timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP", "timestamp NULL", "time", "year",
		"enum('a','b')", "enum('a','b','c') NOT NULL DEFAULT 'b'", "set('x','y')", "int COMMENT 'a, (b'", "int DEFAULT (1 + 2)",
		"int AS (id + 1) STORED", "int AS (id * 2) VIRTUAL", "varchar(40) AS (concat(id, '-')) VIRTUAL", "int INVISIBLE",
	}
	return rapid.SampledFrom(kinds).Draw(t, "kind")
}

// drawTable is a CREATE TABLE with an id, up to five of seven columns, and keys, checks and foreign keys over them.
func drawTable(t *rapid.T, name string, parents []string) string {
	names := rapid.Permutation([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "names")
	names = names[:rapid.IntRange(0, 5).Draw(t, "columns")]
	parts := []string{"id int NOT NULL"}
	plain := []string{}
	for _, n := range names {
		kind := drawColumn(t)
		if rapid.IntRange(0, 7).Draw(t, "check") == 0 && !strings.Contains(kind, " AS ") && strings.Contains(kind, "int") {
			kind += fmt.Sprintf(" CHECK (%s <> %d)", n, rapid.IntRange(5, 7).Draw(t, "not"))
		}
		parts = append(parts, n+" "+kind)
		if !strings.Contains(kind, "text") && !strings.Contains(kind, "blob") && !strings.Contains(kind, "json") {
			plain = append(plain, n)
		}
	}
	parts = append(parts, "PRIMARY KEY (id)")
	for i := range rapid.IntRange(0, 2).Draw(t, "keys") {
		if len(plain) > 0 {
			columns := rapid.SliceOfNDistinct(rapid.SampledFrom(plain), 1, min(2, len(plain)), rapid.ID[string]).Draw(t, "key")
			parts = append(parts, fmt.Sprintf("%sKEY k%d (%s)", rapid.SampledFrom([]string{"", "UNIQUE "}).Draw(t, "unique"), i, strings.Join(columns, ",")))
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "table check") == 0 {
		parts = append(parts, fmt.Sprintf("CONSTRAINT ch%d CHECK (id > %d)", rapid.IntRange(1, 2).Draw(t, "name"), rapid.IntRange(0, 2).Draw(t, "bound")))
	}
	if len(parents) > 0 && rapid.Bool().Draw(t, "foreign key") {
		parts = append(parts, "p int", fmt.Sprintf("CONSTRAINT fk_%s FOREIGN KEY (p) REFERENCES %s (id)%s", name,
			rapid.SampledFrom(parents).Draw(t, "parent"), rapid.SampledFrom([]string{"", " ON DELETE CASCADE", " ON UPDATE SET NULL"}).Draw(t, "action")))
	}
	options := rapid.SampledFrom([]string{"", "", " COMMENT='it''s'", " COLLATE=utf8mb4_unicode_ci", " CHARSET=latin1", " ROW_FORMAT=DYNAMIC"}).Draw(t, "options")
	return fmt.Sprintf("CREATE TABLE %s (%s)%s", name, strings.Join(parts, ", "), options)
}

func drawSchema(t *rapid.T) string {
	var tables, parents []string
	for _, name := range []string{"t1", "t2", "t3"} {
		if rapid.IntRange(0, 4).Draw(t, name) > 0 {
			tables = append(tables, drawTable(t, name, parents))
			parents = append(parents, name)
		}
	}
	return strings.Join(tables, ";\n")
}

// Whatever two schemas are, the difference is executable, leads from one to the other, and is empty exactly when the
// digests are equal.
func TestDiffOfAnyTwoSchemas(t *testing.T) {
	shared.start(t)
	rapid.Check(t, func(rt *rapid.T) {
		from, to := drawSchema(rt), drawSchema(rt)
		ok := t.Run("pair", func(t *testing.T) { checkPair(t, from, to) })
		if !ok {
			rt.Fatalf("from:\n%s\nto:\n%s", from, to)
		}
	})
}

// The same without a server: parsing alone must keep the laws that do not need one.
func TestLawsOfDiff(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		from, to := parse(rt, drawSchema(rt)), parse(rt, drawSchema(rt))
		if changes, err := schema.Diff(from, from); err != nil || len(changes) > 0 {
			rt.Fatalf("a schema differs from itself: %v %v", changes, err)
		}
		changes, err := schema.Diff(from, to)
		if err != nil {
			rt.Fatal(err)
		}
		if (len(changes) == 0) != (from.Digest() == to.Digest()) {
			rt.Fatalf("%d changes, but digests equal is %v", len(changes), from.Digest() == to.Digest())
		}
		if missing, surplus := schema.Compare(changes, changes); len(missing)+len(surplus) > 0 {
			rt.Fatalf("changes differ from themselves: %v %v", missing, surplus)
		}
		if missing, _ := schema.Compare(changes, nil); len(missing) != len(changes) && len(missing) == 0 {
			rt.Fatalf("nothing holds everything: %v", missing)
		}
		again, err := schema.Diff(from, to)
		if err != nil || fmt.Sprint(again) != fmt.Sprint(changes) {
			rt.Fatalf("the same question has two answers:\n%v\n%v", changes, again)
		}
	})
}

func parse(t interface{ Fatal(...any) }, sql string) *schema.Schema {
	s, err := schema.Parse(sql)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
