package emulator

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/go-sql-driver/mysql"
	"github.com/pmig/pmig/schema"
)

// schemas remembers every structure seen, each once, by its digest.
type schemas struct {
	mu    sync.Mutex
	byID  map[schemaID]*structure
	store *store                // nil: memory only
	looks map[string]lookResult // the last at each branch, if its engine tells when that is worth nothing any more
}

// lookResult is what was seen of a branch while it was in a state.
type lookResult struct {
	state  uint64
	id     schemaID
	schema *structure
}

// stateTeller is an engine that knows without a look whether a branch may have
// changed: it gives it another number after every write.
type stateTeller interface {
	State(branchID string) (state uint64, known bool)
}

// looked is what was seen of a branch, if it is in the same state still.
func (s *schemas) looked(branchID string, state uint64, as routing) (seen lookResult, valid bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen = s.looks[branchID]
	return seen, seen.schema != nil && seen.state == state && seen.schema.Routing == as
}

func (s *schemas) remember(branchID string, seen lookResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if same := s.byID[seen.id]; same != nil && same.Routing == seen.schema.Routing && slices.Equal(same.Tables, seen.schema.Tables) {
		seen.schema = same // hundreds of branches may have it
	}
	s.looks[branchID] = seen
}

func (s *schemas) forget(branchID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.looks, branchID)
}

func (s *schemas) put(sch *structure) (schemaID, error) {
	id := sch.id()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.byID[id]; ok {
		return id, nil
	}
	if s.store != nil {
		if err := s.store.saveSchema(id, sch); err != nil {
			return "", err
		}
	}
	s.byID[id] = sch
	return id, nil
}

func (s *schemas) get(id schemaID) (*structure, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sch, ok := s.byID[id]; ok {
		return sch, nil
	}
	if id == "" || s.store == nil {
		return nil, fmt.Errorf("no schema %q", id)
	}
	sch, err := s.store.loadSchema(id)
	if err == nil {
		s.byID[id] = sch
	}
	return sch, err
}

// connect opens a branch's MySQL database with all rights, past the front.
func (e *Emulator) connect(ctx context.Context, branchID, database string, change ...func(*mysql.Config)) (*sql.DB, error) {
	back, err := e.engine.Backend(ctx, branchID)
	if err != nil {
		return nil, err
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.TLS = back.User, back.Password, database, back.TLS
	c.Net, c.Addr = "tcp", "branch:3306" // not used: DialFunc decides
	c.AllowNativePasswords = true
	c.InterpolateParams = true
	c.Params = map[string]string{"foreign_key_checks": "0"}
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return back.Dial(ctx) }
	for _, f := range change {
		f(c)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, nil
}

// branchSchema is the structure that a request's branch has now; none if it is gone.
func (e *Emulator) branchSchema(ctx context.Context, db *database, dr *deployRequest) (schemaID, error) {
	e.mu.Lock()
	b := db.branchByID(dr.BranchID)
	e.mu.Unlock()
	if b == nil {
		return "", nil
	}
	id, _, err := e.look(ctx, b.ID, db.Name)
	return id, err
}

// look reads the structure that a branch has now. The lock must not be held.
func (e *Emulator) look(ctx context.Context, branchID, database string) (schemaID, *structure, error) {
	e.mu.Lock()
	as := e.routingLocked(branchID)
	e.mu.Unlock()
	var state uint64
	teller, tells := e.engine.(stateTeller)
	if tells {
		if state, tells = teller.State(branchID); tells {
			if seen, valid := e.schemas.looked(branchID, state, as); valid {
				return seen.id, seen.schema, nil
			}
		}
	}
	db, err := e.connect(ctx, branchID, database)
	if err != nil {
		return "", nil, err
	}
	defer db.Close()
	sch, err := schema.Read(ctx, db, database)
	if err != nil {
		return "", nil, fmt.Errorf("read the schema of branch %s: %w", branchID, err)
	}
	now := &structure{Schema: sch, Routing: as}
	id, err := e.schemas.put(now)
	if err == nil && tells {
		e.schemas.remember(branchID, lookResult{state, id, now})
	}
	return id, now, err
}

// routingLocked is what a branch has beside its tables. A branch that is not
// yet known has nothing.
func (e *Emulator) routingLocked(branchID string) routing {
	for _, o := range e.world.Organizations {
		for _, db := range o.Databases {
			if b := db.branchByID(branchID); b != nil {
				return b.routing
			}
		}
	}
	return routing{}
}

// picture is the schema of a branch as the checks of its deploy requests have
// it, which a fault can keep old. The lock must not be held.
func (e *Emulator) picture(ctx context.Context, db *database, b *branch) (schemaID, *structure, error) {
	e.mu.Lock()
	stale, base := e.hasFaultLocked(FaultStaleDiff, db.path()+"/branches/"+b.Name), b.Base
	e.mu.Unlock()
	if !stale {
		return e.look(ctx, b.ID, db.Name)
	}
	sch, err := e.schemas.get(base)
	return base, sch, err
}
