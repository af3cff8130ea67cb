package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// defaultData is where platform "embedded" keeps its data, relative to the file.
const defaultData = ".pmig/embedded"

var (
	settingsShape    = shape{in: "In a pmig block", attrs: []string{"required_version"}}
	planetscaleShape = shape{in: `In a platform "planetscale" block`, attrs: []string{"organization"}}
	embeddedShape    = shape{in: `In a platform "embedded" block`, attrs: []string{"data", "engine"}}
)

// settings decodes the pmig block.
func (l *loader) settings(b *hclsyntax.Block) {
	if b == nil {
		return
	}
	// A constant: it must be readable by a pmig that understands nothing else of the file.
	constant := l.constant()
	attr := l.open(b.Body, settingsShape).attrs["required_version"]
	text, ok := constant.text(attr)
	if !ok {
		return
	}
	want, err := parseConstraint(text)
	if err != nil {
		l.report(attr.Expr.Range().Ptr(), "Bad version constraint", fmt.Sprintf("%v. Write it like \">= 0.1\", \"~> 1.2\" or \">= 0.1, < 2.0\".", sentence(err)))
		return
	}
	l.cfg.RequiredVersion = text
	if have, err := parseVersion(l.opt.Version); err == nil && !want.allows(have) {
		l.report(attr.Expr.Range().Ptr(), "Another version of pmig is needed", fmt.Sprintf("This is pmig %s; the file asks for %s.", l.opt.Version, text))
	}
}

// sentence is an error's text with a capital letter.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

// platform decodes the platform block, or what stands in its place.
func (l *loader) platform(b *hclsyntax.Block) {
	p := &l.cfg.Platform
	p.Kind = PlatformPlanetScale
	kinds := []string{PlatformPlanetScale, PlatformEmbedded}
	var c content
	mistakes := len(l.diags)
	if b != nil {
		p.Kind, p.Range = b.Labels[0], b.DefRange()
		switch p.Kind {
		case PlatformPlanetScale:
			c = l.open(b.Body, planetscaleShape)
		case PlatformEmbedded:
			c = l.open(b.Body, embeddedShape)
		default:
			l.report(&b.LabelRanges[0], "Unknown platform", fmt.Sprintf("There is no platform %q.", p.Kind)+choice(p.Kind, kinds))
		}
	}
	switch o := l.opt.Platform; o {
	case "", p.Kind:
	case PlatformPlanetScale, PlatformEmbedded:
		p.Kind, c = o, content{} // the block that is there speaks of another platform
	default:
		l.report(nil, "Unknown platform", fmt.Sprintf("--platform %s: there is no such platform.", o)+choice(o, kinds))
	}
	switch p.Kind {
	case PlatformPlanetScale:
		if mistakes == len(l.diags) { // otherwise what is missing may only be misspelt
			l.organization(c.attrs["organization"])
		}
	case PlatformEmbedded:
		p.Organization, p.Data, p.Engine = EmbeddedOrganization, l.below(defaultData), EngineAuto
		if path, ok := l.scope.filled(c.attrs["data"]); ok {
			p.Data = l.below(path)
		}
		l.scope.oneOf(&p.Engine, c.attrs["engine"], EngineAuto, EngineMariaDB, EngineMemory)
	}
}

// organization finds the organization: in the block, in the environment, or in the file that PlanetScale's own command reads.
func (l *loader) organization(attr *hclsyntax.Attribute) {
	p := &l.cfg.Platform
	if attr != nil {
		v, ok := l.scope.eval(attr.Expr)
		if !ok || !v.IsKnown() {
			return
		}
		if !v.IsNull() {
			p.Organization, _ = l.scope.filled(attr)
			return
		}
	}
	if p.Organization = l.opt.Environ["PLANETSCALE_ORG"]; p.Organization == "" {
		p.Organization = pscaleOrganization(filepath.Join(l.cfg.Dir, ".pscale.yml"))
	}
	if p.Organization == "" && !l.opt.Validate {
		var where *hcl.Range // a file without the block has no place to point at
		if p.Range.Filename != "" {
			where = &p.Range
		}
		l.report(where, "No organization", fmt.Sprintf(
			`%s does not say whose databases these are. Write platform "planetscale" { organization = "..." }, or set PLANETSCALE_ORG.`, l.cfg.File))
	}
}

// pscaleOrganization reads the organization from a .pscale.yml; "" when there is none. The file is a flat map.
func pscaleOrganization(name string) string {
	src, err := readBounded(name, maxSource)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(src)) {
		if v, ok := strings.CutPrefix(line, "org:"); ok {
			v, _, _ = strings.Cut(v, " #")
			return strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return ""
}

// below is a path of the file made absolute.
func (l *loader) below(path string) string { return filepath.Clean(under(l.cfg.Dir, path)) }
