package schema

import "strings"

// part is one definition between the parentheses of a CREATE TABLE, as its author wrote it.
type part struct {
	column  string // name, when it defines a column
	key     string // name of an index, or "PRIMARY"; empty for columns and constraints
	named   string // name of a constraint
	foreign bool   // it is a foreign key
	text    string // without the column's own checks
	checks  []string
}

// table is a CREATE TABLE taken apart without understanding it.
type table struct {
	name  string
	head  string // CREATE TABLE `t`
	parts []part
	tail  string // options and partitions
}

// splitTable takes a CREATE TABLE apart. It reports false for anything else, such as CREATE TABLE ... LIKE.
func splitTable(text string) (table, bool) {
	s := newStatement(strings.TrimRight(strings.TrimSpace(text), ";"))
	i := 0
	if !s.word(i, "CREATE") {
		return table{}, false
	}
	if i++; s.word(i, "TEMPORARY") {
		i++
	}
	if !s.word(i, "TABLE") {
		return table{}, false
	}
	if i++; s.word(i, "IF") && s.word(i+1, "NOT") && s.word(i+2, "EXISTS") {
		i += 3
	}
	name, ok := s.name(i)
	if !ok {
		return table{}, false
	}
	if i++; s.sign(i, '.') {
		if name, ok = s.name(i + 1); !ok {
			return table{}, false
		}
		i += 2
	}
	if !s.sign(i, '(') {
		return table{}, false
	}
	end := s.closing(i)
	if end == len(s.tokens) {
		return table{}, false
	}
	t := table{name: name, head: s.text[:s.tokens[i].start], tail: s.text[s.tokens[end].end:]}
	for from := i + 1; from < end; {
		to := from
		for to < end && !s.sign(to, ',') {
			if s.sign(to, '(') {
				to = s.closing(to)
			}
			to++
		}
		if to > from {
			t.parts = append(t.parts, s.part(from, to))
		}
		from = to + 1
	}
	return t, true
}

// part reads the definition of tokens from (included) to to (excluded).
func (s statement) part(from, to int) part {
	p := part{text: s.text[s.tokens[from].start:s.tokens[to-1].end]}
	first := s.tokens[from].kind
	switch {
	case first == tokenWord && s.word(from, "PRIMARY"):
		p.key = "PRIMARY"
	case first == tokenWord && s.word(from, "UNIQUE", "FULLTEXT", "SPATIAL", "KEY", "INDEX"):
		for from < to && s.word(from, "UNIQUE", "FULLTEXT", "SPATIAL", "KEY", "INDEX") {
			from++
		}
		p.key, _ = s.name(from)
	case first == tokenWord && s.word(from, "CONSTRAINT"):
		p.named, _ = s.name(from + 1)
		p.foreign = s.word(from+2, "FOREIGN")
		if s.word(from+2, "PRIMARY") {
			p.key, p.named = "PRIMARY", ""
		}
	case first == tokenWord && s.word(from, "CHECK", "FOREIGN", "PERIOD"):
	default:
		p.column, _ = s.name(from)
		s.liftChecks(&p, from, to)
	}
	return p
}

// liftChecks takes the checks out of a column. MariaDB keeps a column's check with the column; MySQL, and Vitess in
// most places, know checks of tables only.
func (s statement) liftChecks(p *part, from, to int) {
	var kept strings.Builder
	at := s.tokens[from].start
	for i := from; i < to; i++ {
		if s.sign(i, '(') {
			i = s.closing(i)
			continue
		}
		if !s.word(i, "CHECK") || !s.sign(i+1, '(') {
			continue
		}
		end := s.closing(i + 1)
		if end >= to {
			return
		}
		start := i
		if s.word(i-2, "CONSTRAINT") && i-2 > from {
			start = i - 2
		}
		kept.WriteString(s.text[at:s.tokens[start].start])
		p.checks = append(p.checks, s.text[s.tokens[start].start:s.tokens[end].end])
		at, i = s.tokens[end].end, end
	}
	kept.WriteString(s.text[at:s.tokens[to-1].end])
	p.text = strings.TrimSpace(kept.String())
}

// raw is the definition as it stood, the checks of a column with it.
func (p part) raw() string {
	return strings.Join(append([]string{p.text}, p.checks...), " ")
}

func (t table) column(lowered string) (part, bool) {
	for _, p := range t.parts {
		if p.column != "" && strings.ToLower(p.column) == lowered {
			return p, true
		}
	}
	return part{}, false
}

// place is where a column stands among those that the table had before: the others are put in later.
func (a *alteration) place(column string) string {
	place := " FIRST"
	for _, p := range a.to.parts {
		if p.column == column {
			break
		}
		if _, old := a.from.column(strings.ToLower(p.column)); old && p.column != "" {
			place = " AFTER " + quote(p.column)
		}
	}
	return place
}

func (t table) index(lowered string) (part, bool) {
	for _, p := range t.parts {
		if p.key != "" && strings.ToLower(p.key) == lowered {
			return p, true
		}
	}
	return part{}, false
}
