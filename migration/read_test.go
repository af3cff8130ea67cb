package migration_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/migration"
)

// Every type that a history table may have, in values that a careless reader
// changes. The connection's options must make no difference.
func TestReadIsExact(t *testing.T) {
	production := database(t)
	exec(t, production,
		"CREATE TABLE h (id bigint unsigned NOT NULL PRIMARY KEY, name varchar(255) COLLATE utf8mb4_bin NULL, old varchar(20) CHARACTER SET latin1,"+
			" raw blob, fixed binary(4), ts timestamp(6) NULL, dt datetime(3), d date, tm time(2), y year, f double, n decimal(30,10), z int(6) zerofill,"+
			" b bit(9), e enum('a','b'), doc longtext, flag tinyint(1), twice int AS (flag * 2) STORED)",
		"INSERT INTO h (id, name, old, raw, fixed, ts, dt, d, tm, y, f, n, z, b, e, doc, flag) VALUES"+
			" (18446744073709551615, 'Ünïcødé \\\\ \\' \\n \U0001F600', 'caf\u00e9', x'00ff80fe', x'01', '2024-03-31 02:30:00.000001', '2024-01-01 00:00:00.100', '0001-01-01',"+
			" '-838:59:59.00', 1901, 0.1, '12345678901234567890.0000000001', 42, b'100000001', 'b', '{\"a\": 1.0}', 1),"+
			" (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"+
			" (2, '', '', '', '', '1970-01-02 00:00:01', '9999-12-31 23:59:59.999', '9999-12-31', '00:00:00.00', 2155, -1.5e300, 0, 0, 0, 'a', '', 0)")
	spec := migration.Spec{Tool: tool(t, "custom"), Table: "h", Custom: &migration.Custom{Key: []string{"id"}, File: "x"}}
	want := []string{
		"1 NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL",
		"2    \x00\x00\x00\x00 1970-01-02 00:00:01.000000 9999-12-31 23:59:59.999 9999-12-31 00:00:00.00 2155 -1.5e300 0.0000000000 000000 \x00\x00 a  0",
		"18446744073709551615 Ünïcødé \\ ' \n \U0001F600 café \x00\xff\x80\xfe \x01\x00\x00\x00 2024-03-31 02:30:00.000001 2024-01-01 00:00:00.100 0001-01-01" +
			" -838:59:59.00 1901 0.1 12345678901234567890.0000000001 000042 \x01\x01 b {\"a\": 1.0} 1",
	}
	for name, option := range map[string]func(*mysql.Config){
		"plain":       func(*mysql.Config) {},
		"parseTime":   func(c *mysql.Config) { c.ParseTime = true },
		"interpolate": func(c *mysql.Config) { c.InterpolateParams = true },
		"ansi":        func(c *mysql.Config) { c.Params = map[string]string{"sql_mode": "'ANSI,STRICT_ALL_TABLES'"} },
	} {
		t.Run(name, func(t *testing.T) {
			h := read(t, connect(t, scalar(t, production, "SELECT database()"), option), spec)
			equal(t, "rows", rowsOf(h), want)
			if got := strings.Join(types(h.Columns), ", "); !strings.HasPrefix(got, "id bigint unsigned primary, name varchar(255) null") ||
				!strings.HasSuffix(got, "flag tinyint(1) null") {
				t.Errorf("columns: %s", got)
			}

			branch := database(t, option)
			exec(t, branch, scalar2(t, production, "SHOW CREATE TABLE h"))
			for range 2 {
				if err := migration.Seed(t.Context(), branch, spec, h); err != nil {
					t.Fatal(err)
				}
			}
			equal(t, "rows after seeding", read(t, branch, spec).Rows, h.Rows)
		})
	}
}

// scalar2 is the second column of the first row.
func scalar2(t testing.TB, db *sql.DB, query string) string {
	t.Helper()
	var a, b string
	if err := db.QueryRow(query).Scan(&a, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func types(columns []migration.Column) []string {
	var out []string
	for _, c := range columns {
		text := c.Name + " " + c.Type
		if c.AutoIncrement {
			text += " numbered"
		}
		if c.Primary {
			text += " primary"
		}
		if c.Null {
			text += " null"
		}
		out = append(out, text)
	}
	return out
}

func TestReadColumns(t *testing.T) {
	db := database(t)
	exec(t, db, fixtures[0].create...)
	spec := fixtures[0].spec(t)
	h := read(t, db, spec)
	equal(t, "columns", types(h.Columns), []string{"id int unsigned numbered primary", "name varchar(255) null", "batch int null", "migration_time timestamp null"})

	// By the name of the database, from a connection that has selected none.
	spec.Database = name(t, db)
	elsewhere := read(t, connect(t, ""), spec)
	equal(t, "columns by name", elsewhere.Columns, h.Columns)

	exec(t, db, "CREATE TABLE schema_migrations (version varchar(255) NOT NULL, UNIQUE KEY unique_schema_migrations (version))")
	old := read(t, db, migration.Spec{Tool: tool(t, "rails")})
	equal(t, "columns of old Rails", types(old.Columns), []string{"version varchar(255) primary"})
}

func TestReadRefusesAnotherToolsTable(t *testing.T) {
	for _, tc := range []struct {
		create, tool string
		fits         []string
	}{
		{"version bigint not null primary key, dirty boolean not null", "dbmate", []string{"golang-migrate"}},
		{"version bigint not null primary key, dirty boolean not null", "rails", []string{"golang-migrate"}},
		{"version varchar(255) not null primary key", "golang-migrate", []string{"dbmate", "rails"}},
		{"VERSION varchar(128) primary key", "dbmate", nil},
		{"version bigint primary key, inserted_at datetime", "golang-migrate", nil}, // Ecto's
		{"id int auto_increment primary key, migration varchar(255) not null, batch int not null", "knex", []string{"laravel"}},
		{"id int auto_increment primary key, name varchar(255), batch int, migration_time timestamp null", "laravel", []string{"knex"}},
		{"id int auto_increment primary key, timestamp bigint not null, name varchar(255) not null", "knex", nil}, // TypeORM's
	} {
		t.Run(tc.tool+" "+tc.create, func(t *testing.T) {
			db := database(t)
			exec(t, db, "CREATE TABLE h ("+tc.create+")")
			_, err := migration.Read(t.Context(), db, migration.Spec{Tool: tool(t, tc.tool), Table: "h"})
			var shape *migration.ShapeError
			switch {
			case tc.fits == nil && tc.tool == "dbmate":
				if err != nil {
					t.Errorf("column names are not case sensitive: %v", err)
				}
			case !errors.As(err, &shape):
				t.Fatalf("got %v, want a ShapeError", err)
			default:
				equal(t, "fits", shape.Fits, tc.fits)
				if shape.Hint() == "" || !strings.Contains(shape.Error(), "table h") {
					t.Errorf("%v, hint %q", shape, shape.Hint())
				}
			}
		})
	}
	db := database(t)
	exec(t, db, fixtures[0].create[0], "CREATE TABLE migrations_lock (a int primary key)")
	var shape *migration.ShapeError
	if _, err := migration.Read(t.Context(), db, fixtures[0].spec(t)); !errors.As(err, &shape) || shape.Table != "migrations_lock" {
		t.Errorf("lock table of another shape: %v", err)
	}
}

// More rows than a page, under every kind of key.
func TestReadPages(t *testing.T) {
	const rows = 12_345
	for name, create := range map[string]string{
		"number":    "a bigint NOT NULL PRIMARY KEY, b varchar(40), c int",
		"text":      "a bigint, b varchar(40) NOT NULL PRIMARY KEY, c int",
		"composite": "a bigint NOT NULL, b varchar(40) NOT NULL, c int NOT NULL, PRIMARY KEY (c, a, b)",
		"none":      "a bigint, b varchar(40), c int",
	} {
		t.Run(name, func(t *testing.T) {
			db := database(t)
			exec(t, db, "CREATE TABLE h ("+create+")",
				fmt.Sprintf("INSERT INTO h SELECT seq * 7, concat('key ', seq * 13 %% 9999, '/', seq), seq %% 3 FROM seq_1_to_%d", rows))
			h := read(t, db, migration.Spec{Tool: tool(t, "custom"), Table: "h", Custom: &migration.Custom{Key: []string{"a"}, File: "x"}})
			seen := map[string]bool{}
			for _, r := range h.Rows {
				seen[r[0].Text()] = true
			}
			if h.Len() != rows || len(seen) != rows {
				t.Errorf("read %d rows, %d different ones, of %d", h.Len(), len(seen), rows)
			}
		})
	}
}
