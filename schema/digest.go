package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Digests names the content of every table, "sha256:" and hex, by table name. Two tables have one digest exactly when
// Diff finds nothing between them: AUTO_INCREMENT values, names of constraints, integer widths and the order of keys do
// not count, and MariaDB's spelling counts as MySQL's. A table that Diff would refuse is named by its text.
func (s *Schema) Digests() map[string]string {
	out := map[string]string{}
	if s == nil {
		return out
	}
	l, err := newLoader()
	for _, t := range s.Tables {
		if err != nil {
			out[t.Name] = digest("text", t.Create)
			continue
		}
		e, err := l.entity(t)
		if err != nil {
			out[t.Name] = digest("text", t.Create)
			continue
		}
		out[t.Name] = digest(append([]string{"entity"}, identity(e)...)...)
	}
	return out
}

// Digest names the content of the whole schema: "sha256:" and hex. Equal means that Diff finds nothing.
func (s *Schema) Digest() string {
	var lines []string
	for name, d := range s.Digests() {
		lines = append(lines, name+"\x00"+d)
	}
	slices.Sort(lines)
	return digest(lines...)
}

// digest tells apart any two lists of texts.
func digest(texts ...string) string {
	sum := sha256.New()
	for _, t := range texts {
		sum.Write([]byte(strings.ReplaceAll(t, "\x00", "\x00\x01")))
		sum.Write([]byte{0, 0})
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
