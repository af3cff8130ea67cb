package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"
)

// DefaultPrefix is what the tables' names begin with unless the configuration says otherwise.
const DefaultPrefix = "pmig_"

// columnLength is the length of the columns that hold a text for people.
const columnLength = 255

// Table is a table of a DatabaseStore with the statement that makes it.
type Table struct {
	Name, SQL string
}

// Tables lists the tables of a DatabaseStore.
func Tables(prefix string) []Table {
	return []Table{
		{prefix + "journal", `CREATE TABLE ` + prefix + `journal (
  id VARCHAR(64) NOT NULL,
  name VARCHAR(255) NOT NULL,
  revision BIGINT UNSIGNED NOT NULL,
  fence BIGINT UNSIGNED NOT NULL,
  token VARCHAR(64) NOT NULL,
  document LONGTEXT NOT NULL,
  PRIMARY KEY (id)
) DEFAULT CHARSET=utf8mb4`},
		{prefix + "lease", `CREATE TABLE ` + prefix + `lease (
  id VARCHAR(64) NOT NULL,
  name VARCHAR(255) NOT NULL,
  holder VARCHAR(255) NOT NULL,
  token VARCHAR(64) NOT NULL,
  fence BIGINT UNSIGNED NOT NULL,
  expires_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id)
) DEFAULT CHARSET=utf8mb4`},
	}
}

// Missing lists the tables that the database does not have.
func (s *DatabaseStore) Missing(ctx context.Context) ([]Table, error) {
	db, err := s.open(ctx)
	if err != nil {
		return nil, &UnwritableError{Database: s.name, Err: err}
	}
	var missing []Table
	for _, t := range Tables(s.prefix) {
		var n int
		err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.Name+" WHERE id = ''").Scan(&n)
		switch number(err) {
		case noSuchTable, unknownTable:
			missing = append(missing, t)
		default:
			if err != nil {
				return nil, s.unusable(t.Name, err)
			}
		}
	}
	return missing, nil
}

// Create makes tables. Two that do so at once both succeed.
func (s *DatabaseStore) Create(ctx context.Context, tables []Table) error {
	db, err := s.open(ctx)
	if err != nil {
		return &UnwritableError{Database: s.name, Err: err}
	}
	for _, t := range tables {
		if _, err := db.ExecContext(ctx, t.SQL); err != nil && number(err) != alreadyThere {
			return fmt.Errorf("create table %s in %s: %w", t.Name, s.name, err)
		}
	}
	return nil
}

// Numbers of the server's errors.
const (
	alreadyThere = 1050
	duplicate    = 1062
	anything     = 1105 // what vtgate says of whatever happened behind it
	unknownTable = 1109 // what vtgate says of a table that it has not heard of
	noSuchTable  = 1146
	lockTimeout  = 1205
	deadlock     = 1213
	interrupted  = 1317
	serverGone   = 2006 // this and the next are vtgate's too: the server behind it has gone
	serverLost   = 2013
)

// number is the server's number of an error, 0 where the server did not answer.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return 0
	}
	return e.Number
}

// unknown reports whether a look at the row tells more than the error does: there was no answer, or somebody else was
// at the row.
func unknown(err error) bool {
	switch number(err) {
	case 0, duplicate, anything, lockTimeout, deadlock, interrupted, serverGone, serverLost:
		return true
	}
	return false
}

// unusable turns an error of the driver into one of this package.
func (s *DatabaseStore) unusable(table string, err error) error {
	switch number(err) {
	case noSuchTable, unknownTable:
		return &MissingTablesError{Database: s.name, Table: table}
	}
	return &UnwritableError{Database: s.name, Err: err}
}
