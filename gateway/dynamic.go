package gateway

import "strings"

// setting is a SET: of the session, of the server, or MariaDB's SET STATEMENT
// before another statement.
func (c *classifier) setting(sql string, w *words) kind {
	switch {
	case w.t.oneOf("GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "ROLE", "DEFAULT", "RESOURCE"):
		return kind{class: Other}
	case w.t.is("STATEMENT"):
		if len(sql) <= longText && w.seek("FOR") {
			w.advance()
			return c.classify(w.rest())
		}
	}
	lower := strings.ToLower(sql[:min(len(sql), 200)])
	if strings.Contains(lower, "@@global.") || strings.Contains(lower, "@@persist") {
		return kind{class: Other}
	}
	k := kind{class: Session}
	if mentionsLock(sql) && callsLock(sql) {
		k.class = Lock
	}
	k.assigns, k.inner = c.assignments(&words{lexer: &lexer{sql: sql}}, func(t token) bool { return t.oneOf("SET", ",") })
	return k
}

// assignments lists the user variables that a statement sets, and what the
// strings in it would do as SQL: the one that matters most.
func (c *classifier) assignments(w *words, before func(token) bool) (names []string, inner *kind) {
	ready := false
	for t := w.advance(); t.kind != endOfText; t = w.advance() {
		switch {
		case t.is("@") && !strings.HasPrefix(w.sql[w.at:], "@"):
			target := ready
			name := strings.ToLower(w.advance().value())
			if rest := strings.TrimLeft(w.sql[w.at:], " \t\r\n"); target || strings.HasPrefix(rest, ":=") {
				names = append(names, name)
			}
			ready = false
			continue
		case t.kind == text:
			if k := c.guess(t.value()); inner == nil || weight(k.class) < weight(inner.class) {
				inner = &k
			}
		}
		ready = before(t)
	}
	return names, inner
}

// guess classifies a string that may be SQL, or the beginning of it.
func (c *classifier) guess(s string) kind {
	if !strings.ContainsAny(s, " \t\n") {
		return kind{class: Read}
	}
	return c.byWords(s)
}

// dynamic is PREPARE, EXECUTE and what belongs to them.
func (c *classifier) dynamic(first string, w *words) kind {
	k := kind{class: Session}
	immediate := first == "EXECUTE" && w.t.is("IMMEDIATE")
	name := strings.ToLower(w.t.value())
	w.advance()
	switch {
	case first == "EXECUTE" && !immediate:
		return kind{class: Other, executes: name}
	case first == "DEALLOCATE":
		return k
	}
	if !immediate {
		k.prepares = name
		if w.t.is("FROM") {
			w.advance()
		}
	} else {
		k = kind{class: Other}
	}
	switch {
	case w.t.kind == text:
		inner := c.classify(w.t.value())
		k.inner = &inner
	case w.t.is("@"):
		k.source = strings.ToLower(w.advance().value())
	}
	if immediate {
		k.executes = "immediate"
	}
	return k
}
