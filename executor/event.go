package executor

import (
	"time"

	"github.com/pmig/pmig/planner"
)

// EventType says what an Event tells.
type EventType string

// The types of events.
const (
	StepStart EventType = "start"    // a step begins
	StepDone  EventType = "done"     // a step has ended well
	StepSkip  EventType = "skip"     // a step was done already
	StepFail  EventType = "fail"     // a step has failed
	Progress  EventType = "progress" // a wait goes on
	Output    EventType = "output"   // a line that the migration tool printed
	Note      EventType = "note"     // something worth knowing
)

// Event is something that happened in a run. It holds no secret.
type Event struct {
	Time     time.Time     `json:"time"`
	Type     EventType     `json:"type"`
	Database string        `json:"database"`
	Run      string        `json:"run,omitempty"`
	Step     planner.Kind  `json:"step,omitempty"`
	Message  string        `json:"message,omitempty"`
	Took     time.Duration `json:"took,omitempty"`    // nanoseconds, of StepDone and StepFail
	Waited   time.Duration `json:"waited,omitempty"`  // nanoseconds, of Progress
	State    string        `json:"state,omitempty"`   // deployment state, of Progress
	Percent  *int          `json:"percent,omitempty"` // 0 to 100, of Progress where the platform says it
	ETA      time.Duration `json:"eta,omitempty"`     // nanoseconds, of Progress where the platform says it
	Queue    int           `json:"queue,omitempty"`   // deployments ahead, of Progress
	Request  int           `json:"request,omitempty"` // number of the deploy request
	URL      string        `json:"url,omitempty"`     // where a person can look at it
	Source   string        `json:"source,omitempty"`  // of Output
}

// Summary is what a run did.
type Summary struct {
	Database string        `json:"database"`
	Run      string        `json:"run,omitempty"`
	Nothing  bool          `json:"nothing"` // there was nothing to do
	Request  int           `json:"request,omitempty"`
	URL      string        `json:"url,omitempty"`
	States   []string      `json:"states,omitempty"`  // deployment states seen, in order
	Applied  []Applied     `json:"applied,omitempty"` // migrations recorded on the target
	Changes  []string      `json:"changes,omitempty"` // the statements deployed
	Data     []string      `json:"data_changes,omitempty"`
	Kept     string        `json:"kept,omitempty"` // what was left on purpose, and why
	Took     time.Duration `json:"took"`           // nanoseconds
}

// Applied is one migration that the target's history gained.
type Applied struct {
	Source string `json:"source"`
	Key    string `json:"key"`
	File   string `json:"file,omitempty"` // "" where only the notes of the deploy request are known
}
