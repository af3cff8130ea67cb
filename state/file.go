package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// FileStore keeps each document in a file of its own in one folder. The folder is made, private to the user and
// invisible to git, by the first Save or Lock. Its methods may be called from several goroutines and processes; who
// must not be disturbed between Load and Save holds the Lock.
type FileStore struct {
	dir     string
	version string
}

// NewFileStore is the store in the folder dir; version is written into each document as its author. Nothing is
// touched yet.
func NewFileStore(dir, version string) *FileStore {
	return &FileStore{dir: dir, version: version}
}

// Dir is the folder.
func (s *FileStore) Dir() string { return s.dir }

// Load reads the document of the key. The errors are kept apart: ErrNone when there is none, *DamagedError,
// *FormatError; any other means that the file cannot be read.
func (s *FileStore) Load(k Key) (*Document, error) {
	d, err := load(s.Path(k))
	if err != nil {
		return nil, err
	}
	if d.Key != k {
		return nil, &DamagedError{Where: Where{Path: s.Path(k)}, Err: fmt.Errorf("it is about %s", d.Key)}
	}
	return d, nil
}

// Save writes the document and adds one to its serial, if the stored one still has the serial that d was loaded with
// (0: there is none); otherwise *StaleError. The file is replaced as a whole and is on the disk when Save returns:
// whoever is killed here leaves the old document or the new one. *UnwritableError when the folder takes no files.
func (s *FileStore) Save(d *Document) error {
	if d.Key == (Key{}) {
		return errors.New("a state document needs a key")
	}
	if err := s.prepare(); err != nil {
		return err
	}
	path := s.Path(d.Key)
	unlock, err := guard(path)
	if err != nil {
		return err
	}
	defer unlock()

	var stored uint64
	switch old, err := load(path); {
	case errors.Is(err, ErrNone):
	case err != nil:
		return err
	default:
		stored = old.Serial
	}
	if stored != d.Serial {
		return &StaleError{Where: Where{Path: path}, Have: d.Serial, Stored: stored}
	}

	next, text, err := d.next(s.version, stored)
	if err != nil {
		return err
	}
	if err := replace(path, text); err != nil {
		return &UnwritableError{Dir: s.dir, Err: err}
	}
	d.FormatVersion, d.WrittenBy, d.Serial = next.FormatVersion, next.WrittenBy, next.Serial
	return nil
}

// Remove deletes the document of the key. It is no error if there is none.
func (s *FileStore) Remove(k Key) error {
	path := s.Path(k)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := guard(path)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &UnwritableError{Dir: s.dir, Err: err}
	}
	return syncDir(s.dir)
}

// List reads every document in the folder, ordered by key. Files that cannot be used are left out of the list and
// named in the error, which joins one per file; the list is good either way.
func (s *FileStore) List() ([]*Document, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the state folder: %w", err)
	}
	var docs []*Document
	var errs []error
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), suffix) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		switch d, err := load(filepath.Join(s.dir, e.Name())); {
		case errors.Is(err, ErrNone): // removed since the folder was read
		case err != nil:
			errs = append(errs, err)
		default:
			docs = append(docs, d)
		}
	}
	sort.Slice(docs, func(i, j int) bool { return docs[i].Key.String() < docs[j].Key.String() })
	return docs, errors.Join(errs...)
}

// Lock takes the lock of the key for as long as this process lives or until unlock is called; holder is shown to whom
// it keeps out. It tries once and does not wait: *LockedError when another holds it, *UnwritableError when the folder
// takes no files.
func (s *FileStore) Lock(ctx context.Context, k Key, holder string) (unlock func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	return lock(strings.TrimSuffix(s.Path(k), suffix)+".lock", holder)
}

const suffix = ".json"

// Path is the file of the key: readable as far as file names allow, and exact through the hash of the whole key.
func (s *FileStore) Path(k Key) string {
	name := strings.Join([]string{host(k.Address), plain(k.Organization), plain(k.Database), plain(k.Target)}, "_")
	return filepath.Join(s.dir, name+"_"+id(k)[:8]+suffix)
}

func host(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		address = u.Host
	}
	var labels []string
	for _, label := range strings.Split(address, ".") {
		labels = append(labels, plain(label))
	}
	return strings.Join(labels[:min(len(labels), 4)], ".")
}

// plain keeps what every file system takes, in lower case because some do not tell the cases apart. The part is cut so
// that all of them and the rest stay under the usual 255 bytes.
func plain(s string) string {
	const longest = 28
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			b.WriteRune(r)
		} else {
			b.WriteByte('-')
		}
		if b.Len() == longest {
			break
		}
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

// String is the key in one line.
func (k Key) String() string {
	return fmt.Sprintf("%s/%s branch %s at %s", k.Organization, k.Database, k.Target, host(k.Address))
}

func load(path string) (*Document, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read the state: %s is not a file", path)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	return decode(Where{Path: path}, text)
}
