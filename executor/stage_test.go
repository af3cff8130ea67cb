package executor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/planetscale"
)

// stage owns the interleaving of several processes on one platform. Every HTTP
// call, every MySQL connection and every begin and commit of a history
// transaction of a process is a point at which it stops, and goes on when the
// stage lets it: one process at a time, until it stops or sleeps again. Time is
// free, and passes only while nobody can go on.
type stage struct {
	w       *world
	procs   []*player
	plan    []event
	pick    func(ready []*arrival) int // who goes next; nil: who went least lately
	check   func()                     // after every commit
	trace   []string
	wrong   string   // what was found to be
	without []string // rules that are off
	began   time.Time

	bell    chan struct{}
	mu      sync.Mutex
	waiting []*arrival
	late    sync.WaitGroup // calls that are still on their way
	turn    int
}

// spot is a point of a process: its at-th one, of those that a pattern matches
// and that come after it has passed others, one after the other.
type spot struct {
	call  string
	at    int
	after []string
}

func (x spot) String() string {
	if x.call == "" {
		return fmt.Sprint(x.at)
	}
	text := fmt.Sprintf("%d. %s", x.at, x.call)
	if len(x.after) > 0 {
		text += " after " + strings.Join(x.after, ", ")
	}
	return text
}

// event is one thing that happens in a schedule: to a process at a point of it,
// or by a person while it stands there.
type event struct {
	who   int
	spot  spot
	do    action
	pause time.Duration // of stop, slow, cut, late and jump
	till  spot          // of stop: until the next process has come there, instead
	act   deed          // of people
}

func (e event) String() string {
	s := fmt.Sprintf("p%d at %v: %s", e.who, e.spot, e.do)
	switch {
	case e.do == people:
		s += " " + string(e.act)
	case e.till.at > 0:
		s += fmt.Sprintf(" until the next is at %v", e.till)
	case e.pause > 0:
		s += " " + e.pause.String()
	}
	return s
}

type action string

const (
	stop   action = "stop"   // SIGSTOP, a machine asleep: nothing of the process goes on; then it wakes in the middle of what it did
	slow   action = "slow"   // the same, with the call already carried out
	die    action = "die"    // kill -9 before the call
	gone   action = "gone"   // kill -9 after it
	lost   action = "lost"   // carried out, without an answer
	cut    action = "cut"    // from here on nothing of the process reaches the platform for a while
	late   action = "late"   // the answer does not come, and the call arrives only later
	jump   action = "jump"   // the platform's clock goes forward
	stale  action = "stale"  // from here on heartbeats are not renewed
	people action = "people" // a person does something
)

// player is one pmig on a machine of its own.
type player struct {
	stage  *stage
	name   string
	calls  []string // points that it has passed
	halted string   // where it was stopped last
	last   int      // turn that it had last

	mu      sync.Mutex
	dead    bool
	cutTill time.Time
	mute    bool // no renewals
	conns   []io.Closer
	cancel  context.CancelFunc

	wake    func() (bool, time.Time) // whether it goes on, and when to look again; nil: it runs
	done    bool
	err     error
	faulted bool // something of the schedule happened to it
	alone   bool // it comes after the others
}

type arrival struct {
	p    *player
	what string
	let  chan event
}

var errDead = errors.New("killed")

// point stops the process until the stage lets it go on, and says what happens
// to it there.
func (p *player) point(what string) event {
	a := &arrival{p, what, make(chan event, 1)}
	p.stage.mu.Lock()
	p.stage.waiting = append(p.stage.waiting, a)
	p.stage.mu.Unlock()
	p.stage.ring()
	return <-a.let
}

func (s *stage) ring() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// longest is how long a schedule may last before it counts as hung.
const longest = 24 * time.Hour

// play lets the processes run to their end. It returns false if they have none.
func (s *stage) play() bool {
	s.began = time.Now()
	for time.Since(s.began) < longest {
		synctest.Wait()
		a, again := s.next()
		if a != nil {
			s.grant(a)
			continue
		}
		if !slices.ContainsFunc(s.procs, func(p *player) bool { return !p.done }) {
			s.late.Wait()
			return true
		}
		t := time.NewTimer(min(again, longest))
		select {
		case <-s.bell:
		case <-t.C:
		}
		t.Stop()
	}
	return false
}

// next is the arrival whose turn it is, nil if nobody can go on; then again is
// when to look again at the latest.
func (s *stage) next() (a *arrival, again time.Duration) {
	again = longest
	var ready []*arrival
	for _, p := range s.procs {
		if p.wake != nil {
			awake, at := p.wake()
			if !awake {
				again = min(again, max(time.Until(at), time.Millisecond))
				continue
			}
			p.wake = nil
		}
		s.mu.Lock()
		for _, a := range s.waiting {
			if a.p == p {
				ready = append(ready, a)
				break
			}
		}
		s.mu.Unlock()
	}
	if len(ready) == 0 {
		return nil, again
	}
	if s.pick != nil {
		return ready[s.pick(ready)], 0
	}
	return slices.MinFunc(ready, func(a, b *arrival) int { return a.p.last - b.p.last }), 0
}

// grant lets an arrival go on, or has happen to it what the plan says.
func (s *stage) grant(a *arrival) {
	p := a.p
	if p.dead || time.Now().Before(p.cutTill) || p.mute && strings.HasSuffix(a.what, "/renew") {
		s.let(a, event{do: cut})
		return
	}
	i := slices.IndexFunc(s.plan, func(e event) bool {
		return s.procs[e.who] == p && e.spot.matches(a.what) && p.count(e.spot) == e.spot.at-1 && p.since(e.spot) >= 0
	})
	if i < 0 {
		s.say(a, "")
		s.let(a, event{})
		return
	}
	e := s.plan[i]
	s.plan = slices.Delete(s.plan, i, i+1)
	s.say(a, string(e.do))
	switch e.do {
	case people, jump, stop, slow:
	default:
		p.faulted = true
	}
	switch e.do {
	case people:
		s.say(a, s.w.person(e.act))
		return
	case jump:
		if err := s.w.e.Advance(e.pause); err != nil {
			s.w.t.Error(err)
		}
		return
	case stop:
		p.halted = a.what
		s.halt(p, e)
		return
	case cut:
		p.cutTill = time.Now().Add(e.pause)
	case stale:
		p.mute = true
		e = event{}
	}
	s.let(a, e)
}

// let lets an arrival go on. After a commit the target is looked at.
func (s *stage) let(a *arrival, e event) {
	s.mu.Lock()
	s.waiting = slices.DeleteFunc(s.waiting, func(w *arrival) bool { return w == a })
	s.mu.Unlock()
	s.turn++
	a.p.last = s.turn
	a.p.calls, a.p.halted = append(a.p.calls, a.what), ""
	a.let <- e
	if a.what == "commit" {
		synctest.Wait()
		s.check()
	}
}

// halt stops a process: for a time, or until the next one has come somewhere or
// to its end.
func (s *stage) halt(p *player, e event) {
	if e.pause == 0 {
		e.pause = 40 * time.Minute
	}
	till := time.Now().Add(e.pause)
	other := s.procs[(slices.Index(s.procs, p)+1)%len(s.procs)]
	p.wake = func() (bool, time.Time) {
		return !time.Now().Before(till) || e.till.at > 0 && (other.done || other.came(e.till)), till
	}
}

func (x spot) matches(call string) bool {
	return x.call == "" || regexp.MustCompile(x.call).MatchString(call)
}

// since is the first point from which a spot counts, -1 if it does not yet.
func (p *player) since(x spot) int {
	from := 0
	for _, call := range x.after {
		i := slices.IndexFunc(p.calls[from:], regexp.MustCompile(call).MatchString)
		if i < 0 {
			return -1
		}
		from += i + 1
	}
	return from
}

// count is how many points that a spot means have been passed.
func (p *player) count(x spot) int {
	n := 0
	for _, c := range p.calls[max(0, p.since(x)):] {
		if x.matches(c) {
			n++
		}
	}
	return n
}

// came reports whether the process has passed a spot, or stands there stopped.
func (p *player) came(x spot) bool {
	n := p.count(x)
	if p.halted != "" && x.matches(p.halted) {
		n++
	}
	return p.since(x) >= 0 && n >= x.at
}

func (s *stage) say(a *arrival, what string) {
	s.trace = append(s.trace, fmt.Sprintf("%8s %s %d %s %s", time.Since(s.began).Round(time.Second), a.p.name, len(a.p.calls)+1, a.what, what))
}

// kill is kill -9: its connections end, and nothing of it goes on.
func (p *player) kill() {
	p.mu.Lock()
	p.dead = true
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.cancel()
}

func (p *player) killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// RoundTrip is the process's way to the platform.
func (p *player) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.killed() {
		return nil, errDead
	}
	_, path, _ := strings.Cut(r.URL.Path, "/databases/shop")
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	e := p.point(r.Method + " " + path)
	switch {
	case e.do == die:
		p.kill()
		fallthrough
	case p.killed():
		return nil, errDead
	case e.do == cut:
		return nil, errBroken
	case e.do == late:
		return p.later(r, e.pause)
	}
	// What has been sent arrives, whatever its sender thinks by then.
	resp, err := p.stage.w.e.Transport().RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
	switch e.do {
	case gone:
		p.kill()
		err = errDead
	case lost:
		err = errBroken
	case slow:
		p.stage.halt(p, e)
		p.point("answer")
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// later carries a call out when its sender has given up.
func (p *player) later(r *http.Request, after time.Duration) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	copied := r.Clone(context.WithoutCancel(r.Context()))
	copied.Body = io.NopCloser(strings.NewReader(string(body)))
	p.stage.late.Go(func() {
		time.Sleep(after)
		if resp, err := p.stage.w.e.Transport().RoundTrip(copied); err == nil {
			resp.Body.Close()
		}
	})
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// deed is what a person does.
type deed string

const (
	approve      deed = "approve"
	closes       deed = "close"
	cancels      deed = "cancel"
	deploys      deed = "deploy"
	reverts      deed = "revert"
	deleteBranch deed = "delete branch"
	opens        deed = "open"
	ends         deed = "end window"
	undo         deed = "undo" // takes the first migration's change back, past every rule
)

// person has a person do something to the newest thing that it can be done to,
// and says what came of it.
func (w *world) person(d deed) string {
	if d == undo {
		w.sql("ALTER TABLE a DROP COLUMN b")
		return "undone"
	}
	ctx := context.Background()
	requests, err := w.api.DeployRequests(ctx, planetscale.DeployRequestFilter{})
	if err != nil {
		w.t.Error(err)
		return ""
	}
	slices.SortFunc(requests, func(a, b planetscale.DeployRequest) int { return b.Number - a.Number })
	branches, err := w.api.Branches(ctx)
	if err != nil {
		w.t.Error(err)
		return ""
	}
	branches = slices.DeleteFunc(branches, func(b planetscale.Branch) bool { return b.Name == "main" })
	slices.SortFunc(branches, func(a, b planetscale.Branch) int { return strings.Compare(b.Name, a.Name) })
	number := 0
	if len(requests) > 0 {
		number = requests[0].Number
	}
	at := fmt.Sprintf("deploy-requests/%d", number)
	method, path, body := "POST", "", ""
	switch d {
	case approve:
		path, body = at+"/reviews", `{"state":"approved"}`
	case closes:
		method, path, body = "PATCH", at, `{"state":"closed"}`
	case cancels:
		path = at + "/cancel"
	case deploys:
		path = at + "/deploy"
	case reverts:
		path = at + "/revert"
	case ends:
		path = at + "/skip-revert"
	case deleteBranch, opens:
		if len(branches) == 0 {
			return "nothing there"
		}
		if method, path = "DELETE", "branches/"+branches[0].Name; d == opens {
			method, path, body = "POST", "deploy-requests", fmt.Sprintf(`{"branch":%q,"into_branch":"main"}`, branches[0].Name)
		}
	}
	req, err := http.NewRequest(method, "https://emulator.test/_emulator/as/alice/v1/organizations/acme/databases/shop/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return ""
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.e.Transport().RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	resp.Body.Close()
	return fmt.Sprintf("alice: %s: %d", d, resp.StatusCode)
}
