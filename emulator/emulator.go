package emulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Emulator is a PlanetScale on one machine. It serves the API over HTTP.
type Emulator struct {
	options Options
	engine  Engine
	routes  *http.ServeMux
	schemas schemas
	store   *store // nil: memory only

	ctx     context.Context // of everything that goes on in the background
	stop    context.CancelFunc
	workers sync.WaitGroup

	mu       sync.Mutex
	world    world
	changed  chan struct{} // closed and replaced at every change
	works    map[string]*work
	log      []Event
	requests []Request
	closed   bool
	atClose  []func() error // run first when closing: the MySQL front's connections end before the engine
	front    front          // the MySQL side
}

// New makes an emulator, or goes on with what is in Options.Data. Half-done
// things (branches being made, deployments) go on where they were. ctx is for
// the beginning only; Close ends the emulator. If New fails the engine is still
// the caller's to close. A folder in use is a *BusyError, one of another version
// a *FormatError.
func New(ctx context.Context, o Options) (*Emulator, error) {
	if o.Engine == nil {
		return nil, errors.New("emulator: no engine")
	}
	if o.Organization == "" {
		o.Organization = "acme"
	}
	if o.MySQLAddress == "" {
		o.MySQLAddress = "127.0.0.1:3306"
	}
	e := &Emulator{
		options: o,
		engine:  o.Engine,
		changed: make(chan struct{}),
		works:   map[string]*work{},
		world:   world{FormatVersion: stateFormat},
	}
	e.schemas.byID, e.schemas.looks = map[schemaID]*structure{}, map[string]lookResult{}
	if o.Data != "" {
		s, err := openStore(o.Data)
		if err != nil {
			return nil, err
		}
		w, err := s.load()
		if err != nil {
			s.close()
			return nil, err
		}
		e.store, e.schemas.store, e.world = s, s, w
	}
	if o.Fixtures != nil {
		for _, t := range o.Fixtures.Tokens {
			e.options.Tokens = append(slices.Clip(e.options.Tokens), Token{ID: t.ID, Secret: t.Secret, Name: t.Name, Permissions: t.Permissions})
		}
	}
	e.routes = e.mux()
	e.ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := e.begin(ctx); err != nil {
		e.stop()
		e.workers.Wait()
		if e.store != nil {
			e.store.close()
		}
		return nil, err
	}
	return e, nil
}

// begin makes what the options ask for and resumes what was going on.
func (e *Emulator) begin(ctx context.Context) error {
	e.mu.Lock()
	e.world.Knobs, e.world.Unknowns = e.options.Knobs, e.options.Unknowns
	for i := range e.options.Faults {
		if _, err := e.addFaultLocked(e.options.Faults[i]); err != nil {
			e.mu.Unlock()
			return err
		}
	}
	e.organizationLocked(e.options.Organization)
	e.mu.Unlock()
	if f := e.options.Fixtures; f != nil {
		if err := f.apply(ctx, e); err != nil {
			return err
		}
	}
	for _, name := range e.options.Databases {
		if err := e.CreateDatabase(ctx, e.options.Organization, Database{Name: name}); err != nil && !errors.Is(err, errTaken) {
			return fmt.Errorf("database %s: %w", name, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range e.world.Organizations {
		for _, db := range o.Databases {
			for _, b := range db.Branches {
				for _, p := range b.Passwords {
					p.gone = make(chan struct{})
				}
				e.startBranchLocked(db, b)
			}
			for _, dr := range db.DeployRequests {
				e.startDeployRequestLocked(db, dr)
			}
			e.startExpiryLocked()
		}
	}
	for _, id := range e.world.Dropping {
		e.startDropLocked(id)
	}
	return e.commitLocked()
}

// Close ends what goes on, without losing it, and stops the engine.
func (e *Emulator) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	first := e.atClose
	e.mu.Unlock()
	var ending error
	for _, f := range first {
		ending = errors.Join(ending, f())
	}
	e.stop()
	e.workers.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := errors.Join(ending, e.engine.Flush(ctx), e.engine.Close())
	if e.store != nil {
		err = errors.Join(err, e.store.close())
	}
	return err
}

// commitLocked keeps what was changed, and wakes whoever waits for a change.
// Every change is committed before it is answered.
func (e *Emulator) commitLocked() error {
	e.wakeLocked()
	if e.store == nil {
		return nil
	}
	if err := e.store.save(&e.world); err != nil {
		e.eventLocked(Event{Kind: EventError, Text: "the state cannot be saved: " + err.Error()})
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}

// wakeLocked wakes whoever waits for a change.
func (e *Emulator) wakeLocked() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// work is something going on in the background for one branch or one deploy
// request.
type work struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// startLocked runs f in the background under a name, once at a time.
func (e *Emulator) startLocked(name string, f func(ctx context.Context)) {
	if _, running := e.works[name]; running || e.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(e.ctx)
	w := &work{cancel: cancel, done: make(chan struct{})}
	e.works[name] = w
	e.workers.Go(func() {
		defer close(w.done)
		defer cancel()
		f(ctx)
		e.mu.Lock()
		delete(e.works, name)
		e.mu.Unlock()
	})
}
