package mysqlproxy

import (
	"cmp"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

// watch reads ahead on an idle backend, so that its end is noticed when it
// happens and the client is not left with a connection that is already dead.
//
// A round of watching goes from begin to wait and may span requests that are
// answered without the backend. state holds the round and whether a request is
// in hand: what the backend sends while none is can only be its end, or an
// error that announces it. Then the client's read is broken off.
type watch struct {
	start  chan uint64
	peeked chan struct{} // holds one, so that the watch never waits to be heard
	ended  chan struct{}
	err    error // of the last read, valid once peeked
	state  atomic.Uint64

	// What only the connection's own goroutine touches.
	on    bool
	round uint64
}

// The phases of a round, in the low bits of the state.
const (
	phaseBusy    = 1 // 0 is idle
	phaseTripped = 2
	phaseBits    = 2
)

func watchBackend(backend *wire, client net.Conn) *watch {
	w := &watch{start: make(chan uint64), peeked: make(chan struct{}, 1), ended: make(chan struct{})}
	trip := func(round uint64) {
		if w.state.CompareAndSwap(round, round|phaseTripped) {
			client.SetReadDeadline(time.Unix(1, 0))
		}
	}
	go func() {
		defer close(w.ended)
		for round := range w.start {
			_, w.err = backend.r.Peek(1)
			trip(round)
			w.peeked <- struct{}{}
			// begin may have looked for the news just before it was there.
			trip(round)
		}
	}()
	return w
}

var errUnasked = errors.New("it spoke without being asked")

// begin says that no request is in hand. An error says that the backend is
// gone already.
func (w *watch) begin() error {
	if !w.on {
		w.on = true
		w.round += 1 << phaseBits
		w.state.Store(w.round)
		w.start <- w.round
		return nil
	}
	w.state.Store(w.round)
	select {
	case <-w.peeked:
		w.on = false
		return &backendLost{cmp.Or(w.err, errUnasked)}
	default:
		return nil
	}
}

// busy says that a request is in hand.
func (w *watch) busy() { w.state.CompareAndSwap(w.round, w.round|phaseBusy) }

// wait ends the round when there is something to read, and gives the error of
// reading it.
func (w *watch) wait() error {
	if !w.on {
		return nil
	}
	<-w.peeked
	w.on = false
	return w.err
}

// stop ends the watch; the backend's connection must be closed by now.
func (w *watch) stop() {
	close(w.start)
	<-w.ended
}
