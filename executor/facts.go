package executor

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
	"github.com/pmig/pmig/state"
)

// facts is what a run has learnt so far. It is the payload of the journal and
// holds no secret: of a password only its id.
type facts struct {
	Run       string            `json:"run"`
	Began     time.Time         `json:"began"`
	Plan      *planner.Database `json:"plan"`
	Passwords []passwordRef     `json:"passwords,omitempty"`

	Branch   string `json:"branch,omitempty"` // written down before the branch is made
	BranchID string `json:"branch_id,omitempty"`

	// What the target looked like under the lock.
	TargetSchema string               `json:"target_schema,omitempty"`
	Bases        []*migration.History `json:"bases,omitempty"` // per source

	// What branch.check found. Nothing before it can be resumed.
	Checked      bool              `json:"checked,omitempty"`
	CheckedAt    time.Time         `json:"checked_at,omitzero"`
	Gained       []migration.Delta `json:"gained,omitempty"` // per source
	Changes      []schema.Change   `json:"changes"`          // nil: not known, which is not the same as none
	Before       map[string]string `json:"before,omitempty"` // digest per changed table on the target before, "" for a new one
	BranchSchema string            `json:"branch_schema,omitempty"`
	Data         []string          `json:"data_changes,omitempty"`
	Touches      [][]planner.Touch `json:"touches,omitempty"` // per source, in the order they ran

	Request  int      `json:"request,omitempty"`
	States   []string `json:"states,omitempty"`
	Finished bool     `json:"finished,omitempty"`
	Ended    string   `json:"ended,omitempty"` // how it ended, for people
}

type passwordRef struct {
	Branch string `json:"branch"`
	ID     string `json:"id"`
}

// Journal keeps the document of one run. An interface because a journal can
// live in a folder or in a database.
type Journal interface {
	Load(state.Key) (*state.Document, error)
	Save(*state.Document) error
}

// load reads the journal of an earlier run; nil where there is none. It is read
// once: from then on what this process knows is newer than what it could write.
func (r *Run) load() (*facts, error) {
	if r.taken {
		r.taken, r.doc, r.facts = false, nil, nil
	}
	if r.doc != nil {
		return r.facts, nil
	}
	doc, err := r.Journal.Load(r.Key)
	var unwritable *state.UnwritableError
	if errors.As(err, &unwritable) {
		r.forgo(err)
		err = state.ErrNone
	}
	if errors.Is(err, state.ErrNone) {
		r.doc = &state.Document{FormatVersion: state.FormatVersion, WrittenBy: r.Version, Key: r.Key}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	r.doc = doc
	if len(doc.Run) == 0 || string(doc.Run) == "null" {
		return nil, nil
	}
	var f facts
	if err := json.Unmarshal(doc.Run, &f); err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return &f, nil
}

// record writes down where the run is. The journal is a memory, not the truth:
// where it cannot be written the run goes on and says so once.
func (r *Run) record(step planner.Kind, phase, note string) error {
	b, err := json.Marshal(r.facts)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	r.doc.Run = b
	r.doc.WrittenBy = r.Version
	r.doc.Records = append(r.doc.Records, state.Record{N: len(r.doc.Records) + 1, Time: time.Now().UTC(), Step: string(step), Phase: phase, Note: note})
	err = r.Journal.Save(r.doc)
	var unwritable *state.UnwritableError
	var stale *state.StaleError
	switch {
	case errors.As(err, &unwritable):
		r.unsaved(err)
		return nil
	case errors.As(err, &stale):
		r.forgo(err)
		r.taken = true
		return errTaken
	case err != nil:
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// unsaved says once that the journal cannot be used.
func (r *Run) unsaved(err error) {
	if !r.unwritable {
		r.unwritable = true
		r.note(r.step, "the journal cannot be written ("+err.Error()+"): if this run is cut short, the next one finds its way from the platform alone")
	}
}

// forgo goes on without a journal. One that was not read, or is not locked, may
// be another run's by now: what it says of passwords and branches must not be
// taken for this run's own.
func (r *Run) forgo(err error) {
	r.Journal = noJournal{}
	r.unsaved(err)
}

// noJournal remembers nothing.
type noJournal struct{}

func (noJournal) Load(state.Key) (*state.Document, error) { return nil, state.ErrNone }
func (noJournal) Save(*state.Document) error              { return nil }

// begin starts a new journal for a new run.
func (r *Run) begin(plan *planner.Database) {
	r.facts = &facts{Run: r.ID, Began: time.Now().UTC(), Plan: plan}
	if p := r.Target.Password(); p != nil {
		r.facts.Passwords = append(r.facts.Passwords, passwordRef{r.Target.Branch, p.ID})
	}
	r.doc.Records = nil
}
