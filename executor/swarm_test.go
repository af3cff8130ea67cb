package executor_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/planetscale"
)

// swarmSpread is the time in which all of a swarm start, and latency how long
// the platform takes for an answer.
const (
	swarmSpread = 5 * time.Second
	latency     = 100 * time.Millisecond
)

var swarm = shape{
	name:   "swarm",
	before: []string{"CREATE TABLE h (version VARCHAR(128) NOT NULL, PRIMARY KEY (version))", "INSERT INTO h VALUES ('1')", "CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id))"},
	sources: []source{{tool: "dbmate", table: "h", files: map[string]string{
		"1_a.sql": "-- migrate:up\nCREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));",
		"2_b.sql": "-- migrate:up\nCREATE TABLE b (id BIGINT NOT NULL, PRIMARY KEY (id));",
		"3_c.sql": "-- migrate:up\nALTER TABLE a ADD COLUMN note VARCHAR(20);",
	}}},
	want: map[string][]string{"SELECT version FROM h ORDER BY version": {"1", "2", "3"}},
}

// TestSwarm starts a hundred processes at once, half of them in one folder and
// half in folders of their own that share nothing. Each change is deployed once,
// and whoever is not killed ends well.
func TestSwarm(t *testing.T) {
	for _, c := range []struct {
		name   string
		spread time.Duration
		url    bool // the target's url is known: reading the history costs no call
		old    int  // so many have the files of an older image
		killed int  // so many are killed, at any instant
	}{
		{"with a url", swarmSpread, true, 0, 0},
		{"with passwords", swarmSpread, false, 0, 0},
		{"older files", swarmSpread, true, 20, 0},
		{"older files, some killed", swarmSpread, true, 20, 10},
		{"older files, some killed, in the same instant", 0, false, 20, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			size := 100
			if testing.Short() || !chosen(2, c.name) {
				size = 25
			}
			old, killed := c.old*size/100, c.killed*size/100
			synctest.Test(t, func(t *testing.T) {
				var alone atomic.Int64
				one := newShape(t, lags, swarm)
				if err := <-one.member(&disk{}, &alone, c.url).apply(t.Context()); err != nil {
					t.Fatal(err)
				}
				w := newShape(t, lags, swarm)
				calls := w.swarm(t, size, c.spread, c.url, old, killed)
				t.Logf("%d processes: %d calls; one alone makes %d", size, calls, alone.Load())
				most := alone.Load()*3/2 + 2*int64(size-1)
				if c.url && c.old+c.killed == 0 && calls > most {
					t.Errorf("more than the %d calls that are the goal", most)
				}
			})
		})
	}
}

// swarm runs them all and gives the number of calls.
func (w *world) swarm(t *testing.T, size int, spread time.Duration, url bool, old, killed int) int64 {
	var calls atomic.Int64
	older := newWorldOn(w, source{tool: "dbmate", files: map[string]string{"1_a.sql": swarm.sources[0].files["1_a.sql"], "2_b.sql": swarm.sources[0].files["2_b.sql"]}})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	shared := &disk{}
	var all sync.WaitGroup
	for i := range size {
		folder, files := shared, w
		if i%2 == 1 {
			folder = &disk{}
		}
		if i < old {
			files = older
		}
		p := files.member(folder, &calls, url)
		start, death := time.Duration(random.Int64N(int64(spread)+1)), time.Duration(0)
		if i >= size-killed {
			death = time.Duration(random.Int64N(int64(time.Minute)))
		}
		all.Go(func() {
			time.Sleep(start)
			ended := p.apply(t.Context())
			if death > 0 {
				time.AfterFunc(death, p.die)
			}
			if err := <-ended; err != nil && !p.gone() {
				t.Errorf("process %d: %v", i, err)
			}
		})
	}
	all.Wait()
	total := calls.Load()
	w.once(t)
	for query, want := range swarm.want {
		if got := w.query(query); len(got) != len(want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	return total
}

// once wants each table's change to be deployed by one request, and nothing to
// be left over but what a killed process could not take away.
func (w *world) once(t *testing.T) {
	requests, err := w.api.DeployRequests(context.Background(), planetscale.DeployRequestFilter{})
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, q := range requests {
		switch {
		case q.DeploymentState.Live():
			ops, err := w.api.Operations(context.Background(), q.Number)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range ops {
				if by[o.TableName] > 0 {
					t.Errorf("%s was deployed by #%d and by #%d", o.TableName, by[o.TableName], q.Number)
				}
				by[o.TableName] = q.Number
			}
		case q.State == planetscale.RequestOpen:
			t.Errorf("deploy request #%d is left open, %s", q.Number, q.DeploymentState)
		}
	}
	if len(by) != 2 {
		t.Errorf("deployed: %v", by)
	}
	branches, err := w.api.Branches(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(branches) != 1 {
		t.Errorf("%d branches are left", len(branches)-1)
	}
}

// member makes a process of the swarm.
func (w *world) member(d *disk, calls *atomic.Int64, url bool) *process {
	p := w.process(d, 0, goesWell)
	p.late, p.calls = latency, calls
	if url {
		var err error
		if p.url, err = w.api.CreatePassword(context.Background(), "main", planetscale.NewPassword{Name: "of the configuration", Role: "readwriter"}); err != nil {
			w.t.Fatal(err)
		}
	}
	return p
}
