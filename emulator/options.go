package emulator

import (
	"time"

	"github.com/pmig/pmig/planetscale"
)

// Options say what an emulator starts with. Only Engine is required.
type Options struct {
	// Data is the folder that keeps the emulator's state between runs. Empty
	// means memory only. What branches hold is the engine's to keep.
	Data string
	// Organization is made if it is not there. Default "acme".
	Organization string
	// Databases are made if they are not there, each with a production branch
	// main that has safe migrations on. Default: none.
	Databases []string
	// Tokens are the service tokens that the API takes. With none, any
	// id:secret is taken and has every permission.
	Tokens []Token
	// Engine keeps the branches. The emulator closes it.
	Engine Engine
	// MySQLAddress is what passwords name as their host. Default
	// "127.0.0.1:3306".
	MySQLAddress string
	// Address is the base address of the API as clients see it, for the url
	// members of answers. Default: taken from each request.
	Address string
	// Knobs are the times things take.
	Knobs Knobs
	// Faults are set from the beginning.
	Faults []Fault
	// VitessLimits holds MySQL clients to the platform's limits: the time of a
	// transaction and of a held lock, the rows of a result, and the like.
	VitessLimits bool
	// TransactionLimit is how long VitessLimits lets a transaction last, or a
	// lock be held by a session that does nothing. Default 20 seconds.
	TransactionLimit time.Duration
	// Unknowns answer the open questions about the platform.
	Unknowns Unknowns
	// Fixtures, if set, is what there shall be at the beginning. What the data
	// folder has already is left as it is.
	Fixtures *Fixtures
	// Events, if set, is told everything that happens, in order, one at a
	// time. It must not call the emulator.
	Events func(Event)
}

// Token is a service token.
type Token struct {
	ID, Secret string
	// Name is shown as the actor's display name. Default: the id.
	Name string
	// Permissions limit the token, in the platform's words
	// ("create_deploy_request", ...). Nil means all of them.
	Permissions []string
}

// Knobs are the times that things take. Zero is at once: every ordinary state
// is still passed through, and seen in the events, in order.
type Knobs struct {
	// BranchReady passes between the creation of a branch and its ready.
	BranchReady time.Duration `json:"branch_ready"`
	// Diff passes between the opening of a deploy request and the end of its
	// checks.
	Diff time.Duration `json:"diff"`
	// Queue passes in queued.
	Queue time.Duration `json:"queue"`
	// Submit passes in submitting. Zero: as long as Queue.
	Submit time.Duration `json:"submit"`
	// Deploy is the copy time of each operation, beside CopyPerRow.
	Deploy time.Duration `json:"deploy"`
	// CopyPerRow is the copy time of each row of an altered table.
	CopyPerRow time.Duration `json:"copy_per_row"`
	// Cutover passes in pending_cutover when auto_cutover is on, and in
	// in_progress_cutover.
	Cutover time.Duration `json:"cutover"`
	// VSchema passes in in_progress_vschema and in in_progress_revert_vschema.
	VSchema time.Duration `json:"vschema"`
	// RevertWindow is how long a deployed request stays in
	// complete_pending_revert. Zero: there is no window, and it is complete
	// at once.
	RevertWindow time.Duration `json:"revert_window"`
	// Gate is how long a deployment waits for a person's cutover before it is
	// cancelled. Zero: for ever.
	Gate time.Duration `json:"gate"`
	// Revert is the time that a revert takes.
	Revert time.Duration `json:"revert"`
	// Cancel is the time that a cancel takes.
	Cancel time.Duration `json:"cancel"`
}

// Event is one thing that happened.
type Event struct {
	// Time is by the emulator's clock.
	Time time.Time `json:"time"`
	// Kind is "request", "branch", "deploy_request", "password", "database",
	// "webhook", "clock", "fault" or "error".
	Kind EventKind `json:"kind"`
	// Database is "organization/database", where there is one.
	Database string `json:"database,omitempty"`
	// Subject names what it happened to: a branch, "#7", "POST /v1/...".
	Subject string `json:"subject,omitempty"`
	// State is the deployment state that a deploy request has come to.
	State planetscale.State `json:"state,omitempty"`
	// Status is the status of a request's answer; 0 if it got none.
	Status int `json:"status,omitempty"`
	// Took is the time that a request took on the machine's clock.
	Took time.Duration `json:"took,omitempty"`
	// Actor is the display name of who caused it.
	Actor string `json:"actor,omitempty"`
	// Text says it in words, without secrets.
	Text string `json:"text,omitempty"`
}

// EventKind sorts events.
type EventKind string

// The kinds of events.
const (
	EventRequest       EventKind = "request"
	EventDatabase      EventKind = "database"
	EventBranch        EventKind = "branch"
	EventPassword      EventKind = "password"
	EventDeployRequest EventKind = "deploy_request"
	EventWebhook       EventKind = "webhook"
	EventClock         EventKind = "clock"
	EventFault         EventKind = "fault"
	EventError         EventKind = "error"
)
