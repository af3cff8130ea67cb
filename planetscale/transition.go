package planetscale

import "slices"

// A Trigger moves a deploy request from one state to another: a call, or
// something that happens on the platform.
type Trigger string

// Calls that move a deploy request.
const (
	TriggerCreate         Trigger = "POST deploy-requests"
	TriggerClose          Trigger = "PATCH state closed"
	TriggerDeploy         Trigger = "POST deploy"
	TriggerApplyDeploy    Trigger = "POST apply-deploy"
	TriggerAutoApply      Trigger = "PUT auto-apply"
	TriggerForceCutover   Trigger = "POST force-cutover"
	TriggerCancel         Trigger = "POST cancel"
	TriggerRevert         Trigger = "POST revert"
	TriggerSkipRevert     Trigger = "POST skip-revert"
	TriggerCompleteDeploy Trigger = "POST complete-deploy"
)

// What happens on the platform.
const (
	TriggerDiffFound     Trigger = "diff found, checks passed"
	TriggerDiffEmpty     Trigger = "nothing differs"
	TriggerCheckFailed   Trigger = "lint or checks failed"
	TriggerBranchChanged Trigger = "branch schema changed"
	TriggerDequeued      Trigger = "taken out of the queue"
	TriggerTurn          Trigger = "head of the queue"
	TriggerSubmitted     Trigger = "handed over"
	TriggerVSchema       Trigger = "VSchema part"
	TriggerVSchemaDone   Trigger = "VSchema part done"
	TriggerCopied        Trigger = "copy done"
	TriggerCutover       Trigger = "cutover by itself"
	TriggerSwapped       Trigger = "swapped, can be reverted"
	TriggerFinished      Trigger = "finished, can't be reverted"
	TriggerInstant       Trigger = "instant DDL done"
	TriggerCancelled     Trigger = "cancelled"
	TriggerFailed        Trigger = "failed while running"
	TriggerWindowOver    Trigger = "revert window over"
	TriggerReverted      Trigger = "reverted"
	TriggerRevertFailed  Trigger = "revert failed"
)

// A Transition is one step of the machine. From is "" for the first; From and
// To are the same where a trigger is legal but moves only the request, or a
// time stamp.
type Transition struct {
	From    State
	Trigger Trigger
	To      State
}

// Transitions returns the table of all transitions known or inferred.
func Transitions() []Transition { return slices.Clone(transitions) }

// After returns the states that the trigger may lead to from s; none if it is
// refused there.
func (s State) After(t Trigger) []State {
	var to []State
	for _, step := range transitions {
		if step.From == s && step.Trigger == t {
			to = append(to, step.To)
		}
	}
	return to
}

// The machine's transitions. Sources: PlanetScale's documentation and API
// description, and logs of the service; where they are silent (how far cancel
// reaches, what complete-deploy leaves behind, the cutover by itself) the row
// is our inference.
var transitions = []Transition{
	{"", TriggerCreate, StatePending},

	{StatePending, TriggerDiffFound, StateReady},
	{StatePending, TriggerDiffEmpty, StateNoChanges},
	{StatePending, TriggerCheckFailed, StateError},
	{StateReady, TriggerBranchChanged, StatePending},
	{StateNoChanges, TriggerBranchChanged, StatePending},
	{StateError, TriggerBranchChanged, StatePending},
	{StatePending, TriggerClose, StatePending},
	{StateReady, TriggerClose, StateReady},
	{StateNoChanges, TriggerClose, StateNoChanges},
	{StateError, TriggerClose, StateError},

	{StateReady, TriggerDeploy, StateQueued},
	{StateQueued, TriggerBranchChanged, StatePending},
	{StateQueued, TriggerDequeued, StateReady},
	{StateQueued, TriggerTurn, StateSubmitting},
	{StateSubmitting, TriggerSubmitted, StateInProgress},
	{StateSubmitting, TriggerInstant, StateComplete},
	{StateInProgress, TriggerInstant, StateComplete},
	{StateInProgress, TriggerVSchema, StateInProgressVSchema},
	{StateInProgressVSchema, TriggerVSchemaDone, StateInProgress},
	{StateInProgressVSchema, TriggerCopied, StatePendingCutover},
	{StateInProgressVSchema, TriggerSwapped, StateCompletePendingRevert},
	{StateInProgressVSchema, TriggerFinished, StateComplete},
	{StateInProgress, TriggerCopied, StatePendingCutover},

	{StatePendingCutover, TriggerCutover, StateInProgressCutover},
	{StatePendingCutover, TriggerApplyDeploy, StateInProgressCutover},
	{StatePendingCutover, TriggerAutoApply, StateInProgressCutover},
	{StateInProgressCutover, TriggerForceCutover, StateInProgressCutover},
	{StateInProgressCutover, TriggerVSchema, StateInProgressVSchema},
	{StateInProgressCutover, TriggerSwapped, StateCompletePendingRevert},
	{StateInProgressCutover, TriggerFinished, StateComplete},

	{StateQueued, TriggerCancel, StateInProgressCancel},
	{StateSubmitting, TriggerCancel, StateInProgressCancel},
	{StateInProgress, TriggerCancel, StateInProgressCancel},
	{StatePendingCutover, TriggerCancel, StateInProgressCancel},
	{StateInProgressCancel, TriggerCancelled, StateCompleteCancel},
	{StateInProgressCancel, TriggerCancelled, StateCancelled},
	{StateQueued, TriggerCancel, StateCancelled},

	{StateSubmitting, TriggerFailed, StateCompleteError},
	{StateInProgress, TriggerFailed, StateCompleteError},
	{StateInProgressVSchema, TriggerFailed, StateCompleteError},
	{StatePendingCutover, TriggerFailed, StateCompleteError},
	{StateInProgressCutover, TriggerFailed, StateCompleteError},
	{StateInProgressCancel, TriggerFailed, StateCompleteError},
	{StateCompleteError, TriggerCompleteDeploy, StateComplete},

	{StateCompletePendingRevert, TriggerSkipRevert, StateComplete},
	{StateCompletePendingRevert, TriggerWindowOver, StateComplete},
	{StateCompletePendingRevert, TriggerRevert, StateInProgressRevert},
	{StateInProgressRevert, TriggerVSchema, StateInProgressRevertVSchema},
	{StateInProgressRevert, TriggerReverted, StateCompleteRevert},
	{StateInProgressRevertVSchema, TriggerVSchemaDone, StateInProgressRevert},
	{StateInProgressRevertVSchema, TriggerReverted, StateCompleteRevert},
	{StateInProgressRevert, TriggerRevertFailed, StateCompleteRevertError},
	{StateInProgressRevertVSchema, TriggerRevertFailed, StateCompleteRevertError},
	{StateCompleteRevertError, TriggerCompleteDeploy, StateComplete},
}
