package gateway

import (
	"slices"
	"strings"
)

// A migration tool writes a row of its history for every migration, most of
// them just after its statements. So what was defined between two such rows is
// one migration's doing.

// attribute adds a statement that succeeded to the migration under way. The
// lock must be held.
func (g *Gateway) attribute(s Statement) {
	switch {
	case s.Class == DDL || s.Schema:
		for _, t := range s.Tables {
			t = t[strings.LastIndexByte(t, '.')+1:]
			own := slices.ContainsFunc(g.options.History, func(h string) bool { return strings.EqualFold(h, t) })
			if !own && !slices.Contains(g.open, t) {
				g.open = append(g.open, t)
			}
		}
	case s.Class == History && len(g.open) > 0:
		g.report.Migrations = append(g.report.Migrations, g.open)
		g.open = nil
	}
}
