package schema_test

import "testing"

// pair is a schema before and after, in statements that MariaDB takes.
type pair struct {
	name     string
	from, to string
}

func TestDiffOnMariaDB(t *testing.T) {
	shared.start(t)
	for _, p := range pairs() {
		t.Run(p.name, func(t *testing.T) { checkPair(t, p.from, p.to) })
	}
}

const users = `CREATE TABLE users (
	id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
	email varchar(255) NOT NULL,
	name varchar(100) DEFAULT NULL,
	age int DEFAULT 0,
	created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
	UNIQUE KEY users_email (email),
	KEY users_name (name)
)`

func pairs() []pair {
	alter := func(name string, statements string) pair {
		return pair{name, users + ";\n", users + ";\n" + statements}
	}
	return []pair{
		{"nothing", users, users},
		{"first table", "", users},
		alter("add column", "ALTER TABLE users ADD COLUMN bio text"),
		alter("add column first", "ALTER TABLE users ADD COLUMN tenant int NOT NULL DEFAULT 1 FIRST"),
		alter("add column after", "ALTER TABLE users ADD COLUMN nick varchar(30) NOT NULL DEFAULT '' AFTER email"),
		alter("add columns in several places", "ALTER TABLE users ADD a int FIRST, ADD b int AFTER a, ADD c int AFTER name, ADD d int"),
		alter("drop column", "ALTER TABLE users DROP COLUMN age"),
		alter("drop column with key", "ALTER TABLE users DROP COLUMN name"),
		alter("rename column", "ALTER TABLE users RENAME COLUMN age TO years"),
		alter("rename table", "RENAME TABLE users TO people"),
		alter("move column", "ALTER TABLE users MODIFY COLUMN age int DEFAULT 0 AFTER id"),
		alter("reverse columns", "ALTER TABLE users MODIFY age int DEFAULT 0 AFTER id, MODIFY name varchar(100) AFTER age, MODIFY email varchar(255) NOT NULL AFTER name"),
		alter("change type", "ALTER TABLE users MODIFY age bigint unsigned NOT NULL DEFAULT 7"),
		alter("change and move", "ALTER TABLE users MODIFY age smallint FIRST"),
		alter("widen", "ALTER TABLE users MODIFY name varchar(500)"),
		alter("defaults", "ALTER TABLE users ALTER age SET DEFAULT -5, ALTER name SET DEFAULT 'it''s \\\\ \"q\"'"),
		alter("drop default", "ALTER TABLE users ALTER age DROP DEFAULT"),
		alter("default now", "ALTER TABLE users ADD seen datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"),
		alter("numeric defaults", "ALTER TABLE users ADD a decimal(10,2) DEFAULT 1.5, ADD b double DEFAULT 1e3, ADD c float DEFAULT -2.5, ADD d tinyint(1) NOT NULL DEFAULT true, ADD e bit(3) DEFAULT b'101', ADD f bigint DEFAULT 9223372036854775807, ADD g decimal"),
		alter("expression defaults", "ALTER TABLE users ADD a int DEFAULT (1 + 2), ADD b date DEFAULT '2020-01-02', ADD c varchar(36) DEFAULT (concat('a', 'b'))"),
		alter("text defaults", "ALTER TABLE users ADD a text DEFAULT 'hi', ADD b blob DEFAULT 'x', ADD c json DEFAULT '{}', ADD d json DEFAULT (json_object('a', 1))"),
		alter("json", "ALTER TABLE users ADD settings json, ADD strict json NOT NULL"),
		alter("longtext to json", "ALTER TABLE users ADD settings longtext"),
		alter("enum and set", "ALTER TABLE users ADD state enum('new','it''s','x,y') NOT NULL DEFAULT 'new', ADD flags set('a','b') DEFAULT 'a,b'"),
		alter("dates", "ALTER TABLE users ADD a date, ADD b time(3), ADD c year, ADD d timestamp NULL, ADD e timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), ADD f timestamp NOT NULL DEFAULT '2020-01-01 00:00:00'"),
		alter("numbers", "ALTER TABLE users ADD a tinyint, ADD b smallint unsigned, ADD c mediumint, ADD d int(5) zerofill, ADD e float(7,3), ADD f double(10,2), ADD g tinyint(1), ADD h bool, ADD i bit"),
		alter("binaries", "ALTER TABLE users ADD a binary(16), ADD b varbinary(20) DEFAULT 'x', ADD c tinyblob, ADD d longblob, ADD e char, ADD f char(3) NOT NULL DEFAULT 'abc'"),
		alter("spatial", "ALTER TABLE users ADD p point NOT NULL, ADD g geometry, ADD SPATIAL KEY sp (p)"),
		alter("comments", "ALTER TABLE users MODIFY age int DEFAULT 0 COMMENT 'it''s; -- \\\\ \"old\"', COMMENT = 'all of \\'em', ADD KEY ck (age) COMMENT 'k'"),
		alter("column charset", "ALTER TABLE users ADD a varchar(10) CHARACTER SET latin1, ADD b varchar(10) COLLATE utf8mb4_bin, ADD c text CHARACTER SET ascii COLLATE ascii_bin, ADD d varchar(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"),
		alter("invisible column", "ALTER TABLE users ADD hidden int INVISIBLE"),
		alter("table collation", "ALTER TABLE users COLLATE utf8mb4_unicode_ci"),
		alter("convert collation", "ALTER TABLE users CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"),
		alter("convert charset", "ALTER TABLE users CONVERT TO CHARACTER SET latin1"),
		alter("convert and change", "ALTER TABLE users CONVERT TO CHARACTER SET utf8mb3;\nALTER TABLE users ADD a varchar(5), ADD b varchar(5) COLLATE utf8mb4_bin, MODIFY name varchar(90) CHARACTER SET utf8mb4"),
		alter("default charset only", "ALTER TABLE users DEFAULT CHARACTER SET latin1"),
		alter("row format", "ALTER TABLE users ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8"),
		alter("stats", "ALTER TABLE users STATS_PERSISTENT=1"),
		alter("auto increment value", "ALTER TABLE users AUTO_INCREMENT=500"),
		alter("add index", "ALTER TABLE users ADD INDEX by_age (age, name(10))"),
		alter("add unique", "ALTER TABLE users ADD UNIQUE by_both (age, email)"),
		alter("drop indexes", "ALTER TABLE users DROP INDEX users_email, DROP INDEX users_name"),
		alter("change index", "ALTER TABLE users DROP INDEX users_name, ADD UNIQUE INDEX users_name (name, age)"),
		alter("rename index", "ALTER TABLE users RENAME INDEX users_name TO n"),
		alter("index order", "ALTER TABLE users DROP INDEX users_email, ADD UNIQUE INDEX users_email (email)"),
		alter("index direction", "ALTER TABLE users ADD INDEX by_age (age DESC, name)"),
		alter("index types", "ALTER TABLE users ADD INDEX h (age) USING HASH, ADD FULLTEXT ft (name), ADD INDEX bt (age) USING BTREE"),
		alter("two fulltext", "ALTER TABLE users ADD bio text, ADD FULLTEXT f1 (name), ADD FULLTEXT f2 (bio)"),
		alter("ignored index", "ALTER TABLE users ALTER INDEX users_name IGNORED"),
		alter("new ignored index", "ALTER TABLE users ADD INDEX ig (age) IGNORED"),
		alter("composite primary key", "ALTER TABLE users DROP PRIMARY KEY, ADD PRIMARY KEY (id, email)"),
		alter("no auto increment", "ALTER TABLE users MODIFY id bigint unsigned NOT NULL"),
		alter("generated", "ALTER TABLE users ADD upper_name varchar(100) AS (upper(name)) VIRTUAL, ADD next_age int AS (age + 1) STORED, ADD KEY g (upper_name)"),
		alter("generated expressions", "ALTER TABLE users ADD j json, ADD a varchar(20) AS (json_unquote(json_extract(j, '$.a'))) STORED, ADD b varchar(50) AS (concat(lower(substr(name,1,3)), '-', if(age > 3, 'a', 'b'))), ADD c int AS (case when age between 1 and 3 then 1 else 0 end), ADD d varchar(20) AS (cast(age as char(10))), ADD e int AS (year(created_at))"),
		{"generated changes", users + ";\nALTER TABLE users ADD g int AS (age + 1) STORED", users + ";\nALTER TABLE users ADD g int AS (age + 2) STORED"},
		{"generated becomes plain", users + ";\nALTER TABLE users ADD g int AS (age + 1) STORED", users + ";\nALTER TABLE users ADD g int"},
		{"virtual becomes plain under keys", users + ";\nALTER TABLE users ADD g int AS (age + 1) VIRTUAL AFTER id, ADD KEY g1 (g), ADD UNIQUE g2 (name, g)", users + ";\nALTER TABLE users ADD g int AFTER id, ADD KEY g1 (g), ADD KEY g3 (g), ADD UNIQUE g2 (name, g)"},
		{"virtual becomes stored", users + ";\nALTER TABLE users ADD g int AS (age + 1) VIRTUAL", users + ";\nALTER TABLE users ADD g int AS (age + 1) STORED"},
		alter("named check", "ALTER TABLE users ADD CONSTRAINT grown CHECK (age >= 18 AND name <> 'x')"),
		alter("table check", "ALTER TABLE users ADD CHECK (age >= 18)"),
		alter("column check", "ALTER TABLE users ADD score int CHECK (score > 0)"),
		alter("column check on old column", "ALTER TABLE users MODIFY age int DEFAULT 0 CHECK (age > 0)"),
		alter("check on first column", "ALTER TABLE users ADD score int CHECK (score > 0) FIRST"),
		{"check changes", users + ";\nALTER TABLE users ADD CONSTRAINT grown CHECK (age >= 18)", users + ";\nALTER TABLE users ADD CONSTRAINT grown CHECK (age >= 21)"},
		{"check renamed", users + ";\nALTER TABLE users ADD CONSTRAINT grown CHECK (age >= 18)", users + ";\nALTER TABLE users ADD CONSTRAINT adult CHECK (age >= 18)"},
		{"column check changes", users + ";\nALTER TABLE users ADD s int CHECK (s > 0)", users + ";\nALTER TABLE users ADD s int CHECK (s > 1)"},
		{"column check stays", users + ";\nALTER TABLE users ADD s int CHECK (s > 0)", users + ";\nALTER TABLE users ADD s bigint NOT NULL DEFAULT 3 CHECK (s > 0)"},
		{"column check to table check", users + ";\nALTER TABLE users ADD s int CHECK (s > 0)", users + ";\nALTER TABLE users ADD s int, ADD CONSTRAINT sc CHECK (s > 0)"},
		{"check twice", users + ";\nALTER TABLE users ADD s int CHECK (s > 0), ADD CONSTRAINT sc CHECK (s > 0)", users + ";\nALTER TABLE users ADD s int"},
		{"column goes with its check", users + ";\nALTER TABLE users ADD s int CHECK (s > 0)", users},
		{"json check", users + ";\nALTER TABLE users ADD j json", users + ";\nALTER TABLE users ADD j json CHECK (json_length(j) > 0)"},
		{"json to longtext", users + ";\nALTER TABLE users ADD j json", users + ";\nALTER TABLE users ADD j longtext"},
		{"json to longtext in its collation", users + ";\nALTER TABLE users ADD j json", users + ";\nALTER TABLE users ADD j longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"},
		{"json in a binary collation", "CREATE TABLE t (id int PRIMARY KEY) COLLATE utf8mb4_bin", "CREATE TABLE t (id int PRIMARY KEY, j json, l longtext) COLLATE utf8mb4_bin"},
		{"foreign key", users + ";\nCREATE TABLE posts (id int PRIMARY KEY, user_id bigint unsigned)", users + ";\nCREATE TABLE posts (id int PRIMARY KEY, user_id bigint unsigned, CONSTRAINT posts_user FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE SET NULL)"},
		{"new table with foreign key", users, users + ";\nCREATE TABLE posts (id int PRIMARY KEY, user_id bigint unsigned, FOREIGN KEY (user_id) REFERENCES users (id))"},
		{"foreign key and its table", "", users + ";\nCREATE TABLE a_posts (id int PRIMARY KEY, user_id bigint unsigned, FOREIGN KEY (user_id) REFERENCES users (id))"},
		{"foreign key changes", fk("u", "ON DELETE CASCADE"), fk("u", "ON DELETE SET NULL")},
		{"foreign key renamed", fk("u", "ON DELETE CASCADE"), fk("v", "ON DELETE CASCADE")},
		{"foreign key restrict", fk("u", "ON DELETE RESTRICT"), fk("u", "ON DELETE NO ACTION ON UPDATE RESTRICT")},
		{"foreign key twice", fk("u", "") + ";\nALTER TABLE posts ADD CONSTRAINT again FOREIGN KEY (user_id) REFERENCES users (id)", users + ";\nCREATE TABLE posts (id int PRIMARY KEY, user_id bigint unsigned, KEY u (user_id))"},
		{"foreign key moves to new table", fk("u", ""), users + ";\nCREATE TABLE articles (id int PRIMARY KEY, user_id bigint unsigned, CONSTRAINT u FOREIGN KEY (user_id) REFERENCES users (id))"},
		{"drop column of foreign key", fk("u", ""), users + ";\nCREATE TABLE posts (id int PRIMARY KEY)"},
		{"self reference", "CREATE TABLE n (id int PRIMARY KEY)", "CREATE TABLE n (id int PRIMARY KEY, parent int, FOREIGN KEY (parent) REFERENCES n (id))"},
		{"foreign key circle", "", "CREATE TABLE a (id int PRIMARY KEY, b_id int);\nCREATE TABLE b (id int PRIMARY KEY, a_id int, FOREIGN KEY (a_id) REFERENCES a (id));\nALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b (id)"},
		{"several tables", users, "CREATE TABLE a (id int PRIMARY KEY);\nCREATE TABLE b (id int PRIMARY KEY, a_id int NOT NULL, FOREIGN KEY (a_id) REFERENCES a (id));\nCREATE TABLE c (id int PRIMARY KEY, b_id int NOT NULL, FOREIGN KEY (b_id) REFERENCES b (id))"},
		{"view", users, users + ";\nCREATE VIEW grown AS SELECT id, email FROM users WHERE age >= 18"},
		{"view changes", users + ";\nCREATE VIEW grown AS SELECT id FROM users", users + ";\nCREATE VIEW grown AS SELECT id, name AS n FROM users WHERE age > 20 ORDER BY id LIMIT 3"},
		{"view options", users + ";\nCREATE VIEW grown AS SELECT id FROM users", users + ";\nCREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW grown AS SELECT id FROM users WHERE id > 3 WITH CASCADED CHECK OPTION"},
		{"view on view", users, users + ";\nCREATE VIEW z AS SELECT id FROM users;\nCREATE VIEW a AS SELECT z.id, count(*) AS n FROM z JOIN users u ON u.id = z.id GROUP BY z.id"},
		{"view over new column", users + ";\nCREATE VIEW v AS SELECT id FROM users", users + ";\nALTER TABLE users ADD zip varchar(9);\nCREATE VIEW v AS SELECT id, zip FROM users"},
		{"table becomes view", users + ";\nCREATE TABLE v (id bigint unsigned PRIMARY KEY)", users + ";\nCREATE VIEW v AS SELECT id FROM users"},
		{"partition by range", ranged(""), ranged("PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE)")},
		{"rotate partitions", ranged("PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN (2010))"), ranged("PARTITION BY RANGE (y) (PARTITION p1 VALUES LESS THAN (2010), PARTITION p2 VALUES LESS THAN (2020))")},
		{"other partitions", ranged("PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (2000), PARTITION p1 VALUES LESS THAN MAXVALUE)"), ranged("PARTITION BY RANGE (y) (PARTITION a VALUES LESS THAN (1990), PARTITION b VALUES LESS THAN (2001), PARTITION c VALUES LESS THAN MAXVALUE)")},
		{"hash partitions", ranged("PARTITION BY HASH (id) PARTITIONS 4"), ranged("PARTITION BY KEY (id) PARTITIONS 3")},
		{"list partitions", ranged("PARTITION BY LIST (y) (PARTITION a VALUES IN (1,2), PARTITION b VALUES IN (3))"), ranged("")},
		{"partitions and a column", ranged(""), ranged("PARTITION BY HASH (id) PARTITIONS 4") + ";\nALTER TABLE r ADD note text"},
		{"odd names", "CREATE TABLE `select` (id int PRIMARY KEY)", "CREATE TABLE `select` (id int PRIMARY KEY, `from` int, `we``ird` int, `sp ace` int CHECK (`sp ace` > 0), ignored int, `a,b(` int DEFAULT 3, KEY `k,(` (`we``ird`));\nCREATE TABLE `ünï` (`ключ` int PRIMARY KEY, s varchar(20) DEFAULT 'grüße ✓')"},
		{"case of a name", "CREATE TABLE t (id int PRIMARY KEY, Name int, KEY K (Name))", "CREATE TABLE t (id int PRIMARY KEY, Name bigint, KEY K (Name), KEY L (Name))"},
		{"everything at once", users, users + ";\nALTER TABLE users DROP age, ADD a int NOT NULL AFTER id, MODIFY name text, DROP INDEX users_name, ADD INDEX nn (a), ADD CONSTRAINT ch CHECK (a <> 5), COMMENT 'x'"},
		{"tools' history", "", "CREATE TABLE knex_migrations (id int unsigned not null auto_increment primary key, name varchar(255), batch int, migration_time timestamp NULL);\nCREATE TABLE knex_migrations_lock (`index` int unsigned not null auto_increment primary key, is_locked int);\nCREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null);\nCREATE TABLE goose_db_version (id bigint unsigned NOT NULL AUTO_INCREMENT, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NULL default now(), PRIMARY KEY(id))"},
	}
}

func fk(name, actions string) string {
	return users + ";\nCREATE TABLE posts (id int PRIMARY KEY, user_id bigint unsigned, KEY u (user_id), CONSTRAINT " + name +
		" FOREIGN KEY (user_id) REFERENCES users (id) " + actions + ")"
}

func ranged(partitions string) string {
	return "CREATE TABLE r (id int NOT NULL, y int NOT NULL, PRIMARY KEY (id, y)) " + partitions
}
