// Package schema compares two database schemas the way a deploy request does, and says which changes are refused, lose data or can be instant.
package schema

import (
	"context"
	"database/sql"
	"errors"
)

// Table is one table or view as its server prints it.
type Table struct {
	Name   string `json:"name"`
	Create string `json:"create"`         // the statement of SHOW CREATE TABLE, or CREATE VIEW
	View   bool   `json:"view,omitempty"` // a view: it has no rows of its own
}

// Schema is every table and view of one database, sorted by name.
type Schema struct {
	Tables []Table `json:"tables"`
}

// Querier is what Read needs of a connection: *sql.DB, *sql.Conn and *sql.Tx have it.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

var errTodo = errors.New("not built yet")

// Read reads the tables and views of a database.
func Read(ctx context.Context, q Querier, database string) (*Schema, error) { return nil, errTodo }

// Parse reads a schema from SQL text: CREATE TABLE and CREATE VIEW statements separated by semicolons.
func Parse(sql string) (*Schema, error) { return nil, errTodo }

// Without is the schema less the named tables.
func (s *Schema) Without(names ...string) *Schema { return s }

// Only is the named tables of the schema.
func (s *Schema) Only(names ...string) *Schema { return s }

// Table is the table or view of that name.
func (s *Schema) Table(name string) (Table, bool) { return Table{}, false }

// Digest names the whole schema: "sha256:" and hex.
func (s *Schema) Digest() string { return "" }

// Digests names every table: "sha256:" and hex, by table name.
func (s *Schema) Digests() map[string]string { return nil }

// Change is one statement of a difference.
type Change struct {
	Table     string   `json:"table"`
	Verb      string   `json:"verb"`
	SQL       string   `json:"sql"`
	Clauses   []string `json:"clauses,omitempty"`
	DropsData bool     `json:"drops_data,omitempty"`
	Instant   bool     `json:"instant,omitempty"`
	Dropped   []string `json:"dropped,omitempty"`
}

// Diff is what must be done to from so that it becomes to, in order.
func Diff(from, to *Schema) ([]Change, error) { return nil, errTodo }

// ParseChange reads one statement of a deploy request.
func ParseChange(table, verb, ddl string) (Change, error) { return Change{}, errTodo }

// Compare says which changes of want are not in got, and which of got are not in want, clause by clause.
func Compare(want, got []Change) (missing, surplus []Change) { return nil, nil }

// Normalize turns a CREATE TABLE or CREATE VIEW into its canonical text.
func Normalize(create string) (string, error) { return "", errTodo }

// LintOptions says what the database allows.
type LintOptions struct {
	ForeignKeys bool // foreign key constraints are enabled for the database
}

// Finding is something a deploy request refuses.
type Finding struct {
	Code    string `json:"code"` // a lint kind of the platform, such as NO_UNIQUE_KEY
	Table   string `json:"table"`
	Message string `json:"message"`
}

// Lint finds what a deploy request would refuse.
func Lint(s *Schema, o LintOptions) []Finding { return nil }
