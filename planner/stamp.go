package planner

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/schema"
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
	Branch    string            `json:"branch"`            // digest of the branch's schema after the migrations
	Before    map[string]string `json:"before"`            // digest per changed table on the target before, "" for a new one
	Changes   []schema.Change   `json:"changes,omitempty"` // what the migrations changed
	Histories []StampHistory    `json:"histories"`

	// Packed holds Changes and the gained rows, compressed, where they are too
	// long to stand in the notes as they are.
	Packed string `json:"packed,omitempty"`
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
	Touches    []Touch           `json:"touches,omitempty"` // the migrations in the order they ran
	Gained     *migration.Delta  `json:"gained,omitempty"`  // nil where even packed they are too long for the notes
}

const (
	stampOpen  = "<!-- pmig-stamp "
	stampClose = " -->"
)

// MaxNotes bounds the machine line, in bytes. How long the platform lets notes
// be is not documented; above this what is long is packed, and if that does not
// help it is left out and only the keys are kept.
const MaxNotes = 32 << 10

// Notes appends the stamp to a text for people.
func (s Stamp) Notes(text string) (string, error) {
	s.Format = StampFormat
	b, err := json.Marshal(s) // escapes < and >, so no row can close the comment
	if err != nil {
		return "", fmt.Errorf("stamp: %w", err)
	}
	if len(b) > MaxNotes {
		if b, err = s.shorter(); err != nil {
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
	if err := s.unpack(); err != nil {
		return nil, fmt.Errorf("the notes hold a damaged pmig stamp: %w", err)
	}
	return &s, nil
}

// long is the part of a stamp that can be long.
type long struct {
	Changes []schema.Change    `json:"changes"`
	Gained  []*migration.Delta `json:"gained"` // per history
	Touches [][]Touch          `json:"touches,omitempty"`
}

// shorter writes the stamp with its long part packed, or without it where that
// is still too long.
func (s Stamp) shorter() ([]byte, error) {
	l := long{Changes: s.Changes}
	s.Changes = nil
	s.Histories = append([]StampHistory(nil), s.Histories...)
	for i := range s.Histories {
		l.Gained, l.Touches = append(l.Gained, s.Histories[i].Gained), append(l.Touches, s.Histories[i].Touches)
		s.Histories[i].Gained, s.Histories[i].Touches = nil, nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	s.Packed = base64.StdEncoding.EncodeToString(z.Bytes())
	b, err := json.Marshal(s)
	if err != nil || len(b) <= MaxNotes {
		return b, err
	}
	s.Packed = ""
	return json.Marshal(s)
}

// maxPacked bounds what a packed part may unfold to.
const maxPacked = 64 << 20

func (s *Stamp) unpack() error {
	if s.Packed == "" {
		return nil
	}
	z, err := base64.StdEncoding.DecodeString(s.Packed)
	if err != nil {
		return err
	}
	r, err := gzip.NewReader(bytes.NewReader(z))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(r, maxPacked))
	if err != nil {
		return err
	}
	var l long
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	if len(l.Gained) != len(s.Histories) {
		return fmt.Errorf("%d packed histories of %d", len(l.Gained), len(s.Histories))
	}
	s.Packed, s.Changes = "", l.Changes
	for i := range s.Histories {
		s.Histories[i].Gained = l.Gained[i]
		if i < len(l.Touches) {
			s.Histories[i].Touches = l.Touches[i]
		}
	}
	return nil
}
