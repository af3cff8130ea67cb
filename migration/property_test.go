package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"pgregory.net/rapid"

	"github.com/pmig/pmig/migration"
)

// act is what another writer does to production, in one statement.
type act struct {
	sql   string
	apply func(rows map[string]string)
	clash bool // the swap must refuse if it finds this done
}

// Another writer acts before the swap, while it holds its locks, and after it.
// Whatever the interleaving: either the swap is refused and the table holds what
// the writer made of it, or it holds the writer's rows and all of ours, once.
func TestSwapWithTwoWriters(t *testing.T) {
	for _, shape := range []struct{ name, tool, create, insert, query string }{
		{"numbered log", "laravel", fixtureOf(t, "laravel").create[0], "INSERT INTO migrations (migration, batch) VALUES ",
			"SELECT migration, batch FROM migrations ORDER BY migration, batch"},
		{"keyed log", "custom", "CREATE TABLE migrations (migration varchar(50) primary key, batch int)", "INSERT INTO migrations (migration, batch) VALUES ",
			"SELECT migration, batch FROM migrations ORDER BY migration, batch"},
	} {
		t.Run(shape.name, func(t *testing.T) {
			production, other, branch := database(t), (*sql.DB)(nil), database(t)
			other = connect(t, name(t, production))
			spec := migration.Spec{Tool: tool(t, shape.tool), Table: "migrations"}
			if shape.tool == "custom" {
				spec.Custom = &migration.Custom{Key: []string{"migration"}, File: "^.*$"}
			}
			exec(t, production, shape.create)
			exec(t, branch, shape.create)
			outcomes := map[string]int{}
			rapid.Check(t, func(rt *rapid.T) {
				exec(t, production, "DELETE FROM migrations")
				exec(t, branch, "DELETE FROM migrations")
				model := map[string]string{}
				for i := range rapid.IntRange(0, 4).Draw(rt, "base rows") {
					key := fmt.Sprintf("b%d", i)
					model[key] = "1"
					exec(t, production, shape.insert+"('"+key+"', 1)")
				}
				base := read(t, production, spec)
				if err := migration.Seed(t.Context(), branch, spec, base); err != nil {
					rt.Fatal(err)
				}
				ours := rapid.IntRange(1, 3).Draw(rt, "our rows")
				for i := range ours {
					exec(t, branch, fmt.Sprintf("%s('o%d', 2)", shape.insert, i))
				}
				gained, err := migration.Gained(spec, base, read(t, branch, spec))
				if err != nil {
					rt.Fatal(err)
				}

				draw := acts(rt, shape.insert, base.Len(), ours)
				clash := false
				for range rapid.IntRange(0, 3).Draw(rt, "acts before") {
					a := draw()
					if done(t, other, a) {
						a.apply(model)
						clash = clash || a.clash
					}
				}
				during, after := draw(), draw()
				waiting := make(chan bool, 1)
				stop := rapid.Bool().Draw(rt, "confirm refuses")
				refusal := errors.New("refused")
				result, err := migration.Swap(t.Context(), production, spec, base, gained, migration.SwapOptions{Confirm: func(context.Context) error {
					go func() { waiting <- done(t, other, during) }()
					if stop {
						return refusal
					}
					return nil
				}})
				var drift *migration.DriftError
				switch {
				case clash != errors.As(err, &drift):
					rt.Fatalf("clash %v, got %v", clash, err)
				case clash:
					outcomes["refused"]++
				case err == nil:
					outcomes["written"]++
					for i := range ours {
						model[fmt.Sprintf("o%d", i)] = "2"
					}
					if result.Written+result.AlreadyThere != ours {
						rt.Fatalf("%+v of %d rows", result, ours)
					}
				case err != refusal:
					rt.Fatal(err)
				default:
					outcomes["not confirmed"]++
				}
				if !clash && (err != nil || result.Written > 0) {
					select {
					case did := <-waiting:
						if did {
							during.apply(model)
						}
					case <-time.After(30 * time.Second):
						rt.Fatal("the caller was not asked to confirm")
					}
				}
				if done(t, other, after) {
					after.apply(model)
				}
				if got, want := table(t, production, shape.query), flat(model); !slices.Equal(got, want) {
					rt.Fatalf("rows %v, want %v", got, want)
				}
			})
			t.Log(outcomes)
			if outcomes["refused"] == 0 || outcomes["written"] == 0 || outcomes["not confirmed"] == 0 {
				t.Errorf("outcomes that never came up: %v", outcomes)
			}
		})
	}
}

// acts draws what the other writer may do.
func acts(rt *rapid.T, insert string, base, ours int) func() act {
	n := 0
	return func() act {
		n++
		kind := rapid.IntRange(0, 9).Draw(rt, "act")
		i := rapid.IntRange(0, 3).Draw(rt, "row")
		key := fmt.Sprintf("b%d", i)
		switch {
		case kind == 0 && i < base:
			return act{"DELETE FROM migrations WHERE migration = '" + key + "'", func(m map[string]string) { delete(m, key) }, true}
		case kind == 1 && i < base:
			return act{"UPDATE migrations SET batch = 9 WHERE migration = '" + key + "'", func(m map[string]string) { m[key] = "9" }, true}
		case kind <= 4 && i < ours:
			key, batch := fmt.Sprintf("o%d", i), strconv.Itoa(2+kind%2) // ours as it is, or with another batch
			return act{
				"INSERT INTO migrations (migration, batch) SELECT '" + key + "', " + batch + " FROM (SELECT 1) one" +
					" WHERE NOT EXISTS (SELECT 1 FROM (SELECT migration FROM migrations) all_rows WHERE migration = '" + key + "')",
				func(m map[string]string) { m[key] = batch }, batch != "2"}
		}
		key = fmt.Sprintf("x%d", n)
		return act{insert + "('" + key + "', 5)", func(m map[string]string) { m[key] = "5" }, false}
	}
}

// done carries an act out, again after a deadlock, and reports whether it
// changed anything.
func done(t testing.TB, db *sql.DB, a act) bool {
	for {
		result, err := db.Exec(a.sql)
		var m *mysql.MySQLError
		if errors.As(err, &m) && (m.Number == 1213 || m.Number == 1205) {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", a.sql, err)
			return false
		}
		n, err := result.RowsAffected()
		return err == nil && n > 0
	}
}

func flat(m map[string]string) []string {
	var rows []string
	for k, v := range m {
		rows = append(rows, strings.Join([]string{k, v}, " "))
	}
	slices.Sort(rows)
	return rows
}

// A pointer under two writers only ever goes forward, and ends at the furthest
// version that anybody wrote.
func TestPointerWithTwoWriters(t *testing.T) {
	f := fixtureOf(t, "golang-migrate")
	spec := f.spec(t)
	production, branch := database(t), database(t)
	exec(t, production, f.create...)
	exec(t, branch, f.create...)
	rapid.Check(t, func(rt *rapid.T) {
		exec(t, production, "DELETE FROM schema_migrations")
		exec(t, branch, "DELETE FROM schema_migrations")
		version := func(label string, from int) int { return rapid.IntRange(from, from+8).Draw(rt, label) }
		at := version("start", 0)
		if at > 0 {
			exec(t, production, fmt.Sprintf("INSERT INTO schema_migrations VALUES (%d, 0)", at))
		}
		base := read(t, production, spec)
		to := version("ours", at+1)
		exec(t, branch, fmt.Sprintf("INSERT INTO schema_migrations VALUES (%d, 0)", to))
		gained, err := migration.Gained(spec, base, read(t, branch, spec))
		if err != nil {
			rt.Fatal(err)
		}
		other := version("other", at)
		if other > at {
			exec(t, production, "DELETE FROM schema_migrations", fmt.Sprintf("INSERT INTO schema_migrations VALUES (%d, 0)", other))
		}
		for range 2 {
			swap(t, production, spec, base, gained, migration.SwapOptions{})
			if got, want := table(t, production, f.query), []string{fmt.Sprintf("%d 0", max(to, other))}; !slices.Equal(got, want) {
				rt.Fatalf("pointer %v, want %v", got, want)
			}
		}
	})
}
