package planner

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/pmig/pmig/migration"
)

// StampFormat is the version of the machine line in a deploy request's notes.
const StampFormat = 1

// Stamp is what pmig writes into the notes of a deploy request for itself and
// for every other machine. A request outlives its branch and the journal of
// the machine that opened it, so whatever must be known to finish a run stands
// here: whose it is, what it carries, and the history rows that are owed once
// it is live.
type Stamp struct {
	Format    int               `json:"pmig"`
	Identity  string            `json:"identity"`
	Run       string            `json:"run"`
	Database  string            `json:"database"` // label in the configuration
	BranchID  string            `json:"branch_id"`
	Intent    string            `json:"intent"`
	Target    string            `json:"target"` // digest of the target's schema as migrated from
	Branch    string            `json:"branch"` // digest of the branch's schema after the migrations
	Tables    map[string]string `json:"tables"` // digest per changed table, "" for a dropped one
	Histories []StampHistory    `json:"histories"`
}

// StampHistory is the part of a Stamp about one history table.
type StampHistory struct {
	Source     string            `json:"source"`
	Tool       string            `json:"tool"`
	Keyspace   string            `json:"keyspace"`
	Table      string            `json:"table"`
	Custom     *migration.Custom `json:"custom,omitempty"`
	Seeded     string            `json:"seeded"` // digest of the rows the run began from
	Migrations map[string]string `json:"migrations"`
	Gained     *migration.Delta  `json:"gained,omitempty"` // nil where the rows are too long for the notes
}

const (
	stampOpen  = "<!-- pmig-stamp "
	stampClose = " -->"
)

// MaxNotes bounds the machine line, in bytes. How long the platform lets notes
// be is not documented; above this the rows themselves are left out and only
// their keys are kept.
const MaxNotes = 32 << 10

// Notes appends the stamp to a text for people.
func (s Stamp) Notes(text string) (string, error) {
	s.Format = StampFormat
	b, err := json.Marshal(s) // escapes < and >, so no row can close the comment
	if err != nil {
		return "", fmt.Errorf("stamp: %w", err)
	}
	if len(b) > MaxNotes {
		short := s
		short.Histories = append([]StampHistory(nil), s.Histories...)
		for i := range short.Histories {
			short.Histories[i].Gained = nil
		}
		if b, err = json.Marshal(short); err != nil {
			return "", fmt.Errorf("stamp: %w", err)
		}
	}
	return strings.TrimRight(text, "\n") + "\n\n" + stampOpen + string(b) + stampClose + "\n", nil
}

// ParseStamp finds the stamp in a deploy request's notes. Notes without one
// give nil and no error; a stamp that is damaged or of a newer format gives an
// error, because it may be ours and must not be taken for a stranger's.
func ParseStamp(notes string) (*Stamp, error) {
	i := strings.LastIndex(notes, stampOpen)
	if i < 0 {
		return nil, nil
	}
	rest := notes[i+len(stampOpen):]
	j := strings.Index(rest, stampClose)
	if j < 0 {
		return nil, fmt.Errorf("the notes hold a pmig stamp that is cut short")
	}
	var head struct {
		Format int `json:"pmig"`
	}
	if err := json.Unmarshal([]byte(rest[:j]), &head); err != nil {
		return nil, fmt.Errorf("the notes hold a damaged pmig stamp: %w", err)
	}
	if head.Format != StampFormat {
		return nil, fmt.Errorf("the notes hold a pmig stamp of format %d, this pmig reads format %d", head.Format, StampFormat)
	}
	var s Stamp
	if err := json.Unmarshal([]byte(rest[:j]), &s); err != nil {
		return nil, fmt.Errorf("the notes hold a damaged pmig stamp: %w", err)
	}
	return &s, nil
}
