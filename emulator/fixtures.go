package emulator

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Fixtures is what there shall be at the beginning, as a file says it.
type Fixtures struct {
	Tokens        []FixtureToken        `hcl:"token,block"`
	Organizations []FixtureOrganization `hcl:"organization,block"`
}

// FixtureToken is a service token.
type FixtureToken struct {
	ID     string `hcl:"id,label"`
	Secret string `hcl:"secret"`
	Name   string `hcl:"name,optional"`
	// Permissions are the platform's words; absent means all of them.
	Permissions      []string  `hcl:"permissions,optional"`
	PermissionsRange hcl.Range `hcl:"permissions,attr_value_range"`
	Range            hcl.Range `hcl:",def_range"`
}

// FixtureOrganization is an organization and its databases.
type FixtureOrganization struct {
	Name      string            `hcl:"name,label"`
	Databases []FixtureDatabase `hcl:"database,block"`
	Range     hcl.Range         `hcl:",def_range"`
}

// FixtureDatabase is a database with its settings, named as PATCH on a database
// names them.
type FixtureDatabase struct {
	Name                 string          `hcl:"name,label"`
	Kind                 string          `hcl:"kind,optional"`
	DefaultBranch        string          `hcl:"default_branch,optional"`
	AutomaticMigrations  *bool           `hcl:"automatic_migrations,optional"`
	MigrationFramework   *string         `hcl:"migration_framework,optional"`
	MigrationTable       *string         `hcl:"migration_table_name,optional"`
	RequireApproval      bool            `hcl:"require_approval_for_deploy,optional"`
	ForeignKeys          bool            `hcl:"allow_foreign_key_constraints,optional"`
	AllowDataBranching   bool            `hcl:"allow_data_branching,optional"`
	RestrictBranchRegion bool            `hcl:"restrict_branch_region,optional"`
	DeletionProtected    bool            `hcl:"deletion_protected,optional"`
	InsightsRawQueries   bool            `hcl:"insights_raw_queries,optional"`
	ProductionWebConsole bool            `hcl:"production_branch_web_console,optional"`
	Branches             []FixtureBranch `hcl:"branch,block"`
	Range                hcl.Range       `hcl:",def_range"`
}

// FixtureBranch is a branch: the default branch, or one that is made from its
// parent in the order of the file.
type FixtureBranch struct {
	Name string `hcl:"name,label"`
	// Parent is a branch named before. Default: the default branch.
	Parent string `hcl:"parent,optional"`
	// SQL is run on the branch past every rule: its schema, and rows if need
	// be. file("schema.sql") reads it from beside the fixtures.
	SQL      string    `hcl:"sql,optional"`
	SQLRange hcl.Range `hcl:"sql,attr_value_range"`
	// Rows are inserted then: for each table a list of objects.
	Rows              cty.Value `hcl:"rows,optional"`
	RowsRange         hcl.Range `hcl:"rows,attr_value_range"`
	Production        *bool     `hcl:"production,optional"`
	SafeMigrations    *bool     `hcl:"safe_migrations,optional"`
	DeletionProtected bool      `hcl:"deletion_protected,optional"`
	Range             hcl.Range `hcl:",def_range"`
}

// LoadFixtures reads fixtures from a file in HCL, or with the ending .json in
// HCL's JSON. Mistakes are hcl.Diagnostics, which name the line.
func LoadFixtures(path string) (*Fixtures, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseFixtures(path, src)
}

// ParseFixtures is LoadFixtures for a file that has been read. Files that it
// names are looked up beside it.
func ParseFixtures(path string, src []byte) (*Fixtures, error) {
	parser := hclparse.NewParser()
	parse := parser.ParseHCL
	if strings.EqualFold(filepath.Ext(path), ".json") {
		parse = parser.ParseJSON
	}
	file, diags := parse(src, filepath.Base(path))
	if diags.HasErrors() {
		return nil, diags
	}
	scope := &hcl.EvalContext{Functions: map[string]function.Function{"file": fileFunction(filepath.Dir(path))}}
	var f Fixtures
	diags = append(diags, gohcl.DecodeBody(file.Body, scope, &f)...)
	if !diags.HasErrors() {
		diags = append(diags, f.check()...)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return &f, nil
}

// fileFunction is file(NAME), the content of a file.
func fileFunction(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			b, err := os.ReadFile(name)
			return cty.StringVal(string(b)), err
		},
	})
}

// check finds what the shape of a file does not: names that cannot be, and
// names that nothing has.
func (f *Fixtures) check() (diags hcl.Diagnostics) {
	add := func(at hcl.Range, format string, args ...any) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprintf(format, args...), Subject: &at})
	}
	seen := map[string]bool{}
	once := func(at hcl.Range, what string) {
		if seen[what] {
			add(at, "%s is there twice", what)
		}
		seen[what] = true
	}
	name := func(at hcl.Range, name string) {
		if !databaseForm.MatchString(name) {
			add(at, "name %q can only contain lower case letters, numbers, dashes and underscores", name)
		}
	}
	branchName := func(at hcl.Range, name string) {
		if !branchForm.MatchString(name) {
			add(at, "branch name %q can only contain lower case letters, numbers and dashes", name)
		}
	}
	for _, t := range f.Tokens {
		once(t.Range, "token "+t.ID)
		if t.ID == "" || t.Secret == "" || strings.Contains(t.ID, ":") {
			add(t.Range, "a token has an id without a colon, and a secret")
		}
		for _, p := range t.Permissions {
			if !slices.Contains(permissions, p) {
				add(t.PermissionsRange, "no permission is called %q", p)
			}
		}
	}
	for _, o := range f.Organizations {
		once(o.Range, "organization "+o.Name)
		name(o.Range, o.Name)
		for _, d := range o.Databases {
			path := o.Name + "/" + d.Name
			once(d.Range, "database "+path)
			name(d.Range, d.Name)
			if d.Kind != "" && d.Kind != "mysql" && d.Kind != "postgresql" {
				add(d.Range, "kind is mysql or postgresql, not %q", d.Kind)
			}
			if d.Kind == "postgresql" && len(d.Branches) > 0 {
				add(d.Range, "a PostgreSQL database has no branches here")
			}
			root := d.root()
			branchName(d.Range, root)
			for i, b := range d.Branches {
				once(b.Range, "branch "+path+"/"+b.Name)
				branchName(b.Range, b.Name)
				before := func(x FixtureBranch) bool { return x.Name == b.Parent }
				switch {
				case b.Name == root && b.Parent != "":
					add(b.Range, "the default branch %q has no parent", b.Name)
				case b.Parent != "" && b.Parent != root && !slices.ContainsFunc(d.Branches[:i], before):
					add(b.Range, "the parent %q is no branch named before", b.Parent)
				}
				if _, err := rowsOf(b.Rows); err != nil {
					add(b.RowsRange, "rows: %v", err)
				}
			}
		}
	}
	return diags
}

// root is the name of the default branch.
func (d *FixtureDatabase) root() string {
	if d.DefaultBranch != "" {
		return d.DefaultBranch
	}
	return "main"
}

// tableRow is a row to be inserted.
type tableRow struct {
	table   string
	columns []string
	values  []any
}

// rowsOf reads rows as fixtures write them: { users = [{ id = 1 }] }.
func rowsOf(v cty.Value) ([]tableRow, error) {
	if v == cty.NilVal || v.IsNull() {
		return nil, nil
	}
	if !v.IsWhollyKnown() || !v.CanIterateElements() || v.Type().IsListType() || v.Type().IsTupleType() || v.Type().IsSetType() {
		return nil, fmt.Errorf("they are written { TABLE = [{ COLUMN = VALUE }] }")
	}
	var all []tableRow
	for key, list := range v.Elements() {
		table := key.AsString()
		if list.IsNull() || !list.CanIterateElements() || list.Type().IsObjectType() || list.Type().IsMapType() {
			return nil, fmt.Errorf("those of table %q are no list", table)
		}
		for _, object := range list.Elements() {
			if object.IsNull() || !object.Type().IsObjectType() && !object.Type().IsMapType() {
				return nil, fmt.Errorf("a row of table %q is no object", table)
			}
			row := tableRow{table: table}
			for column, value := range object.Elements() {
				plain, err := plainValue(value)
				if err != nil {
					return nil, fmt.Errorf("%s.%s: %w", table, column.AsString(), err)
				}
				row.columns, row.values = append(row.columns, column.AsString()), append(row.values, plain)
			}
			all = append(all, row)
		}
	}
	return all, nil
}

// plainValue is a value as MySQL takes it.
func plainValue(v cty.Value) (any, error) {
	switch {
	case v.IsNull():
		return nil, nil
	case v.Type() == cty.String:
		return v.AsString(), nil
	case v.Type() == cty.Bool:
		return v.True(), nil
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1), nil
	}
	return nil, fmt.Errorf("a value is a text, a number, a bool or null")
}
