package migration

import (
	"maps"
	"slices"
)

// Graph says which migrations each migration builds on, for tools that order
// them by that and not by their keys. A key that is not in it is not known.
type Graph map[string][]string

// GraphOf is the graph of the migrations on disk.
func GraphOf(files []File) Graph {
	g := make(Graph, len(files))
	for _, f := range files {
		g[f.Key] = f.Parents
	}
	return g
}

// with is the graph with what another one knows.
func (g Graph) with(o Graph) Graph {
	both := maps.Clone(g)
	if both == nil {
		both = make(Graph, len(o))
	}
	maps.Copy(both, o)
	return both
}

// below are some migrations and all that they build on, as far as it is known.
func (g Graph) below(keys ...string) map[string]bool {
	seen := map[string]bool{}
	for todo := slices.Clone(keys); len(todo) > 0; {
		k := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[k] {
			seen[k] = true
			todo = append(todo, g[k]...)
		}
	}
	return seen
}

// order lists some migrations, each behind what it builds on.
func (g Graph) order(keys map[string]bool) []string {
	var out []string
	done := map[string]bool{}
	var visit func(string)
	visit = func(k string) {
		if done[k] || !keys[k] {
			return
		}
		done[k] = true // also ends a circle, which no tool takes
		for _, p := range slices.Sorted(slices.Values(g[k])) {
			visit(p)
		}
		out = append(out, k)
	}
	for _, k := range sortedKeys(keys) {
		visit(k)
	}
	return out
}
