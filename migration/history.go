package migration

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// History is the history table of a tool, and the tables beside it, as found
// in one database.
type History struct {
	Table string `json:"table"`
	// Exists is false before the tool's first run.
	Exists  bool     `json:"exists"`
	Columns []Column `json:"columns,omitempty"`
	// Rows in the order of the primary key.
	Rows []Row      `json:"rows,omitempty"`
	Aux  []AuxTable `json:"aux,omitempty"`
}

// AuxTable is a table that a tool keeps beside its history.
type AuxTable struct {
	Name    string   `json:"name"`
	Exists  bool     `json:"exists"`
	Columns []Column `json:"columns,omitempty"`
	Rows    []Row    `json:"rows,omitempty"`
	Policy  Policy   `json:"policy"`
}

// Policy is what pmig does with a table beside the history.
type Policy string

const (
	// ResetPolicy is for lock tables: on the branch they get the value at which
	// the tool finds them free; nothing travels back.
	ResetPolicy Policy = "reset"
	// SeedPolicy is for tables that the tool wants to read: their rows are
	// copied to the branch; nothing travels back.
	SeedPolicy Policy = "seed"
)

// aux describes a table beside the history.
type aux struct {
	name   func(history string) string
	policy Policy
	needs  []need
	// rest gives the rows of a table at rest, for ResetPolicy.
	rest func(columns []Column, rows []Row) []Row
	// locked says who holds the lock, "" if nobody does.
	locked func(table string, columns []Column, rows []Row) string
}

// Len is the number of rows in the history table.
func (h *History) Len() int { return len(h.Rows) }

// Digest identifies the rows of the history table (not of those beside it):
// "sha256:" and 64 hex digits. Column order does not matter, and a table that
// is not there has the digest of an empty one.
func (h *History) Digest() string {
	columns := make([]int, len(h.Columns))
	for i := range columns {
		columns[i] = i
	}
	slices.SortFunc(columns, func(a, b int) int {
		return strings.Compare(fold(h.Columns[a].Name), fold(h.Columns[b].Name))
	})
	names := make([]Value, len(columns))
	for i, c := range columns {
		names[i] = Text(fold(h.Columns[c].Name))
	}
	sum := sha256.New()
	var line []byte
	for _, row := range h.Rows {
		line = line[:0]
		for i, c := range columns {
			line = row[c].appendTo(names[i].appendTo(line))
		}
		sum.Write(append(line, '\n'))
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// keyColumns are the columns that a key is made of.
func (s Spec) keyColumns() []string {
	if s.Custom != nil {
		return s.Custom.Key
	}
	return s.Tool.key
}

// Split parts a log's rows by their keys: those of some migrations, and the
// rest.
func Split(spec Spec, h *History, keys map[string]bool) (of, rest *History) {
	a, b := *h, *h
	a.Rows, b.Rows = nil, nil
	key := keyer(spec, h.Columns)
	for _, row := range h.Rows {
		if keys[key(row)] {
			a.Rows = append(a.Rows, row)
		} else {
			b.Rows = append(b.Rows, row)
		}
	}
	return &a, &b
}

// keyer reads the key of rows as the tool does: the key column's text, several
// columns joined by ":" (with ":" and "\" inside a part escaped).
func keyer(spec Spec, columns []Column) func(Row) string {
	places := at(columns, spec.keyColumns())
	parts := make([]Value, len(spec.keyColumns()))
	return func(row Row) string {
		for i, p := range places {
			if p >= 0 {
				parts[i] = row[p]
			}
		}
		key := joinKey(parts)
		if spec.Tool.rowKey != nil {
			key = spec.Tool.rowKey(key)
		}
		return key
	}
}

// joinKey makes one string of a key's parts; different parts never give the
// same string.
func joinKey(parts []Value) string {
	if len(parts) == 1 {
		return parts[0].Text()
	}
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`)
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte(':')
		}
		if p.IsNull() {
			b.WriteString(`\N`)
		} else {
			escape.WriteString(&b, p.Text())
		}
	}
	return b.String()
}

// splitKey takes a key of n columns apart again.
func splitKey(key string, n int) []Value {
	if n == 1 {
		return []Value{Text(key)}
	}
	var parts []Value
	var b strings.Builder
	null := false
	for i := 0; i <= len(key); i++ {
		switch {
		case i == len(key) || key[i] == ':':
			part := Text(b.String())
			if null {
				part = Null()
			}
			parts = append(parts, part)
			b.Reset()
			null = false
		case key[i] == '\\' && i+1 < len(key):
			i++
			if null = key[i] == 'N'; !null {
				b.WriteByte(key[i])
			}
		default:
			b.WriteByte(key[i])
		}
	}
	return append(parts, make([]Value, max(n-len(parts), 0))...)[:n]
}
