package emulator

import (
	"cmp"
	"slices"

	"github.com/pmig/pmig/schema"
)

// lintError is why a deploy request cannot be deployed: something in the
// branch's schema, or a conflict with the target.
type lintError struct {
	schema.Finding
	Conflict *conflict `json:"conflict,omitempty"`
	// Subject is what it is about; "" is a table.
	Subject  string `json:"subject,omitempty"`
	JSONPath string `json:"json_path,omitempty"`
	Vindex   string `json:"vindex,omitempty"`
}

// conflict is what both sides have changed of one table.
type conflict struct {
	Verb        string   `json:"verb"` // what the branch does: CREATE, ALTER or DROP
	Columns     []string `json:"columns,omitempty"`
	Indexes     []string `json:"indexes,omitempty"`
	Constraints []string `json:"constraints,omitempty"`
	Partitions  bool     `json:"partitions,omitempty"`
}

// lint finds what a deploy request of a structure, or its promotion, would be
// refused for.
func lint(keyspace string, s *structure, opts schema.LintOptions) []lintError {
	var all []lintError
	for _, f := range schema.Lint(s.Schema, opts) {
		all = append(all, lintError{Finding: f})
	}
	return append(all, lintRouting(keyspace, s)...)
}

// aboutView says whether a kind of lint error is about a view.
func aboutView(code string) bool {
	return slices.Contains([]string{schema.InvalidTableReferencedInView, schema.InvalidColumnReferencedInView}, code)
}

// lintDocs is where the platform explains its kinds of lint errors.
const lintDocs = "https://planetscale.com/docs/vitess/schema-changes/schema-lint-errors"

func showLint(keyspace string, f lintError) object {
	return object{"type": "DeploymentLintError", "lint_error": f.Code, "subject_type": cmp.Or(f.Subject, "table"), "keyspace_name": keyspace, "table_name": f.Table,
		"error_description": f.Message, "docs_url": lintDocs, "column_name": f.Column, "foreign_key_column_names": orEmpty(f.ForeignKey),
		"auto_increment_column_names": []string{}, "charset_name": f.Charset, "engine_name": f.Engine, "vindex_name": f.Vindex, "json_path": f.JSONPath,
		"check_constraint_name": "", "enum_value": f.EnumValue, "partitioning_type": f.Partitioning, "partition_name": ""}
}

// showLintError is a lint error inside a deployment, which has more members
// than that of a branch.
func showLintError(keyspace string, l lintError) object {
	o := showLint(keyspace, l)
	o["statement"], o["view_name"] = "", nil
	if aboutView(l.Code) {
		o["view_name"] = l.Table
	}
	for _, name := range []string{"conflict_columns", "conflict_indexes", "conflict_constraints", "conflict_partitions", "conflict_error", "conflict_ddl_verb"} {
		o[name] = nil
	}
	if c := l.Conflict; c != nil {
		o["conflict_columns"], o["conflict_indexes"], o["conflict_constraints"] = orEmpty(c.Columns), orEmpty(c.Indexes), orEmpty(c.Constraints)
		o["conflict_partitions"], o["conflict_error"], o["conflict_ddl_verb"] = c.Partitions, l.Message, c.Verb
	}
	return o
}

// orEmpty is a list that is never null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
