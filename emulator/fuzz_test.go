package emulator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
)

// Whatever a client sends, the answer is JSON in a documented shape, and the
// next client is served.
func FuzzHTTP(f *testing.F) {
	for _, seed := range [][3]string{
		{"GET", "/v1/organizations", ""},
		{"POST", d + "/branches", `{"name":"x","parent_branch":"main"}`},
		{"GET", d + "/branches?page=9999999999999999999&per_page=-1", ""},
		{"PATCH", d, `{"default_branch":"main","migration_table_name":7}`},
		{"POST", d + "/branches/main/passwords", `{"ttl":9223372036854775807}`},
		{"POST", d + "/deploy-requests", `{"branch":"main","into_branch":"main"}`},
		{"POST", d + "/deploy-requests/1/deploy", `[]`},
		{"GET", d + "/deploy-requests/%31", "null"},
		{"DELETE", d + "/branches/main?delete_descendants=x", ""},
		{"GET", "//v1/../..", ""},
		{"GET", "/_emulator/as/%00/v1/organizations", ""},
		{"POST", "/_emulator/advance", `{"duration":"1h"}`},
		{"DELETE", "/_emulator/faults/0", ""},
		{"PATCH", d + "/branches/main/keyspaces/shop/vschema", `{"vschema":"{\"tables\":{\"t\":{\"type\":7}}}"}`},
		{"PATCH", d + "/branches/main/routing-rules", `{"routing_rules":"{\"rules\":[[]]}"}`},
		{"GET", "/_emulator/state?x=%zz", ""},
		{"POST", d + "/webhooks", `{"url":"http://127.0.0.1:1/","events":["branch.ready"]}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	engine, err := emulator.NewMemory(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	e, err := emulator.New(f.Context(), emulator.Options{Databases: []string{"shop"}, Engine: engine})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { e.Close() })
	ask := func(t testing.TB, path string) map[string]any {
		t.Helper()
		r := httptest.NewRequest("GET", "http://127.0.0.1"+path, nil)
		r.Header.Set("Authorization", "other:client")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		var o map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil || w.Code != 200 {
			t.Fatalf("another client: %s: %d %s", path, w.Code, w.Body)
		}
		return o
	}
	// working is what may go on in the background, for what there is.
	working := func(t testing.TB) int {
		t.Helper()
		n := 2 // the passwords' times, and a branch being dropped
		for _, o := range ask(t, "/_emulator/state")["organizations"].([]any) {
			for _, db := range o.(map[string]any)["databases"].([]any) {
				for _, kind := range []string{"branches", "deploy_requests", "webhooks"} {
					list, _ := db.(map[string]any)[kind].([]any)
					n += len(list)
				}
			}
		}
		return n
	}
	idle := runtime.NumGoroutine()
	f.Fuzz(func(t *testing.T, method, target, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Path == "/_emulator/faults" || u.Path == "/_emulator/sql" || u.Path == "/_emulator/import" {
			t.Skip() // faults do what they are told, and SQL is the engine's
		}
		r, err := http.NewRequest(method, "http://127.0.0.1/", strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
		r.Header.Set("Authorization", "id:secret")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > idle+working(t); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d when idle:\n%s", runtime.NumGoroutine(), idle, stacks[:runtime.Stack(stacks, true)])
			}
		}
		if w.Code == http.StatusNoContent {
			return
		}
		var o map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
			t.Fatalf("%d %q: %v", w.Code, w.Body, err)
		}
		if w.Code >= 400 && (o["code"] == "" || o["message"] == "") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}
