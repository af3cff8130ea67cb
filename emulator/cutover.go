package emulator

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// cutoverRetry is how long a cutover that met a lock waits for its next
	// attempt.
	cutoverRetry = time.Second
	// cutoverPatience is how long a cutover is blocked until it is forced by
	// itself.
	cutoverPatience = time.Hour
	// expiringPart of a gate's time is left when cutover_expiring turns true.
	expiringPart = 4
)

// blockage is what keeps a cutover from swapping its tables: somebody holds a
// lock on one of them.
type blockage struct {
	Table string    `json:"table"`
	Since time.Time `json:"since"`
	Next  time.Time `json:"next"` // the next attempt
}

// forcedLocked says whether a cutover may end what is in its way.
func (e *Emulator) forcedLocked(d *deployment) bool {
	return d.ForceCutoverAt != nil || d.Blocked != nil && e.nowLocked().Sub(d.Blocked.Since) >= cutoverPatience
}

// blockedLocked notes that a cutover was kept from a table. Further attempts
// are not worth keeping: there is one a second, for up to an hour.
func (e *Emulator) blockedLocked(db *database, dr *deployRequest, table string) error {
	d, now := &dr.Deployment, e.nowLocked()
	first := d.Blocked == nil
	if first {
		d.Blocked = &blockage{Since: now}
		e.eventLocked(Event{Kind: EventDeployRequest, Database: db.path(), Subject: dr.subject(), State: d.State, Text: "cutover blocked, " + table + " is locked"})
	}
	d.Blocked.Table, d.Blocked.Next = table, now.Add(cutoverRetry)
	if first {
		return e.commitLocked()
	}
	return nil
}

// obstructed says whether a cutover is told to be blocked, and where.
func (e *Emulator) obstructedLocked(dr *deployRequest) (table string, blocked bool) {
	if e.forcedLocked(&dr.Deployment) {
		return "", false
	}
	for _, op := range dr.Deployment.Operations {
		if e.takeFaultLocked(FaultCutoverBlocked, op.Change.Table) != nil {
			return op.Change.Table, true
		}
	}
	return "", false
}

// lockWaitError is MySQL's number for a lock that was not had in time.
const lockWaitError = 1205

// waitedForLock says whether a statement failed for a lock that somebody else
// holds.
func waitedForLock(err error) bool {
	var refused *mysql.MySQLError
	return errors.As(err, &refused) && refused.Number == lockWaitError
}

// impatient gives a connection that shall not wait long for a table, and for
// copying rows not at all: it copies what is committed. An engine that knows no
// such setting has no such locks.
func impatient(ctx context.Context, conn *sql.DB) {
	conn.ExecContext(ctx, "SET SESSION lock_wait_timeout = 1")
	conn.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
}

// gateLocked is when a deployment that waits for a person's cutover has waited
// long enough; the zero time is never.
func (e *Emulator) gateLocked(d *deployment) time.Time {
	if e.world.Knobs.Gate == 0 || d.AutoCutover {
		return time.Time{}
	}
	return d.Since.Add(e.world.Knobs.Gate)
}

// expiringLocked says whether a gated deployment will soon be cancelled.
func (e *Emulator) expiringLocked(d *deployment) bool {
	ends := e.gateLocked(d)
	return d.State == "pending_cutover" && !ends.IsZero() && ends.Sub(e.nowLocked()) <= e.world.Knobs.Gate/expiringPart
}
