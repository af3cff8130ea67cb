package migration_test

import (
	"slices"
	"strings"
)

// setRules are those of a table of heads; the graph is that of the other tests.
type setRules struct{}

func setBase(t tale) []string {
	return [][]string{nil, {"a1"}, {"a1", "b1"}, {"a2", "b2"}}[t.Base]
}

// setOurs are the heads of the branch after the run.
func setOurs(t tale) []string {
	switch {
	case t.Ours == 3:
		return []string{"m"}
	case t.Ours == 2:
		return []string{"a3", "b3"}
	case t.Base < 2:
		return []string{"a3"}
	}
	return []string{"a3", setBase(t)[1]}
}

func insertHeads(keys []string) (out []string) {
	for _, k := range keys {
		out = append(out, "INSERT INTO alembic_version VALUES ('"+k+"')")
	}
	return out
}

// under are heads and all that they build on.
func under(keys ...string) []string {
	out := slices.Clone(keys)
	for i := 0; i < len(out); i++ {
		out = append(out, heads[out[i]]...)
	}
	return out
}

func (r rows) heads() (keys []string) {
	for _, x := range r {
		keys = append(keys, x.key)
	}
	return keys
}

func headRows(keys []string) (r rows) {
	for _, k := range keys {
		r = append(r, row{key: k})
	}
	return r
}

func (setRules) start(t tale) rows { return headRows(setBase(t)) }

// steps is where each head goes when its line goes up.
var steps = map[string]map[string]string{
	"up a": {"a1": "a2", "a2": "a3", "a3": "a4"},
	"up b": {"b1": "b2", "b2": "b3"},
}

func (setRules) move(now rows, t tale, m move, did outcome, branch rows) rows {
	if did.refused {
		return now
	}
	keys := now.heads()
	switch m.Kind {
	case "up a", "up b":
		for i, k := range keys {
			if next, ok := steps[m.Kind][k]; ok {
				keys[i] = next
			}
		}
	case "merge":
		if slices.Contains(keys, "a3") && slices.Contains(keys, "b2") {
			keys = append(slices.DeleteFunc(keys, func(k string) bool { return k == "a3" || k == "b2" }), "m")
		}
	case "first":
		if len(keys) == 0 {
			keys = []string{"a1"}
		}
	case "unknown":
		if !slices.Contains(keys, "zzz") {
			keys = append(keys, "zzz")
		}
	case "unknown beyond":
		for i, k := range keys {
			if k == "a1" || k == "a2" {
				keys[i] = "yyy"
			}
		}
	case "back":
		for i, k := range keys {
			if k == "a1" || k == "a2" || k == "a3" {
				keys[i] = "r"
			}
		}
	case "delete":
		keys = slices.DeleteFunc(keys, func(k string) bool { return strings.HasPrefix(k, "ab"[m.N%2:m.N%2+1]) })
	}
	return headRows(keys)
}

func (setRules) swap(now rows, t tale, base, branch rows) (rows, bool) {
	covered := under(now.heads()...)
	for _, k := range base.heads() {
		if !slices.Contains(covered, k) {
			return now, false
		}
	}
	fresh := slices.DeleteFunc(branch.heads(), func(k string) bool { return slices.Contains(covered, k) })
	below := under(fresh...)
	kept := slices.DeleteFunc(now.heads(), func(k string) bool { return slices.Contains(below, k) })
	return headRows(append(kept, fresh...)), true
}

func setSQL(_ *stage, _ tale, m move) []string {
	const update, others = "UPDATE alembic_version SET version_num = ", "(SELECT version_num FROM (SELECT * FROM alembic_version) every WHERE version_num = "
	switch m.Kind {
	case "up a":
		return []string{update + "CASE version_num WHEN 'a1' THEN 'a2' WHEN 'a2' THEN 'a3' ELSE 'a4' END WHERE version_num IN ('a1', 'a2', 'a3')"}
	case "up b":
		return []string{update + "CASE version_num WHEN 'b1' THEN 'b2' ELSE 'b3' END WHERE version_num IN ('b1', 'b2')"}
	case "merge":
		return []string{
			update + "'m' WHERE version_num = 'a3' AND EXISTS " + others + "'b2')",
			"DELETE FROM alembic_version WHERE version_num = 'b2' AND EXISTS " + others + "'m')",
		}
	case "first":
		return []string{"INSERT INTO alembic_version SELECT 'a1' FROM (SELECT 1) one WHERE NOT EXISTS (SELECT 1 FROM (SELECT * FROM alembic_version) every)"}
	case "unknown":
		return []string{"INSERT IGNORE INTO alembic_version VALUES ('zzz')"}
	case "unknown beyond":
		return []string{update + "'yyy' WHERE version_num IN ('a1', 'a2')"}
	case "back":
		return []string{update + "'r' WHERE version_num IN ('a1', 'a2', 'a3')"}
	case "delete":
		return []string{"DELETE FROM alembic_version WHERE version_num LIKE '" + "ab"[m.N%2:m.N%2+1] + "%'"}
	}
	panic(m.Kind)
}
