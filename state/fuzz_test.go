package state_test

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/state"
)

// Whatever a file holds: it is a document that can be saved again as it is, or one of the two errors.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"", "{", "null", `{"format_version":1}`, `{"format_version":2,"written_by":"9"}`, `{"format_version":1e3}`,
		`{"format_version":1,"written_by":"0.1.0","serial":3,"key":{"address":"https://api.planetscale.com/","organization":"acme","database":"shop","target":"main"},"run":{"a": [1, 2]},"records":[{"n":1,"time":"2026-09-01T12:00:00Z","step":"migrate","phase":"before"}]}`,
		`{"format_version":1,"serial":18446744073709551615,"key":{"address":"https://api.planetscale.com/","organization":"acme","database":"shop","target":"main"},"records":null}`,
	} {
		f.Add([]byte(text))
	}
	store := state.NewFileStore(f.TempDir(), "0.1.0")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(store.Path(key), text, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := store.Load(key)
		var damaged *state.DamagedError
		var format *state.FormatError
		if errors.As(err, &damaged) || errors.As(err, &format) {
			return
		}
		if err != nil {
			t.Fatalf("neither a document nor damaged: %v", err)
		}
		if err := store.Save(d); err != nil {
			t.Fatalf("what was loaded cannot be saved: %v", err)
		}
		again, err := store.Load(key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, again); diff != "" && d.Records != nil {
			t.Fatalf("(-saved +loaded)\n%s", diff)
		}
	})
}
