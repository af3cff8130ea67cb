package config

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var (
	databaseShape = shape{
		in:    "In a database block",
		attrs: []string{"name"},
		blocks: []blockShape{
			{name: "branch", labels: 1}, {name: "source", labels: 1}, {name: "deploy"}, {name: "policy"}, {name: "acknowledge", labels: 1},
		},
	}
	deployShape = shape{
		in:     "In a deploy block",
		attrs:  []string{"approval", "cutover", "instant", "revert_window"},
		blocks: []blockShape{{name: "timeouts"}},
	}
	timeoutsShape    = shape{in: "In a timeouts block", attrs: []string{"branch", "migrate", "review", "approval", "deploy"}}
	acknowledgeShape = shape{in: "In an acknowledge block", attrs: []string{"reason"}, required: []string{"reason"}}
	policyShape      = shape{in: "In a policy block", attrs: []string{"data_changes", "drops", "out_of_order"}}
)

// databaseName is what the platform takes as the name of a database.
var databaseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// databases decodes the database blocks and compares them with each other.
func (l *loader) databases(blocks []*hclsyntax.Block) {
	if len(blocks) == 0 {
		l.report(nil, "No database", fmt.Sprintf(`There is nothing to migrate in %s: write a block database "NAME" { ... }.`, l.cfg.File))
	}
	labels := map[string]*Database{}
	for _, b := range blocks {
		d := l.database(b)
		if first := labels[d.Label]; first != nil {
			l.report(&b.LabelRanges[0], "Repeated database", fmt.Sprintf("The database %q is already defined at %s.", d.Label, place(first.Range)))
			continue
		}
		labels[d.Label] = d
		l.cfg.Databases = append(l.cfg.Databases, d)
	}
	l.distinct(l.cfg.Databases)
}

// distinct refuses two blocks that would make the same working branches: each would take the other's for its own.
func (l *loader) distinct(databases []*Database) {
	type lane struct{ name, working string }
	lanes := map[lane]*Database{}
	for _, d := range databases {
		at := lane{d.Name, d.Working.Name}
		if at.name == "" || at.working == "" {
			continue // not known, or reported
		}
		if first := lanes[at]; first != nil {
			l.report(&d.Range, "Same database and working branch", fmt.Sprintf(
				"%q and %q both migrate the database %q with the working branch %q. Name another working branch in one of them.",
				first.Label, d.Label, d.Name, d.Working.Name))
			continue
		}
		lanes[at] = d
	}
}

// database decodes one database block.
func (l *loader) database(b *hclsyntax.Block) *Database {
	c := l.open(b.Body, databaseShape)
	d := &Database{Label: b.Labels[0], Range: b.DefRange(), Deploy: DefaultDeploy(), Policy: DefaultPolicy()}
	d.Name = l.databaseName(b, c.attrs["name"])
	branches := l.branches(d, c.blocks["branch"])
	inner := l.scope.in(branches)
	l.sources(d, c.blocks["source"], inner)
	inner.deploy(&d.Deploy, l.once(c.blocks["deploy"]))
	inner.policy(&d.Policy, l.once(c.blocks["policy"]))
	inner.acknowledged(d, c.blocks["acknowledge"])
	return d
}

// databaseName returns the name on the platform, "" while it is not known.
func (l *loader) databaseName(b *hclsyntax.Block, attr *hclsyntax.Attribute) string {
	name, where := b.Labels[0], b.LabelRanges[0]
	if attr != nil {
		v, ok := l.scope.eval(attr.Expr)
		if !ok || !v.IsKnown() {
			return ""
		}
		if !v.IsNull() {
			name, ok = l.scope.filled(attr)
			if !ok {
				return ""
			}
			where = attr.Expr.Range()
		}
	}
	if !databaseName.MatchString(name) {
		l.report(&where, "Bad name", "The name of a database has letters, digits, - and _, and begins with a letter or a digit.")
		return ""
	}
	return name
}

// deploy decodes a deploy block over the defaults.
func (s *scope) deploy(d *Deploy, b *hclsyntax.Block) {
	if b == nil {
		return
	}
	c := s.l.open(b.Body, deployShape)
	s.oneOf(&d.Approval, c.attrs["approval"], ApprovalExit, ApprovalWait, ApprovalRequire)
	s.oneOf(&d.Cutover, c.attrs["cutover"], CutoverAuto, CutoverManual)
	s.oneOf(&d.RevertWindow, c.attrs["revert_window"], RevertKeep, RevertSkip, RevertUntilNext)
	if v, ok := s.flag(c.attrs["instant"]); ok {
		d.Instant = v
	}
	if b := s.l.once(c.blocks["timeouts"]); b != nil {
		attrs := s.l.open(b.Body, timeoutsShape).attrs
		t := &d.Timeouts
		s.duration(&t.Branch, attrs["branch"])
		s.duration(&t.Migrate, attrs["migrate"])
		s.duration(&t.Review, attrs["review"])
		s.duration(&t.Approval, attrs["approval"])
		s.duration(&t.Deploy, attrs["deploy"])
	}
}

// policy decodes a policy block over the defaults.
func (s *scope) policy(p *Policy, b *hclsyntax.Block) {
	if b == nil {
		return
	}
	attrs := s.l.open(b.Body, policyShape).attrs
	s.oneOf(&p.DataChanges, attrs["data_changes"], Refuse, Allow)
	s.oneOf(&p.Drops, attrs["drops"], Refuse, Allow)
	s.oneOf(&p.OutOfOrder, attrs["out_of_order"], Allow, Refuse)
}

// acknowledged decodes the acknowledge blocks. A reason is demanded: the plan shows it.
func (s *scope) acknowledged(d *Database, blocks []*hclsyntax.Block) {
	seen := map[string]bool{}
	for _, b := range blocks {
		a := Acknowledged{Code: b.Labels[0], Range: b.DefRange()}
		switch {
		case !slices.Contains(Acknowledgeable(), a.Code):
			s.l.report(&b.LabelRanges[0], "Unknown finding", fmt.Sprintf("There is no finding %q that can be acknowledged.", a.Code)+choice(a.Code, Acknowledgeable()))
		case seen[a.Code]:
			s.l.report(&b.LabelRanges[0], "Repeated block", fmt.Sprintf("%q is already acknowledged.", a.Code))
		}
		seen[a.Code] = true
		attr := s.l.open(b.Body, acknowledgeShape).attrs["reason"]
		if attr != nil && !s.l.setOrUnknown(attr) {
			s.l.report(attr.Expr.Range().Ptr(), "No reason", "Whoever reads the plan wants to know why this was acknowledged.")
		}
		if reason, ok := s.filled(attr); ok {
			a.Reason = reason
		}
		d.Acknowledged = append(d.Acknowledged, a)
	}
}
