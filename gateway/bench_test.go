package gateway_test

import (
	"database/sql"
	"slices"
	"testing"
	"time"
)

// BenchmarkAddedTime measures statements through the gateway beside a direct
// connection to the same server, in turns, so that both meet the same machine.
// The metric "added-µs" is the difference of the medians.
func BenchmarkAddedTime(b *testing.B) {
	branch := newBranch(b, nil)
	through := branch.open("")
	for _, db := range []*sql.DB{branch.direct, through} {
		db.SetMaxOpenConns(1)
	}
	for _, c := range []struct {
		name, sql string
		args      []any
	}{
		{"select", "SELECT 1", nil},
		{"read", "SELECT u.id, u.name FROM users u LEFT JOIN migrations m ON m.id = u.id WHERE u.id > 5 ORDER BY u.name LIMIT 10", nil},
		{"insert", "INSERT INTO migrations (name) VALUES ('20260102030405_create_users.sql')", nil},
		{"prepared", "UPDATE users SET name = ? WHERE id = ?", []any{"Ada", 1}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var direct, gated []time.Duration
			once := func(db *sql.DB) time.Duration {
				started := time.Now()
				if _, err := db.Exec(c.sql, c.args...); err != nil {
					b.Fatal(err)
				}
				return time.Since(started)
			}
			for b.Loop() {
				direct = append(direct, once(branch.direct))
				gated = append(gated, once(through))
			}
			b.ReportMetric(float64(median(direct).Nanoseconds())/1000, "direct-µs")
			b.ReportMetric(float64((median(gated)-median(direct)).Nanoseconds())/1000, "added-µs")
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
