package emulator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// copying makes a stage whose main has a history of two rows, and a branch with
// a third one and a column more.
func copying(t *testing.T, open opener, setting bool, change ...func(*emulator.Options)) (*stage, int) {
	t.Helper()
	s := start(t, open, change...)
	s.seed()
	s.sql("main", "CREATE TABLE log (id int unsigned NOT NULL AUTO_INCREMENT, name varchar(50) NOT NULL, batch int, short varchar(3) AS (LEFT(name, 3)) STORED, PRIMARY KEY (id))",
		"INSERT INTO log (name, batch) VALUES ('one', 1), ('two', 1)")
	if setting {
		s.call("PATCH", d, `{"automatic_migrations":true,"migration_table_name":"log"}`)
	}
	s.branch("work")
	s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)", "INSERT INTO log (name, batch) VALUES ('three', 2)", "INSERT INTO users (email) VALUES ('stays')")
	n := s.open("work")
	s.await(n, planetscale.StateReady)
	return s, n
}

// history is a branch's, in order.
func (s *stage) history(branch string) string {
	s.Helper()
	var all []string
	for _, row := range s.sql(branch, "SELECT CONCAT(id, name, batch) FROM log ORDER BY id").Rows {
		all = append(all, *row[0])
	}
	return strings.Join(all, " ")
}

func windowOf(d time.Duration) func(*emulator.Options) {
	return func(o *emulator.Options) { o.Knobs.RevertWindow = d }
}

// When the rows of the migration history are copied: to a branch when it is
// made, to the target when its deployment is for good.
func TestHistoryIsCopied(t *testing.T) {
	const two, three = "1one1 2two1", "1one1 2two1 3three2"
	eachEngine(t, func(t *testing.T, open opener) {
		t.Run("without a window at completion", func(t *testing.T) {
			s, n := copying(t, open, true)
			if got := s.history("work"); got != three {
				t.Errorf("the branch has %s", got)
			}
			if status, _ := s.call("PUT", d+"/deploy-requests/"+itoa(n)+"/auto-apply", `{"enable":false}`); status != 200 {
				t.Fatal(status)
			}
			s.deploy(n)
			s.await(n, planetscale.StatePendingCutover)
			if got := s.history("main"); got != two {
				t.Errorf("before the cutover main has %s", got)
			}
			ok(s.shop.ApplyDeploy(t.Context(), n))(t)
			s.await(n, planetscale.StateComplete)
			s.until("the rows come", func() bool { return s.history("main") == three })
			if n := len(s.sql("main", "SELECT * FROM users").Rows); n != 2 {
				t.Errorf("main has %d users", n)
			}
		})
		for name, end := range map[string]func(s *stage, n int){
			"time":        func(s *stage, n int) { advance(s, time.Hour) },
			"skip-revert": func(s *stage, n int) { ok(s.shop.SkipRevert(s.Context(), n))(s) },
		} {
			t.Run("after the window, by "+name, func(t *testing.T) {
				s, n := copying(t, open, true, windowOf(time.Hour))
				s.deploy(n)
				s.await(n, planetscale.StateCompletePendingRevert)
				advance(s, 59*time.Minute)
				if got := s.history("main"); got != two {
					t.Errorf("in the window main has %s", got)
				}
				end(s, n)
				s.await(n, planetscale.StateComplete)
				s.until("the rows come", func() bool { return s.history("main") == three })
			})
		}
		t.Run("not after a revert", func(t *testing.T) {
			s, n := copying(t, open, true, windowOf(time.Hour))
			s.deploy(n)
			s.await(n, planetscale.StateCompletePendingRevert)
			ok(s.shop.RevertDeploy(t.Context(), n))(t)
			s.await(n, planetscale.StateCompleteRevert)
			s.never("the rows come", func() bool { return s.history("main") != two })
		})
		t.Run("not with the setting off", func(t *testing.T) {
			s, n := copying(t, open, false)
			if got := s.history("work"); got != "1three2" {
				t.Errorf("the branch has %s", got)
			}
			s.deploy(n)
			s.await(n, planetscale.StateComplete)
			s.never("the rows come", func() bool { return s.history("main") != two })
		})
		t.Run("not after a cancel", func(t *testing.T) {
			s, n := copying(t, open, true, func(o *emulator.Options) { o.Knobs.Deploy = time.Hour })
			s.deploy(n)
			s.await(n, planetscale.StateInProgress)
			ok(s.shop.CancelDeploy(t.Context(), n))(t)
			s.await(n, planetscale.StateCompleteCancel)
			s.never("the rows come", func() bool { return s.history("main") != two })
		})
		for _, none := range []bool{false, true} {
			t.Run("instantly, at once: "+map[bool]string{false: "yes", true: "no"}[none], func(t *testing.T) {
				s, n := copying(t, open, true, windowOf(time.Hour), func(o *emulator.Options) { o.Unknowns.InstantCopiesNoHistory = none })
				ok(s.shop.Deploy(t.Context(), n, true))(t)
				s.await(n, planetscale.StateComplete)
				if none {
					s.never("the rows come", func() bool { return s.history("main") != two })
					return
				}
				s.until("the rows come", func() bool { return s.history("main") == three })
			})
		}
		// Both sides wrote meanwhile: what is missing is inserted, nothing is
		// deleted; a row of the same key stays, or is replaced.
		for replaces, want := range map[bool]string{false: "1one1 2two1 3theirs9 4four2", true: "1one7 2two1 3three2 4four2"} {
			t.Run("merged, replacing "+map[bool]string{false: "nothing", true: "rows"}[replaces], func(t *testing.T) {
				s, n := copying(t, open, true, func(o *emulator.Options) { o.Unknowns.HistoryReplaces = replaces })
				s.sql("main", "INSERT INTO log (id, name, batch) VALUES (3, 'theirs', 9)")
				s.sql("work", "INSERT INTO log (name, batch) VALUES ('four', 2)", "UPDATE log SET batch = 7 WHERE id = 1", "DELETE FROM log WHERE id = 2")
				s.deploy(n)
				s.await(n, planetscale.StateComplete)
				s.until("the rows come", func() bool { return s.history("main") == want })
			})
		}
	})
}

// never looks a few times for what must not happen.
func (s *stage) never(what string, happens func() bool) {
	s.Helper()
	for range 10 {
		if happens() {
			s.Fatalf("it happened: %s", what)
		}
		time.Sleep(s.pause)
	}
}

// A deployment that brings the history table itself brings its rows too.
func TestHistoryOfANewTable(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.call("PATCH", d, `{"automatic_migrations":true,"migration_framework":"rails"}`)
		n := s.change("work", "CREATE TABLE schema_migrations (version varchar(50) NOT NULL, PRIMARY KEY (version))")
		s.sql("work", "INSERT INTO schema_migrations VALUES ('1')")
		s.deploy(n)
		s.await(n, planetscale.StateComplete)
		s.until("the rows come", func() bool { return len(s.sql("main", "SELECT * FROM schema_migrations").Rows) == 1 })
	})
}

// A branch that is deleted as soon as its deployment is complete has its rows
// copied; one that is deleted in the window takes them with it.
func TestHistoryOfADeletedBranch(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s, n := copying(t, open, true)
		s.fault(emulator.Fault{Do: emulator.FaultHistoryDelay, Delay: time.Hour, Times: 1})
		s.deploy(n)
		s.await(n, planetscale.StateComplete)
		if err := s.shop.DeleteBranch(t.Context(), "work"); err != nil {
			t.Fatal(err)
		}
		s.never("the rows come", func() bool { return s.history("main") != "1one1 2two1" })
		advance(s, time.Hour)
		s.until("the rows come", func() bool { return s.history("main") == "1one1 2two1 3three2" })

		s, n = copying(t, open, true, windowOf(time.Hour))
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)
		if err := s.shop.DeleteBranch(t.Context(), "work"); err != nil {
			t.Fatal(err)
		}
		ok(s.shop.SkipRevert(t.Context(), n))(t)
		s.await(n, planetscale.StateComplete)
		s.never("the rows come", func() bool { return s.history("main") != "1one1 2two1" })
	})
}
