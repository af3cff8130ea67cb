package mysqlproxy

import "strings"

// Statements that the Handler answers get ids that no backend reaches.
const (
	firstLocal  = 0xf0000000
	maxPrepared = 16382 // MySQL's own limit, for those that no backend counts
	maxKept     = 1 << 20
)

// prepared is a statement the client has prepared.
type prepared struct {
	sql       string
	truncated bool
	params    int
	types     []byte         // two bytes for each parameter, kept from the Execute that sent them
	long      map[int][]byte // what SEND_LONG_DATA brought, for local statements
	local     bool           // the backend does not know it
}

// prepare passes a statement to the backend, or makes one of its own if the
// Handler will answer it.
func (c *conn) prepare(m message) error {
	st := c.begin(Prepare, m.text())
	st.Truncated = m.rest.more()
	p := &prepared{sql: st.SQL, truncated: st.Truncated}
	if len(p.sql) > maxKept {
		p.sql, p.truncated = strings.Clone(p.sql[:maxKept]), true
	}
	v := c.decide(st)
	if v.Err == nil && (v.Result != nil || v.OK) {
		return c.prepareLocal(m, st, v, p)
	}
	if done, err := c.decided(m, st, v, false); done {
		return err
	}
	if err := c.exchange(m); err != nil {
		return c.lost(st, err)
	}
	return c.lost(st, c.relayPrepare(st, p))
}

func (c *conn) relayPrepare(st *Statement, p *prepared) error {
	if _, _, err := c.next(); err != nil {
		return err
	}
	b, err := c.reply()
	if err != nil {
		return err
	}
	f := newFields(b)
	switch f.byte() {
	case headErr:
		st.Err = parseErr(b)
	case headOK:
		id := f.uint32()
		columns := f.uint16()
		p.params = int(f.uint16())
		if !f.ok {
			return &backendLost{malformed("an answer of %d bytes to a prepare", len(b))}
		}
		c.prepared[id] = p
		c.finish(st)
		if err := c.client.write(b); err != nil {
			return err
		}
		for _, count := range []uint64{uint64(p.params), uint64(columns)} {
			if count == 0 {
				continue
			}
			if _, _, err := c.columns(count); err != nil {
				return err
			}
		}
		return c.client.w.Flush()
	default:
		return &backendLost{malformed("an answer of kind 0x%02x to a prepare", b[0])}
	}
	c.finish(st)
	return c.client.writeFlush(b)
}

func (c *conn) prepareLocal(m message, st *Statement, v Verdict, p *prepared) error {
	if len(c.prepared) >= maxPrepared {
		v = Verdict{Err: &Error{Number: 1461, State: "42000", Message: "Can't create more prepared statements"}}
		_, err := c.decided(m, st, v, false)
		return err
	}
	p.local, p.params = true, countParams(st.SQL)
	c.lastLocal++
	id := firstLocal + c.lastLocal
	c.prepared[id] = p
	result := v.Result
	if result == nil {
		result = &Result{}
	}
	c.finish(st)
	return c.answer(m, result.encodePrepared(id, p.params, c.caps.has(clientDeprecateEOF), c.status)...)
}

func (c *conn) execute(m message) error {
	f := newFields(m.head[1:])
	id := f.uint32()
	p := c.prepared[id]
	if p == nil {
		return c.refuse(m, unknownStatement("EXECUTE"))
	}
	p.noteTypes(m.head)
	st := c.begin(Execute, p.sql)
	st.Truncated = p.truncated
	st.args = func() ([]Arg, error) { return p.args(m.head) }
	v := c.decide(st)
	st.args = nil
	if p.local {
		p.long = nil
		if v == (Verdict{}) {
			v.Err = &Error{Number: 1295, Message: "This command is not supported in the prepared statement protocol yet"}
		}
	}
	if done, err := c.decided(m, st, v, true); done {
		return err
	}
	if err := c.exchange(m); err != nil {
		return c.lost(st, err)
	}
	return c.lost(st, c.relay(st))
}

// onPrepared carries out the commands that only concern one prepared
// statement and that the Handler is not asked about.
func (c *conn) onPrepared(cmd Command, m message) error {
	id := newFields(m.head[1:]).uint32()
	p := c.prepared[id]
	local := p != nil && p.local
	switch cmd {
	case closeStmt:
		delete(c.prepared, id)
		if p == nil || local {
			return m.rest.discard()
		}
		return c.send(m) // never answered
	case sendLongData:
		if local {
			p.addLong(m.head)
		}
		if p == nil || local {
			return m.rest.discard()
		}
		return c.send(m) // never answered; an error comes with the execute
	}
	if p == nil {
		return c.refuse(m, unknownStatement(cmd.String()))
	}
	if cmd == resetStmt {
		if local {
			p.long = nil
			return c.answer(m, okPacket{status: c.status}.encode(headOK))
		}
		return c.simple(m, nil)
	}
	if local {
		return c.refuse(m, &Error{Number: 1421, Message: "The statement has no open cursor"})
	}
	return c.fetch(m)
}

// fetch passes on rows of a cursor.
func (c *conn) fetch(m message) error {
	if err := c.exchange(m); err != nil {
		return err
	}
	var info ResultInfo
	_, first, err := c.next()
	if err != nil {
		return err
	}
	var end ending
	if first == headErr {
		end, err = c.shortReply(&info)
	} else {
		end, err = c.rows(&info)
	}
	if err != nil {
		return err
	}
	return c.client.writeFlush(end.packet)
}

func unknownStatement(command string) *Error {
	return &Error{Number: 1243, Message: "Unknown prepared statement handler given to " + command}
}

// simple passes a request whose answer is one OK, ERR or end-of-rows packet.
func (c *conn) simple(m message, st *Statement) error {
	if err := c.exchange(m); err != nil {
		return c.lostIf(st, err)
	}
	var info ResultInfo
	end, err := c.shortReply(&info)
	if err != nil {
		return c.lostIf(st, err)
	}
	if st != nil {
		st.Err = info.Err
		st.Results = []ResultInfo{info}
		c.finish(st)
	}
	return c.client.writeFlush(end.packet)
}

func (c *conn) lostIf(st *Statement, err error) error {
	if st == nil {
		return err
	}
	return c.lost(st, err)
}
