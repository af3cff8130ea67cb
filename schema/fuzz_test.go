package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/schema"
)

func seeds(f *testing.F) {
	for _, p := range pairs() {
		for _, s := range statements(p.to) {
			f.Add(s)
		}
	}
	for _, s := range []string{
		"", ";", "CREATE", "CREATE TABLE t (", "CREATE TABLE `t` (`a` int /*!80023 INVISIBLE */)", "CREATE TABLE t (a int CHECK (a > (1)), CHECK",
		"CREATE TABLE t (a int DEFAULT f(g(1), ')'), PRIMARY KEY (a))", "CREATE VIEW v AS SELECT", "CREATE TABLE t (a int) PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (1,MAXVALUE))",
		"ALTER TABLE t ADD COLUMN (a int, b int), ALTER INDEX x IGNORED", "CREATE TABLE t (a enum('a','a') COLLATE nope CHARACTER SET what)", "DROP TABLE t", "CREATE TABLE t (a int) UNION=(x)",
		"CREATE TABLE t (a int, KEY k (a) IGNORED, UNIQUE KEY (a) NOT IGNORED) COLLATE='x'", "CREATE TABLE t (a geometry SRID 4326 NOT NULL, SPATIAL KEY (a))",
	} {
		f.Add(s)
	}
}

// Whatever the text: no panic; what is taken has a normal form that is taken too and stays what it is.
func FuzzNormalize(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		once, err := schema.Normalize(text)
		if err != nil {
			return
		}
		twice, err := schema.Normalize(once)
		if err != nil {
			return // the parser does not take what it prints
		}
		if once != twice {
			t.Fatalf("%q\n%s", text, cmp.Diff(once, twice))
		}
	})
}

// A schema never differs from itself, and everything about it can be asked without a panic.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := schema.Parse(text)
		if err != nil {
			return
		}
		if s.Digest() != s.Without().Digest() {
			t.Fatal("two digests of one schema")
		}
		schema.Lint(s, schema.LintOptions{})
		if changes, err := schema.Diff(s, s); err == nil && len(changes) > 0 {
			t.Fatalf("%q differs from itself: %v", text, changes)
		}
		changes, err := schema.Diff(nil, s)
		if err != nil {
			return
		}
		for _, c := range changes {
			if c.Statement() == "" {
				t.Fatalf("%q: an empty statement", text)
			}
		}
	})
}

// What a platform sends is read or refused, never a panic, and reading says the same twice.
func FuzzParseChange(f *testing.F) {
	seeds(f)
	f.Add("ALTER TABLE t DROP COLUMN a, ADD b int FIRST, DROP CHECK c, DROP FOREIGN KEY d, COMMENT='x', PARTITION BY HASH (a) PARTITIONS 3")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := schema.ParseChange("", "", text)
		if err != nil {
			return
		}
		if missing, surplus := schema.Compare([]schema.Change{c}, []schema.Change{c}); len(missing)+len(surplus) > 0 {
			t.Fatalf("%q differs from itself", text)
		}
	})
}
