package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"
)

// DatabaseStore keeps each document in a row of a table, and in a second table who holds its lock. Machines that share
// the database share the journal. Its methods may be called from several goroutines and processes; who must not be
// disturbed between Load and Save holds the Lock.
//
// Every statement stands alone, in no transaction and on any connection, and none defines a table: PlanetScale ends long
// sessions and refuses DDL. What decides is how many rows an UPDATE has changed, and where that answer is lost, a look at
// whose token is in the row.
type DatabaseStore struct {
	open    func(context.Context) (*sql.DB, error)
	name    string
	prefix  string
	version string

	mu   sync.Mutex
	rows map[string]*row
	rest time.Time // until when a database that did not answer is left alone
	why  error     // what it said
}

// row is what this process knows of one key.
type row struct {
	fence  uint64          // the lease's, or without one what the row had when it was loaded
	leased bool            // fence is the lease's
	unsure map[string]bool // tokens of saves of which it is not known whether they are in
}

// NewDatabaseStore is the store in a database: open lends connections to it, name says to people which it is, and the
// tables' names begin with prefix. version is written into each document as its author. Nothing is touched yet.
func NewDatabaseStore(open func(context.Context) (*sql.DB, error), name, prefix, version string) *DatabaseStore {
	return &DatabaseStore{open: open, name: name, prefix: prefix, version: version, rows: map[string]*row{}}
}

// Bounds of what is memory and no more: a run goes on without it.
const (
	patience = 15 * time.Second // of one Load, Save or Remove
	restTime = time.Minute      // between two tries of a database that does not answer
	tries    = 4                // of a statement, when connections break
	tryPause = 200 * time.Millisecond
)

// Load reads the document of the key. The errors are kept apart: ErrNone when there is none, *DamagedError,
// *FormatError, *MissingTablesError, and *UnwritableError when the database cannot be used.
func (s *DatabaseStore) Load(k Key) (*Document, error) {
	var d *Document
	err := s.bounded(func(ctx context.Context, db *sql.DB) error {
		var text string
		var serial, fence uint64
		err := repeat(ctx, func() error {
			err := db.QueryRowContext(ctx, "SELECT revision, fence, document FROM "+s.journal()+" WHERE id = ?", id(k)).Scan(&serial, &fence, &text)
			if errors.Is(err, sql.ErrNoRows) {
				serial, err = 0, nil
			}
			return err
		})
		if err != nil {
			return s.unusable(s.journal(), err)
		}
		if serial == 0 {
			return ErrNone
		}
		if d, err = decode(s.where(k), []byte(text)); err != nil {
			return err
		}
		switch {
		case d.Key != k:
			return &DamagedError{Where: s.where(k), Err: fmt.Errorf("it is about %s", d.Key)}
		case d.Serial != serial:
			return &DamagedError{Where: s.where(k), Err: fmt.Errorf("it has serial %d in a row of revision %d", d.Serial, serial)}
		}
		s.know(k, func(r *row) {
			if !r.leased {
				r.fence = fence
			}
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Save writes the document and adds one to its serial, if the stored one still has the serial that d was loaded with (0:
// there is none) and nobody else has taken the lock since; otherwise *StaleError. *UnwritableError when the database
// cannot be used: whether the document is in is then not known, and the next Save finds out.
func (s *DatabaseStore) Save(d *Document) error {
	if d.Key == (Key{}) {
		return errors.New("a state document needs a key")
	}
	token := newToken()
	var saved *Document
	err := s.bounded(func(ctx context.Context, db *sql.DB) (err error) {
		saved, err = s.save(ctx, db, d, token)
		return err
	})
	var unwritable *UnwritableError
	switch {
	case errors.As(err, &unwritable):
		s.know(d.Key, func(r *row) { r.unsure[token] = true })
		return err
	case err != nil:
		return err
	}
	s.know(d.Key, func(r *row) { clear(r.unsure) })
	d.FormatVersion, d.WrittenBy, d.Serial = saved.FormatVersion, saved.WrittenBy, saved.Serial
	return nil
}

func (s *DatabaseStore) save(ctx context.Context, db *sql.DB, d *Document, token string) (*Document, error) {
	mine := s.know(d.Key, nil)
	base := d.Serial
	last := errors.New("the row could not be written")
	for try := range tries {
		pause(ctx, time.Duration(try)*tryPause)
		next, text, err := d.next(s.version, base)
		if err != nil {
			return nil, err
		}
		changed, err := s.put(ctx, db, next, text, mine.fence, token)
		if changed == 1 {
			return next, nil
		}
		if err != nil {
			if last = err; !unknown(err) {
				return nil, s.unusable(s.journal(), err)
			}
		}
		have, err := s.look(ctx, db, d.Key)
		switch {
		case err != nil:
			last = err
		case have.token == token:
			return next, nil
		case have.serial > base && mine.unsure[have.token]:
			base = have.serial // an earlier save of ours, whose answer was lost
		case have.serial != base || have.fence > mine.fence:
			return nil, s.stale(ctx, db, d, have, mine)
		}
	}
	return nil, s.unusable(s.journal(), last)
}

// put writes the row if it is still as expected, and says how many rows that changed. A document that follows none is
// inserted: the primary key lets only one in.
func (s *DatabaseStore) put(ctx context.Context, db *sql.DB, d *Document, text []byte, fence uint64, token string) (int64, error) {
	var res sql.Result
	var err error
	if d.Serial == 1 {
		res, err = db.ExecContext(ctx, "INSERT INTO "+s.journal()+" (id, name, revision, fence, token, document) VALUES (?, ?, ?, ?, ?, ?)",
			id(d.Key), cut(d.Key.String()), d.Serial, fence, token, string(text))
	} else {
		res, err = db.ExecContext(ctx, "UPDATE "+s.journal()+" SET revision = ?, fence = ?, token = ?, document = ? WHERE id = ? AND revision = ? AND fence <= ?",
			d.Serial, fence, token, string(text), id(d.Key), d.Serial-1, fence)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// stored is a row of the journal without its document; all zero where there is none.
type stored struct {
	serial, fence uint64
	token         string
}

func (s *DatabaseStore) look(ctx context.Context, db *sql.DB, k Key) (stored, error) {
	var have stored
	err := db.QueryRowContext(ctx, "SELECT revision, fence, token FROM "+s.journal()+" WHERE id = ?", id(k)).Scan(&have.serial, &have.fence, &have.token)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return have, err
}

// stale says why a save came too late. What stands in the way of a first save may be a row that cannot be read at all.
func (s *DatabaseStore) stale(ctx context.Context, db *sql.DB, d *Document, have stored, mine row) error {
	if d.Serial == 0 {
		var text string
		err := db.QueryRowContext(ctx, "SELECT document FROM "+s.journal()+" WHERE id = ?", id(d.Key)).Scan(&text)
		if err == nil {
			_, err = decode(s.where(d.Key), []byte(text))
		}
		var damaged *DamagedError
		var format *FormatError
		if errors.As(err, &damaged) || errors.As(err, &format) {
			return err
		}
	}
	e := &StaleError{Where: s.where(d.Key), Have: d.Serial, Stored: have.serial}
	if have.fence > mine.fence {
		if e.By, _ = s.holder(ctx, db, d.Key); e.By == "" {
			e.By = "another run"
		}
	}
	return e
}

// Remove deletes the document of the key. It is no error if there is none.
func (s *DatabaseStore) Remove(k Key) error {
	return s.bounded(func(ctx context.Context, db *sql.DB) error {
		err := repeat(ctx, func() error {
			_, err := db.ExecContext(ctx, "DELETE FROM "+s.journal()+" WHERE id = ?", id(k))
			return err
		})
		if err != nil {
			return s.unusable(s.journal(), err)
		}
		return nil
	})
}

// bounded lends a connection for a few seconds. A database that has not answered is not asked again for a while: a run
// keeps its journal at every step, and must not stand still at each.
func (s *DatabaseStore) bounded(f func(context.Context, *sql.DB) error) error {
	s.mu.Lock()
	resting, why := time.Now().Before(s.rest), s.why
	s.mu.Unlock()
	if resting {
		return why
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	db, err := s.open(ctx)
	if err != nil {
		err = &UnwritableError{Database: s.name, Err: err}
	} else {
		err = f(ctx, db)
	}
	var unwritable *UnwritableError
	if errors.As(err, &unwritable) && unknown(unwritable.Err) {
		s.mu.Lock()
		s.rest, s.why = time.Now().Add(restTime), err
		s.mu.Unlock()
	}
	return err
}

// repeat tries again what can be done twice, when a connection breaks.
func repeat(ctx context.Context, f func() error) (err error) {
	for try := range tries {
		pause(ctx, time.Duration(try)*tryPause)
		if err = f(); err == nil || !unknown(err) {
			return err
		}
	}
	return err
}

// know lets change see what is known of a key, and returns a copy.
func (s *DatabaseStore) know(k Key, change func(*row)) row {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[id(k)]
	if r == nil {
		r = &row{unsure: map[string]bool{}}
		s.rows[id(k)] = r
	}
	if change != nil {
		change(r)
	}
	known := row{r.fence, r.leased, map[string]bool{}}
	for token := range r.unsure {
		known.unsure[token] = true
	}
	return known
}

func (s *DatabaseStore) journal() string { return s.prefix + "journal" }
func (s *DatabaseStore) lease() string   { return s.prefix + "lease" }

func (s *DatabaseStore) where(k Key) Where {
	return Where{Row: fmt.Sprintf("of %s in table %s of %s", k, s.journal(), s.name)}
}

// id is a key as one exact word.
func id(k Key) string {
	sum := sha256.Sum256([]byte(k.Address + "\x00" + k.Organization + "\x00" + k.Database + "\x00" + k.Target))
	return hex.EncodeToString(sum[:])
}

// cut makes a text for people fit its column, whole characters only.
func cut(text string) string {
	for n := 0; n < len(text); {
		_, size := utf8.DecodeRuneInString(text[n:])
		if n+size > columnLength {
			return text[:n]
		}
		n += size
	}
	return text
}

func newToken() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
