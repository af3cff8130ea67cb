package emulator

import (
	"context"
	"fmt"
	"regexp"
	"slices"
)

// Database is what a new database starts with.
type Database struct {
	Name string `json:"name"`
	// Kind is "mysql" (default) or "postgresql": the latter has no branches
	// to work on, and is here so that it can be refused.
	Kind string `json:"kind"`
	// DirectDDL leaves safe migrations off on the production branch.
	DirectDDL bool `json:"direct_ddl"`
	// ForeignKeys allows foreign key constraints.
	ForeignKeys bool `json:"foreign_keys_enabled"`
	// RequireApproval makes every deploy wait for an approval.
	RequireApproval bool `json:"require_approval_for_deploy"`
}

// databaseForm and branchForm are the names that may be.
var (
	databaseForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	branchForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// checkBranchName refuses a name that no branch may have.
func checkBranchName(name string) error {
	switch {
	case name == "":
		return invalid("Name can't be blank")
	case !branchForm.MatchString(name):
		return invalid("Name can only contain lower case letters, numbers and dashes, 63 at most")
	}
	return nil
}

// organizationLocked finds an organization, or makes it.
func (e *Emulator) organizationLocked(name string) *organization {
	for _, o := range e.world.Organizations {
		if o.Name == name {
			return o
		}
	}
	o := &organization{ID: newID(), Name: name, CreatedAt: e.nowLocked()}
	e.world.Organizations = append(e.world.Organizations, o)
	return o
}

// CreateDatabase makes a database with a production branch main. The
// organization is made if it is not there.
func (e *Emulator) CreateDatabase(ctx context.Context, organization string, d Database) error {
	if !databaseForm.MatchString(d.Name) {
		return invalid("Name can only contain lower case letters, numbers, dashes and underscores, 63 at most")
	}
	if d.Kind == "" {
		d.Kind = "mysql"
	}
	e.mu.Lock()
	o := e.organizationLocked(organization)
	for _, db := range o.Databases {
		if db.Name == d.Name {
			e.mu.Unlock()
			return errTaken
		}
	}
	now := e.nowLocked()
	main := &branch{ID: newID(), Name: "main", Production: true, SafeMigrations: !d.DirectDDL && d.Kind == "mysql", Made: true, Ready: true,
		Actor: actor{ID: idOf("person owner"), Type: "User", Name: "owner"}, CreatedAt: now, UpdatedAt: now}
	e.world.Dropping = append(e.world.Dropping, main.ID) // until it is known
	err := e.commitLocked()
	e.mu.Unlock()
	if err != nil {
		return err
	}

	if d.Kind == "mysql" {
		if err := e.engine.Create(ctx, main.ID, d.Name); err != nil {
			return fmt.Errorf("make branch main: %w", err)
		}
		id, _, err := e.look(ctx, main.ID, d.Name)
		if err != nil {
			return err
		}
		main.Base, main.Seen, main.Snapshot = id, id, id
		if err := e.engine.Flush(ctx); err != nil {
			return err
		}
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	e.world.Dropping = slices.DeleteFunc(e.world.Dropping, func(id string) bool { return id == main.ID })
	if e.findLocked(o.Name, d.Name) != nil { // made by another call meanwhile
		e.world.Dropping = append(e.world.Dropping, main.ID)
		e.startDropLocked(main.ID)
		return errTaken
	}
	db := &database{ID: newID(), Org: o.Name, Name: d.Name, Kind: d.Kind, CreatedAt: now, UpdatedAt: now, AutoCutover: true,
		Settings: settings{DefaultBranch: "main", ForeignKeys: d.ForeignKeys, RequireApproval: d.RequireApproval},
		Branches: []*branch{main}}
	o.Databases = append(o.Databases, db)
	e.eventLocked(Event{Kind: EventDatabase, Database: db.path(), Subject: db.Name, Text: "created"})
	return e.commitLocked()
}

// path is the database's name for events.
func (db *database) path() string { return db.Org + "/" + db.Name }

func (db *database) branch(name string) *branch {
	for _, b := range db.Branches {
		if b.Name == name {
			return b
		}
	}
	return nil
}

func (db *database) branchByID(id string) *branch {
	for _, b := range db.Branches {
		if b.ID == id {
			return b
		}
	}
	return nil
}

func (db *database) request(number int) *deployRequest {
	for _, dr := range db.DeployRequests {
		if dr.Number == number {
			return dr
		}
	}
	return nil
}

// find looks a database up by its names.
func (e *Emulator) findLocked(organization, name string) *database {
	for _, o := range e.world.Organizations {
		if o.Name != organization {
			continue
		}
		for _, db := range o.Databases {
			if db.Name == name {
				return db
			}
		}
	}
	return nil
}
