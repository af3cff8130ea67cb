// Package executor carries out a plan one step at a time, looking before it
// acts and writing each step down before it moves on.
//
// Apply is also resume: every step first asks the platform or the database
// whether it is done already, so a run that was killed at any instant, or that
// never got the answer to a call, is taken up by running the same thing again.
// The journal makes that fast and lets it explain itself; the truth is on the
// platform and in the history tables.
//
// Connections, child processes and the journal come in as function fields and
// a small interface. The package prints nothing: it sends events.
package executor
