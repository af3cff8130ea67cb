package schema

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// alter writes the clauses one by one.
func (n *native) alter(name string, s *sqlparser.AlterTable, was *sqlparser.TableSpec) string {
	a := alteration{
		native: n, table: name, to: n.tables[name], from: n.before[name],
		columnsBefore: was.Columns, constraints: was.Constraints, indexes: was.Indexes, defined: map[string]bool{}, rekeyed: map[string]bool{},
	}
	for _, o := range s.AlterOptions {
		switch o := o.(type) {
		case *sqlparser.ModifyColumn:
			a.defined[o.NewColDefinition.Name.Lowered()] = true
		case *sqlparser.AddColumns:
			for _, c := range o.Columns {
				a.defined[c.Name.Lowered()] = true
			}
		case *sqlparser.DropColumn:
			a.defined[o.Name.Name.Lowered()] = true
		case *sqlparser.DropKey:
			if o.Type == sqlparser.NormalKeyType {
				a.rekeyed[o.Name.String()] = true
			}
		case *sqlparser.RenameIndex:
			a.rekeyed[o.OldName.String()], a.rekeyed[o.NewName.String()] = true, true
		}
	}
	var clauses []string
	for _, o := range s.AlterOptions {
		text := a.clause(o)
		switch _, options := o.(sqlparser.TableOptions); {
		case text == "":
		case options: // first: go-mysql-server goes through the clauses one by one, and columns inherit the collation
			clauses = append([]string{text}, clauses...)
		default:
			clauses = append(clauses, text)
		}
	}
	clauses = append(clauses, a.columns()...)
	text := strings.Join(clauses, ", ")
	if p := s.PartitionSpec; p != nil {
		if text != "" && p.Action != sqlparser.RemoveAction {
			text += ","
		}
		text += " " + sqlparser.CanonicalString(p)
	}
	if p := s.PartitionOption; p != nil {
		text += " " + sqlparser.CanonicalString(p)
	}
	return "ALTER TABLE " + quote(name) + " " + strings.TrimSpace(text)
}

// alteration is one ALTER TABLE being written.
type alteration struct {
	*native
	table    string
	to, from table
	// The table as it was.
	columnsBefore []*sqlparser.ColumnDefinition
	constraints   []*sqlparser.ConstraintDefinition
	indexes       []*sqlparser.IndexDefinition

	defined  map[string]bool // columns that the statement defines or drops anyway
	rekeyed  map[string]bool // indexes that the statement drops and adds
	redefine []string        // columns that must be defined again because a check of theirs goes
}

// clause is one clause, or nothing when another says it.
func (a *alteration) clause(option sqlparser.AlterOption) string {
	text := sqlparser.CanonicalString(option)
	switch o := option.(type) {
	case *sqlparser.AddColumns:
		if len(o.Columns) != 1 {
			return text
		}
		if p, ok := a.to.column(o.Columns[0].Name.Lowered()); ok {
			return "ADD COLUMN " + p.raw() + position(o.First, o.After)
		}
	case *sqlparser.ModifyColumn:
		if p, ok := a.to.column(o.NewColDefinition.Name.Lowered()); ok {
			if a.virtual(o.NewColDefinition.Name) != isVirtual(o.NewColDefinition) {
				return a.replaceColumn(p)
			}
			return "MODIFY COLUMN " + p.raw() + position(o.First, o.After)
		}
	case *sqlparser.AddIndexDefinition:
		if p, ok := a.to.index(o.IndexDefinition.Info.Name.Lowered()); ok {
			return "ADD " + p.raw()
		}
	case *sqlparser.AlterIndex:
		if p, ok := a.to.index(o.Name.Lowered()); ok && strings.HasSuffix(p.text, " IGNORED") {
			return "ALTER INDEX " + quote(o.Name.String()) + " IGNORED"
		}
		if p, ok := a.from.index(o.Name.Lowered()); ok && strings.HasSuffix(p.text, " IGNORED") {
			return "ALTER INDEX " + quote(o.Name.String()) + " NOT IGNORED"
		}
	case sqlparser.TableOptions:
		if _, collate := tableCharset(o); collate != "" {
			o = slices.DeleteFunc(slices.Clone(o), func(o *sqlparser.TableOption) bool { return o.Name == "charset" })
		}
		return sqlparser.CanonicalString(o) // go-mysql-server changes a collation, but not a character set
	case *sqlparser.AddConstraintDefinition:
		return a.addConstraint(o, text)
	case *sqlparser.DropKey:
		if o.Type == sqlparser.CheckKeyType || o.Type == sqlparser.ForeignKeyType {
			return strings.Join(a.dropConstraint(o, text), ", ")
		}
	}
	return text
}

func position(first bool, after *sqlparser.ColName) string {
	switch {
	case first:
		return " FIRST"
	case after != nil:
		return " AFTER " + quote(after.Name.String())
	}
	return ""
}

// replaceColumn drops a column and adds it again, and with it the indexes over it.
func (a *alteration) replaceColumn(p part) string {
	clauses := []string{"DROP COLUMN " + quote(p.column), "ADD COLUMN " + p.raw() + a.place(p.column)}
	for _, index := range a.indexes {
		name := index.Info.Name.String()
		key, ok := a.to.index(strings.ToLower(name))
		over := slices.ContainsFunc(index.Columns, func(c *sqlparser.IndexColumn) bool { return c.Column.EqualString(p.column) })
		if ok && over && !a.rekeyed[name] {
			a.rekeyed[name] = true
			clauses = append([]string{"DROP KEY " + quote(name)}, append(clauses, "ADD "+key.raw())...)
		}
	}
	return strings.Join(clauses, ", ")
}

// virtual says whether a column was generated and not stored. No server turns such a column into another kind, nor
// another kind into it; but as it holds no rows' data of its own, it can go and come.
func (a *alteration) virtual(name sqlparser.IdentifierCI) bool {
	for _, c := range a.columnsBefore {
		if c.Name.Equal(name) {
			return isVirtual(c)
		}
	}
	return false
}

func isVirtual(c *sqlparser.ColumnDefinition) bool {
	generated, storage := schemadiff.IsGeneratedColumn(c)
	return generated && storage != sqlparser.StoredStorage
}
