package schema

import (
	"crypto/sha256"
	"encoding/hex"
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
