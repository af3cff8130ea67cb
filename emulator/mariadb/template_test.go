package mariadb

import (
	"os"
	"path/filepath"
	"testing"
)

// A server without everything that making its data folder takes is none.
func TestInstaller(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	binary := filepath.Join(dir, "sbin", "mariadbd")
	program := func(name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program("sbin/mariadbd")
	if path, err := installer(binary); err == nil {
		t.Errorf("with nothing beside it: %s", path)
	}
	program("bin/mariadb-install-db")
	if path, err := installer(binary); err == nil {
		t.Errorf("without my_print_defaults: %s", path)
	}
	program("my_print_defaults") // on PATH
	if path, err := installer(binary); err != nil || filepath.Base(path) != "mariadb-install-db" {
		t.Errorf("with both: %s, %v", path, err)
	}
}
