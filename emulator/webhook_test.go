package emulator_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// receiver is somebody's webhook endpoint.
type receiver struct {
	mu       sync.Mutex
	secret   string
	status   func(n int) int
	tries    int
	events   []string
	unsigned int
	resource map[string]any
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries++
	if r.status != nil {
		if status := r.status(r.tries); status != 200 {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			return
		}
	}
	mac := hmac.New(sha256.New, []byte(r.secret))
	mac.Write(body)
	if q.Header.Get("X-PlanetScale-Signature") != hex.EncodeToString(mac.Sum(nil)) {
		r.unsigned++
	}
	var o struct {
		Timestamp    int64
		Event        string
		Organization string
		Database     string
		Resource     map[string]any
	}
	if err := json.Unmarshal(body, &o); err != nil || o.Timestamp == 0 || o.Organization != "acme" || o.Database != "shop" {
		r.unsigned++
	}
	r.events, r.resource = append(r.events, o.Event), o.Resource
}

func (r *receiver) seen() (events []string, tries, unsigned int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events), r.tries, r.unsigned
}

func (s *stage) webhook(url string, events ...string) map[string]any {
	s.Helper()
	list, _ := json.Marshal(events)
	status, o := s.call("POST", d+"/webhooks", `{"url":"`+url+`","enabled":true,"events":`+string(list)+`}`)
	if status != 201 {
		s.Fatal(status, o)
	}
	return o
}

func TestWebhookEvents(t *testing.T) {
	s := start(t, memory, func(o *emulator.Options) { o.Knobs.RevertWindow = time.Hour })
	s.seed()
	hook := &receiver{}
	server := httptest.NewServer(hook)
	defer server.Close()
	o := s.webhook(server.URL+"/hook", "branch.ready", "deploy_request.opened", "deploy_request.queued", "deploy_request.in_progress",
		"deploy_request.pending_cutover", "deploy_request.schema_applied", "deploy_request.errored", "deploy_request.reverted", "deploy_request.closed")
	hook.mu.Lock()
	hook.secret = o["secret"].(string)
	hook.mu.Unlock()

	s.branch("work")
	s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
	n := s.open("work")
	s.await(n, planetscale.StateReady)
	s.deploy(n)
	s.await(n, planetscale.StateCompletePendingRevert)
	if _, err := s.shop.RevertDeploy(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	s.await(n, planetscale.StateCompleteRevert)
	s.sql("work", "CREATE TABLE keyless (a int)")
	n = s.open("work")
	s.await(n, planetscale.StateError)
	want := "branch.ready deploy_request.opened deploy_request.queued deploy_request.in_progress deploy_request.pending_cutover " +
		"deploy_request.schema_applied deploy_request.reverted deploy_request.closed deploy_request.opened deploy_request.errored"
	s.until("all events are delivered", func() bool {
		events, _, _ := hook.seen()
		return strings.Join(events, " ") == want
	})
	if _, _, unsigned := hook.seen(); unsigned > 0 {
		t.Errorf("%d deliveries were not signed, or said too little", unsigned)
	}
	if hook.resource["type"] != "DeployRequest" || hook.resource["deployment_state"] != "error" {
		t.Errorf("the last one is about %v", hook.resource)
	}
	_, state := s.call("GET", "/_emulator/state", "")
	if text, _ := json.Marshal(state); strings.Contains(string(text), hook.secret) {
		t.Error("the dumped state tells the secret")
	}
}

// What is not taken is tried again, a few times; a redirect is not followed.
func TestWebhookDelivery(t *testing.T) {
	s := start(t, memory)
	for name, test := range map[string]struct {
		status  func(n int) int
		tries   int
		success bool
		result  string
	}{
		"at once":        {nil, 1, true, "200"},
		"at last":        {func(n int) int { return map[bool]int{true: 200, false: 500}[n == 3] }, 3, true, "200"},
		"never":          {func(int) int { return 500 }, 3, false, "500"},
		"moved, refused": {func(int) int { return 302 }, 3, false, "302"},
	} {
		t.Run(name, func(t *testing.T) {
			hook := &receiver{status: test.status}
			server := httptest.NewServer(hook)
			defer server.Close()
			id := s.webhook(server.URL, "webhook.test")["id"].(string)
			if status, o := s.call("POST", d+"/webhooks/"+id+"/test", ""); status != 204 {
				t.Fatal(status, o)
			}
			if status, _ := s.call("POST", d+"/webhooks/"+id+"/test", ""); status != 422 {
				t.Errorf("a second test within 20 s: %d", status)
			}
			var o map[string]any
			s.until("the delivery is over", func() bool {
				_, o = s.call("GET", d+"/webhooks/"+id, "")
				return o["last_sent_at"] != nil
			})
			_, tries, _ := hook.seen()
			if tries != test.tries || o["last_sent_success"] != test.success || !strings.HasPrefix(o["last_sent_result"].(string), test.result) {
				t.Errorf("%d tries, %v, %v", tries, o["last_sent_success"], o["last_sent_result"])
			}
			s.call("DELETE", d+"/webhooks/"+id, "")
		})
	}
	id := s.webhook("https://192.0.2.1/hook", "webhook.test")["id"].(string)
	s.call("POST", d+"/webhooks/"+id+"/test", "")
	var o map[string]any
	s.until("a delivery to another machine is refused", func() bool {
		_, o = s.call("GET", d+"/webhooks/"+id, "")
		return o["last_sent_success"] == false
	})
	if !strings.Contains(o["last_sent_result"].(string), "loopback") {
		t.Errorf("%v", o["last_sent_result"])
	}
}

// A webhook is disabled when it is made, unless asked for otherwise.
func TestWebhookBegins(t *testing.T) {
	s := start(t, memory)
	for body, want := range map[string]bool{`{"url":"https://example.com/"}`: false, `{"url":"https://example.com/","enabled":true}`: true} {
		status, o := s.call("POST", d+"/webhooks", body)
		if status != 201 || o["enabled"] != want {
			t.Errorf("%s: %d %v", body, status, o)
		}
		if status, o = s.call("PATCH", d+"/webhooks/"+o["id"].(string), `{"enabled":true}`); status != 200 || o["enabled"] != true {
			t.Errorf("%s: %d %v", body, status, o)
		}
	}
}

func TestWebhookContract(t *testing.T) {
	s := start(t, memory)
	hook := d + "/webhooks"
	id := s.webhook("https://example.com/hook", "branch.ready")["id"].(string)
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", hook, `{}`, 422},
		{"POST", hook, `{"url":"http://example.com/"}`, 422},
		{"POST", hook, `{"url":"http://127.0.0.1.example.com/"}`, 422},
		{"POST", hook, `{"url":"ftp://127.0.0.1/"}`, 422},
		{"POST", hook, `{"url":"https://user:secret@127.0.0.1/"}`, 422},
		{"POST", hook, `{"url":"https://example.com/","events":["branch.lost"]}`, 422},
		{"POST", hook, `{"url":"http://[::1]:9/","enabled":false}`, 201},
		{"PATCH", hook + "/" + id, `{"events":["deploy_request.closed"],"enabled":false}`, 200},
		{"PATCH", hook + "/" + id, `{"url":"nowhere"}`, 422},
		{"GET", hook + "/" + id, "", 200},
		{"GET", hook + "/nowhere", "", 404},
		{"POST", hook, `{"url":"https://example.com/3"}`, 201},
		{"POST", hook, `{"url":"https://example.com/4"}`, 201},
		{"POST", hook, `{"url":"https://example.com/5"}`, 201},
		{"POST", hook, `{"url":"https://example.com/6"}`, 422},
		{"GET", hook, "", 200},
		{"DELETE", hook + "/" + id, "", 204},
		{"DELETE", hook + "/" + id, "", 404},
	} {
		what := step.method + " " + step.path + " " + step.body
		status, o := s.call(step.method, step.path, step.body)
		switch {
		case status != step.status:
			t.Errorf("%s: %d %v, want %d", what, status, o, step.status)
		case status >= 400:
			s.has(what, "error", o)
		case o["data"] != nil:
			s.has(what, "list", o)
			if n := len(o["data"].([]any)); n != 5 {
				t.Errorf("%d webhooks", n)
			}
		case o != nil:
			s.has(what, "webhook", o)
		}
	}
}
