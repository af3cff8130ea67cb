package emulator_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// asUser is a MySQL client of the front, made as a client on this machine would be.
func (s *stage) asUser(user, password, database string, change ...func(*mysql.Config)) *sql.DB {
	s.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr = user, password, database, "emulator", "127.0.0.1:3306"
	c.MultiStatements, c.Logger = true, &mysql.NopLogger{}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return s.e.DialMySQL(ctx) }
	for _, f := range change {
		f(c)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		s.Fatal(err)
	}
	db := sql.OpenDB(connector)
	s.Cleanup(func() { db.Close() })
	return db
}

// user makes a password on a branch and connects with it.
func (s *stage) user(branch, role string) (*sql.DB, *planetscale.Password) {
	s.Helper()
	p, err := s.shop.CreatePassword(s.Context(), branch, planetscale.NewPassword{Name: branch + "-" + role, Role: role})
	if err != nil {
		s.Fatal(err)
	}
	return s.asUser(p.Username, p.PlainText.Reveal(), "shop"), p
}

func TestFrontRolesAndRefusals(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.sql("main", "CREATE TABLE users (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(50))", "INSERT INTO users (name) VALUES ('ann')")
		s.branch("dev")
		s.sql("dev", "INSERT INTO users (name) VALUES ('bob')")
		for _, branch := range []string{"main", "dev"} {
			for _, role := range []string{"reader", "writer", "readwriter", "admin"} {
				db, _ := s.user(branch, role)
				ddl := uint16(0) // allowed
				text := "direct DDL is disabled"
				switch {
				case branch == "main":
					ddl = 1105
				case role != "admin":
					ddl, text = 1045, "DDL command denied to user 'planetscale-"+role+"'"
				}
				reads, writes := uint16(0), uint16(0)
				if role == "reader" {
					writes = 1045
				}
				if role == "writer" {
					reads = 1045
				}
				for _, c := range []struct {
					statement string
					want      uint16
					text      string
				}{
					{"SELECT * FROM users", reads, "Select command denied to user 'planetscale-writer' for table 'users' (ACL check error)"},
					{"SELECT 1", 0, ""},
					{"SELECT count(*) FROM information_schema.tables", 0, ""},
					{"INSERT INTO users (name) VALUES ('eve')", writes, "Insert command denied to user 'planetscale-reader' for table 'users'"},
					{"UPDATE users SET name = 'x' WHERE id = 0", writes, "Update command denied"},
					{"DELETE FROM users WHERE id = 0", writes, "Delete command denied"},
					{"CREATE TABLE t1 (id int PRIMARY KEY)", ddl, text},
					{"ALTER TABLE users ADD COLUMN extra int", ddl, text},
					{"SELECT 1; DROP TABLE IF EXISTS nothing", ddl, text},
					{"/*!50000 TRUNCATE TABLE t1 */", ddl, text},
					{"CREATE TABLE fk1 (id int PRIMARY KEY, u int, FOREIGN KEY (u) REFERENCES users (id))", 1105, ""},
					{"CREATE DATABASE other", 1235, "VT12001"},
					{"DROP DATABASE shop", 1235, "VT12001"},
					{"CREATE TRIGGER x BEFORE INSERT ON users FOR EACH ROW SET NEW.name = 'x'", 1235, "VT12001: unsupported: CREATE TRIGGER"},
					{"CREATE PROCEDURE p() SELECT 1", 1235, ""},
					{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM users", 1235, ""},
					{"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE users", 1235, ""},
					{"GRANT ALL ON *.* TO x", 1235, ""},
					{"SET GLOBAL max_connections = 1", 1235, ""},
					{"USE elsewhere", 1049, "unknown database 'elsewhere'"},
					{"USE `@replica`", 0, ""},
					{"LOCK TABLES users WRITE", 0, ""},
					{"UNLOCK TABLES", 0, ""},
				} {
					_, err := db.Exec(c.statement)
					if got := number(err); got != c.want || err != nil && !strings.Contains(err.Error(), c.text) {
						t.Errorf("%s as %s: %s: %v, want %d %s", branch, role, c.statement, err, c.want, c.text)
					}
				}
				// A refusal must not depend on how a statement is sent.
				if ddl != 0 {
					if _, err := db.Prepare("DROP TABLE users"); number(err) != ddl {
						t.Errorf("%s as %s: prepared: %v, want %d", branch, role, err, ddl)
					}
					if _, err := db.Exec("PREPARE p FROM 'DROP TABLE users'"); number(err) != ddl {
						t.Errorf("%s as %s: PREPARE: %v, want %d", branch, role, err, ddl)
					}
				} else {
					must(t, db, "DROP TABLE t1", "ALTER TABLE users DROP COLUMN extra", "INSERT INTO users (name) VALUES ('ann')")
				}
			}
		}
		if got := rows(t, s.superuser("main"), "SELECT count(*) FROM users"); got != "4" {
			t.Errorf("rows on main = %s, want ann and three of those who may write", got)
		}
	})
}

// superuser is a connection that may read and write.
func (s *stage) superuser(branch string) *sql.DB {
	db, _ := s.user(branch, "admin")
	return db
}

func TestFrontSwitchesAreLive(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		db, _ := s.user("main", "admin")
		db.SetMaxOpenConns(1)
		if _, err := db.Exec("CREATE TABLE t (id int PRIMARY KEY)"); number(err) != 1105 {
			t.Fatalf("DDL under safe migrations: %v", err)
		}
		if _, err := s.shop.SetSafeMigrations(s.Context(), "main", false); err != nil {
			t.Fatal(err)
		}
		must(t, db, "CREATE TABLE t (id int PRIMARY KEY)", "CREATE TABLE u (id int PRIMARY KEY)")
		fk := "ALTER TABLE u ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES t (id)"
		if _, err := db.Exec(fk); number(err) != 1105 || !strings.Contains(err.Error(), "VT10001: foreign key constraints are not allowed") {
			t.Errorf("a foreign key: %v", err)
		}
		if status, _ := s.call("PATCH", "/v1/organizations/acme/databases/shop", `{"allow_foreign_key_constraints": true}`); status != 200 {
			t.Fatalf("allowing foreign keys: %d", status)
		}
		must(t, db, fk)
		if _, err := s.shop.SetSafeMigrations(s.Context(), "main", true); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("DROP TABLE u"); number(err) != 1105 {
			t.Errorf("DDL under safe migrations again: %v", err)
		}
	})
}

func TestFrontLogin(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		_, p := s.user("main", "reader")
		right := p.PlainText.Reveal()
		for _, c := range []struct {
			name, user, password, database string
			want                           uint16
		}{
			{"right", p.Username, right, "shop", 0},
			{"no database", p.Username, right, "", 0},
			{"@primary", p.Username, right, "@primary", 0},
			{"@replica", p.Username, right, "@replica", 0},
			{"wrong password", p.Username, right + "x", "shop", 1045},
			{"no password", p.Username, "", "shop", 1045},
			{"no such user", "nobody", right, "shop", 1045},
			{"nobody without a password", "nobody", "", "shop", 1045},
			{"other database", p.Username, right, "other", 1049},
			{"the engine's own", p.Username, right, "mysql", 1049},
		} {
			db := s.asUser(c.user, c.password, c.database)
			err := db.Ping()
			if number(err) != c.want || (err == nil) != (c.want == 0) {
				t.Errorf("%s: %v, want %d", c.name, err, c.want)
			}
			if c.want == 1045 && !strings.Contains(err.Error(), "Access denied for user '"+c.user+"'") {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.want == 0 {
				if got := rows(t, db, "SELECT DATABASE()"); got != "shop" {
					t.Errorf("%s: the database is %q", c.name, got)
				}
			}
		}
	})
}

func TestFrontEndsConnections(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		ended := func(db *sql.DB, what string) {
			t.Helper()
			conn, err := db.Conn(context.Background())
			if err != nil {
				return // the pool has seen it already, and a new login is refused
			}
			defer conn.Close()
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				var one int
				if err := conn.QueryRowContext(context.Background(), "SELECT 1").Scan(&one); err != nil {
					return
				}
				if time.Now().After(deadline) {
					t.Fatalf("%s, and the connection lives", what)
				}
			}
		}
		db, p := s.user("main", "admin")
		must(t, db, "SELECT 1")
		if err := s.shop.DeletePassword(s.Context(), "main", p.ID); err != nil {
			t.Fatal(err)
		}
		ended(db, "the password was deleted")
		if _, err := db.Exec("SELECT 1"); number(err) != 1045 {
			t.Errorf("login with a deleted password: %v", err)
		}

		short, err := s.shop.CreatePassword(s.Context(), "main", planetscale.NewPassword{Name: "short", Role: "reader", TTL: 5 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		db = s.asUser(short.Username, short.PlainText.Reveal(), "shop")
		must(t, db, "SELECT 1")
		if err := s.e.Advance(6 * time.Minute); err != nil {
			t.Fatal(err)
		}
		ended(db, "the password has expired")
		if _, err := db.Exec("SELECT 1"); number(err) != 1045 {
			t.Errorf("login with an expired password: %v", err)
		}

		s.branch("dev")
		db, _ = s.user("dev", "admin")
		must(t, db, "SELECT 1")
		if err := s.shop.DeleteBranch(s.Context(), "dev"); err != nil {
			t.Fatal(err)
		}
		ended(db, "the branch was deleted")
	})
}

func TestFrontTLS(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		data := t.TempDir()
		s := start(t, open, func(o *emulator.Options) { o.Data = data })
		_, p := s.user("main", "reader")
		ca := s.e.CACertificate()
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(ca) {
			t.Fatal("no certificate in CACertificate")
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.e.MySQL().Serve(context.Background(), l) }()
		dial := func(c *mysql.Config) { c.Net, c.Addr, c.DialFunc = "tcp", l.Addr().String(), nil }

		secure := s.asUser(p.Username, p.PlainText.Reveal(), "shop", dial, func(c *mysql.Config) {
			c.TLS = &tls.Config{RootCAs: roots, ServerName: "localhost"}
		})
		if got := rows(t, secure, "SELECT VERSION()"); !strings.HasPrefix(got, "8.0.") || !strings.HasSuffix(got, "-Vitess") {
			t.Errorf("version = %s", got)
		}
		must(t, s.asUser(p.Username, p.PlainText.Reveal(), "shop", dial), "SELECT 1")
		stranger := s.asUser(p.Username, p.PlainText.Reveal(), "shop", dial, func(c *mysql.Config) {
			c.TLS = &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
		})
		var unknown *tls.CertificateVerificationError
		if err := stranger.Ping(); !errors.As(err, &unknown) {
			t.Errorf("a client that does not know the authority: %v", err)
		}
		if err := s.e.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-served:
		case <-time.After(5 * time.Second):
			t.Error("Close of the emulator leaves Serve running")
		}
		if _, err := s.e.DialMySQL(t.Context()); err == nil {
			t.Error("a closed emulator takes connections")
		}
		again := start(t, open, func(o *emulator.Options) { o.Data = data })
		if string(again.e.CACertificate()) != string(ca) {
			t.Error("the authority is another one after a restart")
		}
	})
}

// A mode of the session in which a backslash escapes nothing hides no statement.
func TestFrontModes(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.sql("main", "CREATE TABLE users (id int NOT NULL PRIMARY KEY, name varchar(50))")
		hidden := `SELECT '\'; DROP TABLE users; -- '`
		for _, mode := range []string{"'NO_BACKSLASH_ESCAPES'", "CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')", "'ansi_quotes,no_backslash_escapes'", "1048576", "@mode"} {
			db := s.superuser("main")
			db.SetMaxOpenConns(1)
			if _, err := db.Exec(hidden); err != nil { // a string, as long as nothing was set
				t.Errorf("%s: %v", hidden, err)
			}
			if _, err := db.Exec("SET @mode = 'NO_BACKSLASH_ESCAPES'"); err != nil {
				t.Fatal(err)
			}
			_, set := db.Exec("SET SESSION sql_mode = " + mode)
			if _, err := db.Exec(hidden); set == nil && number(err) != 1105 {
				t.Errorf("after sql_mode = %s: %v", mode, err)
			}
			// In one text with the SET it is no better hidden.
			other := s.superuser("main")
			if _, err := other.Exec("SET sql_mode = " + mode + "; " + hidden); number(err) != 1105 {
				t.Errorf("with sql_mode = %s: %v", mode, err)
			}
		}
		db := s.superuser("main")
		for value, want := range map[string]uint16{"'TRADITIONAL,NO_ENGINE_SUBSTITUTION'": 0, "''": 0, "DEFAULT": 0, "'ORACLE'": 1231, "'STRICT_ALL_TABLES,MSSQL'": 1231} {
			if _, err := db.Exec("SET sql_mode = " + value); number(err) != want {
				t.Errorf("sql_mode = %s: %v, want %d", value, err, want)
			}
		}
		if got := rows(t, s.superuser("main"), "SELECT count(*) FROM users"); got != "0" {
			t.Error(got)
		}
	})
}
