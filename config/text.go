package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// commandText renders the command for CommandText; argv is its value if that is known.
func (s *scope) commandText(expr hclsyntax.Expression, argv []string) []string {
	list, ok := expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		if s.outside(expr) || argv == nil {
			return []string{s.sourceText(expr)}
		}
		return escaped(argv)
	}
	var out []string
	for _, e := range list.Exprs {
		if text, set := s.elementText(e); set {
			out = append(out, text)
		}
	}
	return out
}

// envText renders the environment for EnvText; v is its value so far.
func (s *scope) envText(expr hclsyntax.Expression, v cty.Value) map[string]string {
	out := map[string]string{}
	if object, ok := expr.(*hclsyntax.ObjectConsExpr); ok && !slices.ContainsFunc(object.Items, func(i hclsyntax.ObjectConsItem) bool { return s.outside(i.KeyExpr) }) {
		for _, item := range object.Items {
			key, ok := s.constantText(item.KeyExpr)
			if !ok {
				return map[string]string{"*": s.sourceText(expr)}
			}
			if text, set := s.elementText(item.ValueExpr); set {
				out[key] = text
			}
		}
		return out
	}
	env, _ := environOf(v)
	if s.outside(expr) || env == nil {
		return map[string]string{"*": s.sourceText(expr)}
	}
	for name, value := range env {
		out[name] = escape(value)
	}
	return out
}

// elementText is one argument or variable as text; it is not set when it is null.
func (s *scope) elementText(expr hclsyntax.Expression) (text string, set bool) {
	if s.outside(expr) {
		return s.sourceText(expr), true
	}
	v, diags := expr.Value(s.context())
	if diags.HasErrors() {
		return s.sourceText(expr), true
	}
	if v.IsNull() {
		return "", false
	}
	converted, err := convert.Convert(v, cty.String)
	if err != nil || !converted.IsKnown() {
		return s.sourceText(expr), true
	}
	return escape(converted.AsString()), true
}

// constantText is the value of the key of a map.
func (s *scope) constantText(expr hclsyntax.Expression) (string, bool) {
	v, diags := expr.Value(s.context())
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() {
		return "", false
	}
	converted, err := convert.Convert(v, cty.String)
	if err != nil || !converted.IsKnown() {
		return "", false
	}
	return converted.AsString(), true
}

// sourceText is an expression as the file writes it, inside ${ } unless it is a template already.
func (s *scope) sourceText(expr hclsyntax.Expression) string {
	r := expr.Range()
	file := s.l.cfg.Files[r.Filename]
	if file == nil || !r.CanSliceBytes(file.Bytes) {
		return "${...}"
	}
	text := string(r.SliceBytes(file.Bytes))
	if unquoted, ok := strings.CutPrefix(text, `"`); ok {
		switch expr.(type) {
		case *hclsyntax.TemplateExpr, *hclsyntax.TemplateWrapExpr:
			return strings.TrimSuffix(unquoted, `"`)
		}
	}
	return "${" + text + "}"
}

// escape writes a value so that it cannot be taken for an expression.
func escape(v string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(v)
}

func escaped(vs []string) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = escape(v)
	}
	return out
}

// valueText is a value as HCL writes it, "" while it is not known.
func valueText(v cty.Value) string {
	if !v.IsWhollyKnown() {
		return ""
	}
	return string(hclwrite.TokensForValue(v).Bytes())
}
