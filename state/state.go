// Package state keeps the journal of what an apply has done, and the lease that says who is doing it.
package state

import (
	"encoding/json"
	"time"
)

// FormatVersion is the document format that this package writes.
const FormatVersion = 1

// Key names what a document is about. Two runs with equal keys are about the same target.
type Key struct {
	Address      string `json:"address"` // API address of the platform
	Organization string `json:"organization"`
	Database     string `json:"database"`
	Target       string `json:"target"` // branch that is migrated
}

// Phases of a Record.
const (
	PhaseBefore = "before" // about to act
	PhaseAfter  = "after"  // acted, and it worked
	PhaseFailed = "failed" // acted, and it did not
)

// Record is one line of the journal. The store does not interpret it.
type Record struct {
	N     int       `json:"n"` // counted from 1 within the document
	Time  time.Time `json:"time"`
	Step  string    `json:"step"`
	Phase string    `json:"phase"`
	Note  string    `json:"note,omitempty"`
}

// Document is the journal of one run on one target.
type Document struct {
	FormatVersion int             `json:"format_version"`
	WrittenBy     string          `json:"written_by"` // version of pmig
	Serial        uint64          `json:"serial"`     // grows by one with each Save
	Key           Key             `json:"key"`
	Run           json.RawMessage `json:"run,omitempty"` // opaque: the executor's
	Records       []Record        `json:"records"`
}
