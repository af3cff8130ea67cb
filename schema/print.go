package schema

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// printTable is the text of a table the way SHOW CREATE TABLE of MySQL 8 lays it out.
func printTable(ct *sqlparser.CreateTable) string {
	return printParts(ct, tableParts(ct))
}

func printParts(ct *sqlparser.CreateTable, parts []string) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + sqlparser.CanonicalString(ct.Table) + " (\n  ")
	b.WriteString(strings.Join(parts, ",\n  "))
	b.WriteString("\n)")
	for _, o := range ct.TableSpec.Options {
		b.WriteString(" " + printOption(o))
	}
	if p := ct.TableSpec.PartitionOption; p != nil {
		b.WriteString("\n" + strings.TrimSpace(sqlparser.CanonicalString(p)))
	}
	return b.String()
}

func tableParts(ct *sqlparser.CreateTable) []string {
	var parts []string
	for _, c := range ct.TableSpec.Columns {
		parts = append(parts, sqlparser.CanonicalString(c))
	}
	for _, i := range ct.TableSpec.Indexes {
		parts = append(parts, sqlparser.CanonicalString(i))
	}
	for _, c := range ct.TableSpec.Constraints {
		parts = append(parts, sqlparser.CanonicalString(c))
	}
	return parts
}

// printOption is one table option as MySQL prints it.
func printOption(o *sqlparser.TableOption) string {
	name := strings.ToUpper(o.Name)
	switch {
	case name == "CHARSET":
		return "DEFAULT CHARSET=" + o.String
	case o.String != "":
		return name + "=" + o.String
	case o.Value != nil:
		return name + "=" + sqlparser.CanonicalString(o.Value)
	}
	return name + "=(" + sqlparser.CanonicalString(o.Tables) + ")"
}

// identity is the text that two tables share exactly when a deploy request sees no difference: without the names of
// constraints and the order of keys. It is for digests and comparison, not for a server.
func identity(e schemadiff.Entity) []string {
	switch e := e.(type) {
	case *schemadiff.CreateViewEntity:
		return []string{sqlparser.CanonicalString(e.CreateView)}
	case *schemadiff.CreateTableEntity:
		return tableIdentity(e.CreateTable)
	}
	return nil
}

func tableIdentity(ct *sqlparser.CreateTable) []string {
	spec := ct.TableSpec
	var columns, rest []string
	place := "FIRST"
	for _, c := range spec.Columns {
		columns = append(columns, sqlparser.CanonicalString(c)+" "+place)
		place = "AFTER " + quote(c.Name.Lowered())
	}
	for _, i := range spec.Indexes {
		rest = append(rest, sqlparser.CanonicalString(i))
	}
	for _, c := range spec.Constraints {
		rest = append(rest, sqlparser.CanonicalString(c.Details))
	}
	for _, o := range spec.Options {
		rest = append(rest, printOption(o))
	}
	slices.Sort(rest)
	if p := spec.PartitionOption; p != nil {
		rest = append(rest, strings.TrimSpace(sqlparser.CanonicalString(p)))
	}
	return append(columns, rest...)
}
