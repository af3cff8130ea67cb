package emulator

import (
	"strconv"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// schemaText prints tables for SHOW CREATE TABLE. The library's own printing leaves quotes in enum values and comments as they are
// and gives the default of an enum as a number, and such text makes another table, or none.
type schemaText struct{ *gms.MySqlSchemaFormatter }

// commentEscapes leaves single quotes to the library where it doubles them itself.
var commentEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

// GenerateCreateTableStatement prints a table.
func (f schemaText) GenerateCreateTableStatement(name string, columns []string, temp, autoInc, charset, collation, comment string) string {
	return f.MySqlSchemaFormatter.GenerateCreateTableStatement(name, columns, temp, autoInc, charset, collation, commentEscapes.Replace(comment))
}

// GenerateCreateTableColumnDefinition prints a column.
func (f schemaText) GenerateCreateTableColumnDefinition(col *gms.Column, def, onUpdate string, table gms.CollationID) string {
	c := *col
	c.Comment = strings.ReplaceAll(commentEscapes.Replace(c.Comment), "'", "''")
	position, err := strconv.ParseUint(strings.Trim(def, "'"), 10, 64)
	numbered := err == nil
	var values []string
	switch t := col.Type.(type) {
	case types.EnumType:
		values = t.Values()
		if value, ok := t.At(int(position)); numbered && ok {
			def = quoteString(value)
		}
	case types.SetType:
		values = t.Values()
		if value, err := t.BitsToString(position); numbered && err == nil {
			def = quoteString(value)
		}
	}
	text := f.MySqlSchemaFormatter.GenerateCreateTableColumnDefinition(&c, def, onUpdate, table)
	if values != nil {
		quoted := make([]string, len(values))
		for i, v := range values {
			quoted[i] = quoteString(v)
		}
		text = strings.Replace(text, "('"+strings.Join(values, "','")+"')", "("+strings.Join(quoted, ",")+")", 1)
	}
	return text
}

// GenerateCreateTableIndexDefinition prints a key.
func (f schemaText) GenerateCreateTableIndexDefinition(unique, spatial, fulltext, vector bool, name string, columns []string, comment string) (string, bool) {
	comment = strings.ReplaceAll(commentEscapes.Replace(comment), "'", "''")
	return f.MySqlSchemaFormatter.GenerateCreateTableIndexDefinition(unique, spatial, fulltext, vector, name, columns, comment)
}
