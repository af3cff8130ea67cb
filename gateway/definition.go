package gateway

import (
	"slices"
	"strings"
)

// definition is a CREATE, ALTER, DROP or RENAME.
func (c *classifier) definition(first string, w *words) kind {
	k := kind{class: DDL}
	for {
		switch {
		case w.t.is("TEMPORARY"):
			k.class, k.temporary = Session, true
		case w.t.oneOf("OR", "REPLACE", "UNIQUE", "FULLTEXT", "SPATIAL", "ONLINE", "OFFLINE", "IGNORE", "AGGREGATE", "UNDO"):
		case w.t.oneOf("ALGORITHM", "DEFINER", "SQL"):
			// CREATE ALGORITHM = x DEFINER = u@h SQL SECURITY y VIEW
			if !w.seek("VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT") {
				return k
			}
			continue
		default:
			return c.defined(first, w, k)
		}
		w.advance()
	}
}

func (c *classifier) defined(first string, w *words, k kind) kind {
	object := strings.ToUpper(w.t.value())
	w.advance()
	w.skipWords("IF", "NOT", "EXISTS")
	switch object {
	case "TABLE", "TABLES":
		return c.table(first, w, k)
	case "VIEW":
		if first == "DROP" {
			k.tables = w.names("RESTRICT", "CASCADE")
		} else {
			k.tables = one(w.name())
		}
	case "INDEX":
		if w.seek("ON") {
			w.advance()
			k.tables = one(w.name())
		}
	case "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "DATABASE", "SCHEMA", "SEQUENCE":
	default:
		return kind{class: Other} // users, servers, tablespaces
	}
	return k
}

func (c *classifier) table(first string, w *words, k kind) kind {
	switch first {
	case "DROP":
		k.tables = w.names("RESTRICT", "CASCADE")
		k.drops = k.tables
		return k
	case "RENAME":
		for n := w.name(); n != ""; n = w.name() {
			k.tables = addNew(k.tables, n)
			w.skipWords(",", "TO")
		}
		return k
	}
	name := w.name()
	k.tables = one(name)
	if first == "ALTER" {
		return k
	}
	if k.temporary {
		k.creates = name
		return k
	}
	// CREATE TABLE ... SELECT brings rows, wherever the SELECT stands. One that
	// can have none only copies the definition.
	if c.selects(w) && !never(w.sql) {
		k = c.written(k.tables)
		k.schema = true
	}
	return k
}

// selects looks for the query of a CREATE TABLE, whether in parentheses or not.
func (c *classifier) selects(w *words) bool {
	previous := token{}
	for depth := 0; w.t.kind != endOfText; w.advance() {
		switch {
		case w.t.is("SELECT") && (depth == 0 || previous.is("(")): // neither a default nor a check can hold a query
			return true
		case depth == 0 && (w.t.is("VALUES") || w.t.is("TABLE") && previous.is("AS")):
			return true
		}
		depth += nesting(w.t)
		previous = w.t
	}
	return false
}

// never recognizes the idioms for "no rows".
func never(sql string) bool {
	words := strings.Fields(strings.ToLower(strings.TrimRight(strings.TrimSpace(sql), "; ")))
	tail := strings.Join(words[max(0, len(words)-4):], " ")
	return slices.ContainsFunc([]string{"limit 0", "where 1=0", "where 1 = 0", "where false", "where 0"}, func(s string) bool {
		return strings.HasSuffix(tail, s)
	})
}
