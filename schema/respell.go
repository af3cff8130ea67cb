package schema

import "strings"

// respell turns what MariaDB prints into what Vitess parses: defaults that are calls into parentheses, IGNORED into
// INVISIBLE, checks of columns into checks of the table. Other text comes back as it is.
func respell(text string) string {
	t, ok := splitTable(text)
	if !ok {
		return respellTokens(text)
	}
	var b strings.Builder
	b.WriteString(t.head)
	b.WriteString("(\n")
	var checks []string
	for i, p := range t.parts {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(respellTokens(p.text))
		for _, c := range p.checks {
			checks = append(checks, respellTokens(c))
		}
	}
	for _, c := range checks {
		b.WriteString(",\n")
		b.WriteString(c)
	}
	b.WriteString("\n)")
	b.WriteString(t.tail)
	return b.String()
}

func respellTokens(text string) string {
	s := newStatement(text)
	var b strings.Builder
	at := 0
	replace := func(from, to int, with string) { // the text of tokens from to to, both included
		b.WriteString(text[at:s.tokens[from].start])
		b.WriteString(with)
		at = s.tokens[to].end
	}
	for i := 0; i < len(s.tokens); i++ {
		switch {
		case s.word(i, "DEFAULT") && s.tokens[min(i+1, len(s.tokens)-1)].kind == tokenWord && s.sign(i+2, '('):
			if s.word(i+1, "CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP") {
				continue
			}
			end := s.closing(i + 2)
			if end == len(s.tokens) {
				continue
			}
			replace(i+1, end, "("+text[s.tokens[i+1].start:s.tokens[end].end]+")")
			i = end
		case s.word(i, "NOT") && s.word(i+1, "IGNORED") && s.ignorable(i):
			replace(i, i+1, "VISIBLE")
			i++
		case s.word(i, "IGNORED") && s.ignorable(i):
			replace(i, i, "INVISIBLE")
		}
	}
	b.WriteString(text[at:])
	return b.String()
}

// ignorable says whether IGNORED at token i speaks of an index: KEY k (a) IGNORED, or ALTER INDEX k IGNORED. It is no
// reserved word, so a column may have that name.
func (s statement) ignorable(i int) bool {
	if s.word(i-2, "INDEX", "KEY") && s.word(i-3, "ALTER") {
		return true
	}
	if !s.word(0, "KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "CONSTRAINT") {
		return false
	}
	for i--; i > 0; i-- {
		if s.sign(i, ')') {
			return true
		}
	}
	return false
}
