package executor_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/executor"
)

// requestFaults are those of one HTTP call.
var requestFaults = []struct {
	name  string
	fault emulator.Fault
}{
	{"500", emulator.Fault{Do: emulator.FaultAnswer, Status: 500}},
	{"503", emulator.Fault{Do: emulator.FaultAnswer, Status: 503}},
	{"500 after the effect", emulator.Fault{Do: emulator.FaultAnswerAfter, Status: 500}},
	{"404", emulator.Fault{Do: emulator.FaultAnswer, Status: 404}},
	{"403", emulator.Fault{Do: emulator.FaultAnswer, Status: 403}},
	{"422", emulator.Fault{Do: emulator.FaultAnswer, Status: 422, Message: "This cannot be done right now"}},
	{"429", emulator.Fault{Do: emulator.FaultAnswer, Status: 429}},
	{"429 with Retry-After", emulator.Fault{Do: emulator.FaultAnswer, Status: 429, Header: map[string]string{"Retry-After": "20"}}},
	{"latency", emulator.Fault{Do: emulator.FaultDelay, Delay: 20 * time.Second}},
	{"dropped before", emulator.Fault{Do: emulator.FaultDropBefore}},
	{"dropped after", emulator.Fault{Do: emulator.FaultDropAfter}},
	{"slow", emulator.Fault{Do: emulator.FaultSlow, Delay: 20 * time.Second}},
	{"cut", emulator.Fault{Do: emulator.FaultCut}},
	{"no JSON", emulator.Fault{Do: emulator.FaultAnswer, Status: 200, Body: "<html>maintenance</html>"}},
	{"no deployment", emulator.Fault{Do: emulator.FaultNoDeployment}},
	{"unknown state", emulator.Fault{Do: emulator.FaultUnknownState}},
	{"errors as list", emulator.Fault{Do: emulator.FaultErrorsAsList}},
}

// platformFaults are those of the platform itself.
var platformFaults = []struct {
	name  string
	fault emulator.Fault
}{
	{"validating", emulator.Fault{Do: emulator.FaultValidating, Count: 2}},
	{"validating for long", emulator.Fault{Do: emulator.FaultValidating, Count: 12}},
	{"deploying", emulator.Fault{Do: emulator.FaultDeploying}},
	{"stale base", emulator.Fault{Do: emulator.FaultStaleBase}},
	{"stale schema", emulator.Fault{Do: emulator.FaultStaleSchema}},
	{"stale diff", emulator.Fault{Do: emulator.FaultStaleDiff}},
	{"history delay", emulator.Fault{Do: emulator.FaultHistoryDelay, Delay: 30 * time.Second}},
	{"cutover blocked", emulator.Fault{Do: emulator.FaultCutoverBlocked}},
	{"queue paused", emulator.Fault{Do: emulator.FaultQueuePaused}},
	{"deploy error", emulator.Fault{Do: emulator.FaultDeployError}},
}

// names in a path differ from run to run.
var names = []struct {
	in  *regexp.Regexp
	out string
}{
	{regexp.MustCompile(`/branches/pmig-[a-z0-9-]+`), `/branches/pmig-[^/]+`},
	{regexp.MustCompile(`/passwords/[a-z0-9]+`), `/passwords/[^/]+`},
	{regexp.MustCompile(`/deploy-requests/[0-9]+`), `/deploy-requests/[0-9]+`},
}

// endpoints are the calls that a run makes, each as method and pattern.
func endpoints(instants []string) []string {
	var out []string
	for _, what := range instants {
		if call, is := strings.CutPrefix(what, "http "); is {
			for _, n := range names {
				call = n.in.ReplaceAllString(call, n.out)
			}
			out = append(out, call)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// outcomes counts how runs ended under a fault.
type outcomes struct{ tried, survived, failed int }

func (o outcomes) String() string {
	return fmt.Sprintf("%d cases: %d runs went through, %d failed cleanly and the next one went through", o.tried, o.survived, o.failed)
}

// TestFaultMatrix has every endpoint that a run uses go wrong in every way that
// the emulator knows, once and for as long as the run lasts. The run survives
// it, or it fails with an outcome and a hint; then the next one, without the
// fault, comes to the end that it would have had.
func TestFaultMatrix(t *testing.T) {
	s := shapes[0]
	var instants []string
	digest := ""
	synctest.Test(t, func(t *testing.T) { instants, digest = unbroken(t, s) })
	calls := endpoints(instants)
	t.Run("requests", func(t *testing.T) {
		t.Parallel()
		var sum outcomes
		for _, call := range calls {
			method, path, _ := strings.Cut(call, " ")
			for _, f := range requestFaults {
				for _, times := range []int{1, 0} {
					if !chosen(15, call, f.name, times) {
						continue
					}
					fault := f.fault
					fault.Method, fault.Path, fault.Times = method, path+"$", times
					t.Run(fmt.Sprintf("%s %s %s", strings.ReplaceAll(call, "/", "|"), f.name, often(times)), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { underFault(t, s, digest, fault, &sum) })
					})
				}
			}
		}
		t.Logf("%d endpoints x %d faults, once and standing: %v", len(calls), len(requestFaults), sum)
	})
	t.Run("platform", func(t *testing.T) {
		t.Parallel()
		var sum outcomes
		for _, f := range platformFaults {
			for _, times := range []int{1, 0} {
				if !chosen(3, f.name, times) {
					continue
				}
				fault := f.fault
				fault.Times = times
				t.Run(f.name+" "+often(times), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { underFault(t, s, digest, fault, &sum) })
				})
			}
		}
		t.Logf("%d faults of the platform, once and standing: %v", len(platformFaults), sum)
	})
	t.Run("unknowns", func(t *testing.T) {
		t.Parallel()
		tried := 0
		for i := range 1 << 7 {
			if !chosen(16, "unknowns", i) {
				continue
			}
			tried++
			u := emulator.Unknowns{CloseQueued: i&1 > 0, BranchDeleteKeepsRequest: i&2 > 0, BranchDeleteRefusedInWindow: i&4 > 0, ExpiredPasswordsHidden: i&8 > 0,
				OneRequestPerBranch: i&32 > 0, CancelEndsCancelled: i&64 > 0}
			if i&16 > 0 {
				u.NotesLimit = 3000
			}
			t.Run(fmt.Sprintf("%+v", u), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { withUnknowns(t, s, digest, u) })
			})
		}
		t.Logf("all answers to the open questions together: %d of %d, each with a run cut short and taken up without its journal", tried, 1<<7)
	})
}

func often(times int) string {
	if times == 1 {
		return "once"
	}
	return "standing"
}

func underFault(t *testing.T, s shape, digest string, fault emulator.Fault, sum *outcomes) {
	w := newShape(t, brief, s)
	sum.tried++
	w.fault(fault)
	d := &disk{}
	first := <-w.process(d, 0, goesWell).apply(t.Context())
	if first == nil {
		sum.survived++
	} else {
		sum.failed++
		clean(t, first)
	}
	if err := w.e.RemoveFault(0); err != nil {
		t.Fatal(err)
	}
	if sum.tried%2 == 0 {
		d = &disk{}
	}
	deployed := 1
	if fault.Do == emulator.FaultDeployError { // it came through in part, and a person's word is needed
		deployed = 2
		for _, code := range config.Acknowledgeable() {
			w.db.Acknowledged = append(w.db.Acknowledged, config.Acknowledged{Code: code, Reason: "--again"})
		}
	}
	if err := <-w.process(d, 0, goesWell).apply(t.Context()); err != nil {
		t.Fatalf("the first run said: %v; the same command then fails: %v", first, err)
	}
	if problem := w.left(s, digest, deployed); problem != "" {
		t.Fatalf("the first run said: %v; then: %s", first, problem)
	}
	t.Logf("%v", first)
}

// clean wants an error to say how the run ended and what to do about it.
func clean(t *testing.T, err error) {
	t.Helper()
	var own *executor.Error
	var hint interface{ Hint() string }
	if !errors.As(err, &hint) || hint.Hint() == "" {
		t.Errorf("no hint: %v", err)
	}
	if errors.As(err, &own) && (own.Outcome == executor.Stale || own.Outcome == executor.Interrupted) {
		t.Errorf("outcome %d: %v", own.Outcome, err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %q", err)
	}
}

// withUnknowns cuts a run short while its request is open, and again in the
// revert window.
func withUnknowns(t *testing.T, s shape, digest string, u emulator.Unknowns) {
	knobs := brief
	knobs.RevertWindow = 10 * time.Minute
	w := newShape(t, knobs, s)
	w.e.SetUnknowns(u)
	cut := w.process(&disk{}, 0, goesWell)
	w.event = func(e executor.Event) {
		if e.Type == executor.StepStart && e.Step == "deploy.review" {
			cut.die()
		}
	}
	ended := cut.apply(t.Context())
	<-cut.dead
	w.event = nil
	if err := <-w.process(&disk{}, 0, goesWell).apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-ended
	time.Sleep(knobs.RevertWindow)
	if err := <-w.process(&disk{}, 0, goesWell).apply(t.Context()); err != nil {
		t.Fatalf("after the revert window: %v", err)
	}
	if problem := w.left(s, digest, 1); problem != "" {
		t.Fatal(problem)
	}
}
