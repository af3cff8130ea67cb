package executor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
)

func yes(executor.Undo) error { return nil }

// deployedTwice is a world with a second deployment, #1 of pmig's, that can be
// reverted.
func deployedTwice(t *testing.T) *world {
	t.Helper()
	k := brief
	k.RevertWindow, k.Revert = 30*time.Minute, 7*time.Second
	w := newWorld(t, k, pointer, log)
	if _, err := w.e.SQL(t.Context(), "acme", "shop", "main", `
		CREATE TABLE schema_migrations (version BIGINT NOT NULL, dirty TINYINT(1) NOT NULL, PRIMARY KEY (version)); INSERT INTO schema_migrations VALUES (2, 0);
		CREATE TABLE dbmate_migrations (version VARCHAR(128) NOT NULL, PRIMARY KEY (version)); INSERT INTO dbmate_migrations VALUES ('1'), ('2')`); err != nil {
		t.Fatal(err)
	}
	w.write("golang-migrate/3_e.up.sql", "CREATE TABLE e (id BIGINT NOT NULL, PRIMARY KEY (id));")
	w.write("dbmate/3_f.sql", "-- migrate:up\nCREATE TABLE f (id BIGINT NOT NULL, PRIMARY KEY (id));")
	w.write("dbmate/4_g.sql", "-- migrate:up\nCREATE TABLE g (id BIGINT NOT NULL, PRIMARY KEY (id));")
	if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// reverted says what is not as it should be after the revert.
func (w *world) reverted() string {
	q, err := w.api.DeployRequest(w.t.Context(), 1)
	if err != nil || q.DeploymentState != planetscale.StateCompleteRevert {
		return fmt.Sprintf("#1: %v %v", q.DeploymentState, err)
	}
	bs, err := w.api.Branches(w.t.Context())
	if err != nil || len(bs) != 1 {
		return fmt.Sprintf("%d branches, %v", len(bs), err)
	}
	for table, want := range map[string][]string{"schema_migrations": {"2"}, "dbmate_migrations": {"1", "2"}} {
		if got := w.query("SELECT version FROM " + table + " ORDER BY version"); !slices.Equal(got, want) {
			return fmt.Sprintf("%s holds %v, want %v", table, got, want)
		}
	}
	return ""
}

// TestRevertBrokenAtEveryCall breaks the network at the first, second, ... call
// of a revert, and then runs it again, on another machine.
func TestRevertBrokenAtEveryCall(t *testing.T) {
	for _, how := range []string{"cut", "lost"} {
		t.Run(how, func(t *testing.T) {
			broken := 0
			for n := 1; n < 100; n++ {
				again := true
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := deployedTwice(t)
						b := &breaking{next: w.e.Transport(), at: n, how: how}
						_, first := w.run(b, "j").Revert(t.Context(), 0, yes)
						if _, err := w.run(w.e.Transport(), "other").Revert(t.Context(), 0, yes); err != nil {
							t.Fatalf("call %d (%s) %s; the first said: %v; the second fails: %v", n, b.what, how, first, err)
						}
						if problem := w.reverted(); problem != "" {
							t.Fatalf("call %d (%s) %s; the first said: %v; then: %s", n, b.what, how, first, problem)
						}
						again = b.what != ""
					})
				})
				if !again || t.Failed() {
					break
				}
				broken++
			}
			t.Logf("broken at each of %d calls", broken)
		})
	}
}

// Rows that came after the deployment, with its own history or another's hand,
// keep it from being reverted: before it asks, and after it has asked.
func TestRevertDependents(t *testing.T) {
	for name, c := range map[string]struct{ sql, want string }{
		"a later row":     {"INSERT INTO dbmate_migrations VALUES ('5')", "dbmate_migrations holds what came after it and may depend on it: 5"},
		"an earlier row":  {"INSERT INTO dbmate_migrations VALUES ('0')", "rows that somebody has written or changed since"},
		"a later pointer": {"UPDATE schema_migrations SET version = 4", "schema_migrations holds what came after it and may depend on it: 4"},
	} {
		for _, when := range []string{"before", "while it asks"} {
			t.Run(name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := deployedTwice(t)
					add := func(executor.Undo) error {
						_, err := w.e.SQL(t.Context(), "acme", "shop", "main", c.sql)
						return err
					}
					confirm := add
					if when == "before" {
						if err := add(executor.Undo{}); err != nil {
							t.Fatal(err)
						}
						confirm = func(executor.Undo) error { t.Error("it asks"); return nil }
					}
					_, err := w.run(w.e.Transport(), "j").Revert(t.Context(), 0, confirm)
					if executor.OutcomeOf(err) != executor.Refused || !strings.Contains(err.Error(), c.want) {
						t.Error(err)
					}
					if q, _ := w.api.DeployRequest(t.Context(), 1); q.DeploymentState != planetscale.StateCompletePendingRevert {
						t.Error("it is", q.DeploymentState)
					}
				})
			})
		}
	}
}

// A deployment whose history was never written is reverted too, and the run
// that was cut short does not come back to write it.
func TestRevertOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := deployedTwice(t)
		for _, s := range []string{"DELETE FROM dbmate_migrations WHERE version > 2", "UPDATE schema_migrations SET version = 2"} {
			if _, err := w.e.SQL(t.Context(), "acme", "shop", "main", s); err != nil {
				t.Fatal(err)
			}
		}
		if u, err := w.run(w.e.Transport(), "j").Revert(t.Context(), 1, yes); err != nil || u.Rows != 0 {
			t.Fatal(u, err)
		}
		if problem := w.reverted(); problem != "" {
			t.Error(problem)
		}
		if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); executor.OutcomeOf(err) != executor.Refused {
			t.Errorf("then: %v", err)
		}
		if problem := w.reverted(); problem != "" {
			t.Error(problem)
		}
	})
}

// A revert that the platform cannot carry out touches no history.
func TestRevertFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := deployedTwice(t)
		if _, err := w.e.AddFault(emulator.Fault{Do: emulator.FaultRevertError, Times: 1}); err != nil {
			t.Fatal(err)
		}
		_, err := w.run(w.e.Transport(), "j").Revert(t.Context(), 0, yes)
		if executor.OutcomeOf(err) != executor.Failed || !strings.Contains(err.Error(), "could not revert it") {
			t.Error(err)
		}
		if got := w.query("SELECT version FROM dbmate_migrations ORDER BY version"); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
			t.Error(got)
		}
	})
}
