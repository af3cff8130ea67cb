package state

import (
	"context"
	"database/sql"
	"time"
)

// ID is the id of a key's rows.
func ID(k Key) string { return id(k) }

// ForgetAnswer makes of a save of d one whose end is not known; arrived says whether it took effect.
func ForgetAnswer(s *DatabaseStore, d *Document, arrived bool, db *sql.DB) {
	token := newToken()
	if arrived {
		copied := *d
		if _, err := s.save(context.Background(), db, &copied, token); err != nil {
			panic(err)
		}
	}
	s.know(d.Key, func(r *row) { r.unsure[token] = true })
}

// Rested ends the time in which a database that did not answer is left alone.
func Rested(s *DatabaseStore) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rest = time.Time{}
}
