package emulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pmig/pmig/schema"
	"vitess.io/vitess/go/json2"
	vschemapb "vitess.io/vitess/go/vt/proto/vschema"
	"vitess.io/vitess/go/vt/vtgate/vindexes"
)

// The lint kinds of what is beside the tables.
const (
	invalidVSchema      = "INVALID_VSCHEMA"
	invalidRoutingRules = "INVALID_ROUTING_RULES"
)

// lint is a lint error about a part.
func (p part) lint(code, message string) lintError {
	l := lintError{Finding: schema.Finding{Code: code, Message: message}, Subject: p.subject, JSONPath: "$." + p.String()}
	switch p.group {
	case "tables", "rules":
		l.Table = p.name
	case "vindexes":
		l.Vindex = p.name
	}
	return l
}

// lintRouting finds what Vitess refuses in a VSchema and in routing rules, and
// where the VSchema names what the schema does not have.
func lintRouting(keyspace string, s *structure) []lintError {
	if s.Routing == (routing{}) {
		return nil
	}
	var ks vschemapb.Keyspace
	if s.Routing.VSchema != "" {
		if err := json2.UnmarshalPB([]byte(s.Routing.VSchema), &ks); err != nil {
			return []lintError{part{subject: ofVSchema}.lint(invalidVSchema, err.Error())}
		}
	}
	all := lintVSchema(keyspace, &ks, s.Schema)
	if len(all) > 0 || s.Routing.Rules == "" {
		return all
	}
	return lintRules(keyspace, &ks, s.Routing.Rules)
}

// lintVSchema builds a VSchema as Vitess does, one vindex and one table at a
// time, to tell which of them is to blame.
func lintVSchema(keyspace string, ks *vschemapb.Keyspace, sch *schema.Schema) (all []lintError) {
	build := func(p part, ks *vschemapb.Keyspace) bool {
		_, err := vindexes.BuildKeyspaceSchema(ks, keyspace, statementParser)
		if err != nil {
			all = append(all, p.lint(invalidVSchema, err.Error()))
		}
		return err == nil
	}
	for _, name := range slices.Sorted(maps.Keys(ks.Vindexes)) {
		build(part{ofVSchema, "vindexes", name}, &vschemapb.Keyspace{Vindexes: map[string]*vschemapb.Vindex{name: ks.Vindexes[name]}})
	}
	if len(all) > 0 {
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(ks.Tables)) {
		p := part{ofVSchema, "tables", name}
		one := &vschemapb.Keyspace{Sharded: ks.Sharded, Vindexes: ks.Vindexes, Tables: map[string]*vschemapb.Table{name: ks.Tables[name]}}
		if !build(p, one) {
			continue
		}
		if text := missingIn(sch, name, ks.Tables[name]); text != "" {
			all = append(all, p.lint(invalidVSchema, text))
		}
	}
	if len(all) == 0 {
		build(part{subject: ofVSchema}, ks)
	}
	return all
}

// missingIn says what a table's VSchema names and the schema does not have.
func missingIn(sch *schema.Schema, name string, of *vschemapb.Table) string {
	t, there := sch.Table(name)
	if !there {
		return fmt.Sprintf("table %q not found", name)
	}
	if t.View || len(of.ColumnVindexes) == 0 {
		return ""
	}
	e, err := entities(t)
	if err != nil {
		return ""
	}
	columns := map[string]bool{}
	for _, c := range e[0].TableSpec.Columns {
		columns[c.Name.Lowered()] = true
	}
	for _, v := range of.ColumnVindexes {
		for _, c := range append(slices.Clone(v.Columns), v.Column) {
			if c != "" && !columns[strings.ToLower(c)] {
				return fmt.Sprintf("column %q not found", c)
			}
		}
	}
	return ""
}

// lintRules finds rules that Vitess does not follow.
func lintRules(keyspace string, ks *vschemapb.Keyspace, text string) (all []lintError) {
	var rules vschemapb.RoutingRules
	if err := json2.UnmarshalPB([]byte(text), &rules); err != nil {
		return []lintError{part{subject: ofRules}.lint(invalidRoutingRules, err.Error())}
	}
	built := vindexes.BuildVSchema(&vschemapb.SrvVSchema{Keyspaces: map[string]*vschemapb.Keyspace{keyspace: ks}, RoutingRules: &rules}, statementParser)
	for _, from := range slices.Sorted(maps.Keys(built.RoutingRules)) {
		if err := built.RoutingRules[from].Error; err != nil {
			all = append(all, part{ofRules, "rules", from}.lint(invalidRoutingRules, err.Error()))
		}
	}
	return all
}
