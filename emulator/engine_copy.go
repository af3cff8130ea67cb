package emulator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/gofrs/flock"

	"github.com/pmig/pmig/mysqlproxy"
)

// engineVersion is what SELECT VERSION() says on a branch.
const engineVersion = "8.0.34-Vitess"

var errEngineClosed = errors.New("the engine is closed")

// engineNames are the engines in the order in which Auto tries them.
var engineNames = []string{"mariadb", "memory"}

// EngineDataError says that a folder holds the data of another engine.
type EngineDataError struct{ Dir, Has, Want string }

func (e *EngineDataError) Error() string {
	return fmt.Sprintf("the data in %s were written by engine %s, not %s", e.Dir, e.Has, e.Want)
}

// Hint says what to do about it.
func (e *EngineDataError) Hint() string {
	return "use --engine " + e.Has + ", or another --data folder"
}

// engineDir is the folder of the named engine inside dir, made if need be.
func engineDir(dir, name string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if has := engineOf(dir); has != "" && has != name {
		return "", &EngineDataError{Dir: dir, Has: has, Want: name}
	}
	dir = filepath.Join(dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

// engineOf is the engine that has branches in dir, or "".
func engineOf(dir string) string {
	for _, name := range engineNames {
		entries, _ := os.ReadDir(filepath.Join(dir, name))
		if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != lockFile }) {
			return name
		}
	}
	return ""
}

const lockFile = "lock"

// EngineLockedError says that another process uses an engine's folder.
type EngineLockedError struct{ Dir string }

func (e *EngineLockedError) Error() string {
	return fmt.Sprintf("another emulator uses %s", e.Dir)
}

// Hint says what to do about it.
func (e *EngineLockedError) Hint() string {
	return "stop the other emulator, or use another --data folder"
}

func lockEngine(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile))
	switch ok, err := lock.TryLock(); {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &EngineLockedError{dir}
	}
	return lock, nil
}

// branchID is the form of an id, which becomes the name of a file.
var branchID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

func checkID(id string) error {
	if !branchID.MatchString(id) {
		return fmt.Errorf("branch id %q is not a plain word", id)
	}
	return nil
}

// openBackend is a connection pool on a branch, for the engines' own work.
func openBackend(b mysqlproxy.Backend, change ...func(*mysql.Config)) *sql.DB {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.TLS = b.User, b.Password, b.Database, b.TLS
	c.Net, c.Addr = "branch", "branch"
	c.Logger = &mysql.NopLogger{}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return b.Dial(ctx) }
	for _, f := range change {
		f(c)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		panic(err) // only for options that are not set here
	}
	return sql.OpenDB(connector)
}

// quoteName quotes an identifier.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// copyBatch is how many tables one text makes.
const copyBatch = 50

// copyBranch copies tables and views without rows, and the rows of the tables named. The counters of AUTO_INCREMENT columns
// start anew, as they do on the platform. The source is read while ready, which must return before to is used, is at work.
func copyBranch(ctx context.Context, from, to mysqlproxy.Backend, withRows []string, ready func() error) error {
	src, dst := openBackend(from), openBackend(to, func(c *mysql.Config) { c.MultiStatements = true })
	defer src.Close()
	defer dst.Close()
	prepared := make(chan error, 1)
	go func() { prepared <- ready() }()
	var tables []tableText
	read, err := src.Conn(ctx)
	if err == nil {
		defer read.Close()
		tables, err = readTables(ctx, read)
	}
	if err := errors.Join(<-prepared, err); err != nil {
		return err
	}
	write, err := dst.Conn(ctx)
	if err != nil {
		return err
	}
	defer write.Close()
	for _, set := range []string{
		"SET foreign_key_checks = 0",
		"SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
		"SET innodb_strict_mode = 0", // the source's tables are as they are
	} {
		if _, err := write.ExecContext(ctx, set); err != nil {
			return err
		}
	}
	var texts []string
	var views []tableText
	for _, t := range tables {
		if leftover(t.name) {
			continue
		}
		if t.view {
			views = append(views, t)
		} else {
			texts = append(texts, counter.ReplaceAllString(t.create, "$1"))
		}
	}
	for batch := range slices.Chunk(texts, copyBatch) {
		if _, err := write.ExecContext(ctx, strings.Join(batch, ";\n")); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
	}
	for _, t := range tables {
		if !t.view && !leftover(t.name) && slices.Contains(withRows, t.name) {
			if err := copyRows(ctx, read, write, t.name); err != nil {
				return fmt.Errorf("rows of %s: %w", t.name, err)
			}
		}
	}
	return createViews(ctx, write, views)
}

// leftover says that a table is an artifact of a deployment: it stays for a while where it arose, and no branch gets it.
func leftover(table string) bool { return strings.HasPrefix(strings.ToLower(table), "_vt_") }

// counter finds the AUTO_INCREMENT value of a table; in the text of SHOW CREATE TABLE only its options start a line with ")".
var counter = regexp.MustCompile(`(?m)^(\) ENGINE=\w+) AUTO_INCREMENT=\d+`)

type tableText struct {
	name, create string
	view         bool
}

// readTables reads the CREATE statement of every table and view. One that is dropped meanwhile is left out.
func readTables(ctx context.Context, c *sql.Conn) ([]tableText, error) {
	rows, err := c.QueryContext(ctx, "SHOW FULL TABLES")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []tableText
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, err
		}
		switch kind {
		case "BASE TABLE":
			tables = append(tables, tableText{name: name})
		case "VIEW":
			tables = append(tables, tableText{name: name, view: true})
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	kept := tables[:0]
	for _, t := range tables {
		t.create, err = showCreate(ctx, c, t.name)
		var e *mysql.MySQLError
		if errors.As(err, &e) && e.Number == 1146 {
			continue
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, t)
	}
	return kept, nil
}

// querier is a connection, or a pool of them.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// generated finds the generated columns in the text of SHOW CREATE TABLE: SHOW COLUMNS of the memory engine does not tell. Between a
// column's name and the words only its type stands, in which texts are quoted.
var generated = regexp.MustCompile("(?m)^  `((?:[^`\n]|``)+)` (?:[^'\n]|'(?:[^'\\\\]|''|\\\\.)*')*? GENERATED ALWAYS AS \\(")

// generatedColumns are the names, lower case, of the columns that SHOW CREATE TABLE shows as generated.
func generatedColumns(create string) map[string]bool {
	names := map[string]bool{}
	for _, m := range generated.FindAllStringSubmatch(create, -1) {
		names[strings.ToLower(strings.ReplaceAll(m[1], "``", "`"))] = true
	}
	return names
}

// showCreate is the second column of SHOW CREATE TABLE, which answers for views too, with two columns more.
func showCreate(ctx context.Context, c querier, name string) (string, error) {
	rows, err := c.QueryContext(ctx, "SHOW CREATE TABLE "+quoteName(name))
	if err != nil {
		return "", err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", err
	}
	values := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if !rows.Next() {
		return "", errors.Join(rows.Err(), fmt.Errorf("no answer to SHOW CREATE TABLE %s", name))
	}
	if err := rows.Scan(into...); err != nil {
		return "", err
	}
	return string(values[1]), nil
}

// createViews makes views in whatever order works, since one may read another.
func createViews(ctx context.Context, c *sql.Conn, views []tableText) error {
	for len(views) > 0 {
		var later []tableText
		var failed error
		for _, v := range views {
			if _, err := c.ExecContext(ctx, v.create); err != nil {
				failed = fmt.Errorf("view %s: %w", v.name, err)
				later = append(later, v)
			}
		}
		if len(later) == len(views) {
			return failed
		}
		views = later
	}
	return nil
}

// copyRows copies a table row by row in batches. The binary protocol on both sides keeps values as they are.
func copyRows(ctx context.Context, read, write *sql.Conn, table string) error {
	columns, err := plainColumns(ctx, read, table)
	if err != nil || len(columns) == 0 {
		return err
	}
	list := strings.Join(columns, ", ")
	query, err := read.PrepareContext(ctx, "SELECT "+list+" FROM "+quoteName(table))
	if err != nil {
		return err
	}
	defer query.Close()
	rows, err := query.QueryContext(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	insert := "INSERT INTO " + quoteName(table) + " (" + list + ") VALUES "
	one := "(" + strings.Repeat("?, ", len(columns)-1) + "?)"
	var batch []any
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		n := len(batch) / len(columns)
		_, err := write.ExecContext(ctx, insert+strings.Repeat(one+", ", n-1)+one, batch...)
		batch = batch[:0]
		return err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if batch = append(batch, values...); len(batch) >= 2000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(rows.Err(), flush())
}

// plainColumns are the quoted names of a table's columns that are not generated.
func plainColumns(ctx context.Context, c querier, table string) ([]string, error) {
	all, err := columns(ctx, c, table)
	if err != nil {
		return nil, err
	}
	var plain []string
	for _, column := range all {
		if !column.generated {
			plain = append(plain, quoteName(column.name))
		}
	}
	return plain, nil
}
