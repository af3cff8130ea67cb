package migration_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"testing"

	"github.com/pmig/pmig/migration"
)

// A whole cycle of every tool: production's history is read, the branch gets the
// tables without rows, is seeded, the tool runs there, and what it gained is
// written back. Then everything is done again, which must change nothing.
func TestCycle(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.tool+" "+f.table, func(t *testing.T) {
			spec := f.spec(t)
			production, branch := database(t), database(t)
			exec(t, production, f.create...)
			exec(t, production, f.applied...)
			exec(t, branch, f.create...)

			files, _, err := migration.Files(f.files, spec)
			if err != nil {
				t.Fatal(err)
			}
			base := read(t, production, spec)
			status := migration.Compare(spec, files, base)
			equal(t, "pending", keys(status.Pending), f.pending)
			equal(t, "orphans", status.Orphans, f.orphans)
			if status.Locked || status.Baseline || status.Dirty != nil {
				t.Errorf("status: %+v", status)
			}

			for range 2 {
				if err := migration.Seed(t.Context(), branch, spec, base); err != nil {
					t.Fatal(err)
				}
			}
			equal(t, "rows on the branch", table(t, branch, f.query), f.before)
			seeded := read(t, branch, spec)
			if seeded.Digest() != base.Digest() {
				t.Errorf("digest %s on the branch, %s on production", seeded.Digest(), base.Digest())
			}
			equal(t, "seeded", seeded, base)

			exec(t, branch, f.run...)
			ran := read(t, branch, spec)
			if ran.Digest() == base.Digest() {
				t.Error("the run left the digest as it was")
			}
			if left := migration.Compare(spec, files, ran); left.Pending != nil || left.Locked {
				t.Errorf("after the run: %+v", left)
			}
			gained, err := migration.Gained(spec, base, ran)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Shape() == migration.Log {
				equal(t, "gained", gained.Keys, f.pending)
			} else if gained.From != status.Pointer || gained.To != f.pending[len(f.pending)-1] {
				t.Errorf("pointer from %q to %q", gained.From, gained.To)
			}
			gained = roundTrip(t, gained)

			equal(t, "production before", table(t, production, f.query), f.before)
			result := swap(t, production, spec, base, gained, migration.SwapOptions{})
			if result.Written == 0 || result.AlreadyThere != 0 || result.Merged != 0 {
				t.Errorf("first swap: %+v", result)
			}
			equal(t, "production after", table(t, production, f.query), f.after)
			equal(t, "the history", read(t, production, spec).Rows, ran.Rows)

			for _, start := range []*migration.History{base, nil} {
				again := swap(t, production, spec, start, gained, migration.SwapOptions{})
				if again.Written != 0 || again.AlreadyThere != result.Written {
					t.Errorf("second swap: %+v", again)
				}
			}
			equal(t, "production at the end", table(t, production, f.query), f.after)
		})
	}
}

// The first run ever: the history table is not there on production, comes by
// deploy request without rows, and gets all of them.
func TestCycleOfFirstRun(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.tool+" "+f.table, func(t *testing.T) {
			spec := f.spec(t)
			production, branch := database(t), database(t)
			files, _, err := migration.Files(f.files, spec)
			if err != nil {
				t.Fatal(err)
			}
			base := read(t, production, spec)
			if base.Exists || !migration.Compare(spec, files, base).Baseline {
				t.Errorf("history of an empty database: %+v", base)
			}
			if err := migration.Seed(t.Context(), branch, spec, base); err != nil {
				t.Fatal(err)
			}
			exec(t, branch, f.create...)
			exec(t, branch, f.applied...)
			ran := read(t, branch, spec)
			gained, err := migration.Gained(spec, base, ran)
			if err != nil {
				t.Fatal(err)
			}
			if !gained.Creates {
				t.Error("the delta does not say that it creates the table")
			}
			_, err = migration.Swap(t.Context(), production, spec, base, gained, migration.SwapOptions{TableWait: -1})
			var missing *migration.MissingTableError
			if !errors.As(err, &missing) {
				t.Fatalf("swap without a table: %v", err)
			}

			exec(t, production, f.create...)
			if at := read(t, production, spec); at.Digest() != base.Digest() {
				t.Error("an empty table has another digest than none")
			}
			swap(t, production, spec, base, roundTrip(t, gained), migration.SwapOptions{})
			equal(t, "rows", read(t, production, spec).Rows, ran.Rows)
			if spec.Tool.Name == "rails" {
				if n := scalar(t, production, "SELECT count(*) FROM ar_internal_metadata"); n != "0" {
					t.Errorf("%s rows of metadata were written back", n)
				}
			}
		})
	}
}

// roundTrip sends a delta through JSON, as the notes of a deploy request do.
func roundTrip(t testing.TB, d migration.Delta) migration.Delta {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var back migration.Delta
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	equal(t, "delta through JSON", back, d)
	return back
}

func swap(t testing.TB, db *sql.DB, spec migration.Spec, base *migration.History, d migration.Delta, o migration.SwapOptions) migration.SwapResult {
	t.Helper()
	result, err := migration.Swap(t.Context(), db, spec, base, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
