package emulator

import (
	"encoding/json"
	"strings"

	"github.com/pmig/pmig/schema"
)

// getVSchema shows what was set last, or for an unsharded keyspace that nobody
// has touched its tables.
func getVSchema(c *call) (answer, error) {
	db, b, sch, err := c.seen()
	if err != nil {
		return answer{}, err
	}
	if c.r.PathValue("keyspace") != db.Name {
		return answer{}, errNotFound
	}
	return c.locked(func() (answer, error) { return ok(b.showVSchema(sch.Schema)) })
}

// errRoutingProtected refuses what only a deploy request changes where safe
// migrations are on.
var errRoutingProtected = unprocessable("VSchema and routing rules of a branch with safe migrations can only be changed by a deploy request")

// patchVSchema keeps a VSchema. The emulator's keyspaces are unsharded: nothing
// is routed by it.
func patchVSchema(c *call) (answer, error) {
	var n struct {
		VSchema *string `json:"vschema"`
	}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if n.VSchema == nil {
		return answer{}, badRequest("vschema is missing")
	}
	text, err := object2text(*n.VSchema)
	if err != nil {
		return answer{}, invalid("Vschema is invalid: " + err.Error())
	}
	_, _, sch, err := c.seen()
	if err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, b, err := c.branch()
		switch {
		case err != nil:
			return answer{}, err
		case c.r.PathValue("keyspace") != db.Name:
			return answer{}, errNotFound
		case b.Production && !c.permitted([]string{"write_production_branch_vschema"}),
			!b.Production && !c.permitted([]string{"write_branch_vschema"}):
			return answer{}, errNotFound
		case b.SafeMigrations:
			return answer{}, errRoutingProtected
		}
		b.VSchema, b.UpdatedAt = text, c.e.nowLocked()
		return ok(b.showVSchema(sch.Schema))
	})
}

func (b *branch) showVSchema(sch *schema.Schema) object {
	if b.VSchema != "" {
		return object{"raw": b.VSchema, "html": highlight(b.VSchema)}
	}
	return showVSchema(sch)
}

// noRules is what a branch has that was given no routing rules.
const noRules = "{\n  \"rules\": []\n}\n"

func (b *branch) showRoutingRules() object {
	raw := b.Rules
	if raw == "" {
		raw = noRules
	}
	return object{"raw": raw, "html": highlight(raw)}
}

func getRoutingRules(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		_, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		return ok(b.showRoutingRules())
	})
}

func patchRoutingRules(c *call) (answer, error) {
	var n struct {
		Rules *string `json:"routing_rules"`
	}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if n.Rules == nil {
		return answer{}, badRequest("routing_rules is missing")
	}
	text, err := object2text(*n.Rules)
	if err != nil {
		return answer{}, invalid("Routing rules are invalid: " + err.Error())
	}
	return c.changing(func() (answer, error) {
		_, b, err := c.branch()
		switch {
		case err != nil:
			return answer{}, err
		case b.Production && !c.permitted([]string{"write_production_branch_vschema"}),
			!b.Production && !c.permitted([]string{"write_branch_vschema"}):
			return answer{}, errNotFound
		case b.SafeMigrations:
			return answer{}, errRoutingProtected
		}
		b.Rules, b.UpdatedAt = text, c.e.nowLocked()
		return ok(b.showRoutingRules())
	})
}

// object2text takes the text of a JSON object and gives it back indented.
func object2text(text string) (string, error) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(o, "", "  ")
	return strings.TrimSpace(string(b)) + "\n", err
}

// listChanges shows no changes of cluster size or parameters: there are none to
// make here.
func listChanges(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		if _, _, err := c.branch(); err != nil {
			return answer{}, err
		}
		l, err := page(c, []any(nil), func(x any) any { return x })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

// getChange finds none.
func getChange(c *call) (answer, error) {
	return c.locked(func() (answer, error) { return answer{}, errNotFound })
}

// patchChanges changes nothing, and says so as the platform does.
func patchChanges(c *call) (answer, error) {
	var n map[string]any
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) {
		if _, _, err := c.branch(); err != nil {
			return answer{}, err
		}
		if len(n) > 0 {
			return answer{}, unprocessable("This emulator's branches have no size and no parameters")
		}
		return noContent()
	})
}
