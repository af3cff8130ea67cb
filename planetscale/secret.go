package planetscale

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// A Secret is text that must not be written anywhere. Whatever prints it gets
// "[secret]"; whatever encodes it as a value gets an error.
type Secret string

const hidden = "[secret]"

// errEncoded is what an encoder gets: a secret that has become a file by
// mistake would be worse than a run that stops.
var errEncoded = errors.New("a secret can't be encoded")

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "[secret]".
func (Secret) String() string { return hidden }

// GoString returns "[secret]".
func (Secret) GoString() string { return hidden }

// Format prints "[secret]", whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText returns an error.
func (Secret) MarshalText() ([]byte, error) { return nil, errEncoded }

// MarshalJSON returns an error.
func (Secret) MarshalJSON() ([]byte, error) { return nil, errEncoded }

// MarshalBinary returns an error.
func (Secret) MarshalBinary() ([]byte, error) { return nil, errEncoded }

// Shapes of PlanetScale's tokens and passwords: service token, OAuth token,
// database password.
var shapes = regexp.MustCompile(`pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_-]+`)

// scrubber returns a function that takes the secrets out of a text that came
// from elsewhere: the ones given, and whatever has the shape of one.
func scrubber(secrets ...string) func(string) string {
	var pairs []string
	for _, s := range secrets {
		if s != "" {
			pairs = append(pairs, s, hidden)
		}
	}
	known := strings.NewReplacer(pairs...)
	return func(text string) string {
		return shapes.ReplaceAllLiteralString(known.Replace(text), hidden)
	}
}
