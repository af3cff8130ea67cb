package gateway

// words reads a statement by its keywords alone.
type words struct {
	*lexer
	t token // the one in hand
}

func (w *words) advance() token {
	w.t = w.next()
	return w.t
}

// skipWords moves past any of these.
func (w *words) skipWords(any ...string) {
	for w.t.oneOf(any...) {
		w.advance()
	}
}

// name reads a table's name, maybe qualified.
func (w *words) name() string {
	if w.t.kind != word && w.t.kind != quotedName && w.t.kind != text {
		return ""
	}
	name := w.t.value()
	for w.advance(); w.t.is("."); w.advance() {
		name += "." + w.advance().value()
	}
	return name
}

// names reads a list of tables, skipping aliases, up to a word that ends it.
func (w *words) names(stop ...string) (out []string) {
	for {
		n := w.name()
		if n == "" {
			return out
		}
		out = addNew(out, n)
		for depth := 0; w.t.kind != endOfText && (depth > 0 || !w.t.is(",") && !w.t.oneOf(stop...)); w.advance() {
			depth += nesting(w.t)
			if depth == 0 && w.t.is("JOIN") {
				break
			}
		}
		if !w.t.oneOf(",", "JOIN") {
			return out
		}
		w.advance()
	}
}

func nesting(t token) int {
	switch {
	case t.is("("):
		return 1
	case t.is(")"):
		return -1
	}
	return 0
}

// seek moves to the next of these words outside parentheses.
func (w *words) seek(any ...string) bool {
	for depth := 0; w.t.kind != endOfText; w.advance() {
		if depth == 0 && w.t.oneOf(any...) {
			return true
		}
		depth = max(0, depth+nesting(w.t))
	}
	return false
}

// rest is the text from the token in hand.
func (w *words) rest() string { return w.sql[w.t.start:] }

func one(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}
