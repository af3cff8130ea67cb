package config

import (
	"fmt"
	"slices"
	"strings"
)

// nearest returns the candidate that was probably meant, or "". At most a third of the letters may differ; a beginning of at
// least three letters ("org") counts as meant too.
func nearest(given string, candidates []string) string {
	given = strings.ToLower(given)
	best, limit := "", max(1, (len(given)+1)/3)
	for _, c := range candidates {
		if d := distance(given, strings.ToLower(c)); d <= limit {
			best, limit = c, d-1
		}
	}
	if best != "" || len(given) < 3 {
		return best
	}
	for _, c := range candidates {
		if strings.HasPrefix(strings.ToLower(c), given) {
			return c
		}
	}
	return ""
}

// didYouMean is the sentence with the nearest candidate, each written with format; with a leading space, or "".
func didYouMean(given string, candidates []string, format string) string {
	if best := nearest(given, candidates); best != "" {
		return " Did you mean " + fmt.Sprintf(format, best) + "?"
	}
	return ""
}

// distance is the number of single letters to put in, take out, replace or swap with their neighbour to get from a to b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}

// list writes names as a reader would: a, b and c.
func list(names []string, conjunction string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " " + conjunction + " " + names[n-1]
	}
}

// quoted is names in quotation marks.
func quoted(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return out
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
