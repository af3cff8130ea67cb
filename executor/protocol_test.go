package executor_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/migration"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// migrations are the files that there can be. A table and its first migration
// are on the target from the beginning.
var migrations = []struct{ name, sql, effect string }{
	{"0_a.sql", "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id))", "a.id"},
	{"1_b.sql", "ALTER TABLE a ADD COLUMN b INT", "a.b"},
	{"2_c.sql", "CREATE TABLE c (id BIGINT NOT NULL, PRIMARY KEY (id))", "c.id"},
	{"3_d.sql", "ALTER TABLE a ADD COLUMN d INT", "a.d"},
}

// scenario is what the processes find and what happens to them.
type scenario struct {
	start   string        // clean, window, dead, parked, other: see begin
	newest  []int         // per process: the newest file that it has
	plan    []event       // what happens
	order   []int         // who goes next, over and over; nil: who went least lately
	without []string      // rules that are off
	deploy  time.Duration // that deployments take; 0: two seconds
	window  time.Duration // in which they can be reverted
}

func (c scenario) String() string {
	return fmt.Sprintf("start %s, files %v, order %v, without %v, plan %v", c.start, c.newest, c.order, c.without, c.plan)
}

// knobs of the model: everything takes some time, so that everything can be
// seen under way.
func (c scenario) knobs() emulator.Knobs {
	k := emulator.Knobs{BranchReady: 2 * time.Second, Diff: time.Second, Queue: time.Second, Deploy: 2 * time.Second, Revert: 2 * time.Second, Cancel: time.Second}
	if c.deploy > 0 {
		k.Deploy = c.deploy
	}
	if k.RevertWindow = c.window; c.start == "window" {
		k.RevertWindow = 30 * time.Minute
	}
	return k
}

// play runs a scenario and says what is wrong at its end, "" if nothing is, and
// how many points each process came to.
func play(t *testing.T, c scenario) (problem string, points []int, trace []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := c.begin(t)
		switch {
		case !s.play():
			problem = "it does not end"
			for _, p := range s.procs {
				p.kill()
			}
			s.plan = nil
			s.play()
		default:
			problem = s.verdict(c)
		}
		for _, p := range s.procs {
			points = append(points, len(p.calls))
			trace = append(trace, fmt.Sprintf("%s: %v", p.name, p.err))
		}
		trace = append(s.trace, trace...)
	})
	return problem, points, trace
}

// begin sets the stage.
func (c scenario) begin(t *testing.T) *stage {
	engine, err := emulator.NewMemory("")
	if err != nil {
		t.Fatal(err)
	}
	e, err := emulator.New(t.Context(), emulator.Options{Organization: "acme", Databases: []string{"shop"}, Engine: engine, Knobs: c.knobs(), VitessLimits: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, e: e, dir: t.TempDir()}
	w.api = w.client(e.Transport()).DB("acme", "shop")
	w.sql(migrations[0].sql + "; CREATE TABLE h (version VARCHAR(128) NOT NULL, PRIMARY KEY (version)); INSERT INTO h VALUES ('0')")
	s := &stage{w: w, bell: make(chan struct{}, 1)}
	s.check = func() { s.note(s.ahead()) }
	if len(c.order) > 0 {
		i := 0
		s.pick = func(ready []*arrival) int { i++; return c.order[i%len(c.order)] % len(ready) }
	}
	switch c.start {
	case "window": // a previous request can still be reverted
		s.before(w.with("h", 1), nil)
	case "dead": // a process died while it was migrating
		s.before(w.with("h", 1), []event{{spot: spot{call: "POST /deploy-requests$", at: 1}, do: die}})
	case "other": // another configuration has a table and a history of its own
		w.sql("CREATE TABLE x (id BIGINT NOT NULL, PRIMARY KEY (id)); CREATE TABLE z (version VARCHAR(128) NOT NULL, PRIMARY KEY (version)); INSERT INTO z VALUES ('0')")
	case "parked": // an approved request waits
		s.before(c.with(w, 1), nil)
		s.w.person(approve)
	}
	for i, newest := range c.newest {
		v := c.with(w, newest)
		if c.start == "other" && i == len(c.newest)-1 {
			v = w.with("z", 0)
		}
		s.add(v, fmt.Sprintf("p%d", i), nil, c.without...)
	}
	s.plan, s.without = slices.Clone(c.plan), c.without
	return s
}

// before lets one process run alone, before everything.
func (s *stage) before(v *world, plan []event) {
	s.plan = plan
	s.add(v, "earlier", nil)
	s.play()
	s.procs, s.trace = nil, nil
}

// with is the world as a process sees it whose newest file is the n-th. The
// table z is another configuration's, which has one migration.
func (w *world) with(table string, n int) *world {
	v := *w
	v.dir = w.t.TempDir()
	v.db = &config.Database{
		Label: "shop", Name: "shop", Target: config.Branch{Label: "main", Name: "main"},
		Working: config.Branch{Label: "migrator", Name: "migrator", Parent: "main"},
		Deploy:  config.DefaultDeploy(), Policy: config.DefaultPolicy(),
	}
	tool, _ := migration.Lookup("dbmate")
	v.db.Sources = []*config.Source{{Name: "dbmate", Tool: tool, Path: filepath.Join(v.dir, "dbmate"), RelPath: "dbmate", Dir: v.dir, Keyspace: "shop", On: config.OnBranch,
		Histories: []migration.Spec{{Tool: tool, Database: "shop", Table: table}}}}
	if table == "z" {
		v.write("dbmate/0_x.sql", "-- migrate:up\nCREATE TABLE x (id BIGINT NOT NULL, PRIMARY KEY (id));")
		v.write("dbmate/1_y.sql", "-- migrate:up\nCREATE TABLE y (id BIGINT NOT NULL, PRIMARY KEY (id));")
		return &v
	}
	for _, m := range migrations[:n+1] {
		v.write("dbmate/"+m.name, "-- migrate:up\n"+m.sql+";")
	}
	return &v
}

// with is the world of a process that is not another configuration's.
func (c scenario) with(w *world, newest int) *world {
	v := w.with("h", newest)
	if c.start == "parked" {
		v.db.Deploy.Approval = "require"
	}
	return v
}

// note remembers what is wrong.
func (s *stage) note(problem string) {
	if problem != "" && !strings.Contains(s.wrong, problem) {
		s.wrong += problem + "\n"
		s.trace = append(s.trace, "!!! "+problem)
	}
}

// column reads a column of the target past every rule.
func (w *world) column(statement string) []string {
	r, err := w.e.SQL(context.Background(), "acme", "shop", "main", statement)
	if err != nil {
		w.t.Error(err)
		return nil
	}
	var out []string
	for _, row := range r.Rows {
		out = append(out, *row[0])
	}
	return out
}

func (w *world) columns() []string {
	return w.column("SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns WHERE table_schema = 'shop' ORDER BY 1")
}

// ahead is I2: the history holds a migration whose schema is not live.
func (s *stage) ahead() string {
	live := s.w.columns()
	for _, version := range s.w.column("SELECT version FROM h") {
		for _, m := range migrations {
			if strings.HasPrefix(m.name, version+"_") && !slices.Contains(live, m.effect) {
				return "I2: the history has " + m.name + ", whose schema is not live"
			}
		}
	}
	return ""
}

// verdict is what is wrong once everything has ended: how the processes ended,
// and what one more plain apply, on a machine of its own, finds and leaves.
func (s *stage) verdict(c scenario) string {
	asked := slices.ContainsFunc(c.plan, func(e event) bool { return e.do == people })
	for i, p := range s.procs {
		// Older files wait for what a newer one has begun, also if that has died.
		others := slices.ContainsFunc(s.procs, func(p *player) bool { return p.faulted })
		waits := others && executor.OutcomeOf(p.err) == executor.Busy && c.newest[i] < slices.Max(c.newest)
		// So does a branch whose maker has left neither password nor request on it.
		waits = waits || others && strings.Contains(fmt.Sprint(p.err), "nothing shows that pmig made it")
		if p.err != nil && !p.dead && !waits && !p.faulted && !asked && (c.start != "parked" || executor.OutcomeOf(p.err) != executor.Person) {
			s.note(fmt.Sprintf("I9: %s was not touched and ended with %v", p.name, p.err))
		}
	}
	newest := slices.Max(c.newest)
	s.plan = nil
	last := c.with(s.w, newest)
	err := s.apply(last, "last")
	if asked && executor.OutcomeOf(err) == executor.Busy { // for a person's own request, which no configuration touches
		s.w.person(closes)
		err = s.apply(last, "closed")
	}
	if asked && executor.OutcomeOf(err) == executor.Refused {
		if strings.Contains(err.Error(), "still says that its migrations are applied") {
			return s.wrong // a person's revert, which pmig revert ends
		}
		last.acknowledge()
		err = s.apply(last, "acknowledged")
	}
	for try := 0; try < 4 && executor.OutcomeOf(err) == executor.Person; try++ {
		if try%2 == 1 { // what has been approved comes first
			s.apply(c.with(s.w, 1), "of the approved")
		}
		s.w.person(approve)
		err = s.apply(last, "approved")
	}
	if err != nil {
		s.note(fmt.Sprintf("I5: one more apply: %v", err))
		return s.wrong
	}
	want, live := []string{}, []string{"h.version"}
	for i, m := range migrations[:newest+1] {
		want, live = append(want, fmt.Sprint(i)), append(live, m.effect)
	}
	if c.start == "other" {
		other := s.w.with("z", 0)
		if asked {
			other.acknowledge()
		}
		if err := s.apply(other, "last of the other"); err != nil {
			s.note(fmt.Sprintf("I5: one more apply of the other configuration: %v", err))
		}
		live = append(live, "x.id", "y.id", "z.version")
		if got := s.w.column("SELECT version FROM z"); !slices.Equal(got, []string{"0", "1"}) {
			s.note(fmt.Sprintf("I1: the other history holds %v", got))
		}
	}
	if got := s.w.column("SELECT version FROM h ORDER BY version"); !slices.Equal(got, want) {
		s.note(fmt.Sprintf("I1: the history holds %v, want %v", got, want))
	}
	slices.Sort(live)
	if got := s.w.columns(); !slices.Equal(got, live) {
		s.note(fmt.Sprintf("I4: the schema has %v, want %v", got, live))
	}
	s.note(s.ahead())
	if !slices.ContainsFunc(c.plan, func(e event) bool { return e.act == undo }) {
		s.note(s.deployments())
	}
	s.note(s.left(c))
	return s.wrong
}

// acknowledge says yes to what a person has stopped.
func (w *world) acknowledge() {
	for _, code := range []string{planner.CodeStopped, planner.CodeReverted, planner.CodeDeployFailed} {
		w.db.Acknowledged = append(w.db.Acknowledged, config.Acknowledged{Code: code, Reason: "test"})
	}
}

// apply is a process that nothing happens to.
func (s *stage) apply(v *world, name string) error {
	p := s.add(v, name, nil, s.without...)
	p.alone = true
	if !s.play() {
		s.note("I5: " + name + " does not end")
		p.kill()
		s.play()
	}
	return p.err
}

// deployments is I3: how often a migration was begun to be deployed, but for
// those that people ended.
func (s *stage) deployments() string {
	begun := map[string][]string{}
	requests, err := s.w.api.DeployRequests(context.Background(), planetscale.DeployRequestFilter{})
	if err != nil {
		return err.Error()
	}
	queued := map[string]int{}
	for _, e := range s.w.e.Log() {
		if e.Kind == emulator.EventDeployRequest && e.State == planetscale.StateQueued {
			queued[e.Subject]++
		}
	}
	for _, q := range requests {
		stamp, err := planner.ParseStamp(q.Notes)
		if err != nil || stamp == nil || queued[fmt.Sprintf("#%d", q.Number)] == 0 {
			continue
		}
		switch q.DeploymentState {
		case planetscale.StateCompleteCancel, planetscale.StateCancelled, planetscale.StateCompleteRevert:
			continue
		case planetscale.StateCompleteError, planetscale.StateError:
			return fmt.Sprintf("I3: deploy request #%d ended as %s", q.Number, q.DeploymentState)
		}
		for _, h := range stamp.Histories {
			for key := range h.Migrations {
				key = h.Table + " " + key
				begun[key] = append(begun[key], fmt.Sprintf("#%d", q.Number))
				if len(begun[key]) > 1 {
					return fmt.Sprintf("I3: migration %s was deployed by %v", key, begun[key])
				}
			}
		}
	}
	return ""
}

// left is I6. What a killed process made after all others had ended is left
// until there is something to do again; then nothing may be left.
func (s *stage) left(c scenario) string {
	if what := s.leftover(); what == "" {
		return ""
	}
	s.w.e.SetKnobs(emulator.Knobs{})
	time.Sleep(time.Hour) // all windows are closed, all heartbeats run out
	last := s.w.with("h", len(migrations)-1)
	if err := s.apply(last, "a later one"); err != nil {
		return fmt.Sprintf("I5: a later apply: %v", err)
	}
	return s.leftover()
}

func (s *stage) leftover() string {
	ctx := context.Background()
	branches, err := s.w.api.Branches(ctx)
	if err != nil {
		return err.Error()
	}
	for _, b := range branches {
		if b.Name != "main" {
			return "I6: branch " + b.Name + " is left"
		}
	}
	requests, err := s.w.api.DeployRequests(ctx, planetscale.DeployRequestFilter{})
	if err != nil {
		return err.Error()
	}
	for _, q := range requests {
		if q.State == planetscale.RequestOpen && !q.DeploymentState.Live() {
			return fmt.Sprintf("I6: deploy request #%d is left, %s", q.Number, q.DeploymentState)
		}
	}
	return ""
}
