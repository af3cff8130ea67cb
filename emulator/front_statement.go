package emulator

import (
	"regexp"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/pmig/pmig/mysqlproxy"
)

// statementParser is Vitess's parser, which is also what refuses statements on the platform. It has no state.
var statementParser = sqlparser.NewTestParser()

// kind is what a statement does, as far as roles and safe migrations care.
type kind int

const (
	harmless kind = iota // reads, sets, begins, shows
	writing              // changes rows
	defining             // changes the schema
	locking              // LOCK TABLES, UNLOCK TABLES
	choosing             // USE
)

// action is one statement of a text.
type action struct {
	kind       kind
	verb       string // as Vitess's ACL names it: "Select", "Insert", "DDL"
	table      string // what it writes or defines, or the database it chooses
	reads      string // a table that it reads
	temporary  bool   // it makes a temporary table
	foreignKey bool
	rereads    bool              // from here on the session may read strings in another way
	refused    *mysqlproxy.Error // refused whoever asks
}

func unsupported(what string) action {
	return action{refused: &mysqlproxy.Error{Number: 1235, State: "42000", Message: "VT12001: unsupported: " + what}}
}

func syntaxError(near string) action {
	return action{refused: &mysqlproxy.Error{Number: 1064, State: "42000", Message: "syntax error at position 1 near '" + near + "'"}}
}

// classify says what the statements of a text do. What Vitess's parser does not understand is judged by its first words, and
// refused when these are unknown: the engine may know statements that MySQL does not have.
func classify(text string) []action {
	rest := openComments(text)
	actions := []action{}
	for rest != "" {
		var piece string
		piece, rest = splitFirst(rest)
		if firstWord(piece) == "" {
			continue
		}
		statement, err := statementParser.ParseStrictDDL(piece)
		if err != nil {
			actions = append(actions, byWords(piece))
			continue
		}
		actions = append(actions, byTree(statement, piece)...)
	}
	return actions
}

// byTree judges a statement that was parsed.
func byTree(statement sqlparser.Statement, text string) []action {
	if what := unsupportedInside(statement); what != "" {
		return []action{unsupported(what)}
	}
	if err := misplacedLock(statement); err != nil {
		return []action{{refused: err}}
	}
	switch s := statement.(type) {
	case *sqlparser.Insert:
		verb := "Insert"
		if s.Action == sqlparser.ReplaceAct {
			verb = "Replace"
		}
		return []action{{kind: writing, verb: verb, table: tableOf(s.Table), reads: readTable(s.Rows)}}
	case *sqlparser.Update:
		return []action{{kind: writing, verb: "Update", table: tableOf(s.TableExprs...), reads: readTable(s)}}
	case *sqlparser.Delete:
		return []action{{kind: writing, verb: "Delete", table: tableOf(s.TableExprs...), reads: readTable(s)}}
	case *sqlparser.Select, *sqlparser.Union:
		return []action{{verb: "Select", reads: readTable(s)}}
	case *sqlparser.CreateDatabase:
		return []action{unsupported("create database by failDBDDL")}
	case *sqlparser.DropDatabase:
		return []action{unsupported("drop database by failDBDDL")}
	case *sqlparser.AlterDatabase:
		return []action{unsupported("ALTER DATABASE")}
	case *sqlparser.Load:
		return []action{unsupported("LOAD DATA")}
	case *sqlparser.Kill:
		return []action{{refused: &mysqlproxy.Error{Number: 1095, State: "HY000", Message: "VT07001: kill statement is not allowed"}}}
	case *sqlparser.PurgeBinaryLogs:
		return []action{unsupported("PURGE BINARY LOGS")}
	case *sqlparser.LockTables, *sqlparser.UnlockTables:
		return []action{{kind: locking}}
	case *sqlparser.Use:
		return []action{{kind: choosing, table: s.DBName.String()}}
	case *sqlparser.Set:
		for _, e := range s.Exprs {
			switch e.Var.Scope {
			case sqlparser.GlobalScope, sqlparser.PersistSysScope, sqlparser.PersistOnlySysScope:
				return []action{unsupported("global scope in set: " + e.Var.Name.String())}
			}
			if e.Var.Name.EqualString("sql_mode") {
				return []action{setMode(e.Expr)}
			}
		}
		return []action{{}}
	case *sqlparser.PrepareStmt:
		if inner, ok := s.Statement.(*sqlparser.Literal); ok {
			return append(classify(inner.Val), action{})
		}
		return []action{unsupported("PREPARE from a variable")}
	case *sqlparser.OtherAdmin: // REPAIR, OPTIMIZE, DO
		if lockFunctions.MatchString(withoutStrings(text)) {
			return []action{unsupported("a lock function in " + strings.ToUpper(firstWord(text)))}
		}
		switch strings.ToUpper(firstWord(text)) {
		case "REPAIR", "OPTIMIZE":
			return []action{{kind: defining, verb: "DDL"}}
		}
		return []action{{}}
	case sqlparser.DDLStatement:
		a := action{kind: defining, verb: "DDL", foreignKey: hasForeignKey(s)}
		if names := s.AffectedTables(); len(names) > 0 {
			a.table = names[0].Name.String()
		}
		create, ok := s.(*sqlparser.CreateTable)
		a.temporary = ok && create.Temp
		return []action{a}
	}
	return []action{{}}
}

// unsupportedInside names what stands in a statement that the platform does not take anywhere.
func unsupportedInside(statement sqlparser.Statement) (what string) {
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		switch n := node.(type) {
		case *sqlparser.AssignmentExpr:
			what = "Assignment expression"
		case *sqlparser.JSONTableExpr:
			what = "json_table expressions"
		case *sqlparser.SelectInto:
			if n != nil {
				what = "INTO OUTFILE"
			}
		}
		return what == "", nil
	}, statement)
	return what
}

// lockFunctions are those that Vitess sends to a session of their own.
var lockFunctions = regexp.MustCompile(`(?i)\b(get_lock|release_lock|release_all_locks|is_used_lock|is_free_lock)\s*\(`)

// misplacedLock refuses a lock function that is more than a whole column of a
// SELECT of such columns only, from no table.
func misplacedLock(statement sqlparser.Statement) *mysqlproxy.Error {
	wrong := func(text string) *mysqlproxy.Error {
		return &mysqlproxy.Error{Number: 1235, State: "42000", Message: text}
	}
	var misplaced, whole *sqlparser.LockingFunc
	plain := map[*sqlparser.LockingFunc]bool{}
	if s, is := statement.(*sqlparser.Select); is && len(tablesIn(s.From...)) == 0 {
		var other sqlparser.SelectExpr
		for _, e := range s.SelectExprs {
			aliased, _ := e.(*sqlparser.AliasedExpr)
			if aliased == nil {
				other = e
			} else if f, is := aliased.Expr.(*sqlparser.LockingFunc); is {
				plain[f], whole = true, f
			} else {
				other = e
			}
		}
		if whole != nil && other != nil {
			return wrong("VT12001: unsupported: LOCK function and other expression: [" + sqlparser.String(other) + "] in same select query")
		}
	}
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if f, is := node.(*sqlparser.LockingFunc); is && !plain[f] {
			misplaced = f
		}
		return misplaced == nil, nil
	}, statement)
	if misplaced != nil {
		return wrong(sqlparser.String(misplaced) + " allowed only with dual")
	}
	return nil
}

// hasForeignKey finds a foreign key in a definition, also one written behind its column: MySQL ignores that one, but not every
// engine does.
func hasForeignKey(statement sqlparser.SQLNode) (found bool) {
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		switch n := node.(type) {
		case *sqlparser.ForeignKeyDefinition:
			found = true
		case *sqlparser.ColumnDefinition:
			if n.Type != nil && n.Type.Options != nil && n.Type.Options.Reference != nil {
				found = true
			}
		}
		return !found, nil
	}, statement)
	return found
}

// tablesIn are the tables that a list names, without those of its subqueries.
func tablesIn(exprs ...sqlparser.TableExpr) (names []string) {
	for _, e := range exprs {
		_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
			switch n := node.(type) {
			case *sqlparser.DerivedTable:
				return false, nil
			case *sqlparser.AliasedTableExpr:
				if t, ok := n.Expr.(sqlparser.TableName); ok && !systemTable(t) {
					names = append(names, t.Name.String())
				}
			}
			return true, nil
		}, e)
	}
	return names
}

// tableOf is the first table that a list names.
func tableOf(exprs ...sqlparser.TableExpr) string {
	if names := tablesIn(exprs...); len(names) > 0 {
		return names[0]
	}
	return ""
}

// readTable is the first table that a SELECT anywhere in a statement reads. What a WITH defines is no table.
func readTable(statement sqlparser.SQLNode) string {
	defined := map[string]bool{}
	var read []string
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		switch n := node.(type) {
		case *sqlparser.CommonTableExpr:
			defined[n.ID.String()] = true
		case *sqlparser.Select:
			read = append(read, tablesIn(n.From...)...)
		}
		return true, nil
	}, statement)
	for _, name := range read {
		if !defined[name] {
			return name
		}
	}
	return ""
}

// systemTable is one that every role may read.
func systemTable(t sqlparser.TableName) bool {
	switch strings.ToLower(t.Qualifier.String()) {
	case "information_schema", "performance_schema", "mysql", "sys":
		return true
	}
	return strings.EqualFold(t.Name.String(), "dual")
}

var (
	// definition finds what a CREATE, ALTER or DROP is about, behind the words that may come first.
	definition = regexp.MustCompile(`(?is)^(?:create|alter|drop)\s+(?:(?:or\s+replace|temporary|online|offline|unique|fulltext|spatial|aggregate|` +
		`algorithm\s*=\s*\w+|definer\s*=\s*\S+(?:\s*@\s*\S+)?|sql\s+security\s+\w+)\s+)*(\w+)`)
	foreignKeyWords = regexp.MustCompile(`(?i)\b(foreign\s+key|references)\b`)
	temporaryTable  = regexp.MustCompile(`(?is)^create\s+(or\s+replace\s+)?temporary\s`)
	analyzeTable    = regexp.MustCompile(`(?is)^analyze\s+((no_write_to_binlog|local)\s+)?table\b`)
	dropsForeignKey = regexp.MustCompile(`(?i)\bdrop\s+foreign\s+key\b`)
	setStatement    = regexp.MustCompile(`(?is)^set\s+statement\b`)
	sqlMode         = regexp.MustCompile(`(?i)sql_mode`)
	setGlobal       = regexp.MustCompile(`(?i)^set\s+(global|persist|persist_only|password|role|default)\b|@@(global|persist)\b`)
)

// byWords judges a statement that Vitess's parser does not understand.
func byWords(text string) action {
	text = strings.TrimSpace(skipSpace(text))
	word := firstWord(text)
	switch strings.ToUpper(word) {
	case "CREATE", "ALTER", "DROP":
		m := definition.FindStringSubmatch(text)
		if m == nil {
			return syntaxError(word)
		}
		switch what := strings.ToUpper(m[1]); what {
		case "TABLE", "INDEX", "VIEW":
			bare := dropsForeignKey.ReplaceAllString(withoutStrings(text), "")
			return action{kind: defining, verb: "DDL", foreignKey: what == "TABLE" && foreignKeyWords.MatchString(bare), temporary: temporaryTable.MatchString(text)}
		case "PREPARE":
			return action{}
		default:
			return unsupported(strings.ToUpper(word) + " " + what)
		}
	case "TRUNCATE", "RENAME", "OPTIMIZE", "REPAIR":
		return action{kind: defining, verb: "DDL"}
	case "INSERT", "REPLACE", "UPDATE", "DELETE":
		return action{kind: writing, verb: strings.ToUpper(word[:1]) + strings.ToLower(word[1:])}
	case "CALL":
		return action{kind: writing, verb: "CallProc"}
	case "SELECT", "WITH", "VALUES", "TABLE", "(":
		if locksRows.MatchString(withoutStrings(text)) && strings.EqualFold(word, "WITH") {
			return action{kind: writing, verb: "Update"}
		}
		return action{verb: "Select"}
	case "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "DO", "CHECK", "CHECKSUM", "HELP", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "FLUSH", "DEALLOCATE":
		return action{}
	case "SET":
		switch {
		case setStatement.MatchString(text):
			return syntaxError(word)
		case setGlobal.MatchString(text):
			return unsupported("global scope in set")
		}
		return action{rereads: sqlMode.MatchString(text)}
	case "ANALYZE":
		if !analyzeTable.MatchString(text) { // elsewhere it runs the statement behind it
			return syntaxError(word)
		}
		return action{}
	case "LOAD":
		return unsupported("LOAD DATA")
	case "GRANT", "REVOKE", "IMPORT", "INSTALL", "UNINSTALL", "HANDLER", "XA", "SHUTDOWN", "RESTART", "RESET", "CHANGE", "BINLOG", "CLONE":
		return unsupported(strings.ToUpper(word))
	}
	return syntaxError(word)
}
