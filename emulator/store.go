package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
	"github.com/pmig/pmig/schema"
)

// stateFormat is the version of the state file.
const stateFormat = 1

// BusyError says that another emulator uses the data folder.
type BusyError struct{ Data string }

func (e *BusyError) Error() string { return "another emulator is using " + e.Data }

// Hint says what to do about it.
func (e *BusyError) Hint() string { return "stop it, or give this one a folder of its own with --data" }

// FormatError says that the data folder was written by another version.
type FormatError struct {
	Path string
	Got  int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s has format %d, this emulator knows %d", e.Path, e.Got, stateFormat)
}

// Hint says what to do about it.
func (e *FormatError) Hint() string {
	return "use the pmig-emulator that wrote it, or delete the folder to begin anew"
}

// store keeps the world in a folder: state.json, replaced as a whole after each
// change, and schemas/, one file per schema ever seen, written once. Both are on
// the disk before they count: they survive the end of the process and of the
// machine at any instant.
type store struct {
	dir  string
	lock *flock.Flock
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(filepath.Join(dir, "schemas"), 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !ok {
		return nil, &BusyError{Data: dir}
	}
	// What a process was writing when it was killed.
	for _, in := range []string{dir, filepath.Join(dir, "schemas")} {
		half, _ := filepath.Glob(filepath.Join(in, newFiles))
		for _, file := range half {
			os.Remove(file)
		}
	}
	return &store{dir: dir, lock: lock}, nil
}

func (s *store) close() error { return s.lock.Close() }

func (s *store) load() (world, error) {
	path := filepath.Join(s.dir, "state.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return world{FormatVersion: stateFormat}, nil
	}
	if err != nil {
		return world{}, err
	}
	var w world
	if err := json.Unmarshal(b, &w); err != nil {
		return world{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if w.FormatVersion != stateFormat {
		return world{}, &FormatError{Path: path, Got: w.FormatVersion}
	}
	return w, nil
}

func (s *store) save(w *world) error {
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.dir, "state.json"), b)
}

// schemaID names a structure by its digest. The empty id is no schema at all.
type schemaID string

func (s *store) schemaPath(id schemaID) string {
	return filepath.Join(s.dir, "schemas", strings.TrimPrefix(string(id), "sha256:")+".json")
}

func (s *store) saveSchema(id schemaID, sch *structure) error {
	b, err := json.Marshal(sch)
	if err != nil {
		return err
	}
	return replaceFile(s.schemaPath(id), b)
}

func (s *store) loadSchema(id schemaID) (*structure, error) {
	b, err := os.ReadFile(s.schemaPath(id))
	if err != nil {
		return nil, err
	}
	sch := structure{Schema: &schema.Schema{}}
	if err := json.Unmarshal(b, &sch); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", s.schemaPath(id), err)
	}
	return &sch, nil
}

// newFiles are files that are not yet in their place.
const newFiles = ".new-*"

// replaceFile puts new content under a name in one instant, and returns when the
// disk has it.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), newFiles)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder has the disk know the names in a folder. A file system that cannot
// sync a folder keeps them by itself.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if err2 := d.Close(); err == nil {
		err = err2
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}
