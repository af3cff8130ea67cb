package emulator_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelSteps is how many steps TestModel makes at least, and a sequence has on
// average; -rapid.checks and -rapid.steps ask for others.
const (
	modelSteps    = 300 // see docs/limits.md; -rapid.checks=130 makes some 10 000
	modelTime     = 2 * time.Minute
	sequenceSteps = 80
)

// Two tokens and a person do whatever comes to mind, for as long as it takes,
// in free time. After every step, everything that can be seen of the platform
// must be what the model says. A failure names its seed; -rapid.seed replays
// it, and the sequence that is printed is the shortest that was found.
func TestModel(t *testing.T) {
	asked := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { asked[f.Name] = true })
	if !asked["rapid.steps"] {
		was := flag.Lookup("rapid.steps").Value.String()
		flag.Set("rapid.steps", fmt.Sprint(sequenceSteps))
		defer flag.Set("rapid.steps", was)
	}
	if !asked["rapid.checks"] {
		was := flag.Lookup("rapid.checks").Value.String()
		flag.Set("rapid.checks", "2") // a round; the loop makes as many as it takes
		defer flag.Set("rapid.checks", was)
	}
	seen := map[string]int{}
	steps, began := 0, time.Now()
	told := false
	for steps == 0 || steps < modelSteps && !asked["rapid.checks"] && !asked["rapid.seed"] && !t.Failed() && !testing.Short() && time.Since(began) < modelTime {
		rapid.Check(t, func(t *rapid.T) {
			rapid.SyncTest(t, func(t *rapid.T) {
				s := newRig(t)
				s.seen = seen
				t.Cleanup(func() {
					if t.Failed() && !told {
						told = true
						fmt.Printf("FIRST FAILURE\n%s\nEND\n", strings.Join(s.told, "\n"))
					}
				})
				if rapid.IntRange(0, 3).Draw(t, "start") > 0 { // two branches to begin with, or most sequences end before anything is deployed
					for _, name := range []string{"b0", "b1"} {
						s.newBranch(keeper, name, fmt.Sprintf(`{"name":%q}`, name))
					}
					s.wait(15 * time.Second)
				}
				t.Repeat(s.actions())
				s.settle(20 * time.Minute)
				if err := s.model.settled(); err != nil {
					t.Fatal(err)
				}
				steps += s.steps
			})
		})
	}
	t.Logf("%d steps; states come to: %v", steps, seen)
	if steps < modelSteps && !asked["rapid.checks"] && !asked["rapid.seed"] && !testing.Short() && !t.Failed() {
		t.Errorf("only %d of %d steps in %v", steps, modelSteps, modelTime)
	}
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
		{"cancel", 1, s.cancel},
		{"apply-deploy", 1, s.applyDeploy},
		{"force-cutover", 1, s.forceCutover},
		{"complete-deploy", 1, s.completeDeploy},
		{"revert", 2, s.revert},
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
	do := s.pick("fault", []string{"deploy-error", "revert-error", "validating", "answer", "drop-after", "deploying", "cutover-blocked"})
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
