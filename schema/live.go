package schema

import "strings"

// Missing says which changes are not in a schema, or not wholly: each with the clauses that are not seen there. What
// others have done to the same tables beside them does not matter. A clause of a kind that cannot be looked for counts
// as missing. The errors are those of Normalize.
func Missing(now *Schema, changes []Change) ([]Change, error) {
	var out []Change
	for _, c := range changes {
		t, there := now.Table(c.Table)
		if c.Verb == Drop {
			if there {
				out = append(out, c)
			}
			continue
		}
		if !there {
			out = append(out, c)
			continue
		}
		has, err := clausesOf(t)
		if err != nil {
			return nil, err
		}
		left := c
		left.Clauses = nil
		for _, clause := range c.Clauses {
			if !live(has, clause) {
				left.Clauses = append(left.Clauses, clause)
			}
		}
		if len(left.Clauses) > 0 || len(c.Clauses) == 0 {
			out = append(out, left)
		}
	}
	return out, nil
}

// clausesOf gives what a table consists of, each in the spelling that changes use, without positions: a column that
// others added may have moved the next one.
func clausesOf(t Table) (map[string]bool, error) {
	text, err := Normalize(t.Create)
	if err != nil {
		return nil, err
	}
	c, err := ParseChange(t.Name, Create, text)
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, clause := range c.Clauses {
		has[unplaced(clause)] = true
	}
	return has, nil
}

// unplaced cuts the position off a column.
func unplaced(clause string) string {
	clause = strings.TrimSuffix(clause, " FIRST")
	if i := strings.LastIndex(clause, " AFTER `"); i > 0 && strings.HasSuffix(clause, "`") && !strings.Contains(clause[i+8:len(clause)-1], "`") {
		clause = clause[:i]
	}
	return clause
}

// live looks for one clause of a CREATE or an ALTER.
func live(has map[string]bool, clause string) bool {
	clause = unplaced(clause)
	if has[clause] {
		return true
	}
	if rest, ok := strings.CutPrefix(clause, "DROP COLUMN "); ok {
		return !anyStarts(has, rest+" ")
	}
	if clause == "DROP PRIMARY KEY" {
		return !anyStarts(has, "PRIMARY KEY")
	}
	if name, ok := strings.CutPrefix(clause, "DROP KEY "); ok {
		for have := range has {
			if strings.Contains(have, "KEY "+name+" (") {
				return false
			}
		}
		return true
	}
	for _, verb := range []string{"ADD COLUMN ", "MODIFY COLUMN ", "ADD "} {
		if rest, ok := strings.CutPrefix(clause, verb); ok {
			return has[rest]
		}
	}
	return false
}

func anyStarts(has map[string]bool, prefix string) bool {
	for have := range has {
		if strings.HasPrefix(have, prefix) {
			return true
		}
	}
	return false
}
