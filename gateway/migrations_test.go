package gateway

import (
	"reflect"
	"testing"

	"github.com/pmig/pmig/mysqlproxy"
)

// What the tools send, in the order they send it, and whose doing it is.
func TestMigrations(t *testing.T) {
	for _, c := range []struct {
		name    string
		history []string
		sent    []string
		want    [][]string
	}{
		{"a log, with its table made and its lock taken first", []string{"knex_migrations", "knex_migrations_lock"}, []string{
			"create table `knex_migrations` (`id` int unsigned not null auto_increment primary key, `name` varchar(255))",
			"create table `knex_migrations_lock` (`index` int unsigned not null auto_increment primary key, `is_locked` int)",
			"update `knex_migrations_lock` set `is_locked` = 1 where `is_locked` = 0",
			"create table `a` (`id` int)", "alter table `a` add `x` int", "create index `i` on `b` (`x`)",
			"insert into `knex_migrations` (`name`) values ('1')",
			"create table `c` (`id` int)",
			"insert into `knex_migrations` (`name`) values ('2')",
			"update `knex_migrations_lock` set `is_locked` = 0",
		}, [][]string{{"a", "b"}, {"c"}}},
		{"a pointer, marked dirty before and clean after", []string{"schema_migrations"}, []string{
			"TRUNCATE `schema_migrations`", "INSERT INTO `schema_migrations` (version, dirty) VALUES (1, 1)",
			"CREATE TABLE a (id int)",
			"TRUNCATE `schema_migrations`", "INSERT INTO `schema_migrations` (version, dirty) VALUES (1, 0)",
			"TRUNCATE `schema_migrations`", "INSERT INTO `schema_migrations` (version, dirty) VALUES (2, 1)",
			"DROP TABLE shop.b",
			"TRUNCATE `schema_migrations`", "INSERT INTO `schema_migrations` (version, dirty) VALUES (2, 0)",
		}, [][]string{{"a"}, {"b"}}},
		{"a row before its migration", []string{"bun_migrations"}, []string{
			"INSERT INTO bun_migrations (name) VALUES ('1')", "CREATE TABLE a (id int)",
			"INSERT INTO bun_migrations (name) VALUES ('2')", "CREATE TABLE b (id int)",
		}, [][]string{{"a"}, {"b"}}},
		{"one that defines nothing", []string{"h"}, []string{
			"CREATE TABLE a (id int)", "INSERT INTO h VALUES (1)", "SELECT 1", "INSERT INTO h VALUES (2)",
		}, [][]string{{"a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &Gateway{options: Options{History: c.history}, classifier: newClassifier(c.history, "shop")}
			h := &handler{g: g, state: newState()}
			for _, sql := range c.sent {
				h.Finished(&mysqlproxy.Statement{Command: mysqlproxy.Query, SQL: sql})
			}
			if got := g.Report().Migrations; !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
