package mysqlproxy

import (
	"bufio"
	"io"
	"time"
)

// maxReply bounds an OK, ERR or end-of-rows packet of a backend. Messages are
// short; MySQL itself ends them at 512 bytes.
const maxReply = 1 << 20

// maxResults bounds how many results of one text are told apart.
const maxResults = 1 << 16

// relay passes on the answer to a Query or Execute: one or more results, each
// OK, ERR or columns and rows. Rows are never held. st is finished before the
// last packet goes out.
func (c *conn) relay(st *Statement) error {
	for {
		started := time.Now()
		if len(st.Results) == 0 {
			started = st.Started
		}
		var info ResultInfo
		last, err := c.result(&info)
		if err != nil {
			return err
		}
		info.Took = time.Since(started)
		if len(st.Results) < maxResults {
			st.Results = append(st.Results, info)
		}
		st.Affected += info.Affected
		st.Rows += info.Rows
		if info.LastInsertID != 0 {
			st.LastInsertID = info.LastInsertID
		}
		st.Err = info.Err
		if st.Err != nil || !last.more() {
			c.finish(st)
			if err := c.client.write(last.packet); err != nil {
				return err
			}
			return c.client.w.Flush()
		}
		if err := c.client.write(last.packet); err != nil {
			return err
		}
	}
}

// ending is the packet that ends a result, as the client must get it.
type ending struct {
	packet []byte
	status uint16
}

func (e ending) more() bool { return e.status&statusMoreResults != 0 }

// noteStatus keeps the part of a status that outlives one answer.
func (c *conn) noteStatus(status uint16) {
	c.status = status &^ (statusMoreResults | statusCursorExists)
}

// next looks at the backend's next packet, sending what is queued for the
// client before it has to wait.
func (c *conn) next() (n int, first byte, err error) {
	if c.backend.r.Buffered() == 0 && c.client.w.Buffered() > 0 {
		if err := c.client.w.Flush(); err != nil {
			return 0, 0, err
		}
	}
	n, first, err = c.backend.peekFirst()
	if err != nil {
		return 0, 0, &backendLost{cut(err)}
	}
	return n, first, nil
}

// reply reads a short packet of the backend.
func (c *conn) reply() ([]byte, error) {
	b, err := c.backend.read(maxReply)
	if err != nil {
		return nil, &backendLost{cut(err)}
	}
	if len(b) == 0 {
		return nil, &backendLost{malformed("an empty answer")}
	}
	return b, nil
}

// result passes on one result except for its last packet.
func (c *conn) result(info *ResultInfo) (ending, error) {
	_, first, err := c.next()
	if err != nil {
		return ending{}, err
	}
	switch first {
	case headOK, headErr:
		return c.shortReply(info)
	case headLocal:
		return c.refuseLocal(info)
	}
	b, err := c.reply()
	if err != nil {
		return ending{}, err
	}
	columns := newFields(b)
	count := columns.length()
	if !columns.ok {
		return ending{}, &backendLost{malformed("a column count of %d bytes", len(b))}
	}
	if err := c.client.write(b); err != nil {
		return ending{}, err
	}
	if end, over, err := c.columns(count); err != nil || over {
		return end, err
	}
	return c.rows(info)
}

// shortReply reads an OK, ERR or end-of-rows packet that is a whole answer.
func (c *conn) shortReply(info *ResultInfo) (ending, error) {
	b, err := c.reply()
	if err != nil {
		return ending{}, err
	}
	if b[0] == headErr {
		if len(b) < 3 {
			return ending{}, &backendLost{malformed("an error of %d bytes", len(b))}
		}
		info.Err = parseErr(b)
		return ending{packet: b}, nil
	}
	ok, err := parseOK(b)
	if err != nil {
		return ending{}, &backendLost{err}
	}
	info.Affected, info.LastInsertID = ok.affected, ok.lastInsertID
	c.noteStatus(ok.status)
	if b[0] == headEOF {
		return ending{ok.encodeEnd(c.caps.has(clientDeprecateEOF)), ok.status}, nil
	}
	return ending{b, ok.status}, nil
}

// refuseLocal answers a backend that wants a file of the client: LOCAL INFILE
// was never agreed on, so this is a backend that does not ask.
func (c *conn) refuseLocal(info *ResultInfo) (ending, error) {
	if _, err := c.reply(); err != nil {
		return ending{}, err
	}
	if err := c.backend.writeFlush(nil); err != nil {
		return ending{}, &backendLost{err}
	}
	if _, err := c.reply(); err != nil {
		return ending{}, err
	}
	info.Err = &Error{Number: 3948, State: "42000", Message: "Loading local data is disabled"}
	return ending{packet: info.Err.encode()}, nil
}

// columns passes on count column definitions and what separates them from the
// rows in the older protocol. It is over when there are no rows to follow: a
// cursor was opened.
func (c *conn) columns(count uint64) (end ending, over bool, err error) {
	for range count {
		if err := c.pass(); err != nil {
			return ending{}, false, err
		}
	}
	if c.backend.caps.has(clientDeprecateEOF) {
		return ending{}, false, nil
	}
	b, err := c.reply()
	if err != nil {
		return ending{}, false, err
	}
	if b[0] == headErr {
		// How MariaDB breaks off when a cursor cannot be opened.
		return ending{}, false, &backendLost{parseErr(b)}
	}
	ok, err := parseOK(b)
	if err != nil || b[0] != headEOF {
		return ending{}, false, &backendLost{malformed("no end of columns")}
	}
	if ok.status&statusCursorExists != 0 {
		c.noteStatus(ok.status)
		return ending{ok.encodeEnd(c.caps.has(clientDeprecateEOF)), ok.status}, true, nil
	}
	if c.caps.has(clientDeprecateEOF) {
		return ending{}, false, nil
	}
	return ending{}, false, c.client.write(b)
}

// pass moves one message to the client.
func (c *conn) pass() error {
	if _, _, err := c.next(); err != nil {
		return err
	}
	return c.client.copyMessage(c.backend.wire)
}

// rows passes on rows until their end, which it reads.
func (c *conn) rows(info *ResultInfo) (ending, error) {
	for {
		n, first, err := c.next()
		if err != nil {
			return ending{}, err
		}
		// A row may begin with 0xfe too, but only if it is longer than these.
		if n > 0 && (first == headErr && n < maxChunk || first == headEOF && (n < 9 || n < maxChunk && c.backend.caps.has(clientDeprecateEOF))) {
			rows := *info
			end, err := c.shortReply(info)
			info.Affected, info.LastInsertID = rows.Affected, rows.LastInsertID
			return end, err
		}
		if c.maxRows > 0 && info.Rows == c.maxRows {
			return c.cutRows(info)
		}
		info.Rows++
		if err := c.client.copyMessage(c.backend.wire); err != nil {
			return ending{}, err
		}
	}
}

// cutRows ends the client's answer with an error and reads the rest of the
// backend's away.
func (c *conn) cutRows(info *ResultInfo) (ending, error) {
	limit := c.maxRows
	w, seq := c.client.w, c.client.seq
	c.client.w, c.maxRows = bufio.NewWriter(io.Discard), 0
	defer func() { c.client.w, c.client.seq, c.maxRows = w, seq, limit }()
	var rest ResultInfo
	end, err := c.rows(&rest)
	for err == nil && rest.Err == nil && end.more() {
		rest = ResultInfo{}
		end, err = c.result(&rest)
	}
	if err != nil {
		return ending{}, err
	}
	info.Err = RowsExceeded(limit)
	return ending{packet: info.Err.encode()}, nil
}
