package mysqlproxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
)

// maxChunk is the payload of the largest packet on the wire. A longer message
// is cut into packets of exactly this size and a shorter one, maybe empty.
const maxChunk = 1<<24 - 1

// bufferSize holds what most statements and answers need, so that each costs
// one read and one write.
const bufferSize = 16 << 10

var errTooLong = errors.New("the message is longer than allowed here")

// protocolError is bad input from the other side: the connection cannot go on.
type protocolError struct{ message string }

func (e *protocolError) Error() string { return e.message }

func malformed(format string, args ...any) error {
	return &protocolError{fmt.Sprintf(format, args...)}
}

// wire is one side's stream of MySQL packets, buffered both ways.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer

	// seq is the number the next packet must have, in either direction.
	seq byte
	// torn is set while a message is only partly written: nothing else can be.
	torn bool
	// loose takes any sequence number, for servers that count in their own way.
	loose bool
}

func newWire(c net.Conn) *wire {
	return &wire{conn: c, r: bufio.NewReaderSize(c, bufferSize), w: bufio.NewWriterSize(c, bufferSize)}
}

// reset starts a new exchange: each command counts its packets from zero.
func (p *wire) reset() { p.seq = 0 }

// header reads the next packet's header and gives the length of its payload.
func (p *wire) header() (int, error) {
	h, err := p.r.Peek(4)
	if err != nil {
		if len(h) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	n := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
	if h[3] != p.seq && !p.loose {
		return 0, malformed("packet number %d where %d was due", h[3], p.seq)
	}
	p.seq = h[3] + 1
	p.r.Discard(4)
	return n, nil
}

// peekFirst gives the length of the next packet's payload and its first byte
// without consuming anything. An empty payload has the first byte zero.
func (p *wire) peekFirst() (n int, first byte, err error) {
	h, err := p.r.Peek(4)
	if err != nil {
		return 0, 0, err
	}
	n = int(h[0]) | int(h[1])<<8 | int(h[2])<<16
	if n == 0 {
		return 0, 0, nil
	}
	h, err = p.r.Peek(5)
	if err != nil {
		return 0, 0, err
	}
	return n, h[4], nil
}

// read gives one whole message of at most limit bytes.
func (p *wire) read(limit int) ([]byte, error) {
	head, rest, err := p.readHead(limit)
	if err != nil {
		return nil, err
	}
	if rest.more() {
		return nil, errTooLong
	}
	return head, nil
}

// readHead gives the first limit bytes of a message, and what is left of it to
// be streamed.
func (p *wire) readHead(limit int) ([]byte, *remainder, error) {
	n, err := p.header()
	if err != nil {
		return nil, nil, err
	}
	rest := &remainder{p: p, left: n, size: n}
	if err := rest.advance(); err != nil {
		return nil, nil, err
	}
	// A header may promise 16 MiB and no byte follow: the buffer grows with
	// what has arrived.
	head := make([]byte, 0, min(rest.left, limit, 4<<10))
	for rest.more() && len(head) < limit {
		n := min(rest.left, limit-len(head), max(4<<10, len(head)))
		at := len(head)
		if cap(head) < at+n {
			grown := make([]byte, at, max(2*cap(head), at+n))
			copy(grown, head)
			head = grown
		}
		if _, err := io.ReadFull(p.r, head[at:at+n]); err != nil {
			return nil, nil, cut(err)
		}
		head = head[:at+n]
		rest.left -= n
		if err := rest.advance(); err != nil {
			return nil, nil, err
		}
	}
	return head, rest, nil
}

// remainder is the unread part of a message.
type remainder struct {
	p    *wire
	left int // bytes of the packet in hand
	size int // payload length of the packet in hand
}

func (r *remainder) more() bool { return r.left > 0 }

// open reads the header of the message's next packet.
func (r *remainder) open() error {
	n, err := r.p.header()
	if err != nil {
		return cut(err)
	}
	r.left, r.size = n, n
	return nil
}

// advance opens the following packet when the one in hand is used up and says
// that it is not the last.
func (r *remainder) advance() error {
	for r.left == 0 && r.size == maxChunk {
		if err := r.open(); err != nil {
			return err
		}
	}
	return nil
}

// discard reads the rest of the message away.
func (r *remainder) discard() error {
	for r.more() {
		n, err := r.p.r.Discard(r.left)
		r.left -= n
		if err != nil {
			return cut(err)
		}
		if err := r.advance(); err != nil {
			return err
		}
	}
	return nil
}

// cut names the end of the stream inside a message for what it is.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// writeHeader queues a packet's header; n payload bytes must follow.
func (p *wire) writeHeader(n int) error {
	h := [4]byte{byte(n), byte(n >> 8), byte(n >> 16), p.seq}
	p.seq++
	_, err := p.w.Write(h[:])
	return err
}

// write queues one message, cutting it where it is too long for a packet.
func (p *wire) write(b []byte) error {
	for {
		n := min(len(b), maxChunk)
		if err := p.writeHeader(n); err != nil {
			return err
		}
		if _, err := p.w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		if n < maxChunk {
			return nil
		}
	}
}

// writeFlush queues one message and sends all that is queued.
func (p *wire) writeFlush(b []byte) error {
	if err := p.write(b); err != nil {
		return err
	}
	return p.w.Flush()
}

// forward queues a message whose beginning is in head and whose end is still
// to be read from rest. No more than a buffer of the end is held.
func (p *wire) forward(head []byte, rest *remainder) error {
	for ; len(head) >= maxChunk; head = head[maxChunk:] {
		if err := p.writeHeader(maxChunk); err != nil {
			return err
		}
		if _, err := p.w.Write(head[:maxChunk]); err != nil {
			return err
		}
	}
	// What is left of head is the read part of the packet in hand.
	for {
		if err := p.writeHeader(rest.size); err != nil {
			return err
		}
		if _, err := p.w.Write(head); err != nil {
			return err
		}
		if _, err := io.CopyN(p.w, rest.p.r, int64(rest.left)); err != nil {
			return cut(err)
		}
		if rest.size < maxChunk {
			return nil
		}
		head, rest.left = nil, 0
		if err := rest.open(); err != nil {
			return err
		}
	}
}

// copyMessage moves one whole message from src to p without looking at it. An
// error of src's is a *backendLost.
func (p *wire) copyMessage(src *wire) error {
	for {
		n, err := src.header()
		if err != nil {
			return &backendLost{cut(err)}
		}
		if err := p.writeHeader(n); err != nil {
			return err
		}
		p.torn = true
		if src.r.Buffered() >= n {
			b, _ := src.r.Peek(n)
			if _, err := p.w.Write(b); err != nil {
				return err
			}
			src.r.Discard(n)
		} else if _, err := io.CopyN(p.w, src.r, int64(n)); err != nil {
			if p.writeFailed() {
				return err
			}
			return &backendLost{cut(err)}
		}
		if n < maxChunk {
			p.torn = false
			return nil
		}
	}
}

// writeFailed says that this side can take no more: a bufio.Writer keeps its
// error.
func (p *wire) writeFailed() bool {
	_, err := p.w.Write(nil)
	return err != nil
}
