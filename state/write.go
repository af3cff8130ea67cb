package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// prepare makes the folder. What is in it belongs to one user and one machine, so git is told to look away.
func (s *FileStore) prepare() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return &UnwritableError{Dir: s.dir, Err: err}
	}
	ignore := filepath.Join(s.dir, ".gitignore")
	if info, err := os.Lstat(ignore); err == nil && info.Size() > 0 {
		return nil
	}
	if err := os.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
		return &UnwritableError{Dir: s.dir, Err: err}
	}
	return nil
}

// replace writes a file so that at every instant the name holds the whole old text or the whole new one: a power
// failure can undo a rename that was not synced, and can empty a file that was renamed before it was synced. The caller
// holds a lock, so the temporary name can be a fixed one, and what a killed process leaves is overwritten by the next.
func replace(path string, text []byte) (err error) {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(text); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes renames and removals in a folder durable. Windows has no such call and needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync the state folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync the state folder: %w", err)
	}
	return nil
}

// guard keeps the look at the serial and the rename together when two processes save at once. It is held for
// milliseconds, so it waits, and it is not the run's lock: a reader of status may save nothing, but two applies that
// lost their lock file must still not overwrite one another.
func guard(path string) (unlock func(), err error) {
	f := flock.New(path[:len(path)-len(suffix)]+".guard", flock.SetPermissions(0o600))
	deadline := time.Now().Add(5 * time.Second)
	for {
		ok, err := f.TryLock()
		switch {
		case ok:
			return func() { _ = f.Unlock() }, nil
		case err != nil:
			_ = f.Close()
			return nil, &UnwritableError{Dir: filepath.Dir(path), Err: err}
		case time.Now().After(deadline):
			_ = f.Close()
			return nil, fmt.Errorf("state file %s is being saved by another process for over 5s", path)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// lock takes the run's lock. The holder's note stands in a file beside it, because on Windows a locked file cannot be
// read; it is only a note and may be missing or old for a moment.
func lock(path, holder string) (unlock func() error, err error) {
	f := flock.New(path, flock.SetPermissions(0o600))
	ok, err := f.TryLock()
	note := path + "-holder"
	switch {
	case err != nil:
		_ = f.Close()
		return nil, &UnwritableError{Dir: filepath.Dir(path), Err: err}
	case !ok:
		_ = f.Close()
		text, _ := os.ReadFile(note)
		return nil, &LockedError{Where: Where{Path: path}, Holder: string(text)}
	}
	if err := replace(note, []byte(holder)); err != nil {
		_ = f.Unlock()
		return nil, &UnwritableError{Dir: filepath.Dir(path), Err: err}
	}
	return func() error {
		var errs []error
		if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		// The lock file stays: who removes it lets a third process lock a new file while a second waits on the old.
		return errors.Join(append(errs, f.Unlock())...)
	}, nil
}
