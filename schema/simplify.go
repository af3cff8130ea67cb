package schema

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// simplifyTable leaves one spelling of what can be said in several: MariaDB's, MySQL's and the one people write.
// schemadiff does the rest (integer widths, inherited character sets, DEFAULT NULL).
func (l *loader) simplifyTable(spec *sqlparser.TableSpec) {
	l.simplifyOptions(spec)
	_, collate := tableCharset(spec.Options)
	for _, col := range spec.Columns {
		if col.Type.Options == nil {
			col.Type.Options = &sqlparser.ColumnTypeOptions{}
		}
		for i := range spec.Constraints {
			if isJSON(col.Type, collate, col.Name, spec.Constraints[i]) {
				col.Type = &sqlparser.ColumnType{Type: "json", Options: col.Type.Options}
				col.Type.Options.Collate = ""
				spec.Constraints = slices.Delete(spec.Constraints, i, i+1)
				break
			}
		}
		l.simplifyColumn(col)
		if opt := col.Type.Options.KeyOpt; opt == sqlparser.ColKeyUnique || opt == sqlparser.ColKeyUniqueKey {
			col.Type.Options.KeyOpt = sqlparser.ColKeyNone
			spec.Indexes = append(spec.Indexes, &sqlparser.IndexDefinition{
				Info:    &sqlparser.IndexInfo{Type: sqlparser.IndexTypeUnique},
				Columns: []*sqlparser.IndexColumn{{Column: col.Name}},
			})
		}
	}
	for _, index := range spec.Indexes {
		simplifyIndex(index)
	}
	primaryNotNull(spec)
	var constraints []*sqlparser.ConstraintDefinition
	seen := map[string]bool{}
	for _, c := range spec.Constraints {
		simplifyConstraint(c)
		// Said twice it holds once; schemadiff sees a second one come but not go.
		if text := sqlparser.CanonicalString(c.Details); !seen[text] {
			seen[text] = true
			constraints = append(constraints, c)
		}
	}
	spec.Constraints = constraints
	simplifyPartitions(spec.PartitionOption)
}

// isJSON says whether a column is what MariaDB makes of the type json: a longtext in utf8mb4_bin that is checked by a
// nameless constraint. MySQL names every constraint, so that nothing of MySQL's is taken for it.
func isJSON(t *sqlparser.ColumnType, tableCollate string, name sqlparser.IdentifierCI, c *sqlparser.ConstraintDefinition) bool {
	check, ok := c.Details.(*sqlparser.CheckConstraintDefinition)
	if !ok || c.Name.NotEmpty() || !strings.EqualFold(t.Type, "longtext") {
		return false
	}
	collate := t.Options.Collate
	if collate == "" && t.Charset.Name == "" {
		collate = tableCollate
	}
	if !strings.EqualFold(collate, "utf8mb4_bin") {
		return false
	}
	valid, ok := check.Expr.(*sqlparser.JSONAttributesExpr)
	if !ok || valid.Type != sqlparser.ValidAttributeType || valid.Path != nil {
		return false
	}
	col, ok := valid.JSONDoc.(*sqlparser.ColName)
	return ok && col.Name.Equal(name)
}

// simplifyOptions puts engine, character set and collation first, spelled out, and drops the auto-increment value,
// which is data.
func (l *loader) simplifyOptions(spec *sqlparser.TableSpec) {
	charset, collate := l.charset(tableCharset(spec.Options))
	if charset == "" && collate == "" {
		charset, collate = "utf8mb4", "utf8mb4_0900_ai_ci"
	}
	engine := "InnoDB"
	var rest sqlparser.TableOptions
	for _, o := range spec.Options {
		o.Name = strings.ToLower(o.Name)
		switch o.Name {
		case "auto_increment", "charset", "character set", "collate":
		case "engine":
			engine = o.String
		case "comment":
			if o.Value != nil && o.Value.Val != "" {
				rest = append(rest, o)
			}
		default:
			rest = append(rest, o)
		}
	}
	slices.SortStableFunc(rest, func(a, b *sqlparser.TableOption) int { return strings.Compare(a.Name, b.Name) })
	spec.Options = append(sqlparser.TableOptions{
		{Name: "engine", String: engine, CaseSensitive: true},
		{Name: "charset", String: charset, CaseSensitive: true},
		{Name: "collate", String: collate, CaseSensitive: true},
	}, rest...)
}

func tableCharset(options sqlparser.TableOptions) (charset, collate string) {
	for _, o := range options {
		switch strings.ToLower(o.Name) {
		case "charset", "character set":
			charset = o.String
		case "collate":
			collate = o.String
		}
	}
	return charset, collate
}

// typeNames are the names of types that a server prints as another one.
var typeNames = map[string]string{
	"integer": "int", "int4": "int", "int1": "tinyint", "int2": "smallint", "int3": "mediumint", "int8": "bigint",
	"middleint": "mediumint", "bool": "boolean", "dec": "decimal", "numeric": "decimal", "fixed": "decimal",
}

// simplifyColumn works without knowing the table's character set.
func (l *loader) simplifyColumn(col *sqlparser.ColumnDefinition) {
	t := col.Type
	if t.Options == nil {
		t.Options = &sqlparser.ColumnTypeOptions{}
	}
	t.Type = strings.ToLower(t.Type)
	if name, ok := typeNames[t.Type]; ok {
		t.Type = name
	}
	switch t.Type {
	case "year":
		t.Length = nil
	case "decimal":
		ten, zero := 10, 0
		if t.Length == nil {
			t.Length = &ten
		}
		if t.Scale == nil {
			t.Scale = &zero
		}
	case "char", "binary", "bit":
		if one := 1; t.Length == nil {
			t.Length = &one
		}
	}
	if t.Zerofill {
		t.Unsigned = true
	}
	t.Charset.Name, t.Options.Collate = l.charset(t.Charset.Name, t.Options.Collate)
	t.Options.Default, t.Options.DefaultLiteral = simplifyDefault(t)
	t.Options.OnUpdate = simplifyExpr(t.Options.OnUpdate)
	t.Options.As = simplifyExpr(t.Options.As)
	if c := t.Options.Comment; c != nil && c.Val == "" {
		t.Options.Comment = nil
	}
	if t.Options.Autoincrement {
		no := false
		t.Options.Null = &no
	}
}

// simplifyDefault writes numbers as MySQL prints them, '0', and the default of a type that takes no plain one as the
// expression that MySQL demands.
func simplifyDefault(t *sqlparser.ColumnType) (sqlparser.Expr, bool) {
	value, literal := t.Options.Default, t.Options.DefaultLiteral
	if value == nil {
		return nil, false
	}
	if !literal {
		return simplifyExpr(value), false
	}
	sign := ""
	if minus, ok := value.(*sqlparser.UnaryExpr); ok {
		if _, ok := minus.Expr.(*sqlparser.Literal); ok && minus.Operator == sqlparser.UMinusOp {
			value, sign = minus.Expr, "-"
		}
	}
	switch v := value.(type) {
	case *sqlparser.NullVal:
		return v, true
	case sqlparser.BoolVal:
		if v {
			return sqlparser.NewStrLiteral("1"), true
		}
		return sqlparser.NewStrLiteral("0"), true
	case *sqlparser.Literal:
		switch v.Type {
		case sqlparser.IntVal, sqlparser.DecimalVal, sqlparser.FloatVal:
			return sqlparser.NewStrLiteral(sign + v.Val), true
		}
	}
	switch t.Type {
	case "json", "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection":
		return simplifyExpr(value), false
	}
	if strings.HasSuffix(t.Type, "text") || strings.HasSuffix(t.Type, "blob") {
		return simplifyExpr(value), false
	}
	return simplifyExpr(t.Options.Default), true
}

// functionNames are the functions that MariaDB prints under another name than MySQL.
var functionNames = map[string]string{"lcase": "lower", "ucase": "upper", "char_length": "character_length"}

// simplifyExpr evens out how servers print expressions: MySQL names the character set of every string, and the two
// differ in the names of a few functions.
func simplifyExpr(e sqlparser.Expr) sqlparser.Expr {
	if e == nil {
		return nil
	}
	return sqlparser.Rewrite(e, nil, func(c *sqlparser.Cursor) bool {
		switch n := c.Node().(type) {
		case *sqlparser.IntroducerExpr:
			if _, ok := n.Expr.(*sqlparser.Literal); ok && strings.EqualFold(n.CharacterSet, "_utf8mb4") {
				c.Replace(n.Expr)
			}
		case *sqlparser.CurTimeFuncExpr:
			if n.Name.EqualString("now") || n.Name.EqualString("localtime") || n.Name.EqualString("localtimestamp") {
				n.Name = sqlparser.NewIdentifierCI("current_timestamp")
			}
		case *sqlparser.FuncExpr:
			name := n.Name.Lowered()
			if other, ok := functionNames[name]; ok {
				name = other
			}
			n.Name = sqlparser.NewIdentifierCI(name)
		}
		return true
	}).(sqlparser.Expr)
}

// simplifyIndex drops the name that CONSTRAINT gives a unique key, and the block size, which InnoDB takes from the table.
func simplifyIndex(index *sqlparser.IndexDefinition) {
	index.Info.ConstraintName = sqlparser.NewIdentifierCI("")
	index.Options = slices.DeleteFunc(index.Options, func(o *sqlparser.IndexOption) bool {
		return strings.EqualFold(o.Name, "key_block_size")
	})
	for _, c := range index.Columns {
		c.Expression = simplifyExpr(c.Expression)
	}
}

// primaryNotNull says NOT NULL where a primary key implies it.
func primaryNotNull(spec *sqlparser.TableSpec) {
	primary := map[string]bool{}
	for _, index := range spec.Indexes {
		if index.Info.Type == sqlparser.IndexTypePrimary {
			for _, c := range index.Columns {
				primary[c.Column.Lowered()] = true
			}
		}
	}
	for _, col := range spec.Columns {
		if primary[col.Name.Lowered()] || col.Type.Options.KeyOpt == sqlparser.ColKeyPrimary {
			no := false
			col.Type.Options.Null = &no
		}
	}
}

// simplifyConstraint drops what says nothing: RESTRICT and NO ACTION are what holds without them, and InnoDB gives the
// index of a foreign key its name elsewhere.
func simplifyConstraint(c *sqlparser.ConstraintDefinition) {
	switch d := c.Details.(type) {
	case *sqlparser.CheckConstraintDefinition:
		d.Expr = simplifyExpr(d.Expr)
	case *sqlparser.ForeignKeyDefinition:
		d.IndexName = sqlparser.NewIdentifierCI("")
		d.ReferenceDefinition.OnDelete = plainAction(d.ReferenceDefinition.OnDelete)
		d.ReferenceDefinition.OnUpdate = plainAction(d.ReferenceDefinition.OnUpdate)
	}
}

func plainAction(a sqlparser.ReferenceAction) sqlparser.ReferenceAction {
	if a == sqlparser.Restrict || a == sqlparser.NoAction {
		return sqlparser.DefaultAction
	}
	return a
}

// simplifyPartitions drops the engine of each partition: it is the table's.
func simplifyPartitions(p *sqlparser.PartitionOption) {
	if p == nil {
		return
	}
	p.Expr = simplifyExpr(p.Expr)
	for _, d := range p.Definitions {
		if d.Options != nil {
			d.Options.Engine = nil
		}
	}
}
