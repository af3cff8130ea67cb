package executor

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pmig/pmig/state"
)

// LastRun is what a journal tells of the run that wrote it.
type LastRun struct {
	Run     string    `json:"run"`
	Time    time.Time `json:"time"` // of the last record
	Step    string    `json:"step"` // of the last record
	Ended   string    `json:"ended"`
	Request int       `json:"request,omitempty"`

	Finished bool `json:"-"` // nothing of it is left to do
}

// Last reads the run out of a journal; nil where there is none.
func Last(doc *state.Document) (*LastRun, error) {
	if len(doc.Run) == 0 || string(doc.Run) == "null" || len(doc.Records) == 0 {
		return nil, nil
	}
	var f facts
	if err := json.Unmarshal(doc.Run, &f); err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	last := doc.Records[len(doc.Records)-1]
	l := &LastRun{Run: f.Run, Time: last.Time, Step: last.Step, Ended: f.Ended, Request: f.Request, Finished: f.Finished}
	if !f.Finished {
		l.Ended = "unfinished, at " + last.Step
		if last.Phase == state.PhaseFailed {
			l.Ended += ": " + last.Note
		}
	}
	return l, nil
}
