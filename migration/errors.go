package migration

import (
	"fmt"
	"strings"
)

// WrongToolError says that a folder holds the files of another tool.
type WrongToolError struct {
	// Tool that was asked for, and the one that the folder looks like.
	Tool, Looks string
	// Path of a file that gives it away.
	Path string
}

func (e *WrongToolError) Error() string {
	return fmt.Sprintf("the folder holds migrations of %s (%s), not of %s", e.Looks, e.Path, e.Tool)
}

// Hint says what to change.
func (e *WrongToolError) Hint() string {
	return fmt.Sprintf("name the tool %q in the source block, or let path point at the migrations of %s", e.Looks, e.Tool)
}

// ShapeError says that a table is not the history table of the tool.
type ShapeError struct {
	Table   string
	Tool    string
	Columns []Column
	// Fits names the tools whose columns these are, if any.
	Fits []string
}

func (e *ShapeError) Error() string {
	msg := fmt.Sprintf("table %s with the columns %s is not a history table of %s",
		e.Table, strings.Join(columnNames(e.Columns), ", "), e.Tool)
	if len(e.Fits) > 0 {
		msg += ", it could be one of " + strings.Join(e.Fits, " or ")
	}
	return msg
}

// Hint says what to change.
func (e *ShapeError) Hint() string {
	if len(e.Fits) > 0 {
		return fmt.Sprintf("say tool = %q in the source block, or name the table of %s in a history block", e.Fits[0], e.Tool)
	}
	return fmt.Sprintf("name the table of %s in a history block", e.Tool)
}

// MissingTableError says that a history table is not where it has to be.
type MissingTableError struct {
	Table string
}

func (e *MissingTableError) Error() string {
	return fmt.Sprintf("history table %s is not there", e.Table)
}

// Hint says where to look.
func (e *MissingTableError) Hint() string {
	return "compare the schema of the branch with that of its parent; a new table can take a moment to appear"
}

// MissingColumnError says that the rows to write hold a value for a column that
// the history table does not have. Writing the rest would lose it in silence.
type MissingColumnError struct {
	Table, Column string
}

func (e *MissingColumnError) Error() string {
	return fmt.Sprintf("history table %s has no column %s, and the rows to write have values for it", e.Table, e.Column)
}

// Hint says where to look.
func (e *MissingColumnError) Hint() string {
	return "compare the columns of " + e.Table + " on the branch and on its parent; a new column can take a moment to appear"
}

// VindexError says that a history table is in a sharded keyspace that does not
// know where its rows go, so nobody can write to it, the tool no more than pmig.
type VindexError struct {
	Table string
}

func (e *VindexError) Error() string {
	return fmt.Sprintf("history table %s is in a sharded keyspace and has no vindex, so no row can be written to it", e.Table)
}

// Hint says what to do.
func (e *VindexError) Hint() string {
	return "give " + e.Table + " a vindex in the VSchema, or keep the history in an unsharded keyspace and name that in the source block: keyspace = \"...\""
}

// DirtyError says that the history marks a migration as failed half-way.
type DirtyError struct {
	Table string
	// Key of the migration.
	Key string
}

func (e *DirtyError) Error() string {
	return fmt.Sprintf("history table %s marks %s as failed half-way", e.Table, e.Key)
}

// Hint says what to do.
func (e *DirtyError) Hint() string {
	return fmt.Sprintf("look at what that migration left behind, then say what it is: pmig history repair --clear %s if all of it is there, --unmark %[1]s if none is", e.Key)
}

// BackwardError says that a pointer would have to go back, which pmig only does
// when it takes back a deployment of its own.
type BackwardError struct {
	Table    string
	From, To string
}

func (e *BackwardError) Error() string {
	return fmt.Sprintf("the pointer in %s would go back from %s to %s", e.Table, shown(e.From), shown(e.To))
}

// Hint says what to do.
func (e *BackwardError) Hint() string {
	return "write a migration that goes forward, or put the pointer right: pmig history repair --unmark or --mark"
}

// DriftError says that production's history is not the one a run started from,
// and shows the rows that differ. Nothing was written.
type DriftError struct {
	Table string
	// Columns of the rows below.
	Columns []string
	// Added rows were not there at the start, Removed ones are gone.
	Added, Removed []Row
	// Changed rows were something else at the start (or, for a row that pmig was
	// about to write, should have been).
	Changed []Edit
}

func (e *DriftError) Error() string {
	var parts []string
	for _, p := range []struct {
		n    int
		verb string
	}{{len(e.Added), "added"}, {len(e.Removed), "removed"}, {len(e.Changed), "changed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.verb))
		}
	}
	return fmt.Sprintf("history table %s has moved since the run started: rows %s", e.Table, strings.Join(parts, ", "))
}

// Hint says what to do.
func (e *DriftError) Hint() string {
	return "see what else writes to " + e.Table + "; put its rows right with pmig history repair, then run pmig apply again"
}

// Diff shows the rows that differ, one line each: "+" was added, "-" was
// removed, "~" was changed, from what to what.
func (e *DriftError) Diff() string {
	var b strings.Builder
	for _, r := range e.Removed {
		fmt.Fprintf(&b, "- %s\n", showRow(e.Columns, r))
	}
	for _, c := range e.Changed {
		fmt.Fprintf(&b, "~ %s => %s\n", showRow(e.Columns, c.Before), showRow(e.Columns, c.After))
	}
	for _, r := range e.Added {
		fmt.Fprintf(&b, "+ %s\n", showRow(e.Columns, r))
	}
	return b.String()
}

func showRow(columns []string, row Row) string {
	if row == nil {
		return "(no row)"
	}
	parts := make([]string, 0, len(row))
	for i, v := range row {
		if i < len(columns) {
			parts = append(parts, columns[i]+"="+v.String())
		}
	}
	return strings.Join(parts, " ")
}

func shown(key string) string {
	if key == "" {
		return "nothing"
	}
	return key
}

// IsolationError says that the server would not give a transaction in which a
// compare-and-swap is safe.
type IsolationError struct {
	// Level that the server uses, "" if it does not say.
	Level string
}

func (e *IsolationError) Error() string {
	if e.Level == "" {
		return "the server does not say at which level it isolates transactions"
	}
	return fmt.Sprintf("the server isolates transactions at %s, which lets two writers in", e.Level)
}

// Hint says what to do.
func (e *IsolationError) Hint() string {
	return "let the server use REPEATABLE READ, the default of MySQL and of PlanetScale"
}
