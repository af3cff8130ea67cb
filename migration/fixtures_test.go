package migration_test

import (
	"testing"
	"testing/fstest"

	"github.com/pmig/pmig/migration"
)

// fixture is a project of one tool: its tables and rows as the tool itself
// makes them, its files, and what a run of the pending ones writes.
type fixture struct {
	tool    string
	table   string
	custom  *migration.Custom
	create  []string // the tool's own DDL
	applied []string // rows on production
	files   fstest.MapFS
	run     []string // what the tool writes on the branch

	pending []string // keys before the run
	orphans []string
	before  []string // rows on production before, and
	after   []string // after the write-back
	query   string
}

func (f fixture) spec(t testing.TB) migration.Spec {
	return migration.Spec{Tool: tool(t, f.tool), Table: f.table, Custom: f.custom}
}

var fixtures = []fixture{
	{
		tool:  "knex",
		table: "migrations",
		create: []string{
			"CREATE TABLE `migrations` (`id` int unsigned not null auto_increment primary key, `name` varchar(255), `batch` int, `migration_time` timestamp null)",
			"CREATE TABLE `migrations_lock` (`index` int unsigned not null auto_increment primary key, `is_locked` int)",
		},
		applied: []string{
			"INSERT INTO `migrations` VALUES (1, '20230101090000_users.js', 1, '2023-01-01 09:00:10'), (3, '20230301090000_orders.js', 2, '2023-03-01 09:00:11')",
			"INSERT INTO `migrations_lock` VALUES (1, 0)",
		},
		files: folder("20230101090000_users.js", knexJS, "20230301090000_orders.js", knexJS, "20240101090000_notes.js", knexJS, "20240201090000_tags.js", knexJS),
		run: []string{
			"UPDATE migrations_lock SET is_locked = 1 WHERE is_locked = 0",
			"INSERT INTO migrations (name, batch, migration_time) VALUES ('20240101090000_notes.js', 3, '2024-06-01 10:00:00')",
			"INSERT INTO migrations (name, batch, migration_time) VALUES ('20240201090000_tags.js', 3, '2024-06-01 10:00:01')",
			"UPDATE migrations_lock SET is_locked = 0",
		},
		pending: []string{"20240101090000_notes.js", "20240201090000_tags.js"},
		query:   "SELECT name, batch, migration_time FROM migrations ORDER BY id",
		before:  []string{"20230101090000_users.js 1 2023-01-01 09:00:10", "20230301090000_orders.js 2 2023-03-01 09:00:11"},
		after: []string{"20230101090000_users.js 1 2023-01-01 09:00:10", "20230301090000_orders.js 2 2023-03-01 09:00:11",
			"20240101090000_notes.js 3 2024-06-01 10:00:00", "20240201090000_tags.js 3 2024-06-01 10:00:01"},
	},
	{
		tool:    "golang-migrate",
		create:  []string{"CREATE TABLE `schema_migrations` (version bigint not null primary key, dirty boolean not null)"},
		applied: []string{"INSERT INTO schema_migrations VALUES (2, 0)"},
		files: folder("000001_a.up.sql", plainSQL, "000001_a.down.sql", plainSQL, "000002_b.up.sql", plainSQL, "000003_c.up.sql", plainSQL,
			"000010_d.up.sql", plainSQL),
		run: []string{
			"DELETE FROM schema_migrations", "INSERT INTO schema_migrations VALUES (3, 1)",
			"DELETE FROM schema_migrations", "INSERT INTO schema_migrations VALUES (3, 0)",
			"DELETE FROM schema_migrations", "INSERT INTO schema_migrations VALUES (10, 1)",
			"DELETE FROM schema_migrations", "INSERT INTO schema_migrations VALUES (10, 0)",
		},
		pending: []string{"3", "10"},
		query:   "SELECT version, dirty FROM schema_migrations",
		before:  []string{"2 0"},
		after:   []string{"10 0"},
	},
	{
		tool: "goose",
		create: []string{"CREATE TABLE goose_db_version (id serial NOT NULL, version_id bigint NOT NULL, is_applied boolean NOT NULL," +
			" tstamp timestamp NULL default now(), PRIMARY KEY(id))"},
		applied: []string{"INSERT INTO goose_db_version VALUES (1, 0, 1, '2023-01-01 00:00:00'), (2, 1, 1, '2023-01-01 00:00:01')," +
			" (3, 2, 1, '2023-02-01 00:00:00'), (4, 2, 0, '2023-02-01 00:05:00'), (7, 2, 1, '2023-02-01 00:06:00')"},
		files: folder("00001_a.sql", gooseSQL, "00002_b.sql", gooseSQL, "20240101000000_c.sql", gooseSQL),
		run:   []string{"INSERT INTO goose_db_version (version_id, is_applied, tstamp) VALUES (20240101000000, 1, '2024-06-01 10:00:00')"},

		pending: []string{"20240101000000"},
		query:   "SELECT version_id, is_applied, tstamp FROM goose_db_version ORDER BY id",
		before: []string{"0 1 2023-01-01 00:00:00", "1 1 2023-01-01 00:00:01", "2 1 2023-02-01 00:00:00", "2 0 2023-02-01 00:05:00",
			"2 1 2023-02-01 00:06:00"},
		after: []string{"0 1 2023-01-01 00:00:00", "1 1 2023-01-01 00:00:01", "2 1 2023-02-01 00:00:00", "2 0 2023-02-01 00:05:00",
			"2 1 2023-02-01 00:06:00", "20240101000000 1 2024-06-01 10:00:00"},
	},
	{
		tool:    "dbmate",
		create:  []string{"CREATE TABLE schema_migrations (version varchar(128) primary key)"},
		applied: []string{"INSERT INTO schema_migrations VALUES ('001'), ('20230101000000'), ('20230401000000')"},
		files:   folder("001_a.sql", dbmateSQL, "20230101000000_b.sql", dbmateSQL, "20240101000000_c.sql", dbmateSQL, "1_a.sql", dbmateSQL),
		run:     []string{"INSERT INTO schema_migrations VALUES ('1')", "INSERT INTO schema_migrations VALUES ('20240101000000')"},
		pending: []string{"1", "20240101000000"},
		orphans: []string{"20230401000000"},
		query:   "SELECT version FROM schema_migrations ORDER BY version",
		before:  []string{"001", "20230101000000", "20230401000000"},
		after:   []string{"001", "1", "20230101000000", "20230401000000", "20240101000000"},
	},
	{
		tool: "rails",
		create: []string{
			"CREATE TABLE `schema_migrations` (`version` varchar(255) NOT NULL PRIMARY KEY)",
			"CREATE TABLE `ar_internal_metadata` (`key` varchar(255) NOT NULL PRIMARY KEY, `value` varchar(255), `created_at` datetime(6) NOT NULL, `updated_at` datetime(6) NOT NULL)",
		},
		applied: []string{
			"INSERT INTO schema_migrations VALUES ('3'), ('20230101000000')",
			"INSERT INTO ar_internal_metadata VALUES ('environment', 'production', '2023-01-01 00:00:00.123456', '2023-01-01 00:00:00.654321')",
		},
		files: folder("003_create_a.rb", railsRB, "20230101000000_create_b.rb", railsRB, "20240101000000_create_c.rb", railsRB),
		run: []string{
			"UPDATE ar_internal_metadata SET value = 'staging'",
			"INSERT INTO schema_migrations VALUES ('20240101000000')",
		},
		pending: []string{"20240101000000"},
		query:   "SELECT version, (SELECT value FROM ar_internal_metadata) FROM schema_migrations ORDER BY version",
		before:  []string{"20230101000000 production", "3 production"},
		after:   []string{"20230101000000 production", "20240101000000 production", "3 production"},
	},
	{
		tool: "laravel",
		create: []string{"CREATE TABLE `migrations` (`id` int unsigned not null auto_increment primary key, `migration` varchar(255) not null," +
			" `batch` int not null) default character set utf8mb4 collate 'utf8mb4_unicode_ci'"},
		applied: []string{"INSERT INTO migrations VALUES (1, '2014_10_12_000000_create_users_table', 1), (2, '2019_08_19_000000_create_failed_jobs_table', 1)"},
		files: folder("2014_10_12_000000_create_users_table.php", laraPHP, "2019_08_19_000000_create_failed_jobs_table.php", laraPHP,
			"2024_01_01_000000_create_notes_table.php", laraPHP),
		run:     []string{"INSERT INTO migrations (migration, batch) VALUES ('2024_01_01_000000_create_notes_table', 2)"},
		pending: []string{"2024_01_01_000000_create_notes_table"},
		query:   "SELECT migration, batch FROM migrations ORDER BY id",
		before:  []string{"2014_10_12_000000_create_users_table 1", "2019_08_19_000000_create_failed_jobs_table 1"},
		after: []string{"2014_10_12_000000_create_users_table 1", "2019_08_19_000000_create_failed_jobs_table 1",
			"2024_01_01_000000_create_notes_table 2"},
	},
	{
		tool:   "custom",
		table:  "applied`changes",
		custom: &migration.Custom{Key: []string{"App", "name"}, File: `^(?P<App>[a-z]+)\.(?P<name>[0-9a-z_]+)\.sql$`},
		create: []string{"CREATE TABLE `applied``changes` (app varchar(50) not null, name varchar(50) not null, `sum` varbinary(20), " +
			"took decimal(10,3), primary key (app, name))"},
		applied: []string{"INSERT INTO `applied``changes` VALUES ('billing', '1_a', x'00ff27', 0.100), ('shop', '1_a', NULL, 12.345)"},
		files:   folder("billing.1_a.sql", "", "shop.1_a.sql", "", "shop.2_b.sql", ""),
		run:     []string{"INSERT INTO `applied``changes` VALUES ('shop', '2_b', x'', NULL)"},
		pending: []string{"shop:2_b"},
		query:   "SELECT app, name, hex(`sum`), took FROM `applied``changes` ORDER BY app, name",
		before:  []string{"billing 1_a 00FF27 0.100", "shop 1_a NULL 12.345"},
		after:   []string{"billing 1_a 00FF27 0.100", "shop 1_a NULL 12.345", "shop 2_b  NULL"},
	},
	{
		tool:    "custom",
		table:   "db_version",
		custom:  &migration.Custom{Key: []string{"at"}, File: `^r([0-9]+)\.sql$`, Shape: migration.Pointer},
		create:  []string{"CREATE TABLE db_version (at varchar(20) not null primary key, note text)"},
		applied: []string{"INSERT INTO db_version VALUES ('9', 'by hand')"},
		files:   folder("r8.sql", "", "r9.sql", "", "r10.sql", ""),
		run:     []string{"UPDATE db_version SET at = '10', note = ''"},
		pending: []string{"10"},
		query:   "SELECT at, note FROM db_version",
		before:  []string{"9 by hand"},
		after:   []string{"10 "},
	},
}
