package executor_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	explore = flag.String("protocol.explore", "", "")
	without = flag.String("protocol.without", "", "")
	workers = flag.Int("protocol.workers", 1, "")
	stride  = flag.Int("protocol.stride", 1, "")
)

func many(t *testing.T, cs []scenario) {
	var n, bad atomic.Int64
	next := make(chan scenario)
	var wg sync.WaitGroup
	began := time.Now()
	var mu sync.Mutex
	out, _ := os.Create("/tmp/wt/bad-" + strings.ReplaceAll(*explore+*without, " ", "_") + ".log")
	for range *workers {
		wg.Go(func() {
			for c := range next {
				problem, _, trace := play(t, c)
				if n.Add(1)%10 == 0 {
					fmt.Fprintf(os.Stderr, "%d of %d, %d bad, %v\n", n.Load(), len(cs), bad.Load(), time.Since(began).Round(time.Second))
				}
				if problem != "" {
					bad.Add(1)
					fmt.Fprintf(os.Stderr, "BAD %s\n    %s\n", problem, c)
					mu.Lock()
					fmt.Fprintf(out, "=== %s\n%s\n%s\n\n", problem, c, strings.Join(trace, "\n"))
					mu.Unlock()
				}
			}
		})
	}
	for _, c := range cs {
		next <- c
	}
	close(next)
	wg.Wait()
	t.Logf("%d schedules, %d bad, %v", n.Load(), bad.Load(), time.Since(began))
}

func TestExplore(t *testing.T) {
	if *explore == "" {
		t.Skip()
	}
	var off []string
	if *without != "" {
		off = strings.Split(*without, ",")
	}
	start, rest, _ := strings.Cut(*explore, " ")
	var files []int
	for _, f := range strings.Split(strings.Fields(rest)[0], ",") {
		var n int
		fmt.Sscan(f, &n)
		files = append(files, n)
	}
	kinds := strings.Fields(rest)[1:]
	base := scenario{start: start, newest: files, without: off}
	_, points, _ := play(t, base)
	fmt.Fprintln(os.Stderr, base, points)
	var cs []scenario
	for _, kind := range kinds {
		for who := range files {
			for at := 1; at <= points[who]; at += *stride {
				c := base
				switch kind {
				case "stop7":
					c.plan = []event{{who: who, spot: spot{at: at}, do: stop, pause: 7 * time.Minute}}
				case "stop20":
					c.plan = []event{{who: who, spot: spot{at: at}, do: stop, pause: 40 * time.Minute}}
				case "stop1":
					c.plan = []event{{who: who, spot: spot{at: at}, do: stop, pause: time.Minute}}
				case "slow7":
					c.plan = []event{{who: who, spot: spot{at: at}, do: slow, pause: 7 * time.Minute}}
				case "stale":
					c.plan = []event{{who: who, spot: spot{at: at}, do: stale}}
				case "jump":
					c.plan = []event{{who: who, spot: spot{at: at}, do: jump, pause: 6 * time.Minute}}
				case "die", "gone", "lost":
					c.plan = []event{{who: who, spot: spot{at: at}, do: action(kind)}}
				case "late":
					c.plan = []event{{who: who, spot: spot{at: at}, do: late, pause: 10 * time.Minute}}
				case "cut":
					c.plan = []event{{who: who, spot: spot{at: at}, do: cut, pause: 8 * time.Minute}}
				default:
					c.plan = []event{{who: who, spot: spot{at: at}, do: people, act: deed(strings.ReplaceAll(kind, "_", " "))}}
				}
				cs = append(cs, c)
			}
		}
	}
	many(t, cs)
}
