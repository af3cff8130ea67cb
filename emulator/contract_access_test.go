package emulator_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

func TestTokens(t *testing.T) {
	reader := emulator.Token{ID: "reader", Secret: "s", Permissions: []string{"read_database", "read_branch", "read_deploy_request", "connect_production_read_only_branch"}}
	// Who may delete production branches may not therefore delete others.
	remover := emulator.Token{ID: "remover", Secret: "s", Permissions: []string{"delete_production_branch"}}
	s := start(t, memory, func(o *emulator.Options) { o.Tokens = append(o.Tokens, reader, remover) })
	s.branch("work")
	for _, test := range []struct {
		method, path, body, authorization string
		status                            int
	}{
		{"GET", d, "", "", 401},
		{"GET", d, "", "nobody:s", 401},
		{"GET", d, "", "reader:wrong", 401},
		{"GET", d, "", "reader", 401},
		{"GET", d, "", "s:reader", 401},
		{"GET", "/v1/nowhere", "", "", 401},
		{"GET", d, "", "reader:s", 200},
		{"GET", d, "", "Bearer reader:s", 200},
		{"GET", d + "/branches", "", "reader:s", 200},
		{"POST", d + "/branches", `{"name":"x"}`, "reader:s", 404},
		{"PATCH", d, `{}`, "reader:s", 404},
		{"GET", d + "/deploy-requests", "", "reader:s", 200},
		{"POST", d + "/deploy-requests", `{}`, "reader:s", 404},
		{"POST", d + "/branches/main/passwords", `{"role":"reader"}`, "reader:s", 201},
		{"POST", d + "/branches/main/passwords", `{"role":"admin"}`, "reader:s", 404},
		{"DELETE", d + "/branches/work", "", "remover:s", 404},
		{"DELETE", d + "/branches/work", "", "reader:s", 404},
	} {
		if status, text := s.raw(test.method, test.path, test.body, "Authorization", test.authorization); status != test.status {
			t.Errorf("%s %s as %q: %d %s", test.method, test.path, test.authorization, status, text)
		}
	}
	for _, ev := range s.seen() {
		if strings.Contains(fmt.Sprint(ev), "pscale_tkn") {
			t.Errorf("an event tells a secret: %v", ev)
		}
	}
}

func TestLimits(t *testing.T) {
	s := start(t, memory)
	if status, text := s.raw("POST", d+"/branches", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`, "Authorization", "ciciciciciic:pscale_tkn_ci"); status != 413 || !strings.Contains(string(text), "too large") {
		t.Errorf("a huge body: %d %s", status, text)
	}
	_, o := s.call("GET", d+"/branches", "")
	if n := len(o["data"].([]any)); n != 1 {
		t.Errorf("%d branches", n)
	}
}

func TestPostgres(t *testing.T) {
	s := start(t, memory)
	if status, o := s.call("POST", "/_emulator/databases", `{"name":"pg","kind":"postgresql"}`); status != 201 || o["kind"] != "postgresql" {
		t.Fatal(status, o)
	}
	for _, path := range []string{"/deploy-requests", "/branches/main/passwords", "/deploy-queue"} {
		if status, _ := s.call("GET", "/v1/organizations/acme/databases/pg"+path, ""); status != 422 {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, o := s.call("POST", "/_emulator/databases", `{"name":"open","direct_ddl":true}`); status != 201 {
		t.Fatal(status, o)
	}
	if b := ok(s.client.DB("acme", "open").Branch(t.Context(), "main"))(t); b.SafeMigrations || !b.Production {
		t.Errorf("%+v", b)
	}
	dbs := ok(s.client.Databases(t.Context(), "acme"))(t)
	if !slices.ContainsFunc(dbs, func(db planetscale.Database) bool { return db.Name == "pg" }) {
		t.Errorf("databases: %+v", dbs)
	}
}
