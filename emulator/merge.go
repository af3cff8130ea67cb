package emulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pmig/pmig/schema"
	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// conflictCode is the lint kind of a table that both sides have changed in ways
// that cannot be put together.
const conflictCode = "CONFLICT"

// merge carries what has changed from base to ours onto theirs. Tables changed
// on one side only are taken from that side; tables changed on both are put
// together clause by clause, and are a conflict if the two orders of doing so
// do not give the same table.
func merge(base, ours, theirs *schema.Schema) (*schema.Schema, []lintError) {
	was, our, their := base.Digests(), ours.Digests(), theirs.Digests()
	var want schema.Schema
	var conflicts []lintError
	for _, name := range names(base, ours, theirs) {
		o, inOurs := ours.Table(name)
		t, inTheirs := theirs.Table(name)
		switch {
		case our[name] == was[name]: // not ours to change
			if inTheirs {
				want.Tables = append(want.Tables, t)
			}
		case their[name] == was[name], our[name] == their[name]:
			if inOurs {
				want.Tables = append(want.Tables, o)
			}
		default:
			b, inBase := base.Table(name)
			both, err := both(b, o, t, inBase && inOurs && inTheirs)
			if err != nil {
				conflicts = append(conflicts, lintError{Finding: schema.Finding{Code: conflictCode, Table: name,
					Message: fmt.Sprintf("Table %q was changed on the branch and on its target: %v", name, err)},
					Conflict: conflicting(b, o, t, verb(inBase, inOurs))})
				continue
			}
			want.Tables = append(want.Tables, both)
		}
	}
	return &want, conflicts
}

func names(of ...*schema.Schema) []string {
	var all []string
	for _, s := range of {
		for _, t := range s.Tables {
			all = append(all, t.Name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// both puts two changes of one table together: ours after theirs and theirs
// after ours must be possible, and give the same.
func both(base, ours, theirs schema.Table, everywhere bool) (schema.Table, error) {
	if !everywhere {
		return schema.Table{}, fmt.Errorf("one side made or dropped it, the other changed it")
	}
	if base.View || ours.View || theirs.View {
		return schema.Table{}, fmt.Errorf("both sides changed the view")
	}
	e, err := entities(base, ours, theirs)
	if err != nil {
		return schema.Table{}, err
	}
	mine, err := onto(e[0], e[1], e[2])
	if err != nil {
		return schema.Table{}, err
	}
	yours, err := onto(e[0], e[2], e[1])
	if err != nil {
		return schema.Table{}, err
	}
	if unordered(mine) != unordered(yours) {
		return schema.Table{}, fmt.Errorf("the two changes do not go together")
	}
	return schema.Table{Name: theirs.Name, Create: mine.Create().CanonicalStatementString()}, nil
}

// verb is what a side has done with a table.
func verb(before, now bool) string {
	switch {
	case !before:
		return schema.Create
	case !now:
		return schema.Drop
	}
	return schema.Alter
}

// entities parses states of a table.
func entities(of ...schema.Table) ([]*schemadiff.CreateTableEntity, error) {
	all := make([]*schemadiff.CreateTableEntity, len(of))
	for i, t := range of {
		text, err := schema.Normalize(t.Create)
		if err != nil {
			return nil, err
		}
		if all[i], err = schemadiff.NewCreateTableEntityFromSQL(schemadiff.NewTestEnv(), text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// conflicting names what both sides have changed otherwise. Of a table that one
// of them does not have there is nothing to name.
func conflicting(base, ours, theirs schema.Table, verb string) *conflict {
	c := &conflict{Verb: verb}
	e, err := entities(base, ours, theirs)
	if err != nil {
		return c
	}
	var parts [3]map[string]map[string]string
	for i, t := range e {
		parts[i] = partsOf(t.TableSpec)
	}
	for kind, into := range map[string]*[]string{"column": &c.Columns, "index": &c.Indexes, "constraint": &c.Constraints} {
		was, our, their := parts[0][kind], parts[1][kind], parts[2][kind]
		all := slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(our)), slices.Collect(maps.Keys(their)))
		slices.Sort(all)
		for _, name := range slices.Compact(all) {
			if our[name] != was[name] && their[name] != was[name] && our[name] != their[name] {
				*into = append(*into, name)
			}
		}
	}
	p := func(i int) string {
		if e[i].TableSpec.PartitionOption == nil {
			return ""
		}
		return sqlparser.CanonicalString(e[i].TableSpec.PartitionOption)
	}
	c.Partitions = p(1) != p(0) && p(2) != p(0) && p(1) != p(2)
	return c
}

// partsOf is what a table is made of, in one spelling, by name.
func partsOf(t *sqlparser.TableSpec) map[string]map[string]string {
	parts := map[string]map[string]string{"column": {}, "index": {}, "constraint": {}}
	for _, c := range t.Columns {
		parts["column"][c.Name.String()] = sqlparser.CanonicalString(c)
	}
	for _, i := range t.Indexes {
		parts["index"][i.Info.Name.String()] = sqlparser.CanonicalString(i)
	}
	for _, c := range t.Constraints {
		parts["constraint"][c.Name.String()] = sqlparser.CanonicalString(c)
	}
	return parts
}

// onto applies what changed between two states of a table to a third.
func onto(from, to, third *schemadiff.CreateTableEntity) (*schemadiff.CreateTableEntity, error) {
	diff, err := from.Diff(to, &schemadiff.DiffHints{})
	if err != nil {
		return nil, err
	}
	if diff.IsEmpty() {
		return third, nil
	}
	applied, err := third.Apply(diff)
	if err != nil {
		return nil, err
	}
	table, ok := applied.(*schemadiff.CreateTableEntity)
	if !ok {
		return nil, fmt.Errorf("%s is no table any more", third.Name())
	}
	return table, nil
}

// unordered is a table's definition with columns and keys sorted: the order of
// two columns that two sides have added is nobody's intent.
func unordered(t *schemadiff.CreateTableEntity) string {
	c := sqlparser.Clone(t.CreateTable)
	slices.SortFunc(c.TableSpec.Columns, func(a, b *sqlparser.ColumnDefinition) int {
		return strings.Compare(a.Name.Lowered(), b.Name.Lowered())
	})
	slices.SortFunc(c.TableSpec.Indexes, func(a, b *sqlparser.IndexDefinition) int {
		return strings.Compare(a.Info.Name.Lowered(), b.Info.Name.Lowered())
	})
	return sqlparser.CanonicalString(c)
}
