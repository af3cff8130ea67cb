package emulator

import "strings"

// segment is a stretch of SQL text: code, a quoted string or name, or a comment.
type segment int

const (
	code segment = iota
	quoted
	comment
	executed // /*! ... */: a comment that the server runs
)

// segments walks over a text until each says false; it is what a tokenizer sees before it knows any word. Text that ends in the
// middle of a string or comment is a segment like any other.
func segments(text string, each func(segment, string) bool) {
	start, more := 0, true
	emit := func(kind segment, end int) {
		if more && end > start {
			more = each(kind, text[start:end])
		}
		start = end
	}
	for i := 0; more && i < len(text); {
		rest := text[i:]
		switch {
		case rest[0] == '\'' || rest[0] == '"' || rest[0] == '`':
			emit(code, i)
			i += quotedLength(rest)
			emit(quoted, i)
		case strings.HasPrefix(rest, "/*"):
			emit(code, i)
			length := len(rest)
			if end := strings.Index(rest[2:], "*/"); end >= 0 {
				length = end + 4
			}
			i += length
			if strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!") {
				emit(executed, i)
			} else {
				emit(comment, i)
			}
		case rest[0] == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
			emit(code, i)
			length := len(rest)
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				length = end
			}
			i += length
			emit(comment, i)
		default:
			i++
		}
	}
	if more {
		emit(code, len(text))
	}
}

// quotedLength is the length of the string or quoted name that a text begins with.
func quotedLength(text string) int {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote != '`':
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return len(text)
}

// openComments takes the wrapping off comments that a server may run, whatever their version, and drops all others: what stands in
// them must be judged like any other text.
func openComments(text string) string {
	if !strings.Contains(text, "/*") && !strings.ContainsAny(text, "#") && !strings.Contains(text, "--") {
		return text
	}
	var b strings.Builder
	segments(text, func(s segment, part string) bool {
		switch s {
		case comment:
			b.WriteByte(' ')
		case executed:
			part = strings.TrimSuffix(part, "*/")
			part = strings.TrimLeft(part[strings.IndexByte(part, '!')+1:], "0123456789")
			b.WriteString(" " + openComments(part) + " ")
		default:
			b.WriteString(part)
		}
		return true
	})
	return b.String()
}

// splitFirst takes the first statement off a text with several. (The parser's own splitter panics on some broken strings.)
func splitFirst(text string) (first, rest string) {
	at, end := 0, -1
	segments(text, func(s segment, part string) bool {
		if s == code {
			if i := strings.IndexByte(part, ';'); i >= 0 {
				end = at + i
			}
		}
		at += len(part)
		return end < 0
	})
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimSpace(text[end+1:])
}

// withoutStrings leaves the quoted parts of a text out.
func withoutStrings(text string) string {
	var b strings.Builder
	segments(text, func(s segment, part string) bool {
		if s == code {
			b.WriteString(part)
		} else {
			b.WriteByte(' ')
		}
		return true
	})
	return b.String()
}

// skipSpace drops the spaces, comments and semicolons that a text begins with.
func skipSpace(text string) string {
	text = strings.TrimLeft(text, " \t\r\n\f\v;")
	for text != "" {
		first, n := code, 0
		segments(text, func(s segment, part string) bool {
			first, n = s, len(part)
			return false
		})
		if first != comment {
			break
		}
		text = strings.TrimLeft(text[n:], " \t\r\n\f\v;")
	}
	return text
}

// firstWord is the word that a statement begins with, "(" for a parenthesis, and "" for a text without a statement.
func firstWord(text string) string {
	text = skipSpace(text)
	if strings.HasPrefix(text, "(") {
		return "("
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return !(r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r > 127)
	})
	switch {
	case end < 0:
		return text
	case end == 0 && text != "":
		return text[:1]
	}
	return text[:end]
}
