package gateway

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/pmig/pmig/mysqlproxy"
)

// locks are the named locks of GET_LOCK and its family, held by the client
// connections of one gateway. They live here because PlanetScale ends a
// session that holds one for 20 seconds, and because nobody else is on the
// branch.
type locks struct {
	mu    sync.Mutex
	held  map[string]*lock
	waits map[uint64]string // the lock a connection waits for
}

// lock is held by one connection, several times over if it asked so often.
type lock struct {
	conn    uint64
	backend uint32 // the holder's id at the branch, what CONNECTION_ID() says
	count   int
	freed   chan struct{} // closed when it is let go
}

// maxLockName is MySQL's limit, in characters.
const maxLockName = 64

func lockName(name *string) (string, *mysqlproxy.Error) {
	shown := "NULL"
	if name != nil {
		shown = *name
	}
	if name == nil || *name == "" || len([]rune(*name)) > maxLockName {
		return "", &mysqlproxy.Error{Number: 3057, State: "42000", Message: "Incorrect user-level lock name '" + shown + "'."}
	}
	return strings.ToLower(shown), nil
}

// errLockDeadlock is MySQL's answer to who would wait for itself.
var errLockDeadlock = &mysqlproxy.Error{Number: 3058, Message: "Deadlock found when trying to get user-level lock; try rolling back transaction/releasing locks and restarting lock acquisition."}

// get waits for a lock, forever if wait is negative. It says whether the
// connection has it.
func (l *locks) get(ctx context.Context, conn uint64, backend uint32, name string, wait time.Duration) (bool, *mysqlproxy.Error) {
	var timeout <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		timeout = timer.C
	}
	for {
		l.mu.Lock()
		h := l.held[name]
		if h == nil || h.conn == conn {
			if h == nil {
				h = &lock{conn: conn, backend: backend, freed: make(chan struct{})}
				if l.held == nil {
					l.held = map[string]*lock{}
				}
				l.held[name] = h
			}
			h.count++
			l.mu.Unlock()
			return true, nil
		}
		if wait == 0 {
			l.mu.Unlock()
			return false, nil
		}
		if l.circular(conn, h) {
			l.mu.Unlock()
			return false, errLockDeadlock
		}
		if l.waits == nil {
			l.waits = map[uint64]string{}
		}
		l.waits[conn] = name
		l.mu.Unlock()
		gone := false
		select {
		case <-h.freed:
		case <-timeout:
			gone = true
		case <-ctx.Done():
			gone = true
		}
		l.mu.Lock()
		delete(l.waits, conn)
		l.mu.Unlock()
		if gone {
			return false, nil
		}
	}
}

// circular says whether the holder h waits, maybe through others, for a lock
// of conn's.
func (l *locks) circular(conn uint64, h *lock) bool {
	for range len(l.waits) + 1 {
		name, waits := l.waits[h.conn]
		if !waits {
			return false
		}
		if h = l.held[name]; h == nil {
			return false
		}
		if h.conn == conn {
			return true
		}
	}
	return false
}

// release lets go of a lock once. known is false if nobody holds it.
func (l *locks) release(conn uint64, name string) (released, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[name]
	if h == nil || h.conn != conn {
		return false, h != nil
	}
	if h.count--; h.count == 0 {
		l.free(name, h)
	}
	return true, true
}

// releaseAll lets go of all locks of a connection and says how many there
// were, each as often as it was taken.
func (l *locks) releaseAll(conn uint64) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, h := range l.held {
		if h.conn == conn {
			n += h.count
			l.free(name, h)
		}
	}
	return n
}

func (l *locks) free(name string, h *lock) {
	delete(l.held, name)
	close(h.freed)
}

// holder gives the branch's id of the connection that holds a lock.
func (l *locks) holder(name string) (backend uint32, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[name]; h != nil {
		return h.backend, true
	}
	return 0, false
}
