package state

import (
	"errors"
	"fmt"
)

// ErrNone is what Load answers when there is no document for the key.
var ErrNone = errors.New("no state is stored")

// DamagedError says that a file holds no document: cut short, or not JSON, or about something else.
type DamagedError struct {
	Path string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("state file %s is damaged: %v", e.Path, e.Err)
}

// Hint says what helps.
func (e *DamagedError) Hint() string {
	return fmt.Sprintf("move %s away and run the same command again: the journal only remembers, the platform knows what was done", e.Path)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// FormatError says that a file was written in a format that this version cannot read.
type FormatError struct {
	Path      string
	Format    int
	WrittenBy string // version of pmig that wrote it; empty when the file does not say
}

func (e *FormatError) Error() string {
	by := e.WrittenBy
	if by == "" {
		by = "an unknown version of pmig"
	} else {
		by = "pmig " + by
	}
	return fmt.Sprintf("state file %s has format %d, written by %s; this pmig reads format %d", e.Path, e.Format, by, FormatVersion)
}

// Hint names the pmig that can read the file.
func (e *FormatError) Hint() string {
	if e.Format < 1 {
		return fmt.Sprintf("move %s away and run the same command again: the journal only remembers, the platform knows what was done", e.Path)
	}
	if e.WrittenBy == "" {
		return "use a newer pmig"
	}
	return "use pmig " + e.WrittenBy + " or newer"
}

// StaleError says that the stored document is not the one that the caller loaded: another process saved in between.
type StaleError struct {
	Path         string
	Have, Stored uint64 // serials: the caller's, the file's (0: the file is gone)
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("state file %s was changed by another process (serial %d, expected %d)", e.Path, e.Stored, e.Have)
}

// Hint says what helps.
func (e *StaleError) Hint() string { return "run the same command again" }

// UnwritableError says that the folder takes no files. What that means is for the caller to decide: a run can do
// without a journal.
type UnwritableError struct {
	Dir string
	Err error
}

func (e *UnwritableError) Error() string {
	return fmt.Sprintf("state folder %s cannot be written: %v", e.Dir, e.Err)
}

// Hint says what helps.
func (e *UnwritableError) Hint() string {
	return fmt.Sprintf("make %s writable, or name another folder in the state block", e.Dir)
}

func (e *UnwritableError) Unwrap() error { return e.Err }

// LockedError says that another process on this machine holds the lock.
type LockedError struct {
	Path   string
	Holder string // what the holder said about itself; empty when it has not said yet
}

func (e *LockedError) Error() string {
	if e.Holder == "" {
		return "the state is locked by another process"
	}
	return "the state is locked by " + e.Holder
}

// Hint says what helps.
func (e *LockedError) Hint() string {
	return "wait for it to end; the lock goes with the process that holds it"
}
