package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// BranchValues are what a command can know of the working branch while it runs.
type BranchValues struct {
	Name     string // on the platform, with its number
	URL      string // mysql://...
	DSN      string // as go-sql-driver/mysql writes it
	JDBCURL  string
	Host     string
	Port     int
	User     string
	Password string
	Database string
	CAFile   string // path of the certificate that signs the branch's
}

// runningAttrs are the attributes of branch.NAME that BranchValues fills.
var runningAttrs = []string{"url", "dsn", "jdbc_url", "host", "port", "user", "password", "database", "ca_file"}

// value is the value of one of runningAttrs.
func (v *BranchValues) value(attr string) cty.Value {
	switch attr {
	case "url":
		return cty.StringVal(v.URL)
	case "dsn":
		return cty.StringVal(v.DSN)
	case "jdbc_url":
		return cty.StringVal(v.JDBCURL)
	case "host":
		return cty.StringVal(v.Host)
	case "port":
		return cty.NumberIntVal(int64(v.Port))
	case "user":
		return cty.StringVal(v.User)
	case "password":
		return cty.StringVal(v.Password)
	case "database":
		return cty.StringVal(v.Database)
	case "ca_file":
		return cty.StringVal(v.CAFile)
	}
	return cty.DynamicVal
}

// running is the part of a source that is evaluated while its command runs.
type running struct {
	command, env *hclsyntax.Attribute // nil: not set
	scope        *scope
	commandText  []string
	envText      map[string]string
}

// run checks the attributes command and env with everything that is known before a run.
func (s *scope) run(src *Source, b *hclsyntax.Block, c content) running {
	r := running{command: c.attrs["command"], env: c.attrs["env"], scope: s}
	set := false
	if r.command != nil {
		v, ok := s.eval(r.command.Expr)
		set = !ok || !v.IsNull()
		if ok {
			argv, problem := argvOf(v)
			if problem != "" {
				s.l.report(r.command.Expr.Range().Ptr(), "Bad command", problem)
			}
			r.commandText = s.commandText(r.command.Expr, argv)
		}
	}
	if !set && src.Tool != nil && !src.Tool.InProcess {
		s.l.report(&src.Range, "No command", fmt.Sprintf("The tool %s needs to be told how it runs: command = %s.", src.Tool.Name, example(src.Tool.Command)))
	}
	if r.env != nil {
		if v, ok := s.eval(r.env.Expr); ok {
			_, problem := environOf(v)
			if problem != "" {
				s.l.report(r.env.Expr.Range().Ptr(), "Bad env", problem)
			}
			r.envText = s.envText(r.env.Expr, v)
		}
	}
	return r
}

// example is a command as HCL, or what to put there.
func example(command []string) string {
	if len(command) == 0 {
		return `["PROGRAM", "ARGUMENT", ...]`
	}
	return "[" + strings.Join(quoted(command), ", ") + "]"
}

// Command evaluates what to run and with which variables. argv is empty for a source that runs in-process and names no command.
// The result holds credentials; the diagnostics do not.
func (s *Source) Command(v BranchValues) (argv []string, env map[string]string, diags hcl.Diagnostics) {
	if s.run.scope == nil {
		return nil, nil, nil
	}
	ctx := s.run.scope.contextWith(&v)
	if s.run.command != nil {
		value, more := evaluate(s.run.command.Expr, ctx, true)
		diags = append(diags, more...)
		if !more.HasErrors() {
			var problem string
			if argv, problem = argvOf(value); problem != "" {
				diags = append(diags, problemAt(s.run.command, "Bad command", problem))
			}
		}
	}
	if s.run.env != nil {
		value, more := evaluate(s.run.env.Expr, ctx, true)
		diags = append(diags, more...)
		if !more.HasErrors() {
			var problem string
			if env, problem = environOf(value); problem != "" {
				diags = append(diags, problemAt(s.run.env, "Bad env", problem))
			}
		}
	}
	if diags.HasErrors() {
		return nil, nil, diags
	}
	return argv, env, diags
}

// CommandText is the command as the file writes it: what depends on a branch, the environment or this machine's folders stays
// the expression, as in "${branch.migrator.url}"; everything else is its value.
func (s *Source) CommandText() []string { return slices.Clone(s.run.commandText) }

// EnvText is env, written like CommandText. Variables that are null are not in it. When not even the names are known, the
// expression stands under "*".
func (s *Source) EnvText() map[string]string { return maps.Clone(s.run.envText) }

// contextWith is what a command can refer to while it runs.
func (s *scope) contextWith(v *BranchValues) *hcl.EvalContext {
	values := maps.Clone(s.values)
	values["env"] = environment(s.l.opt.Environ, false)
	objects := map[string]cty.Value{}
	for label, name := range s.branches.names {
		if label == s.branches.working {
			if v.Name != "" {
				name = v.Name
			}
			objects[label] = branchObject(name, true, v)
			continue
		}
		objects[label] = branchObject(name, false, nil)
	}
	values["branch"] = cty.ObjectVal(objects)
	return &hcl.EvalContext{Variables: values, Functions: s.functions}
}

func problemAt(attr *hclsyntax.Attribute, summary, detail string) *hcl.Diagnostic {
	return problem(attr.Expr.Range(), summary, detail)[0]
}

// argvOf turns a value into the arguments of a command, without those that are null. While something is not known, it returns
// nothing.
func argvOf(v cty.Value) (argv []string, problem string) {
	converted, err := convert.Convert(v, cty.List(cty.String))
	if err != nil {
		return nil, "The command must be a list of strings, the program first; this is " + typeName(v.Type()) + "."
	}
	if converted.IsNull() || !converted.IsWhollyKnown() {
		return nil, ""
	}
	argv = stringsOf(converted)
	switch {
	case len(argv) == 0 || argv[0] == "":
		return nil, "The command is empty: the first of the list is the program."
	case slices.ContainsFunc(argv, func(a string) bool { return strings.ContainsRune(a, 0) }):
		return nil, "The arguments of a command cannot contain a zero byte."
	}
	return argv, ""
}

// environOf turns a value into environment variables, without those that are null. While something is not known, it returns
// nothing.
func environOf(v cty.Value) (env map[string]string, problem string) {
	converted, err := convert.Convert(v, cty.Map(cty.String))
	if err != nil {
		return nil, "The environment must be a map of strings: { NAME = VALUE }; this is " + typeName(v.Type()) + "."
	}
	if converted.IsNull() || !converted.IsKnown() {
		return nil, ""
	}
	known := converted.IsWhollyKnown()
	env = map[string]string{}
	for it := converted.ElementIterator(); it.Next(); {
		key, e := it.Element()
		name := key.AsString()
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, "The names of environment variables are not empty and contain no equals sign."
		}
		if !known || e.IsNull() {
			continue
		}
		if strings.ContainsRune(e.AsString(), 0) {
			return nil, "The values of environment variables cannot contain a zero byte."
		}
		env[name] = e.AsString()
	}
	if !known {
		return nil, ""
	}
	return env, ""
}
