package emulator_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// control speaks to the emulator itself.
func (s *rig) control(method, path, body string) (int, map[string]any) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	res, err := s.e.Transport().RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	var o map[string]any
	if res.StatusCode < 300 && res.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(res.Body).Decode(&o); err != nil {
			s.Fatal(err)
		}
	}
	return res.StatusCode, o
}

// standing says whether a fault of a kind is still to happen.
func (s *rig) standing(do string) bool {
	s.Helper()
	_, o := s.control("GET", "/_emulator/faults", "")
	return slices.ContainsFunc(list(o["data"]), func(f map[string]any) bool { return f["do"] == do })
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
	s.openOf(who, b, auto, rapid.IntRange(0, 4).Draw(s.T, "auto_delete_branch") == 4)
}

// openOf opens a request; nil if that was refused.
func (s *rig) openOf(who string, b *modelBranch, auto string, autoDelete bool) *modelRequest {
	s.Helper()
	body := fmt.Sprintf(`{"branch":%q,"into_branch":"main"`, b.name)
	if auto != "" {
		body += `,"auto_cutover":` + auto
	}
	if autoDelete {
		body += `,"auto_delete_branch":true`
	}
	want := []int{201}
	for _, r := range s.model.requests {
		if r.branch == b && r.open && s.model.unknowns.OneRequestPerBranch {
			want = []int{422}
		}
	}
	if b.production && want[0] == 201 {
		want = []int{201, 422} // of a production branch, nobody has said
	}
	if !s.may(who, "create_deploy_request") {
		want = []int{404}
	}
	status, o := s.expect(who, "POST", "/deploy-requests", body+"}", want...)
	if status != 201 {
		return nil
	}
	m := &s.model
	r := &modelRequest{number: len(m.requests) + 1, branch: b, creator: who, open: true, state: "pending", auto: auto == "true", autoDelete: autoDelete}
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
	return r
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
		r.dequeue()
		s.drain() // what a closed request shows that was queued, nobody has said
		_, o = s.quiet(keeper, "GET", path, "")
		r.state, _ = o["deployment_state"].(string)
	}
	r.open = false
}

func (s *rig) review() {
	who, r := s.who(), s.request("ready", "pending")
	s.reviewOf(who, r, s.pick("state", []string{"approved", "approved", "commented"}))
}

func (s *rig) reviewOf(who string, r *modelRequest, state string) {
	s.Helper()
	own := state == "approved" && who == r.creator
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
	if status, _ := s.expect(who, "POST", path, fmt.Sprintf(`{"state":%q,"body":"x"}`, state), want...); status == 201 && state == "approved" {
		r.approved = true
	}
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
		r.state, r.cutOver = "in_progress_cutover", s.e.Now()
	}
}

func (s *rig) forceCutover() {
	who, r := s.who(), s.request("in_progress_cutover")
	if s.act(r, who, "POST", "/force-cutover", "", r.is("in_progress_cutover")) {
		r.forced = true
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
	if rapid.IntRange(0, 4).Draw(s.T, "in vain") == 4 && !s.model.revertError {
		s.setFault("revert-error")
	}
	if s.act(r, who, "POST", "/revert", "", r.is("complete_pending_revert")) {
		r.state = "in_progress_revert"
	}
}

func (s *rig) skipRevert() {
	who, r := s.who(), s.request("complete_pending_revert")
	if s.act(r, who, "POST", "/skip-revert", "", r.is("complete_pending_revert")) {
		s.model.completed(r)
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
			r.state, r.cutOver = "in_progress_cutover", s.e.Now()
		}
	}
}

func (s *rig) autoDelete() {
	who, r := s.who(), s.request("pending", "ready", "in_progress", "complete_pending_revert")
	on := rapid.Bool().Draw(s.T, "on")
	if s.act(r, who, "PUT", "/auto-delete-branch", fmt.Sprintf(`{"enable":%t}`, on), r.open) {
		r.autoDelete = on
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

// ship is what most people do most of the time.
func (s *rig) ship() {
	b := s.branchOf(true)
	one := s.model.unknowns.OneRequestPerBranch
	if b.safe || one && slices.ContainsFunc(s.model.requests, func(r *modelRequest) bool { return r.branch == b && r.open }) {
		s.pass("it takes no DDL, or no request")
	}
	s.run(s.admin(b), s.drawDDL(b))
	r := s.openOf(keeper, b, "true", false)
	if r == nil {
		return
	}
	s.wait(4 * time.Second)
	if s.model.approval {
		s.reviewOf(ann, r, "approved")
		s.drain()
	}
	s.deployOf(keeper, r, false, "")
	s.wait(time.Minute)
}
