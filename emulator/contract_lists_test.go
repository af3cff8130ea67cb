package emulator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pmig/pmig/planetscale"
)

func TestPaging(t *testing.T) {
	s := start(t, memory)
	s.branch("work")
	for range 30 {
		s.call("POST", d+"/branches/work/passwords", "{}")
	}
	for _, test := range []struct {
		query            string
		status           int
		items, next, per int
	}{
		{"", 200, 25, 2, 25},
		{"?page=2", 200, 5, 0, 25},
		{"?page=9", 200, 0, 0, 25},
		{"?per_page=10&page=2", 200, 10, 3, 10},
		{"?per_page=1000", 200, 30, 0, 100},
		{"?page=0", 400, 0, 0, 0},
		{"?page=x", 400, 0, 0, 0},
	} {
		status, o := s.call("GET", d+"/branches/work/passwords"+test.query, "")
		if status != test.status {
			t.Errorf("%s: %d", test.query, status)
		}
		if status != 200 {
			continue
		}
		next := 0
		if n, is := o["next_page"].(float64); is {
			next = int(n)
			if u := o["next_page_url"].(string); !strings.Contains(u, "page="+itoa(next)) || !strings.HasPrefix(u, "http://127.0.0.1/v1/") {
				t.Errorf("%s: next page at %s", test.query, u)
			}
		}
		if n := len(o["data"].([]any)); n != test.items || next != test.next || o["per_page"] != float64(test.per) || o["total_count"] != 30.0 {
			t.Errorf("%s: %d items, next %d, %v per page, %v in all", test.query, n, next, o["per_page"], o["total_count"])
		}
	}
	if all := ok(s.shop.Passwords(t.Context(), "work"))(t); len(all) != 30 {
		t.Errorf("the client finds %d passwords", len(all))
	}
}

func TestFilters(t *testing.T) {
	s := start(t, memory)
	s.seed()
	s.branch("one")
	s.branch("two")
	s.sql("one", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
	s.call("POST", d+"/branches/two/safe-migrations", "")
	n := s.open("one")
	s.await(n, planetscale.StateReady)
	s.deploy(n)
	s.await(n, planetscale.StateComplete)
	s.open("two")
	s.await(2, planetscale.StateReady, planetscale.StateNoChanges)
	for path, want := range map[string]string{
		"/branches?q=wo":                                      "two",
		"/branches?production=true":                           "main",
		"/branches?production=false":                          "one two",
		"/branches?safe_migrations=true":                      "main two",
		"/branches?order=desc":                                "two one main",
		"/deploy-requests":                                    "2 1",
		"/deploy-requests?state=open":                         "2",
		"/deploy-requests?state=closed":                       "1",
		"/deploy-requests?state=deployed":                     "1",
		"/deploy-requests?branch=one":                         "1",
		"/deploy-requests?into_branch=two":                    "",
		"/deploy-requests?deployed_at=2020-01-01T00:00:00Z..": "1",
		"/deploy-requests?running_at=..2020-01-01T00:00:00Z":  "",
	} {
		_, o := s.call("GET", d+path, "")
		var got []string
		data, _ := o["data"].([]any)
		for _, item := range data {
			m := item.(map[string]any)
			if m["number"] != nil {
				got = append(got, fmt.Sprint(m["number"]))
			} else {
				got = append(got, fmt.Sprint(m["name"]))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", path, got, want)
		}
	}
	for _, path := range []string{"/branches?production=maybe", "/deploy-requests?state=lost", "/deploy-requests?deployed_at=today", "/passwords?status=x"} {
		s.branch2password()
		if status, _ := s.call("GET", d+path, ""); status != 400 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// branch2password makes sure that there is a password to filter.
func (s *stage) branch2password() {
	s.Helper()
	if status, o := s.call("POST", d+"/branches/two/passwords", "{}"); status != 201 {
		s.Fatal(status, o)
	}
}
