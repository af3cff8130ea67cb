package emulator_test

import (
	"fmt"
	"slices"
)

// compare holds what the API and the branches show to the model.
func (s *rig) compare() {
	s.Helper()
	s.drain()
	_, o := s.quiet(keeper, "GET", "/deploy-requests?per_page=100", "")
	if s.drain() > 0 { // looking may be what sends a request back to its checks
		_, o = s.quiet(keeper, "GET", "/deploy-requests?per_page=100", "")
	}
	s.compareBranches()
	seen := 0
	for _, d := range list(o["data"]) {
		number := int(d["number"].(float64))
		if number > len(s.model.requests) {
			s.Fatalf("there is a request #%d that nobody opened", number)
		}
		r := s.model.requests[number-1]
		seen++
		state, want := "closed", "closed"
		if r.open {
			want = "open"
		}
		if v, _ := d["state"].(string); v != "" {
			state = v
		}
		if r.is("complete_cancel", "cancelled") || r.closable {
			want, r.open = state, state == "open" // whether a cancelled request is closed has not been said
		}
		if r.deleted { // what an approval is worth then, nobody has said
			r.approved, _ = d["approved"].(bool)
		}
		dep, _ := d["deployment"].(map[string]any)
		strategy := map[bool]string{false: "serial", true: "parallel"}[r.parallel]
		if r.order > 0 && dep["strategy"] != strategy || dep["auto_delete_branch"] != r.autoDelete || (dep["force_cutover_requested_at"] != nil) != r.forced {
			s.Fatalf("#%d: strategy %v, auto_delete_branch %v, force_cutover_requested_at %v; want %s, %t, forced %t",
				number, dep["strategy"], dep["auto_delete_branch"], dep["force_cutover_requested_at"], strategy, r.autoDelete, r.forced)
		}
		if d["deployment_state"] != r.state || dep["state"] != r.state || state != want || d["approved"] != r.approved || d["branch"] != r.branch.name ||
			d["branch_id"] != r.branch.id || d["branch_deleted"] != r.deleted || dep["auto_cutover"] != r.auto {
			s.Fatalf("#%d is %v %v (deployment %v), approved %v, auto_cutover %v, of branch %v (ours: %t), deleted %v\n  want %s %s, approved %t, auto_cutover %t, of branch %s, deleted %t",
				number, state, d["deployment_state"], dep["state"], d["approved"], dep["auto_cutover"], d["branch"], d["branch_id"] == r.branch.id, d["branch_deleted"],
				want, r.state, r.approved, r.auto, r.branch.name, r.deleted)
		}
		operations, _ := dep["deploy_operations"].([]any)
		switch {
		case r.state == "ready" && (dep["deployable"] != true || len(operations) == 0):
			s.Fatalf("#%d is ready, deployable %v, with %d operations", number, dep["deployable"], len(operations))
		case r.is("pending", "no_changes") && len(operations) > 0:
			s.Fatalf("#%d is %s with %d operations", number, r.state, len(operations))
		case r.is("pending", "no_changes", "error") && dep["deployable"] != false:
			s.Fatalf("#%d is %s and deployable", number, r.state)
		}
		s.compareTables(r, dep)
	}
	if seen != len(s.model.requests) {
		s.Fatalf("%d requests are listed, want %d", seen, len(s.model.requests))
	}
	s.compareQueue()
}

// compareTables holds the tables that a request would change, or changes, to the
// model's.
func (s *rig) compareTables(r *modelRequest, deployment map[string]any) {
	s.Helper()
	var want []string
	switch {
	case r.state == "ready" && !r.tolerated && !r.deleted && r.open:
		x := merge(r.branch.base, r.branch.data, s.model.main().data)
		if x.unclear {
			return
		}
		want = differing(s.model.main().data, x.want)
	case r.order > 0 && r.began:
		want = r.tables
	default:
		return
	}
	if got := tablesOf(deployment); !slices.Equal(got, want) {
		s.Fatalf("#%d, %s, changes %v, want %v%s", r.number, r.state, got, want, s.findings(r.number))
	}
}

// tablesOf names the tables that a deployment changes.
func tablesOf(deployment map[string]any) (names []string) {
	for _, op := range list(deployment["deploy_operations"]) {
		names = append(names, fmt.Sprint(op["table_name"]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func list(data any) (all []map[string]any) {
	each, _ := data.([]any)
	for _, d := range each {
		m, _ := d.(map[string]any)
		all = append(all, m)
	}
	return all
}

// compareQueue holds the queue to the order in which its requests came. Whether
// those in their window or failed are listed, nobody has said.
func (s *rig) compareQueue() {
	s.Helper()
	_, o := s.quiet(keeper, "GET", "/deploy-queue", "")
	var got []int
	for _, d := range list(o["data"]) {
		got = append(got, int(d["deploy_request_number"].(float64)))
	}
	var all []int
	for _, parallel := range []bool{false, true} { // in which order the lanes are listed, nobody has said
		var want []int
		for _, r := range s.model.queue(parallel) {
			rests := r.is("complete_pending_revert", "complete_error", "complete_revert_error", "in_progress_revert", "in_progress_revert_vschema", "in_progress_cancel")
			if !rests || slices.Contains(got, r.number) {
				want = append(want, r.number)
			}
		}
		lane := slices.DeleteFunc(slices.Clone(got), func(n int) bool { return !slices.Contains(want, n) })
		if all = append(all, want...); !slices.Equal(lane, want) {
			s.Fatalf("the lane of the queue %v is %v, want %v", got, lane, want)
		}
	}
	if len(got) != len(all) {
		s.Fatalf("the queue is %v, want %v", got, all)
	}
}

func (s *rig) compareBranches() {
	s.Helper()
	_, o := s.quiet(keeper, "GET", "/branches?per_page=100", "")
	seen := 0
	for _, d := range list(o["data"]) {
		b := s.model.branches[fmt.Sprint(d["name"])]
		if b == nil || d["id"] != b.id {
			s.Fatalf("branch %v is not one of ours", d["name"])
		}
		seen++
		ready, _ := d["ready"].(bool)
		switch {
		case b.ready && !ready:
			s.Fatalf("branch %s is not ready any more", b.name)
		case d["safe_migrations"] != b.safe || d["production"] != b.production:
			s.Fatalf("branch %s: safe_migrations %v, production %v", b.name, d["safe_migrations"], d["production"])
		case !ready, b.ready && !s.stale[b] && s.steps%20 != 0:
			continue
		}
		delete(s.stale, b)
		got := s.look(b)
		if !b.ready {
			i := slices.IndexFunc(b.parents, func(p modelSchema) bool { return p.text(true) == got.text(true) })
			if i < 0 {
				s.Fatalf("branch %s begins with\n%swant one of main's schemas since it was asked for, without rows, such as\n%s", b.name, got.text(true), b.parents[0].text(true))
			}
			b.ready, b.data, b.base, b.parents = true, got, got.clone(false), nil
		}
		if got.text(true) != b.data.text(true) {
			s.Fatalf("branch %s holds\n%swant\n%s", b.name, got.text(true), b.data.text(true))
		}
	}
	for _, b := range s.model.branches {
		if b.doom != nil { // it should be gone by now
			s.spared(b)
		}
	}
	if seen != len(s.model.branches) {
		s.Fatalf("%d branches are listed, want %d", seen, len(s.model.branches))
	}
}

// spared takes in that a branch is still there which a request was to delete.
func (s *rig) spared(b *modelBranch) {
	s.Helper()
	if !slices.Contains(append(s.model.deletion(b), b.doom...), 422) && !s.model.deploying {
		s.Fatalf("auto_delete_branch left branch %s", b.name)
	}
	if b.doom = nil; s.model.deploying {
		s.model.deploying = s.standing("deploying")
	}
}

// gone takes in that a branch was deleted.
func (s *rig) gone(b *modelBranch) {
	s.Logf("    branch %s is gone", b.name)
	if db := s.looks[b.id]; db != nil {
		db.Close()
		delete(s.looks, b.id)
	}
	s.model.gone(b)
}
