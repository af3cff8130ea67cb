package mysqlproxy

import "strings"

// quoteName quotes a database's name.
func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// useName gives the database of a text that is a USE and nothing else.
func useName(sql string) (string, bool) {
	const longest = 512
	if len(sql) > longest {
		return "", false
	}
	sql = strings.TrimRight(strings.TrimSpace(sql), "; \t\r\n")
	word, name, _ := strings.Cut(sql, " ")
	if i := strings.IndexAny(sql, "`\t\r\n"); i > 0 && i < len(word) {
		word, name = sql[:i], sql[i:]
	}
	name = strings.TrimSpace(name)
	if !strings.EqualFold(strings.TrimSpace(word), "use") || name == "" {
		return "", false
	}
	if name[0] == '`' {
		inner, ok := strings.CutSuffix(name[1:], "`")
		if !ok || strings.Contains(strings.ReplaceAll(inner, "``", ""), "`") {
			return "", false
		}
		return strings.ReplaceAll(inner, "``", "`"), true
	}
	if strings.ContainsAny(name, " \t\r\n;'\"`/#(") {
		return "", false
	}
	return name, true
}

// countParams counts the question marks of a statement that stand for
// parameters: not in strings, quoted names and comments.
func countParams(sql string) int {
	n := 0
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '?':
			n++
		case c == '\'' || c == '"' || c == '`':
			for i++; i < len(sql) && sql[i] != c; i++ {
				if sql[i] == '\\' && c != '`' {
					i++
				}
			}
		case c == '#', strings.HasPrefix(sql[i:], "--") && i+2 < len(sql) && sql[i+2] <= ' ':
			for i < len(sql) && sql[i] != '\n' {
				i++
			}
		case strings.HasPrefix(sql[i:], "/*"):
			end := strings.Index(sql[i+2:], "*/")
			if end < 0 {
				return n
			}
			i += end + 3
		}
	}
	return n
}
