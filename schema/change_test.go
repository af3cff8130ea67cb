package schema_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/schema"
)

func TestParseChange(t *testing.T) {
	tests := []struct {
		table, verb, ddl string
		want             schema.Change
	}{
		{"users", "ALTER", "ALTER TABLE `users` ADD COLUMN `email` varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' AFTER `id`, drop index a, ALGORITHM=INSTANT",
			schema.Change{Clauses: []string{"ADD COLUMN `email` varchar(255) COLLATE utf8mb4_bin NOT NULL DEFAULT '' AFTER `id`", "DROP KEY `a`"}}},
		{"users", "alter", "alter table users add (a int(11) default 0, b boolean), change c c text",
			schema.Change{Clauses: []string{"ADD COLUMN `a` int DEFAULT '0'", "ADD COLUMN `b` tinyint(1)", "MODIFY COLUMN `c` text"}}},
		{"users", "ALTER", "ALTER TABLE users DROP COLUMN `a``b`, DROP COLUMN c, DROP CHECK k_7no794p1x6zw6je1gfqmt7bca, DROP FOREIGN KEY f, DROP PRIMARY KEY",
			schema.Change{DropsData: true, Dropped: []string{"a`b", "c"}, Clauses: []string{"DROP COLUMN `a``b`", "DROP COLUMN `c`", "DROP CONSTRAINT `k`", "DROP CONSTRAINT `f`", "DROP PRIMARY KEY"}}},
		{"users", "ALTER", "ALTER TABLE users ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES p (id) ON DELETE RESTRICT, ADD CONSTRAINT y CHECK (a > 0), ADD UNIQUE INDEX u (a) USING BTREE",
			schema.Change{Clauses: []string{"ADD FOREIGN KEY (`a`) REFERENCES `p` (`id`)", "ADD CHECK (`a` > 0)", "ADD UNIQUE KEY `u` (`a`)"}}},
		{"users", "ALTER", "ALTER TABLE users DEFAULT CHARACTER SET utf8 COMMENT='x' AUTO_INCREMENT=5",
			schema.Change{Clauses: []string{"DEFAULT CHARSET=utf8mb3 COLLATE=utf8mb3_general_ci", "COMMENT='x'"}}},
		{"r", "ALTER", "ALTER TABLE r DROP PARTITION p0, p1",
			schema.Change{DropsData: true, Clauses: []string{"DROP PARTITION `p0`, `p1`"}}},
		{"users", "DROP", "DROP TABLE `users`;", schema.Change{DropsData: true, Instant: true, Dropped: []string{"users"}}},
		{"users", "DROP", "", schema.Change{DropsData: true, Instant: true, Dropped: []string{"users"}}},
		{"v", "DROP", "DROP VIEW v", schema.Change{Instant: true}},
		{"v", "CREATE", "CREATE VIEW v AS SELECT 1 AS a FROM dual", schema.Change{Instant: true, Clauses: []string{"CREATE VIEW `v` AS SELECT 1 AS `a` FROM `dual`"}}},
		{"v", "ALTER", "ALTER VIEW v AS SELECT 1 AS a FROM dual", schema.Change{Instant: true, Clauses: []string{"CREATE VIEW `v` AS SELECT 1 AS `a` FROM `dual`"}}},
		{"v", "ALTER", "CREATE OR REPLACE VIEW v AS SELECT 1 AS a FROM dual", schema.Change{Instant: true, Clauses: []string{"CREATE VIEW `v` AS SELECT 1 AS `a` FROM `dual`"}}},
		{"t", "CREATE", "CREATE TABLE IF NOT EXISTS t (id bigint PRIMARY KEY, CONSTRAINT c CHECK (id > 0)) AUTO_INCREMENT=5",
			schema.Change{Instant: true, Clauses: []string{"`id` bigint NOT NULL FIRST", "CHECK (`id` > 0)", "COLLATE=utf8mb4_0900_ai_ci", "DEFAULT CHARSET=utf8mb4", "ENGINE=InnoDB", "PRIMARY KEY (`id`)"}}},
	}
	for _, test := range tests {
		got, err := schema.ParseChange(test.table, test.verb, test.ddl)
		if err != nil {
			t.Errorf("%s: %v", test.ddl, err)
			continue
		}
		got.Table, got.Verb, got.SQL = "", "", ""
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", test.ddl, d)
		}
	}
}

func TestParseChangeRefuses(t *testing.T) {
	tests := []struct{ table, verb, ddl string }{
		{"users", "ALTER", ""},
		{"users", "ALTER", "ALTER TABLE users"},
		{"users", "ALTER", "ALTER TABLE people ADD a int"},
		{"users", "CREATE", "ALTER TABLE users ADD a int"},
		{"users", "DROP", "DROP TABLE users, people"},
		{"users", "ALTER", "ALTER TABLE users ADD a int; DROP TABLE users"},
		{"users", "ALTER", "RENAME TABLE users TO people"},
		{"users", "ALTER", "ALTER TABLE users FROBNICATE"},
		{"users", "", "SELECT 1"},
	}
	for _, test := range tests {
		got, err := schema.ParseChange(test.table, test.verb, test.ddl)
		var refused *schema.StatementError
		if !errors.As(err, &refused) {
			t.Errorf("%q is read as %+v, %v", test.ddl, got, err)
		}
	}
}

func TestCompare(t *testing.T) {
	change := func(table, verb, ddl string) schema.Change {
		t.Helper()
		c, err := schema.ParseChange(table, verb, ddl)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	add := change("users", "ALTER", "ALTER TABLE users ADD COLUMN a int(11) DEFAULT 0, ADD CONSTRAINT mine CHECK (a > 0)")
	tests := []struct {
		name             string
		want, got        []schema.Change
		missing, surplus []string
	}{
		{"nothing", nil, nil, nil, nil},
		{"equal in other words and order", []schema.Change{add},
			[]schema.Change{change("users", "ALTER", "ALTER TABLE users ADD CONSTRAINT theirs_7no794p1x6zw6je1gfqmt7bca CHECK (`a` > 0), ADD COLUMN `a` int DEFAULT '0'")}, nil, nil},
		{"equal in two statements", []schema.Change{add},
			[]schema.Change{change("users", "ALTER", "ALTER TABLE users ADD CHECK (a > 0)"), change("users", "ALTER", "ALTER TABLE users ADD COLUMN a int DEFAULT 0")}, nil, nil},
		{"a clause more", []schema.Change{add},
			[]schema.Change{change("users", "ALTER", "ALTER TABLE users ADD COLUMN a int DEFAULT 0, ADD CHECK (a > 0), DROP COLUMN recent")},
			nil, []string{"ALTER TABLE `users` DROP COLUMN `recent`"}},
		{"a clause less", []schema.Change{add},
			[]schema.Change{change("users", "ALTER", "ALTER TABLE users ADD COLUMN a int DEFAULT 0")},
			[]string{"ALTER TABLE `users` ADD CHECK (`a` > 0)"}, nil},
		{"another default", []schema.Change{add},
			[]schema.Change{change("users", "ALTER", "ALTER TABLE users ADD COLUMN a int DEFAULT 1, ADD CHECK (a > 0)")},
			[]string{"ALTER TABLE `users` ADD COLUMN `a` int DEFAULT '0'"}, []string{"ALTER TABLE `users` ADD COLUMN `a` int DEFAULT '1'"}},
		{"another place", []schema.Change{change("users", "ALTER", "ALTER TABLE users ADD a int AFTER b")},
			[]schema.Change{change("users", "ALTER", "ALTER TABLE users ADD a int AFTER c")},
			[]string{"ALTER TABLE `users` ADD COLUMN `a` int AFTER `b`"}, []string{"ALTER TABLE `users` ADD COLUMN `a` int AFTER `c`"}},
		{"the same clause twice", []schema.Change{add, add}, []schema.Change{add},
			[]string{"ALTER TABLE `users` ADD COLUMN `a` int DEFAULT '0', ADD CHECK (`a` > 0)"}, nil},
		{"another table", []schema.Change{add}, []schema.Change{change("posts", "DROP", "DROP TABLE posts")},
			[]string{"ALTER TABLE `users` ADD COLUMN `a` int DEFAULT '0', ADD CHECK (`a` > 0)"}, []string{"DROP TABLE posts"}},
		{"the same drop", []schema.Change{change("posts", "DROP", "DROP TABLE `posts`")}, []schema.Change{change("posts", "DROP", "drop table if exists posts")}, nil, nil},
	}
	sql := func(changes []schema.Change) (out []string) {
		for _, c := range changes {
			out = append(out, c.SQL)
		}
		return out
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			missing, surplus := schema.Compare(test.want, test.got)
			if d := cmp.Diff(test.missing, sql(missing)); d != "" {
				t.Errorf("missing (-want +got)\n%s", d)
			}
			if d := cmp.Diff(test.surplus, sql(surplus)); d != "" {
				t.Errorf("surplus (-want +got)\n%s", d)
			}
		})
	}
	_, surplus := schema.Compare([]schema.Change{add}, []schema.Change{change("users", "ALTER", "ALTER TABLE users ADD COLUMN a int DEFAULT 0, DROP COLUMN recent")})
	if len(surplus) != 1 || !surplus[0].DropsData || !cmp.Equal(surplus[0].Dropped, []string{"recent"}) {
		t.Errorf("what the surplus drops is not said: %+v", surplus)
	}
}

func TestInstant(t *testing.T) {
	const base = "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k))"
	tests := []struct {
		name, to string
		instant  bool
	}{
		{"add column", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'), k int, z int, KEY (k))", true},
		{"add column in between", "CREATE TABLE t (id int PRIMARY KEY, z int, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k))", true},
		{"drop column", "CREATE TABLE t (id int PRIMARY KEY, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k))", true},
		{"change default", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 2, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k))", true},
		{"drop default", "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k))", true},
		{"enum grows", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y','z'), k int, KEY (k))", true},
		{"drop column with its index", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'))", false},
		{"type", "CREATE TABLE t (id int PRIMARY KEY, a bigint DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k))", false},
		{"varchar grows", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(20), c int NOT NULL, e enum('x','y'), k int, KEY (k))", false},
		{"null", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int, e enum('x','y'), k int, KEY (k))", false},
		{"index", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k), KEY (a))", false},
		{"default that is no literal", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'), k int, z int DEFAULT (1 + 1), KEY (k))", false},
		{"foreign key", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x','y'), k int, KEY (k), FOREIGN KEY (k) REFERENCES t (id))", false},
		{"enum loses a value", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(10), c int NOT NULL, e enum('x'), k int, KEY (k))", false},
		{"one of two", "CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 1, b varchar(20), c int NOT NULL, e enum('x','y'), k int, z int, KEY (k))", false},
	}
	for _, test := range tests {
		changes := diff(t, parse(t, base), parse(t, test.to))
		if len(changes) != 1 || changes[0].Instant != test.instant || schema.Instant(changes) != test.instant {
			t.Errorf("%s: instant should be %v: %+v", test.name, test.instant, changes)
		}
	}
	create := diff(t, nil, parse(t, base))
	if schema.Instant(create) || schema.Instant(nil) {
		t.Error("a deployment without an ALTER cannot be instant")
	}
	both := diff(t, parse(t, "CREATE TABLE t (id int PRIMARY KEY)"), parse(t, "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE TABLE u (id int PRIMARY KEY)"))
	if !schema.Instant(both) {
		t.Errorf("a new table keeps the deployment from being instant: %+v", both)
	}
}

func TestDiffSaysWhatIsLost(t *testing.T) {
	from := parse(t, "CREATE TABLE a (id int PRIMARY KEY, x int, y int, z int); CREATE TABLE b (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM b; CREATE TABLE k (id int PRIMARY KEY)")
	to := parse(t, "CREATE TABLE a (id int PRIMARY KEY, z2 int, y int); CREATE TABLE k (id int PRIMARY KEY, n int)")
	got := map[string][]string{}
	for _, c := range diff(t, from, to) {
		if c.DropsData != (len(c.Dropped) > 0) {
			t.Errorf("%+v", c)
		}
		got[c.Verb+" "+c.Table] = c.Dropped
	}
	want := map[string][]string{"ALTER a": {"x", "z"}, "ALTER k": nil, "DROP b": {"b"}, "DROP v": nil}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// The order is one in which every statement can run by itself.
func TestDiffOrder(t *testing.T) {
	family := parse(t, "CREATE TABLE a_child (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES z_parent (id)); CREATE TABLE z_parent (id int PRIMARY KEY); CREATE VIEW a_view AS SELECT id FROM m_view; CREATE VIEW m_view AS SELECT id FROM z_parent")
	order := func(from, to *schema.Schema) (out []string) {
		for _, c := range diff(t, from, to) {
			out = append(out, c.Verb+" "+c.Table)
		}
		return out
	}
	if d := cmp.Diff([]string{"CREATE z_parent", "CREATE a_child", "CREATE m_view", "CREATE a_view"}, order(nil, family)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"DROP a_view", "DROP m_view", "DROP a_child", "DROP z_parent"}, order(family, nil)); d != "" {
		t.Error(d)
	}
}
