package emulator

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// chance is n random lower-case letters and digits.
func chance(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return letters.EncodeToString(b)[:n]
}

// newID is an id in the platform's form: 12 lower-case letters and digits.
func newID() string { return chance(12) }

// newPassword is a database password in the platform's form.
func newPassword() string {
	s := strings.TrimRight(rand.Text()+rand.Text(), "=")
	return "pscale_pw_" + s[:43]
}
