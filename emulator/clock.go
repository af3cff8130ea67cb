package emulator

import (
	"context"
	"time"
)

// now is the emulator's clock: the machine's, moved forward by what was
// advanced by hand. The lock is taken; nowLocked is for its holder.
func (e *Emulator) now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.nowLocked()
}

func (e *Emulator) nowLocked() time.Time {
	return time.Now().Add(e.world.Offset).UTC().Round(0)
}

// Now is the time by the emulator's clock.
func (e *Emulator) Now() time.Time { return e.now() }

// farthest is how far the clock can be advanced in all.
const farthest = 100 * 365 * 24 * time.Hour

// Advance moves the emulator's clock forward. What became due meanwhile
// happens soon afterwards, not before Advance returns.
func (e *Emulator) Advance(d time.Duration) error {
	if d < 0 {
		return badRequest("the clock does not run backwards")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if d > farthest-e.world.Offset {
		return badRequest("the clock cannot be advanced that far")
	}
	e.world.Offset += d
	e.eventLocked(Event{Kind: EventClock, Text: "advanced by " + d.String()})
	return e.commitLocked()
}

// wait returns when the emulator's clock shows until (the zero time: never),
// when anything has changed since the channel was taken, or when ctx ends. The
// lock must not be held.
func (e *Emulator) wait(ctx context.Context, changed <-chan struct{}, until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(until.Sub(e.now()))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
	}
}
