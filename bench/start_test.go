package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// startBudget is how long the shipped pmig may take to start and say its version, at the median.
const startBudget = 15 * time.Millisecond

// BenchmarkStart starts pmig, and by turns the commands of other migration tools where PMIG_TEST_TOOLS has them, and gives
// the median of each and their ratio. It wants a machine that does nothing else.
func BenchmarkStart(b *testing.B) {
	const runs = 41
	pmig := shipped(b, "pmig")
	commands := map[string][]string{"pmig": {pmig, "version"}}
	for name, flag := range map[string]string{"goose": "-version", "migrate": "-version"} {
		if tool := filepath.Join(os.Getenv("PMIG_TEST_TOOLS"), "bin", name); os.Getenv("PMIG_TEST_TOOLS") != "" {
			commands[name] = []string{tool, flag}
		}
	}
	for range b.N {
		took := map[string][]time.Duration{}
		for range runs {
			for name, c := range commands {
				began := time.Now()
				if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
					b.Fatalf("%s: %v\n%s", name, err, out)
				}
				took[name] = append(took[name], time.Since(began))
			}
		}
		median := map[string]time.Duration{}
		for name, all := range took {
			slices.Sort(all)
			median[name] = all[len(all)/2]
			b.ReportMetric(float64(median[name].Microseconds())/1000, name+"-ms")
		}
		for name, m := range median {
			if name != "pmig" {
				b.ReportMetric(float64(median["pmig"])/float64(m), "pmig/"+name)
			}
		}
		if median["pmig"] > startBudget {
			b.Errorf("pmig version takes %v at the median, more than %v", median["pmig"], startBudget)
		}
	}
}
