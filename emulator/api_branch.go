package emulator

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pmig/pmig/schema"
)

func listBranches(c *call) (answer, error) {
	production, err := c.queryBool("production")
	if err != nil {
		return answer{}, err
	}
	safe, err := c.queryBool("safe_migrations")
	if err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) {
		db, err := c.database()
		if err != nil {
			return answer{}, err
		}
		q := c.r.URL.Query()
		var found []*branch
		for _, b := range db.Branches {
			if strings.Contains(b.Name, q.Get("q")) && (production == nil || *production == b.Production) && (safe == nil || *safe == b.SafeMigrations) {
				found = append(found, b)
			}
		}
		slices.SortStableFunc(found, func(a, b *branch) int { return a.CreatedAt.Compare(b.CreatedAt) })
		if q.Get("order") == "desc" {
			slices.Reverse(found)
		}
		l, err := page(c, found, func(b *branch) any { return c.showBranch(db, b) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

type newBranch struct {
	Name              string `json:"name"`
	Parent            string `json:"parent_branch"`
	BackupID          string `json:"backup_id"`
	SeedData          string `json:"seed_data"`
	DeletionProtected bool   `json:"deletion_protected"`
	CreateDatabase    bool   `json:"create_database_if_missing"`
	Kind              string `json:"kind"`
}

func postBranch(c *call) (answer, error) {
	var n newBranch
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	made := false
	if n.CreateDatabase {
		var err error
		if made, err = c.databaseFor(n); err != nil {
			return answer{}, err
		}
	}
	return c.changing(func() (answer, error) {
		db, err := c.database()
		if err != nil {
			return answer{}, err
		}
		if made && n.Name == db.Settings.DefaultBranch { // made with its database
			return created(c.showBranch(db, db.branch(n.Name)))
		}
		parent := db.branch(cmp.Or(n.Parent, db.Settings.DefaultBranch))
		switch {
		case n.BackupID != "" || n.SeedData != "":
			return answer{}, unprocessable("This emulator has no backups to make a branch from")
		case parent == nil:
			return answer{}, errNotFound // as the platform does: the database is there, but the client is not told so
		case !parent.Ready:
			return answer{}, unprocessable("Parent branch is not ready")
		case db.Kind != "mysql":
			return answer{}, unprocessable("This emulator has Vitess branches only")
		}
		b, err := c.e.createBranchLocked(db, n.Name, parent, n.DeletionProtected, c.actor)
		if err != nil {
			return answer{}, err
		}
		return created(c.showBranch(db, b))
	})
}

func getBranch(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		return ok(c.showBranch(db, b))
	})
}

func patchBranch(c *call) (answer, error) {
	var n struct {
		NewName           *string `json:"new_name"`
		DeletionProtected *bool   `json:"deletion_protected"`
	}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		if n.NewName != nil && *n.NewName != b.Name {
			if err := checkBranchName(*n.NewName); err != nil {
				return answer{}, err
			}
			if db.branch(*n.NewName) != nil {
				return answer{}, errTaken
			}
			db.rename(b, *n.NewName)
		}
		set(&b.DeletionProtected, n.DeletionProtected)
		b.UpdatedAt = c.e.nowLocked()
		return ok(c.showBranch(db, b))
	})
}

// rename gives a branch another name everywhere.
func (db *database) rename(b *branch, name string) {
	for _, o := range db.Branches {
		if o.ParentID == b.ID {
			o.Parent = name
		}
	}
	for _, dr := range db.DeployRequests {
		if dr.BranchID == b.ID {
			dr.Branch = name
		}
		if dr.IntoID == b.ID {
			dr.Into = name
		}
	}
	if db.Settings.DefaultBranch == b.Name {
		db.Settings.DefaultBranch = name
	}
	b.Name = name
}

func deleteBranch(c *call) (answer, error) {
	descendants, err := c.queryBool("delete_descendants")
	if err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		permission := "delete_branch"
		if b.Production {
			permission = "delete_production_branch"
		}
		if !c.permitted([]string{permission}) {
			return answer{}, errNotFound
		}
		if err := c.e.deleteBranchLocked(db, b, descendants != nil && *descendants, c.actor); err != nil {
			return answer{}, err
		}
		return noContent()
	})
}

func promoteBranch(c *call) (answer, error) {
	_, findings, err := c.lint()
	if err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		switch {
		case !b.Ready:
			return answer{}, unprocessable("Branch is not ready")
		case len(findings) > 0:
			return answer{}, unprocessable("Branch cannot be promoted: its schema has lint errors")
		}
		b.Production, b.UpdatedAt = true, c.e.nowLocked()
		return ok(c.showBranch(db, b))
	})
}

func demoteBranch(c *call) (answer, error) {
	return c.changing(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		others := 0
		for _, o := range db.Branches {
			if o != b && o.Production {
				others++
			}
		}
		if b.Production && others == 0 {
			return answer{}, unprocessable("At least one production branch must remain")
		}
		b.Production, b.SafeMigrations, b.UpdatedAt = false, false, c.e.nowLocked()
		return ok(c.showBranch(db, b))
	})
}

func enableSafeMigrations(c *call) (answer, error)  { return setSafeMigrations(c, true) }
func disableSafeMigrations(c *call) (answer, error) { return setSafeMigrations(c, false) }

func putSafeMigrations(c *call) (answer, error) {
	var n struct {
		On *bool `json:"safe_migrations"`
	}
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if n.On == nil {
		return answer{}, badRequest("safe_migrations is missing")
	}
	return setSafeMigrations(c, *n.On)
}

func setSafeMigrations(c *call, on bool) (answer, error) {
	var findings []lintError
	if on {
		var err error
		if _, findings, err = c.lint(); err != nil {
			return answer{}, err
		}
	}
	return c.changing(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		if db.Kind != "mysql" {
			return answer{}, unprocessable("This is only available for Vitess databases")
		}
		if on && !b.SafeMigrations && len(findings) > 0 {
			return answer{}, unprocessable("Safe migrations cannot be enabled: the schema has lint errors")
		}
		if b.SafeMigrations != on {
			b.SafeMigrations, b.UpdatedAt = on, c.e.nowLocked()
			text := "safe migrations off"
			if on {
				text = "safe migrations on"
			}
			c.e.eventLocked(Event{Kind: EventBranch, Database: db.path(), Subject: b.Name, Actor: c.actor.Name, Text: text})
		}
		return ok(c.showBranch(db, b))
	})
}

// seen reads the schema that the path's branch has now.
func (c *call) seen() (*database, *branch, *structure, error) {
	c.e.mu.Lock()
	db, b, err := c.branch()
	ready := err == nil && b.Made && db.Kind == "mysql"
	c.e.mu.Unlock()
	if err != nil {
		return nil, nil, nil, err
	}
	if !ready {
		return db, b, &structure{Schema: &schema.Schema{}}, nil
	}
	id, sch, err := c.e.look(c.r.Context(), b.ID, db.Name)
	if err != nil {
		return nil, nil, nil, err
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.e.sawLocked(b, id)
	return db, b, sch, nil
}

func (c *call) lint() (*database, []lintError, error) {
	db, _, sch, err := c.seen()
	if err != nil {
		return nil, nil, err
	}
	c.e.mu.Lock()
	opts := schema.LintOptions{ForeignKeys: db.Settings.ForeignKeys}
	c.e.mu.Unlock()
	return db, lint(db.Name, sch, opts), nil
}

func getBranchSchema(c *call) (answer, error) {
	db, b, sch, err := c.seen()
	if err != nil {
		return answer{}, err
	}
	if ks := c.r.URL.Query().Get("keyspace"); ks != "" && ks != db.Name {
		return answer{}, errNotFound
	}
	if c.staleSchema {
		c.e.mu.Lock()
		old := b.Snapshot
		c.e.mu.Unlock()
		if sch, err = c.e.schemas.get(old); err != nil {
			return answer{}, err
		}
	}
	return ok(showSchema(sch.Schema))
}

func getBranchLint(c *call) (answer, error) {
	db, findings, err := c.lint()
	if err != nil {
		return answer{}, err
	}
	l, err := page(c, findings, func(l lintError) any { return showLint(db.Name, l) })
	if err != nil {
		return answer{}, err
	}
	return ok(l)
}

// getBranchDiff shows what the branch has that its parent has not.
func getBranchDiff(c *call) (answer, error) {
	db, b, sch, err := c.seen()
	if err != nil {
		return answer{}, err
	}
	c.e.mu.Lock()
	parent := db.branchByID(b.ParentID)
	c.e.mu.Unlock()
	if parent == nil {
		return ok(dataOnly{[]any{}})
	}
	_, base, err := c.e.look(c.r.Context(), parent.ID, db.Name)
	if err != nil {
		return answer{}, err
	}
	changes, err := schema.Diff(base.Schema, sch.Schema)
	if err != nil {
		return answer{}, unprocessable(err.Error())
	}
	return ok(showDiff(changes, base.Routing, sch.Routing))
}

func refreshSchema(c *call) (answer, error) {
	db, b, _, err := c.seen()
	if err != nil {
		return answer{}, err
	}
	c.e.mu.Lock()
	c.e.takeFaultLocked(FaultStaleDiff, db.path()+"/branches/"+b.Name)
	c.e.mu.Unlock()
	return noContent()
}

func listKeyspaces(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		l, err := page(c, []*branch{b}, func(b *branch) any { return showKeyspace(db, b) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

func getKeyspace(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, b, err := c.branch()
		if err != nil {
			return answer{}, err
		}
		if c.r.PathValue("keyspace") != db.Name {
			return answer{}, errNotFound
		}
		return ok(showKeyspace(db, b))
	})
}
