package config

import (
	"errors"
	"fmt"
	"io"
)

// Secret is a text that must not be seen: it prints as "[secret]" and refuses to be encoded. Reveal gives the text.
type Secret string

const hidden = "[secret]"

var errSecret = errors.New("a secret cannot be written down")

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]", or "" when there is none.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString is String, so that %#v of a struct shows nothing either.
func (s Secret) GoString() string { return s.String() }

// Format writes String for every verb: %x and %q would otherwise spell the text out.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText refuses, so that no secret gets into a document by accident; none at all is written as "".
func (s Secret) MarshalText() ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	return nil, errSecret
}

// MarshalJSON refuses for the same reason; none at all is written as "".
func (s Secret) MarshalJSON() ([]byte, error) {
	if s == "" {
		return []byte(`""`), nil
	}
	return nil, errSecret
}
