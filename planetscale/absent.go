package planetscale

import (
	"context"
	"strings"
	"sync"
	"time"
)

// A 404 says absent, or not visible to this token, or (to a read just after
// the write that made it) not known everywhere yet. This file tells them apart.

// justMade is how long a 404 about what this client has made is not believed.
const justMade = time.Minute

// made remembers the paths of what a client has made.
type made struct {
	mu    sync.Mutex
	since map[string]time.Time
}

func (m *made) add(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since == nil {
		m.since = map[string]time.Time{}
	}
	for p, t := range m.since {
		if time.Since(t) > justMade {
			delete(m.since, p)
		}
	}
	m.since[path] = time.Now()
}

func (m *made) forget(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.since, path)
}

// recently reports whether a path is of something, or lies below something,
// that was made within the last minute.
func (m *made) recently(path string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, t := range m.since {
		if (path == p || strings.HasPrefix(path, p+"/")) && time.Since(t) < justMade {
			return true
		}
	}
	return false
}

// remember notes what was made at a path.
func (c *Client) remember(segments []string) {
	if path, ok := joinPath(segments); ok {
		c.made.add(path)
	}
}

// remove makes a call that deletes. Where it is answered with 404, exists tells
// whether a list still has the thing; then the token may not delete it, and the
// error is of KindForbidden. What is truly gone gives the 404.
func (c *Client) remove(ctx context.Context, op operation, segments []string, exists func() (bool, error)) error {
	if path, ok := joinPath(segments); ok {
		c.made.forget(path)
	}
	err := c.call(ctx, op, segments, nil, nil, nil)
	if !IsNotFound(err) {
		return err
	}
	there, failed := exists()
	if failed != nil {
		return failed // not evidence of anything
	}
	if e, ok := err.(*Error); ok && there {
		e.Kind, e.Message = KindForbidden, "it is still listed, so the token may not delete it"
		return e
	}
	return err
}
