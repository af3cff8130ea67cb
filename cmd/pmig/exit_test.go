package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/migration"
)

// A refused history write shows the rows that differ, of every table, and names
// the way out.
func TestDriftIsShown(t *testing.T) {
	drift := func(table, was, is string) error {
		return fmt.Errorf("source %q: %w", table, &migration.DriftError{Table: table, Columns: []string{"id"},
			Removed: []migration.Row{{migration.Text(was)}}, Added: []migration.Row{{migration.Text(is)}}})
	}
	err := &executor.Error{Outcome: executor.Refused, Step: "history.write", What: "write history",
		Err: errors.Join(drift("one", "1", "2"), drift("two", "3", "4"))}
	var out bytes.Buffer
	a := &app{stderr: &out}
	if code := a.fail(&labelled{"shop", err}); code != exitRefused {
		t.Errorf("exit code %d", code)
	}
	want := "- id=1\n+ id=2\n- id=3\n+ id=4\nhint: see what else writes to one; put its rows right with pmig history repair, then run pmig apply again\n"
	if !bytes.HasSuffix(out.Bytes(), []byte(want)) {
		t.Errorf("got:\n%s\nwant it to end in:\n%s", out.String(), want)
	}
}
