package gateway

import "strings"

// byWords classifies a statement by its first words. It serves what the parser
// does not know, and everything too long for it.
func (c *classifier) byWords(sql string) kind {
	w := &words{lexer: &lexer{sql: sql}}
	for w.advance(); w.t.is("("); w.advance() {
	}
	first := strings.ToUpper(w.t.value())
	if w.t.kind != word {
		return kind{class: Other}
	}
	w.advance()
	switch first {
	case "INSERT", "REPLACE":
		w.skipWords("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO")
		return c.written(one(w.name()))
	case "UPDATE":
		w.skipWords("LOW_PRIORITY", "IGNORE")
		return c.written(w.names("SET"))
	case "DELETE":
		w.skipWords("LOW_PRIORITY", "QUICK", "IGNORE", "FROM")
		return c.written(w.names("WHERE", "USING", "FROM", "ORDER", "LIMIT", "RETURNING"))
	case "LOAD":
		if !w.seek("TABLE") {
			return kind{class: Other} // LOAD INDEX INTO CACHE
		}
		w.advance()
		return c.written(one(w.name()))
	case "TRUNCATE":
		w.skipWords("TABLE")
		return c.written(one(w.name()))
	case "WITH":
		if w.seek("UPDATE", "DELETE", "SELECT", "VALUES", "TABLE") {
			return c.byWords(w.rest())
		}
		return kind{class: Read}
	case "SELECT", "VALUES", "TABLE":
		return c.query(sql)
	case "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "HELP", "HANDLER", "CHECKSUM", "CHECK":
		return kind{class: Read}
	case "ANALYZE":
		// MariaDB's ANALYZE statement carries the statement out.
		if w.t.oneOf("FORMAT") {
			w.seek("INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT")
		}
		if w.t.oneOf("INSERT", "REPLACE", "UPDATE", "DELETE", "SELECT") {
			return c.byWords(w.rest())
		}
		return kind{class: Other}
	case "CREATE", "ALTER", "DROP", "RENAME":
		return c.definition(first, w)
	case "SET":
		return c.setting(sql, w)
	case "USE":
		return kind{class: Session}
	case "BEGIN":
		if w.t.is("NOT") {
			return kind{class: Other, calls: true}
		}
		return kind{class: Transaction}
	case "START":
		if w.t.is("TRANSACTION") {
			return kind{class: Transaction}
		}
	case "COMMIT", "ROLLBACK", "SAVEPOINT", "XA":
		return kind{class: Transaction}
	case "RELEASE":
		return kind{class: Transaction}
	case "LOCK", "UNLOCK":
		return kind{class: Lock}
	case "DO":
		if mentionsLock(sql) {
			return kind{class: Lock}
		}
		return kind{class: Session}
	case "PREPARE", "EXECUTE", "DEALLOCATE":
		return c.dynamic(first, w)
	case "CALL":
		return kind{class: Other, calls: true}
	}
	return kind{class: Other}
}

// query is a SELECT or its like; one INTO @variable may hold SQL for later.
func (c *classifier) query(sql string) kind {
	k := kind{class: Read}
	if mentionsLock(sql) && callsLock(sql) {
		k.class = Lock
	}
	if !strings.Contains(sql, "@") {
		return k
	}
	assigned := func(t token) bool { return t.is("INTO") }
	k.assigns, k.inner = c.assignments(&words{lexer: &lexer{sql: sql}}, assigned)
	return k
}

// callsLock says whether a text calls GET_LOCK or one of its family.
func callsLock(sql string) bool {
	l := &lexer{sql: sql}
	for t := l.next(); t.kind != endOfText; t = l.next() {
		if t.oneOf("GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS", "IS_FREE_LOCK", "IS_USED_LOCK") {
			return true
		}
	}
	return false
}
