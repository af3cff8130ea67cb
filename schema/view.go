package schema

import (
	"vitess.io/vitess/go/vt/sqlparser"
)

// plainView is a CREATE VIEW without what depends on who reads it: the definer's account, and the name of the database,
// which servers print unless the connection is in it. Text that is not understood stays as it is.
func plainView(text, database string) string {
	text = withoutDefiner(text)
	l, err := newLoader()
	if err != nil {
		return text
	}
	return l.plainView(text, database)
}

func (l *loader) plainView(text, database string) (out string) {
	defer func() {
		if recover() != nil {
			out = text
		}
	}()
	stmt, err := l.parse(text)
	if err != nil {
		return text
	}
	cv, ok := stmt.(*sqlparser.CreateView)
	if !ok {
		return text
	}
	changed := unqualify(cv.Select, database)
	if cv.ViewName.Qualifier.NotEmpty() {
		cv.ViewName.Qualifier = sqlparser.NewIdentifierCS("")
		changed = true
	}
	if !changed {
		return text
	}
	return sqlparser.CanonicalString(cv)
}

// withoutDefiner cuts DEFINER=`name`@`host` out of CREATE ... VIEW.
func withoutDefiner(text string) string {
	s := newStatement(text)
	for i := range s.tokens {
		switch {
		case s.word(i, "VIEW"):
			return text
		case s.word(i, "DEFINER") && s.sign(i+1, '='):
			end := i + 2
			for end < len(s.tokens) && !s.word(end, "SQL", "VIEW") {
				end++
			}
			if end == len(s.tokens) {
				return text
			}
			return text[:s.tokens[i].start] + text[s.tokens[end].start:]
		}
	}
	return text
}
