package gateway

import "strings"

// lexer cuts SQL into tokens the way MySQL does, as far as that is needed to
// find where statements end and what they begin with. It never fails: what it
// does not know is a mark of one byte.
type lexer struct {
	sql string
	at  int
	// inHint is set inside /*! ... */, whose content is executed.
	inHint bool
}

type tokenKind byte

const (
	endOfText tokenKind = iota
	word                // keyword, bare name or number
	quotedName
	text // 'string' or "string"
	mark // one byte
)

type token struct {
	kind       tokenKind
	start, end int
	sql        string // the whole text
}

// raw is the token as it stands.
func (t token) raw() string { return t.sql[t.start:t.end] }

// is says whether the token is this keyword or mark.
func (t token) is(s string) bool {
	return (t.kind == word || t.kind == mark) && strings.EqualFold(t.raw(), s)
}

func (t token) oneOf(words ...string) bool {
	for _, w := range words {
		if t.is(w) {
			return true
		}
	}
	return false
}

// value is a name or string without its quotes.
func (t token) value() string {
	s := t.raw()
	if t.kind != quotedName && t.kind != text || len(s) < 2 {
		return s
	}
	quote := s[:1]
	s = strings.TrimSuffix(s[1:], quote)
	s = strings.ReplaceAll(s, quote+quote, quote)
	if t.kind == text && strings.Contains(s, `\`) {
		s = unescape(s)
	}
	return s
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			case '0':
				c = 0
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isSpace(c byte) bool { return c <= ' ' }

// next gives the next token that is neither space nor comment.
func (l *lexer) next() token {
	for l.skip() {
	}
	t := token{sql: l.sql, start: l.at, end: l.at}
	if l.at >= len(l.sql) {
		return t
	}
	switch c := l.sql[l.at]; {
	case c == '\'' || c == '"':
		t.kind = text
		l.quoted(c, true)
	case c == '`':
		t.kind = quotedName
		l.quoted(c, false)
	case isWord(c):
		t.kind = word
		for l.at < len(l.sql) && isWord(l.sql[l.at]) {
			l.at++
		}
	default:
		t.kind = mark
		l.at++
	}
	t.end = l.at
	return t
}

// quoted moves past a quoted part; one that is not closed goes to the end.
func (l *lexer) quoted(quote byte, escapes bool) {
	for l.at++; l.at < len(l.sql); l.at++ {
		switch c := l.sql[l.at]; {
		case c == '\\' && escapes:
			l.at++
		case c == quote && l.at+1 < len(l.sql) && l.sql[l.at+1] == quote:
			l.at++
		case c == quote:
			l.at++
			return
		}
	}
	l.at = len(l.sql)
}

// skip moves past one space or comment and says whether there was any.
func (l *lexer) skip() bool {
	rest := l.sql[l.at:]
	switch {
	case rest == "":
		return false
	case isSpace(rest[0]):
		l.at++
		return true
	case rest[0] == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || isSpace(rest[2])):
		l.to("\n")
		return true
	case l.inHint && strings.HasPrefix(rest, "*/"):
		l.inHint = false
		l.at += 2
		return true
	case strings.HasPrefix(rest, "/*!"), strings.HasPrefix(rest, "/*M!"):
		l.inHint = true
		l.at += strings.IndexByte(rest, '!') + 1
		for l.at < len(l.sql) && l.sql[l.at] >= '0' && l.sql[l.at] <= '9' {
			l.at++
		}
		return true
	case strings.HasPrefix(rest, "/*"):
		l.at += 2
		l.to("*/")
		return true
	}
	return false
}

// to moves past the next occurrence of s, or to the end.
func (l *lexer) to(s string) {
	i := strings.Index(l.sql[l.at:], s)
	if i < 0 {
		l.at = len(l.sql)
		return
	}
	l.at += i + len(s)
}
