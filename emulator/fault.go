package emulator

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is something that goes wrong on purpose. The same faults are set with
// Options.Faults, AddFault and POST /_emulator/faults.
type Fault struct {
	// ID is given by the emulator: 1, 2, ...
	ID int `json:"id"`
	// Do says what goes wrong.
	Do FaultKind `json:"do"`
	// Method and Path limit it to some requests: Method exactly, Path as a
	// regular expression found anywhere in the path. Faults that are not of a
	// request match Path against their subject instead ("acme/shop/branch",
	// a table's name, "#7").
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Skip lets the first matches pass.
	Skip int `json:"skip,omitempty"`
	// Times is how often it happens. Zero: until it is removed.
	Times int `json:"times,omitempty"`
	// Status, Code, Message, Body and Header make the answer of FaultAnswer
	// and FaultAnswerAfter; a Body is sent as it is instead of code and message.
	Status  int               `json:"status,omitempty"`
	Code    string            `json:"code,omitempty"`
	Message string            `json:"message,omitempty"`
	Body    string            `json:"body,omitempty"`
	Header  map[string]string `json:"header,omitempty"`
	// Delay is the time of FaultDelay, FaultSlow, FaultHistoryDelay and
	// FaultDeploying.
	Delay time.Duration `json:"delay,omitempty"`
	// Count is how many deploys FaultValidating refuses, of each request.
	Count int `json:"count,omitempty"`

	path *regexp.Regexp
}

// FaultKind names what goes wrong.
type FaultKind string

// What can go wrong.
const (
	// FaultAnswer answers instead of doing what was asked.
	FaultAnswer FaultKind = "answer"
	// FaultAnswerAfter does what was asked, and then answers otherwise.
	FaultAnswerAfter FaultKind = "answer-after"
	// FaultDelay answers late.
	FaultDelay FaultKind = "delay"
	// FaultDropBefore ends the connection without doing what was asked.
	FaultDropBefore FaultKind = "drop-before"
	// FaultDropAfter does what was asked and ends the connection.
	FaultDropAfter FaultKind = "drop-after"
	// FaultSlow sends the answer's body in pieces, over Delay in all.
	FaultSlow FaultKind = "slow"
	// FaultHistoryDelay brings the rows of the migration history to the target
	// only Delay after the deployment is complete.
	FaultHistoryDelay FaultKind = "history-delay"
	// FaultCut ends the connection in the middle of the answer's body.
	FaultCut FaultKind = "cut"
	// FaultNoDeployment leaves the deployment out of an action's answer.
	FaultNoDeployment FaultKind = "no-deployment"
	// FaultUnknownState shows deployments in a state that nobody knows.
	FaultUnknownState FaultKind = "unknown-state"
	// FaultErrorsAsList writes deploy_errors as a list.
	FaultErrorsAsList FaultKind = "errors-as-list"
	// FaultValidating refuses deploys of a request that is ready: "We're
	// currently validating ...".
	FaultValidating FaultKind = "validating"
	// FaultUnknownMembers adds members to every object of an answer that no
	// document knows.
	FaultUnknownMembers FaultKind = "unknown-members"
	// FaultDeploying refuses to delete a branch until Delay, by default a
	// minute, after its deployment.
	FaultDeploying FaultKind = "deploying"
	// FaultStaleBase gives a new branch the schema that its parent had before
	// its last deployment, which its deploy request would then take back.
	FaultStaleBase FaultKind = "stale-base"
	// FaultStaleSchema makes a branch's schema endpoint show the schema that
	// the branch was made with.
	FaultStaleSchema FaultKind = "stale-schema"
	// FaultStaleDiff has the checks of a branch's deploy requests see the schema
	// that the branch was made with, until its schema is refreshed.
	FaultStaleDiff FaultKind = "stale-diff"
	// FaultCutoverBlocked makes a cutover meet a lock on a table, until it is
	// forced or an hour has passed.
	FaultCutoverBlocked FaultKind = "cutover-blocked"
	// FaultQueuePaused lets no queued deployment of a database begin.
	FaultQueuePaused FaultKind = "queue-paused"
	// FaultDeployError makes an operation fail while it is running.
	FaultDeployError FaultKind = "deploy-error"
	// FaultRevertError makes a revert fail.
	FaultRevertError FaultKind = "revert-error"
	// FaultVSchemaError makes the VSchema part of a deployment or of a revert
	// fail, after its tables.
	FaultVSchemaError FaultKind = "vschema-error"
)

var faultKinds = []FaultKind{FaultAnswer, FaultAnswerAfter, FaultDelay, FaultDropBefore, FaultDropAfter, FaultCut, FaultSlow, FaultHistoryDelay, FaultNoDeployment,
	FaultUnknownState, FaultUnknownMembers, FaultErrorsAsList, FaultValidating, FaultDeploying, FaultStaleBase, FaultStaleSchema, FaultStaleDiff, FaultCutoverBlocked, FaultQueuePaused, FaultDeployError, FaultRevertError, FaultVSchemaError}

// Unknowns are the questions about the platform that nobody outside it can
// answer. The zero value is the emulator's guess; each switch turns one around.
type Unknowns struct {
	// CloseQueued lets a queued request be closed. Guess: it is refused.
	CloseQueued bool `json:"close_queued"`
	// BranchDeleteKeepsRequest leaves a deleted branch's request open. Guess:
	// it is closed.
	BranchDeleteKeepsRequest bool `json:"branch_delete_keeps_request"`
	// BranchDeleteRefusedInWindow refuses to delete a branch while its
	// deployment may still be reverted. Guess: it can be deleted.
	BranchDeleteRefusedInWindow bool `json:"branch_delete_refused_in_window"`
	// ExpiredPasswordsHidden leaves expired passwords out of lists that do not
	// ask for them. Guess: they are listed.
	ExpiredPasswordsHidden bool `json:"expired_passwords_hidden"`
	// NotesLimit is how many bytes the notes of a request may have. Zero, the
	// guess: as many as fit into a request.
	NotesLimit int `json:"notes_limit"`
	// OneRequestPerBranch refuses a second open request of a branch. Guess: it
	// is taken.
	OneRequestPerBranch bool `json:"one_request_per_branch"`
	// HistoryReplaces lets the copied rows of a migration history replace the
	// target's rows of the same key. Guess: those stay as they are.
	HistoryReplaces bool `json:"history_replaces"`
	// InstantCopiesNoHistory lets an instant deployment copy no rows of the
	// migration history. Guess: it copies them at once.
	InstantCopiesNoHistory bool `json:"instant_copies_no_history"`
	// CancelEndsCancelled lets a cancelled deployment end in "cancelled".
	// Guess: in "complete_cancel".
	CancelEndsCancelled bool `json:"cancel_ends_cancelled"`
	// BadTokenHidden answers a wrong token as if nothing were there, but for
	// the list of organizations. Guess: it is answered with 401 everywhere.
	BadTokenHidden bool `json:"bad_token_hidden"`
}

// AddFault sets a fault and returns its id.
func (e *Emulator) AddFault(f Fault) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addFaultLocked(f)
}

func (e *Emulator) addFaultLocked(f Fault) (int, error) {
	if err := f.check(); err != nil {
		return 0, err
	}
	if (f.Do == FaultAnswer || f.Do == FaultAnswerAfter) && f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	e.world.LastFault++
	f.ID = e.world.LastFault
	e.world.Faults = append(e.world.Faults, &f)
	e.eventLocked(Event{Kind: EventFault, Subject: strconv.Itoa(f.ID), Text: "set: " + string(f.Do) + " " + strings.TrimSpace(f.Method+" "+f.Path)})
	return f.ID, nil
}

// check refuses a fault that cannot be.
func (f *Fault) check() error {
	if !slices.Contains(faultKinds, f.Do) {
		return invalid(fmt.Sprintf("no fault %q", f.Do))
	}
	if f.Delay < 0 || f.Times < 0 || f.Skip < 0 || f.Count < 0 || f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return invalid("a fault has no negative members, and a status from 200 to 599")
	}
	return f.compile()
}

func (f *Fault) compile() error {
	var err error
	if f.path, err = regexp.Compile(f.Path); err != nil {
		return invalid("path: " + err.Error())
	}
	return nil
}

// RemoveFault removes a fault; 0 removes them all.
func (e *Emulator) RemoveFault(id int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.world.Faults)
	e.world.Faults = slices.DeleteFunc(e.world.Faults, func(f *Fault) bool { return id == 0 || f.ID == id })
	if id != 0 && n == len(e.world.Faults) {
		return errNotFound
	}
	e.wakeLocked() // something may have waited for it
	return nil
}

// SetUnknowns answers the open questions about the platform.
func (e *Emulator) SetUnknowns(u Unknowns) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.world.Unknowns = u
}

// SetKnobs changes the times that things take, from now on.
func (e *Emulator) SetKnobs(k Knobs) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.world.Knobs = k
	e.wakeLocked()
}

// takeFaultLocked is the fault of a kind that happens now to a subject, if any.
func (e *Emulator) takeFaultLocked(do FaultKind, subject string) *Fault {
	return e.takeRequestFaultLocked([]FaultKind{do}, "", subject)
}

// takeRequestFaultLocked is the first fault of some kinds that happens now, if
// any.
func (e *Emulator) takeRequestFaultLocked(do []FaultKind, method, path string) *Fault {
	return e.takeFaultIfLocked(do, method, path, func(*Fault) bool { return true })
}

// takeFaultIfLocked leaves alone, and does not count, those that do not apply.
func (e *Emulator) takeFaultIfLocked(do []FaultKind, method, path string, applies func(*Fault) bool) *Fault {
	for i, f := range e.world.Faults {
		if !slices.Contains(do, f.Do) || (f.Method != "" && method != "" && f.Method != method) {
			continue
		}
		if f.path == nil && f.compile() != nil {
			continue
		}
		if !f.path.MatchString(path) || !applies(f) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				e.world.Faults = slices.Delete(e.world.Faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// hasFaultLocked says whether a fault of a kind stands against a subject, and
// leaves it standing.
func (e *Emulator) hasFaultLocked(do FaultKind, subject string) bool {
	return slices.ContainsFunc(e.world.Faults, func(f *Fault) bool {
		return f.Do == do && (f.path != nil || f.compile() == nil) && f.path.MatchString(subject)
	})
}

// text is the fault's message.
func (f *Fault) text(otherwise string) string {
	if f.Message != "" {
		return f.Message
	}
	return otherwise
}
