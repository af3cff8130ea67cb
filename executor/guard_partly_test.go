package executor_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planner"
)

// A deployment fails while it is running, when some of its tables are on the
// target already: the migrations of these are recorded, in order, up to the
// first that is not wholly there.
func TestPartlyLive(t *testing.T) {
	files := func(suffix, head string) map[string]string {
		return map[string]string{
			"1_a" + suffix: head + "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));",
			"2_b" + suffix: head + "CREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id));",
			"3_c" + suffix: head + "CREATE TABLE c (id BIGINT NOT NULL, PRIMARY KEY (id));",
		}
	}
	for _, tool := range []source{
		{tool: "golang-migrate", table: "schema_migrations", files: files(".up.sql", "")},
		{tool: "dbmate", table: "h", files: files(".sql", "-- migrate:up\n")},
	} {
		history := map[string]string{
			"golang-migrate": "CREATE TABLE schema_migrations (version bigint NOT NULL, dirty boolean NOT NULL, PRIMARY KEY (version))",
			"dbmate":         "CREATE TABLE h (version VARCHAR(128) NOT NULL, PRIMARY KEY (version))",
		}[tool.tool]
		for _, c := range []struct {
			name  string
			live  []string // tables
			log   []string // what is in the log then; the pointer stands at the last
			fails bool
		}{
			{"none", nil, nil, true},
			{"the first", []string{"a"}, []string{"1"}, true},
			{"the first and the last", []string{"a", "c"}, []string{"1"}, true},
			{"all but the first", []string{"b", "c"}, nil, true},
			{"all", []string{"a", "b", "c"}, []string{"1", "2", "3"}, false},
		} {
			for _, dies := range []string{"", "kept", "gone"} { // what becomes of the journal of a process that dies
				t.Run(tool.tool+", "+c.name+", "+dies, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						w := newWorld(t, brief, tool)
						w.fault(emulator.Fault{Do: emulator.FaultDeployError, Times: 1})
						cut := false
						transport := rt(func(r *http.Request) (*http.Response, error) {
							if strings.HasSuffix(r.URL.Path, "/complete-deploy") && !cut {
								cut = dies != ""
								if w.query("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'")[0] == "0" && len(c.live) > 0 {
									w.sql(history)
									for _, name := range c.live {
										w.sql("CREATE TABLE " + name + " (id BIGINT NOT NULL, PRIMARY KEY (id))")
									}
								}
							}
							if cut {
								return nil, errBroken
							}
							return w.e.Transport().RoundTrip(r)
						})
						_, err := w.run(transport, "j").Apply(t.Context())
						if dies != "" {
							folder := "j"
							if dies == "gone" {
								folder = "k"
							}
							// What comes after what was owed is another matter.
							ctx, cancel := context.WithCancel(t.Context())
							w.event = func(e executor.Event) {
								if e.Type == executor.StepStart && e.Step == planner.BranchCreate {
									cancel()
								}
							}
							_, err = w.run(w.e.Transport(), folder).Apply(ctx)
						} else if (err != nil) != c.fails {
							t.Errorf("apply: %v", err)
						}
						if err != nil {
							t.Log(err, executor.OutcomeOf(err))
						}
						if c.fails && dies == "" && len(c.log) > 0 {
							if h, ok := err.(interface{ Hint() string }); !ok || !strings.Contains(h.Hint(), "1 migration of it came through and recorded; not live: 2_b") {
								t.Errorf("hint of %v", err)
							}
						}
						want := c.log
						if tool.tool == "golang-migrate" && len(want) > 0 {
							want = want[len(want)-1:]
						}
						var got []string
						if len(c.live) > 0 {
							got = w.query("SELECT version FROM " + tool.table + " ORDER BY version")
						}
						if !slices.Equal(got, want) {
							t.Errorf("history holds %v, want %v", got, want)
						}
					})
				})
			}
		}
	}
}
