package emulator

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// routing is what a branch has beside its tables: the VSchema of its keyspace
// and its routing rules, as they were set. "" is what nobody has set. A deploy
// request carries both as it carries tables; nothing is routed by them here.
type routing struct {
	VSchema string `json:"vschema,omitempty"`
	Rules   string `json:"routing_rules,omitempty"`
}

// structure is all of a branch that a deploy request carries.
type structure struct {
	*schema.Schema
	Routing routing `json:"routing,omitzero"`
}

// id names a structure. Without routing it is the digest of the schema.
func (s *structure) id() schemaID {
	parts := s.Routing.parts()
	if len(parts) == 0 {
		return schemaID(s.Digest())
	}
	h := sha256.New()
	fmt.Fprintln(h, s.Digest())
	for _, p := range sortedParts(parts) {
		fmt.Fprintf(h, "%q %q\n", p.String(), parts[p])
	}
	return schemaID(fmt.Sprintf("sha256:%x", h.Sum(nil)))
}

// part names what can be changed by itself: a table or a vindex in the VSchema,
// another of its members, or a rule.
type part struct{ subject, group, name string }

// The subjects, in the platform's words for lint errors.
const (
	ofVSchema = "vschema"
	ofRules   = "routing_rules"
)

func (p part) String() string {
	if p.group == "" {
		return p.name
	}
	return p.group + "." + p.name
}

func sortedParts(of map[part]string) []part {
	return slices.SortedFunc(maps.Keys(of), func(a, b part) int {
		return cmp.Or(strings.Compare(b.subject, a.subject), strings.Compare(a.group, b.group), strings.Compare(a.name, b.name))
	})
}

// parts takes the texts apart. What says nothing is no part: a table of an
// unsharded keyspace is known without a word about it.
func (r routing) parts() map[part]string {
	parts := map[part]string{}
	v := members(r.VSchema)
	sharded := string(v["sharded"]) == "true"
	for name, value := range v {
		inner := members(string(value))
		if name != "tables" && name != "vindexes" || inner == nil {
			if text := oneSpelling(value); text != "false" && text != "null" {
				parts[part{ofVSchema, "", name}] = text
			}
			continue
		}
		for n, value := range inner {
			if text := oneSpelling(value); text != "{}" || sharded || name != "tables" {
				parts[part{ofVSchema, name, n}] = text
			}
		}
	}
	var rules []json.RawMessage
	_ = json.Unmarshal(members(r.Rules)["rules"], &rules) // what is no list is no rules; the lint tells
	for _, rule := range rules {
		var from struct {
			Table string `json:"from_table"`
		}
		_ = json.Unmarshal(rule, &from)
		p := part{ofRules, "rules", from.Table}
		for parts[p] != "" { // a second one for a table, which the lint refuses
			p.name += "'"
		}
		parts[p] = oneSpelling(rule)
	}
	return parts
}

// members are those of a JSON object; nil if it is none.
func members(text string) map[string]json.RawMessage {
	var o map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &o) != nil {
		return nil
	}
	return o
}

// oneSpelling writes a JSON value as every other writing of it is written.
func oneSpelling(value json.RawMessage) string {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return string(value)
	}
	b, _ := json.Marshal(v) // it was JSON
	return string(b)
}

// routingOf puts parts together.
func routingOf(parts map[part]string) routing {
	v, rules := map[string]any{}, []json.RawMessage{}
	for _, p := range sortedParts(parts) {
		value := json.RawMessage(parts[p])
		switch {
		case p.subject == ofRules:
			rules = append(rules, value)
		case p.group == "":
			v[p.name] = value
		default:
			if v[p.group] == nil {
				v[p.group] = map[string]any{}
			}
			v[p.group].(map[string]any)[p.name] = value
		}
	}
	var r routing
	if len(v) > 0 {
		r.VSchema = indented(v)
	}
	if len(rules) > 0 {
		r.Rules = indented(map[string]any{"rules": rules})
	}
	return r
}

func indented(o map[string]any) string {
	b, _ := json.MarshalIndent(o, "", "  ") // made of JSON
	return string(b) + "\n"
}

// mergeRouting carries what has changed from base to ours onto theirs, part by
// part, as merge does with tables.
func mergeRouting(base, ours, theirs routing) (routing, []lintError) {
	was, our, their := base.parts(), ours.parts(), theirs.parts()
	want := maps.Clone(their)
	all := maps.Clone(was)
	maps.Copy(all, our)
	maps.Copy(all, their)
	var conflicts []lintError
	for _, p := range sortedParts(all) {
		switch {
		case our[p] == was[p] || our[p] == their[p]:
		case their[p] != was[p]:
			conflicts = append(conflicts, p.lint(conflictCode, fmt.Sprintf("%s was changed on the branch and on its target", p)))
		case our[p] == "":
			delete(want, p)
		default:
			want[p] = our[p]
		}
	}
	switch { // as it was written, if it is anybody's
	case maps.Equal(want, their):
		return theirs, conflicts
	case maps.Equal(want, our):
		return ours, conflicts
	}
	return routingOf(want), conflicts
}

// sameRouting says whether two routings say the same, however they are written.
func sameRouting(a, b routing) bool { return maps.Equal(a.parts(), b.parts()) }

// showRoutingDiff shows what differs between two routings, a line for each part
// that goes or comes.
func showRoutingDiff(from, to routing) (data []any) {
	before, after := from.parts(), to.parts()
	all := maps.Clone(before)
	maps.Copy(all, after)
	raw := map[string]string{}
	for _, p := range sortedParts(all) {
		if before[p] == after[p] {
			continue
		}
		if before[p] != "" {
			raw[p.subject] += fmt.Sprintf("- %s: %s\n", p, before[p])
		}
		if after[p] != "" {
			raw[p.subject] += fmt.Sprintf("+ %s: %s\n", p, after[p])
		}
	}
	for _, subject := range []string{ofVSchema, ofRules} {
		if raw[subject] != "" {
			data = append(data, object{"name": subject, "raw": raw[subject], "html": highlight(raw[subject])})
		}
	}
	return data
}

// routingChange is what a deployment does beside the tables.
func (e *Emulator) routingChange(d *deployment) (from, to routing, err error) {
	if !d.Routing {
		return routing{}, routing{}, nil
	}
	before, err := e.schemas.get(d.TargetSchema)
	if err != nil {
		return routing{}, routing{}, err
	}
	after, err := e.schemas.get(d.WantSchema)
	if err != nil {
		return routing{}, routing{}, err
	}
	return before.Routing, after.Routing, nil
}

// route brings the VSchema and the routing rules of a structure to the target:
// the last part of a deployment, and of its revert.
func (e *Emulator) route(db *database, dr *deployRequest, as schemaID) error {
	s, err := e.schemas.get(as)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d, fault := &dr.Deployment, e.takeFaultLocked(FaultVSchemaError, dr.subject())
	reverting := d.State == planetscale.StateInProgressRevertVSchema
	if fault != nil {
		failed := errors.New(fault.text("the VSchema was told to fail"))
		if reverting {
			e.revertFailedLocked(db, dr, failed)
		} else {
			d.FinishedAt, d.CheckErrors = e.stamp(), failed.Error()
			e.moveLocked(db, dr, planetscale.TriggerFailed, planetscale.StateCompleteError, failed.Error())
		}
		return e.commitLocked()
	}
	counted := d.BranchSchema // what its branch's next changes are counted from
	if reverting {
		counted = d.BaseSchema
	}
	if err := e.routedLocked(db.branchByID(dr.BranchID), counted); err != nil {
		return err
	}
	if into := db.branchByID(dr.IntoID); into != nil {
		into.routing, into.UpdatedAt = s.Routing, e.nowLocked()
		into.altered++
	}
	if reverting {
		e.revertedLocked(db, dr)
	} else {
		e.liveLocked(db, dr)
	}
	return e.commitLocked()
}
