package emulator_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever takes a body refuses one that is no JSON object, and one that is too
// large, in the same words, before it does anything.
func TestBadBodies(t *testing.T) {
	s := start(t, memory)
	s.seed()
	s.branch("work")
	s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	s.open("work")
	_, pw := s.call("POST", d+"/branches/work/passwords", "{}")
	_, hook := s.call("POST", d+"/webhooks", `{"url":"http://127.0.0.1:9/"}`)
	for route := range visits().all {
		method, path, _ := strings.Cut(route, " ")
		id, _ := pw["id"].(string)
		if strings.Contains(path, "/webhooks") {
			id, _ = hook["id"].(string)
		}
		path = strings.NewReplacer("{org}", "acme", "{db}", "shop", "{branch}", "work", "{number}", "1", "{id}", id, "{keyspace}", "shop").Replace(path)
		for _, test := range []struct {
			body   string
			status int
			code   string
		}{
			{`{"name":`, 400, "bad_request"},
			{`{} {}`, 400, "bad_request"},
			{"\xff\xfe", 400, "bad_request"},
			{`[]`, 400, "bad_request"},
			{`"text"`, 400, "bad_request"},
			{`7`, 400, "bad_request"},
			{`{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "bad_request"},
		} {
			status, text := s.raw(method, path, test.body, "Authorization", ci.ID+":"+ci.Secret)
			var o struct{ Code, Message string }
			if err := json.Unmarshal(text, &o); err != nil || status != test.status || o.Code != test.code || o.Message == "" {
				t.Errorf("%s with %.20q: %d %s", route, test.body, status, text)
			}
		}
	}
}

// Values that are of the wrong type or that cannot be.
func TestBadValues(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.branch("work")
		const branches = d + "/branches"
		for _, test := range []struct {
			method, path, body string
			status             int
			code               string
		}{
			{"POST", branches, `{"name":7}`, 422, "invalid_params"},
			{"POST", branches, `{"name":null}`, 422, "invalid_params"},
			{"POST", branches, `{"name":["x"]}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"x","deletion_protected":"yes"}`, 422, "invalid_params"},
			{"POST", branches, ``, 422, "invalid_params"},
			{"POST", branches, `null`, 422, "invalid_params"},
			{"POST", branches, `{"name":""}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"Upper"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"under_score"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"with space"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"a/b"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"a.b"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"-a"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"a-"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"é"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"x\u0000"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"` + strings.Repeat("x", 64) + `"}`, 422, "invalid_params"},
			{"POST", branches, `{"name":"` + strings.Repeat("x", 63) + `"}`, 201, ""},
			{"POST", branches, `{"name":"work"}`, 422, "unprocessable"},
			{"POST", branches, `{"name":"x","parent_branch":"nowhere"}`, 404, "not_found"},
			{"POST", branches, `{"name":"x","backup_id":"b1"}`, 422, "unprocessable"},
			{"POST", branches, `{"name":"x","seed_data":"last_successful_backup"}`, 422, "unprocessable"},
			{"PATCH", branches + "/work", `{"new_name":"Upper"}`, 422, "invalid_params"},
			{"PATCH", branches + "/work", `{"new_name":"main"}`, 422, "unprocessable"},
			{"PATCH", branches + "/work", `{"new_name":""}`, 422, "invalid_params"},
			{"PATCH", branches + "/work", `{"deletion_protected":1}`, 422, "invalid_params"},
			{"PUT", branches + "/work/safe-migrations", `{"safe_migrations":"on"}`, 422, "invalid_params"},
			{"PUT", branches + "/work/safe-migrations", `{}`, 400, "bad_request"},
			{"POST", branches + "/work/passwords", `{"ttl":-1}`, 422, "invalid_params"},
			{"POST", branches + "/work/passwords", `{"ttl":1e300}`, 422, "invalid_params"},
			{"POST", branches + "/work/passwords", `{"ttl":"soon"}`, 422, "invalid_params"},
			{"POST", branches + "/work/passwords", `{"cidrs":"all"}`, 422, "invalid_params"},
			{"PATCH", d, `{"default_branch":"nowhere"}`, 422, "invalid_params"},
			{"PATCH", d, `{"require_approval_for_deploy":"yes"}`, 422, "invalid_params"},
			{"PATCH", d + "/throttler", `{"ratio":"half"}`, 422, "invalid_params"},
			{"PATCH", d + "/throttler", `{"ratio":-1}`, 422, "invalid_params"},
			{"POST", d + "/deploy-requests", ``, 422, "invalid_params"},
			{"POST", d + "/deploy-requests", `{"branch":"main","into_branch":"main"}`, 422, ""},
			{"POST", d + "/deploy-requests", `{"branch":"work","auto_cutover":"yes"}`, 422, "invalid_params"},
			{"GET", d + "/deploy-requests/-1", ``, 404, "not_found"},
			{"GET", d + "/deploy-requests/99999999999999999999", ``, 404, "not_found"},
			{"GET", d + "/branches?page=-1", ``, 400, "bad_request"},
			{"GET", d + "/branches?per_page=many", ``, 400, "bad_request"},
		} {
			status, o := s.call(test.method, test.path, test.body)
			if status != test.status || test.code != "" && o["code"] != test.code || status >= 400 && o["message"] == "" {
				t.Errorf("%s %s %.60s: %d %v", test.method, test.path, test.body, status, o)
			}
		}
	})
}
