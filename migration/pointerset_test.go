package migration_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pmig/pmig/migration"
)

// heads is the graph of these tests: two lines from a root, brought together.
var heads = migration.Graph{
	"r": nil, "a1": {"r"}, "a2": {"a1"}, "a3": {"a2"}, "a4": {"a3"}, "a5": {"a4"},
	"b1": {"r"}, "b2": {"b1"}, "b3": {"b2"}, "m": {"a3", "b2"}, "n": {"m"},
}

const headsTable = "CREATE TABLE alembic_version (version_num varchar(32) not null primary key)"

func headsSpec() migration.Spec { return migration.Spec{Tool: migration.HeadsTool, Graph: heads} }

func putHeads(t testing.TB, db *sql.DB, keys string) {
	t.Helper()
	exec(t, db, "DELETE FROM alembic_version")
	for _, k := range strings.Fields(keys) {
		exec(t, db, "INSERT INTO alembic_version VALUES ('"+k+"')")
	}
}

func TestPointerSet(t *testing.T) {
	production, branch := database(t), database(t)
	exec(t, production, headsTable)
	exec(t, branch, headsTable)
	gain := func(t *testing.T, from, to string) (*migration.History, migration.Delta) {
		t.Helper()
		putHeads(t, branch, from)
		before := read(t, branch, headsSpec())
		putHeads(t, branch, to)
		d, err := migration.Gained(headsSpec(), before, read(t, branch, headsSpec()))
		if err != nil {
			t.Fatal(err)
		}
		return before, roundTrip(t, d)
	}
	for _, tc := range []struct {
		from, to, keys string // of the run
		now, after     string // on production; after is "" for a refusal
		result         migration.SwapResult
		diff           string
	}{
		{"", "a1", "r a1", "", "a1", migration.SwapResult{Written: 1}, ""},
		{"a1", "a3", "a2 a3", "a1", "a3", migration.SwapResult{Written: 2}, ""},
		{"a1", "a1 b1", "b1", "a1", "a1 b1", migration.SwapResult{Written: 1}, ""},
		{"a3 b2", "m", "m", "a3 b2", "m", migration.SwapResult{Written: 3}, ""},
		{"a1 b1", "m", "a2 a3 b2 m", "a1 b1", "m", migration.SwapResult{Written: 3}, ""},
		// Others were here.
		{"a1", "a3", "a2 a3", "a3", "a3", migration.SwapResult{AlreadyThere: 1}, ""},               // at ours
		{"a1", "a3", "a2 a3", "a4", "a4", migration.SwapResult{AlreadyThere: 1}, ""},               // beyond
		{"a1", "a3", "a2 a3", "n", "n", migration.SwapResult{AlreadyThere: 1}, ""},                 // beyond, merged
		{"a1", "a3", "a2 a3", "a2", "a3", migration.SwapResult{Written: 2, Merged: 1}, ""},         // between
		{"a1", "a3", "a2 a3", "a1 b3", "a3 b3", migration.SwapResult{Written: 2, Merged: 1}, ""},   // beside
		{"a1", "a3", "a2 a3", "a1 zzz", "a3 zzz", migration.SwapResult{Written: 2, Merged: 1}, ""}, // beside, unknown
		{"a1", "a3 b1", "a2 a3 b1", "a2 b2", "a3 b2", migration.SwapResult{Written: 2, AlreadyThere: 1, Merged: 1}, ""},
		{"a3 b1", "m", "b2 m", "a3 b2", "m", migration.SwapResult{Written: 3, Merged: 1}, ""},
		{"a3 b2", "m", "m", "a4 b2", "a4 m", migration.SwapResult{Written: 2, Merged: 1}, ""},
		// Refused.
		{"a2", "a3", "a3", "a1", "", migration.SwapResult{}, "- version_num=a2\n+ version_num=a1\n"},
		{"a2", "a3", "a3", "", "", migration.SwapResult{}, "- version_num=a2\n"},
		{"a2", "a3", "a3", "zzz", "", migration.SwapResult{}, "- version_num=a2\n+ version_num=zzz\n"},
		{"a2 b1", "a3 b1", "a3", "a2", "", migration.SwapResult{}, "- version_num=b1\n"},
	} {
		t.Run(fmt.Sprintf("%s to %s meets %s", tc.from, tc.to, tc.now), func(t *testing.T) {
			base, d := gain(t, tc.from, tc.to)
			equal(t, "gained", d.Keys, strings.Fields(tc.keys))
			putHeads(t, production, tc.now)
			result, err := migration.Swap(t.Context(), production, headsSpec(), base, d, migration.SwapOptions{})
			if tc.diff != "" {
				var drift *migration.DriftError
				if !errors.As(err, &drift) || drift.Diff() != tc.diff {
					t.Fatalf("got %v, want a DriftError", err)
				}
				equal(t, "heads", table(t, production, "SELECT * FROM alembic_version ORDER BY 1"), orNil(strings.Fields(tc.now)))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "result", result, tc.result)
			equal(t, "heads", table(t, production, "SELECT * FROM alembic_version ORDER BY 1"), strings.Fields(tc.after))
			// Again, on a machine without the files and without the start.
			far := headsSpec()
			far.Graph = nil
			for _, h := range []*migration.History{base, nil} {
				if tc.now != "a4" && tc.now != "n" && tc.now != "a2 b2" {
					if again := swap(t, production, far, h, d, migration.SwapOptions{}); again.Written != 0 {
						t.Errorf("again: %+v", again)
					}
				}
			}
			// Taken back, where nobody has built on it.
			if result.AlreadyThere == 0 {
				swap(t, production, headsSpec(), nil, d.Inverse(), migration.SwapOptions{Back: true})
				left := table(t, production, "SELECT * FROM alembic_version ORDER BY 1")
				for _, k := range strings.Fields(tc.to) {
					if !slices.Contains(strings.Fields(tc.from), k) && slices.Contains(left, k) {
						t.Errorf("%s is still there: %v", k, left)
					}
				}
				if tc.result.Merged == 0 {
					equal(t, "heads taken back", left, orNil(strings.Fields(tc.from)))
				}
				if again := swap(t, production, headsSpec(), nil, d.Inverse(), migration.SwapOptions{Back: true}); again.Written != 0 {
					t.Errorf("taken back twice: %+v", again)
				}
			}
		})
	}

	// What others have built on is not taken back.
	base, d := gain(t, "a1", "a2")
	for _, now := range []string{"a3", "zzz", "n"} {
		putHeads(t, production, now)
		var drift *migration.DriftError
		if _, err := migration.Swap(t.Context(), production, headsSpec(), base, d.Inverse(), migration.SwapOptions{Back: true}); !errors.As(err, &drift) {
			t.Errorf("taken back under %s: %v", now, err)
		}
	}
	// A branch that went back.
	putHeads(t, branch, "a1")
	var backward *migration.BackwardError
	if _, err := migration.Gained(headsSpec(), read(t, branch, headsSpec()), &migration.History{Table: "alembic_version", Exists: true, Columns: base.Columns}); !errors.As(err, &backward) {
		t.Errorf("got %v, want a BackwardError", err)
	}
}

func orNil(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

func TestComparePointerSet(t *testing.T) {
	var files []migration.File
	for _, k := range []string{"r", "a1", "a2", "b1", "m"} {
		parents := heads[k]
		if k == "m" {
			parents = []string{"a2", "b1"}
		}
		files = append(files, migration.File{Key: k, Parents: parents})
	}
	for _, tc := range []struct{ rows, applied, pending, orphans string }{
		{"", "", "r a1 a2 b1 m", ""},
		{"a1", "r a1", "a2 b1 m", ""},
		{"a1 b1", "r a1 b1", "a2 m", ""},
		{"m", "r a1 a2 b1 m", "", ""},
		{"a2 zzz", "r a1 a2", "b1 m", "zzz"},
	} {
		var rows [][]string
		for _, k := range strings.Fields(tc.rows) {
			rows = append(rows, []string{k})
		}
		s := migration.Compare(headsSpec(), files, history([]string{"version_num"}, rows...))
		equal(t, tc.rows+": applied", strings.Join(keys(s.Applied), " "), tc.applied)
		equal(t, tc.rows+": pending", strings.Join(keys(s.Pending), " "), tc.pending)
		equal(t, tc.rows+": orphans", strings.Join(s.Orphans, " "), tc.orphans)
		if s.Baseline != (tc.rows == "") || s.Late != nil {
			t.Errorf("%s: %+v", tc.rows, s)
		}
	}
}
