package main

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// stateStore is where the journal of one database is kept, and its lock.
type stateStore interface {
	executor.Journal
	Lock(context.Context, state.Key, string) (func() error, error)
	Remove(state.Key) error
}

// states lends the stores of a configuration, and connections to them.
type states struct {
	config config.State

	mu       sync.Mutex
	db       *sql.DB           // of the url
	accesses []*planner.Access // of migrated databases that keep their own state
}

// store is the store of one database. Where the state is in that database
// itself, access lends the connections.
func (w *world) store(d *config.Database, access *planner.Access) stateStore {
	if w.config.State.Kind == config.StateDatabase {
		return w.stateTables(d, access)
	}
	return state.NewFileStore(w.config.State.Path, version)
}

func (w *world) stateTables(d *config.Database, access *planner.Access) *state.DatabaseStore {
	c := w.config.State
	if c.URL != "" {
		return state.NewDatabaseStore(w.states.byURL, placeOf(c.URL), c.TablePrefix, version)
	}
	return state.NewDatabaseStore(access.DB, d.Target.Name+" of "+w.config.Platform.Organization+"/"+d.Name, c.TablePrefix, version)
}

// byURL is the pool of the url, one for all databases.
func (s *states) byURL(ctx context.Context) (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		db, err := connect(ctx, planner.Login{URL: planetscale.Secret(s.config.URL.Reveal())})
		if err != nil {
			return nil, err
		}
		s.db = db
	}
	return s.db, nil
}

// stateAccess lends connections to a database that keeps its own state. They are
// not the run's: a lease is renewed whatever the run does with its own.
func (w *world) stateAccess(d *config.Database, run string) *planner.Access {
	access := w.planner(d, run, "readwriter").Target
	w.states.mu.Lock()
	defer w.states.mu.Unlock()
	w.states.accesses = append(w.states.accesses, access)
	return access
}

// close ends the connections and deletes the passwords that were made for them.
func (s *states) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, access := range s.accesses {
		_ = access.Close(ctx) // one that stays runs out in minutes
	}
	if s.db != nil {
		s.db.Close()
	}
}

// placeOf says which database a url is about, without its user and password.
func placeOf(raw config.Secret) string {
	u, err := url.Parse(raw.Reveal())
	if err != nil {
		return "of the url"
	}
	return strings.Trim(u.Path, "/") + " at " + u.Host
}

// ownTables names pmig's own tables in a database that keeps its own state.
func (w *world) ownTables() []string {
	c := w.config.State
	if c.Kind != config.StateDatabase || c.URL != "" {
		return nil
	}
	own := []string{c.TablePrefix + historySuffix}
	for _, t := range state.Tables(c.TablePrefix) {
		own = append(own, t.Name)
	}
	return own
}
