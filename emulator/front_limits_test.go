package emulator_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator"
)

// limited makes an emulator that holds clients to limits, shorter ones than the platform's 20 seconds.
func limited(t *testing.T, open opener, limit time.Duration) *stage {
	return start(t, open, func(o *emulator.Options) { o.VitessLimits, o.TransactionLimit = true, limit })
}

// session is one connection.
func session(t *testing.T, db *sql.DB) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type refusal struct {
	statement string
	number    uint16
	text      string
}

func steps(t *testing.T, c *sql.Conn, all ...refusal) {
	t.Helper()
	for _, s := range all {
		_, err := c.ExecContext(context.Background(), s.statement)
		if number(err) != s.number || err != nil && !strings.Contains(err.Error(), s.text) {
			t.Errorf("%.60s: %v, want %d %s", s.statement, err, s.number, s.text)
		}
	}
}

// A transaction that lasts too long is rolled back where it stands; its client hears of it until it has rolled back too.
func TestLimitTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		const limit = 400 * time.Millisecond
		s := limited(t, open, limit)
		s.sql("main", "CREATE TABLE t (id int NOT NULL PRIMARY KEY, n int)", "INSERT INTO t VALUES (1, 1)")
		slow, other := session(t, s.superuser("main")), session(t, s.superuser("main"))
		ended := "code = Aborted desc = transaction "
		began := time.Now()
		steps(t, slow, refusal{statement: "BEGIN"}, refusal{statement: "UPDATE t SET n = 2 WHERE id = 1"})
		steps(t, other, refusal{statement: "UPDATE t SET n = n + 10 WHERE id = 1"}) // waits for the lock
		if took := time.Since(began); took < limit || took > 20*limit {
			t.Errorf("the lock was free after %s", took)
		}
		steps(t, slow,
			refusal{"SELECT n FROM t", 1317, ended}, refusal{"INSERT INTO t VALUES (2, 2)", 1317, "(exceeded timeout: 400ms)"},
			refusal{statement: "ROLLBACK"}, refusal{statement: "SELECT n FROM t"},
			refusal{statement: "BEGIN"}, refusal{statement: "INSERT INTO t VALUES (3, 3)"})
		time.Sleep(2 * limit)
		steps(t, slow, refusal{"COMMIT", 1317, ended}, refusal{statement: "SELECT n FROM t"})
		// One that keeps to the limit is left alone, also in the same session.
		for range 3 {
			steps(t, slow, refusal{statement: "BEGIN"}, refusal{statement: "UPDATE t SET n = n + 1 WHERE id = 1"})
			time.Sleep(limit / 3)
			steps(t, slow, refusal{statement: "COMMIT"})
		}
		if got := rows(t, s.superuser("main"), "SELECT id, n FROM t"); got != "1|14" {
			t.Errorf("rows: %s", got)
		}
	})
}

// A statement that runs when its transaction ends is broken off.
func TestLimitRunningStatement(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := limited(t, open, 300*time.Millisecond)
		s.sql("main", "CREATE TABLE t (id int NOT NULL PRIMARY KEY)")
		c := session(t, s.superuser("main"))
		steps(t, c, refusal{statement: "BEGIN"}, refusal{statement: "INSERT INTO t VALUES (1)"})
		began := time.Now()
		_, _ = c.ExecContext(t.Context(), "SELECT SLEEP(2)") // MariaDB answers 1 when it is broken off
		if took := time.Since(began); strings.HasSuffix(t.Name(), "mariadb") && took > 1500*time.Millisecond {
			t.Errorf("it ran on for %s", took)
		}
		steps(t, c, refusal{"INSERT INTO t VALUES (2)", 1317, "Aborted"}, refusal{statement: "ROLLBACK"})
		if got := rows(t, s.superuser("main"), "SELECT count(*) FROM t"); got != "0" {
			t.Errorf("%s rows", got)
		}
	})
}

// A lock whose session does nothing is taken away.
func TestLimitHeldLock(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		const limit = 400 * time.Millisecond
		s := limited(t, open, limit)
		holder, other := session(t, s.superuser("main")), session(t, s.superuser("main"))
		one := func(c *sql.Conn, query string, args ...any) (n int) {
			t.Helper()
			if err := c.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			return n
		}
		for name, args := range map[string][]any{"'migrate'": nil, "?": {"migrate"}} {
			if one(holder, "SELECT GET_LOCK("+name+", 1)", args...) != 1 || one(other, "SELECT GET_LOCK("+name+", 0)", args...) != 0 {
				t.Fatal("the lock is not one")
			}
			for range 4 { // one that is used is kept
				time.Sleep(limit / 3)
				steps(t, holder, refusal{statement: "SELECT 1"})
			}
			if one(other, "SELECT GET_LOCK("+name+", 0)", args...) != 0 {
				t.Error("a lock in use was taken away")
			}
			if one(other, "SELECT GET_LOCK("+name+", 10)", args...) != 1 {
				t.Error("a lock that nobody uses was not taken away")
			}
			steps(t, holder, refusal{"SELECT 1", 1317, "held locks released: migrate"}, refusal{statement: "SELECT 1"})
			if one(other, "SELECT RELEASE_LOCK("+name+")", args...) != 1 {
				t.Error("the other does not hold it")
			}
			time.Sleep(2 * limit)
			steps(t, other, refusal{statement: "SELECT 1"}) // nothing was held
		}
	})
}

func TestLimitSizes(t *testing.T) {
	s := limited(t, mariaOrSkip(t), 0)
	s.sql("main", "CREATE TABLE big (id int NOT NULL PRIMARY KEY, n int)", "INSERT INTO big SELECT seq, 0 FROM seq_1_to_100001")
	_, p := s.user("main", "admin")
	c := session(t, s.asUser(p.Username, p.PlainText.Reveal(), "shop", func(c *mysql.Config) { c.MaxAllowedPacket = 80 << 20 }))
	count := func(query string) (n int, err error) {
		r, err := c.QueryContext(t.Context(), query)
		if err != nil {
			return 0, err
		}
		defer r.Close()
		for r.Next() {
			n++
		}
		return n, r.Err()
	}
	if _, err := count("SELECT id FROM big"); number(err) != 1317 || !strings.Contains(err.Error(), "Row count exceeded 100000") {
		t.Errorf("too many rows: %v", err)
	}
	if n, err := count("SELECT id FROM big WHERE id > 1"); n != 100000 || err != nil {
		t.Errorf("as many as allowed: %d, %v", n, err)
	}
	steps(t, c, refusal{statement: "SET workload = 'olap'"})
	if n, err := count("SELECT id FROM big"); n != 100001 || err != nil {
		t.Errorf("olap: %d rows, %v", n, err)
	}
	steps(t, c,
		refusal{"UPDATE big SET n = 1", 1317, "Row count exceeded 100000"},
		refusal{"DELETE FROM big WHERE id > 0", 1317, "Row count exceeded 100000"},
		refusal{statement: "UPDATE big SET n = 2 WHERE id > 1"},
		refusal{"SELECT '" + strings.Repeat("x", 64<<20) + "'", 1153, "larger than max"},
		refusal{statement: "DELETE FROM big WHERE id < 10"},
		refusal{statement: "SET workload = oltp"})
	if got := rows(t, s.superuser("main"), "SELECT count(*), sum(n) FROM big"); got != "99992|199984" {
		t.Errorf("rows: %s", got)
	}
}

// LOCK TABLES excludes nobody and says so.
func TestLockTablesWarns(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.sql("main", "CREATE TABLE t (id int NOT NULL PRIMARY KEY)")
		a, b := session(t, s.superuser("main")), session(t, s.superuser("main"))
		steps(t, a, refusal{statement: "LOCK TABLES t WRITE"})
		var level, text string
		var code int
		if err := a.QueryRowContext(t.Context(), "SHOW WARNINGS").Scan(&level, &code, &text); err != nil || level != "Warning" || code != 1235 {
			t.Errorf("%s %d %s, %v", level, code, text, err)
		}
		steps(t, b, refusal{statement: "INSERT INTO t VALUES (1)"})
		steps(t, a, refusal{statement: "SELECT 1"}, refusal{statement: "UNLOCK TABLES"})
		if r, err := a.QueryContext(t.Context(), "SHOW WARNINGS"); err != nil || r.Next() {
			t.Errorf("a warning without a cause (%v)", err)
		} else {
			r.Close()
		}
	})
}
