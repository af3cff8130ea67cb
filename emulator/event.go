package emulator

import "slices"

// keptEvents is how many events are remembered for /_emulator/events.
const keptEvents = 10000

// event tells what happened. The lock must not be held.
func (e *Emulator) event(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.eventLocked(ev)
}

// eventLocked tells what happened, in the order in which it happened: the
// emulator's lock is held while the hook runs.
func (e *Emulator) eventLocked(ev Event) {
	if ev.Time.IsZero() {
		ev.Time = e.nowLocked()
	}
	if len(e.log) >= keptEvents {
		e.log = slices.Delete(e.log, 0, keptEvents/10)
	}
	e.log = append(e.log, ev)
	if e.options.Events != nil {
		e.options.Events(ev)
	}
}

// Log is what happened so far, oldest first; of a long life the newest ten
// thousand events.
func (e *Emulator) Log() []Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.log)
}
