package executor

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// Settled reports whether the target's history has every migration that is
// here, so that a process can leave at once: without the lock, and where there
// is a url and no token (API is nil) without a call. With a token the newest
// request is looked at too: what was reverted is not settled, and what an
// earlier run left behind is removed on the way.
func (r *Run) Settled(ctx context.Context) (bool, error) {
	if r.API != nil && r.leftBehind(ctx) {
		return false, nil
	}
	seen, err := r.Planner.History(ctx)
	if err != nil {
		return false, err
	}
	if len(seen.Unmet()) > 0 || len(seen.Lost()) > 0 {
		return false, nil
	}
	if r.API == nil {
		return true, nil
	}
	if err := r.Planner.Requests(ctx, seen); err != nil {
		return false, err
	}
	if planner.Reverted(seen) != nil {
		return false, nil
	}
	r.seen = seen
	r.sweep(ctx)
	return true, nil
}

// leave is Settled at the beginning of an Apply. Where it cannot be told, the
// plan tells better why.
func (r *Run) leave(ctx context.Context) bool {
	settled, err := r.Settled(ctx)
	r.summary.Nothing = settled && err == nil
	return r.summary.Nothing
}

// leftBehind reports whether the journal here tells of a run that did not end
// and that no process with this journal is busy with.
func (r *Run) leftBehind(ctx context.Context) bool {
	doc, err := r.Journal.Load(r.Key)
	var unwritable *state.UnwritableError
	if errors.As(err, &unwritable) {
		return false // a database that cannot be reached tells nothing
	}
	if err != nil {
		return !errors.Is(err, state.ErrNone)
	}
	if last, err := Last(doc); err != nil || last == nil || last.Finished {
		return err != nil
	}
	unlock, err := r.Lock(ctx, r.Key, r.Holder)
	var locked *state.LockedError
	if errors.As(err, &locked) {
		return false
	}
	if err == nil {
		unlock()
	}
	return true
}

// Wait waits until the target's history has every migration that is here, and
// does nothing about it. A time-out is an *Error of Outcome Busy: whoever
// applies them must finish first.
func (r *Run) Wait(ctx context.Context, timeout time.Duration) (*Summary, error) {
	r.summary = &Summary{Run: r.ID, Database: r.Label}
	defer r.release(ctx)
	began := time.Now()
	why := ""
	err := poll(ctx, timeout, func(waited time.Duration) (bool, error) {
		seen, err := r.Planner.History(ctx)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case passing(err), broken(err):
			why = err.Error()
			r.send(Event{Type: Progress, Message: why, Waited: waited})
			return false, nil
		default:
			return false, err
		}
		if lost := seen.Lost(); len(lost) > 0 {
			return false, &Error{Outcome: Refused, What: "source " + lost[0].Source, Why: lost[0].Message, Next: lost[0].Hint}
		}
		unmet := seen.Unmet()
		if len(unmet) == 0 {
			return true, nil
		}
		why = fmt.Sprintf("%s not in the history yet: %s", plural(len(unmet), "migration"), list(unmet))
		r.send(Event{Type: Progress, Message: why, Waited: waited})
		return false, nil
	})
	r.summary.Took = time.Since(began)
	var late *timeoutError
	switch {
	case errors.As(err, &late):
		return r.summary, &Error{Outcome: Busy, What: late.Error(), Why: why,
			Next: "see what became of the pmig apply that brings them, or wait longer: --timeout 30m"}
	case err != nil && ctx.Err() != nil:
		return r.summary, &Error{Outcome: Interrupted, What: "interrupted", Err: err, Next: "run pmig wait again"}
	}
	return r.summary, err
}

// broken reports whether a connection to a database failed in a way that may
// pass: what the server itself refuses does not.
func broken(err error) bool {
	var n net.Error
	var refused *mysql.MySQLError
	return !errors.As(err, &refused) && (errors.As(err, &n) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
}
