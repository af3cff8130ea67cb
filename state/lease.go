package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"
)

// LeaseTime is how long a lease outlives a holder that was killed. A living one renews it three times in that time.
const LeaseTime = 30 * time.Second

// leaseSeconds is LeaseTime for a statement.
var leaseSeconds = int(LeaseTime / time.Second)

// Lock takes the lease of the key until unlock is called; holder is shown to whom it keeps out. It tries once and does
// not wait: *LockedError when another holds it, *MissingTablesError, *UnwritableError when the database cannot be used.
//
// The database's clock says when a lease has run out. Each holder has a higher fencing number than the one before, and
// the journal takes no document from a lower one: whoever was taken for dead and is not finds out when it next saves.
func (s *DatabaseStore) Lock(ctx context.Context, k Key, holder string) (unlock func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	try, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	token := newToken()
	fence, err := s.acquire(try, k, holder, token)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, errors.Join(err, s.release(k, token, err))
	}
	s.know(k, func(r *row) { r.fence, r.leased = fence, true })
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var ended sync.WaitGroup
	ended.Go(func() { s.renew(renewing, k, token) })
	return func() error {
		stop()
		ended.Wait()
		s.know(k, func(r *row) { r.leased = false })
		return s.release(k, token, nil)
	}, nil
}

// acquire takes the lease and shuts the journal to whoever had it before. Whether it was taken is read and not
// counted, because the answer to the statement that takes it may be lost.
func (s *DatabaseStore) acquire(ctx context.Context, k Key, holder, token string) (fence uint64, err error) {
	db, err := s.open(ctx)
	if err != nil {
		return 0, &UnwritableError{Database: s.name, Err: err}
	}
	for try := range tries {
		pause(ctx, time.Duration(try)*tryPause)
		if fence, err = s.tryAcquire(ctx, db, k, holder, token); err == nil && fence > 0 {
			break
		}
		var locked *LockedError
		if errors.As(err, &locked) {
			return 0, err
		}
		if err == nil {
			err = errors.New("the lease could not be taken")
		} else if !unknown(err) {
			break
		}
	}
	if err != nil {
		return 0, s.unusable(s.lease(), err)
	}
	err = repeat(ctx, func() error {
		_, err := db.ExecContext(ctx, "UPDATE "+s.journal()+" SET fence = ? WHERE id = ? AND fence < ?", fence, id(k), fence)
		return err
	})
	if err != nil {
		return 0, s.unusable(s.journal(), err)
	}
	return fence, nil
}

// tryAcquire takes the lease if it is free or has run out. The number is 0 where it is worth another try.
func (s *DatabaseStore) tryAcquire(ctx context.Context, db *sql.DB, k Key, holder, token string) (fence uint64, err error) {
	_, err = db.ExecContext(ctx, "UPDATE "+s.lease()+" SET holder = ?, token = ?, fence = fence + 1, expires_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND"+
		" WHERE id = ? AND (token = '' OR expires_at <= UTC_TIMESTAMP(6))", cut(holder), token, leaseSeconds, id(k))
	if err != nil && !unknown(err) {
		return 0, err
	}
	var who, whose string
	err = db.QueryRowContext(ctx, "SELECT holder, token, fence FROM "+s.lease()+" WHERE id = ?", id(k)).Scan(&who, &whose, &fence)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, s.firstLease(ctx, db, k)
	case err != nil:
		return 0, err
	case whose == token:
		return fence, nil
	case whose == "": // given back, or made, a moment ago
		return 0, nil
	}
	return 0, &LockedError{Where: s.where(k), Holder: who, Lasts: LeaseTime}
}

// firstLease makes the row of a key, free. Its numbers go on from the journal's, whatever became of an earlier row.
func (s *DatabaseStore) firstLease(ctx context.Context, db *sql.DB, k Key) error {
	have, err := s.look(ctx, db, k)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "INSERT INTO "+s.lease()+" (id, name, holder, token, fence, expires_at) VALUES (?, ?, '', '', ?, UTC_TIMESTAMP(6))",
		id(k), cut(k.String()), have.fence)
	return err
}

// renew keeps the lease until it is stopped or finds another's token in the row. One that has run out is renewed too if
// nobody has taken it.
func (s *DatabaseStore) renew(ctx context.Context, k Key, token string) {
	next := LeaseTime / 3
	for {
		pause(ctx, next)
		if ctx.Err() != nil {
			return
		}
		held, err := s.extend(ctx, k, token)
		switch {
		case err != nil:
			next = LeaseTime / 15 // it has not run out yet
		case !held:
			return
		default:
			next = LeaseTime / 3
		}
	}
}

func (s *DatabaseStore) extend(ctx context.Context, k Key, token string) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, LeaseTime/6)
	defer cancel()
	db, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	res, err := db.ExecContext(ctx, "UPDATE "+s.lease()+" SET expires_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND WHERE id = ? AND token = ?", leaseSeconds, id(k), token)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// release gives the lease back if it is still this holder's, so that the next one need not wait. After a failure of
// Lock it does so only if the lease may have been taken.
func (s *DatabaseStore) release(k Key, token string, why error) error {
	var locked *LockedError
	var missing *MissingTablesError
	if errors.As(why, &locked) || errors.As(why, &missing) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), LeaseTime/6)
	defer cancel()
	db, err := s.open(ctx)
	if err == nil {
		_, err = db.ExecContext(ctx, "UPDATE "+s.lease()+" SET token = '', expires_at = UTC_TIMESTAMP(6) WHERE id = ? AND token = ?", id(k), token)
	}
	if err != nil && why == nil {
		return fmt.Errorf("give back the lease, which runs out by itself: %w", err)
	}
	return nil
}

// holder says who has the lease, or had it last.
func (s *DatabaseStore) holder(ctx context.Context, db *sql.DB, k Key) (string, error) {
	var who string
	err := db.QueryRowContext(ctx, "SELECT holder FROM "+s.lease()+" WHERE id = ?", id(k)).Scan(&who)
	return who, err
}
