package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// check reports the references of an expression to what is not there. It looks at the text alone, so that a name that is
// misspelt under try() or in the branch of a condition that is not taken is found too.
func (s *scope) check(expr hclsyntax.Expression) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, t := range expr.Variables() {
		if summary, detail, at := s.reference(t); summary != "" {
			diags = append(diags, problem(at, summary, detail)...)
		}
	}
	if s.running {
		seen := map[hcl.Range]bool{}
		hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
			diags = append(diags, s.undecidable(n, seen)...)
			return nil
		})
	}
	return diags
}

// reference says what is wrong with one reference; summary is "" when nothing is.
func (s *scope) reference(t hcl.Traversal) (summary, detail string, at hcl.Range) {
	root, name, at := t.RootName(), "", t.SourceRange()
	if len(t) > 1 {
		name, at = stepName(t[1]), hcl.RangeBetween(t[0].SourceRange(), t[1].SourceRange())
	}
	if s.fixed {
		return "Not a constant", "Only a constant can stand here: no references to other values.", t.SourceRange()
	}
	switch root {
	case "env":
		if withheld[name] {
			return "Not readable", fmt.Sprintf("The service token is not for a file to read: env.%s is known to pmig alone.", name), at
		}
	case "var":
		if !s.vars[name] {
			return s.undeclared("variable", "var", name, sortedKeys(s.vars), at)
		}
	case "local":
		if s.locals[name] == nil {
			return s.undeclared("local", "local", name, sortedKeys(s.locals), at)
		}
	case "path":
		if names := []string{"module", "root"}; !slices.Contains(names, name) {
			return "Unknown path", fmt.Sprintf("There is no path.%s.", name) + anyOf("path", name, names), at
		}
	case "branch":
		return s.branchReference(t)
	default:
		return "Unknown reference", s.unknownRoot(root), t[0].SourceRange()
	}
	return "", "", at
}

// undeclared is the mistake in var.NAME or local.NAME where no such name is declared.
func (s *scope) undeclared(noun, root, name string, names []string, at hcl.Range) (string, string, hcl.Range) {
	if name == "" {
		return "Unclear reference", fmt.Sprintf("Write the name of the %s after a dot: %s.NAME.", noun, root), at
	}
	return "Unknown " + noun, fmt.Sprintf("There is no %s %q.", noun, name) + anyOf(root, name, names), at
}

// anyOf ends a sentence on an unknown name: the nearest one, or all of them.
func anyOf(root, name string, names []string) string {
	if near := didYouMean(name, names, root+".%s"); near != "" || len(names) == 0 {
		return near
	}
	full := make([]string, len(names))
	for i, n := range names {
		full[i] = root + "." + n
	}
	return " There is " + list(full, "and") + "."
}

// unknownRoot says what a name that is none of the roots could have meant.
func (s *scope) unknownRoot(root string) string {
	text := fmt.Sprintf("There is nothing named %q here.", root)
	switch {
	case s.vars[root]:
		return text + fmt.Sprintf(" Did you mean var.%s?", root)
	case s.locals[root] != nil:
		return text + fmt.Sprintf(" Did you mean local.%s?", root)
	case slices.Contains(envNames(s.context()), root):
		return text + fmt.Sprintf(" Did you mean env.%s?", root)
	}
	if near := didYouMean(root, []string{"env", "var", "local", "path", "branch"}, "%s"); near != "" {
		return text + near
	}
	return text + fmt.Sprintf(" A text stands in quotation marks: %q; a value is env.NAME, var.NAME, local.NAME, path.module or branch.NAME.name.", root)
}

// branchReference says what is wrong with branch.LABEL.ATTRIBUTE.
func (s *scope) branchReference(t hcl.Traversal) (summary, detail string, at hcl.Range) {
	at = t.SourceRange()
	if s.branches == nil {
		return "Branch not known here", "branch.NAME can be used inside a database block, in what follows from its branches: source, deploy, policy and other branches.", at
	}
	if len(t) < 3 || stepName(t[1]) == "" || stepName(t[2]) == "" {
		return "Unclear reference", "Write the branch and what of it: branch.NAME.name, or in a source's env and command branch.NAME.url.", at
	}
	label, attr := stepName(t[1]), stepName(t[2])
	labels := sortedKeys(s.branches.names)
	if !slices.Contains(labels, label) {
		return "Unknown branch", fmt.Sprintf("This database has no branch %q.", label) + anyOf("branch", label, labels),
			hcl.RangeBetween(t[0].SourceRange(), t[1].SourceRange())
	}
	switch {
	case attr == "name":
		return "", "", at
	case !slices.Contains(runningAttrs, attr):
		known := append([]string{"name"}, runningAttrs...)
		return "Unknown branch attribute", fmt.Sprintf("A branch has no %q.", attr) + anyOf("branch."+label, attr, known), at
	case !s.running:
		return "Known only while a command runs", fmt.Sprintf(
			"branch.%s.%s is known once the branch is made, so it can stand only in the env and command of a source; branch.%s.name is known here.",
			label, attr, label), at
	case s.branches.working != "" && s.branches.working != label:
		return "Not the working branch", fmt.Sprintf(
			"Commands run on the working branch: of the target only branch.%s.name is known. Did you mean branch.%s.%s?",
			label, s.branches.working, attr), at
	}
	return "", "", at
}

// undecidable reports what is known only while a command runs, where its value would decide something; each reference once.
func (s *scope) undecidable(n hclsyntax.Node, seen map[hcl.Range]bool) hcl.Diagnostics {
	var where string
	switch n := n.(type) {
	case *hclsyntax.ConditionalExpr:
		where = "in a condition"
	case *hclsyntax.FunctionCallExpr:
		if n.Name != "try" && n.Name != "can" {
			return nil
		}
		where = "inside " + n.Name + "()"
	default:
		return nil
	}
	var diags hcl.Diagnostics
	for _, t := range n.(hclsyntax.Expression).Variables() {
		if summary, _, _ := s.reference(t); t.RootName() == "branch" && summary == "" && stepName(t[2]) != "name" && !seen[t.SourceRange()] {
			seen[t.SourceRange()] = true
			diags = append(diags, problem(t.SourceRange(), "Known only while a command runs", fmt.Sprintf(
				"branch.%s.%s cannot stand %s, because the plan could not show what comes of it.", stepName(t[1]), stepName(t[2]), where))...)
		}
	}
	return diags
}
