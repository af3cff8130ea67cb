package config_test

import (
	"testing"

	"github.com/pmig/pmig/config"
)

// TestVariablePrecedence takes away one place after another that gives the variable a value.
func TestVariablePrecedence(t *testing.T) {
	o := config.Options{
		Vars:     map[string]string{"stage": "flag"},
		VarFiles: []string{"one.pmigvars", "sub/two.pmigvars"},
		Environ:  map[string]string{"PMIG_VAR_stage": "environment", "PMIG_VAR_other": "x"},
	}
	files := map[string]string{
		"pmig.hcl":         "variable \"stage\" {\n  default = \"default\"\n}\n" + minimal,
		"migrations/":      "",
		"one.pmigvars":     `stage = "one"`,
		"sub/two.pmigvars": `stage = "two"`,
		"a.auto.pmigvars":  `stage = "a"`,
		"b.auto.pmigvars":  `stage = "b"`,
		"other.pmigvars":   `stage = "never"`,
	}
	check := func(want string) {
		t.Helper()
		folder(t, files)
		c, diags := config.Load(".", o)
		if len(diags) > 0 {
			t.Fatal(printed(t, c, diags))
		}
		if got := c.Variables[0].Value; got != `"`+want+`"` {
			t.Errorf("stage = %s, want %q", got, want)
		}
	}
	check("flag")
	o.Vars = nil
	check("two")
	o.VarFiles = o.VarFiles[:1]
	check("one")
	o.VarFiles = nil
	check("environment")
	o.Environ = nil
	check("b")
	delete(files, "b.auto.pmigvars")
	check("a")
	delete(files, "a.auto.pmigvars")
	check("default")
}

func TestVariableTypes(t *testing.T) {
	tests := []struct{ name, block, given, want string }{
		{"string", `type = string`, "5", `"5"`},
		{"no type", ``, "[1]", `"[1]"`},
		{"number", `type = number`, "5", `5`},
		{"bool", `type = bool`, "true", `true`},
		{"list", `type = list(string)`, `["a", "b"]`, `["a", "b"]`},
		{"null", "type = string\n  default = null", "", `null`},
		{"choice", "type = number\n  one_of = [1, 2]", "2", `2`},
		{"optional", `type = object({ name = string, port = optional(number, 3306) })`, `{ name = "a" }`, "{\n  name = \"a\"\n  port = 3306\n}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := config.Options{Vars: map[string]string{}}
			if tt.given != "" {
				o.Vars["v"] = tt.given
			}
			c := mustLoad(t, "variable \"v\" {\n  "+tt.block+"\n}\n"+minimal, o)
			if got := c.Variables[0].Value; got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestRequiredVersion(t *testing.T) {
	tests := []struct {
		constraint, version string
		want                bool
	}{
		{">= 0.1", "0.1.0", true},
		{">= 0.1", "v0.3.1+build", true},
		{">= 0.4", "0.3.9", false},
		{">= 0.4", "0.4.0-dev", true},
		{">= 0.4.0-rc.1", "0.4.0-beta", false},
		{">= 0.4.0-beta", "0.4.0", true},
		{"> 0.4", "0.4.0", false},
		{"<= 1", "1.0.0", true},
		{"< 1.0", "1.0.0", false},
		{"1.2.3", "1.2.3", true},
		{"= 1.2.3", "1.2.4", false},
		{"!= 1.2.3", "1.2.3", false},
		{"~> 1.2", "1.9.0", true},
		{"~> 1.2", "2.0.0", false},
		{"~> 1.2.3", "1.2.9", true},
		{"~> 1.2.3", "1.3.0", false},
		{"~> 1", "1.5.0", true},
		{">= 0.1, < 0.3", "0.3.0", false},
		{">= 99", "dev", true},
		{">= 99", "", true},
	}
	for _, tt := range tests {
		t.Run(tt.constraint+" "+tt.version, func(t *testing.T) {
			_, diags := load(t, "pmig {\n  required_version = \""+tt.constraint+"\"\n}\n"+minimal, config.Options{Version: tt.version})
			if got := !diags.HasErrors(); got != tt.want {
				t.Errorf("%v, want %v: %v", got, tt.want, diags)
			}
		})
	}
	for _, bad := range []string{"", ">=", ">= 1.2.3.4", "=> 1", "1.x", ">= 1,", "latest", ">= -1"} {
		if _, diags := load(t, "pmig {\n  required_version = \""+bad+"\"\n}\n"+minimal, config.Options{}); len(diags) != 1 || diags[0].Summary != "Bad version constraint" {
			t.Errorf("%q: %v", bad, diags)
		}
	}
}

func TestFormat(t *testing.T) {
	const in = "database   \"shop\" {\nsource \"goose\" {\n path=\"db\"\n    command=[\"goose\",\"up\"]\n}\n}\n"
	const want = "database \"shop\" {\n  source \"goose\" {\n    path    = \"db\"\n    command = [\"goose\", \"up\"]\n  }\n}\n"
	if got := string(config.Format([]byte(in))); got != want {
		t.Errorf("got:\n%s", got)
	}
	if got := string(config.Format([]byte(want))); got != want {
		t.Errorf("formatting again gives:\n%s", got)
	}
	if got := string(config.Format([]byte("a = {"))); got != "a = {" {
		t.Errorf("a text with a mistake became %q", got)
	}
}
