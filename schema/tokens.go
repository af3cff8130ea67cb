package schema

import "strings"

// tokenKind tells the tokens of a DDL statement apart as far as moving pieces of it around needs.
type tokenKind int

const (
	tokenSpace  tokenKind = iota // white space, and comments that are only comments
	tokenWord                    // a keyword, a bare name or a number
	tokenName                    // `a quoted name`
	tokenString                  // 'text' or "text"
	tokenMark                    // the start or end of a comment that a server executes: /*!50100 and */
	tokenSign                    // one character
)

// token is a piece of the text: text[start:end].
type token struct {
	kind       tokenKind
	start, end int
}

// scan splits SQL into tokens that cover it entirely. It never fails: what is not closed ends with the text.
func scan(text string) []token {
	var tokens []token
	marks := 0
	for i := 0; i < len(text); {
		start, kind := i, tokenSign
		switch c := text[i]; {
		case isSpace(c):
			kind = tokenSpace
			for i < len(text) && isSpace(text[i]) {
				i++
			}
		case c == '`':
			kind = tokenName
			i = closeQuote(text, i, false)
		case c == '\'' || c == '"':
			kind = tokenString
			i = closeQuote(text, i, true)
		case c == '#', c == '-' && strings.HasPrefix(text[i:], "--") && (i+2 == len(text) || isSpace(text[i+2])):
			kind = tokenSpace
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case strings.HasPrefix(text[i:], "/*!"), strings.HasPrefix(text[i:], "/*M!"):
			kind = tokenMark
			i += strings.IndexByte(text[i:], '!') + 1
			for i < len(text) && text[i] >= '0' && text[i] <= '9' {
				i++
			}
			marks++
		case strings.HasPrefix(text[i:], "/*"):
			kind = tokenSpace
			if n := strings.Index(text[i+2:], "*/"); n >= 0 {
				i += n + 4
			} else {
				i = len(text)
			}
		case marks > 0 && strings.HasPrefix(text[i:], "*/"):
			kind = tokenMark
			i += 2
			marks--
		case isWord(c):
			kind = tokenWord
			for i < len(text) && isWord(text[i]) {
				i++
			}
		default:
			i++
		}
		tokens = append(tokens, token{kind, start, i})
	}
	return tokens
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// closeQuote is the place after the quoted text that begins at i. A doubled quote stands for one.
func closeQuote(text string, i int, backslash bool) int {
	q := text[i]
	for i++; i < len(text); i++ {
		switch {
		case backslash && text[i] == '\\':
			i++
		case text[i] == q && i+1 < len(text) && text[i+1] == q:
			i++
		case text[i] == q:
			return i + 1
		}
	}
	return len(text)
}

// statement is a text with the tokens that mean something in it.
type statement struct {
	text   string
	tokens []token // without tokenSpace
}

func newStatement(text string) statement {
	var tokens []token
	for _, t := range scan(text) {
		if t.kind != tokenSpace {
			tokens = append(tokens, t)
		}
	}
	return statement{text, tokens}
}

// at is the text of token i, or nothing beyond the end.
func (s statement) at(i int) string {
	if i < 0 || i >= len(s.tokens) {
		return ""
	}
	return s.text[s.tokens[i].start:s.tokens[i].end]
}

// word says whether token i is one of these keywords.
func (s statement) word(i int, keywords ...string) bool {
	if i < 0 || i >= len(s.tokens) || s.tokens[i].kind != tokenWord {
		return false
	}
	for _, k := range keywords {
		if strings.EqualFold(s.at(i), k) {
			return true
		}
	}
	return false
}

// sign says whether token i is this character.
func (s statement) sign(i int, c byte) bool {
	return i >= 0 && i < len(s.tokens) && s.tokens[i].kind == tokenSign && s.text[s.tokens[i].start] == c
}

// closing is the index of the token that closes the parenthesis at token i, or the number of tokens.
func (s statement) closing(i int) int {
	depth := 0
	for ; i < len(s.tokens); i++ {
		switch {
		case s.sign(i, '('):
			depth++
		case s.sign(i, ')'):
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s.tokens)
}

// name is the name that token i spells, unquoted.
func (s statement) name(i int) (string, bool) {
	if i < 0 || i >= len(s.tokens) {
		return "", false
	}
	switch t := s.at(i); s.tokens[i].kind {
	case tokenWord:
		return t, true
	case tokenName:
		return strings.ReplaceAll(strings.Trim(t, "`"), "``", "`"), len(t) > 2
	}
	return "", false
}

// quote is the name in backticks.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
