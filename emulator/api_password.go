package emulator

import (
	"slices"
	"strings"
)

// listed says whether a password belongs into a list.
func (c *call) listed(p *password) (bool, error) {
	q := c.r.URL.Query()
	expired := p.expired(c.e.nowLocked())
	if !strings.Contains(p.Name, q.Get("q")) {
		return false, nil
	}
	switch q.Get("status") {
	case "":
		return !expired || !c.e.world.Unknowns.ExpiredPasswordsHidden, nil
	case "active":
		return !expired, nil
	case "expired":
		return expired, nil
	case "renewable":
		return !expired && p.ExpiresAt != nil, nil
	}
	return false, badRequest("status must be active, renewable or expired")
}

type branchPassword struct {
	b *branch
	p *password
}

func (c *call) passwordsOf(branches []*branch) (answer, error) {
	var found []branchPassword
	for _, b := range branches {
		for _, p := range b.Passwords {
			in, err := c.listed(p)
			if err != nil {
				return answer{}, err
			}
			if in {
				found = append(found, branchPassword{b, p})
			}
		}
	}
	l, err := page(c, found, func(x branchPassword) any { return c.showPassword(x.b, x.p, false) })
	if err != nil {
		return answer{}, err
	}
	return ok(l.withTotals(len(found)))
}

func listPasswords(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		if _, err := c.vitess(); err != nil {
			return answer{}, err
		}
		_, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		return c.passwordsOf([]*branch{b})
	})
}

func listAllPasswords(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, err := c.vitess()
		if err != nil {
			return answer{}, err
		}
		return c.passwordsOf(db.Branches)
	})
}

// mayConnect says whether the token may make or change a password of a branch.
func (c *call) mayConnect(b *branch, role string) bool {
	if !b.Production {
		return c.permitted([]string{"connect_branch"})
	}
	if role == "reader" && c.permitted([]string{"connect_production_read_only_branch"}) {
		return true
	}
	return c.permitted([]string{"connect_production_branch"})
}

func (c *call) mayDisconnect(b *branch, role string) bool {
	if !b.Production {
		return c.permitted([]string{"delete_branch_password"})
	}
	if role == "reader" && c.permitted([]string{"delete_production_read_only_branch_password"}) {
		return true
	}
	return c.permitted([]string{"delete_production_branch_password"})
}

func postPassword(c *call) (answer, error) {
	var n newPasswordRequest
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		if _, err := c.vitess(); err != nil {
			return answer{}, err
		}
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		if !c.mayConnect(b, n.Role) {
			return answer{}, errNotFound
		}
		p, err := c.e.createPasswordLocked(db, b, n, c.actor)
		if err != nil {
			return answer{}, err
		}
		return created(c.showPassword(b, p, true))
	})
}

func getPassword(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		_, b, p, err := c.password()
		if err != nil {
			return answer{}, err
		}
		return ok(c.showPassword(b, p, false))
	})
}

func patchPassword(c *call) (answer, error) {
	var n struct {
		Name  *string   `json:"name"`
		CIDRs *[]string `json:"cidrs"`
	}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		_, b, p, err := c.password()
		if err != nil {
			return answer{}, err
		}
		if !c.mayConnect(b, p.Role) {
			return answer{}, errNotFound
		}
		set(&p.Name, n.Name)
		if n.CIDRs != nil {
			p.CIDRs = slices.Clone(*n.CIDRs)
		}
		return ok(c.showPassword(b, p, false))
	})
}

func renewPassword(c *call) (answer, error) {
	return c.changing(func() (answer, error) {
		_, b, p, err := c.password()
		if err != nil {
			return answer{}, err
		}
		if !c.mayConnect(b, p.Role) {
			return answer{}, errNotFound
		}
		if err := c.e.renewLocked(p); err != nil {
			return answer{}, err
		}
		return ok(c.showPassword(b, p, false))
	})
}

func deletePassword(c *call) (answer, error) {
	return c.changing(func() (answer, error) {
		db, b, p, err := c.password()
		if err != nil {
			return answer{}, err
		}
		if !c.mayDisconnect(b, p.Role) {
			return answer{}, errNotFound
		}
		c.e.deletePasswordLocked(db, b, p, c.actor)
		return noContent()
	})
}
