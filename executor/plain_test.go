package executor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/emulator"
)

// lags are times like those of the real service.
var lags = emulator.Knobs{BranchReady: 8 * time.Second, Diff: 5 * time.Second, Queue: 500 * time.Millisecond, Deploy: 9 * time.Second, Cutover: 2 * time.Second}

// brief are times that every wait is seen in, but few times.
var brief = emulator.Knobs{BranchReady: 300 * time.Millisecond, Diff: 300 * time.Millisecond, Queue: 100 * time.Millisecond, Deploy: 300 * time.Millisecond}

var pointer = source{tool: "golang-migrate", files: map[string]string{
	"1_a.up.sql": "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));",
	"2_b.up.sql": "CREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id)); ALTER TABLE a ADD COLUMN note VARCHAR(20);",
}}

var log = source{tool: "dbmate", table: "dbmate_migrations", files: map[string]string{
	"1_c.sql": "-- migrate:up\nCREATE TABLE c (id BIGINT NOT NULL, PRIMARY KEY (id));",
	"2_d.sql": "-- migrate:up\nCREATE TABLE d (id BIGINT NOT NULL, PRIMARY KEY (id));",
}}

// TestApplyInFreeTime is the plain path, with the lags of the real service.
func TestApplyInFreeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, lags, pointer, log)
		began := time.Now()
		calls := &breaking{next: w.e.Transport()}
		sum, err := w.run(calls, "journal").Apply(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(sum.Applied) != 4 || sum.Request != 1 {
			t.Errorf("summary: %+v", sum)
		}
		if problem := w.problem(1, map[string][]string{"schema_migrations": {"2"}, "dbmate_migrations": {"1", "2"}}); problem != "" {
			t.Error(problem)
		}
		t.Logf("%v of the platform's time, %d calls", time.Since(began).Round(time.Millisecond), calls.n)
	})
}
