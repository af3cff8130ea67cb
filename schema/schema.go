// Package schema compares two database schemas the way a deploy request does, and says which changes are refused, lose data or can be instant.
package schema

import (
	"slices"
	"strings"
)

// Table is one table or view as its server prints it.
type Table struct {
	Name   string `json:"name"`
	Create string `json:"create"`         // the statement of SHOW CREATE TABLE, or CREATE VIEW
	View   bool   `json:"view,omitempty"` // a view: it has no rows of its own
}

// Schema is every table and view of one database, sorted by name. It is plain data: whether the definitions can be
// understood is seen by Diff and Lint.
type Schema struct {
	Tables []Table `json:"tables"`
}

// Table is the table or view of that name.
func (s *Schema) Table(name string) (Table, bool) {
	if s == nil {
		return Table{}, false
	}
	for _, t := range s.Tables {
		if t.Name == name {
			return t, true
		}
	}
	return Table{}, false
}

// Without is the schema less the named tables. The schema itself stays as it is.
func (s *Schema) Without(names ...string) *Schema {
	return s.filter(func(name string) bool { return !slices.Contains(names, name) })
}

// Only is the named tables of the schema, as far as it has them. The schema itself stays as it is.
func (s *Schema) Only(names ...string) *Schema {
	return s.filter(func(name string) bool { return slices.Contains(names, name) })
}

func (s *Schema) filter(keep func(name string) bool) *Schema {
	out := &Schema{Tables: []Table{}}
	if s == nil {
		return out
	}
	for _, t := range s.Tables {
		if keep(t.Name) {
			out.Tables = append(out.Tables, t)
		}
	}
	return out
}

// sorted is a schema of these tables.
func sorted(tables []Table) *Schema {
	if tables == nil {
		tables = []Table{}
	}
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	return &Schema{Tables: tables}
}
