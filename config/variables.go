package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// autoVars is the pattern of the variable files that are read without being asked for, and envPrefix begins the environment
// variables that give values.
const (
	autoVars  = "*.auto.pmigvars"
	envPrefix = "PMIG_VAR_"
)

var variableShape = shape{in: "In a variable block", attrs: []string{"type", "default", "one_of", "description"}}

// variable is a variable block.
type variable struct {
	name     string
	label    hcl.Range
	typ      cty.Type
	defaults *typeexpr.Defaults
	fallback *hclsyntax.Attribute
	oneOf    []cty.Value
}

// given is a value that somebody gave a variable.
type given struct {
	value cty.Value
	at    *hcl.Range // in a variable file; nil for the command line and the environment
	by    string     // the words for where it is from
}

// variables declares the variables and gives each its value.
func (l *loader) variables(blocks []*hclsyntax.Block) {
	var declared []*variable
	for _, b := range blocks {
		v := l.variable(b)
		if l.scope.vars[v.name] {
			l.report(&v.label, "Repeated variable", fmt.Sprintf("There is another variable %q above.", v.name))
			continue
		}
		l.scope.vars[v.name] = true
		declared = append(declared, v)
	}
	values := map[string]cty.Value{}
	known := l.given(declared)
	for _, v := range declared {
		value := l.settle(v, known[v.name])
		values[v.name] = value
		l.cfg.Variables = append(l.cfg.Variables, Variable{Name: v.name, Value: valueText(value), Range: v.label})
	}
	l.scope.values["var"] = cty.ObjectVal(values)
}

// variable decodes one block.
func (l *loader) variable(b *hclsyntax.Block) *variable {
	c := l.open(b.Body, variableShape)
	v := &variable{name: b.Labels[0], label: b.LabelRanges[0], typ: cty.DynamicPseudoType, fallback: c.attrs["default"]}
	if !hclsyntax.ValidIdentifier(v.name) {
		l.report(&v.label, "Bad name", "The name of a variable begins with a letter; letters, digits, - and _ follow.")
	}
	if t := c.attrs["type"]; t != nil {
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(t.Expr)
		for _, d := range diags {
			d.Detail += l.likelyType(d.Subject)
		}
		l.diags = append(l.diags, diags...)
		if !diags.HasErrors() {
			v.typ, v.defaults = typ, defaults
		}
	}
	constant := l.constant()
	constant.text(c.attrs["description"])
	if choices := c.attrs["one_of"]; choices != nil {
		list, ok := constant.value(choices, cty.DynamicPseudoType, "a list")
		if ok && !list.CanIterateElements() {
			constant.wrongType(choices, list, "a list")
		} else if ok {
			v.oneOf = l.choices(v, choices, list)
		}
	}
	return v
}

// likelyType is the sentence with the type that was probably meant by the text at a range.
func (l *loader) likelyType(at *hcl.Range) string {
	file := l.cfg.Files[l.cfg.File]
	if at == nil || !at.CanSliceBytes(file.Bytes) {
		return ""
	}
	return didYouMean(string(at.SliceBytes(file.Bytes)), []string{"string", "number", "bool", "list", "map", "set", "object", "tuple", "any"}, "%s")
}

// choices returns the values that a variable may have.
func (l *loader) choices(v *variable, attr *hclsyntax.Attribute, list cty.Value) []cty.Value {
	var out []cty.Value
	for it := list.ElementIterator(); it.Next(); {
		_, e := it.Element()
		converted, err := convert.Convert(e, v.typ)
		if err != nil {
			l.report(attr.Expr.Range().Ptr(), "Wrong type", fmt.Sprintf("The values in \"one_of\" must have the type of the variable; one is %s.", typeName(e.Type())))
			return nil
		}
		out = append(out, converted)
	}
	return out
}

// settle returns the value of a variable: what was given, or else its default.
func (l *loader) settle(v *variable, g *given) cty.Value {
	if g == nil && v.fallback != nil {
		value, ok := l.constant().eval(v.fallback.Expr)
		if !ok {
			return cty.DynamicVal
		}
		g = &given{value: value, at: v.fallback.Expr.Range().Ptr(), by: "as the default"}
	}
	if g == nil {
		if !l.opt.Validate {
			l.report(&v.label, "Variable without a value", fmt.Sprintf(
				"The variable %q has no default. Give it a value: --var %s=..., %s%s or a file %s.", v.name, v.name, envPrefix, v.name, autoVars))
		}
		return cty.UnknownVal(v.typ)
	}
	where := g.at
	if where == nil {
		where = &v.label
	}
	value := g.value
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	value, err := convert.Convert(value, v.typ)
	if err != nil {
		l.report(where, "Wrong type", fmt.Sprintf("The value given %s does not fit: the variable %q must be %s (%v).", g.by, v.name, typeName(v.typ), err))
		return cty.UnknownVal(v.typ)
	}
	if v.oneOf != nil && !value.IsNull() && value.IsWhollyKnown() && !slices.ContainsFunc(v.oneOf, func(c cty.Value) bool { return same(c, value) }) {
		l.report(where, "Unknown value", fmt.Sprintf("The value given %s is not one of those that the variable %q can have.", g.by, v.name)+choice(plain(value), plains(v.oneOf)))
		return cty.UnknownVal(v.typ)
	}
	return value
}

func same(a, b cty.Value) bool {
	return a.Type().Equals(b.Type()) && a.RawEquals(b)
}

// given collects the values from everywhere, in ascending order of precedence.
func (l *loader) given(declared []*variable) map[string]*given {
	out := map[string]*given{}
	for _, name := range autoFiles(l.cfg.Dir) {
		l.variableFile(filepath.Join(filepath.Dir(l.cfg.File), name), declared, out)
	}
	for _, v := range declared {
		if text, ok := l.opt.Environ[envPrefix+v.name]; ok {
			l.literal(v, text, "with "+envPrefix+v.name, out)
		}
	}
	for _, name := range l.opt.VarFiles {
		l.variableFile(name, declared, out)
	}
	for _, name := range sortedKeys(l.opt.Vars) {
		i := slices.IndexFunc(declared, func(v *variable) bool { return v.name == name })
		if i < 0 {
			l.report(nil, "Unknown variable", fmt.Sprintf("--var %s: there is no variable %q in %s.", name, name, l.cfg.File)+didYouMean(name, names(declared), "%s"))
			continue
		}
		l.literal(declared[i], l.opt.Vars[name], "with --var "+name, out)
	}
	return out
}

// literal takes a value from a text that is not HCL: the text itself for a string, HCL for a list or a map.
func (l *loader) literal(v *variable, text, by string, out map[string]*given) {
	if v.typ.IsPrimitiveType() || v.typ == cty.DynamicPseudoType {
		out[v.name] = &given{value: cty.StringVal(text), by: by}
		return
	}
	diags := bounds([]byte(text), by, hcl.InitialPos)
	var value cty.Value
	if !diags.HasErrors() {
		var expr hclsyntax.Expression
		expr, diags = hclsyntax.ParseExpression([]byte(text), by, hcl.InitialPos)
		if !diags.HasErrors() {
			value, diags = expr.Value(nil)
		}
	}
	if diags.HasErrors() {
		l.report(&v.label, "Bad value", fmt.Sprintf("The value given %s cannot be read as HCL: %s", by, diags[0].Detail))
		out[v.name] = &given{value: cty.DynamicVal, by: by}
		return
	}
	out[v.name] = &given{value: value, by: by}
}

// variableFile takes the values from a file of NAME = VALUE lines.
func (l *loader) variableFile(name string, declared []*variable, out map[string]*given) {
	body := l.parse(name, "variable file", "Check the name given with --var-file.")
	if body == nil {
		return
	}
	for _, b := range body.Blocks {
		l.report(&b.TypeRange, "Unknown block", "In a variable file there are only values: NAME = VALUE.")
	}
	for _, attr := range inOrder(body.Attributes) {
		if !l.scope.vars[attr.Name] {
			l.report(&attr.NameRange, "Unknown variable", fmt.Sprintf("There is no variable %q in %s.", attr.Name, l.cfg.File)+didYouMean(attr.Name, names(declared), "%s"))
			continue
		}
		value, diags := attr.Expr.Value(nil)
		l.diags = append(l.diags, diags...)
		if diags.HasErrors() {
			value = cty.DynamicVal
		}
		out[attr.Name] = &given{value: value, at: attr.Expr.Range().Ptr(), by: "here"}
	}
}

// autoFiles returns the names of a folder's variable files that are read without being asked for, in order.
func autoFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // the configuration itself was read from here, so there is nothing to say that would not be said of it
	}
	var out []string
	for _, e := range entries {
		if ok, _ := filepath.Match(autoVars, e.Name()); ok && !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

func names(vs []*variable) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.name
	}
	return out
}

// plain is a value as a person would write it in a message: a string without its quotation marks.
func plain(v cty.Value) string {
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		return v.AsString()
	}
	return strings.Trim(valueText(v), `"`)
}

func plains(vs []cty.Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = plain(v)
	}
	return out
}
