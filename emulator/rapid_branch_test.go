package emulator_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"
)

var branchNames = []string{"b0", "b1", "b2", "b3"}

func (s *rig) makeBranch() {
	if len(s.model.branches) > len(branchNames) {
		s.pass("enough")
	}
	who, name := s.who(), s.pick("name", branchNames)
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
	who, name := s.who(), s.pick("name", append([]string{"main"}, branchNames...))
	m, path := &s.model, "/branches/"+name
	b := m.branches[name]
	if b == nil {
		s.expect(who, "DELETE", path, "", 404)
		return
	}
	permission := "delete_branch"
	if b.production {
		permission = "delete_production_branch"
	}
	status := m.deletion(b)
	switch {
	case !s.may(who, permission):
		status = []int{404}
	case name == "main":
		status = []int{422}
	case !b.ready, b.production && status[0] == 204: // nobody has said
		status = []int{204, 422}
	case m.deploying && status[0] == 204 && s.deployedLately(b):
		status = []int{422}
	}
	got, _ := s.expect(who, "DELETE", path, "", status...)
	if got == 204 {
		s.gone(b)
	}
	if m.deploying {
		if m.deploying = s.standing("deploying"); !m.deploying && got != 422 {
			s.Fatal("the fault refused nothing")
		}
	}
}

// deployedLately says whether a deployment of a branch ended so short a time
// ago that the fault refuses the branch's deletion.
func (s *rig) deployedLately(b *modelBranch) bool {
	now := s.e.Now()
	return slices.ContainsFunc(s.model.requests, func(r *modelRequest) bool {
		return r.branch == b && !r.finished.IsZero() && now.Sub(r.finished) < time.Minute
	})
}

// safeMigrations switches them on a branch that is not main.
func (s *rig) safeMigrations() {
	who, b := s.who(), s.branchOf(true)
	if s.model.unknowns.OneRequestPerBranch { // some of the runs: most DDL would be refused otherwise
		s.pass("not in this run")
	}
	method, on := "POST", rapid.IntRange(0, 2).Draw(s.T, "on") == 2
	if !on {
		method = "DELETE"
	}
	if !s.may(who, "write_database") {
		s.expect(who, method, "/branches/"+b.name+"/safe-migrations", "", 404)
		return
	}
	want := []int{200}
	if b.data.keyless() && on {
		want = []int{422}
	}
	if status, _ := s.expect(who, method, "/branches/"+b.name+"/safe-migrations", "", want...); status == 200 {
		b.safe = on
	}
}

// promote makes a branch a production branch, or makes it one no more.
func (s *rig) promote() {
	who, b := s.who(), s.branchOf(false)
	on := rapid.Bool().Draw(s.T, "on")
	verb, permission, want := "demote", "demote_branches", 200
	if on {
		verb, permission = "promote", "promote_branches"
	}
	others := 0
	for _, o := range s.model.branches {
		if o != b && o.production {
			others++
		}
	}
	switch {
	case !s.may(who, "connect_production_branch", permission):
		want = 404
	case on && b.data.keyless():
		want = 422
	case !on && b.production && others == 0:
		want = 422
	case !on && b.name == "main":
		s.pass("main stays what it is deployed into")
	}
	if status, _ := s.expect(who, "POST", "/branches/"+b.name+"/"+verb, "", want); status != 200 {
		return
	}
	if b.production = on; !on {
		b.safe = false // they go with it, as far as anyone knows
	}
}
