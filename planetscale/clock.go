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
	return c.date.Add(time.Since(c.seen)), true
}
