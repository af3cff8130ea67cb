package config

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// value evaluates an attribute as a type. It is ok only if there is something to use: the attribute is there, right, known and
// not null, which means not set. What is wrong has been reported.
func (s *scope) value(attr *hclsyntax.Attribute, want cty.Type, noun string) (v cty.Value, ok bool) {
	if attr == nil {
		return cty.NilVal, false
	}
	v, ok = s.eval(attr.Expr)
	if !ok {
		return cty.NilVal, false
	}
	converted, err := convert.Convert(v, want)
	if err != nil {
		s.wrongType(attr, v, noun)
		return cty.NilVal, false
	}
	if converted.IsNull() || !converted.IsWhollyKnown() {
		return cty.NilVal, false
	}
	return converted, true
}

// wrongType reports a value of another type than the one wanted, without the value.
func (s *scope) wrongType(attr *hclsyntax.Attribute, v cty.Value, noun string) {
	s.l.report(attr.Expr.Range().Ptr(), "Wrong type", fmt.Sprintf("The attribute %q must be %s; this is %s.", attr.Name, noun, typeName(v.Type())))
}

// typeName is a type with its article.
func typeName(t cty.Type) string {
	switch {
	case t == cty.Bool:
		return "true or false"
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return "a list"
	case t.IsObjectType() || t.IsMapType():
		return "a map"
	case t == cty.Number:
		return "a number"
	case t == cty.String:
		return "a string"
	}
	return "a " + t.FriendlyName()
}

// text returns an attribute that is a string.
func (s *scope) text(attr *hclsyntax.Attribute) (string, bool) {
	v, ok := s.value(attr, cty.String, "a string")
	if !ok {
		return "", false
	}
	return v.AsString(), true
}

// filled returns an attribute that is a string and not empty.
func (s *scope) filled(attr *hclsyntax.Attribute) (string, bool) {
	v, ok := s.text(attr)
	if ok && v == "" {
		s.l.report(attr.Expr.Range().Ptr(), "Empty value", fmt.Sprintf("The attribute %q is an empty string. To leave it unset, take it out or write null.", attr.Name))
		return "", false
	}
	return v, ok
}

// flag returns an attribute that is a bool.
func (s *scope) flag(attr *hclsyntax.Attribute) (value, ok bool) {
	v, ok := s.value(attr, cty.Bool, "true or false")
	return ok && v.True(), ok
}

// texts returns an attribute that is a list of strings, without those that are null.
func (s *scope) texts(attr *hclsyntax.Attribute) ([]string, bool) {
	v, ok := s.value(attr, cty.List(cty.String), "a list of strings")
	if !ok {
		return nil, false
	}
	return stringsOf(v), true
}

// oneOf sets a string attribute that has only a few values.
func (s *scope) oneOf(to *string, attr *hclsyntax.Attribute, values ...string) {
	v, ok := s.text(attr)
	if !ok {
		return
	}
	if !slices.Contains(values, v) {
		s.l.report(attr.Expr.Range().Ptr(), "Unknown value", fmt.Sprintf("%s is not a value of %q.", s.shown(attr.Expr, v), attr.Name)+choice(v, values))
		return
	}
	*to = v
}

// choice ends a sentence on a value that is none of values.
func choice(v string, values []string) string {
	if near := didYouMean(v, values, "%q"); near != "" {
		return near
	}
	return " It can be " + list(quoted(values), "or") + "."
}

// duration sets an attribute that is a length of time, such as "90s" or "1h30m".
func (s *scope) duration(to *time.Duration, attr *hclsyntax.Attribute) {
	v, ok := s.text(attr)
	if !ok {
		return
	}
	d, err := time.ParseDuration(v)
	switch {
	case err != nil:
		s.l.report(attr.Expr.Range().Ptr(), "Bad duration", fmt.Sprintf(`%s is not a length of time. Write a number with its unit: "90s", "15m", "1h30m".`, s.shown(attr.Expr, v)))
	case d <= 0:
		s.l.report(attr.Expr.Range().Ptr(), "Bad duration", fmt.Sprintf("The timeout %q must be longer than nothing.", attr.Name))
	default:
		*to = d
	}
}

// shown is a value as a message may quote it: one from the environment is not shown.
func (s *scope) shown(expr hclsyntax.Expression, v string) string {
	if s.tainted(expr) {
		return "This value"
	}
	return strconv.Quote(v)
}

// stringsOf is a known list of strings without those that are null.
func stringsOf(v cty.Value) []string {
	out := []string{}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !e.IsNull() {
			out = append(out, e.AsString())
		}
	}
	return out
}
