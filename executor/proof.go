package executor

import (
	"context"
	"fmt"
	"strings"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// bare wants a branch that nothing shows to be pmig's, neither a password nor a
// deploy request, to be at least an empty one: with rows outside the history
// tables it is somebody's work, whatever its name.
func (r *Run) bare(ctx context.Context, b planetscale.Branch) error {
	// A name that is not taken for a heartbeat, by this run or another.
	look := &planner.Access{API: r.API, Connect: r.Connect, Branch: b.Name, Database: r.facts.Plan.Name, Name: "look by pmig " + r.ID, Role: "reader"}
	defer look.Close(context.WithoutCancel(ctx))
	db, err := look.DB(ctx)
	if planetscale.IsNotFound(err) {
		return nil // it is being deleted
	}
	if err != nil {
		return fmt.Errorf("look whose branch %s is: %w", b.Name, err)
	}
	s, err := schema.Read(ctx, db, r.facts.Plan.Name)
	if err != nil {
		return fmt.Errorf("look whose branch %s is: %w", b.Name, err)
	}
	var own []string
	for _, src := range r.seen.Sources {
		own = append(own, src.Spec.Tables()...)
	}
	for _, t := range s.Without(own...).Tables {
		if t.View {
			continue
		}
		rows, err := db.QueryContext(ctx, "SELECT 1 FROM `"+strings.ReplaceAll(t.Name, "`", "``")+"` LIMIT 1")
		if err != nil {
			return fmt.Errorf("look whose branch %s is: %w", b.Name, err)
		}
		has := rows.Next()
		rows.Close()
		if err := rows.Err(); err != nil {
			return fmt.Errorf("look whose branch %s is: %w", b.Name, err)
		}
		if has {
			return refuse(planner.BranchCreate, "branch "+b.Name, "nothing shows that pmig made it, and "+t.Name+" has rows",
				"it is left alone; if it is pmig's to remove: pmig unlock --adopt "+b.Name)
		}
	}
	return nil
}
