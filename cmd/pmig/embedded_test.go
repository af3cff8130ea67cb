package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/config"
	emulated "github.com/pmig/pmig/emulator"
)

// A second run on the folder of platform "embedded" waits for the first, as long
// as it is told to, and then says that somebody else must finish.
func TestEmbeddedFolderInUse(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "pmig-emulator"), "../pmig-emulator").CombinedOutput(); err != nil {
		t.Fatalf("build the emulator: %v\n%s", err, out)
	}
	pmigFile := "platform \"embedded\" {\n  data   = \"data\"\n  engine = \"memory\"\n}\ndatabase \"shop\" {\n  source \"golang-migrate\" {\n    path = \"migrations\"\n  }\n}\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "pmig.hcl"), []byte(pmigFile), 0o600), os.Mkdir(filepath.Join(dir, "migrations"), 0o700),
		os.MkdirAll(filepath.Join(dir, "data", "engine"), 0o700)); err != nil {
		t.Fatal(err)
	}
	first, err := emulated.NewMemory(filepath.Join(dir, "data", "engine"))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	talk := &tail{}
	a := &app{stdin: strings.NewReader(""), stdout: talk, stderr: talk, environ: os.Environ(), env: map[string]string{"PATH": bin},
		flags: globals{Chdir: dir, LogFormat: "console", LogLevel: "info"}}

	_, err = a.open(t.Context(), config.Options{})
	if codeOf(err) != exitBusy || !strings.Contains(err.Error(), "another pmig") {
		t.Fatalf("exit %d, %v", codeOf(err), err)
	}
	a.patience = time.Minute
	go func() { // the first ends once the second has said that it waits
		for !strings.Contains(talk.String(), "waiting for another pmig") {
			time.Sleep(5 * time.Millisecond)
		}
		first.Close()
	}()
	w, err := a.open(t.Context(), config.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, talk)
	}
	w.shutdown()
}
