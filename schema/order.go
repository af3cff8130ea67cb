package schema

import (
	"context"
	"slices"
	"time"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// order is the order in which the statements work one by one. Finding it means trying permutations of those that depend
// on each other, so it is bounded; what is left then is drops, alters, creates, which works without foreign key checks.
func order(before *schemadiff.Schema, diff *schemadiff.SchemaDiff) []schemadiff.EntityDiff {
	if diffs := diff.UnorderedDiffs(); !diff.HasDependencies() || allCreate(diffs) {
		return parentsLast(before, slices.Clone(diffs)) // creations come in order already
	}
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	diffs, err := diff.OrderedDiffs(ctx)
	if err != nil {
		diffs = slices.Clone(diff.UnorderedDiffs())
	}
	return parentsLast(before, diffs)
}

func allCreate(diffs []schemadiff.EntityDiff) bool {
	return !slices.ContainsFunc(diffs, func(d schemadiff.EntityDiff) bool {
		switch d.(type) {
		case *schemadiff.CreateTableEntityDiff, *schemadiff.CreateViewEntityDiff:
			return false
		}
		return true
	})
}

// parentsLast moves the drop of a table behind the statements that drop or change the tables which refer to it:
// schemadiff orders creations by foreign key, but drops only by view.
func parentsLast(before *schemadiff.Schema, diffs []schemadiff.EntityDiff) []schemadiff.EntityDiff {
	children := map[string][]string{}
	for _, t := range before.Tables() {
		for _, c := range t.TableSpec.Constraints {
			if fk, ok := c.Details.(*sqlparser.ForeignKeyDefinition); ok {
				parent := fk.ReferenceDefinition.ReferencedTable.Name.String()
				if parent != t.Name() {
					children[parent] = append(children[parent], t.Name())
				}
			}
		}
	}
	// Each pass settles at least one table of a chain; in a circle there is no order, so the passes are counted.
	for range diffs {
		moved := false
		for i := 0; i < len(diffs); i++ {
			if _, drop := diffs[i].(*schemadiff.DropTableEntityDiff); !drop {
				continue
			}
			name, last := diffs[i].EntityName(), i
			for j := i + 1; j < len(diffs) && diffs[j].EntityName() != name; j++ {
				if slices.Contains(children[name], diffs[j].EntityName()) {
					last = j
				}
			}
			if last > i {
				d := diffs[i]
				copy(diffs[i:last], diffs[i+1:last+1])
				diffs[last] = d
				moved = true
			}
		}
		if !moved {
			break
		}
	}
	return diffs
}
