package emulator

import (
	"slices"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

func listDeployRequests(c *call) (answer, error) {
	q := c.r.URL.Query()
	wanted := q.Get("state")
	if !slices.Contains([]string{"", planetscale.RequestOpen, planetscale.RequestClosed, planetscale.RequestDeployed}, wanted) {
		return answer{}, badRequest("state must be open, closed or deployed")
	}
	deployed, err := timeRange(q.Get("deployed_at"))
	if err != nil {
		return answer{}, err
	}
	running, err := timeRange(q.Get("running_at"))
	if err != nil {
		return answer{}, err
	}
	c.e.mu.Lock()
	db, err := c.vitess()
	c.e.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	c.e.refreshAll(c.r.Context(), db)
	return c.locked(func() (answer, error) {
		var found []*deployRequest
		for _, dr := range db.DeployRequests {
			is := map[string]bool{"": true, "open": !dr.Closed, "closed": dr.Closed, "deployed": dr.DeployedAt != nil}[wanted]
			if b := q.Get("branch"); b != "" && b != dr.Branch {
				is = false
			}
			if b := q.Get("into_branch"); b != "" && b != dr.Into {
				is = false
			}
			if is && deployed(dr.DeployedAt) && running(dr.Deployment.StartedAt) {
				found = append(found, dr)
			}
		}
		slices.Reverse(found) // newest first
		l, err := page(c, found, func(dr *deployRequest) any { return c.showDeployRequest(db, dr) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

// timeRange reads a filter like 2026-01-01T00:00:00Z..2026-01-02T00:00:00Z,
// either end of which may be missing. A filter holds for times only: what has
// none is left out.
func timeRange(s string) (func(*time.Time) bool, error) {
	if s == "" {
		return func(*time.Time) bool { return true }, nil
	}
	var ends [2]time.Time
	from, to, isRange := strings.Cut(s, "..")
	if !isRange {
		return nil, badRequest("a time range is written FROM..TO")
	}
	for i, text := range []string{from, to} {
		if text == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, badRequest("a time range is written FROM..TO, in RFC 3339")
		}
		ends[i] = t
	}
	return func(t *time.Time) bool {
		return t != nil && (ends[0].IsZero() || !t.Before(ends[0])) && (ends[1].IsZero() || !t.After(ends[1]))
	}, nil
}

func postDeployRequest(c *call) (answer, error) {
	var n newDeployRequest
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, err := c.vitess()
		if err != nil {
			return answer{}, err
		}
		dr, err := c.e.createDeployRequestLocked(db, n, c.actor)
		if err != nil {
			return answer{}, err
		}
		return created(c.showDeployRequest(db, dr))
	})
}

// fresh finds the path's deploy request and looks at its branch once more: who
// reads a request sees what has become of it.
func (c *call) fresh() (*database, *deployRequest, error) {
	c.e.mu.Lock()
	db, dr, err := c.deployRequest()
	c.e.mu.Unlock()
	if err == nil {
		c.e.refresh(c.r.Context(), db, dr)
	}
	return db, dr, err
}

func getDeployRequest(c *call) (answer, error) {
	db, dr, err := c.fresh()
	if err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) { return ok(c.showDeployRequest(db, dr)) })
}

func patchDeployRequest(c *call) (answer, error) {
	var n struct {
		State string `json:"state"`
	}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if n.State != planetscale.RequestClosed {
		return answer{}, invalid(`State can only be changed to "closed"`)
	}
	return c.changing(func() (answer, error) {
		db, dr, err := c.deployRequest()
		if err != nil {
			return answer{}, err
		}
		if err := c.e.mayCloseLocked(dr); err != nil {
			return answer{}, err
		}
		c.e.closeLocked(db, dr, c.actor)
		return ok(c.showDeployRequest(db, dr))
	})
}

func getDeployment(c *call) (answer, error) {
	db, dr, err := c.fresh()
	if err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) { return ok(c.showDeployment(db, dr)) })
}

func listOperations(c *call) (answer, error) {
	db, dr, err := c.fresh()
	if err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) {
		l, err := page(c, dr.Deployment.Operations, func(op *operation) any { return c.showOperation(db, dr, op) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

func getDeployRequestDiff(c *call) (answer, error) {
	_, dr, err := c.fresh()
	if err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) {
		d := &dr.Deployment
		var changes []schema.Change
		for _, op := range d.Operations {
			changes = append(changes, op.Change)
		}
		from, to, err := c.e.routingChange(d)
		if err != nil {
			return answer{}, err
		}
		return ok(showDiff(changes, from, to))
	})
}

func listReviews(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		_, dr, err := c.deployRequest()
		if err != nil {
			return answer{}, err
		}
		l, err := page(c, dr.Reviews, func(r *review) any { return showReview(r) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

func postReview(c *call) (answer, error) {
	n := struct {
		State string `json:"state"`
		Body  string `json:"body"`
	}{State: planetscale.ReviewCommented}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	db, dr, err := c.fresh()
	if err != nil {
		return answer{}, err
	}
	approves, err := c.e.branchSchema(c.r.Context(), db, dr)
	if err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		switch n.State {
		case planetscale.ReviewCommented:
		case planetscale.ReviewApproved:
			switch {
			case !c.permitted([]string{"approve_deploy_request"}):
				return answer{}, errNotFound
			case dr.Closed:
				return answer{}, unprocessable("This deploy request is closed")
			case dr.Actor.ID == c.actor.ID && !db.Settings.CanApproveOwn:
				return answer{}, unprocessable("You cannot approve your own deploy request")
			}
			dr.Approved, dr.ApprovedSchema = true, approves
		default:
			return answer{}, invalid("State is not included in the list")
		}
		r := &review{ID: newID(), State: n.State, Body: n.Body, Actor: c.actor, CreatedAt: c.e.nowLocked()}
		dr.Reviews, dr.UpdatedAt = append(dr.Reviews, r), r.CreatedAt
		c.e.eventLocked(Event{Kind: EventDeployRequest, Database: db.path(), Subject: dr.subject(), State: dr.Deployment.State,
			Actor: c.actor.Name, Text: n.State})
		return created(showReview(r))
	})
}

func getStorageCheck(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		if _, _, err := c.deployRequest(); err != nil {
			return answer{}, err
		}
		return ok(struct {
			Enough      bool           `json:"enough_storage"`
			Upgradeable bool           `json:"upgradeable"`
			Needed      int            `json:"storage_bytes_needed"`
			Report      map[string]any `json:"storage_report"`
		}{Enough: true, Upgradeable: true, Report: map[string]any{}})
	})
}

func getRequestThrottler(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, dr, err := c.deployRequest()
		if err != nil {
			return answer{}, err
		}
		return ok(c.showThrottler(db, dr.ID, dr.subject()))
	})
}

func patchRequestThrottler(c *call) (answer, error) {
	var n throttlerSettings
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, dr, err := c.deployRequest()
		if err != nil {
			return answer{}, err
		}
		if err := db.throttle(n); err != nil {
			return answer{}, err
		}
		return ok(c.showThrottler(db, dr.ID, dr.subject()))
	})
}

func getDeployQueue(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, err := c.vitess()
		if err != nil {
			return answer{}, err
		}
		var queue []*deployRequest
		for _, b := range db.Branches {
			queue = append(queue, db.queueLocked(b.ID, false)...)
			queue = append(queue, db.queueLocked(b.ID, true)...)
		}
		l, err := page(c, queue, func(dr *deployRequest) any { return c.showDeployment(db, dr) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}
