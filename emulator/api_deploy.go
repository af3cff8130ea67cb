package emulator

import (
	"slices"

	"github.com/pmig/pmig/planetscale"
)

// action runs an action on a deploy request that the state table allows in the
// state that the request is in; otherwise it is refused with the text given.
func (c *call) action(by planetscale.Trigger, refusal string, f func(db *database, dr *deployRequest, to planetscale.State) error) (answer, error) {
	return c.changing(func() (answer, error) {
		db, dr, err := c.deployRequest()
		if err != nil {
			return answer{}, err
		}
		to := dr.Deployment.State.After(by)
		if dr.Closed || len(to) == 0 {
			return answer{}, unprocessable(refusal)
		}
		if err := f(db, dr, to[0]); err != nil {
			return answer{}, err
		}
		return ok(c.showDeployRequest(db, dr))
	})
}

// move is what most actions do: the request goes on to the next state.
func (c *call) move(db *database, dr *deployRequest, by planetscale.Trigger, to planetscale.State) {
	c.e.moveLocked(db, dr, by, to, "by "+c.actor.Name)
}

const validating = "We're currently validating that these changes are safe to deploy. Please try again in a few moments."

func postDeploy(c *call) (answer, error) {
	var n struct {
		Instant  bool   `json:"instant_ddl"`
		Strategy string `json:"strategy"`
	}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if !slices.Contains([]string{"", "serial", "parallel"}, n.Strategy) {
		return answer{}, invalid("Strategy is not included in the list")
	}
	if _, _, err := c.fresh(); err != nil {
		return answer{}, err
	}
	return c.action(planetscale.TriggerDeploy, "This deploy request cannot be deployed", func(db *database, dr *deployRequest, to planetscale.State) error {
		d := &dr.Deployment
		switch {
		case db.branchByID(dr.BranchID) == nil:
			return unprocessable("This deploy request cannot be deployed: its branch has been deleted")
		case d.Validating > 0:
			d.Validating--
			return c.keep(invalid(validating))
		case db.Settings.RequireApproval && !dr.Approved:
			return unprocessable("This deploy request must be approved before it can be deployed")
		case n.Instant && !d.InstantEligible:
			return unprocessable("This deploy request is not eligible for instant DDL")
		}
		into := db.branchByID(dr.IntoID)
		if into == nil || !into.SafeMigrations {
			return unprocessable("Into branch must be a branch with safe migrations enabled")
		}
		parallel := n.Strategy == "parallel"
		if err := db.mayEnter(dr, parallel); err != nil {
			return err
		}
		by := c.actor
		d.Actor, d.Instant, d.Parallel, d.QueuedAt = &by, n.Instant, parallel, c.e.stamp()
		c.e.world.LastQueued++
		d.Order = c.e.world.LastQueued
		c.move(db, dr, planetscale.TriggerDeploy, to)
		return nil
	})
}

// keep saves what a refusal has changed, a count, before it is answered.
func (c *call) keep(refusal error) error {
	if err := c.e.commitLocked(); err != nil {
		return err
	}
	return refusal
}

func postApplyDeploy(c *call) (answer, error) {
	return c.action(planetscale.TriggerApplyDeploy, "This deploy request is not waiting for its cutover", func(db *database, dr *deployRequest, to planetscale.State) error {
		c.cutOver(db, dr, planetscale.TriggerApplyDeploy, to)
		return nil
	})
}

// cutOver lets a deployment that stands in pending_cutover go on.
func (c *call) cutOver(db *database, dr *deployRequest, by planetscale.Trigger, to planetscale.State) {
	who := c.actor
	dr.Deployment.CutoverActor = &who
	c.move(db, dr, by, to)
}

func postCompleteDeploy(c *call) (answer, error) {
	return c.action(planetscale.TriggerCompleteDeploy, "This deploy request has no error to complete", func(db *database, dr *deployRequest, to planetscale.State) error {
		c.move(db, dr, planetscale.TriggerCompleteDeploy, to)
		dr.Deployment.KeptOwed = dr.Deployment.kept()
		c.e.finishLocked(db, dr)
		return nil
	})
}

func postForceCutover(c *call) (answer, error) {
	return c.action(planetscale.TriggerForceCutover, "This deploy request is not cutting over", func(db *database, dr *deployRequest, to planetscale.State) error {
		dr.Deployment.ForceCutoverAt, dr.UpdatedAt = c.e.stamp(), c.e.nowLocked()
		return nil
	})
}

func postCancel(c *call) (answer, error) {
	return c.action(planetscale.TriggerCancel, "This deploy request cannot be cancelled", func(db *database, dr *deployRequest, to planetscale.State) error {
		by := c.actor
		dr.Deployment.CancelledActor = &by
		c.e.cancelLocked(db, dr, to, "by "+by.Name)
		return nil
	})
}

func postRevert(c *call) (answer, error) {
	return c.action(planetscale.TriggerRevert, "This deploy request cannot be reverted", func(db *database, dr *deployRequest, to planetscale.State) error {
		by := c.actor
		dr.Deployment.Revert.Actor = &by
		c.move(db, dr, planetscale.TriggerRevert, to)
		return nil
	})
}

func postSkipRevert(c *call) (answer, error) {
	return c.action(planetscale.TriggerSkipRevert, "This deploy request has no revert to skip", func(db *database, dr *deployRequest, to planetscale.State) error {
		c.move(db, dr, planetscale.TriggerSkipRevert, to)
		c.e.completeLocked(db, dr)
		return nil
	})
}

// enable reads the body of a switch.
func (c *call) enable() (bool, error) {
	var n struct {
		Enable *bool `json:"enable"`
	}
	if err := c.read(&n); err != nil {
		return false, err
	}
	if n.Enable == nil {
		return false, badRequest("enable is missing")
	}
	return *n.Enable, nil
}

func putAutoApply(c *call) (answer, error) {
	on, err := c.enable()
	if err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, dr, err := c.deployRequest()
		if err != nil {
			return answer{}, err
		}
		d := &dr.Deployment
		if dr.Closed || d.State == planetscale.StateInProgressCutover || d.State.Info().Live || d.FinishedAt != nil {
			return answer{}, unprocessable("Auto-apply can only be changed before the cutover")
		}
		d.AutoCutover, dr.UpdatedAt = on, c.e.nowLocked()
		if dr.Number == db.LastNumber { // the one that the next inherits from
			db.AutoCutover = on
		}
		if to := d.State.After(planetscale.TriggerAutoApply); on && len(to) > 0 {
			c.cutOver(db, dr, planetscale.TriggerAutoApply, to[0])
		}
		return ok(c.showDeployRequest(db, dr))
	})
}

func putAutoDeleteBranch(c *call) (answer, error) {
	on, err := c.enable()
	if err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, dr, err := c.deployRequest()
		if err != nil {
			return answer{}, err
		}
		if dr.Closed {
			return answer{}, unprocessable("This deploy request is closed")
		}
		dr.Deployment.AutoDeleteBranch, dr.UpdatedAt = on, c.e.nowLocked()
		return ok(c.showDeployRequest(db, dr))
	})
}
