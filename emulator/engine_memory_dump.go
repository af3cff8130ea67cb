package emulator

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/sqltypes"
)

// A branch's file is SQL that a person can read: two comment lines, then one statement after another, each ended by a semicolon at
// the end of a line. Line breaks inside strings are written as \n, so nothing else ends a line that way.
const (
	dumpFormat   = "-- pmig-emulator memory branch, format 1"
	dumpDatabase = "-- database "
	dumpEnd      = ";\n"
)

func formatDump(database string, statements []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s%s\n", dumpFormat, dumpDatabase, database)
	for _, s := range statements {
		b.WriteString(s)
		b.WriteString(dumpEnd)
	}
	return b.String()
}

func parseDump(text string) (database string, statements []string, err error) {
	format, rest, _ := strings.Cut(text, "\n")
	if format != dumpFormat {
		return "", nil, fmt.Errorf("not a branch this version can read: it begins %.60q, not %q", format, dumpFormat)
	}
	line, rest, _ := strings.Cut(rest, "\n")
	database, ok := strings.CutPrefix(line, dumpDatabase)
	if !ok || database == "" {
		return "", nil, errors.New("it does not name its database")
	}
	if rest != "" && !strings.HasSuffix(rest, dumpEnd) {
		return "", nil, errors.New("it is cut off")
	}
	for s := range strings.SplitSeq(strings.TrimSuffix(rest, dumpEnd), dumpEnd) {
		if s != "" {
			statements = append(statements, s)
		}
	}
	return database, statements, nil
}

// dump is the branch as statements that make it again, as of one moment: all tables and views, and the rows of those that
// withRows names. Without counters it is what a new branch gets.
func (b *memoryBranch) dump(ctx context.Context, withRows func(table string) bool, counters bool) ([]string, error) {
	b.guard.run.Lock()
	defer b.guard.run.Unlock()
	c := b.context(ctx)
	var tables, views []string
	err := b.query(c, "SHOW FULL TABLES", func(_ gms.Schema, r gms.Row) error {
		if !counters && leftover(fmt.Sprint(r[0])) {
			return nil
		}
		if r[1] == "VIEW" {
			views = append(views, fmt.Sprint(r[0]))
		} else {
			tables = append(tables, fmt.Sprint(r[0]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var statements, rows []string
	computed := map[string]map[string]bool{}
	for _, table := range append(tables, views...) {
		var create string
		err := b.query(c, "SHOW CREATE TABLE "+quoteName(table), func(_ gms.Schema, r gms.Row) error {
			create = fmt.Sprint(r[1])
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		if !counters {
			create = counter.ReplaceAllString(create, "$1")
		}
		statements, computed[table] = append(statements, oneLineStrings(create)), generatedColumns(create)
	}
	for _, table := range tables {
		if !withRows(table) {
			continue
		}
		inserts, err := b.dumpRows(c, table, computed[table])
		if err != nil {
			return nil, fmt.Errorf("rows of %s: %w", table, err)
		}
		rows = append(rows, inserts...)
	}
	// Rows stand before views, and after all tables, which they may reference.
	n := len(statements) - len(views)
	return append(append(append([]string{}, statements[:n]...), rows...), statements[n:]...), nil
}

// dumpBatch is how many bytes of values one INSERT of a dump holds, about.
const dumpBatch = 64 << 10

func (b *memoryBranch) dumpRows(c *gms.Context, table string, computed map[string]bool) ([]string, error) {
	var columns []string
	err := b.query(c, "SHOW COLUMNS FROM "+quoteName(table), func(s gms.Schema, r gms.Row) error {
		if name := fmt.Sprint(r[0]); !computed[strings.ToLower(name)] {
			columns = append(columns, quoteName(name))
		}
		return nil
	})
	if err != nil || len(columns) == 0 {
		return nil, err
	}
	list := strings.Join(columns, ", ")
	head := "INSERT INTO " + quoteName(table) + " (" + list + ") VALUES\n"
	var inserts []string
	var batch strings.Builder
	err = b.query(c, "SELECT "+list+" FROM "+quoteName(table), func(s gms.Schema, r gms.Row) error {
		if batch.Len() == 0 {
			batch.WriteString(head)
		} else {
			batch.WriteString(",\n")
		}
		batch.WriteByte('(')
		for i, v := range r {
			if i > 0 {
				batch.WriteString(", ")
			}
			text, err := literal(c, s[i].Type, v)
			if err != nil {
				return fmt.Errorf("column %s: %w", s[i].Name, err)
			}
			batch.WriteString(text)
		}
		batch.WriteByte(')')
		if batch.Len() >= dumpBatch {
			inserts = append(inserts, batch.String())
			batch.Reset()
		}
		return nil
	})
	if batch.Len() > 0 {
		inserts = append(inserts, batch.String())
	}
	return inserts, err
}

// literal is a value as it stands in SQL.
func literal(c *gms.Context, t gms.Type, v any) (string, error) {
	if v == nil {
		return "NULL", nil
	}
	value, err := t.SQL(c, nil, v)
	if err != nil {
		return "", err
	}
	switch kind := value.Type(); {
	case value.IsNull():
		return "NULL", nil
	case kind == sqltypes.Bit, sqltypes.IsBinary(kind), kind == sqltypes.Geometry:
		if len(value.ToBytes()) == 0 {
			return "''", nil
		}
		return "x'" + hex.EncodeToString(value.ToBytes()) + "'", nil
	case sqltypes.IsIntegral(kind), sqltypes.IsFloat(kind), kind == sqltypes.Decimal:
		return value.ToString(), nil
	}
	return quoteString(value.ToString()), nil
}

var stringEscapes = strings.NewReplacer(`\`, `\\`, `'`, `''`, "\n", `\n`, "\r", `\r`, "\x00", `\0`, "\x1a", `\Z`)

func quoteString(s string) string { return "'" + stringEscapes.Replace(s) + "'" }

// oneLineStrings writes the line breaks inside the quotes of a statement as \n.
func oneLineStrings(statement string) string {
	var b strings.Builder
	var quote byte
	for i := 0; i < len(statement); i++ {
		c := statement[i]
		switch {
		case quote == 0 && (c == '\'' || c == '"' || c == '`'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0 // a doubled quote opens it again at once
		case quote != 0 && quote != '`' && c == '\\' && i+1 < len(statement):
			b.WriteByte(c)
			i++
			c = statement[i]
		case quote != 0 && c == '\n':
			b.WriteString(`\n`)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
