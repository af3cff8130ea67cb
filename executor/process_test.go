package executor_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// disk is a folder's journal and lock without a file, so that thousands of runs
// wait for no disk.
type disk struct {
	mu     sync.Mutex
	doc    []byte
	holder *process
}

func (d *disk) load(k state.Key) (*state.Document, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.doc == nil {
		return nil, state.ErrNone
	}
	doc := &state.Document{}
	return doc, json.Unmarshal(d.doc, doc)
}

func (d *disk) save(doc *state.Document) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	doc.Serial++
	var err error
	d.doc, err = json.Marshal(doc)
	return err
}

func (d *disk) lock(p *process) (func() error, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holder != nil {
		return nil, &state.LockedError{Holder: "another process"}
	}
	d.holder = p
	return func() error { d.leave(p); return nil }, nil
}

func (d *disk) leave(p *process) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holder == p {
		d.holder = nil
	}
}

// The ways in which something can go wrong at an instant of a process's life.
const (
	diesBefore = "dies before"  // nothing is done, and the process is gone
	diesAfter  = "dies after"   // it is done and answered, and the process is gone
	answerLost = "answer lost"  // it is done, the answer never comes, and the process goes on
	goesWell   = ""             // nothing
	isGone     = "gone already" // the process is dead: it does nothing any more
)

// process is a pmig of its own. Everything that it does outside of itself goes
// through it: HTTP calls, SQL statements, records of the journal, child
// processes. At one of them, by number, it can die. From then on nothing that
// its goroutines still do has any effect: what they have open is cut, what they
// begin fails, and so its heartbeat stops.
type process struct {
	w    *world
	disk *disk
	at   int    // the instant at which it happens; 0: never
	how  string // what happens

	late  time.Duration         // before each HTTP call
	calls *atomic.Int64         // counts them, if set
	url   *planetscale.Password // what the target's url names; nil: there is none

	mu    sync.Mutex
	n     int
	what  string   // what it was doing then
	seen  []string // every instant
	conns map[*tap]struct{}
	dead  chan struct{}
	stop  context.CancelFunc
}

func (w *world) process(d *disk, at int, how string) *process {
	return &process{w: w, disk: d, at: at, how: how, conns: map[*tap]struct{}{}, dead: make(chan struct{})}
}

// apply starts the process; the channel gives what Apply returns.
func (p *process) apply(ctx context.Context) <-chan error {
	ctx, p.stop = context.WithCancel(ctx)
	r := p.w.run(p, "unused")
	p.wire(r)
	r.WaitDeploy = 2 * time.Hour
	if p.url != nil {
		r.Target.URL = "mysql://of-the-configuration"
	}
	ended := make(chan error, 1)
	go func() {
		defer p.stop()
		_, err := r.Apply(ctx)
		ended <- err
	}()
	return ended
}

// wire leads everything that a run does through the process.
func (p *process) wire(r *executor.Run) {
	r.Connect, r.Target.Connect = p.connect("branch"), p.connect("target")
	dial := p.dial("gateway")
	r.Dial = func(planner.Login) (func(context.Context) (net.Conn, error), *tls.Config, error) {
		return dial, nil, nil
	}
	r.Journal = p
	r.Lock = func(context.Context, state.Key, string) (func() error, error) { return p.disk.lock(p) }
	exec := r.Exec
	r.Exec = func(ctx context.Context, c executor.Command) error { return p.child(ctx, c, exec) }
}

// instant is asked at each of them.
func (p *process) instant(what string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.dead:
		return isGone
	default:
	}
	p.n++
	p.seen = append(p.seen, what)
	if p.n != p.at {
		return goesWell
	}
	p.what = what
	return p.how
}

// die ends the process.
func (p *process) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.dead:
		return
	default:
	}
	close(p.dead)
	for t := range p.conns {
		t.Conn.Close()
	}
	p.disk.leave(p)
	p.stop()
}

func (p *process) gone() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// RoundTrip makes an HTTP call.
func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(p.late)
	if p.calls != nil {
		p.calls.Add(1)
	}
	how := p.instant("http " + r.Method + " " + r.URL.Path)
	switch how {
	case goesWell:
		res, err := p.w.e.Transport().RoundTrip(r)
		if p.gone() {
			return nil, errBroken
		}
		return res, err
	case diesAfter, answerLost:
		if res, err := p.w.e.Transport().RoundTrip(r); err == nil {
			res.Body.Close()
		}
	}
	if how != answerLost {
		p.die()
	}
	return nil, errBroken
}

// Load reads the journal.
func (p *process) Load(k state.Key) (*state.Document, error) { return p.disk.load(k) }

// Save writes a record of the journal.
func (p *process) Save(doc *state.Document) error {
	last := doc.Records[len(doc.Records)-1]
	how := p.instant("journal " + last.Step + " " + last.Phase)
	switch how {
	case goesWell:
		return p.disk.save(doc)
	case diesAfter, answerLost:
		if err := p.disk.save(doc); err != nil {
			return err
		}
	}
	if how != answerLost {
		p.die()
	}
	return errBroken
}

// child runs a migration tool: "after" is in the middle of it, and it ends with
// the process; "lost" is a tool that has done its work and is killed.
func (p *process) child(ctx context.Context, c executor.Command, exec func(context.Context, executor.Command) error) error {
	switch how := p.instant("child " + c.Source); how {
	case goesWell:
		return exec(ctx, c)
	case answerLost:
		if err := exec(ctx, c); err != nil {
			return err
		}
	case diesAfter:
		ended := make(chan error, 1)
		go func() { ended <- exec(ctx, c) }()
		p.die()
		<-ended
	default:
		p.die()
	}
	return errBroken
}

func (p *process) dial(where string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		if p.gone() {
			return nil, errBroken
		}
		c, err := p.w.e.DialMySQL(ctx)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		t := &tap{Conn: c, p: p, where: where}
		p.conns[t] = struct{}{}
		return t, nil
	}
}

func (p *process) connect(where string) planner.Connect {
	dial := p.dial(where)
	return func(_ context.Context, l planner.Login) (*sql.DB, error) {
		if l.URL != "" {
			return pool(p.url.Username, p.url.PlainText.Reveal(), l.Database, dial)
		}
		return pool(l.User, l.Password.Reveal(), l.Database, dial)
	}
}

// tap is a MySQL connection of a process, seen from its side.
type tap struct {
	net.Conn
	p     *process
	where string // target, branch or gateway

	mu   sync.Mutex
	left int    // bytes of the packet that is being written
	how  string // what happens once the answer is there
}

// What a client asks for.
const (
	comInitDB  = 0x02
	comQuery   = 0x03
	comPrepare = 0x16
	comExecute = 0x17
)

// asks reports whether a write begins a command that is a statement.
func (t *tap) asks(b []byte) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(b) > 0 {
		if t.left > 0 {
			n := min(t.left, len(b))
			t.left, b = t.left-n, b[n:]
			continue
		}
		if len(b) < 5 {
			return "", false // no packet of ours is that short, and none comes in pieces
		}
		t.left = int(b[0]) | int(b[1])<<8 | int(b[2])<<16
		t.left += 4
		if b[3] != 0 {
			continue // the login
		}
		switch b[4] {
		case comInitDB, comQuery, comPrepare, comExecute:
			text, _, _ := strings.Cut(strings.TrimSpace(string(b[5:])), " ")
			t.left -= len(b)
			return strings.ToUpper(text), true
		}
	}
	return "", false
}

func (t *tap) Write(b []byte) (int, error) {
	if t.p.gone() {
		return 0, errBroken
	}
	if text, is := t.asks(b); is {
		switch how := t.p.instant("sql " + t.where + " " + text); how {
		case goesWell:
		case diesAfter, answerLost:
			t.mu.Lock()
			t.how = how
			t.mu.Unlock()
		default:
			t.p.die()
			return 0, errBroken
		}
	}
	return t.Conn.Write(b)
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.mu.Lock()
	how := t.how
	t.mu.Unlock()
	switch {
	case how == diesAfter:
		t.p.die()
	case how == answerLost:
		t.Conn.Close()
	case !t.p.gone():
		return n, err
	}
	return 0, errBroken
}

func (t *tap) Close() error {
	t.p.mu.Lock()
	delete(t.p.conns, t)
	t.p.mu.Unlock()
	return t.Conn.Close()
}
