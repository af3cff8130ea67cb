package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// bin is where the commands are built, once for all.
var bin string

func TestMain(m *testing.M) {
	var err error
	if bin, err = os.MkdirTemp("", "pmig-bench-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(bin)
	os.Exit(code)
}

// shipped builds a command as it is shipped.
func shipped(b *testing.B, name string) string {
	b.Helper()
	path := filepath.Join(bin, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if out, err := exec.Command("bash", "../scripts/build.sh", bin, name).CombinedOutput(); err != nil {
		b.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return path
}
