package mysqlproxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// Aside lets the owner of a Session run statements on its backend connection, between those of the client. Its zero value is ready;
// it belongs to one Session.
type Aside struct {
	mu     sync.Mutex
	queue  []string
	client net.Conn // while the client has no request in hand
}

// Run has a statement run as soon as the client has no request in hand. Its outcome is told to nobody, and rows are thrown away.
func (a *Aside) Run(statement string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = append(a.queue, statement)
	if a.client != nil {
		a.client.SetReadDeadline(time.Unix(1, 0)) // it waits for a request: break that off
	}
}

// idle says that the client has no request in hand, unless there is something to run.
func (a *Aside) idle(client net.Conn) (run []string) {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	run, a.queue = a.queue, nil
	if len(run) == 0 {
		a.client = client
	}
	return run
}

// busy says that the client's wait is over, and whether it was broken off for what is in the queue.
func (a *Aside) busy(ctx context.Context) (interrupted bool) {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	client := a.client
	a.client = nil
	if len(a.queue) == 0 || client == nil {
		return false
	}
	client.SetReadDeadline(time.Time{})
	if ctx.Err() != nil { // what breaks off a connection that must end was not for us to clear
		client.SetReadDeadline(time.Unix(1, 0))
	}
	return true
}

// aside runs the owner's statements.
func (c *conn) aside(statements []string) error {
	w, seq, limit := c.client.w, c.client.seq, c.maxRows
	c.client.w, c.maxRows = bufio.NewWriter(io.Discard), 0
	defer func() { c.client.w, c.client.seq, c.maxRows = w, seq, limit }()
	for _, text := range statements {
		c.backend.reset()
		if err := c.backend.writeFlush(append([]byte{byte(Query)}, text...)); err != nil {
			return &backendLost{err}
		}
		if err := c.watch.wait(); err != nil {
			return &backendLost{err}
		}
		for more := true; more; {
			var info ResultInfo
			end, err := c.result(&info)
			if err != nil {
				return err
			}
			more = info.Err == nil && end.more()
		}
	}
	return nil
}
