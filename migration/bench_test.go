package migration_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/migration"
)

// Histories of a hundred thousand rows beside a peer that does the obvious: all
// cells of all rows into memory, and a statement for every row. Both in one run,
// so that the ratio says something on any machine:
//
//	go test -run '^$' -bench History -benchtime 1x -benchmem ./migration
//
// One iteration is the whole table. "round-trips" are packets sent, "peak-MB" is
// how much more the heap held at its highest.
const benchRows = 100_000

func BenchmarkHistoryRead(b *testing.B) {
	production, _, spec := benchTables(b)
	compete(b, production,
		func(ctx context.Context, db *sql.DB) error {
			h, err := migration.Read(ctx, db, spec)
			if err == nil && h.Len() != benchRows {
				return fmt.Errorf("read %d rows", h.Len())
			}
			return err
		},
		func(ctx context.Context, db *sql.DB) error {
			rows, err := naiveRead(ctx, db)
			if err == nil && len(rows) != benchRows {
				return fmt.Errorf("read %d rows", len(rows))
			}
			return err
		})
}

func BenchmarkHistorySeed(b *testing.B) {
	production, branch, spec := benchTables(b)
	base := read(b, production, spec)
	rows, err := naiveRead(b.Context(), production)
	if err != nil {
		b.Fatal(err)
	}
	compete(b, branch,
		func(ctx context.Context, db *sql.DB) error {
			if err := migration.Seed(ctx, db, spec, base); err != nil {
				return err
			}
			return holds(ctx, db, benchRows)
		},
		func(ctx context.Context, db *sql.DB) error {
			for _, r := range rows {
				if _, err := db.ExecContext(ctx, "INSERT INTO knex_migrations VALUES (?, ?, ?, ?)", r...); err != nil {
					return err
				}
			}
			return holds(ctx, db, benchRows)
		})
}

func BenchmarkHistorySwap(b *testing.B) {
	production, branch, spec := benchTables(b)
	base := read(b, production, spec)
	if err := migration.Seed(b.Context(), branch, spec, base); err != nil {
		b.Fatal(err)
	}
	exec(b, branch, "INSERT INTO knex_migrations (name, batch) VALUES ('new.js', 9)")
	gained, err := migration.Gained(spec, base, read(b, branch, spec))
	if err != nil {
		b.Fatal(err)
	}
	compete(b, production,
		func(ctx context.Context, db *sql.DB) error {
			if _, err := migration.Swap(ctx, db, spec, base, gained, migration.SwapOptions{}); err != nil {
				return err
			}
			return holds(ctx, db, benchRows+1)
		},
		// What is usual: delete all, insert all of the branch's.
		func(ctx context.Context, db *sql.DB) error {
			rows, err := naiveRead(ctx, branch)
			if err != nil {
				return err
			}
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			if _, err := tx.ExecContext(ctx, "DELETE FROM knex_migrations"); err != nil {
				return err
			}
			for _, r := range rows {
				if _, err := tx.ExecContext(ctx, "INSERT INTO knex_migrations VALUES (?, ?, ?, ?)", r...); err != nil {
					return err
				}
			}
			if err := tx.Commit(); err != nil {
				return err
			}
			return holds(ctx, db, benchRows+1)
		})
}

// benchTables makes production with its rows and a branch without.
func benchTables(b *testing.B) (production, branch *sql.DB, spec migration.Spec) {
	create := "CREATE TABLE knex_migrations (id int unsigned not null auto_increment primary key, name varchar(255), batch int, migration_time timestamp null)"
	production, branch = database(b), database(b)
	exec(b, production, create, fmt.Sprintf("INSERT INTO knex_migrations SELECT seq * 2, concat('20240101000000_', seq, '_add_column.js'), seq, '2024-01-01' FROM seq_1_to_%d", benchRows))
	exec(b, branch, create)
	return production, branch, migration.Spec{Tool: tool(b, "knex")}
}

// compete runs both sides, each on the table as it was.
func compete(b *testing.B, table *sql.DB, pmig, peer func(context.Context, *sql.DB) error) {
	exec(b, table, "CREATE TABLE start AS SELECT * FROM knex_migrations")
	took := map[string]time.Duration{}
	for _, side := range []struct {
		name string
		run  func(context.Context, *sql.DB) error
	}{{"pmig", pmig}, {"row-by-row", peer}} {
		b.Run(side.name, func(b *testing.B) {
			var sent atomic.Int64
			db := connect(b, name(b, table), func(c *mysql.Config) {
				c.InterpolateParams = true // as pmig connects; a round trip less for everybody
				network, address := c.Net, c.Addr
				c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
					var d net.Dialer
					conn, err := d.DialContext(ctx, network, address)
					return counted{conn, &sent}, err
				}
			})
			b.ReportAllocs()
			peak := 0.0
			for range b.N {
				b.StopTimer()
				exec(b, table, "DELETE FROM knex_migrations", "INSERT INTO knex_migrations SELECT * FROM start")
				stop := watchHeap()
				b.StartTimer()
				if err := side.run(b.Context(), db); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				peak = max(peak, stop())
				b.StartTimer()
			}
			took[side.name] = b.Elapsed() / time.Duration(b.N)
			b.ReportMetric(float64(sent.Load())/float64(b.N), "round-trips")
			b.ReportMetric(peak, "peak-MB")
			if peer := took["row-by-row"]; peer > 0 && took["pmig"] > 0 {
				b.ReportMetric(float64(peer)/float64(took["pmig"]), "x-slower")
			}
		})
	}
}

// counted counts the packets that a client sends.
type counted struct {
	net.Conn
	sent *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(p)
}

// watchHeap samples the heap until it is stopped, and then says how far it grew.
func watchHeap() (stop func() float64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	start, highest := m.HeapAlloc, m.HeapAlloc
	done, result := make(chan struct{}), make(chan float64)
	go func() {
		t := time.NewTicker(5 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				runtime.ReadMemStats(&m)
				highest = max(highest, m.HeapAlloc)
			case <-done:
				result <- float64(highest-start) / 1e6
				return
			}
		}
	}()
	return func() float64 { close(done); return <-result }
}

// naiveRead reads a table as one does who thinks of small ones.
func naiveRead(ctx context.Context, db *sql.DB) ([][]any, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM knex_migrations ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all [][]any
	for rows.Next() {
		row := make([]any, 4)
		if err := rows.Scan(&row[0], &row[1], &row[2], &row[3]); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// holds wants a number of rows in the table.
func holds(ctx context.Context, db *sql.DB, want int) error {
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM knex_migrations").Scan(&n); err != nil {
		return err
	}
	if n != want {
		return fmt.Errorf("%d rows, want %d", n, want)
	}
	return nil
}
