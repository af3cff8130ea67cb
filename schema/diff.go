package schema

import (
	"cmp"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// hints are the choices under which a deploy request compares: a rename is a drop and an add, and what differs on
// every branch (names of constraints, auto-increment values) is no difference.
func hints() *schemadiff.DiffHints {
	return &schemadiff.DiffHints{
		AutoIncrementStrategy:       schemadiff.AutoIncrementIgnore,
		RangeRotationStrategy:       schemadiff.RangeRotationDistinctStatements,
		ConstraintNamesStrategy:     schemadiff.ConstraintNamesIgnoreAll,
		ColumnRenameStrategy:        schemadiff.ColumnRenameAssumeDifferent,
		TableRenameStrategy:         schemadiff.TableRenameAssumeDifferent,
		FullTextKeyStrategy:         schemadiff.FullTextKeyDistinctStatements,
		TableCharsetCollateStrategy: schemadiff.TableCharsetCollateStrict,
		ForeignKeyCheckStrategy:     schemadiff.ForeignKeyCheckStrategyIgnore,
		EnumReorderStrategy:         schemadiff.EnumReorderStrategyAllow,
		SubsequentDiffStrategy:      schemadiff.SubsequentDiffStrategyAllow,
	}
}

// Diff is what must be done to from so that it becomes to, in an order that works when each statement is run by itself.
// Where foreign keys form a circle there is no such order, and the session needs foreign_key_checks=0. A nil schema is
// an empty one. The error names every table that cannot be compared, as *TableError (joined).
func Diff(from, to *Schema) (changes []Change, err error) {
	defer rescue(&err)
	l, err := newLoader()
	if err != nil {
		return nil, err
	}
	if from == nil {
		from = &Schema{}
	}
	if to == nil {
		to = &Schema{}
	}
	before, err := l.schema(from)
	if err != nil {
		return nil, err
	}
	after, err := l.schema(to)
	if err != nil {
		return nil, err
	}
	diff, err := before.SchemaDiff(after, hints())
	if err != nil {
		return nil, blame(err)
	}
	native := newNative(l, from, to)
	for _, d := range order(before, diff) {
		settle(d.Statement())
		c, err := l.changeOf(d)
		if err != nil {
			return nil, err
		}
		if text := native.statement(d); text != c.SQL {
			c.Native = text
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// settle puts the dropped keys of an ALTER TABLE in order: schemadiff leaves them in that of a Go map.
func settle(stmt sqlparser.Statement) {
	alter, ok := stmt.(*sqlparser.AlterTable)
	if !ok {
		return
	}
	isDrop := func(o sqlparser.AlterOption) bool {
		d, ok := o.(*sqlparser.DropKey)
		return ok && d.Type != sqlparser.ForeignKeyType
	}
	// They stand together: schemadiff sorts the clauses by kind.
	from := slices.IndexFunc(alter.AlterOptions, isDrop)
	if from < 0 {
		return
	}
	to := from
	for to < len(alter.AlterOptions) && isDrop(alter.AlterOptions[to]) {
		to++
	}
	slices.SortStableFunc(alter.AlterOptions[from:to], func(a, b sqlparser.AlterOption) int {
		x, y := a.(*sqlparser.DropKey), b.(*sqlparser.DropKey)
		return cmp.Or(cmp.Compare(x.Type, y.Type), strings.Compare(x.Name.String(), y.Name.String()))
	})
}

func (l *loader) changeOf(d schemadiff.EntityDiff) (Change, error) {
	sql := sqlparser.CanonicalString(d.Statement())
	if create, ok := d.Statement().(*sqlparser.CreateTable); ok {
		sql = printTable(create)
	}
	// What is said about the statement is read off its text, so that ParseChange says the same about it.
	c, err := ParseChange(d.EntityName(), "", sql)
	if err != nil {
		return Change{}, &TableError{Table: d.EntityName(), Err: err}
	}
	if c.Verb == Alter {
		if _, ok := d.Statement().(*sqlparser.AlterTable); ok {
			c.Instant = d.InstantDDLCapability() == schemadiff.InstantDDLCapabilityPossible
		}
	}
	return c, nil
}
