package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// next is the document that follows the one with a serial, as this version of pmig writes it, and its text.
func (d *Document) next(version string, serial uint64) (*Document, []byte, error) {
	next := *d
	next.FormatVersion, next.WrittenBy, next.Serial = FormatVersion, version, serial+1
	if next.Records == nil {
		next.Records = []Record{}
	}
	text, err := encode(&next)
	return &next, text, err
}

// encode is the text of a document: one JSON value, format_version first, a newline last.
func encode(d *Document) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("encode the state: %w", err)
	}
	return b.Bytes(), nil
}

// decode reads what encode wrote. The format is looked at before anything else, so that a newer document is named as
// such even when its members have other types.
func decode(at Where, text []byte) (*Document, error) {
	var head struct {
		FormatVersion *int            `json:"format_version"`
		WrittenBy     json.RawMessage `json:"written_by"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, &DamagedError{Where: at, Err: explain(text, err)}
	}
	if head.FormatVersion == nil {
		return nil, &DamagedError{Where: at, Err: errors.New("it has no format_version")}
	}
	if *head.FormatVersion != FormatVersion {
		var by string
		_ = json.Unmarshal(head.WrittenBy, &by) // a newer format may say it in another way
		return nil, &FormatError{Where: at, Format: *head.FormatVersion, WrittenBy: by}
	}
	d := new(Document)
	if err := json.Unmarshal(text, d); err != nil {
		return nil, &DamagedError{Where: at, Err: explain(text, err)}
	}
	if d.Serial == 0 || d.Serial == math.MaxUint64 {
		return nil, &DamagedError{Where: at, Err: errors.New("it has no usable serial")}
	}
	if d.Key == (Key{}) {
		return nil, &DamagedError{Where: at, Err: errors.New("it has no key")}
	}
	var run bytes.Buffer // without the indentation that encode gave it, so that it compares equal to what was saved
	if len(d.Run) > 0 {
		if err := json.Compact(&run, d.Run); err != nil {
			return nil, &DamagedError{Where: at, Err: explain(text, err)}
		}
		d.Run = run.Bytes()
	}
	return d, nil
}

// explain says in a reader's words why text is not JSON.
func explain(text []byte, err error) error {
	var syntax *json.SyntaxError
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return errors.New("it is empty")
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(bytes.TrimRight(text, " \r\n\t"))):
		return fmt.Errorf("it is cut short after %d bytes: %w", len(text), io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("it is not a state document: %w", err)
}
