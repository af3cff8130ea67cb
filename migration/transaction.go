package migration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// begin opens a transaction in which a compare-and-swap is safe, and proves it:
// anything below REPEATABLE READ takes no gap locks, and on an empty table two
// writers would both get in. The level is asked for and then read back, because
// a gate in front of the server may refuse the statement, or take it and do
// nothing; only what the session says afterwards counts.
//
// The connection is of its own and thrown away by release: a session whose
// settings were changed holds a server connection of Vitess for itself.
func begin(ctx context.Context, db *sql.DB) (tx *sql.Tx, release func(), err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	release = func() {
		// Both errors say what this is for: that the connection is gone.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close()
	}
	_, err = conn.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
	if err == nil || isAny[*mysql.MySQLError](err) {
		tx, err = conn.BeginTx(ctx, nil)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	level, err := isolation(ctx, tx)
	if err == nil && level != "REPEATABLE-READ" && level != "SERIALIZABLE" {
		err = &IsolationError{Level: level}
	}
	if err != nil {
		_ = tx.Rollback()
		release()
		return nil, nil, err
	}
	return tx, release, nil
}

// isolation asks for the session's level in a form that MySQL, MariaDB and
// Vitess all answer; they disagree about the variable's name.
func isolation(ctx context.Context, db Queryer) (string, error) {
	rows, err := db.QueryContext(ctx, "SHOW VARIABLES LIKE 't%isolation'")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	level := ""
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return "", err
		}
		level = strings.ToUpper(value)
	}
	return level, rows.Err()
}

// insist does something that reads before it writes, and starts over from the
// read after a deadlock, a lock timeout or a connection that was lost, even while
// a commit was under way.
func insist(ctx context.Context, attempts int, do func() error) error {
	pause := 50 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := do()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return errors.Join(context.Cause(ctx), err)
		case !transient(err) || attempt >= attempts:
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		pause = min(pause*2, 2*time.Second)
	}
}

// Numbers of errors after which a transaction is worth starting over. All mean
// that it was rolled back, or that nobody knows; both are settled by reading.
var transientNumbers = []uint16{
	1205,       // lock wait timeout
	1213,       // deadlock
	1467,       // deadlock over the counter of an AUTO_INCREMENT column
	1317,       // Vitess: the transaction took too long, or its tablet went away
	1053,       // server shutdown in progress
	1203,       // Vitess: no connection free in a pool
	1105,       // Vitess: no healthy primary at the moment, among other things
	1290,       // the server is read-only: a failover
	1836,       // the same, in words of its own
	2006, 2013, // server has gone away, lost connection: sent by a proxy
}

// transient reports whether an error may be gone at the next attempt. Answers of
// the server are, if they are listed; whatever this package says itself is not;
// the rest comes from the network, in more shapes than the driver has names for.
func transient(err error) bool {
	var m *mysql.MySQLError
	switch {
	case isAny[*confirmError](err), isAny[*DriftError](err), isAny[*DirtyError](err), isAny[*BackwardError](err),
		isAny[*ShapeError](err), isAny[*MissingTableError](err), isAny[*MissingColumnError](err), isAny[*VindexError](err), isAny[*IsolationError](err), isAny[*valueError](err):
		return false
	case errors.As(err, &m):
		return slices.Contains(transientNumbers, m.Number)
	}
	return true
}

func isAny[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// sleep waits, or returns early with the reason the context ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
