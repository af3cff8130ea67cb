package mariadb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// MakeTemplate makes dir a data folder with the system tables of binary and nothing else, once: if dir is there it is left as it
// is. Processes that want the same one wait for each other. It takes about half a second.
func MakeTemplate(ctx context.Context, binary, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("lock of the template folder: %w", err)
	}
	defer lock.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), ".template-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	data := filepath.Join(temp, "data")
	install, err := installer(binary)
	if err != nil {
		return err
	}
	args := append(storageArgs(),
		"--datadir="+data,
		"--auth-root-authentication-method=normal",
		"--skip-test-db",
		"--skip-name-resolve")
	cmd := exec.CommandContext(ctx, install, args...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(out))
		return &StartError{Binary: install, Err: err, Log: text[max(0, len(text)-1500):]}
	}
	return os.Rename(data, dir) // complete or not there at all
}

// installer finds the script that makes a data folder. It is part of the server's package, but not always on PATH, and it needs
// a program that Debian has in the client's package.
func installer(binary string) (string, error) {
	if _, err := beside(binary, "my_print_defaults"); err != nil {
		return "", err
	}
	return beside(binary, "mariadb-install-db")
}

// beside finds a program that belongs to the server.
func beside(binary, name string) (string, error) {
	for _, dir := range []string{"../bin", "../scripts", "../extra"} {
		path := filepath.Join(filepath.Dir(binary), dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s of the server %s: %w", name, binary, err)
	}
	return path, nil
}

// cachedTemplate is the folder of this binary's template in the user's cache, or in the temporary folder where there is none.
// An upgraded binary gets a new one.
func cachedTemplate(binary string) (string, error) {
	resolved, err := filepath.EvalSymlinks(binary)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return "", err
	}
	id := sha256.Sum256(fmt.Append(nil, resolved, info.Size(), info.ModTime().UnixNano(), storageArgs()))
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = filepath.Join(os.TempDir(), fmt.Sprintf("cache-%d", os.Getuid()))
	}
	return filepath.Join(cache, "pmig", "mariadb-"+hex.EncodeToString(id[:6])), nil
}

// copyTemplate copies a template to a place that does not exist yet; half a copy is never left there.
func copyTemplate(from, to string) error {
	temp := to + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(temp, rel), 0o700)
		}
		return copyFile(path, filepath.Join(temp, rel))
	})
	if err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return os.Rename(temp, to)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
