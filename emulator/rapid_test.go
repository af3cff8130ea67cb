package emulator_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
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
	for steps == 0 || steps < modelSteps && !asked["rapid.checks"] && !asked["rapid.seed"] && !t.Failed() && !testing.Short() && time.Since(began) < modelTime {
		rapid.Check(t, func(t *rapid.T) {
			rapid.SyncTest(t, func(t *rapid.T) {
				s := newRig(t)
				s.seen = seen
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
		{"approval setting", 1, s.approvalSetting},
		{"open", 4, s.openRequest},
		{"close", 1, s.closeRequest},
		{"review", 2, s.review},
		{"deploy", 6, s.deploy},
		{"cancel", 1, s.cancel},
		{"apply-deploy", 1, s.applyDeploy},
		{"complete-deploy", 1, s.completeDeploy},
		{"revert", 2, s.revert},
		{"skip-revert", 1, s.skipRevert},
		{"auto-apply", 1, s.autoApply},
		{"wait", 6, s.waitSome},
		{"fault", 1, s.fault},
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

func (s *rig) makeBranch() {
	if len(s.model.branches) > 4 {
		s.pass("enough")
	}
	who, name := s.who(), s.pick("name", []string{"b0", "b1", "b2", "b3"})
	body := fmt.Sprintf(`{"name":%q,"parent_branch":"main"}`, name)
	if rapid.Bool().Draw(s.T, "no parent") {
		body = fmt.Sprintf(`{"name":%q}`, name)
	}
	switch {
	case !s.may(who, "create_branch"):
		s.expect(who, "POST", "/branches", body, 404)
	case s.model.branches[name] != nil:
		s.expect(who, "POST", "/branches", body, 422)
	default:
		s.newBranch(who, name, body)
	}
}

func (s *rig) newBranch(who, name, body string) {
	_, o := s.expect(who, "POST", "/branches", body, 201)
	if o["ready"] != false || o["parent_branch"] != "main" || o["production"] != false {
		s.Fatalf("a new branch: ready %v, parent %v, production %v", o["ready"], o["parent_branch"], o["production"])
	}
	b := &modelBranch{name: name, parents: []modelSchema{s.model.main().data.clone(false)}}
	b.id, _ = o["id"].(string)
	s.model.branches[name] = b
}

func (s *rig) deleteBranch() {
	who, name := s.who(), s.pick("name", []string{"b0", "b1", "b2", "b3", "main"})
	b := s.model.branches[name]
	status := []int{204}
	switch {
	case !s.may(who, "delete_branch"):
		status = []int{404}
	case b == nil:
		status = []int{404}
	case name == "main" && who == builder && s.builder != nil:
		status = []int{404, 422}
	case name == "main":
		status = []int{422}
	case !b.ready:
		status = []int{204, 422}
	default:
		for _, r := range s.model.requests {
			switch {
			case r.branch != b || !r.open:
			case r.is(running...), r.is("complete_pending_revert") && s.model.unknowns.BranchDeleteRefusedInWindow:
				status = []int{422}
			case r.is("complete_error", "complete_revert_error") && status[0] != 422:
				status = []int{204, 422}
			}
		}
	}
	if got, _ := s.expect(who, "DELETE", "/branches/"+name, "", status...); got != 204 {
		return
	}
	if db := s.looks[b.id]; db != nil {
		db.Close()
		delete(s.looks, b.id)
	}
	delete(s.model.branches, name)
	for _, r := range s.model.requests {
		if r.branch == b {
			r.deleted = true
			if r.is(unstarted...) && !s.model.unknowns.BranchDeleteKeepsRequest {
				r.open = false
			}
		}
	}
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
	text, path, set := "", "", (*bool)(nil)
	switch s.pick("fault", []string{"deploy-error", "revert-error", "validating", "answer", "drop-after"}) {
	case "deploy-error":
		text, set = "deploy-error", &m.deployError
	case "revert-error":
		text, set = "revert-error", &m.revertError
	case "validating":
		text, set = "validating", new(bool)
		m.validating++
	case "answer":
		text, path, set = "answer", `/deploy$`, &m.refuseDeploy
	case "drop-after":
		text, path, set = "drop-after", `/deploy$`, &m.dropDeploy
	}
	if *set {
		s.pass("set already")
	}
	body := fmt.Sprintf(`{"do":%q,"path":%q,"times":1,"count":1}`, text, path)
	s.Logf("fault %s", body)
	if status := s.control("POST", "/_emulator/faults", body); status != 201 {
		s.Fatalf("status %d", status)
	}
	*set = true
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
	m.deployError, m.revertError, m.refuseDeploy, m.dropDeploy = false, false, false, false
}
