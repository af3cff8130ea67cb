package emulator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pmig/pmig/mysqlproxy"
)

// frontHandler decides about the statements of one connection.
type frontHandler struct {
	emulator *Emulator
	user     string
	access   Access

	text    string // the last text looked at; prepared statements come again and again
	actions []action
	rereads bool // strings may be read in another way than MySQL's usual

	backend   mysqlproxy.Backend
	isolation string // what the session has set, as MySQL writes it

	limits *limits // nil without them
	olap   bool    // the session has set workload to olap
	warned bool    // the last statement was a LOCK TABLES
}

// Statement decides whether a statement may pass.
func (h *frontHandler) Statement(st *mysqlproxy.Statement) mysqlproxy.Verdict {
	switch st.Command {
	case mysqlproxy.InitDB:
		if _, ok := realDatabase(st.SQL, h.access.Database); !ok {
			return mysqlproxy.Verdict{Err: unknownDatabase(st.SQL)}
		}
		return mysqlproxy.Verdict{}
	case mysqlproxy.Query, mysqlproxy.Prepare, mysqlproxy.Execute:
	default:
		return mysqlproxy.Verdict{}
	}
	if h.text != st.SQL || h.actions == nil {
		h.text, h.actions = st.SQL, classify(st.SQL)
		if h.rereads = h.rereads || slices.ContainsFunc(h.actions, func(a action) bool { return a.rereads }); h.rereads && strings.Contains(st.SQL, `\`) {
			h.actions = append(h.actions, classify(reread(st.SQL))...)
		}
	}
	answered := len(h.actions) > 0 && st.Command == mysqlproxy.Query
	for _, a := range h.actions {
		if err := h.allowed(a); err != nil {
			return mysqlproxy.Verdict{Err: err}
		}
		answered = answered && a.kind == locking
	}
	if v, is := h.ownWords(st, answered); is {
		return v
	}
	if err := h.limits.before(st); err != nil {
		return mysqlproxy.Verdict{Err: err}
	}
	v := h.variables(st)
	v.AnyRows = h.olap && len(h.actions) > 0 && h.actions[0].kind == harmless
	return v
}

var (
	showWarnings = regexp.MustCompile(`(?i)^\s*show\s+warnings\s*;?\s*$`)
	setWorkload  = regexp.MustCompile(`(?i)^\s*set\s+(?:session\s+|@@session\.|@@)?workload\s*=\s*['"]?(olap|oltp|dba|unspecified)['"]?\s*;?\s*$`)
	lockIgnored  = "LOCK TABLES is ignored: it excludes nobody"
)

// ownWords answers what the platform understands and no engine does. locks says that a text only locks and unlocks tables: that
// is taken and excludes nobody, as on the platform.
func (h *frontHandler) ownWords(st *mysqlproxy.Statement, locks bool) (mysqlproxy.Verdict, bool) {
	if m := setWorkload.FindStringSubmatch(st.SQL); m != nil {
		h.olap = strings.EqualFold(m[1], "olap")
		return mysqlproxy.Verdict{OK: true}, true
	}
	if h.warned && showWarnings.MatchString(st.SQL) {
		level, code := "Warning", "1235"
		return mysqlproxy.Verdict{Result: &mysqlproxy.Result{Columns: []string{"Level", "Code", "Message"},
			Types: []mysqlproxy.ColumnType{mysqlproxy.Text, mysqlproxy.Integer, mysqlproxy.Text}, Rows: [][]*string{{&level, &code, &lockIgnored}}}}, true
	}
	if h.warned = locks && strings.EqualFold(firstWord(st.SQL), "lock"); h.warned {
		return mysqlproxy.Verdict{OK: true, Warnings: 1}, true
	}
	return mysqlproxy.Verdict{OK: true}, locks
}

// Finished notes what the statement leaves behind. The core looks at a branch's schema whenever somebody asks for what depends on
// it.
func (h *frontHandler) Finished(st *mysqlproxy.Statement) { h.limits.after(st) }

// allowed is the error of an action that may not pass.
func (h *frontHandler) allowed(a action) *mysqlproxy.Error {
	if a.refused != nil {
		return a.refused
	}
	if a.kind == choosing {
		if _, ok := realDatabase(a.table, h.access.Database); !ok {
			return unknownDatabase(a.table)
		}
	}
	if a.kind == defining {
		// The switches may have moved since the login.
		now, ok := h.emulator.Access(h.user)
		if !ok {
			now = h.access
		}
		if now.SafeMigrations && !a.temporary {
			return &mysqlproxy.Error{Number: 1105, State: "HY000", Message: "direct DDL is disabled"}
		}
		if a.foreignKey && !now.ForeignKeys {
			return &mysqlproxy.Error{Number: 1105, State: "HY000", Message: "VT10001: foreign key constraints are not allowed"}
		}
	}
	if a.reads != "" && h.access.Role == "writer" {
		return h.denied("Select", a.reads)
	}
	switch h.access.Role {
	case "reader":
		if a.kind == defining || a.kind == writing {
			return h.denied(a.verb, a.table)
		}
	case "writer", "readwriter":
		if a.kind == defining {
			return h.denied(a.verb, a.table)
		}
	}
	return nil
}

// denied is the refusal of what goes beyond a role. Its number follows from Vitess's mapping of PERMISSION_DENIED.
func (h *frontHandler) denied(verb, table string) *mysqlproxy.Error {
	caller := "planetscale-" + h.access.Role
	return &mysqlproxy.Error{Number: 1045, State: "28000", Message: fmt.Sprintf(
		"%s command denied to user '%s' for table '%s' (ACL check error) (CallerID: %s)", verb, caller, strings.Trim(table, "`"), caller)}
}
