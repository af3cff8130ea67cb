package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pmig/pmig/config"
)

// A second run on the folder of platform "embedded" waits for the first, as long
// as it is told to, and then says that somebody else must finish.
func TestEmbeddedFolderInUse(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "pmig-emulator"), "../pmig-emulator").CombinedOutput(); err != nil {
		t.Fatalf("build the emulator: %v\n%s", err, out)
	}
	pmigFile := "platform \"embedded\" {\n  data   = \"data\"\n  engine = \"memory\"\n}\ndatabase \"shop\" {\n  source \"golang-migrate\" {\n    path = \"migrations\"\n  }\n}\n"
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "pmig.hcl"), []byte(pmigFile), 0o600), os.Mkdir(filepath.Join(dir, "migrations"), 0o700)); err != nil {
		t.Fatal(err)
	}
	// The emulator itself is not linked here: with it, every script's pmig would take seconds to start under the race detector.
	first := exec.Command(filepath.Join(bin, "pmig-emulator"), "--listen", "127.0.0.1:0", "--engine", "memory", "--data", filepath.Join(dir, "data"), "--stop-with-stdin", "--quiet")
	stdin, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() { stdin.Close(); first.Wait() })
	defer end()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
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
		end()
	}()
	w, err := a.open(t.Context(), config.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, talk)
	}
	w.shutdown()
}
