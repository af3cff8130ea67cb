package schema

import (
	"errors"
	"fmt"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// Normalize turns a CREATE TABLE or CREATE VIEW of MySQL or MariaDB into one text: what MySQL 8 would print, and what
// schemadiff takes. The names of constraints stay. Normalizing twice changes nothing. *TableError or *StatementError
// when the text is not understood.
func Normalize(create string) (string, error) {
	l, err := newLoader()
	if err != nil {
		return "", err
	}
	name, _, ok := created(create)
	if !ok {
		return "", statementError(create, errors.New("it is neither CREATE TABLE nor CREATE VIEW"))
	}
	e, err := l.entity(Table{Name: name, Create: create})
	if err != nil {
		return "", err
	}
	return l.print(e)
}

func (l *loader) print(e schemadiff.Entity) (text string, err error) {
	defer rescue(&err)
	switch e := e.(type) {
	case *schemadiff.CreateTableEntity:
		return printTable(e.CreateTable), nil
	case *schemadiff.CreateViewEntity:
		return sqlparser.CanonicalString(e.CreateView), nil
	}
	return "", fmt.Errorf("%s is neither a table nor a view", e.Name())
}

// Parse reads a schema from SQL text: CREATE TABLE and CREATE VIEW statements with semicolons between them, and nothing
// else but comments. *StatementError for other statements, *TableError for a definition that is not understood.
func Parse(sql string) (*Schema, error) {
	l, err := newLoader()
	if err != nil {
		return nil, err
	}
	var tables []Table
	var errs []error
	seen := map[string]bool{}
	for _, text := range split(sql) {
		name, view, ok := created(text)
		if !ok {
			errs = append(errs, statementError(text, errors.New("a schema is made of CREATE TABLE and CREATE VIEW")))
			continue
		}
		t := Table{Name: name, Create: text, View: view}
		if seen[name] {
			errs = append(errs, &TableError{Table: name, Err: errors.New("it is defined twice")})
			continue
		}
		seen[name] = true
		if _, err := l.entity(t); err != nil {
			errs = append(errs, err)
			continue
		}
		tables = append(tables, t)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return sorted(tables), nil
}

// split cuts SQL at its semicolons and drops what is empty.
func split(sql string) []string {
	var out []string
	s := newStatement(sql)
	first := 0
	for i := 0; i <= len(s.tokens); i++ {
		if i < len(s.tokens) && !s.sign(i, ';') {
			continue
		}
		if i > first {
			out = append(out, sql[s.tokens[first].start:s.tokens[i-1].end])
		}
		first = i + 1
	}
	return out
}

// created is the name of what a CREATE statement creates, if that is a table or a view.
func created(text string) (name string, view, ok bool) {
	s := newStatement(text)
	if !s.word(0, "CREATE") {
		return "", false, false
	}
	for i := 1; i < len(s.tokens); i++ {
		switch {
		case s.sign(i, '('), s.word(i, "AS", "SELECT"):
			return "", false, false
		case s.word(i, "TABLE", "VIEW"):
			view = s.word(i, "VIEW")
			if i++; s.word(i, "IF") && s.word(i+1, "NOT") && s.word(i+2, "EXISTS") {
				i += 3
			}
			if s.sign(i+1, '.') {
				i += 2
			}
			name, ok = s.name(i)
			return name, view, ok
		}
	}
	return "", false, false
}
