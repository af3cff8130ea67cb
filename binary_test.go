package pmig_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// maxBytes is how large the stripped pmig may be, without cgo.
const maxBytes = 32_000_000

// TestBinary holds the shipped pmig to its size. What it takes to start is measured in bench.
func TestBinary(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("bash", "scripts/build.sh", dir, "pmig").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bin := filepath.Join(dir, "pmig")
	info, err := os.Stat(bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s/%s: %.1f MB", runtime.GOOS, runtime.GOARCH, float64(info.Size())/1e6)
	if info.Size() >= maxBytes {
		t.Errorf("pmig has %d bytes, the limit is %d", info.Size(), maxBytes)
	}
}

// TestNoEmulatorInside checks that pmig carries neither the emulator nor a database engine.
func TestNoEmulatorInside(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/pmig").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("go list names only %d dependencies", len(deps))
	}
	for _, dep := range deps {
		for _, banned := range []string{module + "/emulator", "github.com/dolthub"} {
			if dep == banned || strings.HasPrefix(dep, banned+"/") {
				t.Errorf("pmig links %s", dep)
			}
		}
	}
}
