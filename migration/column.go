package migration

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Column is one column of a history table.
type Column struct {
	Name string `json:"name"`
	// Type is the column type in lower case without the display width of
	// integers: "varchar(255)", "bigint unsigned", "tinyint(1)".
	Type          string `json:"type"`
	Null          bool   `json:"null,omitempty"`
	AutoIncrement bool   `json:"auto_increment,omitempty"`
	// Primary marks the columns of the primary key, or of the unique key over
	// columns that cannot be NULL where a table has no primary key.
	Primary bool `json:"primary,omitempty"`
}

// kind groups column types by how their values travel.
type kind int

const (
	textKind kind = iota
	intKind
	numberKind
	timeKind
	binaryKind
)

// base is the type's first word: "bigint" of "bigint unsigned".
func (c Column) base() string {
	end := strings.IndexAny(c.Type, "( ")
	if end < 0 {
		return c.Type
	}
	return c.Type[:end]
}

func (c Column) kind() kind {
	switch c.base() {
	case "tinyint", "smallint", "mediumint", "int", "integer", "bigint":
		return intKind
	case "decimal", "numeric", "float", "double", "real":
		return numberKind
	case "date", "datetime", "timestamp", "time", "year":
		return timeKind
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit":
		return binaryKind
	}
	return textKind
}

// expression selects the column so that its bytes arrive exactly as the server
// shows them: neither the driver's number parsing (text protocol) nor its
// parseTime option can touch what is already a string.
func (c Column) expression() string {
	switch c.kind() {
	case intKind, numberKind, timeKind:
		return "CAST(" + quoteName(c.Name) + " AS CHAR)"
	}
	return quoteName(c.Name)
}

// argument turns a value into what the driver sends for this column. Integers
// go as integers, because a bigint compared with a string may be compared as
// doubles; binary columns as bytes, because a driver that interpolates would
// otherwise send them in the connection's character set.
func (c Column) argument(v Value) any {
	if v.IsNull() {
		return nil
	}
	switch c.kind() {
	case intKind:
		if n, err := strconv.ParseInt(v.bytes, 10, 64); err == nil {
			return n
		}
		if n, err := strconv.ParseUint(v.bytes, 10, 64); err == nil {
			return n
		}
	case binaryKind:
		return []byte(v.bytes)
	}
	return v.bytes
}

// integerWidth matches the display width that MariaDB and MySQL before 8.0.19
// print for integers; tinyint(1) keeps it, there it says "boolean".
var integerWidth = regexp.MustCompile(`^(smallint|mediumint|int|bigint)\(\d+\)`)

// normalType brings COLUMN_TYPE of different servers to one spelling.
func normalType(t string) string {
	t = integerWidth.ReplaceAllString(strings.ToLower(t), "$1")
	if strings.HasPrefix(t, "tinyint(") && !strings.HasPrefix(t, "tinyint(1)") {
		t = "tinyint" + t[strings.IndexByte(t, ')')+1:]
	}
	return t
}

// fold makes column names comparable: MySQL takes them in any case.
func fold(name string) string { return strings.ToLower(name) }

// columnIndex finds a column by name, -1 if it is not there.
func columnIndex(columns []Column, name string) int {
	return slices.IndexFunc(columns, func(c Column) bool { return fold(c.Name) == fold(name) })
}

// at resolves column names to their numbers, -1 for those that are not there.
func at(columns []Column, names []string) []int {
	numbers := make([]int, len(names))
	for i, name := range names {
		numbers[i] = columnIndex(columns, name)
	}
	return numbers
}

// columnNames lists the names of columns.
func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// rowView reads cells of a row by column name.
type rowView struct {
	columns []Column
	row     Row
}

// value of a column, NULL if there is no such column.
func (v rowView) value(name string) Value {
	if i := columnIndex(v.columns, name); i >= 0 && i < len(v.row) {
		return v.row[i]
	}
	return Null()
}

// need is a column by which a tool's table is recognised.
type need struct {
	name string
	kind []kind
}

// fits reports whether all needed columns are there with a possible type.
// Further columns do no harm: people add them.
func fits(needs []need, columns []Column) bool {
	for _, n := range needs {
		i := columnIndex(columns, n.name)
		if i < 0 || !slices.Contains(n.kind, columns[i].kind()) {
			return false
		}
	}
	return true
}

// quoteName quotes an identifier for any MySQL dialect and sql_mode.
func quoteName(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}
