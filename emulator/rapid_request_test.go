package emulator_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"pgregory.net/rapid"
)

func (s *rig) control(method, path, body string) int {
	r, err := http.NewRequestWithContext(s.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	res, err := s.e.Transport().RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// act asks for something of a request that is legal in some of its states; it
// says whether it was done.
func (s *rig) act(r *modelRequest, who, method, what, body string, legal bool) bool {
	s.Helper()
	want := 422
	switch {
	case !s.may(who, "create_deploy_request"):
		want = 404
	case legal:
		want = 200
	}
	status, _ := s.expect(who, method, fmt.Sprintf("/deploy-requests/%d%s", r.number, what), body, want)
	return status == 200
}

func (s *rig) openRequest() {
	who, b := s.who(), s.branchOf(true)
	auto := s.pick("auto_cutover", []string{"true", "true", "false", ""})
	body := fmt.Sprintf(`{"branch":%q,"into_branch":"main","auto_cutover":%s}`, b.name, auto)
	if auto == "" {
		body = fmt.Sprintf(`{"branch":%q,"into_branch":"main"}`, b.name)
	}
	want := 201
	for _, r := range s.model.requests {
		if r.branch == b && r.open && s.model.unknowns.OneRequestPerBranch {
			want = 422
		}
	}
	if !s.may(who, "create_deploy_request") {
		want = 404
	}
	status, o := s.expect(who, "POST", "/deploy-requests", body, want)
	if status != 201 {
		return
	}
	m := &s.model
	r := &modelRequest{number: len(m.requests) + 1, branch: b, creator: who, open: true, state: "pending", auto: auto == "true"}
	dep, _ := o["deployment"].(map[string]any)
	switch {
	case auto == "" && r.number == 1:
		r.auto, _ = dep["auto_cutover"].(bool) // of what, nobody has said
	case auto == "":
		r.auto = m.requests[r.number-2].auto
	}
	m.requests = append(m.requests, r)
	operations, _ := dep["deploy_operations"].([]any)
	if o["number"] != float64(r.number) || o["deployment_state"] != "pending" || dep["deployable"] != false || len(operations) != 0 {
		s.Fatalf("a new request: number %v, %v, deployable %v, %d operations; want number %d", o["number"], o["deployment_state"], dep["deployable"], len(operations), r.number)
	}
}

func (s *rig) closeRequest() {
	who, r := s.who(), s.request(unstarted...)
	path, body := fmt.Sprintf("/deploy-requests/%d", r.number), `{"state":"closed"}`
	want := []int{200}
	switch {
	case !s.may(who, "create_deploy_request"):
		want = []int{404}
	case !r.open, r.is("complete_pending_revert", "complete_error", "complete_revert_error", "complete_cancel", "cancelled"):
		want = []int{200, 422}
	case r.state == "queued" && s.model.unknowns.CloseQueued:
	case r.is(running...):
		want = []int{422}
	}
	status, o := s.expect(who, "PATCH", path, body, want...)
	if status != 200 {
		return
	}
	if o["state"] != "closed" {
		s.Fatalf("a closed request is %v", o["state"])
	}
	if r.state == "queued" {
		r.order = 0
		s.drain() // what a closed request shows that was queued, nobody has said
		_, o = s.quiet(keeper, "GET", path, "")
		r.state, _ = o["deployment_state"].(string)
	}
	r.open = false
}

func (s *rig) review() {
	who, r := s.who(), s.request("ready", "pending")
	approve := s.pick("state", []string{"approved", "approved", "commented"})
	own := approve == "approved" && who == r.creator
	path := fmt.Sprintf("/deploy-requests/%d/reviews", r.number)
	want := []int{201}
	switch {
	case !s.may(who, "approve_deploy_request", "review_deploy_request"):
		want = []int{404}
	case own:
		want = []int{403, 422}
	case !r.open || !r.is(unstarted...):
		want = []int{201, 422}
	}
	if status, _ := s.expect(who, "POST", path, fmt.Sprintf(`{"state":%q,"body":"x"}`, approve), want...); status == 201 && approve == "approved" {
		r.approved = true
	}
}

func (s *rig) deploy() {
	who, r := s.who(), s.request("ready")
	m := &s.model
	instant := rapid.IntRange(0, 4).Draw(s.T, "instant") == 4
	path, body := fmt.Sprintf("/deploy-requests/%d/deploy", r.number), fmt.Sprintf(`{"instant_ddl":%t}`, instant)
	if m.refuseDeploy {
		m.refuseDeploy = false
		s.expect(who, "POST", path, body, 500)
		return
	}
	eligible := false
	if _, o := s.quiet(keeper, "GET", fmt.Sprintf("/deploy-requests/%d/deployment", r.number), ""); r.open && r.state == "ready" {
		eligible, _ = o["instant_ddl_eligible"].(bool)
		if x := merge(r.branch.base, r.branch.data, m.main().data); !x.unclear && !r.deleted {
			if want, known := instantEligible(m.main().data, x.want); known && want != eligible {
				s.Logf("from\n%sto\n%s", m.main().data.text(false), x.want.text(false))
				s.Fatalf("#%d: instant_ddl_eligible %t, want %t", r.number, eligible, want)
			}
		}
	}
	legal := r.open && r.state == "ready"
	want := []int{200}
	switch {
	case !s.may(who, "create_deploy_request"):
		want = []int{404}
	case !legal:
		want = []int{422}
	case m.approval && !r.approved:
		want = []int{403, 422}
	case r.deleted, instant && !eligible, m.validating > 0:
		want = []int{200, 422}
	}
	if m.dropDeploy {
		m.dropDeploy = false
		if status, _ := s.call(who, "POST", path, body); status != 0 {
			s.Fatalf("status %d of a dropped connection", status)
		}
		if want[0] != 200 {
			return
		}
		s.settleDeploy(r, instant)
		return
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
		return
	}
	s.started(r, instant && eligible)
	if rapid.IntRange(0, 2).Draw(s.T, "go on") > 0 { // rather than be dequeued by the next change
		s.wait(time.Minute)
	}
}

// settleDeploy finds out what became of a deploy whose answer was lost.
func (s *rig) settleDeploy(r *modelRequest, instant bool) {
	_, o := s.quiet(keeper, "GET", fmt.Sprintf("/deploy-requests/%d", r.number), "")
	if o["deployment_state"] == "ready" { // refused
		s.model.validating--
		return
	}
	dep, _ := o["deployment"].(map[string]any)
	done, _ := dep["instant_ddl"].(bool)
	s.started(r, instant && done)
}

func (s *rig) started(r *modelRequest, instant bool) {
	s.model.lastOrder++
	r.order, r.state, r.instant = s.model.lastOrder, "queued", instant
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

func (s *rig) cancel() {
	who, r := s.who(), s.request(cancellable...)
	if r.is("in_progress_vschema", "in_progress_cutover") {
		s.pass("nobody has said")
	}
	if s.act(r, who, "POST", "/cancel", "", r.open && r.is(cancellable...)) {
		r.state = "in_progress_cancel"
	}
}

func (s *rig) applyDeploy() {
	who, r := s.who(), s.request("pending_cutover")
	if s.act(r, who, "POST", "/apply-deploy", "", r.is("pending_cutover")) {
		r.state = "in_progress_cutover"
	}
}

func (s *rig) completeDeploy() {
	who, r := s.who(), s.request("complete_error", "complete_revert_error")
	if !r.open && r.is("complete_error", "complete_revert_error") {
		s.pass("nobody has said")
	}
	if s.act(r, who, "POST", "/complete-deploy", "", r.is("complete_error", "complete_revert_error")) {
		// What it is called then, nobody has said.
		_, o := s.quiet(keeper, "GET", fmt.Sprintf("/deploy-requests/%d", r.number), "")
		if state, _ := o["deployment_state"].(string); state == "complete" || state == r.state {
			r.state = state
		}
		r.open = false
	}
}

func (s *rig) revert() {
	who, r := s.who(), s.request("complete_pending_revert")
	if s.act(r, who, "POST", "/revert", "", r.is("complete_pending_revert")) {
		r.state = "in_progress_revert"
	}
}

func (s *rig) skipRevert() {
	who, r := s.who(), s.request("complete_pending_revert")
	if s.act(r, who, "POST", "/skip-revert", "", r.is("complete_pending_revert")) {
		r.state, r.open = "complete", false
	}
}

func (s *rig) autoApply() {
	who, r := s.who(), s.request("pending_cutover", "in_progress", "ready")
	if !r.open || !r.is("pending", "ready", "queued", "submitting", "in_progress", "pending_cutover") {
		s.pass("nobody has said")
	}
	on := rapid.Bool().Draw(s.T, "on")
	if s.act(r, who, "PUT", "/auto-apply", fmt.Sprintf(`{"enable":%t}`, on), true) {
		if r.auto = on; on && r.is("pending_cutover") {
			r.state = "in_progress_cutover"
		}
	}
}

func (s *rig) approvalSetting() {
	who, on := s.who(), rapid.IntRange(0, 3).Draw(s.T, "on") == 3
	want := 200
	if !s.may(who, "write_database") {
		want = 404
	}
	status, o := s.expect(who, "PATCH", "", fmt.Sprintf(`{"require_approval_for_deploy":%t}`, on), want)
	if status == 200 {
		if s.model.approval = on; o["require_approval_for_deploy"] != on {
			s.Fatal("the setting was not taken")
		}
	}
}

// safeMigrations switches them on a branch that is not production.
func (s *rig) safeMigrations() {
	who, b := s.who(), s.branchOf(true)
	if s.model.unknowns.OneRequestPerBranch { // half of the runs: most DDL would be refused otherwise
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
