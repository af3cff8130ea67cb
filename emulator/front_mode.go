package emulator

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/pmig/pmig/mysqlproxy"
)

// MySQL 8's modes: those that leave the reading of a statement as it is, and those that do not.
var (
	plainModes = []string{"", "ALLOW_INVALID_DATES", "ERROR_FOR_DIVISION_BY_ZERO", "HIGH_NOT_PRECEDENCE", "NO_AUTO_VALUE_ON_ZERO", "NO_DIR_IN_CREATE",
		"NO_ENGINE_SUBSTITUTION", "NO_UNSIGNED_SUBTRACTION", "NO_ZERO_DATE", "NO_ZERO_IN_DATE", "ONLY_FULL_GROUP_BY", "PAD_CHAR_TO_FULL_LENGTH",
		"STRICT_ALL_TABLES", "STRICT_TRANS_TABLES", "TIME_TRUNCATE_FRACTIONAL", "TRADITIONAL"}
	readingModes = []string{"ANSI", "ANSI_QUOTES", "IGNORE_SPACE", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "REAL_AS_FLOAT"}
)

// setMode judges a SET of sql_mode. The engine has modes of its own, which MySQL does not know.
func setMode(value sqlparser.Expr) action {
	text := ""
	switch v := value.(type) {
	case *sqlparser.Default:
		return action{}
	case *sqlparser.Literal:
		text = v.Val
		if v.Type != sqlparser.StrVal {
			return action{rereads: true}
		}
	case *sqlparser.ColName:
		text = v.Name.String()
		if strings.EqualFold(text, "default") {
			return action{}
		}
	default:
		return action{rereads: true}
	}
	a := action{}
	for mode := range strings.SplitSeq(strings.ToUpper(text), ",") {
		switch mode = strings.TrimSpace(mode); {
		case slices.Contains(plainModes, mode):
		case slices.Contains(readingModes, mode):
			a.rereads = true
		default:
			return action{refused: &mysqlproxy.Error{Number: 1231, State: "42000", Message: "Variable 'sql_mode' can't be set to the value of '" + mode + "'"}}
		}
	}
	return a
}

// reread is a text for the parser as a session with NO_BACKSLASH_ESCAPES reads it: a backslash is a character like any other.
func reread(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }
