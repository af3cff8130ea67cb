package emulator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// stage is an emulator under test, with a client of the platform.
type stage struct {
	*testing.T
	e      *emulator.Emulator
	client *planetscale.Client
	shop   *planetscale.DB
	pause  time.Duration // between two looks

	mu     sync.Mutex
	events []emulator.Event
}

var ci = emulator.Token{ID: "ciciciciciic", Secret: "pscale_tkn_ci", Name: "ci"}

// start makes an emulator with the database acme/shop. Whatever it reports as
// an error fails the test.
func start(t *testing.T, open opener, change ...func(*emulator.Options)) *stage {
	t.Helper()
	s := &stage{T: t, pause: 5 * time.Millisecond}
	engine, err := open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := emulator.Options{Databases: []string{"shop"}, Engine: engine, Tokens: []emulator.Token{ci}, Events: s.event}
	for _, c := range change {
		c(&o)
	}
	if s.e, err = emulator.New(t.Context(), o); err != nil {
		engine.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.e.Close(); err != nil {
			t.Error(err)
		}
		for _, ev := range s.seen() {
			if ev.Kind == emulator.EventError {
				t.Errorf("error event: %s %s", ev.Subject, ev.Text)
			}
		}
	})
	s.client, err = planetscale.New(planetscale.Options{Address: "http://127.0.0.1/", TokenID: ci.ID, Token: planetscale.Secret(ci.Secret),
		Transport: s.e.Transport(), PerMinute: 60000})
	if err != nil {
		t.Fatal(err)
	}
	s.shop = s.client.DB("acme", "shop")
	return s
}

func (s *stage) event(ev emulator.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, ev)
}

func (s *stage) seen() []emulator.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]emulator.Event(nil), s.events...)
}

// states are the states that a deploy request went through.
func (s *stage) states(subject string) (all []planetscale.State) {
	for _, ev := range s.seen() {
		if ev.Kind == emulator.EventDeployRequest && ev.Subject == subject && (len(all) == 0 || all[len(all)-1] != ev.State) {
			all = append(all, ev.State)
		}
	}
	return all
}

// sql runs statements on a branch past every rule.
func (s *stage) sql(branch string, statements ...string) *emulator.Result {
	s.Helper()
	var r *emulator.Result
	for _, text := range statements {
		var err error
		if r, err = s.e.SQL(s.Context(), "acme", "shop", branch, text); err != nil {
			s.Fatalf("%s: %v", text, err)
		}
	}
	return r
}

// call makes a request as a token, or with a path under /_emulator/as/ as a
// person, and returns the status and the answer.
func (s *stage) call(method, path, body string) (int, map[string]any) {
	s.Helper()
	status, text := s.raw(method, path, body, "Authorization", ci.ID+":"+ci.Secret)
	var o map[string]any
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &o); err != nil {
			s.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return status, o
}

// ask is call for an answer that may be a list without an envelope.
func (s *stage) ask(method, path, body string) (status int, answer any) {
	s.Helper()
	status, text := s.raw(method, path, body, "Authorization", ci.ID+":"+ci.Secret)
	if len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			s.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return status, answer
}

func (s *stage) raw(method, path, body string, header ...string) (int, []byte) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := s.e.Transport().RoundTrip(r)
	if err != nil {
		s.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, text
}

// branch makes a branch of main and waits until it is ready.
func (s *stage) branch(name string) *planetscale.Branch {
	s.Helper()
	if _, err := s.shop.CreateBranch(s.Context(), planetscale.NewBranch{Name: name, Parent: "main"}); err != nil {
		s.Fatal(err)
	}
	var b *planetscale.Branch
	s.until("branch "+name+" is ready", func() bool {
		var err error
		if b, err = s.shop.Branch(s.Context(), name); err != nil {
			s.Fatal(err)
		}
		return b.Ready
	})
	return b
}

// open opens a deploy request of a branch into main.
func (s *stage) open(branch string) int {
	s.Helper()
	dr, err := s.shop.CreateDeployRequest(s.Context(), planetscale.NewDeployRequest{Branch: branch, IntoBranch: "main", Notes: "a test", AutoCutover: true})
	if err != nil {
		s.Fatal(err)
	}
	if dr.DeploymentState != planetscale.StatePending || dr.Deployment.Deployable || len(dr.Deployment.Operations) != 0 {
		s.Fatalf("a new request is %s, deployable %t, with %d operations", dr.DeploymentState, dr.Deployment.Deployable, len(dr.Deployment.Operations))
	}
	return dr.Number
}

// await waits for a request to come to one of some states.
func (s *stage) await(number int, states ...planetscale.State) *planetscale.DeployRequest {
	s.Helper()
	var dr *planetscale.DeployRequest
	s.until("a state among those asked for", func() bool {
		var err error
		if dr, err = s.shop.DeployRequest(s.Context(), number); err != nil {
			s.Fatal(err)
		}
		for _, want := range states {
			if dr.DeploymentState == want {
				return true
			}
		}
		return false
	})
	return dr
}

func (s *stage) until(what string, done func() bool) {
	s.Helper()
	// Not a number of looks: on a busy machine a database server alone may take seconds to begin.
	for deadline := time.Now().Add(max(time.Minute, 1000*s.pause)); time.Now().Before(deadline); time.Sleep(s.pause) {
		if done() {
			return
		}
	}
	for _, ev := range s.seen() {
		if ev.Kind == emulator.EventRequest && ev.Status == 200 {
			continue
		}
		s.Log(ev.Kind, ev.Subject, ev.State, ev.Status, ev.Text)
	}
	s.Fatalf("it never happened: %s", what)
}

func ok[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func memory(dir string) (emulator.Engine, error) { return emulator.NewMemory(dir) }

// onMemory runs a test about what is the same with every engine on the fastest.
func onMemory(t *testing.T, test func(t *testing.T, open opener)) { test(t, memory) }
