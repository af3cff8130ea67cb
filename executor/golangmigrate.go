package executor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"

	"github.com/go-sql-driver/mysql"
	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	driver "github.com/golang-migrate/migrate/v4/database/mysql"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"

	"github.com/pmig/pmig/gateway"
	"github.com/pmig/pmig/planner"
)

// golangMigrate runs a golang-migrate folder in this process, with the library
// itself, through the gateway like every other tool.
func golangMigrate(ctx context.Context, seen planner.ObservedSource, pending []planner.Migration, at gateway.Endpoint, dial func(context.Context) (net.Conn, error)) error {
	files, err := iofs.New(seen.FS, ".")
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr = "tcp", net.JoinHostPort(at.Host, strconv.Itoa(at.Port))
	cfg.User, cfg.Passwd, cfg.DBName = at.User, at.Password, at.Database
	if dial != nil {
		cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	}
	cfg.Logger = &mysql.NopLogger{} // its errors are returned
	cfg.MultiStatements = true      // a migration file holds several
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	// The branch is this run's alone, and PlanetScale ends sessions that hold a
	// GET_LOCK for 20 seconds: no lock.
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the branch: %w", err)
	}
	defer conn.Close() // the library leaves it open where it fails to begin
	target, err := driver.WithConnection(ctx, conn, &driver.Config{MigrationsTable: seen.Spec.HistoryTable(), DatabaseName: at.Database, NoLock: true})
	if err != nil {
		return fmt.Errorf("connect to the branch: %w", err)
	}
	stopped := context.AfterFunc(ctx, func() { db.Close() }) // a statement that hangs hears nothing else
	defer stopped()
	last, err := strconv.ParseUint(pending[len(pending)-1].Key, 10, 63)
	if err != nil {
		return fmt.Errorf("migration %s: its version is no number", pending[len(pending)-1].Key)
	}
	// Up to the last planned version and no further: a file that appeared since
	// the plan was made is not part of it.
	return migrateUp(ctx, files, target, uint(last))
}

// migrateUp is migrate.Migrate upwards, with the library's own parts. Its loop
// leaves a goroutine behind for every file that it has read and did not run,
// which matters to a process that goes on after a migration has failed.
func migrateUp(ctx context.Context, files source.Driver, target database.Driver, last uint) error {
	version, dirty, err := target.Version()
	if err != nil {
		return err
	}
	if dirty {
		return migrate.ErrDirty{Version: version}
	}
	for version < int(last) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		var next uint
		if version == database.NilVersion {
			next, err = files.First()
		} else {
			next, err = files.Next(uint(version))
		}
		if err != nil {
			return err
		}
		if err := migrateOne(files, target, next); err != nil {
			return err
		}
		version = int(next)
	}
	return nil
}

// migrateOne runs one file between its two marks. A version that has a file to
// go down only is marked and has nothing to run.
func migrateOne(files source.Driver, target database.Driver, version uint) error {
	text, _, err := files.ReadUp(version)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := target.SetVersion(int(version), true); err != nil {
		return err
	}
	if text != nil {
		defer text.Close()
		if err := target.Run(text); err != nil {
			return err
		}
	}
	return target.SetVersion(int(version), false)
}
