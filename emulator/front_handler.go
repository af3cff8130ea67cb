package emulator

import (
	"fmt"
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
	if answered { // LOCK TABLES is taken and excludes nobody, as on the platform
		return mysqlproxy.Verdict{OK: true}
	}
	return h.variables(st)
}

// Finished has nothing to do: the core looks at a branch's schema whenever somebody asks for what depends on it.
func (h *frontHandler) Finished(*mysqlproxy.Statement) {}

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
