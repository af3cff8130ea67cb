package schema

import (
	"strings"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

const dropColumn = "DROP COLUMN "

// clauses is what one option of an ALTER TABLE says, in one spelling: without the names of added constraints (the
// platform gives them new ones at every deploy), without how it is to be carried out, and without what a definition
// says twice.
func (l *loader) clauses(table string, option sqlparser.AlterOption) []string {
	switch o := option.(type) {
	case *sqlparser.AddColumns:
		var out []string
		for _, col := range o.Columns {
			one := &sqlparser.AddColumns{Columns: []*sqlparser.ColumnDefinition{l.column(col)}}
			if len(o.Columns) == 1 {
				one.First, one.After = o.First, o.After
			}
			out = append(out, sqlparser.CanonicalString(one))
		}
		return out
	case *sqlparser.ModifyColumn:
		return text(&sqlparser.ModifyColumn{NewColDefinition: l.column(o.NewColDefinition), First: o.First, After: o.After})
	case *sqlparser.ChangeColumn:
		col := l.column(o.NewColDefinition)
		if o.OldColumn.Name.Equal(col.Name) {
			return text(&sqlparser.ModifyColumn{NewColDefinition: col, First: o.First, After: o.After})
		}
		return text(&sqlparser.ChangeColumn{OldColumn: o.OldColumn, NewColDefinition: col, First: o.First, After: o.After})
	case *sqlparser.DropColumn:
		return []string{dropColumn + quote(o.Name.Name.String())}
	case *sqlparser.AddIndexDefinition:
		index := l.index(o.IndexDefinition)
		return text(&sqlparser.AddIndexDefinition{IndexDefinition: index})
	case *sqlparser.AddConstraintDefinition:
		c := sqlparser.Clone(o.ConstraintDefinition)
		simplifyConstraint(c)
		return []string{"ADD " + sqlparser.CanonicalString(c.Details)}
	case *sqlparser.DropKey:
		return []string{dropKey(table, o)}
	case sqlparser.TableOptions:
		return l.options(o)
	case *sqlparser.AlterCharset:
		charset, collate := l.charset(o.CharacterSet, o.Collate)
		return []string{"CONVERT TO CHARSET=" + charset + " COLLATE=" + collate}
	case sqlparser.AlgorithmValue, *sqlparser.LockOption, *sqlparser.Validation:
		return nil
	}
	return text(option)
}

func text(node sqlparser.SQLNode) []string { return []string{sqlparser.CanonicalString(node)} }

// dropKey names what goes. MariaDB says DROP CONSTRAINT where MySQL says DROP CHECK and DROP FOREIGN KEY, and the
// platform's suffix on the name differs between branches.
func dropKey(table string, o *sqlparser.DropKey) string {
	switch o.Type {
	case sqlparser.PrimaryKeyType:
		return "DROP PRIMARY KEY"
	case sqlparser.NormalKeyType:
		return "DROP KEY " + quote(o.Name.String())
	}
	return "DROP CONSTRAINT " + quote(schemadiff.ExtractConstraintOriginalName(table, o.Name.String()))
}

// column is a column in one spelling without knowledge of its table. schemadiff drops a character set and collation
// that are the table's, so it is shown a table that no text column inherits from.
func (l *loader) column(col *sqlparser.ColumnDefinition) *sqlparser.ColumnDefinition {
	col = sqlparser.Clone(col)
	l.simplifyColumn(col)
	e := l.alone(&sqlparser.TableSpec{Columns: []*sqlparser.ColumnDefinition{col}})
	col = e.TableSpec.Columns[0]
	if col.Type.Options.Collate != "" {
		col.Type.Charset.Name = "" // the collation says it
	}
	return col
}

func (l *loader) index(index *sqlparser.IndexDefinition) *sqlparser.IndexDefinition {
	index = sqlparser.Clone(index)
	simplifyIndex(index)
	e := l.alone(&sqlparser.TableSpec{Indexes: []*sqlparser.IndexDefinition{index}})
	return e.TableSpec.Indexes[0]
}

// alone lets schemadiff normalise definitions outside their table.
func (l *loader) alone(spec *sqlparser.TableSpec) *schemadiff.CreateTableEntity {
	spec.Options = sqlparser.TableOptions{
		{Name: "charset", String: "binary", CaseSensitive: true},
		{Name: "collate", String: "binary", CaseSensitive: true},
	}
	e, err := schemadiff.NewCreateTableEntity(l.env, &sqlparser.CreateTable{
		Table:       sqlparser.NewTableName("t"),
		TableSpec:   spec,
		FullyParsed: true,
	})
	if err != nil {
		panic(err) // only for a table that is not fully parsed
	}
	return e
}

// options is one clause per table option, except that character set and collation are one: each implies something about
// the other.
func (l *loader) options(options sqlparser.TableOptions) []string {
	var out []string
	charset, collate := tableCharset(options)
	if charset != "" || collate != "" {
		charset, collate = l.charset(charset, collate)
		out = append(out, "DEFAULT CHARSET="+charset+" COLLATE="+collate)
	}
	for _, o := range options {
		switch strings.ToLower(o.Name) {
		case "auto_increment", "charset", "character set", "collate":
			continue
		}
		out = append(out, printOption(o))
	}
	return out
}
