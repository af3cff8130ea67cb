package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/state"
)

// store is what a run and the state commands ask of a store.
type store interface {
	Load(state.Key) (*state.Document, error)
	Save(*state.Document) error
	Remove(state.Key) error
	Lock(context.Context, state.Key, string) (func() error, error)
}

// place is somewhere to keep state, fresh for each case.
type place struct {
	open    func(version string) store // the store as another process would open it
	plant   func(text string)          // puts a text where the document of the key is
	planted func() string              // what is there
	broken  store                      // a store that cannot be used
	expire  func()                     // lets pass the time after which a killed holder's lock ends
	child   string                     // how another process finds it
}

// promise is one thing that stores are held to.
type promise struct {
	name string
	run  func(*testing.T, *place)
}

// contract is what every store promises.
var contract = append(slices.Clone(within), promise{"the holder dies", holderDies})

// within is what of it one process can see by itself.
var within = []promise{
	{"none, saved, loaded", savedAndLoaded},
	{"serials are compared", serialsCompared},
	{"every key apart", keysApart},
	{"what could not be read is not written", unreadable},
	{"a text that is no document", noDocument},
	{"cut short", cutShort},
	{"writers at once", writersAtOnce},
	{"locked", locked},
	{"unusable", unusable},
	{"a long document", longDocument},
}

// TestContract holds every kind of store to the same promises.
func TestContract(t *testing.T) {
	places := []struct {
		name string
		make func(*testing.T) *place
		of   []promise
	}{
		{"file", inFolder, contract},
		{"database, MariaDB", inMariaDB, contract},
		{"database, memory engine behind safe migrations", inEmulator, within}, // no other process can get there
	}
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			for _, c := range p.of {
				t.Run(c.name, func(t *testing.T) { c.run(t, p.make(t)) })
			}
		})
	}
}

func savedAndLoaded(t *testing.T, p *place) {
	s := p.open("0.1.0")
	if _, err := s.Load(key); !errors.Is(err, state.ErrNone) {
		t.Fatalf("an empty store: %v", err)
	}
	d := document()
	if err := s.Save(d); err != nil {
		t.Fatal(err)
	}
	if d.Serial != 1 || d.WrittenBy != "0.1.0" || d.FormatVersion != state.FormatVersion {
		t.Errorf("after the first save: %+v", d)
	}
	other := p.open("0.2.0")
	got, err := other.Load(key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("(-saved +loaded)\n%s", diff)
	}
	got.Records = append(got.Records, state.Record{N: 3, Step: "history.seed", Phase: state.PhaseFailed})
	if err := other.Save(got); err != nil || got.Serial != 2 || got.WrittenBy != "0.2.0" {
		t.Errorf("%+v, %v", got, err)
	}
	if text := p.planted(); !strings.HasPrefix(text, "{\n  \"format_version\": 1,\n") {
		t.Errorf("the format does not come first:\n%s", text)
	}
}

func serialsCompared(t *testing.T, p *place) {
	s := p.open("0.1.0")
	if err := s.Save(document()); err != nil {
		t.Fatal(err)
	}
	mine, err := s.Load(key)
	if err != nil {
		t.Fatal(err)
	}
	theirs, _ := p.open("0.1.0").Load(key)
	if err := p.open("0.1.0").Save(theirs); err != nil {
		t.Fatal(err)
	}
	var stale *state.StaleError
	if err := s.Save(mine); !errors.As(err, &stale) || stale.Have != 1 || stale.Stored != 2 || stale.Hint() == "" {
		t.Errorf("the second of two: %v", err)
	}
	if err := s.Save(document()); !errors.As(err, &stale) || stale.Have != 0 {
		t.Errorf("a new document over an old one: %v", err)
	}
	if err := s.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(theirs); !errors.As(err, &stale) || stale.Stored != 0 {
		t.Errorf("over one that is gone: %v", err)
	}
	if err := s.Remove(key); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	if theirs.Serial != 2 || mine.Serial != 1 {
		t.Error("a save that failed changed the document")
	}
}

func keysApart(t *testing.T, p *place) {
	s := p.open("0.1.0")
	for i, k := range manyKeys() {
		if err := s.Save(&state.Document{Key: k, Run: json.RawMessage(fmt.Sprint(i))}); err != nil {
			t.Fatalf("%v: %v", k, err)
		}
	}
	for i, k := range manyKeys() {
		d, err := s.Load(k)
		if err != nil || string(d.Run) != fmt.Sprint(i) {
			t.Errorf("%v: %v, %v", k, d, err)
		}
	}
}

func unreadable(t *testing.T, p *place) {
	s := p.open("0.1.0")
	if err := s.Save(&state.Document{}); err == nil {
		t.Error("a document without a key was saved")
	}
	if err := s.Save(&state.Document{Key: key, Run: json.RawMessage(`{"cut`)}); err == nil {
		t.Error("a run that is no JSON was saved")
	}
	if _, err := s.Load(key); !errors.Is(err, state.ErrNone) {
		t.Errorf("a failed save left something: %v", err)
	}
	d := document()
	if err := s.Save(d); err != nil {
		t.Fatal(err)
	}
	d.Run = json.RawMessage(`}`)
	if err := s.Save(d); err == nil {
		t.Error("a run that is no JSON was saved over a good one")
	}
	if got, err := s.Load(key); err != nil || got.Serial != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// noDocument plants each of the texts of wrongTexts. What cannot be read is told apart, with advice, and not written over.
func noDocument(t *testing.T, p *place) {
	for _, test := range wrongTexts {
		t.Run(test.name, func(t *testing.T) {
			p.plant(test.text)
			s := p.open("0.1.0")
			d, err := s.Load(key)
			if got := kindOf(d, err); got != test.want || err != nil && !strings.Contains(err.Error(), test.message) {
				t.Errorf("it is %s: %v", got, err)
			}
			if hint, ok := err.(interface{ Hint() string }); err != nil && (!ok || hint.Hint() == "") {
				t.Errorf("%v has no hint", err)
			}
			if err := s.Save(document()); err == nil || p.planted() != test.text {
				t.Errorf("it was written over: %v", err)
			}
			if test.want == "format" {
				var format *state.FormatError
				if err := s.Save(document()); !errors.As(err, &format) {
					t.Errorf("a save over a newer format: %v", err)
				}
			}
		})
	}
	p.plant(`{"format_version":7,"written_by":"1.4.0"}`)
	var format *state.FormatError
	if _, err := p.open("0.1.0").Load(key); !errors.As(err, &format) || format.Hint() != "use pmig 1.4.0 or newer" {
		t.Errorf("%v", err)
	}
}

func cutShort(t *testing.T, p *place) {
	s := p.open("0.1.0")
	if err := s.Save(document()); err != nil {
		t.Fatal(err)
	}
	whole := p.planted()
	for n := 0; n < len(whole)-1; n += 1 + n/20 {
		p.plant(whole[:n])
		d, err := s.Load(key)
		var damaged *state.DamagedError
		if !errors.As(err, &damaged) {
			t.Fatalf("cut after %d bytes: %v, %v", n, d, err)
		}
		if err := s.Save(document()); !errors.As(err, &damaged) {
			t.Fatalf("a damaged document is written over: %v", err)
		}
	}
	if err := s.Remove(key); err != nil {
		t.Errorf("a damaged document cannot be removed: %v", err)
	}
	if err := s.Save(document()); err != nil {
		t.Errorf("after it was removed: %v", err)
	}
}

func writersAtOnce(t *testing.T, p *place) {
	const writers, each = 4, 10
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			if err := countUp(p.open("0.1.0"), each); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	d, err := p.open("0.1.0").Load(key)
	if err != nil || string(d.Run) != fmt.Sprint(writers*each) || d.Serial != writers*each {
		t.Errorf("%+v, %v", d, err)
	}
}

func locked(t *testing.T, p *place) {
	ours, theirs := p.open("0.1.0"), p.open("0.1.0")
	unlock, err := theirs.Lock(t.Context(), key, "them, process 7 on one")
	if err != nil {
		t.Fatal(err)
	}
	var taken *state.LockedError
	if _, err := ours.Lock(t.Context(), key, "us"); !errors.As(err, &taken) || taken.Holder != "them, process 7 on one" || !strings.Contains(err.Error(), taken.Holder) || taken.Hint() == "" {
		t.Errorf("%v", err)
	}
	other := key
	other.Target = "staging"
	if unlock, err := ours.Lock(t.Context(), other, "us"); err != nil {
		t.Errorf("another target is locked too: %v", err)
	} else if err := unlock(); err != nil {
		t.Error(err)
	}
	if err := ours.Save(document()); err != nil {
		t.Errorf("saving needs a lock: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = ours.Lock(t.Context(), key, "us")
	if err != nil {
		t.Fatalf("after unlocking: %v", err)
	}
	if _, err := ours.Lock(t.Context(), key, "us again"); !errors.As(err, &taken) || taken.Holder != "us" {
		t.Errorf("the same process twice: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ours.Lock(ctx, key, "me"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	long := strings.Repeat("ü", 400) // longer than any column
	if unlock, err = ours.Lock(t.Context(), key, long); err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Lock(t.Context(), key, "them"); !errors.As(err, &taken) || !strings.HasPrefix(long, taken.Holder) || taken.Holder == "" {
		t.Errorf("a long name: %v", err)
	}
	unlock()
}

func holderDies(t *testing.T, p *place) {
	holder := startHolder(t, p.child)
	s := p.open("0.1.0")
	var taken *state.LockedError
	if _, err := s.Lock(t.Context(), key, "me"); !errors.As(err, &taken) || taken.Holder != fmt.Sprintf("apply, process %d", holder.Process.Pid) {
		t.Errorf("%v", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	p.expire()
	unlock, err := s.Lock(t.Context(), key, "me")
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func unusable(t *testing.T, p *place) {
	var unwritable *state.UnwritableError
	if err := p.broken.Save(document()); !errors.As(err, &unwritable) || unwritable.Hint() == "" {
		t.Errorf("save: %v", err)
	}
	if _, err := p.broken.Lock(t.Context(), key, "me"); !errors.As(err, &unwritable) {
		t.Errorf("lock: %v", err)
	}
	var damaged *state.DamagedError
	if _, err := p.broken.Load(key); err == nil || errors.As(err, &damaged) {
		t.Errorf("load: %v", err)
	}
}

func longDocument(t *testing.T, p *place) {
	s := p.open("0.1.0")
	d := document()
	for i := range 30_000 {
		d.Records = append(d.Records, state.Record{N: i, Step: "migrate", Phase: state.PhaseAfter, Note: strings.Repeat(`'"\`+"\x00ü", 10)})
	}
	if err := s.Save(d); err != nil {
		t.Fatal(err)
	}
	got, err := p.open("0.1.0").Load(key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("(-saved +loaded)\n%.1000s", diff)
	}
}

// inFolder keeps state in files.
func inFolder(t *testing.T) *place {
	dir := filepath.Join(t.TempDir(), ".pmig")
	under := filepath.Join(t.TempDir(), "file")
	path := state.NewFileStore(dir, "0.1.0").Path(key)
	write(t, under, "")
	return &place{
		open:    func(version string) store { return state.NewFileStore(dir, version) },
		plant:   func(text string) { write(t, path, text) },
		planted: func() string { return read(t, path) },
		broken:  state.NewFileStore(filepath.Join(under, ".pmig"), "0.1.0"),
		expire:  func() {},
		child:   "file:" + dir,
	}
}
