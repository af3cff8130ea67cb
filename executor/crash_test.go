package executor_test

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/schema"
)

// shape is a database with something in it already, migrations that are new to
// it, and what its histories hold in the end.
type shape struct {
	name    string
	before  []string // SQL
	sources []source
	want    map[string][]string // rows of a query

	operations int // of the deploy request
}

const (
	knexTable = "CREATE TABLE knex_migrations (id int unsigned NOT NULL AUTO_INCREMENT, name varchar(255), batch int, migration_time timestamp NULL, PRIMARY KEY (id))"
	knexLock  = "CREATE TABLE knex_migrations_lock (`index` int unsigned NOT NULL AUTO_INCREMENT, is_locked int, PRIMARY KEY (`index`))"
)

var shapes = []shape{
	{
		name: "log (knex)", operations: 2,
		before: []string{
			"CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id))", knexTable, knexLock,
			"INSERT INTO knex_migrations VALUES (1, '1_a.js', 1, '2026-01-01 00:00:00')", "INSERT INTO knex_migrations_lock VALUES (1, 0)",
		},
		sources: []source{{tool: "knex", files: map[string]string{
			"1_a.js": "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id))",
			"2_b.js": "CREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id))",
			"3_c.js": "ALTER TABLE a ADD COLUMN note VARCHAR(20)",
		}}},
		want: map[string][]string{
			"SELECT CONCAT(id, ' ', name, ' ', batch) FROM knex_migrations ORDER BY id":   {"1 1_a.js 1", "2 2_b.js 2", "3 3_c.js 2"},
			"SELECT CONCAT(`index`, ' ', is_locked) FROM knex_migrations_lock ORDER BY 1": {"1 0"},
		},
	},
	{
		name: "pointer (golang-migrate)", operations: 3,
		before: []string{
			"CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id))",
			"CREATE TABLE schema_migrations (version bigint NOT NULL, dirty boolean NOT NULL, PRIMARY KEY (version))",
			"INSERT INTO schema_migrations VALUES (1, 0)",
		},
		sources: []source{{tool: "golang-migrate", files: map[string]string{
			"1_a.up.sql": "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));",
			"2_b.up.sql": "CREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id)); ALTER TABLE a ADD COLUMN note VARCHAR(20);",
			"3_c.up.sql": "CREATE TABLE c (id BIGINT NOT NULL, PRIMARY KEY (id));",
		}}},
		want: map[string][]string{"SELECT CONCAT(version, ' ', dirty) FROM schema_migrations": {"3 0"}},
	},
	{
		name: "two sources, new database", operations: 6,
		sources: []source{pointer, log},
		want: map[string][]string{
			"SELECT CONCAT(version, ' ', dirty) FROM schema_migrations": {"2 0"},
			"SELECT version FROM dbmate_migrations ORDER BY version":    {"1", "2"},
		},
	},
}

func newShape(t *testing.T, knobs emulator.Knobs, s shape) *world {
	w := newWorld(t, knobs, s.sources...)
	for _, statement := range s.before {
		w.sql(statement)
	}
	return w
}

// knex does what knex does: it takes its lock, runs the files that its table
// does not name as one batch, and gives the lock back.
func (w *world) knex(ctx context.Context, db *sql.DB, table string) error {
	res, err := db.ExecContext(ctx, "UPDATE "+table+"_lock SET is_locked = 1 WHERE is_locked = 0")
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		return fmt.Errorf("the migration lock is held (%d rows, %v)", n, err)
	}
	var batch int
	if err := db.QueryRowContext(ctx, "SELECT COALESCE(MAX(batch), 0) + 1 FROM "+table).Scan(&batch); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "knex", "*.js"))
	if err != nil {
		return err
	}
	sort.Strings(files)
	for _, f := range files {
		var n int
		if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table+" WHERE name = ?", filepath.Base(f)).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, string(text)); err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO "+table+" (name, batch, migration_time) VALUES (?, ?, CURRENT_TIMESTAMP)", filepath.Base(f), batch); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, "UPDATE "+table+"_lock SET is_locked = 0")
	return err
}

// left says what is not as an unbroken run would have left it, once every
// password that nobody renews has run out.
func (w *world) left(s shape, digest string, deployed int) string {
	w.t.Helper()
	if problem := w.problem(deployed, nil); problem != "" {
		return problem
	}
	for query, want := range s.want {
		if got := w.query(query); !slices.Equal(got, want) {
			return fmt.Sprintf("%s: %v, want %v", query, got, want)
		}
	}
	if got := w.digest(); digest != "" && got != digest {
		return "the target has another schema than after an unbroken run"
	}
	time.Sleep(planner.PasswordTTL + time.Minute)
	passwords, err := w.api.Passwords(w.t.Context(), "main")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range passwords {
		if !p.Expired {
			return "password " + p.Name + " is left over for good"
		}
	}
	return ""
}

// digest is that of the target's schema.
func (w *world) digest() string {
	w.t.Helper()
	a := &planner.Access{API: w.api, Connect: w.connect, Branch: "main", Database: "shop", Name: "looking", Role: "reader"}
	defer a.Close(context.Background())
	db, err := a.DB(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := schema.Read(context.Background(), db, "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Digest()
}

// TestCrashMatrix has the process die, or lose an answer, at every instant of a
// run: each HTTP call, each SQL statement on the target, on the branch and
// through the gateway, each record of the journal and each child process. Then
// the same command runs again, in the same folder or in one that has no
// journal. The end is always the same: the schema and the history rows of an
// unbroken run, one deployed request, nothing left over.
func TestCrashMatrix(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			var instants []string
			digest := ""
			synctest.Test(t, func(t *testing.T) { instants, digest = unbroken(t, s) })
			count := map[string]int{}
			for _, what := range instants {
				kind, _, _ := strings.Cut(what, " ")
				count[kind]++
			}
			runs, fired := 0, 0
			for i, what := range instants {
				for _, how := range []string{diesBefore, diesAfter, answerLost} {
					for _, kept := range []bool{true, false} {
						if !chosen(60, s.name, what, i, how, kept) {
							continue
						}
						runs++
						t.Run(fmt.Sprintf("%d %s, %s, journal kept %t", i+1, strings.ReplaceAll(what, "/", "|"), how, kept), func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								if crash(t, s, digest, i+1, how, kept) {
									fired++
								}
							})
						})
					}
				}
			}
			t.Logf("%d instants (%d HTTP calls, %d SQL statements, %d records, %d children) x 3 ways x 2 journals: %d tried, %d of them reached, all converged: %t",
				len(instants), count["http"], count["sql"], count["journal"], count["child"], runs, fired, !t.Failed())
		})
	}
}

// chosen picks the part of a matrix that is tried: one case in so many, always
// the same. PMIG_TEST_SHARE=1 tries them all, which takes long.
func chosen(oneIn int, of ...any) bool {
	if n, err := strconv.Atoi(os.Getenv("PMIG_TEST_SHARE")); err == nil && n > 0 {
		oneIn = n
	}
	h := fnv.New32a()
	fmt.Fprint(h, of...)
	return h.Sum32()%uint32(oneIn) == 0
}

func unbroken(t *testing.T, s shape) (instants []string, digest string) {
	w := newShape(t, brief, s)
	p := w.process(&disk{}, 0, goesWell)
	if err := <-p.apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if problem := w.left(s, "", 1); problem != "" {
		t.Fatal(problem)
	}
	return p.seen, w.digest()
}

// crash reports whether the instant was ever reached.
func crash(t *testing.T, s shape, digest string, at int, how string, kept bool) bool {
	w := newShape(t, brief, s)
	d := &disk{}
	p := w.process(d, at, how)
	ended := p.apply(t.Context())
	var first error
	select {
	case <-p.dead:
	case first = <-ended:
	}
	if !kept {
		d = &disk{}
	}
	if err := <-w.process(d, 0, goesWell).apply(t.Context()); err != nil {
		t.Fatalf("%s (%s); the first run said: %v; the same command then fails: %v", p.what, how, first, err)
	}
	if problem := w.left(s, digest, 1); problem != "" {
		t.Fatalf("%s (%s); the first run said: %v; then: %s", p.what, how, first, problem)
	}
	if p.gone() {
		<-ended
	}
	return p.what != ""
}
