package state

import (
	"errors"
	"fmt"
	"time"
)

// ErrNone is what Load answers when there is no document for the key.
var ErrNone = errors.New("no state is stored")

// Where says where a document is kept: in a file or in a row of a table.
type Where struct {
	Path string // of the file, "" for a row
	Row  string // what the row is about and which table it is in, for people; "" for a file
}

// String is the place in words.
func (w Where) String() string {
	if w.Path == "" {
		return "state row " + w.Row
	}
	return "state file " + w.Path
}

// away is the advice on a document that no pmig can read.
func (w Where) away() string {
	how := "move " + w.Path + " away"
	if w.Path == "" {
		how = "delete it with pmig state rm"
	}
	return how + " and run the same command again: the journal only remembers, the platform knows what was done"
}

// DamagedError says that a place holds no document: cut short, or not JSON, or about something else.
type DamagedError struct {
	Where
	Err error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.Where, e.Err) }

// Hint says what helps.
func (e *DamagedError) Hint() string { return e.away() }

func (e *DamagedError) Unwrap() error { return e.Err }

// FormatError says that a document was written in a format that this version cannot read.
type FormatError struct {
	Where
	Format    int
	WrittenBy string // version of pmig that wrote it; empty when the document does not say
}

func (e *FormatError) Error() string {
	by := e.WrittenBy
	if by == "" {
		by = "an unknown version of pmig"
	} else {
		by = "pmig " + by
	}
	return fmt.Sprintf("%s has format %d, written by %s; this pmig reads format %d", e.Where, e.Format, by, FormatVersion)
}

// Hint names the pmig that can read the document.
func (e *FormatError) Hint() string {
	if e.Format < 1 {
		return e.away()
	}
	if e.WrittenBy == "" {
		return "use a newer pmig"
	}
	return "use pmig " + e.WrittenBy + " or newer"
}

// StaleError says that the stored document is not the one that the caller loaded, or no longer the caller's to write:
// another process saved, or took the lease, in between.
type StaleError struct {
	Where
	Have, Stored uint64 // serials: the caller's, the stored one (0: the document is gone)
	By           string // who has taken the lease since; empty where only a save came in between
}

func (e *StaleError) Error() string {
	if e.By != "" {
		return fmt.Sprintf("%s was taken over by %s", e.Where, e.By)
	}
	return fmt.Sprintf("%s was changed by another process (serial %d, expected %d)", e.Where, e.Stored, e.Have)
}

// Hint says what helps.
func (e *StaleError) Hint() string { return "run the same command again" }

// UnwritableError says that the folder takes no files, or that the database cannot be reached or used. What that means
// is for the caller to decide: a run can do without a journal.
type UnwritableError struct {
	Dir      string // "" for a database
	Database string // "" for a folder; never with a password
	Err      error
}

func (e *UnwritableError) Error() string {
	if e.Dir == "" {
		return fmt.Sprintf("state database %s cannot be used: %v", e.Database, e.Err)
	}
	return fmt.Sprintf("state folder %s cannot be written: %v", e.Dir, e.Err)
}

// Hint says what helps.
func (e *UnwritableError) Hint() string {
	if e.Dir == "" {
		return "check that it can be reached from here, and that its user may read and write the state tables"
	}
	return fmt.Sprintf("make %s writable, or name another folder in the state block", e.Dir)
}

func (e *UnwritableError) Unwrap() error { return e.Err }

// MissingTablesError says that the state tables are not in the database.
type MissingTablesError struct {
	Database string
	Table    string // one that is missing
}

func (e *MissingTablesError) Error() string {
	return fmt.Sprintf("state database %s has no table %s", e.Database, e.Table)
}

// Hint says what helps.
func (e *MissingTablesError) Hint() string { return "make the tables: pmig state init" }

// LockedError says that another process holds the lock.
type LockedError struct {
	Where
	Holder string        // what the holder said about itself; empty when it has not said yet
	Lasts  time.Duration // how long a lease outlives its holder; 0 where the lock goes with the process
}

func (e *LockedError) Error() string {
	if e.Holder == "" {
		return "the state is locked by another process"
	}
	return "the state is locked by " + e.Holder
}

// Hint says what helps.
func (e *LockedError) Hint() string {
	if e.Lasts > 0 {
		return fmt.Sprintf("wait for it to end; if it was killed, its lease runs out within %s", e.Lasts)
	}
	return "wait for it to end; the lock goes with the process that holds it"
}
