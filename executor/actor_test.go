package executor_test

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/executor"
	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// add puts a process on the stage: a run of a world's configuration on a
// machine of its own, with a journal or with that of an earlier process there.
func (s *stage) add(w *world, name string, j *journal, without ...string) *player {
	p := &player{stage: s, name: name}
	if j == nil {
		j = &journal{}
	}
	s.procs = append(s.procs, p)
	r := w.run(p, name)
	r.Connect, r.Target.Connect = p.connect, p.connect
	r.Dial = func(planner.Login) (func(context.Context) (net.Conn, error), *tls.Config, error) {
		return p.dial, nil, nil
	}
	r.Journal = &killable{j, p}
	r.Lock = func(context.Context, state.Key, string) (func() error, error) {
		return func() error { return nil }, nil
	}
	r.LockTimeout = 2 * time.Hour
	r.Event = func(e executor.Event) {
		if e.Type == executor.Note || e.Type == executor.StepFail {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.trace = append(s.trace, "         "+name+" says: "+string(e.Step)+": "+e.Message)
		}
	}
	r.Without(without...)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() {
		_, err := r.Apply(ctx)
		cancel()
		p.done, p.err = true, err
		s.ring()
	}()
	return p
}

// dial opens a connection that ends when the process does.
func (p *player) dial(ctx context.Context) (net.Conn, error) {
	if p.killed() {
		return nil, errDead
	}
	switch e := p.point("dial"); {
	case e.do == die, e.do == gone:
		p.kill()
		return nil, errDead
	case e.do == cut, e.do == lost, e.do == late, p.killed():
		return nil, errBroken
	}
	c, err := p.stage.w.e.DialMySQL(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	return c, nil
}

func (p *player) connect(_ context.Context, l planner.Login) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = l.User, l.Password.Reveal(), l.Database
	cfg.InterpolateParams, cfg.Logger = true, &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return p.dial(ctx) }
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector{c, p}), nil
}

// connector makes the begin and the commit of a transaction points.
type connector struct {
	driver.Connector
	p *player
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &connection{conn.(mysqlConn), c.p}, nil
}

// mysqlConn is what the driver's connections can do.
type mysqlConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type connection struct {
	mysqlConn
	p *player
}

func (c *connection) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if e := c.p.point("begin"); e.do == die || e.do == gone || e.do == lost || e.do == cut || e.do == late || c.p.killed() {
		if e.do == die || e.do == gone {
			c.p.kill()
		}
		return nil, driver.ErrBadConn
	}
	tx, err := c.mysqlConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &transaction{tx, c}, nil
}

type transaction struct {
	driver.Tx
	c *connection
}

func (t *transaction) Commit() error {
	p := t.c.p
	if p.killed() {
		return driver.ErrBadConn
	}
	e := p.point("commit")
	switch {
	case e.do == die:
		p.kill()
		return driver.ErrBadConn
	case e.do == cut || e.do == late || p.killed():
		t.c.Close()
		return mysql.ErrInvalidConn
	}
	err := t.Tx.Commit()
	switch e.do {
	case gone:
		p.kill()
		return driver.ErrBadConn
	case lost:
		t.c.Close()
		return mysql.ErrInvalidConn
	case slow:
		p.stage.halt(p, e)
		p.point("answer")
	}
	return err
}

// journal is a journal in memory.
type journal struct {
	mu   sync.Mutex
	docs map[state.Key][]byte
}

// Load implements executor.Journal.
func (j *journal) Load(k state.Key) (*state.Document, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b, ok := j.docs[k]
	if !ok {
		return nil, state.ErrNone
	}
	d := &state.Document{}
	return d, json.Unmarshal(b, d)
}

// Save implements executor.Journal.
func (j *journal) Save(d *state.Document) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.docs == nil {
		j.docs = map[state.Key][]byte{}
	}
	b, err := json.Marshal(d)
	j.docs[d.Key] = slices.Clone(b)
	return err
}

// killable is a journal that a killed process writes nothing more to.
type killable struct {
	*journal
	p *player
}

func (k *killable) Save(d *state.Document) error {
	if k.p.killed() {
		return errDead
	}
	return k.journal.Save(d)
}
