package planetscale

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// longestPause bounds how long one answer of 429 can hold up other calls.
const longestPause = time.Minute

// budget spreads the requests of one process, over all databases.
type budget struct {
	limiter *rate.Limiter
	mu      sync.Mutex
	until   time.Time
}

func newBudget(perMinute int) *budget {
	return &budget{limiter: rate.NewLimiter(rate.Limit(perMinute)/60, max(1, perMinute/2))}
}

// wait blocks until a request may be sent. It returns at once if the context
// would end before that.
func (b *budget) wait(ctx context.Context) error {
	if b == nil {
		return context.Cause(ctx)
	}
	for {
		b.mu.Lock()
		pause := time.Until(b.until)
		b.mu.Unlock()
		if pause <= 0 {
			break
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	if err := b.limiter.Wait(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return context.DeadlineExceeded
	}
	return nil
}

// pause holds back the calls to come: the platform has said to one of us that
// all of us are too many.
func (b *budget) pause(d time.Duration) {
	if b == nil || d <= 0 {
		return
	}
	until := time.Now().Add(min(d, longestPause))
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.until) {
		b.until = until
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
