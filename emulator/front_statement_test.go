package emulator

import (
	"strconv"
	"strings"
	"testing"
)

func TestClassify(t *testing.T) {
	const syntax, not = "1064", "1235"
	for _, c := range []struct{ text, want string }{
		{"SELECT 1", "Select"},
		{"select * from users u join `orders` o on o.u = u.id", "Select users"},
		{"SELECT table_name FROM information_schema.tables", "Select"},
		{"WITH x AS (SELECT id FROM users) SELECT * FROM x", "Select users"},
		{"SELECT * FROM a FOR UPDATE", "Select a"},
		{"(SELECT 1) UNION (SELECT id FROM b)", "Select b"},
		{"INSERT INTO t VALUES (1)", "Insert t"},
		{"REPLACE INTO t VALUES (1)", "Replace t"},
		{"INSERT INTO t SELECT * FROM u", "Insert t reads u"},
		{"UPDATE t SET a = 1 WHERE b IN (SELECT b FROM u)", "Update t reads u"},
		{"DELETE FROM `schema_migrations` LIMIT 1", "Delete schema_migrations"},
		{"/* knex */ create table `users` (id int primary key)", "DDL users"},
		{"CREATE TEMPORARY TABLE x (id int)", "DDL x temporary"},
		{"ALTER TABLE t ADD COLUMN name varchar(10) AFTER email", "DDL t"},
		{"DROP TABLE IF EXISTS t", "DDL t"},
		{"TRUNCATE t", "DDL t"},
		{"TRUNCATE TABLE t", "DDL t"},
		{"RENAME TABLE a TO b", "DDL a"},
		{"CREATE UNIQUE INDEX i ON t (a)", "DDL t"},
		{"CREATE OR REPLACE VIEW v AS SELECT 1", "DDL v"},
		{"OPTIMIZE TABLE t", "DDL"},
		{"ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (id)", "DDL t fk"},
		{"CREATE TABLE t (id int primary key, a int REFERENCES b (id))", "DDL t fk"},
		{"ALTER TABLE t DROP FOREIGN KEY f", "DDL t"},
		{"CREATE TABLE t (id int primary key, note varchar(100) DEFAULT 'foreign key references')", "DDL t"},
		// What the parser does not know is judged by its words.
		{"ALTER TABLE t ADD COLUMN IF NOT EXISTS a int, ADD FOREIGN KEY (a) REFERENCES b (id)", "DDL fk"},
		{"CREATE TABLE t (id int) SYSTEM VERSIONING", "DDL"},
		{"INSERT INTO t VALUES (1) RETURNING id", "Insert"},
		// Several statements, and statements in hiding.
		{"SELECT 1; DROP TABLE t;", "Select + DDL t"},
		{"  ;; ; ", ""},
		{"-- nothing\n/* at all */", ""},
		{"/*!50003 DROP TABLE t */", "DDL t"},
		{"/*M!100400 DROP TABLE t */", "DDL t"},
		{"SELECT 1 /*! ; DROP TABLE t */", "Select + DDL t"},
		{"/*!99999 /*!50003 DROP TABLE t */", "DDL t"},
		{"# DROP TABLE t\nSELECT 1", "Select"},
		{"SELECT '/*! DROP TABLE t */ ; DROP TABLE u'", "Select"},
		{"SELECT 'it''s; DROP TABLE t', \"a\\\"; DROP TABLE u\"", "Select"},
		{"PREPARE s FROM 'DROP TABLE t'", "DDL t + -"},
		{"EXECUTE s USING @a", "-"},
		{"PREPARE s FROM @text", not},
		// Refused whoever asks.
		{"CREATE DATABASE d", not},
		{"DROP SCHEMA d", not},
		{"CREATE USER x@localhost", not},
		{"GRANT ALL ON *.* TO x", not},
		{"CREATE DEFINER=`root`@`localhost` TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.a = 1", not},
		{"CREATE DEFINER = 'root' @ 'localhost' PROCEDURE p() BEGIN DROP TABLE t; END", not + " + " + syntax},
		{"CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1", not},
		{"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t", not},
		{"CREATE SEQUENCE s", not},
		{"DROP TRIGGER t", not},
		{"LOAD DATA LOCAL INFILE 'x' INTO TABLE t", not},
		{"SELECT * FROM t INTO OUTFILE '/tmp/x'", not},
		{"SET GLOBAL max_connections = 1", not},
		{"SET @@global.max_connections = 1", not},
		{"SELECT @a := 1", not},
		{"SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$')) j", not},
		{"KILL 5", "1095"},
		{"BEGIN NOT ATOMIC DROP TABLE t", syntax},
		{"EXECUTE IMMEDIATE 'DROP TABLE t'", syntax},
		{"SET STATEMENT max_statement_time = 1 FOR DROP TABLE t", syntax},
		{"ANALYZE UPDATE t SET a = 1", syntax},
		{"ANALYZE TABLE t", "-"},
		{"hello world", syntax},
		// Let through.
		{"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", "-"},
		{"SET NAMES utf8mb4", "-"},
		{"START TRANSACTION", "-"},
		{"SHOW CREATE TABLE t", "-"},
		{"SELECT GET_LOCK('x', 10)", "Select"},
		{"SELECT GET_LOCK('x', 10) AS a, RELEASE_LOCK('y') FROM dual", "Select"},
		{"SELECT 'get_lock('", "Select"},
		{"DO SLEEP(0)", "-"},
		// A lock function is to stand alone.
		{"DO RELEASE_LOCK('x')", not},
		{"SELECT IS_USED_LOCK('x') = CONNECTION_ID()", not},
		{"SELECT GET_LOCK('x', 1), 2", not},
		{"SELECT GET_LOCK('x', 1), *", not},
		{"SELECT COALESCE(GET_LOCK('x', 1), 0)", not},
		{"SELECT * FROM t WHERE GET_LOCK('x', 1)", not},
		{"SELECT GET_LOCK('x', 1) FROM t", not},
		{"INSERT INTO t SELECT GET_LOCK('x', 1)", not},
		{"SELECT (SELECT GET_LOCK('x', 1))", not},
		{"LOCK TABLES t WRITE", "lock"},
		{"UNLOCK TABLES", "lock"},
		{"USE `shop@replica`", "use shop@replica"},
		{"SAVEPOINT a", "-"},
		{"EXPLAIN DELETE FROM t", "-"},
	} {
		var got []string
		for _, a := range classify(c.text) {
			got = append(got, a.String())
		}
		if joined := strings.Join(got, " + "); joined != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, joined, c.want)
		}
	}
}

// String writes an action the way the tests' tables do.
func (a action) String() string {
	var words []string
	add := func(word string, when bool) {
		if when {
			words = append(words, word)
		}
	}
	switch {
	case a.refused != nil:
		return strconv.Itoa(int(a.refused.Number))
	case a.kind == locking:
		return "lock"
	case a.kind == choosing:
		return "use " + a.table
	}
	add(a.verb, a.verb != "")
	add(a.table, a.table != "")
	if a.kind == writing && a.reads != "" {
		add("reads", true)
	}
	add(a.reads, a.reads != "")
	add("temporary", a.temporary)
	add("fk", a.foreignKey)
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, " ")
}

func TestRealDatabase(t *testing.T) {
	for name, want := range map[string]string{
		"": "shop", "shop": "shop", "@primary": "shop", "@replica": "shop", "shop@primary": "shop", "shop:-": "shop", "shop/-@replica": "shop",
		"information_schema": "information_schema", "INFORMATION_SCHEMA": "information_schema",
	} {
		if got, ok := realDatabase(name, "shop"); got != want || !ok {
			t.Errorf("%q stands for %q (%t), want %q", name, got, ok, want)
		}
	}
	for _, name := range []string{"mysql", "Shop", "shop2", "other@primary"} {
		if got, ok := realDatabase(name, "shop"); ok {
			t.Errorf("%q stands for %q", name, got)
		}
	}
}

func FuzzClassify(f *testing.F) {
	for _, s := range []string{"SELECT 1; DROP TABLE t", "/*!50003 DROP TABLE t */", "SELECT '", "/*", "`", "-- x", "CREATE TRIGGER", "'\\", "/*M!", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var joined strings.Builder
		segments(text, func(_ segment, part string) bool { joined.WriteString(part); return true })
		if joined.String() != text {
			t.Fatalf("segments of %q give %q", text, joined.String())
		}
		classify(text)
	})
}

func FuzzParseDump(f *testing.F) {
	f.Add("shop", "CREATE TABLE `t` (\n  `a` varchar(9) DEFAULT 'x;\ny'\n)")
	f.Add("d", "INSERT INTO t VALUES\n('a;\n')")
	f.Fuzz(func(t *testing.T, database, statement string) {
		if strings.ContainsAny(database, "\n") || database == "" {
			return
		}
		parseDump(statement)
		written := oneLineStrings(statement)
		got, statements, err := parseDump(formatDump(database, []string{written}))
		if strings.Contains(written, dumpEnd) || written == "" || strings.HasSuffix(written, ";") {
			return // no statement of a dump: it ends in the middle
		}
		if err != nil || got != database || len(statements) != 1 || statements[0] != written {
			t.Fatalf("%q came back as %q %q (%v)", written, got, statements, err)
		}
	})
}
