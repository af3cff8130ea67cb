package emulator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// Terraform's provider knows a database and a branch by their ids once it has
// made them, waits for a branch's state and not for its ready, and asks for the
// database to be made with the branch.
func TestAddressedByID(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		const o = "/v1/organizations/acme"
		visited := visits()
		_, db := s.call("POST", o+"/databases", `{"name":"infra","cluster_size":"PS_10","kind":"mysql"}`)
		byID := fmt.Sprint(o, "/databases/", db["id"])
		_, b := s.call("POST", byID+"/branches", `{"name":"dev","parent_branch":"main","create_database_if_missing":true,"kind":"mysql","cluster_size":"PS_10"}`)
		branch := fmt.Sprint(byID, "/branches/", b["id"])
		s.until("the branch's state is ready", func() bool {
			status, o := s.call("GET", branch, "")
			return status == 200 && o["state"] == "ready"
		})
		_, pw := s.call("POST", branch+"/passwords", `{"name":"app","role":"readwriter"}`)
		s.walk(visited, []step{
			{"GET", byID, "", 200, "database", nil},
			{"PATCH", byID, `{"require_approval_for_deploy":false}`, 200, "database", nil},
			{"PUT", branch + "/safe-migrations", `{"safe_migrations":true}`, 200, "branch", nil},
			{"PATCH", branch, `{"new_name":"renamed","deletion_protected":false}`, 200, "branch", nil},
			{"GET", branch, "", 200, "branch", nil},
			{"GET", byID + "/branches/renamed", "", 200, "branch", nil},
			{"GET", byID + "/branches/dev", "", 404, "error", nil},
			{"GET", branch + "/keyspaces/infra", "", 200, "keyspace", nil},
			{"GET", branch + "/schema", "", 200, "nothing table", nil},
			{"GET", branch + "/schema/lint", "", 200, "empty lint", nil},
			{"GET", fmt.Sprint(branch, "/passwords/", pw["id"]), "", 200, "password", nil},
			{"PATCH", fmt.Sprint(branch, "/passwords/", pw["id"]), `{"name":"app2"}`, 200, "password", nil},
			{"DELETE", fmt.Sprint(branch, "/passwords/", pw["id"]), "", 204, "", nil},
			{"DELETE", branch + "?delete_descendants=false", "", 204, "", nil},
			{"GET", branch, "", 404, "error", nil},
			{"DELETE", branch, "", 404, "error", nil},

			{"POST", o + "/databases/asked/branches", `{"name":"first","create_database_if_missing":true}`, 422, "error", nil},
			{"POST", o + "/databases/asked/branches", `{"name":"No","create_database_if_missing":true,"kind":"mysql"}`, 422, "error", nil},
			{"POST", o + "/databases/asked/branches", `{"name":"first","kind":"mysql"}`, 404, "error", nil},
			{"GET", o + "/databases/asked", "", 404, "error", nil},
			{"POST", o + "/databases/asked/branches", `{"name":"first","create_database_if_missing":true,"kind":"mysql"}`, 201, "branch", nil},
			{"GET", o + "/databases/asked/branches/main", "", 200, "branch", nil},
			{"POST", o + "/databases/again/branches", `{"name":"main","create_database_if_missing":true,"kind":"mysql"}`, 201, "branch", nil},
			{"DELETE", byID, "", 204, "", nil},
			{"GET", byID, "", 404, "error", nil},
		})
		if _, o := s.call("GET", o+"/databases", ""); len(o["data"].([]any)) != 3 {
			t.Errorf("databases: %v", o["data"])
		}
	})
}

// A name is taken for a name, also when it is another's id.
func TestNameBeforeID(t *testing.T) {
	s := start(t, memory)
	main := ok(s.shop.Branch(t.Context(), "main"))(t)
	s.branch(main.ID)
	if _, o := s.call("GET", d+"/branches/"+main.ID, ""); o["name"] != main.ID {
		t.Errorf("%s is branch %v", main.ID, o["name"])
	}
}

// What a database is deleted with goes on in nothing.
func TestDeleteDatabase(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open, func(o *emulator.Options) { o.Knobs.RevertWindow = time.Hour })
		s.seed()
		s.branch("work")
		s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		n := s.open("work")
		s.await(n, planetscale.StateReady)
		s.call("PUT", fmt.Sprint(d, "/deploy-requests/", n, "/auto-apply"), `{"enable":false}`)
		s.deploy(n)
		s.await(n, planetscale.StatePendingCutover)
		if status, o := s.call("DELETE", d, ""); status != 422 {
			t.Fatalf("while a deployment runs: %d %v", status, o)
		}
		s.call("POST", fmt.Sprint(d, "/deploy-requests/", n, "/apply-deploy"), "")
		s.await(n, planetscale.StateCompletePendingRevert)
		_, pw := s.call("POST", d+"/branches/work/passwords", "{}")
		if status, o := s.call("DELETE", d, ""); status != 204 {
			t.Fatalf("in a revert window: %d %v", status, o)
		}
		if _, there := s.e.Access(fmt.Sprint(pw["username"])); there {
			t.Error("its password is still known")
		}
		if err := s.e.Advance(2 * time.Hour); err != nil {
			t.Fatal(err)
		}
		s.until("its data are gone", func() bool {
			_, o := s.call("GET", "/_emulator/state", "")
			return o["dropping"] == nil
		})
		if status, _ := s.call("POST", "/v1/organizations/acme/databases", `{"name":"shop"}`); status != 201 {
			t.Errorf("the same name once more: %d", status)
		}
		if _, o := s.call("GET", d+"/branches/main", ""); o["safe_migrations"] != false {
			t.Errorf("a new database has safe migrations on: %v", o)
		}
	})
}

// What a path may look like besides, and methods that nothing has.
func TestPaths(t *testing.T) {
	s := start(t, memory)
	s.branch("work")
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/organizations/", 200},
		{"GET", d + "/", 200},
		{"GET", d + "/branches/", 200},
		{"GET", d + "/branches/?q=work&page=1", 200},
		{"GET", d + "/branches/wo%72k/", 200},
		{"GET", d + "/branches/work%2Fschema", 404},
		{"GET", d + "/branches/work%2F", 404},
		{"GET", d + "/branches//work", 404},
		{"GET", d + "/branches/../branches/work", 404},
		{"HEAD", d + "/branches/work", 200},
		{"HEAD", d + "/branches/nowhere", 404},
		{"PUT", d, 404},
		{"OPTIONS", d, 404},
		{"BREW", d + "/branches", 404},
		{"GET", "/v1", 404},
		{"GET", "/v2/organizations", 404},
		{"POST", "/_emulator/as/ann" + d + "/branches/work/refresh-schema/", 204},
		{"GET", "/_emulator/as/ann" + d + "/branches/work%2Fschema", 404},
		{"GET", "/_emulator/as/ann" + d + "/branches/wo%72k", 200},
	} {
		status, text := s.raw(test.method, test.path, "", "Authorization", ci.ID+":"+ci.Secret)
		if status != test.status {
			t.Errorf("%s %s: %d %s", test.method, test.path, status, text)
		}
		if test.method == "HEAD" || status != 404 {
			continue
		}
		var o map[string]any
		if err := json.Unmarshal(text, &o); err != nil || o["code"] != "not_found" || o["message"] != "Not Found" {
			t.Errorf("%s %s: %s", test.method, test.path, text)
		}
	}
}

// Clients written in Go decode into times and whole numbers without a way to
// say null. Such answers must fit.
func TestTypedClients(t *testing.T) {
	type operation struct {
		ETA       int64     `json:"eta_seconds"`
		Progress  uint64    `json:"progress_percentage"`
		CreatedAt time.Time `json:"created_at"`
	}
	type deployment struct {
		State       string      `json:"state"`
		Number      uint64      `json:"deploy_request_number"`
		CheckErrors string      `json:"deploy_check_errors"`
		PauseReason string      `json:"queue_pause_reason"`
		Operations  []operation `json:"deploy_operations"`
		QueuedAt    *time.Time  `json:"queued_at"`
		UpdatedAt   time.Time   `json:"updated_at"`
	}
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.CopyPerRow = time.Hour })
	s.seed()
	s.branch("work")
	s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	n := s.open("work")
	s.await(n, planetscale.StateReady)
	s.deploy(n)
	s.await(n, planetscale.StateInProgress)
	_, pw := s.call("POST", d+"/branches/work/passwords", "")
	for path, into := range map[string]any{
		"/deploy-requests/1": &struct {
			Number     uint64     `json:"number"`
			Deployment deployment `json:"deployment"`
			ClosedAt   *time.Time `json:"closed_at"`
		}{},
		"/deploy-requests/1/deployment": &deployment{},
		"/deploy-queue": &struct {
			Data []deployment `json:"data"`
		}{},
		"/deploy-requests/1/operations": &struct {
			Data []operation `json:"data"`
		}{},
		"/deploy-requests/1/throttler": &struct {
			Configurations []struct {
				Ratio float64 `json:"ratio"`
			} `json:"configurations"`
		}{},
		fmt.Sprint("/branches/work/passwords/", pw["id"]): &struct {
			DeletedAt time.Time `json:"deleted_at"`
			ExpiresAt time.Time `json:"expires_at"`
			TTL       int       `json:"ttl_seconds"`
			PlainText string    `json:"plain_text"`
		}{},
		"/branches/work/keyspaces": &struct {
			Data []struct {
				Replicas uint64 `json:"replicas"`
				Shards   int    `json:"shards"`
			} `json:"data"`
		}{},
	} {
		status, text := s.raw("GET", d+path, "", "Authorization", ci.ID+":"+ci.Secret)
		if status != 200 {
			t.Errorf("%s: %d", path, status)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Errorf("%s: %v in %s", path, err, text)
		}
	}
	if pw["ttl_seconds"] != nil || pw["expires_at"] != nil || !strings.HasPrefix(fmt.Sprint(pw["plain_text"]), "pscale_pw_") {
		t.Errorf("a password without an end: %v", pw)
	}
}

// An operation names the foreign keys that it drops, and so does its summary.
func TestRemovedForeignKeys(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		s.seed()
		s.call("PATCH", d, `{"allow_foreign_key_constraints":true}`)
		s.sql("main", "CREATE TABLE orders (id int NOT NULL, user_id bigint unsigned, PRIMARY KEY (id), KEY k (user_id), CONSTRAINT fk_user FOREIGN KEY (user_id) REFERENCES users (id))")
		s.branch("work")
		s.sql("work", "ALTER TABLE orders DROP FOREIGN KEY fk_user", "ALTER TABLE users ADD COLUMN nick varchar(40)")
		s.await(s.open("work"), planetscale.StateReady)
		_, o := s.call("GET", d+"/deploy-requests/1/deployment", "")
		for _, list := range []string{"deploy_operations", "deploy_operation_summaries"} {
			for _, item := range o[list].([]any) {
				op := item.(map[string]any)
				want := map[any]string{"orders": "[fk_user]", "users": "[]"}[op["table_name"]]
				if got := fmt.Sprint(op["removed_foreign_key_names"]); got != want {
					t.Errorf("%s of %v: %s, want %s", list, op["table_name"], got, want)
				}
			}
		}
	})
}
