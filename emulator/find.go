package emulator

import (
	"slices"
	"strconv"
)

// locked runs a handler with the lock held.
func (c *call) locked(f func() (answer, error)) (answer, error) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	return f()
}

// changing runs a handler with the lock held, and keeps what it changed before
// its answer goes out. A handler that refuses has changed nothing.
func (c *call) changing(f func() (answer, error)) (answer, error) {
	return c.locked(func() (answer, error) {
		a, err := f()
		if err != nil {
			return a, err
		}
		return a, c.e.commitLocked()
	})
}

// organization, database, branch and so on find what the path names, with the
// lock held.
func (c *call) organization() (*organization, error) {
	for _, o := range c.e.world.Organizations {
		if o.Name == c.r.PathValue("org") {
			return o, nil
		}
	}
	return nil, errNotFound
}

// database finds a database by its name, or by its id: some clients have
// nothing else in their paths.
func (c *call) database() (*database, error) {
	o, err := c.organization()
	if err != nil {
		return nil, err
	}
	name := c.r.PathValue("db")
	for _, is := range []func(*database) bool{
		func(db *database) bool { return db.Name == name },
		func(db *database) bool { return db.ID == name },
	} {
		if i := slices.IndexFunc(o.Databases, is); i >= 0 {
			return o.Databases[i], nil
		}
	}
	return nil, errNotFound
}

// vitess is a database that has passwords and deploy requests.
func (c *call) vitess() (*database, error) {
	db, err := c.database()
	if err == nil && db.Kind != "mysql" {
		return nil, unprocessable("This is only available for Vitess databases")
	}
	return db, err
}

// branch finds a branch likewise.
func (c *call) branch() (*database, *branch, error) {
	db, err := c.database()
	if err != nil {
		return nil, nil, err
	}
	name := c.r.PathValue("branch")
	b := db.branch(name)
	if b == nil {
		b = db.branchByID(name)
	}
	if b == nil {
		return nil, nil, errNotFound
	}
	return db, b, nil
}

func (c *call) password() (*database, *branch, *password, error) {
	db, b, err := c.branch()
	if err != nil {
		return nil, nil, nil, err
	}
	for _, p := range b.Passwords {
		if p.ID == c.r.PathValue("id") {
			return db, b, p, nil
		}
	}
	return nil, nil, nil, errNotFound
}

func (c *call) deployRequest() (*database, *deployRequest, error) {
	db, err := c.vitess()
	if err != nil {
		return nil, nil, err
	}
	n, err := strconv.Atoi(c.r.PathValue("number"))
	if err != nil {
		return nil, nil, errNotFound
	}
	dr := db.request(n)
	if dr == nil {
		return nil, nil, errNotFound
	}
	return db, dr, nil
}
