// Package migration reads what a migration tool leaves behind: its files on
// disk and its history table in a database; and copies and merges that history.
//
// The tools are one literal table ([Tools]), one file per tool. Four verbs work
// on them: [Files] lists a folder as the tool would, [Read] takes the history
// out of a database bit by bit, [Compare] says what is pending, and three
// functions move history: [Seed] makes a branch's history equal to
// production's, [Gained] tells what a run added on the branch, and [Swap]
// writes exactly that to production as a compare-and-swap.
//
// The package opens no connection: its callers hand it a *sql.DB. Both sides of
// a copy must be opened with the same session time zone, because TIMESTAMP
// columns are shown in it.
package migration
