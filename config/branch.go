package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// The branches of a database without branch blocks; main is what the platform calls the first branch of a database.
const (
	defaultTarget  = "main"
	defaultWorking = "migrator"
)

var branchShape = shape{in: "In a branch block", attrs: []string{"name", "parent", "production", "url"}}

// branchName is what the platform takes as the name of a branch.
var branchName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// urlSchemes are the schemes under which tools know a MySQL database.
var urlSchemes = []string{"mysql", "mysql2", "trilogy"}

// declared is a branch block on its way into a Branch.
type declared struct {
	Branch
	block  *hclsyntax.Block
	attrs  map[string]*hclsyntax.Attribute
	parent *declared // nil: not set, or not known
	child  bool      // has a parent attribute that is set, or may be
}

// branches decodes the branch blocks into d.Target and d.Working, and returns what expressions may know of them.
func (l *loader) branches(d *Database, blocks []*hclsyntax.Block) *branchScope {
	if len(blocks) == 0 {
		d.Target = Branch{Label: defaultTarget, Name: defaultTarget, Range: d.Range}
		d.Working = Branch{Label: defaultWorking, Name: defaultWorking, Parent: defaultTarget, Range: d.Range}
		return &branchScope{names: map[string]string{defaultTarget: defaultTarget, defaultWorking: defaultWorking}, working: defaultWorking}
	}
	all, bs := l.declare(blocks)
	inner := l.scope.in(bs)
	for _, b := range all {
		inner.branch(b, all)
	}
	working := l.workingBranch(d, all)
	if working == nil {
		return bs
	}
	bs.working = working.Label
	d.Working = working.Branch
	target := working.parent
	if target == nil && len(all) == 2 {
		target = all[0] // the parent is not known yet; it can only be the other one
		if target == working {
			target = all[1]
		}
	}
	if target != nil {
		d.Target = target.Branch
		d.Working.Parent = target.Name
		l.idle(all, working, target)
	}
	return bs
}

// declare reads the labels and names of the branches, which everything else about them may refer to.
func (l *loader) declare(blocks []*hclsyntax.Block) ([]*declared, *branchScope) {
	var all []*declared
	bs := &branchScope{names: map[string]string{}}
	for _, block := range blocks {
		b := &declared{block: block, attrs: l.open(block.Body, branchShape).attrs}
		b.Label, b.Range = block.Labels[0], block.DefRange()
		if _, ok := bs.names[b.Label]; ok {
			l.report(&block.LabelRanges[0], "Repeated branch", fmt.Sprintf("There is another branch %q in this database.", b.Label))
			continue
		}
		b.Name = l.branchName(block, b.attrs["name"])
		bs.names[b.Label] = b.Name
		all = append(all, b)
	}
	return all, bs
}

// branchName returns the name of a branch, "" while it is not known.
func (l *loader) branchName(b *hclsyntax.Block, attr *hclsyntax.Attribute) string {
	name, where := b.Labels[0], b.LabelRanges[0]
	if attr != nil {
		v, ok := l.scope.eval(attr.Expr)
		if !ok || !v.IsKnown() {
			return ""
		}
		if !v.IsNull() {
			name, ok = l.scope.text(attr)
			if !ok {
				return ""
			}
			where = attr.Expr.Range()
		}
	}
	if !branchName.MatchString(name) {
		l.report(&where, "Bad name", "The name of a branch has lower-case letters, digits and -, and begins with a letter or a digit.")
		return ""
	}
	return name
}

// branch decodes what a branch block says besides its name.
func (s *scope) branch(b *declared, all []*declared) {
	if v, ok := s.flag(b.attrs["production"]); ok {
		b.Production = &v
	}
	if attr := b.attrs["parent"]; attr != nil {
		s.parent(b, attr, all)
	}
	attr := b.attrs["url"]
	if attr == nil {
		return
	}
	if s.l.cfg.Platform.Kind == PlatformEmbedded {
		s.l.diags = append(s.l.diags, s.check(attr.Expr)...) // its value does not count, its spelling does
		return
	}
	if text, ok := s.filled(attr); ok {
		if u, err := url.Parse(text); err != nil || !slices.Contains(urlSchemes, u.Scheme) || u.Hostname() == "" {
			s.l.report(attr.Expr.Range().Ptr(), "Bad url", "This is not the address of a MySQL database: mysql://USER:PASSWORD@HOST:PORT/DATABASE.")
			return
		}
		b.URL = Secret(text)
	}
}

// parent finds the branch that another names as its parent, by label or by name.
func (s *scope) parent(b *declared, attr *hclsyntax.Attribute, all []*declared) {
	v, ok := s.eval(attr.Expr)
	b.child = !ok || !v.IsKnown() || !v.IsNull()
	name, ok := s.filled(attr)
	if !ok {
		return
	}
	var labels []string
	for _, other := range all {
		if other == b {
			continue
		}
		if other.Label == name || other.Name == name {
			b.parent = other
			return
		}
		labels = append(labels, other.Label)
	}
	switch {
	case name == b.Label || name == b.Name:
		s.l.report(attr.Expr.Range().Ptr(), "Own parent", "A branch cannot be its own parent: the parent of the working branch is the target.")
	default:
		s.l.report(attr.Expr.Range().Ptr(), "Unknown branch", s.noBranch(attr.Expr, name, labels))
	}
}

// noBranch is the sentence on a parent that is not there.
func (s *scope) noBranch(expr hclsyntax.Expression, name string, labels []string) string {
	near := didYouMean(name, labels, "%q")
	switch {
	case s.tainted(expr):
		return "The parent is not a branch of this database." + near
	case near != "":
		return fmt.Sprintf("This database has no branch %q.", name) + near
	}
	return fmt.Sprintf("This database has no branch %q. The target needs a block too: branch %q { }.", name, name)
}

// workingBranch returns the one branch that has a parent.
func (l *loader) workingBranch(d *Database, all []*declared) *declared {
	var working *declared
	for _, b := range all {
		switch {
		case !b.child:
		case working == nil:
			working = b
		default:
			l.report(&b.Range, "Two working branches", fmt.Sprintf(
				"Both %q and %q have a parent. A database has one working branch; every other branch has no parent.", working.Label, b.Label))
		}
	}
	if working == nil {
		target := all[0].Label
		l.report(&d.Range, "No working branch", fmt.Sprintf(
			"No branch of this database has a parent. Write branch %q { parent = %q }, or leave out all branch blocks for the usual %q and %q.",
			defaultWorking, target, defaultTarget, defaultWorking))
		return nil
	}
	if attr := working.attrs["url"]; attr != nil && l.setOrUnknown(attr) {
		l.report(&attr.NameRange, "Working branch with a url", "The working branch is made by pmig, which knows its address. A url belongs to the target.")
	}
	if working.Production != nil && *working.Production {
		l.report(&working.attrs["production"].NameRange, "Working branch in production", "The working branch is made and deleted by pmig, so it cannot be a production branch.")
	}
	return working
}

// setOrUnknown tells whether an attribute may have a value other than null; a mistake in it has been reported.
func (l *loader) setOrUnknown(attr *hclsyntax.Attribute) bool {
	lit, ok := attr.Expr.(*hclsyntax.LiteralValueExpr)
	return !ok || !lit.Val.IsNull()
}

// idle warns of branches that are neither the target nor the working branch.
func (l *loader) idle(all []*declared, working, target *declared) {
	for _, b := range all {
		if b != working && b != target && !b.child {
			l.warn(b.Range, "Branch without a use", fmt.Sprintf("The branch %q is neither the working branch nor its parent.", b.Label))
		}
	}
}

// branchObject is the value of branch.LABEL. With values, it holds what is known while a command runs; without, those attributes
// of the working branch are unknown.
func branchObject(name string, working bool, v *BranchValues) cty.Value {
	attrs := map[string]cty.Value{"name": cty.StringVal(name)}
	if name == "" {
		attrs["name"] = cty.UnknownVal(cty.String)
	}
	for _, attr := range runningAttrs {
		switch {
		case working && v != nil:
			attrs[attr] = v.value(attr)
		case working && attr == "port":
			attrs[attr] = cty.UnknownVal(cty.Number).RefineNotNull()
		case working:
			attrs[attr] = cty.UnknownVal(cty.String).RefineNotNull()
		}
	}
	return cty.ObjectVal(attrs)
}
