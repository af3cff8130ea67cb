package emulator

import (
	"slices"

	"github.com/pmig/pmig/planetscale"
)

// deleteDatabaseLocked ends a database with all that is in it.
func (e *Emulator) deleteDatabaseLocked(db *database, by actor) error {
	if db.Settings.DeletionProtected {
		return unprocessable("Database is protected from deletion")
	}
	for _, dr := range db.DeployRequests {
		if dr.deploying() && dr.Deployment.State.Info().Class == planetscale.ClassRunning {
			return unprocessable("Database cannot be deleted while a deployment is in progress")
		}
	}
	for _, dr := range db.DeployRequests {
		if w := e.works["deploy request "+dr.ID]; w != nil {
			w.cancel()
		}
	}
	db.Webhooks = nil // whoever delivers to them sees it
	for _, o := range e.world.Organizations {
		o.Databases = slices.DeleteFunc(o.Databases, func(x *database) bool { return x == db })
	}
	for _, b := range db.Branches {
		for _, p := range b.Passwords {
			p.end()
		}
		e.world.Dropping = append(e.world.Dropping, b.ID)
		e.startDropLocked(b.ID)
	}
	e.eventLocked(Event{Kind: EventDatabase, Database: db.path(), Subject: db.Name, Actor: by.Name, Text: "deleted"})
	return nil
}
