package migration

import (
	"cmp"
	"strings"
)

// byText is plain byte order.
func byText(a, b string) int { return strings.Compare(a, b) }

// byNumber orders decimal numbers of any length by value; what is not a number
// comes after those that are, in byte order.
func byNumber(a, b string) int {
	na, nb := isDigits(a), isDigits(b)
	switch {
	case na && nb:
		a, b = trimZeros(a), trimZeros(b)
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	case na:
		return -1
	case nb:
		return 1
	}
	return strings.Compare(a, b)
}

// isDigits reports whether s consists of ASCII digits, at least one.
func isDigits(s string) bool {
	return s != "" && leadingDigits(s) == s
}

// leadingDigits is the longest prefix of ASCII digits.
func leadingDigits(s string) string {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return s[:i]
		}
	}
	return s
}

// trimZeros takes leading zeros off digits, leaving at least one digit.
func trimZeros(s string) string {
	t := strings.TrimLeft(s, "0")
	if t == "" && s != "" {
		return "0"
	}
	return t
}
