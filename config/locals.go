package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// local is one attribute of a locals block.
type local struct {
	attr  *hclsyntax.Attribute
	uses  []string        // names of the locals it refers to, in the order of the text
	roots map[string]bool // what else it refers to; after sorting, also by way of other locals
}

// reaches tells whether the local depends on a root such as env; a local that is not there does not.
func (v *local) reaches(root string) bool { return v != nil && v.roots[root] }

// locals declares and evaluates what the locals blocks define.
func (l *loader) locals(blocks []*hclsyntax.Block) {
	for _, b := range blocks {
		for _, nested := range b.Body.Blocks {
			l.report(&nested.TypeRange, "Unknown block", "In a locals block there are only attributes: NAME = VALUE.")
		}
		for _, attr := range inOrder(b.Body.Attributes) {
			if first := l.scope.locals[attr.Name]; first != nil {
				l.report(&attr.NameRange, "Repeated local", fmt.Sprintf("local.%s is already defined at %s.", attr.Name, place(first.attr.NameRange)))
				continue
			}
			l.scope.locals[attr.Name] = newLocal(attr)
		}
	}
	values := map[string]cty.Value{}
	for _, name := range l.sortLocals() {
		l.scope.values["local"] = cty.ObjectVal(values)
		values[name], _ = l.scope.eval(l.scope.locals[name].attr.Expr)
	}
	for name := range l.scope.locals {
		if _, ok := values[name]; !ok {
			values[name] = cty.DynamicVal // part of a circle
		}
	}
	l.scope.values["local"] = cty.ObjectVal(values)
}

func newLocal(attr *hclsyntax.Attribute) *local {
	v := &local{attr: attr, roots: map[string]bool{}}
	for _, t := range attr.Expr.Variables() {
		if t.RootName() == "local" && len(t) > 1 {
			v.uses = append(v.uses, stepName(t[1]))
		}
		v.roots[t.RootName()] = true
	}
	return v
}

// sortLocals returns the names so that each comes after those it refers to. Locals in a circle are reported, once per circle, and
// left out.
func (l *loader) sortLocals() []string {
	var order, path []string
	done := map[string]bool{} // true: sorted; false: in a circle, or depending on one
	var visit func(name string) bool
	visit = func(name string) bool {
		v := l.scope.locals[name]
		if v == nil {
			return true // reported where it is evaluated
		}
		if ok, seen := done[name]; seen {
			return ok
		}
		if i := slices.Index(path, name); i >= 0 {
			l.circle(path[i:])
			return false
		}
		path = append(path, name)
		ok := true
		for _, use := range v.uses {
			if !visit(use) {
				ok = false
			}
			if u := l.scope.locals[use]; u != nil {
				maps.Copy(v.roots, u.roots)
			}
		}
		path = path[:len(path)-1]
		done[name] = ok
		if ok {
			order = append(order, name)
		}
		return ok
	}
	names := sortedKeys(l.scope.locals)
	slices.SortStableFunc(names, func(a, b string) int {
		return comparePlace(l.scope.locals[a].attr, l.scope.locals[b].attr)
	})
	for _, name := range names {
		visit(name)
	}
	return order
}

// circle reports locals of which each refers to the next and the last to the first.
func (l *loader) circle(names []string) {
	full := make([]string, 0, len(names)+1)
	for _, n := range names {
		full = append(full, "local."+n)
	}
	full = append(full, full[0])
	l.report(&l.scope.locals[names[0]].attr.NameRange, "Circular reference",
		"These locals need each other's value: "+strings.Join(full, " -> ")+".")
}

// inOrder returns attributes in the order of the text.
func inOrder(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attrs), comparePlace)
}

func comparePlace(a, b *hclsyntax.Attribute) int {
	return cmp.Or(
		cmp.Compare(a.NameRange.Filename, b.NameRange.Filename),
		cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte),
	)
}
