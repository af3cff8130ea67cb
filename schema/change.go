package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// Verbs of a Change: the operation names of a deploy request.
const (
	Create = "CREATE"
	Alter  = "ALTER"
	Drop   = "DROP"
)

// Change is one statement of a difference between schemas: one operation of a deploy request.
type Change struct {
	Table     string   `json:"table"`                // or view
	Verb      string   `json:"verb"`                 // CREATE, ALTER or DROP
	SQL       string   `json:"sql"`                  // as MySQL 8 takes it
	Clauses   []string `json:"clauses,omitempty"`    // what it says, in one spelling, for Compare and for people
	DropsData bool     `json:"drops_data,omitempty"` // a table, column or partition goes, with what is in it
	Instant   bool     `json:"instant,omitempty"`    // nothing in it keeps the deployment from being instant
	Dropped   []string `json:"dropped,omitempty"`    // columns that go, or the table

	// Native is the statement in the words of the server that the schemas were read from, where they differ from SQL:
	// MariaDB's checks that belong to a column, its own types and defaults. Only Diff knows it.
	Native string `json:"native,omitempty"`
}

// Statement is what to run on a server like the one that the schemas were read from.
func (c Change) Statement() string {
	if c.Native != "" {
		return c.Native
	}
	return c.SQL
}

// Instant says whether a deployment of these changes can be instant: every one qualifies, and there is something to do
// instantly at all.
func Instant(changes []Change) bool {
	alters := 0
	for _, c := range changes {
		if !c.Instant {
			return false
		}
		if c.Verb == Alter {
			alters++
		}
	}
	return alters > 0
}

// ParseChange reads one statement of a deploy request: the table, the operation's name and its DDL as the platform
// gives them. Two statements that say the same have equal Clauses. Whether it is Instant depends on the table, which
// is not known here: only CREATE and DROP are marked. *StatementError when the statement is not understood or is about
// another table or another operation.
func ParseChange(table, verb, ddl string) (c Change, err error) {
	defer func() {
		rescue(&err)
		var known *StatementError
		if err != nil && !errors.As(err, &known) {
			err = statementError(ddl, err)
		}
	}()
	verb = strings.ToUpper(verb)
	if strings.TrimSpace(ddl) == "" && verb == Drop {
		ddl = "DROP TABLE " + quote(table)
	}
	l, err := newLoader()
	if err != nil {
		return Change{}, err
	}
	stmt, err := l.parse(strings.TrimRight(strings.TrimSpace(ddl), ";"))
	if err != nil {
		return Change{}, err
	}
	if c, err = l.change(stmt); err != nil {
		return Change{}, err
	}
	c.SQL = ddl
	if verb != "" && c.Verb != verb {
		return Change{}, fmt.Errorf("it is not %s", verb)
	}
	if table != "" && c.Table != table {
		return Change{}, fmt.Errorf("it is about %s, not %s", c.Table, table)
	}
	return c, nil
}

// change says what a statement does.
func (l *loader) change(stmt sqlparser.Statement) (Change, error) {
	switch s := stmt.(type) {
	case *sqlparser.CreateTable:
		e, err := l.table(s)
		if err != nil {
			return Change{}, err
		}
		return Change{Table: e.Name(), Verb: Create, Clauses: identity(e), Instant: true}, nil
	case *sqlparser.CreateView:
		replaces := s.IsReplace
		e, err := l.view(s)
		if err != nil {
			return Change{}, err
		}
		c := Change{Table: e.Name(), Verb: Create, Clauses: viewClauses(e.CreateView), Instant: true}
		if replaces {
			c.Verb = Alter
		}
		return c, nil
	case *sqlparser.AlterView:
		e, err := l.view(&sqlparser.CreateView{
			ViewName: s.ViewName, Algorithm: s.Algorithm, Security: s.Security,
			Columns: s.Columns, Select: s.Select, CheckOption: s.CheckOption,
		})
		if err != nil {
			return Change{}, err
		}
		return Change{Table: e.Name(), Verb: Alter, Clauses: viewClauses(e.CreateView), Instant: true}, nil
	case *sqlparser.AlterTable:
		return l.alter(s)
	case *sqlparser.DropTable:
		if len(s.FromTables) == 1 {
			name := s.FromTables[0].Name.String()
			return Change{Table: name, Verb: Drop, DropsData: true, Instant: true, Dropped: []string{name}}, nil
		}
	case *sqlparser.DropView:
		if len(s.FromTables) == 1 {
			return Change{Table: s.FromTables[0].Name.String(), Verb: Drop, Instant: true}, nil
		}
	}
	return Change{}, errors.New("it is no CREATE, ALTER or DROP of one table or view")
}

// viewClauses is the whole view in one clause: schemadiff replaces views, it does not change parts of them.
func viewClauses(cv *sqlparser.CreateView) []string {
	return []string{sqlparser.CanonicalString(cv)}
}

func (l *loader) alter(s *sqlparser.AlterTable) (Change, error) {
	if !s.FullyParsed {
		return Change{}, errors.New("not every clause is understood")
	}
	c := Change{Table: s.Table.Name.String(), Verb: Alter}
	for _, o := range s.AlterOptions {
		c.Clauses = append(c.Clauses, l.clauses(c.Table, o)...)
	}
	if p := s.PartitionOption; p != nil {
		p = sqlparser.Clone(p)
		simplifyPartitions(p)
		c.Clauses = append(c.Clauses, strings.TrimSpace(sqlparser.CanonicalString(p)))
	}
	if p := s.PartitionSpec; p != nil {
		p = sqlparser.Clone(p)
		for _, d := range p.Definitions {
			if d.Options != nil {
				d.Options.Engine = nil
			}
		}
		c.Clauses = append(c.Clauses, strings.TrimSpace(sqlparser.CanonicalString(p)))
	}
	if len(c.Clauses) == 0 {
		return Change{}, errors.New("it changes nothing")
	}
	c.Dropped, c.DropsData = losses(c.Clauses)
	return c, nil
}

// losses reads from clauses, which are in one spelling, which columns go and whether data goes with them.
func losses(clauses []string) (columns []string, data bool) {
	for _, clause := range clauses {
		switch {
		case strings.HasPrefix(clause, dropColumn):
			if name, ok := newStatement(clause).name(2); ok && !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
			data = true
		case strings.HasPrefix(clause, "DROP PARTITION"), strings.HasPrefix(clause, "TRUNCATE PARTITION"):
			data = true
		}
	}
	return columns, data
}
