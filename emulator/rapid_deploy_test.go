package emulator_test

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"
)

func (s *rig) deploy() {
	who, r := s.who(), s.request("ready")
	instant := rapid.IntRange(0, 4).Draw(s.T, "instant") == 4
	strategy := s.pick("strategy", []string{"", "serial", "parallel"})
	if s.deployOf(who, r, instant, strategy) && rapid.IntRange(0, 2).Draw(s.T, "go on") > 0 { // rather than be dequeued by the next change
		s.wait(time.Minute)
	}
}

// deployOf deploys a request, and says whether it was queued.
func (s *rig) deployOf(who string, r *modelRequest, instant bool, strategy string) bool {
	s.Helper()
	m := &s.model
	path, body := fmt.Sprintf("/deploy-requests/%d/deploy", r.number), fmt.Sprintf(`{"instant_ddl":%t}`, instant)
	if strategy != "" {
		body = fmt.Sprintf(`{"instant_ddl":%t,"strategy":%q}`, instant, strategy)
	}
	if m.refuseDeploy {
		m.refuseDeploy = false
		s.expect(who, "POST", path, body, 500)
		return false
	}
	parallel := strategy == "parallel"
	eligible, tables := s.prospects(r)
	legal := r.open && r.state == "ready"
	want := []int{200}
	switch {
	case !s.may(who, "create_deploy_request"):
		want = []int{404}
	case !legal:
		want = []int{422}
	case m.approval && !r.approved:
		want = []int{403, 422}
	case !m.mayEnter(parallel, tables):
		want = []int{422}
	case r.deleted, instant && !eligible, m.validating > 0:
		want = []int{200, 422}
	}
	if m.dropDeploy {
		m.dropDeploy = false
		if status, _ := s.call(who, "POST", path, body); status != 0 {
			s.Fatalf("status %d of a dropped connection", status)
		}
		s.settleDeploy(r, instant, parallel, tables, want)
		return r.state == "queued"
	}
	status, o := s.expect(who, "POST", path, body, want...)
	validating := strings.Contains(fmt.Sprint(o["message"]), "currently validating")
	switch {
	case validating && (m.validating == 0 || !legal):
		s.Fatal("nothing is being validated")
	case validating:
		m.validating--
	case want[0] == 403 && !r.deleted && !strings.Contains(fmt.Sprint(o["message"]), "approved"):
		s.Fatal("the refusal does not speak of approval")
	}
	if status != 200 {
		return false
	}
	s.started(r, instant && eligible, parallel, tables)
	return true
}

// prospects is what a request that is ready says of its deployment: whether it
// can be instant, and the tables that it changes.
func (s *rig) prospects(r *modelRequest) (eligible bool, tables []string) {
	s.Helper()
	_, o := s.quiet(keeper, "GET", fmt.Sprintf("/deploy-requests/%d/deployment", r.number), "")
	if !r.open || r.state != "ready" {
		return false, nil
	}
	eligible, _ = o["instant_ddl_eligible"].(bool)
	now := s.model.main().data
	if x := merge(r.branch.base, r.branch.data, now); !x.unclear && !r.deleted {
		if want, known := instantEligible(now, x.want); known && want != eligible {
			s.Logf("from\n%sto\n%s", now.text(false), x.want.text(false))
			s.Fatalf("#%d: instant_ddl_eligible %t, want %t", r.number, eligible, want)
		}
	}
	return eligible, tablesOf(o)
}

// settleDeploy finds out what became of a deploy whose answer was lost: one of
// some.
func (s *rig) settleDeploy(r *modelRequest, instant, parallel bool, tables []string, want []int) {
	s.Helper()
	_, o := s.quiet(keeper, "GET", fmt.Sprintf("/deploy-requests/%d", r.number), "")
	dep, _ := o["deployment"].(map[string]any)
	switch state := o["deployment_state"]; {
	case state == "queued" && r.state == "ready" && want[0] == 200:
		done, _ := dep["instant_ddl"].(bool)
		s.started(r, instant && done, parallel, tables)
	case state != r.state:
		s.Fatalf("#%d was %s and is %v", r.number, r.state, state)
	case len(want) == 1 && want[0] == 200:
		s.Fatalf("#%d is still %v", r.number, state)
	}
}

func (s *rig) started(r *modelRequest, instant, parallel bool, tables []string) {
	s.model.lastOrder++
	r.order, r.state, r.instant, r.parallel, r.tables = s.model.lastOrder, "queued", instant, parallel, tables
}

// instantEligible says whether every change is one that MySQL makes without a
// copy; known is false for changes of which nobody has said.
func instantEligible(from, to modelSchema) (eligible, known bool) {
	eligible, known = true, true
	for name := range union(from, to) {
		was, is := from[name], to[name]
		if was == nil || is == nil {
			known = known && !eligible
			continue
		}
		for _, c := range columnNames {
			a, had := was.columns[c]
			b, has := is.columns[c]
			switch {
			case a == b && had == has:
			case had && has, a.unique, b.unique:
				return false, true
			case b.notNull:
				known = false
			}
		}
	}
	return eligible, known
}
