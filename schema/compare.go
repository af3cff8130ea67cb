package schema

import "strings"

// Compare says which changes of want are not in got, and which of got are not in want, clause by clause: of an ALTER
// that both have, only the clauses that differ come back. The order of clauses and statements does not count, several
// statements on one table count as one, and neither does Instant.
func Compare(want, got []Change) (missing, surplus []Change) {
	w, g := gather(want), gather(got)
	return subtract(w, g), subtract(g, w)
}

// gathered is everything that changes say about one table under one verb.
type gathered struct {
	table, verb string
	change      Change
	clauses     map[string]int
}

func (g gathered) key() string { return g.verb + " " + g.table }

func gather(changes []Change) []gathered {
	var out []gathered
	at := map[string]int{}
	for _, c := range changes {
		g := gathered{table: c.Table, verb: strings.ToUpper(c.Verb), change: c, clauses: map[string]int{}}
		i, ok := at[g.key()]
		if !ok {
			i = len(out)
			at[g.key()] = i
			out = append(out, g)
		} else {
			first := &out[i].change
			first.Clauses = append(first.Clauses[:len(first.Clauses):len(first.Clauses)], c.Clauses...)
		}
		for _, clause := range c.Clauses {
			out[i].clauses[clause]++
		}
	}
	return out
}

// subtract is a less what b says too.
func subtract(a, b []gathered) []Change {
	others := map[string]gathered{}
	for _, g := range b {
		others[g.key()] = g
	}
	var out []Change
	for _, g := range a {
		other, ok := others[g.key()]
		if !ok {
			out = append(out, cut(g.change, g.change.Clauses))
			continue
		}
		left := map[string]int{}
		for clause, n := range g.clauses {
			left[clause] = n - other.clauses[clause]
		}
		var clauses []string
		for _, clause := range g.change.Clauses {
			if left[clause] > 0 {
				left[clause]--
				clauses = append(clauses, clause)
			}
		}
		if len(clauses) > 0 {
			out = append(out, cut(g.change, clauses))
		}
	}
	return out
}

// cut is the change cut down to some of its clauses.
func cut(c Change, clauses []string) Change {
	c.Clauses, c.Native = clauses, ""
	if c.Verb == Alter && len(clauses) > 0 && !strings.HasPrefix(clauses[0], "CREATE ") {
		c.SQL = "ALTER TABLE " + quote(c.Table) + " " + strings.Join(clauses, ", ")
		c.Dropped, c.DropsData = losses(clauses)
	}
	return c
}
