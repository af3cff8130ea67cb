package mysqlproxy

import (
	"fmt"
	"time"
)

// How much of a message is held, by command. Only the text of statements may
// be long: the Handler sees it.
const (
	maxArgs  = 1 << 20   // of an Execute: what Args can show
	maxShort = 256 << 10 // of everything else
)

// command carries out one request of the client.
func (c *conn) command() error {
	c.client.reset()
	c.quiet = true
	if err := c.watch.begin(); err != nil {
		return err
	}
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if run := c.session.Aside.idle(c.client.conn); len(run) > 0 {
		c.watch.busy()
		return c.aside(run)
	}
	_, first, err := c.client.peekFirst()
	if c.session.Aside.busy(c.ctx) && isTimeout(err) {
		return nil
	}
	if err != nil {
		return err
	}
	cmd := Command(first)
	limit := maxShort
	switch cmd {
	case Query, Prepare:
		if limit = c.server.MaxText; limit <= 0 {
			limit = DefaultMaxText
		}
		limit++ // the command byte
	case Execute:
		limit = maxArgs
	}
	head, rest, err := c.client.readHead(limit)
	c.watch.busy()
	c.quiet = false
	if err != nil {
		return err
	}
	if len(head) == 0 {
		return malformed("a command without a command byte")
	}
	m := message{head, rest}
	switch cmd {
	case quit:
		c.backend.conn.SetWriteDeadline(time.Now().Add(time.Second))
		c.send(m)
		return errQuit
	case Query:
		return c.query(m)
	case Prepare:
		return c.prepare(m)
	case Execute:
		return c.execute(m)
	case InitDB:
		return c.initDB(m)
	case FieldList:
		return c.fieldList(m)
	case ResetConnection:
		return c.resetConnection(m)
	case changeUser:
		return c.changeUser(m)
	case sendLongData, closeStmt, resetStmt, fetchStmt:
		return c.onPrepared(cmd, m)
	case ping:
		return c.simple(m, nil)
	case setOption:
		if len(head) != 3 || le.Uint16(head[1:]) > 1 {
			return c.refuse(m, &Error{Number: 1047, State: "08S01", Message: "Unknown option"})
		}
		return c.simple(m, nil)
	case statistics:
		if err := c.exchange(m); err != nil {
			return err
		}
		if err := c.client.copyMessage(c.backend.wire); err != nil {
			return err
		}
		return c.client.w.Flush()
	}
	return c.refuse(m, &Error{Number: 1047, State: "08S01", Message: fmt.Sprintf("Unknown command: %s is not available here", cmd)})
}

// message is a client's request: what is held of it and what is to be read.
type message struct {
	head []byte
	rest *remainder
}

// text is the held part after the command byte.
func (m message) text() string { return string(m.head[1:]) }

// refuse answers a request that does not go to the backend.
func (c *conn) refuse(m message, e *Error) error { return c.answer(m, e.encode()) }

func (c *conn) answer(m message, packets ...[]byte) error {
	if err := m.rest.discard(); err != nil {
		return err
	}
	for _, b := range packets {
		if err := c.client.write(b); err != nil {
			return err
		}
	}
	return c.client.w.Flush()
}

// send passes a request to the backend.
func (c *conn) send(m message) error {
	c.backend.reset()
	if err := c.backend.forward(m.head, m.rest); err != nil {
		if c.backend.writeFailed() {
			return &backendLost{err}
		}
		return err // the client's own
	}
	if err := c.backend.w.Flush(); err != nil {
		return &backendLost{err}
	}
	return nil
}

// exchange passes a request to the backend and waits for its answer to begin.
func (c *conn) exchange(m message) error {
	if err := c.send(m); err != nil {
		// A server that refuses a message says so and closes: read why.
		if c.watch.wait() != nil {
			return err
		}
		return nil
	}
	if err := c.watch.wait(); err != nil {
		return &backendLost{err}
	}
	return nil
}

// begin describes a request for the Handler.
func (c *conn) begin(cmd Command, sql string) *Statement {
	return &Statement{Conn: c.id, BackendConn: c.backend.id, Command: cmd, Database: c.database, SQL: sql, Started: time.Now(), ctx: c.ctx}
}

func (c *conn) decide(st *Statement) Verdict {
	if c.session.Handler == nil {
		return Verdict{}
	}
	v := c.session.Handler.Statement(st)
	if c.maxRows = c.session.MaxRows; v.AnyRows {
		c.maxRows = 0
	}
	return v
}

// finish tells the Handler the outcome, before the client can know it.
func (c *conn) finish(st *Statement) {
	st.finished = true
	st.Took = time.Since(st.Started)
	st.InTransaction = c.status&statusInTransaction != 0
	st.args = nil
	if c.session.Handler != nil {
		c.session.Handler.Finished(st)
	}
}

// lost finishes a statement whose answer will not come, if err says so.
func (c *conn) lost(st *Statement, err error) error {
	if err != nil && !st.finished {
		if st.Err = c.parting(err); st.Err == nil {
			st.Err = &Error{Number: 2013, Message: "Lost connection to MySQL server during query: " + err.Error()}
		}
		c.finish(st)
	}
	return err
}

// decided answers a request with the Handler's verdict, if it has one. For a
// prepared statement rows go in the binary form.
func (c *conn) decided(m message, st *Statement, v Verdict, binary bool) (done bool, err error) {
	switch {
	case v.Err != nil:
		st.Err = v.Err
		c.finish(st)
		return true, c.refuse(m, v.Err)
	case v.Result != nil:
		st.Rows = uint64(len(v.Result.Rows))
		st.Results = []ResultInfo{{Rows: st.Rows}}
		c.finish(st)
		return true, c.answer(m, v.Result.encode(c.caps.has(clientDeprecateEOF), binary, c.status)...)
	case v.OK:
		st.Results = []ResultInfo{{}}
		c.finish(st)
		return true, c.answer(m, okPacket{status: c.status, warnings: v.Warnings}.encode(headOK))
	}
	return false, nil
}

func (c *conn) query(m message) error {
	st := c.begin(Query, m.text())
	st.Truncated = m.rest.more()
	if done, err := c.decided(m, st, c.decide(st), false); done {
		return err
	}
	name, isUse := useName(st.SQL)
	if isUse && !st.Truncated && c.session.MapDatabase != nil {
		m.head = append([]byte{byte(Query)}, "USE "+quoteName(c.mapped(name))...)
		m.rest.size = len(m.head)
	}
	if err := c.exchange(m); err != nil {
		return c.lost(st, err)
	}
	m.head = nil // the text may be long, and the answer takes its time
	if err := c.relay(st); err != nil {
		return c.lost(st, err)
	}
	if isUse && st.Err == nil {
		c.database = name
	}
	return nil
}

func (c *conn) initDB(m message) error {
	st := c.begin(InitDB, m.text())
	if done, err := c.decided(m, st, c.decide(st), false); done {
		return err
	}
	if m.rest.more() {
		return c.refuse(m, &Error{Number: 1102, State: "42000", Message: "Incorrect database name"})
	}
	m.head = append([]byte{byte(InitDB)}, c.mapped(st.SQL)...)
	m.rest.size = len(m.head)
	if err := c.simple(m, st); err != nil {
		return err
	}
	if st.Err == nil {
		c.database = st.SQL
	}
	return nil
}

func (c *conn) resetConnection(m message) error {
	st := c.begin(ResetConnection, "")
	if done, err := c.decided(m, st, c.decide(st), false); done {
		return err
	}
	if err := c.simple(m, st); err != nil {
		return err
	}
	if st.Err == nil {
		c.prepared = map[uint32]*prepared{}
	}
	return nil
}
