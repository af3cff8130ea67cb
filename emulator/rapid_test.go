package emulator_test

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelSteps is how many steps TestModel makes at least, and a sequence has on
// average; -rapid.checks and -rapid.steps ask for others.
const (
	modelSteps    = 10000
	modelTime     = 10 * time.Minute // on a machine with much else to do
	sequenceSteps = 80
	roundChecks   = 4 // sequences from one seed
)

// unreached are the states of the model that no sequence comes to.
var unreached = []string{"in_progress_vschema", "in_progress_revert_vschema"} // no action changes a VSchema

// tally is what all sequences of a run have come to.
type tally struct {
	mu    sync.Mutex
	steps int
	seen  map[string]int // states, and how often a request came to each
	told  bool           // of a failure
}

func (c *tally) count(steps int, seen map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps += steps
	for state, n := range seen {
		c.seen[state] += n
	}
}

func (c *tally) enough() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.steps >= modelSteps
}

// first says whether a failure is the first one, before rapid looks for shorter
// sequences that fail too.
func (c *tally) first() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.told
	c.told = true
	return !was
}

// Two tokens and a person do whatever comes to mind, for as long as it takes,
// in free time. After every step, everything that can be seen of the platform
// must be what the model says.
//
// A failure names its seed; -rapid.seed replays what was done, and the sequence
// printed last is the shortest that failed. The seed does not decide in which
// order things happen that are due at one instant, nor the ids. A failure that
// needs one order comes again only sometimes: what had been done when it came
// first is printed as well.
func TestModel(t *testing.T) {
	asked := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { asked[f.Name] = true })
	for name, value := range map[string]int{"rapid.steps": sequenceSteps, "rapid.checks": roundChecks} {
		if was := flag.Lookup(name).Value.String(); !asked[name] {
			flag.Set(name, fmt.Sprint(value))
			defer flag.Set(name, was)
		}
	}
	one := asked["rapid.checks"] || asked["rapid.seed"] || asked["rapid.failfile"] || testing.Short() // round, and no more
	all, began := &tally{seen: map[string]int{}}, time.Now()
	t.Run("sequences", func(t *testing.T) {
		for i := range min(runtime.GOMAXPROCS(0), 4) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for {
					rapid.Check(t, func(r *rapid.T) { sequence(t, r, all) })
					if one || all.enough() || time.Since(began) > modelTime {
						return
					}
				}
			})
		}
	})
	t.Logf("%d steps in %v; states come to: %v", all.steps, time.Since(began).Round(time.Second), all.seen)
	if one || t.Failed() {
		return
	}
	if all.steps < modelSteps {
		t.Errorf("only %d of %d steps in %v", all.steps, modelSteps, modelTime)
	}
	for state := range spontaneous {
		if all.seen[state] == 0 && !slices.Contains(unreached, state) {
			t.Errorf("no request came to %s", state)
		}
	}
}

// sequence is one life of an emulator.
func sequence(t *testing.T, r *rapid.T, all *tally) {
	rapid.SyncTest(r, func(r *rapid.T) {
		s := newRig(r)
		r.Cleanup(func() {
			if r.Failed() && all.first() {
				t.Logf("what was done when it failed first:\n%s", strings.Join(s.told, "\n"))
			}
		})
		if rapid.IntRange(0, 3).Draw(r, "start") > 0 { // two branches to begin with, or most sequences end before anything is deployed
			for _, name := range branchNames[:2] {
				s.newBranch(keeper, name, fmt.Sprintf(`{"name":%q}`, name))
			}
			s.wait(15 * time.Second)
		}
		r.Repeat(s.actions())
		s.settle(20 * time.Minute)
		if err := s.model.settled(); err != nil {
			s.Fatal(err)
		}
		all.count(s.steps, s.seen)
	})
}

// actions are what can be done; the more names an action has, the more often
// it is.
func (s *rig) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){}
	for _, a := range []struct {
		name   string
		weight int
		do     func()
	}{
		{"make a branch", 2, s.makeBranch},
		{"delete a branch", 1, s.deleteBranch},
		{"ddl", 5, s.ddl},
		{"rows", 3, s.rows},
		{"make a password", 1, s.makePassword},
		{"delete a password", 1, s.deletePassword},
		{"use a password", 2, s.usePassword},
		{"safe migrations", 1, s.safeMigrations},
		{"promote or demote", 1, s.promote},
		{"approval setting", 1, s.approvalSetting},
		{"ship", 3, s.ship},
		{"open", 4, s.openRequest},
		{"close", 1, s.closeRequest},
		{"review", 2, s.review},
		{"deploy", 6, s.deploy},
		{"cancel", 2, s.cancel},
		{"apply-deploy", 1, s.applyDeploy},
		{"force-cutover", 1, s.forceCutover},
		{"complete-deploy", 1, s.completeDeploy},
		{"revert", 3, s.revert},
		{"skip-revert", 1, s.skipRevert},
		{"auto-apply", 1, s.autoApply},
		{"auto-delete-branch", 1, s.autoDelete},
		{"wait", 6, s.waitSome},
		{"fault", 2, s.fault},
		{"restart", 1, s.restart},
	} {
		for i := range a.weight {
			all[fmt.Sprint(a.name, " ", i)] = func(*rapid.T) {
				defer func() {
					if p := recover(); p != nil && p != errPassed {
						panic(p)
					}
				}()
				s.idle = true
				a.do()
				s.idle = false
				s.steps++
			}
		}
	}
	all[""] = func(*rapid.T) {
		if !s.idle {
			s.compare()
		}
	}
	return all
}

// errPassed ends an action that cannot be done now. (Skipping it would make rapid
// give up on the sequence.)
var errPassed = errors.New("not now")

func (s *rig) pass(string) { panic(errPassed) }

func (s *rig) pick(label string, of []string) string { return rapid.SampledFrom(of).Draw(s.T, label) }

func (s *rig) who() string { return s.pick("who", []string{builder, keeper, ann, keeper, ann}) }

// branchOf picks a living branch that serves; dev leaves main out.
func (s *rig) branchOf(dev bool) *modelBranch {
	var all []string
	for name, b := range s.model.branches {
		if b.ready && !(dev && name == "main") {
			all = append(all, name)
		}
	}
	if len(all) == 0 {
		s.pass("no branch")
	}
	slices.Sort(all)
	return s.model.branches[s.pick("branch", all)]
}

// request picks a request, rather one that is in one of some states.
func (s *rig) request(states ...string) *modelRequest {
	if len(s.model.requests) == 0 {
		s.pass("no request")
	}
	var fit []int
	for i, r := range s.model.requests {
		if r.open && r.is(states...) {
			fit = append(fit, i)
		}
	}
	other := rapid.IntRange(0, 7).Draw(s.T, "other") == 7
	switch {
	case !other && len(fit) == 0:
		s.pass("no such request")
	case !other:
		return s.model.requests[rapid.SampledFrom(fit).Draw(s.T, "request")]
	}
	return s.model.requests[rapid.IntRange(0, len(s.model.requests)-1).Draw(s.T, "request")]
}

// wait lets time pass, and takes in what comes of it.
func (s *rig) wait(d time.Duration) {
	s.drain()
	time.Sleep(d)
	s.Logf("%v pass", d)
	s.compare()
}

// settle lets so much time pass that everything that can end has ended, also
// what a look at it has begun.
func (s *rig) settle(d time.Duration) {
	s.wait(d)
	s.wait(15 * time.Second)
}

func (s *rig) waitSome() {
	d := rapid.SampledFrom([]time.Duration{time.Second, 4 * time.Second, 15 * time.Second, 5 * time.Minute, 31 * time.Minute}).Draw(s.T, "time")
	if !rapid.Bool().Draw(s.T, "advance") {
		s.wait(d)
	} else {
		s.drain()
		if err := s.e.Advance(d); err != nil {
			s.Fatal(err)
		}
		s.Logf("the clock is advanced by %v", d)
	}
	if d >= 5*time.Minute {
		s.settle(5 * time.Minute)
		if err := s.model.settled(); err != nil {
			s.Fatal(err)
		}
	}
}

func (s *rig) fault() {
	m := &s.model
	if m.blocked != 0 && rapid.IntRange(0, 3).Draw(s.T, "unblock") > 0 {
		s.Log("cutovers are let through")
		if status, _ := s.control("DELETE", fmt.Sprintf("/_emulator/faults/%d", m.blocked), ""); status != 204 {
			s.Fatalf("status %d", status)
		}
		m.blocked = 0
		return
	}
	s.setFault(s.pick("fault", []string{"deploy-error", "revert-error", "validating", "answer", "drop-after", "deploying", "cutover-blocked"}))
}

func (s *rig) setFault(do string) {
	s.Helper()
	m := &s.model
	flags := map[string]*bool{"deploy-error": &m.deployError, "revert-error": &m.revertError, "answer": &m.refuseDeploy, "drop-after": &m.dropDeploy, "deploying": &m.deploying}
	set, path, times := flags[do], "", 1
	switch {
	case set != nil && *set, do == "cutover-blocked" && m.blocked != 0:
		s.pass("set already")
	case do == "answer", do == "drop-after":
		path = "/deploy$"
	case do == "cutover-blocked":
		times = 0 // until it is removed
	}
	body := fmt.Sprintf(`{"do":%q,"path":%q,"times":%d,"count":1}`, do, path, times)
	s.Logf("fault %s", body)
	status, o := s.control("POST", "/_emulator/faults", body)
	if status != 201 {
		s.Fatalf("status %d", status)
	}
	switch {
	case set != nil:
		*set = true
	case do == "validating":
		m.validating++
	default:
		id, _ := o["id"].(float64)
		m.blocked = int(id)
	}
}

func (s *rig) restart() {
	if !s.kept {
		s.pass("nothing is kept")
	}
	s.drain()
	s.Log("the emulator is started again")
	s.end()
	s.begin()
	for _, b := range s.model.branches {
		s.stale[b] = true
	}
	m := &s.model
	m.deployError, m.revertError, m.refuseDeploy, m.dropDeploy, m.deploying, m.blocked = false, false, false, false, false, 0
}
