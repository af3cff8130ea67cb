package emulator

import (
	"strings"
)

func listOrganizations(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		l, err := page(c, c.e.world.Organizations, func(o *organization) any { return c.showOrganization(o) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

func getOrganization(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		o, err := c.organization()
		if err != nil {
			return answer{}, err
		}
		return ok(c.showOrganization(o))
	})
}

func listDatabases(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		o, err := c.organization()
		if err != nil {
			return answer{}, err
		}
		var found []*database
		for _, db := range o.Databases {
			if strings.Contains(db.Name, c.r.URL.Query().Get("q")) {
				found = append(found, db)
			}
		}
		l, err := page(c, found, func(db *database) any { return c.showDatabase(db) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

// newDatabase is the body of POST databases. The emulator has no sizes and one
// region: the rest is taken and comes to nothing.
type newDatabase struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
}

func postDatabase(c *call) (answer, error) {
	var n newDatabase
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if err := c.createDatabase(n); err != nil {
		return answer{}, err
	}
	return c.locked(func() (answer, error) {
		db := c.e.findLocked(c.r.PathValue("org"), n.Name)
		if db == nil { // deleted again
			return answer{}, errNotFound
		}
		return created(c.showDatabase(db))
	})
}

// createDatabase makes a database as the platform does: safe migrations are for
// somebody to switch on.
func (c *call) createDatabase(n newDatabase) error {
	c.e.mu.Lock()
	_, err := c.organization()
	c.e.mu.Unlock()
	switch {
	case err != nil:
		return err
	case n.Name == "":
		return invalid("Name can't be blank")
	case n.Kind != "" && n.Kind != "mysql" && n.Kind != "postgresql":
		return invalid("Kind is not included in the list")
	}
	return c.e.CreateDatabase(c.r.Context(), c.r.PathValue("org"), Database{Name: n.Name, Kind: n.Kind, DirectDDL: true})
}

// databaseFor makes the database that a new branch is for, if it is not there.
func (c *call) databaseFor(n newBranch) (made bool, err error) {
	c.e.mu.Lock()
	_, err = c.database()
	c.e.mu.Unlock()
	switch {
	case err == nil:
		return false, nil
	case !c.permitted(createDatabases):
		return false, errNotFound
	case n.Kind == "":
		return false, invalid("Kind can't be blank when a database is to be made")
	}
	if err := checkBranchName(n.Name); err != nil {
		return false, err
	}
	err = c.createDatabase(newDatabase{Name: c.r.PathValue("db"), Kind: n.Kind})
	return err == nil, err
}

func deleteDatabase(c *call) (answer, error) {
	return c.changing(func() (answer, error) {
		db, err := c.database()
		if err != nil {
			return answer{}, err
		}
		if err := c.e.deleteDatabaseLocked(db, c.actor); err != nil {
			return answer{}, err
		}
		return noContent()
	})
}

func getDatabase(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, err := c.database()
		if err != nil {
			return answer{}, err
		}
		return ok(c.showDatabase(db))
	})
}

// databaseSettings is the body of PATCH on a database.
type databaseSettings struct {
	NewName              *string `json:"new_name"`
	AutomaticMigrations  *bool   `json:"automatic_migrations"`
	MigrationFramework   *string `json:"migration_framework"`
	MigrationTable       *string `json:"migration_table_name"`
	RequireApproval      *bool   `json:"require_approval_for_deploy"`
	RestrictBranchRegion *bool   `json:"restrict_branch_region"`
	AllowDataBranching   *bool   `json:"allow_data_branching"`
	AllowForeignKeys     *bool   `json:"allow_foreign_key_constraints"`
	InsightsRawQueries   *bool   `json:"insights_raw_queries"`
	DeletionProtected    *bool   `json:"deletion_protected"`
	ProductionWebConsole *bool   `json:"production_branch_web_console"`
	DefaultBranch        *string `json:"default_branch"`
}

func patchDatabase(c *call) (answer, error) {
	var n databaseSettings
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, err := c.database()
		if err != nil {
			return answer{}, err
		}
		s := db.Settings
		if db.Kind != "mysql" && (n.AutomaticMigrations != nil || n.MigrationFramework != nil || n.MigrationTable != nil ||
			n.RequireApproval != nil || n.AllowForeignKeys != nil || n.AllowDataBranching != nil) {
			return answer{}, invalid("This setting is only available for Vitess databases")
		}
		if n.NewName != nil && *n.NewName != db.Name {
			// The name is also that of the branches' MySQL databases, which no
			// server can rename.
			return answer{}, unprocessable("This emulator cannot rename a database")
		}
		if n.DefaultBranch != nil && db.branch(*n.DefaultBranch) == nil {
			return answer{}, invalid("Default branch must exist")
		}
		if n.AllowForeignKeys != nil && *n.AllowForeignKeys && !s.ForeignKeys {
			for _, dr := range db.DeployRequests {
				if !dr.Closed {
					return answer{}, unprocessable("Foreign key constraints cannot be enabled while deploy requests are open")
				}
			}
		}
		set(&s.RequireApproval, n.RequireApproval)
		set(&s.RestrictBranchRegion, n.RestrictBranchRegion)
		set(&s.AllowDataBranching, n.AllowDataBranching)
		set(&s.ForeignKeys, n.AllowForeignKeys)
		set(&s.InsightsRawQueries, n.InsightsRawQueries)
		set(&s.DeletionProtected, n.DeletionProtected)
		set(&s.ProductionWebConsole, n.ProductionWebConsole)
		set(&s.DefaultBranch, n.DefaultBranch)
		setp(&s.AutomaticMigrations, n.AutomaticMigrations)
		setp(&s.MigrationFramework, n.MigrationFramework)
		setp(&s.MigrationTable, n.MigrationTable)
		db.Settings, db.UpdatedAt = s, c.e.nowLocked()
		c.e.eventLocked(Event{Kind: EventDatabase, Database: db.path(), Subject: db.Name, Actor: c.actor.Name, Text: "settings changed"})
		return ok(c.showDatabase(db))
	})
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setp[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

type throttlerSettings struct {
	Ratio          *int `json:"ratio"`
	Configurations []struct {
		Keyspace string `json:"keyspace_name"`
		Ratio    int    `json:"ratio"`
	} `json:"configurations"`
}

func getThrottler(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, err := c.vitess()
		if err != nil {
			return answer{}, err
		}
		return ok(c.showThrottler(db, db.ID, db.Name))
	})
}

func patchThrottler(c *call) (answer, error) {
	var n throttlerSettings
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, err := c.vitess()
		if err != nil {
			return answer{}, err
		}
		if err := db.throttle(n); err != nil {
			return answer{}, err
		}
		return ok(c.showThrottler(db, db.ID, db.Name))
	})
}

// throttle takes the ratio over: of the only keyspace there is.
func (db *database) throttle(n throttlerSettings) error {
	ratio := db.Settings.ThrottlerRatio
	set(&ratio, n.Ratio)
	for _, k := range n.Configurations {
		if k.Keyspace != db.Name {
			return invalid("Keyspace must exist")
		}
		ratio = k.Ratio
	}
	if ratio < 0 || ratio > 95 {
		return invalid("Ratio must be between 0 and 95")
	}
	db.Settings.ThrottlerRatio = ratio
	return nil
}
