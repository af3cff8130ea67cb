package executor_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/pmig/pmig/executor"
)

// TestCutoverBrokenAtEveryCall breaks the network at the first, second, ...
// call of a cutover; then somebody on another machine does what is left.
func TestCutoverBrokenAtEveryCall(t *testing.T) {
	for _, how := range []string{"cut", "lost"} {
		t.Run(how, func(t *testing.T) {
			broken := 0
			for n := 1; n < 100; n++ {
				again := true
				t.Run(fmt.Sprint(n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { again = cutoverOnce(t, how, n) })
				})
				if !again || t.Failed() {
					break
				}
				broken++
			}
			t.Logf("broken at each of %d calls", broken)
		})
	}
}

func cutoverOnce(t *testing.T, how string, n int) bool {
	w := newWorld(t, brief, small())
	w.db.Deploy.Cutover = "manual"
	if _, err := w.run(w.e.Transport(), "j").Apply(t.Context()); executor.OutcomeOf(err) != executor.Person {
		t.Fatal(err)
	}
	agree := func(executor.Gate) error { return nil }
	b := &breaking{next: w.e.Transport(), at: n, how: how}
	_, first := w.run(b, "j").Cutover(t.Context(), agree)
	_, second := w.run(w.e.Transport(), "other").Cutover(t.Context(), agree)
	if executor.OutcomeOf(second) == executor.Refused { // it has happened
		_, second = w.run(w.e.Transport(), "other").Apply(t.Context())
	}
	if second == nil {
		_, second = w.run(w.e.Transport(), "j").Apply(t.Context())
	}
	if second != nil {
		t.Fatalf("call %d (%s) %s; the first said: %v; the second fails: %v", n, b.what, how, first, second)
	}
	if problem := w.problem(1, map[string][]string{"h": {"1"}}); problem != "" {
		t.Fatalf("call %d (%s) %s; the first said: %v; then: %s", n, b.what, how, first, problem)
	}
	return b.what != ""
}
