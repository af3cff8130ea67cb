package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// native writes a difference in the words that the server used for the tables, because what schemadiff prints is
// MySQL's: definitions are taken from the text of the table as it shall be.
type native struct {
	loader *loader
	to     *Schema
	tables map[string]table // of to, taken apart
	before map[string]table // of from
	taken  map[string]bool  // names of foreign keys in from: a server wants them unique in the database
}

func newNative(l *loader, from, to *Schema) *native {
	n := &native{loader: l, to: to, tables: map[string]table{}, before: map[string]table{}, taken: map[string]bool{}}
	for _, t := range from.Tables {
		if parts, ok := splitTable(t.Create); ok {
			n.before[t.Name] = parts
			for _, p := range parts.parts {
				if p.foreign {
					n.taken[strings.ToLower(p.named)] = true
				}
			}
		}
	}
	for _, t := range to.Tables {
		if parts, ok := splitTable(t.Create); ok {
			n.tables[t.Name] = parts
		}
	}
	return n
}

// statement is the statement to run.
func (n *native) statement(d schemadiff.EntityDiff) string {
	switch s := d.Statement().(type) {
	case *sqlparser.CreateTable:
		if t, ok := n.tables[d.EntityName()]; ok {
			return n.create(t)
		}
	case *sqlparser.CreateView:
		if t, ok := n.to.Table(d.EntityName()); ok {
			return withoutDefiner(t.Create)
		}
	case *sqlparser.AlterView:
		// ALTER VIEW keeps the algorithm and the security that it does not mention.
		if t, ok := n.to.Table(d.EntityName()); ok {
			return strings.Replace(withoutDefiner(t.Create), "CREATE ", "CREATE OR REPLACE ", 1)
		}
	case *sqlparser.AlterTable:
		from, _ := d.Entities()
		if e, ok := from.(*schemadiff.CreateTableEntity); ok {
			return n.alter(d.EntityName(), s, e.TableSpec)
		}
	}
	return d.CanonicalStatementString()
}

// create is the table's own text less its auto-increment value, with other names for foreign keys whose names are taken.
func (n *native) create(t table) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + quote(t.name) + " (\n  ")
	for i, p := range t.parts {
		if i > 0 {
			b.WriteString(",\n  ")
		}
		b.WriteString(n.constraint(t.name, p))
	}
	b.WriteString("\n)" + withoutAutoIncrement(t.tail))
	return b.String()
}

// constraint is a definition; a foreign key whose name is taken, if only by what it replaces, gets another one. The
// platform does the same to every constraint at every deploy.
func (n *native) constraint(table string, p part) string {
	if !p.foreign || !n.taken[strings.ToLower(p.named)] {
		return p.raw()
	}
	sum := sha256.Sum256([]byte(table + "\x00" + p.named + "\x00" + p.text))
	const longest = 64
	suffix := "_" + hex.EncodeToString(sum[:6])
	name := []rune(p.named)
	name = name[:min(len(name), longest-len(suffix))]
	s := newStatement(p.text)
	return p.text[:s.tokens[1].start] + quote(string(name)+suffix) + p.text[s.tokens[1].end:]
}

// withoutAutoIncrement cuts AUTO_INCREMENT=n out of the options of a table.
func withoutAutoIncrement(tail string) string {
	s := newStatement(tail)
	for i := range s.tokens {
		if s.word(i, "AUTO_INCREMENT") && s.sign(i+1, '=') && i+2 < len(s.tokens) {
			return strings.TrimRight(tail[:s.tokens[i].start], " ") + tail[s.tokens[i+2].end:]
		}
	}
	return tail
}

// details is what a constraint says, in the spelling of the loaded tables and without its name.
func (n *native) details(constraint string) string {
	stmt, err := n.loader.parse("CREATE TABLE t (c int, " + constraint + ")")
	if err != nil {
		return ""
	}
	ct, ok := stmt.(*sqlparser.CreateTable)
	if !ok || ct.TableSpec == nil || len(ct.TableSpec.Constraints) != 1 {
		return ""
	}
	simplifyConstraint(ct.TableSpec.Constraints[0])
	return sqlparser.CanonicalString(ct.TableSpec.Constraints[0].Details)
}

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
		if text := a.clause(o); text != "" {
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
				return "DROP COLUMN " + quote(p.column) + ", ADD COLUMN " + p.raw() + a.place(p.column)
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

func (t table) column(lowered string) (part, bool) {
	for _, p := range t.parts {
		if p.column != "" && strings.ToLower(p.column) == lowered {
			return p, true
		}
	}
	return part{}, false
}

// place is where a column stands among those that the table had before: the others are put in later.
func (a *alteration) place(column string) string {
	place := " FIRST"
	for _, p := range a.to.parts {
		if p.column == column {
			break
		}
		if _, old := a.from.column(strings.ToLower(p.column)); old && p.column != "" {
			place = " AFTER " + quote(p.column)
		}
	}
	return place
}

func (t table) index(lowered string) (part, bool) {
	for _, p := range t.parts {
		if p.key != "" && strings.ToLower(p.key) == lowered {
			return p, true
		}
	}
	return part{}, false
}
