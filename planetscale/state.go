package planetscale

import (
	"slices"
	"time"
)

// A State is how far a deploy request has come: its deployment_state, and its
// deployment's state. The names are the platform's. Source: PlanetScale's API
// description.
type State string

// The states that the platform documents.
const (
	StatePending                 State = "pending"
	StateReady                   State = "ready"
	StateNoChanges               State = "no_changes"
	StateError                   State = "error"
	StateQueued                  State = "queued"
	StateSubmitting              State = "submitting"
	StateInProgress              State = "in_progress"
	StateInProgressVSchema       State = "in_progress_vschema"
	StatePendingCutover          State = "pending_cutover"
	StateInProgressCutover       State = "in_progress_cutover"
	StateInProgressCancel        State = "in_progress_cancel"
	StateCompletePendingRevert   State = "complete_pending_revert"
	StateComplete                State = "complete"
	StateInProgressRevert        State = "in_progress_revert"
	StateInProgressRevertVSchema State = "in_progress_revert_vschema"
	StateCompleteRevert          State = "complete_revert"
	StateCompleteRevertError     State = "complete_revert_error"
	StateCompleteError           State = "complete_error"
	StateCompleteCancel          State = "complete_cancel"
	StateCancelled               State = "cancelled"
)

// A Class is what a state means to someone who waits.
type Class int

// The classes of states.
const (
	ClassUnknown   Class = iota // not a state we know: wait, warn, never success
	ClassComputing              // diff and checks are being computed
	ClassReady                  // may be deployed, if approval allows
	ClassNoChanges              // nothing to deploy
	ClassRunning                // on its way, there or back
	ClassLive                   // the schema is on the target
	ClassFailed                 // ended, and the schema is not known to be on the target
)

// String returns the class as one or two words.
func (c Class) String() string {
	names := []string{"unknown", "computing", "ready", "no changes", "running", "live", "failed"}
	if c < 0 || int(c) >= len(names) {
		return names[0]
	}
	return names[c]
}

// StateInfo is what is known about a state.
type StateInfo struct {
	State State
	Class Class
	// Started: the platform has accepted the deploy, now or before.
	Started bool
	// Live: the platform says that the schema is on the target. Someone may
	// have taken a failed deploy out of the queue (CompleteDeploy), which is
	// said to end in complete too: see the target before relying on it.
	Live bool
	// Terminal: waiting longer changes nothing.
	Terminal bool
	// BlocksQueue: other deploys into the same target stand behind this one.
	BlocksQueue bool
	// Meaning in a few words, for people.
	Meaning string
}

// Info looks the state up. For one that is not documented it returns
// ClassUnknown with everything false.
func (s State) Info() StateInfo {
	for _, info := range states {
		if info.State == s {
			return info
		}
	}
	return StateInfo{State: s, Meaning: "a state that this pmig does not know"}
}

// Known reports whether the state is documented.
func (s State) Known() bool { return s.Info().Class != ClassUnknown }

// Live reports StateInfo.Live: true in the revert window already.
func (s State) Live() bool { return s.Info().Live }

// States returns the table of all documented states, from first to last.
func States() []StateInfo { return slices.Clone(states) }

// The machine's states. Transitions are in the table of the next file.
var states = []StateInfo{
	{StatePending, ClassComputing, false, false, false, false, "diff and checks are being computed"},
	{StateReady, ClassReady, false, false, false, false, "checks passed, may be deployed"},
	{StateNoChanges, ClassNoChanges, false, false, true, false, "the branches do not differ"},
	{StateError, ClassFailed, false, false, true, false, "lint or deploy checks failed before the deploy"},
	{StateQueued, ClassRunning, true, false, false, true, "waiting for its turn"},
	{StateSubmitting, ClassRunning, true, false, false, true, "being handed over"},
	{StateInProgress, ClassRunning, true, false, false, true, "tables are being copied or changed"},
	{StateInProgressVSchema, ClassRunning, true, false, false, true, "VSchema or routing is being applied"},
	{StatePendingCutover, ClassRunning, true, false, false, true, "copied, waiting for the cutover"},
	{StateInProgressCutover, ClassRunning, true, false, false, true, "tables are being swapped"},
	{StateInProgressCancel, ClassRunning, true, false, false, true, "being cancelled"},
	{StateCompletePendingRevert, ClassLive, true, true, false, true, "live, may still be reverted"},
	{StateComplete, ClassLive, true, true, true, false, "live"},
	{StateInProgressRevert, ClassRunning, true, false, false, true, "being reverted"},
	{StateInProgressRevertVSchema, ClassRunning, true, false, false, true, "VSchema is being reverted"},
	{StateCompleteRevert, ClassFailed, true, false, true, false, "reverted, not live"},
	{StateCompleteRevertError, ClassFailed, true, false, true, true, "the revert failed; blocks the queue until completed"},
	{StateCompleteError, ClassFailed, true, false, true, true, "failed while running; blocks the queue until completed"},
	{StateCompleteCancel, ClassFailed, true, false, true, false, "cancelled while running"},
	{StateCancelled, ClassFailed, true, false, true, false, "cancelled"},
}

// MayDeploy reports whether deploy would be accepted; requireApproval is the
// database's setting.
func (r *DeployRequest) MayDeploy(requireApproval bool) bool {
	return r.State == RequestOpen && r.DeploymentState == StateReady &&
		r.Deployment != nil && r.Deployment.Deployable && (r.Approved || !requireApproval)
}

// NeedsApproval reports whether only a person's approval is missing. There is
// no state for it.
func (r *DeployRequest) NeedsApproval(requireApproval bool) bool {
	return r.State == RequestOpen && r.DeploymentState == StateReady && requireApproval && !r.Approved
}

// WaitsForCutover reports whether the deploy stands still until ApplyDeploy.
func (r *DeployRequest) WaitsForCutover() bool {
	return r.DeploymentState == StatePendingCutover && r.Deployment != nil && !r.Deployment.AutoCutover
}

// RevertUntil returns the end of the revert window, if one is open.
func (r *DeployRequest) RevertUntil() (end time.Time, open bool) {
	if r.DeploymentState != StateCompletePendingRevert || r.Deployment == nil ||
		r.Deployment.RevertRequest == nil || r.Deployment.RevertRequest.WaitingPeriodEndAt == nil {
		return time.Time{}, false
	}
	return *r.Deployment.RevertRequest.WaitingPeriodEndAt, true
}
