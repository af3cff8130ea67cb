package emulator

import (
	"encoding/json"

	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// controlImport runs a schema and inserts rows into a branch, past every rule.
func (c *call) controlImport() (answer, error) {
	n := struct {
		Organization string          `json:"organization"`
		Database     string          `json:"database"`
		Branch       string          `json:"branch"`
		Schema       string          `json:"schema"`
		Rows         json.RawMessage `json:"rows"`
	}{Organization: c.e.options.Organization, Branch: "main"}
	if err := c.readText(&n); err != nil {
		return answer{}, err
	}
	var rows []tableRow
	if len(n.Rows) > 0 {
		var v ctyjson.SimpleJSONValue
		err := json.Unmarshal(n.Rows, &v)
		if err == nil {
			rows, err = rowsOf(v.Value)
		}
		if err != nil {
			return answer{}, invalid("rows: " + err.Error())
		}
	}
	c.e.mu.Lock()
	db := c.e.findLocked(n.Organization, n.Database)
	var b *branch
	if db != nil && db.Kind == "mysql" {
		b = db.branch(n.Branch)
	}
	made := b != nil && b.Made
	c.e.mu.Unlock()
	if !made {
		return answer{}, errNotFound
	}
	ctx := c.r.Context()
	if err := c.e.runSQL(ctx, db, b, n.Schema); err != nil {
		return answer{}, unprocessable(err.Error())
	}
	if err := c.e.insert(ctx, db, b, rows); err != nil {
		return answer{}, unprocessable(err.Error())
	}
	id, sch, err := c.e.look(ctx, b.ID, db.Name)
	if err != nil {
		return answer{}, err
	}
	if err := c.e.engine.Flush(ctx); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		c.e.sawLocked(b, id)
		return ok(object{"tables": len(sch.Tables), "rows": len(rows)})
	})
}
