package gateway

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// longText is the length beyond which a statement is not parsed: nobody
// writes DDL that long, and the first words tell.
const longText = 64 << 10

// Classify says what one or several statements do. history names the tables of
// the migration tool; a name may be qualified, quoted and in another case. Of
// several statements the one that matters most decides, in the order data,
// ddl, history, lock, other, transaction, session, read. tables are those it
// writes or defines, or for reads those it reads, without quotes.
func Classify(sql string, history []string) (class Class, tables []string) {
	c := newClassifier(history, "")
	class = Other
	for i, part := range split(sql) {
		k := c.classify(part)
		switch {
		case i == 0 || weight(k.class) < weight(class):
			class, tables = k.class, k.tables
		case k.class == class:
			for _, t := range k.tables {
				if !slices.Contains(tables, t) {
					tables = append(tables, t)
				}
			}
		}
	}
	return class, tables
}

func weight(c Class) int {
	return slices.Index([]Class{Data, DDL, History, Lock, Other, Transaction, Session, Read}, c)
}

// kind is what a statement is found to do.
type kind struct {
	class  Class
	tables []string
	schema bool // defines a table though its class is Data

	temporary bool   // by its own words about temporary tables
	creates   string // the temporary table it makes
	drops     []string
	prepares  string   // name of the statement a PREPARE makes
	executes  string   // name of the statement an EXECUTE runs
	assigns   []string // user variables set
	source    string   // user variable that a PREPARE or EXECUTE IMMEDIATE takes its text from
	calls     bool     // runs a stored program
	inner     *kind    // what the literal text in it does, if there is one
}

// classifier knows one database's history tables.
type classifier struct {
	history  []tableName
	database string
	parser   *sqlparser.Parser
}

// tableName is a table's name in lower case; database may be empty.
type tableName struct{ database, table string }

func newClassifier(history []string, database string) *classifier {
	c := &classifier{database: database}
	// The options are constant, so there is nothing that could fail.
	c.parser, _ = sqlparser.New(sqlparser.Options{MySQLServerVersion: "8.0.34"})
	for _, name := range history {
		n := parseName(name)
		if n.database == "" {
			n.database = strings.ToLower(database)
		}
		c.history = append(c.history, n)
	}
	return c
}

// parseName reads `db`.`table`, db.table or table.
func parseName(name string) tableName {
	l := &lexer{sql: name}
	parts := []string{""}
	for t := l.next(); t.kind != endOfText; t = l.next() {
		if t.is(".") {
			parts = append(parts, "")
			continue
		}
		// A bare name may hold marks, as in my-table.
		parts[len(parts)-1] += strings.ToLower(t.value())
	}
	if len(parts) == 1 {
		return tableName{table: parts[0]}
	}
	return tableName{parts[len(parts)-2], parts[len(parts)-1]}
}

// isHistory says whether a table, as written in a statement, is one of the
// history tables. Databases are compared only where both are known.
func (c *classifier) isHistory(name string) bool {
	n := parseDisplayed(name)
	for _, h := range c.history {
		if h.table == n.table && (h.database == "" || n.database == "" || h.database == n.database) {
			return true
		}
	}
	return false
}

// parseDisplayed reads a name that is written without quotes.
func parseDisplayed(name string) tableName {
	database, table, ok := strings.Cut(strings.ToLower(name), ".")
	if !ok {
		return tableName{table: database}
	}
	return tableName{database, table}
}

// written gives the kind of a statement that writes rows of these tables.
func (c *classifier) written(tables []string) kind {
	k := kind{class: Data, tables: tables}
	if len(tables) > 0 && !slices.ContainsFunc(tables, func(t string) bool { return !c.isHistory(t) }) {
		k.class = History
	}
	return k
}

// classify finds out what one statement does: by the parser, and by its first
// words where the parser does not know it.
func (c *classifier) classify(sql string) kind {
	if len(sql) > longText {
		return c.byWords(sql)
	}
	parsed, err := c.parse(sql)
	if err != nil {
		return c.byWords(sql)
	}
	switch s := parsed.(type) {
	case *sqlparser.Insert:
		if name, err := s.Table.TableName(); err == nil {
			return c.written([]string{display(name)})
		}
	case *sqlparser.Update:
		return c.written(updated(s))
	case *sqlparser.Delete:
		return c.written(deletedFrom(s))
	case *sqlparser.TruncateTable:
		return c.written([]string{display(s.Table)})
	case *sqlparser.Select, *sqlparser.Union:
		if takesLocks(sql, parsed) {
			return kind{class: Lock}
		}
		k := kind{class: Read}
		if strings.Contains(sql, "@") {
			k = c.byWords(sql) // knows SELECT ... INTO @variable
		}
		k.tables = read(parsed)
		return k
	case *sqlparser.RenameTable:
		k := kind{class: DDL}
		for _, p := range s.TablePairs {
			k.tables = append(k.tables, display(p.FromTable), display(p.ToTable))
		}
		return k
	case *sqlparser.AlterTable:
		return altered(c, s)
	case *sqlparser.DropTable:
		k := kind{class: DDL, tables: displayAll(s.FromTables), temporary: s.Temp}
		if k.drops = k.tables; s.Temp {
			k.class = Session
		}
		return k
	case *sqlparser.CreateView:
		return kind{class: DDL, tables: []string{display(s.ViewName)}}
	case *sqlparser.AlterView:
		return kind{class: DDL, tables: []string{display(s.ViewName)}}
	case *sqlparser.DropView:
		return kind{class: DDL, tables: displayAll(s.FromTables)}
	}
	return c.byWords(sql)
}

// parse keeps a parser's panic, should one be left in it, from ending the run:
// the first words are good enough.
func (c *classifier) parse(sql string) (s sqlparser.Statement, err error) {
	defer func() {
		if recover() != nil {
			err = errNotParsed
		}
	}()
	// Parse, unlike this, writes statements that it takes in part into a log file
	// of its own in the temporary folder.
	return c.parser.ParseStrictDDL(sql)
}
