package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// scope is what an expression can refer to. One is made for the file; a database adds its branches to a copy of it.
type scope struct {
	l         *loader
	functions map[string]function.Function
	values    map[string]cty.Value // by root: env, var, local, path, branch
	vars      map[string]bool      // declared names
	locals    map[string]*local
	branches  *branchScope // nil outside a database
	// running allows what is known only while a command runs: the attributes env and command of a source.
	running bool
	// fixed allows no reference at all.
	fixed bool
}

// constant returns the scope of what must be readable before anything else of the file is.
func (l *loader) constant() *scope { return &scope{l: l, functions: functions(l.cfg.Dir), fixed: true} }

// branchScope is the branches of the enclosing database by label.
type branchScope struct {
	names   map[string]string // "" while not known
	working string            // label; "" when the blocks do not say which it is
}

// withheld are the variables that no file may read: whoever changes a pmig.hcl must not get hold of them.
var withheld = map[string]bool{"PLANETSCALE_SERVICE_TOKEN": true, "PLANETSCALE_SERVICE_TOKEN_ID": true}

// newScope is the scope of the file before its variables and locals are known.
func (l *loader) newScope() *scope {
	return &scope{
		l:         l,
		functions: functions(l.cfg.Dir),
		values: map[string]cty.Value{
			"env":  environment(l.opt.Environ, l.opt.Validate),
			"path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(l.cfg.Dir), "root": cty.StringVal(l.cfg.Dir)}),
		},
		vars:   map[string]bool{},
		locals: map[string]*local{},
	}
}

// environment is the value of env.
func environment(environ map[string]string, unknown bool) cty.Value {
	if unknown {
		return cty.UnknownVal(cty.Map(cty.String))
	}
	values := map[string]cty.Value{}
	for name, v := range environ {
		if !withheld[name] {
			values[name] = cty.StringVal(v)
		}
	}
	if len(values) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(values)
}

// in returns the scope inside a database, outside the attributes that are evaluated while a command runs.
func (s *scope) in(b *branchScope) *scope {
	inner := *s
	inner.branches = b
	inner.values = maps.Clone(s.values)
	objects := map[string]cty.Value{}
	for label, name := range b.names {
		objects[label] = branchObject(name, label == b.working || b.working == "", nil)
	}
	inner.values["branch"] = cty.ObjectVal(objects)
	return &inner
}

// forRunning returns the scope of the attributes env and command.
func (s *scope) forRunning() *scope {
	inner := *s
	inner.running = true
	if s.l.opt.ReadOnly {
		inner.values = maps.Clone(s.values)
		inner.values["env"] = environment(nil, true)
	}
	return &inner
}

// eval evaluates an expression. Every mistake in it is reported; the value is then one that fits everywhere, so that one mistake
// is not reported again by whoever uses the value, and ok is false.
func (s *scope) eval(expr hclsyntax.Expression) (v cty.Value, ok bool) {
	if diags := s.check(expr); diags.HasErrors() {
		if parts := parts(expr); parts != nil {
			for _, part := range parts {
				s.eval(part) // so that mistakes of both kinds are found in different parts of a list or a map
			}
			return cty.DynamicVal, false
		}
		s.l.diags = append(s.l.diags, diags...)
		return cty.DynamicVal, false
	}
	v, diags := evaluate(expr, s.context(), s.tainted(expr))
	s.l.diags = append(s.l.diags, diags...)
	if diags.HasErrors() {
		return cty.DynamicVal, false
	}
	return v, true
}

// parts are the expressions of which a list or a map is made up; nil for any other expression.
func parts(expr hclsyntax.Expression) []hclsyntax.Expression {
	switch expr := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		return expr.Exprs
	case *hclsyntax.ObjectConsExpr:
		var out []hclsyntax.Expression
		for _, item := range expr.Items {
			out = append(out, item.KeyExpr, item.ValueExpr)
		}
		return out
	}
	return nil
}

func (s *scope) context() *hcl.EvalContext {
	return &hcl.EvalContext{Variables: s.values, Functions: s.functions}
}

// tainted tells whether environment values can be in the value of an expression, directly or by way of a local.
func (s *scope) tainted(expr hclsyntax.Expression) bool { return s.reaches(expr, "env") }

// outside tells whether the value of an expression depends on anything but the text of the files and the variables.
func (s *scope) outside(expr hclsyntax.Expression) bool {
	return s.reaches(expr, "env", "path", "branch")
}

func (s *scope) reaches(expr hclsyntax.Expression, roots ...string) bool {
	for _, t := range expr.Variables() {
		for _, root := range roots {
			if t.RootName() == root {
				return true
			}
			if t.RootName() == "local" && len(t) > 1 && s.locals[stepName(t[1])].reaches(root) {
				return true
			}
		}
	}
	return false
}

// evaluate is expr.Value with diagnostics that are fit to be shown: no environment value can be read in them.
func evaluate(expr hclsyntax.Expression, ctx *hcl.EvalContext, tainted bool) (cty.Value, hcl.Diagnostics) {
	v, diags := expr.Value(ctx)
	for _, d := range diags {
		if name, ok := missingEnv(d); ok {
			d.Summary = "Environment variable not set"
			d.Detail = "The environment variable " + name + " is not set." + didYouMean(name, envNames(ctx), "%s") +
				" If it may be missing, write try(env." + name + ", null)."
		} else if names := missingInTry(d, ctx); names != nil {
			d.Detail = fmt.Sprintf("Nothing in try() has a value. Not set in the environment: %s.", list(names, "and"))
		} else if tainted && quotes(d) {
			d.Detail = "The reason is not shown, because it may contain a value from the environment."
		}
		if tainted {
			d.EvalContext = nil // the printer would show the values of what the expression refers to
		}
	}
	return v, diags
}

// missingEnv recognises the diagnostic on an environment variable that is not set.
func missingEnv(d *hcl.Diagnostic) (name string, ok bool) {
	t, isTraversal := d.Expression.(*hclsyntax.ScopeTraversalExpr)
	if !isTraversal || len(t.Traversal) < 2 || t.Traversal.RootName() != "env" ||
		d.Summary != "Missing map element" && d.Summary != "Invalid index" {
		return "", false
	}
	name = stepName(t.Traversal[1])
	return name, name != ""
}

// missingInTry returns the environment variables that are not set, from the diagnostic on a try() of which nothing succeeded.
func missingInTry(d *hcl.Diagnostic, ctx *hcl.EvalContext) []string {
	call, ok := d.Expression.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "try" || ctx == nil {
		return nil
	}
	var names []string
	set := envNames(ctx)
	for _, t := range call.Variables() {
		if t.RootName() != "env" || len(t) < 2 {
			continue
		}
		if name := stepName(t[1]); name != "" && !slices.Contains(set, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// quotes tells whether the detail of a diagnostic of HCL may contain a part of a value.
func quotes(d *hcl.Diagnostic) bool {
	if _, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		return true
	}
	return strings.Contains(d.Detail, `"`) && d.Summary != "Call to unknown function" && d.Summary != "Unsupported attribute"
}

func envNames(ctx *hcl.EvalContext) []string {
	env := ctx.Variables["env"]
	if env == cty.NilVal || !env.IsKnown() {
		return nil
	}
	return sortedKeys(env.AsValueMap())
}

// stepName is the name that a step of a traversal selects, by .name or by ["name"]; "" for any other step.
func stepName(step hcl.Traverser) string {
	switch step := step.(type) {
	case hcl.TraverseAttr:
		return step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString()
		}
	}
	return ""
}
