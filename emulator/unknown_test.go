package emulator_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// unknown starts an emulator under one answer to an open question, given as on
// the command line, with a request of the branch work that is ready.
func unknown(t *testing.T, open opener, on bool, question string, knobs emulator.Knobs) (*stage, int) {
	t.Helper()
	s := start(t, open, func(o *emulator.Options) {
		o.Knobs = knobs
		if !on {
			return
		}
		if err := o.Unknowns.Set(question); err != nil {
			t.Fatal(err)
		}
	})
	s.seed()
	return s, s.change("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
}

// refusedIf wants an error of a call, or none.
func (s *stage) refusedIf(refused bool, what string, err error) {
	s.Helper()
	var answered *planetscale.Error
	if (err != nil) != refused || refused && !(errors.As(err, &answered) && answered.Status == 422) {
		s.Errorf("%s: %v, want it refused: %t", what, err, refused)
	}
}

// The six questions about the platform, and both answers to each.
func TestUnknowns(t *testing.T) {
	hour := time.Hour
	for question, test := range map[string]struct {
		knobs emulator.Knobs
		check func(s *stage, n int, on bool)
	}{
		"close_queued": {emulator.Knobs{Queue: hour, Submit: time.Millisecond}, func(s *stage, n int, on bool) {
			s.deploy(n)
			_, err := s.shop.CloseDeployRequest(s.Context(), n)
			s.refusedIf(!on, "close of a queued request", err)
			dr := ok(s.shop.DeployRequest(s.Context(), n))(s)
			if closed := dr.State == planetscale.RequestClosed; closed != on || dr.DeploymentState != planetscale.StateQueued {
				s.Errorf("afterwards it is %s, %s", dr.State, dr.DeploymentState)
			}
			// What is closed stands in nobody's way, and its branch can go.
			s.refusedIf(!on, "deletion of its branch", s.shop.DeleteBranch(s.Context(), "work"))
			advance(s, 2*hour)
			if on {
				if q := ok(s.shop.DeployQueue(s.Context()))(s); len(q) != 0 {
					s.Errorf("queue %+v", q)
				}
				return
			}
			s.await(n, planetscale.StateComplete)
		}},
		"branch_delete_keeps_request": {emulator.Knobs{}, func(s *stage, n int, on bool) {
			if err := s.shop.DeleteBranch(s.Context(), "work"); err != nil {
				s.Fatal(err)
			}
			dr := ok(s.shop.DeployRequest(s.Context(), n))(s)
			if open := dr.State == planetscale.RequestOpen; open != on || !dr.BranchDeleted {
				s.Errorf("afterwards it is %s, branch deleted %t", dr.State, dr.BranchDeleted)
			}
			if !on && (dr.ClosedBy == nil || dr.ClosedBy.DisplayName != "ci") {
				s.Errorf("closed by %+v", dr.ClosedBy)
			}
			_, err := s.shop.Deploy(s.Context(), n, false)
			s.refusedIf(true, "deploy without a branch", err)
			_, err = s.shop.CloseDeployRequest(s.Context(), n)
			s.refusedIf(!on, "close", err)
		}},
		"branch_delete_refused_in_window": {emulator.Knobs{RevertWindow: hour}, func(s *stage, n int, on bool) {
			s.deploy(n)
			s.await(n, planetscale.StateCompletePendingRevert)
			s.refusedIf(on, "delete in the window", s.shop.DeleteBranch(s.Context(), "work"))
			if !on { // the revert needs no branch
				ok(s.shop.RevertDeploy(s.Context(), n))(s)
				s.await(n, planetscale.StateCompleteRevert)
				if got := s.columns("main", "users"); got != "id email" {
					s.Errorf("main has %s", got)
				}
				return
			}
			ok(s.shop.SkipRevert(s.Context(), n))(s)
			s.await(n, planetscale.StateComplete)
			s.refusedIf(false, "delete after the window", s.shop.DeleteBranch(s.Context(), "work"))
		}},
		"expired_passwords_hidden": {emulator.Knobs{}, func(s *stage, n int, on bool) {
			p := s.password("work", "reader", time.Minute)
			s.password("work", "reader", hour)
			lists := func(want int) {
				s.Helper()
				_, all := s.call("GET", d+"/passwords", "")
				if l := ok(s.shop.Passwords(s.Context(), "work"))(s); len(l) != want || len(all["data"].([]any)) != want {
					s.Errorf("%d of the branch and %d of the database, want %d", len(l), len(all["data"].([]any)), want)
				}
			}
			lists(2)
			advance(s, time.Minute)
			lists(map[bool]int{false: 2, true: 1}[on])
			// Who asks for them is shown them, whatever the answer.
			if _, o := s.call("GET", d+"/branches/work/passwords?status=expired", ""); len(o["data"].([]any)) != 1 || o["data"].([]any)[0].(map[string]any)["expired"] != true {
				s.Errorf("expired: %v", o)
			}
			if _, o := s.call("GET", d+"/branches/work/passwords?status=active", ""); len(o["data"].([]any)) != 1 {
				s.Errorf("active: %v", o)
			}
			_, err := s.shop.RenewPassword(s.Context(), "work", p.ID)
			s.refusedIf(true, "renewal of an expired password", err)
		}},
		"notes_limit=100": {emulator.Knobs{}, func(s *stage, n int, on bool) {
			for length, long := range map[int]bool{100: false, 101: true, 500_000: true} {
				_, err := s.shop.CreateDeployRequest(s.Context(), planetscale.NewDeployRequest{Branch: "work", IntoBranch: "main", Notes: strings.Repeat("n", length)})
				s.refusedIf(on && long, itoa(length)+" bytes of notes", err)
				if err == nil {
					if l := ok(s.shop.DeployRequests(s.Context(), planetscale.DeployRequestFilter{}))(s); len(l[0].Notes) != length {
						s.Errorf("%d bytes of notes became %d", length, len(l[0].Notes))
					}
				}
			}
		}},
		"bad_token_hidden": {emulator.Knobs{}, func(s *stage, n int, on bool) {
			hidden := map[bool]int{false: 401, true: 404}[on]
			for path, want := range map[string]int{d: hidden, d + "/branches": hidden, "/v1/organizations": 401} {
				if status, text := s.raw("GET", path, "", "Authorization", ci.ID+":wrong"); status != want {
					s.Errorf("GET %s with a wrong token: %d %s", path, status, text)
				}
			}
		}},
		"one_request_per_branch": {emulator.Knobs{}, func(s *stage, n int, on bool) {
			_, err := s.shop.CreateDeployRequest(s.Context(), planetscale.NewDeployRequest{Branch: "work", IntoBranch: "main"})
			s.refusedIf(on, "a second request", err)
			if on {
				ok(s.shop.CloseDeployRequest(s.Context(), n))(s)
				s.open("work")
			}
		}},
	} {
		for _, on := range []bool{false, true} {
			t.Run(question+" "+map[bool]string{false: "off", true: "on"}[on], func(t *testing.T) {
				engines := onMemory
				if strings.HasPrefix(question, "branch_delete") { // what an engine has a part in
					engines = eachEngine
				}
				engines(t, func(t *testing.T, open opener) {
					s, n := unknown(t, open, on, question, test.knobs)
					test.check(s, n, on)
				})
			})
		}
	}
}

// The same switches while it runs.
func TestUnknownsOverHTTP(t *testing.T) {
	s := start(t, memory)
	all := `{"close_queued":true,"branch_delete_keeps_request":true,"branch_delete_refused_in_window":true,"expired_passwords_hidden":true,"notes_limit":10,` +
		`"one_request_per_branch":true,"history_replaces":true,"instant_copies_no_history":true,"cancel_ends_cancelled":true,"bad_token_hidden":true}`
	for _, body := range []string{all, `{"notes_limit":10}`} {
		if status, o := s.call("PATCH", "/_emulator/unknowns", body); status != 200 {
			t.Fatal(status, o)
		}
		_, text := s.raw("GET", "/_emulator/unknowns", "")
		if strings.TrimSpace(string(text)) != all { // PATCH changes what it names
			t.Errorf("%s", text)
		}
	}
	// A slip of the pen is told, not ignored.
	for _, bad := range [][3]string{
		{"PATCH", "unknowns", `{"notes_limit":"many"}`}, {"PATCH", "unknowns", `{"notes_limit":-1}`}, {"PATCH", "unknowns", `{"nothing":true}`},
		{"PATCH", "knobs", `{"queue":"-1s"}`}, {"PATCH", "knobs", `{"queu":"1s"}`}, {"POST", "advance", `{"time":"1s"}`},
		{"POST", "faults", `{"do":"delay","patch":"x"}`}, {"POST", "sql", `{"database":"shop","sequel":"SELECT 1"}`},
		{"POST", "import", `{"database":"shop","row":{}}`}, {"POST", "databases", `{"nam":"x"}`},
	} {
		if status, o := s.call(bad[0], "/_emulator/"+bad[1], bad[2]); status != 422 && status != 400 {
			t.Errorf("%v: %d %v", bad, status, o)
		}
	}
}
