package gateway_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pmig/pmig/gateway"
)

// history is what the tests' migration tool calls its own.
var history = []string{"migrations", "`shop`.`migrations_lock`", "Schema_Migrations"}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		sql    string
		class  gateway.Class
		tables string
	}{
		// Data.
		{"INSERT INTO users VALUES (1)", gateway.Data, "users"},
		{"insert ignore `users` set id = 1", gateway.Data, "users"},
		{"INSERT INTO shop.users (id) SELECT id FROM migrations", gateway.Data, "shop.users"},
		{"INSERT INTO users VALUES (1) RETURNING id", gateway.Data, "users"},
		{"INSERT /* migrations */ INTO users VALUES ('migrations')", gateway.Data, "users"},
		{"REPLACE INTO users SET id = 1", gateway.Data, "users"},
		{"UPDATE users SET a = 1 WHERE b = 'INSERT'", gateway.Data, "users"},
		{"UPDATE users u JOIN migrations m ON m.id = u.id SET u.a = m.id", gateway.Data, "users"},
		{"UPDATE users u, migrations m SET a = 1", gateway.Data, "users migrations"},
		{"UPDATE LOW_PRIORITY users PARTITION (p) SET a = 1 RETURNING *", gateway.Data, "users"},
		{"WITH x AS (SELECT 1 AS id) UPDATE users SET a = 1", gateway.Data, "users"},
		{"DELETE FROM users", gateway.Data, "users"},
		{"DELETE u FROM users u JOIN migrations m USING (id)", gateway.Data, "users"},
		{"DELETE FROM u USING users AS u JOIN migrations", gateway.Data, "users"},
		{"DELETE FROM users WHERE id = 1 RETURNING id", gateway.Data, "users"},
		{"LOAD DATA LOCAL INFILE 'x' INTO TABLE users FIELDS TERMINATED BY ','", gateway.Data, "users"},
		{"TRUNCATE users", gateway.Data, "users"},
		{"TRUNCATE TABLE `shop`.users", gateway.Data, "shop.users"},
		{"CREATE TABLE copies AS SELECT * FROM users", gateway.Data, "copies"},
		{"CREATE TABLE IF NOT EXISTS copies (id INT PRIMARY KEY) (SELECT * FROM users)", gateway.Data, "copies"},
		{"CREATE TABLE copies WITH x AS (SELECT 1) SELECT * FROM x", gateway.Data, "copies"},
		{"ALTER TABLE logs TRUNCATE PARTITION p0", gateway.Data, "logs"},
		{"/*!40000 INSERT INTO users VALUES (1) */", gateway.Data, "users"},
		{"-- INSERT INTO migrations\nINSERT INTO users VALUES (1);", gateway.Data, "users"},
		{"SET STATEMENT max_statement_time = 1 FOR UPDATE users SET a = 1", gateway.Data, "users"},
		{"ANALYZE FORMAT=JSON UPDATE users SET a = 1", gateway.Data, "users"},
		{"INSERT INTO other.migrations_lock VALUES (1)", gateway.Data, "other.migrations_lock"},
		{"INSERT INTO my_migrations VALUES (1)", gateway.Data, "my_migrations"},
		{"INSERT INTO users VALUES ('" + strings.Repeat("x;", 100_000) + "')", gateway.Data, "users"},
		// History.
		{"INSERT INTO migrations VALUES (1)", gateway.History, "migrations"},
		{"insert into `MIGRATIONS` (name) values ('INSERT INTO users')", gateway.History, "MIGRATIONS"},
		{"UPDATE shop.migrations_lock SET is_locked = 1", gateway.History, "shop.migrations_lock"},
		{"update `migrations_lock` set `is_locked` = ? where `is_locked` = ?", gateway.History, "migrations_lock"},
		{"DELETE FROM schema_migrations", gateway.History, "schema_migrations"},
		{"TRUNCATE `schema_migrations`", gateway.History, "schema_migrations"},
		{"INSERT INTO migrations SELECT * FROM users", gateway.History, "migrations"},
		// DDL.
		{"CREATE TABLE users (id INT PRIMARY KEY)", gateway.DDL, "users"},
		{"CREATE TABLE migrations (id INT PRIMARY KEY)", gateway.DDL, "migrations"},
		{"CREATE OR REPLACE TABLE users (id SERIAL, a DOUBLE PRECISION, b INT DEFAULT (1))", gateway.DDL, "users"},
		{"CREATE TABLE copies LIKE users", gateway.DDL, "copies"},
		{"CREATE TABLE copies AS SELECT * FROM users WHERE 1 = 0", gateway.DDL, "copies"},
		{"CREATE TABLE t (id INT) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (1))", gateway.DDL, "t"},
		{"ALTER TABLE users ADD COLUMN x INT, ADD CONSTRAINT c CHECK (x > 0)", gateway.DDL, "users"},
		{"ALTER TABLE users ADD COLUMN IF NOT EXISTS x INT AFTER y", gateway.DDL, "users"},
		{"ALTER TABLE users RENAME TO people", gateway.DDL, "users people"},
		{"RENAME TABLE a TO b, shop.c TO d", gateway.DDL, "a b shop.c d"},
		{"DROP TABLE IF EXISTS a, `b c` CASCADE", gateway.DDL, "a b c"},
		{"CREATE UNIQUE INDEX i ON users (name)", gateway.DDL, "users"},
		{"DROP INDEX i ON users", gateway.DDL, "users"},
		{"CREATE ALGORITHM = MERGE DEFINER = CURRENT_USER SQL SECURITY INVOKER VIEW v AS SELECT 1", gateway.DDL, "v"},
		{"CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW BEGIN DELETE FROM logs; UPDATE x SET a = 1; END", gateway.DDL, ""},
		{"CREATE DEFINER=`root`@`%` PROCEDURE p() BEGIN IF 1 THEN INSERT INTO users VALUES (1); END IF; END", gateway.DDL, ""},
		{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM users", gateway.DDL, ""},
		{"CREATE DATABASE x", gateway.DDL, ""},
		// The rest.
		{"SELECT * FROM users u JOIN shop.pets p WHERE a IN (SELECT id FROM logs)", gateway.Read, "users shop.pets logs"},
		{"WITH RECURSIVE x AS (SELECT 1 FROM users) SELECT * FROM x", gateway.Read, "users"},
		{"(SELECT 1) UNION (SELECT 2)", gateway.Read, ""},
		{"SELECT 'x' INTO @a", gateway.Read, ""},
		{"SELECT * FROM users FOR UPDATE", gateway.Read, "users"},
		{"SHOW CREATE TABLE users", gateway.Read, ""},
		{"EXPLAIN DELETE FROM users", gateway.Read, ""},
		{"desc users", gateway.Read, ""},
		{"TABLE users", gateway.Read, ""},
		{"SELECT GET_LOCK('x', 10)", gateway.Lock, ""},
		{"select coalesce(release_lock(?), 0) as ok", gateway.Lock, ""},
		{"SELECT RELEASE_ALL_LOCKS()", gateway.Lock, ""},
		{"SELECT 'get_lock' FROM users", gateway.Read, "users"},
		{"DO RELEASE_LOCK('x')", gateway.Lock, ""},
		{"LOCK TABLES users WRITE", gateway.Lock, ""},
		{"UNLOCK TABLES", gateway.Lock, ""},
		{"SET NAMES utf8mb4", gateway.Session, ""},
		{"SET @x = 'INSERT INTO users VALUES (1)'", gateway.Session, ""},
		{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", gateway.Session, ""},
		{"/*!40101 SET character_set_client = utf8 */", gateway.Session, ""},
		{"SET foreign_key_checks = 0", gateway.Session, ""},
		{"SET @@session.sql_mode = ''", gateway.Session, ""},
		{"SET GLOBAL max_connections = 1", gateway.Other, ""},
		{"SET @@global.max_connections = 1", gateway.Other, ""},
		{"USE shop", gateway.Session, ""},
		{"DO SLEEP(0)", gateway.Session, ""},
		{"CREATE TEMPORARY TABLE tmp AS SELECT 1", gateway.Session, "tmp"},
		{"DROP TEMPORARY TABLE tmp", gateway.Session, "tmp"},
		{"BEGIN", gateway.Transaction, ""},
		{"START TRANSACTION READ ONLY", gateway.Transaction, ""},
		{"commit work", gateway.Transaction, ""},
		{"ROLLBACK TO SAVEPOINT x", gateway.Transaction, ""},
		{"RELEASE SAVEPOINT x", gateway.Transaction, ""},
		{"XA START 'x'", gateway.Transaction, ""},
		{"GRANT ALL ON *.* TO x", gateway.Other, ""},
		{"CREATE USER x", gateway.Other, ""},
		{"CALL p()", gateway.Other, ""},
		{"OPTIMIZE TABLE users", gateway.Other, ""},
		{"ANALYZE TABLE users", gateway.Other, ""},
		{"FLUSH TABLES", gateway.Other, ""},
		{"KILL 5", gateway.Other, ""},
		{"BEGIN NOT ATOMIC INSERT INTO users VALUES (1); END", gateway.Other, ""},
		{"", gateway.Other, ""},
		{"-- nothing", gateway.Other, ""},
		{"%$&", gateway.Other, ""},
		// Several.
		{"SELECT 1; INSERT INTO users VALUES (';'); CREATE TABLE t (id INT)", gateway.Data, "users"},
		{"CREATE TABLE a (id INT);\n-- second\nCREATE TABLE b (id INT);\n", gateway.DDL, "a b"},
		{"SET NAMES utf8;INSERT INTO migrations VALUES (1)", gateway.History, "migrations"},
		{"CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW IF 1 THEN SET @a = 1; ELSE SET @a = CASE WHEN 1 THEN 2 END; END IF; INSERT INTO users VALUES (1)", gateway.Data, "users"},
		{"CREATE PROCEDURE p() BEGIN WHILE 1 DO REPEAT SET @a = IF(1, 2, 3); UNTIL 1 END REPEAT; END WHILE; CASE 1 WHEN 1 THEN DELETE FROM x; END CASE; END; SELECT 1", gateway.DDL, ""},
	} {
		class, tables := gateway.Classify(c.sql, history)
		if got := strings.Join(tables, " "); class != c.class || got != c.tables {
			t.Errorf("%.90s:\n\tgot  %s %q\n\twant %s %q", c.sql, class, got, c.class, c.tables)
		}
	}
}

func TestClassifyKeepsQuotedNames(t *testing.T) {
	_, tables := gateway.Classify("DROP TABLE `a``b`, `x y`.`z`", nil)
	if diff := cmp.Diff([]string{"a`b", "x y.z"}, tables); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"`my-migrations`", "my-migrations", "db.`my-migrations`", `"my-migrations"`} {
		if class, _ := gateway.Classify("INSERT INTO `my-migrations` VALUES (1)", []string{name}); class != gateway.History {
			t.Errorf("%s: %s", name, class)
		}
	}
}

// The parser has an entrance that writes what it takes in part, user data and
// all, into a log file of its own.
func TestClassifyLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, sql := range []string{"CREATE TABLE copies AS SELECT 'secret'", "ALTER TABLE users ADD COLUMN IF NOT EXISTS x INT AFTER y", "CREATE TABLE broken ("} {
		gateway.Classify(sql, nil)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		t.Errorf("left behind: %s", f.Name())
	}
}
