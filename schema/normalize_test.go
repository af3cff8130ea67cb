package schema_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/schema"
)

// What MariaDB prints and what MySQL 8 prints for the same table come out as one text.
func TestNormalizeMakesServersAgree(t *testing.T) {
	tests := []struct{ name, mariadb, mysql, want string }{
		{
			name: "types and defaults",
			mariadb: "CREATE TABLE `t` (\n  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,\n  `n` int(11) DEFAULT 0,\n  `on` tinyint(1) NOT NULL DEFAULT 1,\n" +
				"  `d` decimal(10,2) DEFAULT -1.50,\n  `y` year(4) DEFAULT NULL,\n  `at` timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),\n" +
				"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB AUTO_INCREMENT=42 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
			mysql: "CREATE TABLE `t` (\n  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  `n` int DEFAULT '0',\n  `on` tinyint(1) NOT NULL DEFAULT '1',\n" +
				"  `d` decimal(10,2) DEFAULT '-1.50',\n  `y` year DEFAULT NULL,\n  `at` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,\n" +
				"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
			want: "CREATE TABLE `t` (\n  `id` bigint unsigned NOT NULL AUTO_INCREMENT,\n  `n` int DEFAULT '0',\n  `on` tinyint(1) NOT NULL DEFAULT '1',\n" +
				"  `d` decimal(10,2) DEFAULT '-1.50',\n  `y` year,\n  `at` timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),\n" +
				"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci",
		},
		{
			name: "json, uuid and text defaults",
			mariadb: "CREATE TABLE `t` (\n  `id` varchar(36) NOT NULL DEFAULT uuid(),\n  `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`j`)),\n" +
				"  `k` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT json_object() CHECK (json_valid(`k`)),\n  `b` text DEFAULT 'hi',\n" +
				"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
			mysql: "CREATE TABLE `t` (\n  `id` varchar(36) COLLATE utf8mb4_unicode_ci NOT NULL DEFAULT (uuid()),\n  `j` json DEFAULT NULL,\n" +
				"  `k` json DEFAULT (json_object()),\n  `b` text COLLATE utf8mb4_unicode_ci DEFAULT (_utf8mb4'hi'),\n" +
				"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
			want: "CREATE TABLE `t` (\n  `id` varchar(36) NOT NULL DEFAULT (uuid()),\n  `j` json,\n  `k` json DEFAULT (JSON_OBJECT()),\n  `b` text DEFAULT ('hi'),\n" +
				"  PRIMARY KEY (`id`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
		},
		{
			name: "generated columns and checks",
			mariadb: "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  `n` varchar(9) DEFAULT NULL,\n  `g` varchar(20) GENERATED ALWAYS AS (concat(lcase(`n`),'-',`id` + 1)) STORED,\n" +
				"  PRIMARY KEY (`id`),\n  CONSTRAINT `c` CHECK (`id` > 1 and `n` <> 'x')\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
			mysql: "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `n` varchar(9) COLLATE utf8mb4_unicode_ci DEFAULT NULL,\n  `g` varchar(20) COLLATE utf8mb4_unicode_ci GENERATED ALWAYS AS (concat(lower(`n`),_utf8mb4'-',(`id` + 1))) STORED,\n" +
				"  PRIMARY KEY (`id`),\n  CONSTRAINT `c` CHECK (((`id` > 1) and (`n` <> _utf8mb4'x')))\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
			want: "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `n` varchar(9),\n  `g` varchar(20) AS (concat(lower(`n`), '-', `id` + 1)) STORED,\n" +
				"  PRIMARY KEY (`id`),\n  CONSTRAINT `c` CHECK (`id` > 1 AND `n` != 'x')\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci",
		},
		{
			name: "foreign keys and hidden keys",
			mariadb: "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  `p` int(11) INVISIBLE DEFAULT NULL,\n  PRIMARY KEY (`id`),\n  KEY `f` (`p`) IGNORED,\n" +
				"  CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES `t` (`id`) ON DELETE CASCADE ON UPDATE NO ACTION\n) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci",
			mysql: "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `p` int DEFAULT NULL /*!80023 INVISIBLE */,\n  PRIMARY KEY (`id`),\n  KEY `f` (`p`) /*!80000 INVISIBLE */,\n" +
				"  CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES `t` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT\n) ENGINE=InnoDB DEFAULT CHARSET=latin1",
			want: "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `p` int INVISIBLE,\n  PRIMARY KEY (`id`),\n  KEY `f` (`p`) INVISIBLE,\n" +
				"  CONSTRAINT `f` FOREIGN KEY (`p`) REFERENCES `t` (`id`) ON DELETE CASCADE\n) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci",
		},
		{
			name: "partitions",
			mariadb: "CREATE TABLE `t` (\n  `y` int(11) NOT NULL,\n  PRIMARY KEY (`y`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n" +
				" PARTITION BY RANGE (`y`)\n(PARTITION `p0` VALUES LESS THAN (2000) ENGINE = InnoDB,\n PARTITION `p1` VALUES LESS THAN MAXVALUE ENGINE = InnoDB)",
			mysql: "CREATE TABLE `t` (\n  `y` int NOT NULL,\n  PRIMARY KEY (`y`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n" +
				"/*!50100 PARTITION BY RANGE (`y`)\n(PARTITION p0 VALUES LESS THAN (2000) ENGINE = InnoDB,\n PARTITION p1 VALUES LESS THAN MAXVALUE ENGINE = InnoDB) */",
			want: "CREATE TABLE `t` (\n  `y` int NOT NULL,\n  PRIMARY KEY (`y`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin\n" +
				"PARTITION BY RANGE (`y`)\n(PARTITION `p0` VALUES LESS THAN (2000),\n PARTITION `p1` VALUES LESS THAN MAXVALUE)",
		},
		{
			name:    "views",
			mariadb: "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW `v` AS select `t`.`id` AS `id` from `t` where `t`.`id` > 1",
			mysql:   "CREATE ALGORITHM=UNDEFINED DEFINER=`vt_app`@`%` SQL SECURITY DEFINER VIEW `shop`.`v` AS select `shop`.`t`.`id` AS `id` from `shop`.`t` where (`shop`.`t`.`id` > 1)",
			want:    "CREATE VIEW `v` AS SELECT `t`.`id` AS `id` FROM `t` WHERE `t`.`id` > 1",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for server, text := range map[string]string{"mariadb": test.mariadb, "mysql": test.mysql} {
				got, err := schema.Normalize(text)
				if err != nil {
					t.Fatalf("%s: %v", server, err)
				}
				if d := cmp.Diff(strings.Split(test.want, "\n"), strings.Split(got, "\n")); d != "" {
					t.Errorf("%s (-want +got)\n%s", server, d)
				}
			}
		})
	}
}

// MySQL has both a type json and longtext columns that somebody checks; the one must not be taken for the other.
func TestNormalizeKeepsMySQLsLongtext(t *testing.T) {
	const create = "CREATE TABLE `t` (\n  `id` int NOT NULL,\n  `j` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,\n  PRIMARY KEY (`id`),\n" +
		"  CONSTRAINT `t_chk_1` CHECK (json_valid(`j`))\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci"
	got, err := schema.Normalize(create)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got, "`j` longtext COLLATE utf8mb4_bin") || !strings.Contains(got, "JSON_VALID") {
		t.Errorf("got\n%s", got)
	}
}

func TestDigestSeesWhatADeployRequestSees(t *testing.T) {
	const base = "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0)) AUTO_INCREMENT=7"
	same := map[string]string{
		"auto increment":  "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0)) AUTO_INCREMENT=9000",
		"constraint name": "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c_7no794p1x6zw6je1gfqmt7bca CHECK (a > 0))",
		"widths":          "CREATE TABLE t (id int(11) NOT NULL, a int(5), b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0))",
		"order of keys":   "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), KEY kb (b), KEY ka (a), PRIMARY KEY (id), CONSTRAINT c CHECK (a > 0))",
		"letters":         "create table `t` (`id` INT not null, `a` INT DEFAULT NULL, `b` VARCHAR(9) NULL, primary key (`id`), index `ka` (`a`), index `kb` (`b`), check (`a` > 0)) engine=innodb",
	}
	other := map[string]string{
		"type":            "CREATE TABLE t (id int NOT NULL, a bigint, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0))",
		"order":           "CREATE TABLE t (id int NOT NULL, b varchar(9), a int, PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0))",
		"no check":        "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b))",
		"key name":        "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), PRIMARY KEY (id), KEY kx (a), KEY kb (b), CONSTRAINT c CHECK (a > 0))",
		"collation":       "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0)) COLLATE utf8mb4_bin",
		"comment":         "CREATE TABLE t (id int NOT NULL, a int, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0)) COMMENT 'x'",
		"null":            "CREATE TABLE t (id int NOT NULL, a int NOT NULL, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0))",
		"another default": "CREATE TABLE t (id int NOT NULL, a int DEFAULT 1, b varchar(9), PRIMARY KEY (id), KEY ka (a), KEY kb (b), CONSTRAINT c CHECK (a > 0))",
	}
	from := parse(t, base)
	for name, sql := range same {
		to := parse(t, sql)
		if from.Digest() != to.Digest() {
			t.Errorf("%s: the digest differs", name)
		}
		if changes := diff(t, from, to); len(changes) > 0 {
			t.Errorf("%s: %v", name, changes)
		}
	}
	for name, sql := range other {
		to := parse(t, sql)
		if from.Digest() == to.Digest() {
			t.Errorf("%s: the digest is the same", name)
		}
		if changes := diff(t, from, to); len(changes) != 1 {
			t.Errorf("%s: %v", name, changes)
		}
	}
}

func TestWhatCannotBeComparedIsNamed(t *testing.T) {
	plain := schema.Table{Name: "fine", Create: "CREATE TABLE fine (id int PRIMARY KEY)"}
	tests := []struct {
		name   string
		tables []schema.Table
		table  string
	}{
		{"type of MariaDB only", []schema.Table{{Name: "u", Create: "CREATE TABLE `u` (`id` uuid NOT NULL)"}}, "u"},
		{"sequence", []schema.Table{{Name: "s", Create: "CREATE SEQUENCE `s` start with 1"}}, "s"},
		{"cut short", []schema.Table{{Name: "c", Create: "CREATE TABLE `c` (`id` int"}}, "c"},
		{"nothing", []schema.Table{{Name: "n"}}, "n"},
		{"like", []schema.Table{{Name: "l", Create: "CREATE TABLE l LIKE fine"}}, "l"},
		{"column twice", []schema.Table{{Name: "d", Create: "CREATE TABLE d (id int, id int)"}}, "d"},
		{"key over nothing", []schema.Table{{Name: "k", Create: "CREATE TABLE k (id int, KEY (nope))"}}, "k"},
		{"parent that is not there", []schema.Table{{Name: "f", Create: "CREATE TABLE f (id int, FOREIGN KEY (id) REFERENCES nope (id))"}}, "f"},
		{"view over nothing", []schema.Table{{Name: "v", Create: "CREATE VIEW v AS SELECT id FROM nope", View: true}}, "v"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &schema.Schema{Tables: append([]schema.Table{plain}, test.tables...)}
			for _, order := range [][2]*schema.Schema{{nil, s}, {s, nil}} {
				changes, err := schema.Diff(order[0], order[1])
				var unreadable *schema.TableError
				if !errors.As(err, &unreadable) {
					t.Fatalf("got %v, %v", changes, err)
				}
				if unreadable.Table != test.table || unreadable.Hint() == "" || !strings.Contains(err.Error(), test.table) {
					t.Errorf("table %q is blamed: %v", unreadable.Table, err)
				}
			}
			if d := s.Digests(); len(d) != 2 || d[test.table] == "" || d[test.table] == d["fine"] {
				t.Errorf("digests %v", d)
			}
		})
	}
}

func TestParse(t *testing.T) {
	s, err := schema.Parse("-- a dump\n/* of ; two */ CREATE TABLE b (id int PRIMARY KEY, s varchar(9) DEFAULT ';');;\nCREATE VIEW a AS SELECT id FROM b # end\n;")
	if err != nil {
		t.Fatal(err)
	}
	want := &schema.Schema{Tables: []schema.Table{
		{Name: "a", Create: "CREATE VIEW a AS SELECT id FROM b", View: true},
		{Name: "b", Create: "CREATE TABLE b (id int PRIMARY KEY, s varchar(9) DEFAULT ';')"},
	}}
	if d := cmp.Diff(want, s); d != "" {
		t.Error(d)
	}
	for _, sql := range []string{
		"DROP TABLE t", "INSERT INTO t VALUES (1)", "CREATE DATABASE d", "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
		"CREATE TABLE t (id int); CREATE TABLE t (id int)", "CREATE TABLE t (id frob)", "CREATE TABLE",
	} {
		s, err := schema.Parse(sql)
		var statement *schema.StatementError
		var table *schema.TableError
		if !errors.As(err, &statement) && !errors.As(err, &table) {
			t.Errorf("%s: %v, %v", sql, s, err)
		}
	}
}

func TestWithoutAndOnly(t *testing.T) {
	s := parse(t, "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)")
	names := func(s *schema.Schema) (out string) {
		for _, t := range s.Tables {
			out += t.Name
		}
		return out
	}
	if got := names(s.Without("b", "nope")); got != "ac" {
		t.Errorf("without: %s", got)
	}
	if got := names(s.Only("c", "a", "nope")); got != "ac" {
		t.Errorf("only: %s", got)
	}
	if got := names(s); got != "abc" {
		t.Errorf("the schema itself changed: %s", got)
	}
	if table, ok := s.Table("b"); !ok || table.Name != "b" {
		t.Errorf("table b: %v", table)
	}
	if _, ok := s.Table("nope"); ok {
		t.Error("a table that is not there was found")
	}
	var none *schema.Schema
	if len(none.Without("a").Tables)+len(none.Only("a").Tables)+len(none.Digests()) > 0 || none.Digest() != (&schema.Schema{}).Digest() {
		t.Error("a nil schema is not an empty one")
	}
}
