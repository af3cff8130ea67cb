package emulator

import (
	"context"

	"github.com/pmig/pmig/mysqlproxy"
)

// An Engine keeps the data of many branches and runs their SQL. A branch is
// known by its platform id; every branch of a database has a MySQL database of
// the same name. Methods are safe for concurrent use; two calls for the same id
// that change it never run at the same time.
type Engine interface {
	// Name is "mariadb" or "memory", as a person would say it.
	Name() string
	// Create makes an empty branch with one empty MySQL database. A branch
	// that exists already is an error.
	Create(ctx context.Context, id, database string) error
	// Clone makes branch id with the schema of branch from, and with the rows
	// of the tables named in withRows only (absent tables are ignored). If it
	// fails, nothing of id is left.
	Clone(ctx context.Context, id, from string, withRows []string) error
	// Backend says how to connect to a branch with all rights and its
	// database selected. It is cheap to call for each connection; an engine
	// that had put the branch to rest wakes it in Dial.
	Backend(ctx context.Context, id string) (mysqlproxy.Backend, error)
	// Drop ends the branch's connections and removes its data. A branch that
	// is not there is not an error.
	Drop(ctx context.Context, id string) error
	// Flush makes what was changed so far survive a crash of this process. It
	// is called before anything is said to be done, and is cheap when
	// there is nothing to do.
	Flush(ctx context.Context) error
	// Close stops everything the engine started. Data stay.
	Close() error
}
