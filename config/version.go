package config

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// version is a semantic version; a part that is not written is 0.
type version struct {
	parts [3]int
	given int    // how many parts were written
	pre   string // after the hyphen; such a version comes before the one without
}

// parseVersion reads "1", "0.3", "v1.2.3-rc.1+build". What follows a plus sign does not count.
func parseVersion(text string) (version, error) {
	var v version
	bad := fmt.Errorf("%q is not a version", text)
	core, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "v"), "+")
	core, v.pre, _ = strings.Cut(core, "-")
	fields := strings.Split(core, ".")
	if len(fields) > len(v.parts) {
		return v, bad
	}
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 31)
		if err != nil {
			return v, bad
		}
		v.parts[i] = int(n)
	}
	v.given = len(fields)
	return v, nil
}

// compare orders versions: negative when v comes before w.
func (v version) compare(w version) int {
	for i := range v.parts {
		if c := cmp.Compare(v.parts[i], w.parts[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	return strings.Compare(v.pre, w.pre)
}

// constraint is a list of conditions that must all hold.
type constraint []condition

type condition struct {
	operator string
	version  version
}

// operators in an order in which none hides a longer one.
var operators = []string{">=", "<=", "!=", "~>", ">", "<", "="}

// parseConstraint reads conditions separated by commas: ">= 0.1, < 2.0". A version alone means exactly that one.
func parseConstraint(text string) (constraint, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the constraint is empty")
	}
	var out constraint
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		c := condition{operator: "="}
		for _, op := range operators {
			if rest, ok := strings.CutPrefix(part, op); ok {
				c.operator, part = op, rest
				break
			}
		}
		v, err := parseVersion(part)
		if err != nil {
			return nil, fmt.Errorf("%w in the constraint %q", err, text)
		}
		c.version = v
		out = append(out, c)
	}
	return out, nil
}

// allows tells whether a version meets every condition. A preview of 1.2.0 meets what 1.2.0 meets, unless the condition is on a
// preview itself: a build from the code of the next version must understand a file written for it.
func (c constraint) allows(v version) bool {
	for _, cond := range c {
		v := v
		if cond.version.pre == "" {
			v.pre = ""
		}
		if !cond.allows(v) {
			return false
		}
	}
	return true
}

func (c condition) allows(v version) bool {
	order := v.compare(c.version)
	switch c.operator {
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	case "!=":
		return order != 0
	case "~>":
		return order >= 0 && v.compare(c.version.next()) < 0
	}
	return order == 0
}

// next is the first version that "~>" does not allow any more: the last part that was written may grow, the one before may not.
func (v version) next() version {
	i := max(0, v.given-2)
	next := version{given: v.given}
	copy(next.parts[:], v.parts[:i])
	next.parts[i] = v.parts[i] + 1
	return next
}
