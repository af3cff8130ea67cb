package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// DefaultStatePath is where the journal is kept unless the file says otherwise, relative to the file.
const DefaultStatePath = ".pmig"

// DefaultTablePrefix is what the names of the state tables begin with unless the file says otherwise.
const DefaultTablePrefix = "pmig_"

var (
	fileStateShape     = shape{in: `In a state "file" block`, attrs: []string{"path"}}
	databaseStateShape = shape{in: `In a state "database" block`, attrs: []string{"url", "table_prefix"}}
)

// tablePrefix is what needs no quotes anywhere and leaves room for the tables' names.
var tablePrefix = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// state decodes the state block. It comes after the platform's: an emulator that this process starts and stops shares
// nothing with other machines, so what is remembered of it is a matter of this machine too.
func (l *loader) state(b *hclsyntax.Block) {
	st := &l.cfg.State
	*st = State{Kind: StateFile, Path: l.below(DefaultStatePath)}
	if b == nil {
		return
	}
	switch kind := b.Labels[0]; kind {
	case StateFile:
		if path, ok := l.scope.filled(l.open(b.Body, fileStateShape).attrs["path"]); ok {
			st.Path = l.below(path)
		}
	case StateDatabase:
		l.databaseState(st, l.open(b.Body, databaseStateShape).attrs)
	default:
		l.report(&b.LabelRanges[0], "Unknown state", fmt.Sprintf("There is no state %q.", kind)+choice(kind, []string{StateFile, StateDatabase}))
	}
}

func (l *loader) databaseState(st *State, attrs map[string]*hclsyntax.Attribute) {
	st.TablePrefix = DefaultTablePrefix
	if prefix, ok := l.scope.filled(attrs["table_prefix"]); ok {
		if !tablePrefix.MatchString(prefix) {
			l.report(attrs["table_prefix"].Expr.Range().Ptr(), "Bad table prefix",
				"What the tables' names begin with has lower-case letters, digits and _, begins with a letter and is no longer than 40 characters.")
		}
		st.TablePrefix = prefix
	}
	attr := attrs["url"]
	if l.cfg.Platform.Kind == PlatformEmbedded {
		if attr != nil {
			l.diags = append(l.diags, l.scope.check(attr.Expr)...) // its value does not count, its spelling does
		}
		return
	}
	st.Kind = StateDatabase
	if text, ok := l.scope.filled(attr); ok {
		u, err := url.Parse(text)
		if err != nil || !slices.Contains(urlSchemes, u.Scheme) || u.Hostname() == "" || strings.Trim(u.Path, "/") == "" {
			l.report(attr.Expr.Range().Ptr(), "Bad url", "This is not the address of a MySQL database: mysql://USER:PASSWORD@HOST:PORT/DATABASE.")
			return
		}
		st.URL = Secret(text)
	}
}
