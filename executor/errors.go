package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// Outcome is the way a run ended that did not succeed. The command makes its
// exit code of it.
type Outcome int

// The outcomes.
const (
	Failed      Outcome = iota // something went wrong
	Busy                       // another run holds the lock
	Person                     // a person must act first; a later apply goes on
	Stale                      // the saved plan is not what would be done now
	Refused                    // a policy or a guard forbids it
	Interrupted                // told to stop; a later apply goes on
)

// Error is why a run ended, with what to do about it.
type Error struct {
	Outcome Outcome
	Step    planner.Kind // the step it happened in, "" before the first
	What    string       // what failed
	Why     string       // "" where Err says it
	Next    string       // what to do
	Over    bool         // nothing can go on from here: what was made is withdrawn
	Err     error
}

func (e *Error) Error() string {
	s := e.What
	if e.Why != "" {
		s += ": " + e.Why
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Hint says what to do about it: the error's own advice, or its cause's.
func (e *Error) Hint() string {
	if e.Next != "" {
		return e.Next
	}
	var h interface{ Hint() string }
	if errors.As(e.Err, &h) {
		return h.Hint()
	}
	return ""
}

// Unwrap returns the cause, if any.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf classifies any error that Apply or Abandon returned.
func OutcomeOf(err error) Outcome {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Outcome
	case errors.Is(err, context.Canceled):
		return Interrupted
	}
	return Failed
}

var (
	// errLost ends a run whose heartbeat is no longer its own. Whoever sees it
	// stops and cleans nothing: what is there belongs to somebody else now.
	errLost = errors.New("lost the lead: this run's heartbeat has run out or was taken away")
	// errTaken is errLost where the journal says so: another run has the lease of
	// it, or has written to it.
	errTaken = fmt.Errorf("%w: another run goes on with the work", errLost)
	// errAgain ends a run that is to be planned anew.
	errAgain = errors.New("the plan is made again")
	// errMet ends a wait for another run that has brought everything.
	errMet = errors.New("another run has done it")
	// errWaited is errAgain after another run was waited for, which is bounded
	// by the lock timeout and not by a number of rounds.
	errWaited = errors.New("another run was waited for")
)

func refuse(step planner.Kind, what, why, next string) error {
	return &Error{Outcome: Refused, Step: step, What: what, Why: why, Next: next}
}

func fail(step planner.Kind, what string, err error) error {
	if err == nil || isOwn(err) {
		return err
	}
	return &Error{Outcome: Failed, Step: step, What: what, Err: err}
}

// isOwn reports whether an error already says how the run is to end.
func isOwn(err error) bool {
	var e *Error
	return errors.As(err, &e) || errors.Is(err, errLost) || errors.Is(err, errAgain) || errors.Is(err, errMet) || errors.Is(err, errWaited)
}

// passing reports whether an error may be gone at the next try.
func passing(err error) bool {
	switch planetscale.KindOf(err) {
	case planetscale.KindRateLimited, planetscale.KindServer, planetscale.KindMalformed, planetscale.KindNetwork:
		return true
	}
	return false
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
