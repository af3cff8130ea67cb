package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/migration"
)

// writes is how many statements that write the server has carried out.
func writes(t testing.TB, db *sql.DB) int {
	t.Helper()
	sum := 0
	for _, name := range []string{"Com_insert", "Com_update", "Com_delete", "Com_replace"} {
		n, err := strconv.Atoi(scalar2(t, db, "SHOW GLOBAL STATUS LIKE '"+name+"'"))
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

func TestSeed(t *testing.T) {
	knex := fixtures[0]
	spec := knex.spec(t)
	production := database(t)
	exec(t, production, knex.create...)
	exec(t, production, knex.applied...)
	// Somebody else is migrating while production is read.
	exec(t, production, "UPDATE migrations_lock SET is_locked = 1")
	base := read(t, production, spec)
	if s := migration.Compare(spec, nil, base); !s.Locked {
		t.Fatal("the lock is not seen")
	}
	for _, tc := range []struct {
		name   string
		branch []string
	}{
		{"empty", nil},
		{"the platform copied the rows", knex.applied[:1]},
		{"and some are wrong", []string{
			"INSERT INTO migrations VALUES (1, '20230101090000_users.js', 7, '2023-01-01 09:00:10'), (3, 'x.js', 2, NULL), (4, 'old.js', 2, NULL)",
			"INSERT INTO migrations_lock VALUES (1, 1), (2, 0)"}},
		{"the lock was taken", []string{"INSERT INTO migrations_lock VALUES (1, 1)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			branch := database(t)
			exec(t, branch, knex.create...)
			exec(t, branch, tc.branch...)
			if err := migration.Seed(t.Context(), branch, spec, base); err != nil {
				t.Fatal(err)
			}
			equal(t, "rows", read(t, branch, spec).Rows, base.Rows)
			equal(t, "lock", table(t, branch, "SELECT * FROM migrations_lock"), []string{"1 0"})

			before := writes(t, branch)
			if err := migration.Seed(t.Context(), branch, spec, base); err != nil {
				t.Fatal(err)
			}
			if n := writes(t, branch) - before; n != 0 {
				t.Errorf("the second time %d statements wrote", n)
			}
			// knex numbers its next row as if it had written the others itself.
			exec(t, branch, "INSERT INTO migrations (name) VALUES ('next.js')")
			if next := scalar(t, branch, "SELECT id FROM migrations WHERE name = 'next.js'"); next < "4" {
				t.Errorf("the next row is number %s", next)
			}
		})
	}
}

func TestSeedTablesThatAreNotThere(t *testing.T) {
	knex := fixtures[0]
	spec := knex.spec(t)
	production, branch := database(t), database(t)
	none := read(t, production, spec)
	if none.Exists || len(none.Aux) != 1 || none.Aux[0].Exists {
		t.Fatalf("history of an empty database: %+v", none)
	}
	exec(t, production, knex.create...)
	exec(t, production, knex.applied...)

	// The branch lacks what production has.
	var missing *migration.MissingTableError
	if err := migration.Seed(t.Context(), branch, spec, read(t, production, spec)); !errors.As(err, &missing) || missing.Table != "migrations" {
		t.Errorf("got %v, want a MissingTableError", err)
	}
	exec(t, branch, knex.create[0])
	if err := migration.Seed(t.Context(), branch, spec, read(t, production, spec)); !errors.As(err, &missing) || missing.Table != "migrations_lock" {
		t.Errorf("got %v, want a MissingTableError", err)
	}
	// Without a history on production, a table on the branch is emptied.
	if err := migration.Seed(t.Context(), branch, spec, none); err != nil {
		t.Fatal(err)
	}
	equal(t, "rows", table(t, branch, "SELECT * FROM migrations"), []string(nil))
}

// A table that changes what it is given must not pass for seeded.
func TestSeedLooksAgain(t *testing.T) {
	spec := migration.Spec{Tool: tool(t, "dbmate")}
	production, branch := database(t), database(t)
	exec(t, production, fixtures[3].create[0], fixtures[3].applied[0])
	exec(t, branch, "CREATE TABLE schema_migrations (version varchar(128) primary key)",
		"CREATE TRIGGER upset BEFORE INSERT ON schema_migrations FOR EACH ROW SET NEW.version = concat(NEW.version, 'x')")
	var drift *migration.DriftError
	if err := migration.Seed(t.Context(), branch, spec, read(t, production, spec)); !errors.As(err, &drift) {
		t.Errorf("got %v, want a DriftError", err)
	}
}

// A hundred thousand rows are read, seeded and swapped in pages and batches.
func TestManyRows(t *testing.T) {
	const rows = 100_000
	spec := migration.Spec{Tool: tool(t, "knex")}
	create := "CREATE TABLE knex_migrations (id int unsigned not null auto_increment primary key, name varchar(255), batch int, migration_time timestamp null)"
	production, branch := database(t), database(t)
	exec(t, production, create, fmt.Sprintf("INSERT INTO knex_migrations SELECT seq * 2, concat('2024_', seq, '.js'), seq, '2024-01-01' FROM seq_1_to_%d", rows))
	exec(t, branch, create)

	base := read(t, production, spec)
	before := writes(t, branch)
	if err := migration.Seed(t.Context(), branch, spec, base); err != nil {
		t.Fatal(err)
	}
	if n := writes(t, branch) - before; n > rows/10_000+2 {
		t.Errorf("seeding took %d statements", n)
	}
	exec(t, branch, "INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('new.js', 9, '2024-06-01')")
	gained, err := migration.Gained(spec, base, read(t, branch, spec))
	if err != nil {
		t.Fatal(err)
	}
	if r := swap(t, production, spec, base, gained, migration.SwapOptions{}); r.Written != 1 {
		t.Errorf("%+v", r)
	}
	if n := scalar(t, production, "SELECT count(*) FROM knex_migrations"); n != strconv.Itoa(rows+1) {
		t.Errorf("%s rows", n)
	}
}

// So are a hundred thousand that a first run brings, well within the twenty
// seconds that PlanetScale gives a transaction.
func TestManyNewRows(t *testing.T) {
	const rows = 100_000
	spec := migration.Spec{Tool: tool(t, "laravel")}
	production, branch := database(t), database(t)
	none := read(t, branch, spec)
	exec(t, branch, fixtureOf(t, "laravel").create[0], fmt.Sprintf("INSERT INTO migrations SELECT seq * 3, concat('2024_', seq, '_create'), seq FROM seq_1_to_%d", rows))
	exec(t, production, fixtureOf(t, "laravel").create[0])
	ran := read(t, branch, spec)
	gained, err := migration.Gained(spec, none, ran)
	if err != nil {
		t.Fatal(err)
	}
	before, start := writes(t, production), time.Now()
	if r := swap(t, production, spec, none, gained, migration.SwapOptions{}); r.Written != rows {
		t.Errorf("%+v", r)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	if n := writes(t, production) - before; n > rows/10_000+2 {
		t.Errorf("took %d statements", n)
	}
	equal(t, "digest", read(t, production, spec).Digest(), ran.Digest())
}

// Rows as long as a tool that keeps whole scripts writes them: no packet comes
// near the limits of servers and gates.
func TestLongRows(t *testing.T) {
	const rows, length = 250, 100_000
	spec := migration.Spec{Tool: tool(t, "custom"), Table: "h", Custom: &migration.Custom{Key: []string{"id"}, File: "x"}}
	for _, interpolate := range []bool{false, true} {
		production, branch := database(t), database(t)
		exec(t, production, "CREATE TABLE h (id int primary key, script longtext)",
			fmt.Sprintf("INSERT INTO h SELECT seq, repeat(seq %% 10, %d) FROM seq_1_to_%d", length, rows))
		exec(t, branch, "CREATE TABLE h (id int primary key, script longtext)")
		base := read(t, production, spec)
		var longest atomic.Int64
		db := connect(t, name(t, branch), func(c *mysql.Config) {
			c.InterpolateParams = interpolate
			network, address := c.Net, c.Addr
			c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				return watched{conn, &longest}, err
			}
		})
		if err := migration.Seed(t.Context(), db, spec, base); err != nil {
			t.Fatal(err)
		}
		equal(t, "digest", read(t, branch, spec).Digest(), base.Digest())
		if n := longest.Load(); n < length || n > 2<<20 {
			t.Errorf("the longest packet has %d bytes", n)
		}
	}
}

// watched keeps the length of the longest packet that a client sends.
type watched struct {
	net.Conn
	longest *atomic.Int64
}

func (c watched) Write(p []byte) (int, error) {
	c.longest.Store(max(c.longest.Load(), int64(len(p))))
	return c.Conn.Write(p)
}
