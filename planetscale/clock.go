package planetscale

import (
	"net/http"
	"sync"
	"time"
)

// clock is the platform's: the latest Date header and when it came.
type clock struct {
	mu         sync.Mutex
	date, seen time.Time
}

// set takes the Date header of an answer that has just come. A cached answer
// tells an old time and is passed over.
func (c *clock) set(h http.Header) {
	if h.Get("Age") != "" {
		return
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.date, c.seen = date.UTC(), time.Now()
}

func (c *clock) now() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen.IsZero() {
		return time.Time{}, false
	}
	// The monotonic clock stands still while a machine sleeps and the other can
	// be set back. What ends by this clock should rather end early than late.
	now := time.Now()
	elapsed := max(now.Sub(c.seen), now.Round(0).Sub(c.seen.Round(0)))
	return c.date.Add(elapsed), true
}
