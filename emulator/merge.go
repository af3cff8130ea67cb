package emulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pmig/pmig/schema"
	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// conflict is the lint kind of a table that both sides have changed in ways
// that cannot be put together.
const conflict = "CONFLICT"

// merge carries what has changed from base to ours onto theirs. Tables changed
// on one side only are taken from that side; tables changed on both are put
// together clause by clause, and are a conflict if the two orders of doing so
// do not give the same table.
func merge(base, ours, theirs *schema.Schema) (*schema.Schema, []schema.Finding) {
	was, our, their := base.Digests(), ours.Digests(), theirs.Digests()
	var want schema.Schema
	var conflicts []schema.Finding
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
				conflicts = append(conflicts, schema.Finding{Code: conflict, Table: name,
					Message: fmt.Sprintf("Table %q was changed on the branch and on its target: %v", name, err)})
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
	var e [3]*schemadiff.CreateTableEntity
	for i, t := range []schema.Table{base, ours, theirs} {
		text, err := schema.Normalize(t.Create)
		if err != nil {
			return schema.Table{}, err
		}
		if e[i], err = schemadiff.NewCreateTableEntityFromSQL(schemadiff.NewTestEnv(), text); err != nil {
			return schema.Table{}, err
		}
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
