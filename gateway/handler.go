package gateway

import (
	"fmt"

	"github.com/pmig/pmig/mysqlproxy"
)

// handler sees the statements of one client connection.
type handler struct {
	g     *Gateway
	state *state
}

// Statement lets everything through but lock calls, which it answers, and the
// classes the owner refuses.
func (h *handler) Statement(s *mysqlproxy.Statement) mysqlproxy.Verdict {
	switch s.Command {
	case mysqlproxy.Query, mysqlproxy.Prepare, mysqlproxy.Execute:
	default:
		return mysqlproxy.Verdict{}
	}
	if len(h.g.options.Refuse) > 0 {
		if e := h.refused(s); e != nil {
			return mysqlproxy.Verdict{Err: e}
		}
	}
	q := h.g.classifier.lockQuery(s.SQL)
	switch {
	case q == nil:
		return mysqlproxy.Verdict{}
	case s.Command == mysqlproxy.Prepare:
		return q.result(nil)
	}
	args, err := s.Args()
	if err != nil {
		return mysqlproxy.Verdict{Err: &mysqlproxy.Error{Number: 1210, Message: "Incorrect arguments to EXECUTE: " + err.Error()}}
	}
	v := &evaluation{locks: &h.g.locks, st: s, args: args}
	values, e := v.all(q.exprs...)
	if e != nil {
		return mysqlproxy.Verdict{Err: e}
	}
	return q.result(values)
}

// refused says why a text may not pass, looking at its statements in order as
// if each succeeded.
func (h *handler) refused(s *mysqlproxy.Statement) *mysqlproxy.Error {
	ahead := h.state.clone()
	for _, part := range split(s.SQL) {
		k := h.g.classifier.classify(part)
		if found := ahead.resolve(k); h.g.refuses(found.class) || found.schema && h.g.refuses(DDL) {
			return &mysqlproxy.Error{Number: 1105, Message: fmt.Sprintf("pmig does not let statements of class %s pass here: %.100s", found.class, part)}
		}
		ahead.apply(k)
	}
	return nil
}

// Finished records a statement with its outcome.
func (h *handler) Finished(s *mysqlproxy.Statement) {
	out := *s
	switch s.Command {
	case mysqlproxy.Prepare:
		if s.Err != nil {
			h.one(out)
		}
	case mysqlproxy.Query:
		h.several(out)
	case mysqlproxy.Execute:
		h.one(out)
	case mysqlproxy.InitDB:
		out.SQL = "USE " + s.SQL
		h.g.record(Statement{Statement: out, Class: Session})
	case mysqlproxy.FieldList:
		out.SQL = "SHOW COLUMNS FROM " + s.SQL
		h.g.record(Statement{Statement: out, Class: Read, Tables: []string{s.SQL}})
	case mysqlproxy.ResetConnection:
		if s.Err == nil {
			h.g.locks.releaseAll(s.Conn)
			h.state = newState()
		}
	}
}

// one records a single statement.
func (h *handler) one(s mysqlproxy.Statement) {
	k := h.g.classifier.classify(s.SQL)
	found := h.state.resolve(k)
	if found.class == Other && k.mayWrite() && s.Affected > 0 {
		// What ran is not known, but that it changed rows is.
		found.class = Data
	}
	if s.Err == nil {
		h.state.apply(k)
	}
	h.g.record(Statement{Statement: s, Class: found.class, Tables: found.tables, Schema: found.schema})
}

// several records each statement of a text with its own result.
func (h *handler) several(s mysqlproxy.Statement) {
	parts := split(s.SQL)
	if len(parts) < 2 {
		h.one(s)
		return
	}
	results := s.Results
	for i, part := range parts {
		p := s
		p.SQL, p.Results, p.Err = part, nil, nil
		p.Truncated = s.Truncated && i == len(parts)-1
		p.Took, p.Affected, p.LastInsertID, p.Rows = 0, 0, 0, 0
		own := results[min(i, len(results)):min(i+1, len(results))]
		if i == len(parts)-1 {
			own = results[min(i, len(results)):] // a CALL has several
		}
		for _, r := range own {
			p.Took += r.Took
			p.Affected += r.Affected
			p.LastInsertID = r.LastInsertID
			p.Rows += r.Rows
			p.Err = r.Err
		}
		if s.Err != nil && len(own) == 0 {
			if i == len(results) {
				p.Err = s.Err // the connection was lost here
				h.one(p)
			}
			return // the rest was not carried out
		}
		h.one(p)
		if p.Err != nil {
			return
		}
	}
}
