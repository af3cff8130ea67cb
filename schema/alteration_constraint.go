package schema

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// addConstraint adds a constraint as the table has it. A check that belongs to a column goes where the column goes.
func (a *alteration) addConstraint(o *sqlparser.AddConstraintDefinition, text string) string {
	details := sqlparser.CanonicalString(o.ConstraintDefinition.Details)
	for _, p := range a.to.parts {
		if p.named != "" && a.details(p.text) == details {
			return strings.Join(append(a.keepKeys(o), "ADD "+a.constraint(a.table, p)), ", ")
		}
	}
	for _, p := range a.to.parts {
		for _, check := range p.checks {
			switch {
			case a.details(check) != details:
			case a.defined[strings.ToLower(p.column)], slices.Contains(a.redefine, strings.ToLower(p.column)):
				return ""
			default:
				return "ADD " + check
			}
		}
	}
	return text
}

// keepKeys makes the index of a foreign key one that was asked for. An index that the server made by itself for an
// earlier foreign key would silently give way to the one that it makes for this foreign key, under another name.
func (a *alteration) keepKeys(o *sqlparser.AddConstraintDefinition) []string {
	fk, ok := o.ConstraintDefinition.Details.(*sqlparser.ForeignKeyDefinition)
	if !ok {
		return nil
	}
	var out []string
	for _, index := range a.indexes {
		name := index.Info.Name.String()
		p, ok := a.to.index(strings.ToLower(name))
		if !ok || a.rekeyed[name] || index.Info.IsUnique() || len(index.Columns) != len(fk.Source) {
			continue
		}
		same := true
		for i, c := range index.Columns {
			same = same && c.Column.Equal(fk.Source[i])
		}
		if same {
			a.rekeyed[name] = true
			out = append(out, "DROP KEY "+quote(name), "ADD "+p.raw())
		}
	}
	return out
}

// dropConstraint drops a constraint by the word that every server knows, and a check that has no name of its own by
// defining its column again without it. A constraint that the table has twice goes twice.
func (a *alteration) dropConstraint(o *sqlparser.DropKey, text string) []string {
	var details string
	for _, c := range a.constraints {
		if c.Name.Equal(o.Name) {
			details = sqlparser.CanonicalString(c.Details)
		}
	}
	var out []string
	found := false
	for _, p := range a.from.parts {
		if p.named != "" && a.details(p.text) == details {
			found = true
			word := "CONSTRAINT "
			if o.Type == sqlparser.ForeignKeyType {
				word = "FOREIGN KEY "
			}
			out = append(out, "DROP "+word+quote(p.named))
		}
		for _, check := range p.checks {
			if a.details(check) != details {
				continue
			}
			found = true
			if name := strings.ToLower(p.column); !a.defined[name] && !slices.Contains(a.redefine, name) {
				a.redefine = append(a.redefine, name)
			}
		}
	}
	if !found {
		return []string{text}
	}
	return out
}

// columns defines again the columns that lost a check.
func (a *alteration) columns() []string {
	var out []string
	for _, name := range a.redefine {
		if p, ok := a.to.column(name); ok {
			out = append(out, "MODIFY COLUMN "+p.raw())
		}
	}
	return out
}
