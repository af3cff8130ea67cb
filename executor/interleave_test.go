package executor_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	schedules = flag.Int("protocol.schedules", 12, "schedules of each bound that TestInterruptions plays, 0: all")
	off       = flag.String("protocol.without", "", "rules that are off, with commas between them: what goes wrong then?")
	seed      = flag.Uint64("protocol.seed", 1, "which ones")
)

// worlds are where two processes can begin, and what files they have.
var worlds = []scenario{
	{start: "clean", newest: []int{1, 1}},
	{start: "clean", newest: []int{1, 2}},
	{start: "clean", newest: []int{2, 1}},
	{start: "window", newest: []int{2, 2}},
	{start: "dead", newest: []int{1, 1}},
	{start: "dead", newest: []int{1, 2}},
	{start: "parked", newest: []int{1, 1}},
	{start: "parked", newest: []int{1, 2}},
	{start: "other", newest: []int{1, 0}},
}

// interruptions are what can happen to a process at a point.
var interruptions = []event{
	{do: stop, pause: time.Minute}, {do: stop, pause: 7 * time.Minute}, {do: stop, till: at(1, never)}, {do: slow, pause: 7 * time.Minute},
	{do: die}, {do: gone}, {do: lost}, {do: cut, pause: 8 * time.Minute}, {do: late, pause: 10 * time.Minute}, {do: stale},
	{do: people, act: approve}, {do: people, act: closes}, {do: people, act: cancels}, {do: people, act: deploys}, {do: people, act: reverts},
	{do: people, act: deleteBranch}, {do: people, act: opens}, {do: people, act: ends},
}

// once are the schedules with one interruption: each at every point that the
// processes of a world come to.
func once(c scenario, points []int) []scenario {
	var out []scenario
	for who := range c.newest {
		for n := range points[who] {
			for _, e := range interruptions {
				e.who, e.spot = who, spot{at: n + 1}
				c.plan = []event{e}
				out = append(out, c)
			}
		}
	}
	return out
}

// twice are the schedules with two: the first process stops at a point, the
// second begins when the first one's heartbeat has run out and comes to a point
// of its own, where the first wakes up, and then goes on, dies, or stops until
// the first has come to its end or lost the lead.
func twice(c scenario, points []int) []scenario {
	var out []scenario
	for i := range points[0] {
		for j := range points[0] + 20 {
			here := spot{at: j + 1}
			for _, then := range []event{{do: people}, {do: die}, {do: stop, pause: 30 * time.Second}, {do: stop, till: at(1, never)}} {
				then.who, then.spot = 1, here
				c.plan = []event{later(1), until(0, spot{at: i + 1}, here), then}
				if then.do == people {
					c.plan = c.plan[:2]
				}
				out = append(out, c)
			}
		}
	}
	return out
}

// TestInterruptions plays every schedule of a bound, or as many as it is asked
// to, from every world.
func TestInterruptions(t *testing.T) {
	var all [2][]scenario
	for _, c := range worlds {
		if *off != "" {
			c.without = strings.Split(*off, ",")
		}
		problem, points, trace := play(t, c)
		if problem != "" {
			t.Fatalf("%s\n%s\n%s", problem, c, strings.Join(trace, "\n"))
		}
		all[0] = append(all[0], once(c, points)...)
		if c.start == "clean" {
			all[1] = append(all[1], twice(c, points)...)
		}
	}
	for i, name := range []string{"once", "twice"} {
		some := all[i]
		if n := *schedules; n > 0 && n < len(some) {
			rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			some = some[:n]
		}
		t.Logf("%s: %d of %d schedules", name, len(some), len(all[i]))
		for n, c := range some {
			t.Run(fmt.Sprintf("%s/%d", name, n), func(t *testing.T) {
				t.Parallel()
				if problem, _, trace := play(t, c); problem != "" {
					t.Errorf("%s\n%s\n%s", problem, c, strings.Join(trace, "\n"))
				}
			})
		}
	}
}

// found are schedules that once went wrong.
var found = []scenario{
	{start: "clean", newest: []int{1, 1}, plan: []event{{spot: spot{at: 2}, do: stop, pause: 7 * time.Minute}}},
	{start: "clean", newest: []int{1, 1}, plan: []event{later(1), until(0, at(1, hold), past(hold))}},
	{start: "clean", newest: []int{1, 1}, plan: []event{later(1), until(0, at(3, "^GET /branches/pmig"), past(hold))}},
	{start: "parked", newest: []int{1, 1}, plan: []event{{who: 1, spot: at(1, hold), do: stop, pause: time.Minute}}},
	{start: "clean", newest: []int{1, 1}, plan: []event{{spot: past(deploy), do: stop, pause: 7 * time.Minute}}},
	{start: "dead", newest: []int{1, 2}, plan: []event{{who: 1, spot: past(open), do: stop, pause: 7 * time.Minute}}},
}

func TestFoundSchedules(t *testing.T) {
	for i, c := range found {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if problem, _, trace := play(t, c); problem != "" {
				t.Errorf("%s\n%s\n%s", problem, c, strings.Join(trace, "\n"))
			}
		})
	}
}

// TestSchedules draws long ones: two or three processes, any order, several
// interruptions.
func TestSchedules(t *testing.T) {
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		was := flag.Lookup("rapid.checks").Value.String()
		flag.Set("rapid.checks", "5")
		defer flag.Set("rapid.checks", was)
	}
	rapid.Check(t, func(r *rapid.T) {
		c := scenario{start: rapid.SampledFrom([]string{"clean", "window", "dead", "parked", "other"}).Draw(r, "start")}
		c.newest = rapid.SliceOfN(rapid.IntRange(1, 2), 2, 3).Draw(r, "files")
		if c.start == "window" {
			c.newest[0] = 2
		}
		c.order = rapid.SliceOfN(rapid.IntRange(0, 5), 0, 12).Draw(r, "order")
		for range rapid.IntRange(1, 5).Draw(r, "events") {
			e := rapid.SampledFrom(interruptions).Draw(r, "event")
			e.who = rapid.IntRange(0, len(c.newest)-1).Draw(r, "who")
			e.spot = spot{at: rapid.IntRange(1, 90).Draw(r, "at")}
			if e.do == stop {
				e.till = spot{at: rapid.IntRange(0, 90).Draw(r, "till")}
			}
			c.plan = append(c.plan, e)
		}
		if problem, _, trace := play(t, c); problem != "" {
			r.Fatalf("%s\n%s\n%s", problem, c, strings.Join(trace, "\n"))
		}
	})
}
