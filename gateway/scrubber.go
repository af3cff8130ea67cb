package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"sync"
)

// scrubbed is what stands in place of a secret.
var scrubbed = []byte("[secret]")

// Scrubber passes on what a child process writes, with every secret replaced by
// "[secret]", also where it is split over several writes. It holds back only
// bytes that may be the beginning of a secret. It may be used by several
// goroutines.
type Scrubber struct {
	mu      sync.Mutex
	w       io.Writer
	secrets [][]byte  // longest first
	first   [256]bool // the bytes they begin with
	held    []byte
}

// NewScrubber writes to w. Secrets are found as they are and in the forms they
// take in URLs, JSON and base64; empty ones are ignored.
func NewScrubber(w io.Writer, secrets ...string) *Scrubber {
	s := &Scrubber{w: w}
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		quoted, _ := json.Marshal(secret)
		forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
			string(quoted[1 : len(quoted)-1])}
		if len(secret) >= 8 { // shorter ones would hide innocent text
			forms = append(forms, base64.StdEncoding.EncodeToString([]byte(secret)), base64.URLEncoding.EncodeToString([]byte(secret)))
		}
		for _, f := range forms {
			if !slices.ContainsFunc(s.secrets, func(b []byte) bool { return string(b) == f }) {
				s.secrets = append(s.secrets, []byte(f))
				s.first[f[0]] = true
			}
		}
	}
	slices.SortStableFunc(s.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return s
}

// Write passes on p and what was held back before.
func (s *Scrubber) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, p...)
	if err := s.pass(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what is held back. It belongs after the child's last write.
func (s *Scrubber) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pass(true)
}

func (s *Scrubber) pass(all bool) error {
	var out []byte
	b := s.held
	for len(b) > 0 {
		n, secret, wait := s.next(b, all)
		out = append(out, b[:n]...)
		b = b[n:]
		if wait {
			break
		}
		if secret > 0 {
			out = append(out, scrubbed...)
			b = b[secret:]
		}
	}
	s.held = append(s.held[:0], b...)
	if len(out) == 0 {
		return nil
	}
	_, err := s.w.Write(out)
	return err
}

// next finds how many bytes are innocent, and whether a secret of some length
// follows them, or what may become one. At the end nothing can become one.
func (s *Scrubber) next(b []byte, end bool) (innocent, secret int, wait bool) {
	for i, c := range b {
		if !s.first[c] {
			continue
		}
		rest := b[i:]
		for _, x := range s.secrets { // a longer one that may come is preferred
			if bytes.HasPrefix(rest, x) {
				return i, len(x), false
			}
			if !end && len(rest) < len(x) && bytes.HasPrefix(x, rest) {
				return i, 0, true
			}
		}
	}
	return len(b), 0, false
}
