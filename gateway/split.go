package gateway

// split cuts a text into its statements, without the semicolons. Pieces that
// hold nothing but comments are left out. The body of a trigger or routine
// stays in one piece.
func split(sql string) []string {
	var parts []string
	l := &lexer{sql: sql}
	start, empty := 0, true
	var body compound
	for {
		t := l.next()
		if t.kind == endOfText || t.is(";") && body.open() == 0 {
			if !empty {
				parts = append(parts, sql[start:t.start])
			}
			if t.kind == endOfText {
				return parts
			}
			start, empty, body = t.end, true, compound{}
			continue
		}
		empty = false
		body.see(t)
	}
}

// compound follows the blocks of a stored program's body, in which a semicolon
// does not end the statement.
type compound struct {
	seen    int
	program bool // a CREATE or ALTER of something with a body, or MariaDB's BEGIN NOT ATOMIC
	begins  bool // the first word was BEGIN
	depth   int
	fresh   bool // the next token begins a statement of the body
	ending  bool // the last token was END
}

func (c *compound) open() int { return c.depth }

func (c *compound) see(t token) {
	c.seen++
	switch {
	case c.seen == 1:
		c.program, c.begins = false, t.is("BEGIN")
		c.fresh = t.oneOf("CREATE", "ALTER")
		return
	case !c.program:
		switch {
		case c.begins && c.seen == 2 && t.is("NOT"):
			c.program, c.depth = true, 1
		case c.fresh && c.seen < 40 && t.oneOf("TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"):
			c.program = true
		case c.fresh && t.oneOf("TABLE", "VIEW", "INDEX", "DATABASE", "SCHEMA", "USER"):
			c.fresh = false
		}
		return
	}
	fresh, ending := c.fresh, c.ending
	c.fresh, c.ending = false, false
	switch {
	case ending && t.oneOf("IF", "LOOP", "WHILE", "REPEAT", "CASE"):
		// the second word of END IF: the depth is counted down already
	case t.is("END"):
		c.depth = max(0, c.depth-1)
		c.ending = true
	case t.oneOf("BEGIN", "CASE"):
		c.depth++
		c.fresh = t.is("BEGIN")
	case fresh && t.oneOf("IF", "LOOP", "WHILE", "REPEAT"):
		c.depth++
		c.fresh = t.oneOf("LOOP", "REPEAT")
	case t.oneOf(";", "THEN", "ELSE", "DO", "ROW", ":"):
		c.fresh = true
	}
}
