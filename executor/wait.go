package executor

import (
	"context"
	"fmt"
	"time"
)

// poll looks until the look says it is done, an error ends it or the time is
// up, which gives errTimeout. The first looks are close together, for what is
// there at once; then few, for the platform takes seconds for everything; then
// one in two thirds of a second or in seven per cent of the time waited, at most
// half a minute: a long wait costs few calls and is noticed soon after its end.
func poll(ctx context.Context, timeout time.Duration, look func(waited time.Duration) (bool, error)) error {
	begin := time.Now()
	for {
		waited := time.Since(begin)
		done, err := look(waited)
		if done || err != nil {
			return err
		}
		if waited >= timeout {
			return &timeoutError{timeout}
		}
		next := pause(waited)
		if left := timeout - waited; next > left {
			next = left
		}
		if err := sleep(ctx, next); err != nil {
			return err
		}
	}
}

func pause(waited time.Duration) time.Duration {
	switch next := waited * 7 / 100; {
	case waited < 300*time.Millisecond:
		return 300 * time.Millisecond
	case waited < 2900*time.Millisecond:
		return 1350 * time.Millisecond
	default:
		return min(max(next, 650*time.Millisecond), 30*time.Second)
	}
}

type timeoutError struct{ after time.Duration }

// Hint says what to do about it.
func (e *timeoutError) Hint() string {
	return "run pmig apply again: it goes on from here; to have it wait longer: deploy { timeouts { ... } }"
}

func (e *timeoutError) Error() string { return fmt.Sprintf("not done after %s", e.after) }

// sleep waits or returns why the context ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
