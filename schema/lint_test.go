package schema_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/schema"
)

func TestLint(t *testing.T) {
	tests := []struct {
		name, create string
		want         []schema.Finding // without the message
	}{
		{"fine", "CREATE TABLE t (id int PRIMARY KEY) CHARSET latin1", nil},
		{"unique instead of primary", "CREATE TABLE t (a int NOT NULL, UNIQUE (a))", nil},
		{"utf8 by its old name", "CREATE TABLE t (id int PRIMARY KEY, a text CHARACTER SET ascii) CHARSET utf8", nil},
		{"no key", "CREATE TABLE t (id int)", []schema.Finding{{Code: schema.NoUniqueKey}}},
		{"unique key that may be null", "CREATE TABLE t (a int, b int NOT NULL, UNIQUE (a, b))", []schema.Finding{{Code: schema.NoUniqueKey}}},
		{"unique key over an expression", "CREATE TABLE t (a int NOT NULL, UNIQUE KEY f ((a + 1)))", []schema.Finding{{Code: schema.NoUniqueKey}}},
		{"no unique key", "CREATE TABLE t (a int NOT NULL, KEY (a))", []schema.Finding{{Code: schema.NoUniqueKey}}},
		{"prefix", "CREATE TABLE t (a varchar(99) NOT NULL, UNIQUE (a(10)))", []schema.Finding{{Code: schema.PartialKeyInUniqueKey}}},
		{"blob", "CREATE TABLE t (a blob NOT NULL, PRIMARY KEY (a(10)))", []schema.Finding{{Code: schema.BlobInUniqueKey}}},
		{"prefix beside a whole key", "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, UNIQUE (a(10)))", nil},
		{"foreign key", "CREATE TABLE t (id int PRIMARY KEY, p int, q int, FOREIGN KEY (p, q) REFERENCES t (id, p))",
			[]schema.Finding{{Code: schema.ForeignKeysDisallowed, ForeignKey: []string{"p", "q"}}, {Code: schema.ForeignKeysUnresolved}}},
		{"charset", "CREATE TABLE t (id int PRIMARY KEY, a varchar(9) CHARACTER SET greek) CHARSET utf16",
			[]schema.Finding{{Code: schema.InvalidCharset, Charset: "utf16"}, {Code: schema.InvalidCharset, Column: "a", Charset: "greek"}}},
		{"engine", "CREATE TABLE t (id int PRIMARY KEY) ENGINE=MyISAM", []schema.Finding{{Code: schema.UnsupportedFeature, Engine: "MyISAM"}}},
		{"enum", "CREATE TABLE t (id int PRIMARY KEY, e enum('it''s','b','it''s'))", []schema.Finding{{Code: schema.DuplicateEnumValue, Column: "e", EnumValue: "it's"}}},
		{"partitions", "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id) (PARTITION p VALUES IN (1))",
			[]schema.Finding{{Code: schema.UnsupportedPartitioningFeature, Partitioning: "LIST"}}},
		{"good partitions", "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY KEY (id) PARTITIONS 4", nil},
		{"not understood", "CREATE TABLE t (id uuid PRIMARY KEY)", []schema.Finding{{Code: schema.UnsupportedFeature}}},
		{"missing parent", "CREATE TABLE t (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES nope (id))",
			[]schema.Finding{{Code: schema.ForeignKeysDisallowed, ForeignKey: []string{"id"}}, {Code: schema.ForeignKeysNonexistentTable}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &schema.Schema{Tables: []schema.Table{{Name: "t", Create: test.create}}}
			got := schema.Lint(s, schema.LintOptions{})
			for i := range got {
				if got[i].Table != "t" || got[i].Message == "" {
					t.Errorf("%+v says too little", got[i])
				}
				got[i].Table, got[i].Message = "", ""
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestLintBetweenTables(t *testing.T) {
	s := &schema.Schema{Tables: []schema.Table{
		{Name: "c", Create: "CREATE TABLE c (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES v (id))"},
		{Name: "p", Create: "CREATE TABLE p (id bigint PRIMARY KEY)"},
		{Name: "v", Create: "CREATE VIEW v AS SELECT id FROM p", View: true},
		{Name: "w", Create: "CREATE VIEW w AS SELECT p.nope FROM p", View: true},
		{Name: "x", Create: "CREATE VIEW x AS SELECT 1 AS a FROM gone", View: true},
	}}
	var got []string
	for _, f := range schema.Lint(s, schema.LintOptions{ForeignKeys: true}) {
		got = append(got, f.Code+" "+f.Table)
	}
	slices.Sort(got)
	want := []string{
		schema.ForeignKeysReferencedView + " c",
		schema.InvalidColumnReferencedInView + " w",
		schema.InvalidTableReferencedInView + " x",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	mismatch := &schema.Schema{Tables: []schema.Table{
		{Name: "c", Create: "CREATE TABLE c (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES p (id))"},
		{Name: "p", Create: "CREATE TABLE p (id bigint PRIMARY KEY)"},
	}}
	f := schema.Lint(mismatch, schema.LintOptions{ForeignKeys: true})
	if len(f) != 1 || f[0].Code != schema.ForeignKeysUnresolved || f[0].Table != "c" {
		t.Errorf("%+v", f)
	}
}
