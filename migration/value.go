package migration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value is one cell of a history row: NULL, or bytes exactly as the server
// shows them. The zero Value is NULL; NULL and the empty text are different.
// Values are comparable with ==.
type Value struct {
	set   bool
	bytes string
}

// Null is the SQL NULL.
func Null() Value { return Value{} }

// Text is a value with these bytes; they need not be UTF-8.
func Text(s string) Value { return Value{set: true, bytes: s} }

// IsNull reports whether the value is NULL.
func (v Value) IsNull() bool { return !v.set }

// Text returns the bytes of the value, "" for NULL.
func (v Value) Text() string { return v.bytes }

// String shows the value to people: NULL, or the text, quoted where a reader
// could be misled.
func (v Value) String() string {
	if !v.set {
		return "NULL"
	}
	plain := v.bytes != "" && v.bytes != "NULL" && utf8.ValidString(v.bytes) &&
		!strings.ContainsFunc(v.bytes, func(r rune) bool { return r <= ' ' && r != ' ' || r == 0x7f || r == '"' })
	if plain && strings.TrimSpace(v.bytes) == v.bytes {
		return v.bytes
	}
	return fmt.Sprintf("%q", v.bytes)
}

// binaryValue is the JSON form of bytes that are not UTF-8.
type binaryValue struct {
	Base64 *string `json:"base64"`
}

// MarshalJSON writes null, a string, or {"base64": "..."} for bytes that are
// not UTF-8.
func (v Value) MarshalJSON() ([]byte, error) {
	switch {
	case !v.set:
		return []byte("null"), nil
	case utf8.ValidString(v.bytes):
		return json.Marshal(v.bytes)
	}
	text := base64.StdEncoding.EncodeToString([]byte(v.bytes))
	return json.Marshal(binaryValue{&text})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Value) UnmarshalJSON(data []byte) error {
	trimmed := strings.TrimSpace(string(data))
	switch {
	case trimmed == "null":
		*v = Value{}
		return nil
	case strings.HasPrefix(trimmed, `"`):
		var s string
		if err := json.Unmarshal(data, &s); err != nil {
			return err
		}
		*v = Text(s)
		return nil
	case strings.HasPrefix(trimmed, "{"):
		var b binaryValue
		if err := json.Unmarshal(data, &b); err != nil {
			return err
		}
		if b.Base64 == nil {
			return fmt.Errorf("history value without base64")
		}
		raw, err := base64.StdEncoding.DecodeString(*b.Base64)
		if err != nil {
			return fmt.Errorf("history value: %w", err)
		}
		*v = Text(string(raw))
		return nil
	}
	return fmt.Errorf("history value is neither null, a string nor an object")
}

// Row is one row of a history table, in the order of the table's columns.
type Row []Value

// Equal reports whether two rows hold the same values.
func (r Row) Equal(o Row) bool { return slices.Equal(r, o) }

// appendTo appends the value so that it can't run into the next one.
func (v Value) appendTo(b []byte) []byte {
	if !v.set {
		return append(b, '~')
	}
	b = strconv.AppendInt(b, int64(len(v.bytes)), 10)
	return append(append(b, ':'), v.bytes...)
}
