package gateway

import "github.com/pmig/pmig/mysqlproxy"

// Class is what a statement does, as far as migrating is concerned.
type Class string

// The classes of statements.
const (
	DDL         Class = "ddl"         // changes the schema: what a deploy request carries
	History     Class = "history"     // writes rows of a history table
	Lock        Class = "lock"        // GET_LOCK and its family, LOCK TABLES
	Session     Class = "session"     // SET, USE, and whatever concerns temporary tables only
	Read        Class = "read"        // SELECT, SHOW, EXPLAIN
	Data        Class = "data"        // changes rows that a deploy request does not carry
	Transaction Class = "transaction" // BEGIN, COMMIT, ROLLBACK, savepoints
	Other       Class = "other"       // everything else
)

// Statement is one statement that went through a gateway, or was answered by
// it. A text with several statements is recorded as several.
type Statement struct {
	mysqlproxy.Statement
	Class  Class
	Tables []string // tables written or defined; for reads, tables read
	Schema bool     // a statement of class Data that defines a table too: CREATE TABLE ... SELECT
}
