package emulator_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

func (s *stage) password(branch, role string, ttl time.Duration) *planetscale.Password {
	s.Helper()
	p := ok(s.shop.CreatePassword(s.Context(), branch, planetscale.NewPassword{Name: "test", Role: role, TTL: ttl}))(s)
	if p.PlainText.Reveal() == "" || p.Username == "" {
		s.Fatalf("a password without a secret: %+v", p)
	}
	return p
}

func (s *stage) connect(p *planetscale.Password) *sql.DB {
	s.Helper()
	return s.asUser(p.Username, p.PlainText.Reveal(), "shop")
}

// The workflow, through the API and MySQL alone.
func TestWorkflow(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		main := s.connect(s.password("main", "admin", 5*time.Minute))
		if _, err := main.Exec("CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))"); number(err) != 1105 || !strings.Contains(err.Error(), "direct DDL is disabled") {
			t.Errorf("DDL on main: %v", err)
		}
		if _, err := main.Exec("INSERT INTO users (email) VALUES ('c@example.test')"); err != nil {
			t.Errorf("DML on main: %v", err)
		}
		s.branch("work")
		p := s.password("work", "admin", 5*time.Minute)
		work := s.connect(p)
		must(t, work, "ALTER TABLE users ADD COLUMN nick varchar(40)", "CREATE TABLE notes (id int NOT NULL, body text, PRIMARY KEY (id))")
		n := s.open("work")
		s.await(n, planetscale.StateReady)

		// More DDL sends it back.
		must(t, work, "ALTER TABLE notes ADD COLUMN author varchar(20)")
		s.until("the request shows the new column", func() bool {
			for _, op := range s.await(n, planetscale.StateReady).Deployment.Operations {
				if strings.Contains(op.DDLStatement, "author") {
					return true
				}
			}
			return false
		})
		s.deploy(n)
		s.await(n, planetscale.StateComplete)
		if _, err := main.Exec("INSERT INTO notes (id, body, author) VALUES (1, 'x', 'y')"); err != nil {
			t.Error(err)
		}
		var count int
		if err := main.QueryRow("SELECT COUNT(*) FROM users WHERE nick IS NULL").Scan(&count); err != nil || count != 3 {
			t.Errorf("%d users, %v", count, err)
		}

		// A password that is gone, or over, lets nobody in and throws out who is.
		if err := s.shop.DeletePassword(t.Context(), "work", p.ID); err != nil {
			t.Fatal(err)
		}
		s.until("the connection ends", func() bool { return work.Ping() != nil })
		if err := s.connect(p).Ping(); number(err) != 1045 {
			t.Errorf("a deleted password: %v", err)
		}
		p = s.password("work", "reader", time.Minute)
		reader := s.connect(p)
		if err := reader.Ping(); err != nil {
			t.Error(err)
		}
		if _, err := reader.Exec("INSERT INTO notes (id) VALUES (1)"); err == nil {
			t.Error("a reader wrote")
		}
		if err := s.e.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		s.until("the connection ends", func() bool { return reader.Ping() != nil })
		if err := s.connect(p).Ping(); number(err) != 1045 {
			t.Errorf("an expired password: %v", err)
		}
		if a, found := s.e.Access(p.Username); !found || !a.Expired || a.Role != "reader" || a.Branch != "work" {
			t.Errorf("access of an expired password: %t %+v", found, a.Role)
		}
	})
}

// Automatic copy of migration data: to a new branch, and to the target once a
// deployment is for good.
func TestAutomaticMigrations(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open, func(o *emulator.Options) { o.Knobs.RevertWindow = 30 * time.Minute })
		s.seed()
		s.sql("main", "CREATE TABLE schema_migrations (version varchar(50) NOT NULL, PRIMARY KEY (version))", "INSERT INTO schema_migrations VALUES ('1'), ('2')")
		if status, o := s.call("PATCH", d, `{"automatic_migrations":true,"migration_framework":"rails","migration_table_name":"schema_migrations"}`); status != 200 || o["migration_table_name"] != "schema_migrations" {
			t.Fatal(status, o)
		}
		s.branch("work")
		if n := len(s.sql("work", "SELECT * FROM schema_migrations").Rows); n != 2 {
			t.Errorf("a new branch has %d of the history's rows", n)
		}
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)", "INSERT INTO schema_migrations VALUES ('3')", "INSERT INTO users (email) VALUES ('stays')")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		s.deploy(n)
		s.await(n, planetscale.StateCompletePendingRevert)
		if n := len(s.sql("main", "SELECT * FROM schema_migrations").Rows); n != 2 {
			t.Errorf("in the revert window main has %d rows", n)
		}
		if _, err := s.shop.SkipRevert(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		s.until("the rows are copied", func() bool { return len(s.sql("main", "SELECT * FROM schema_migrations").Rows) == 3 })
		if n := len(s.sql("main", "SELECT * FROM users").Rows); n != 2 {
			t.Errorf("main has %d users", n)
		}
	})
}
