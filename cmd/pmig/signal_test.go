package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stage is a folder with a project, the real binary and an emulator of its own.
type stage struct {
	t        *testing.T
	bin, dir string
	e        *emulatorForTest
}

// buildBoth builds both commands and gives their folder.
func buildBoth(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"pmig", "pmig-emulator"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, name), "../"+name).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return bin
}

func newStage(t *testing.T, bin, config string) *stage {
	t.Helper()
	s := &stage{t: t, bin: bin, dir: t.TempDir()}
	s.e = startForTest(t, filepath.Join(bin, "pmig-emulator"), filepath.Join(t.TempDir(), "data"))
	if err := os.Mkdir(filepath.Join(s.dir, "migrations"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("pmig.hcl", config)
	s.write("migrations/1_a.sql", "-- migrate:up\nCREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id));\n-- migrate:down\nDROP TABLE a;\n")
	return s
}

func (s *stage) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// command is the real pmig.
func (s *stage) command(env []string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(filepath.Join(s.bin, "pmig"), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PLANETSCALE_API_URL="+s.e.address, "PLANETSCALE_ORG=acme",
		"PLANETSCALE_SERVICE_TOKEN_ID="+testTokenID, "PLANETSCALE_SERVICE_TOKEN="+testToken)
	cmd.Env = append(cmd.Env, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// await waits until a file is there.
func (s *stage) await(name string) {
	s.t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			return
		}
	}
	s.t.Fatalf("%s never came", name)
}

// TestSignalsWhileToolRuns: the first signal ends the tool, writes the checkpoint
// and leaves with 130 in under ten seconds; the second does not wait for a tool
// that will not end.
func TestSignalsWhileToolRuns(t *testing.T) {
	const project = `database "shop" {
  source "dbmate" {
    path    = "migrations"
    command = ["sh", "-c", "SCRIPT"]
  }
}
`
	bin := buildBoth(t)
	for _, c := range []struct {
		name, script string
		signals      []syscall.Signal
		within       time.Duration
		code         int // -1: ended by the signal itself
	}{
		{"one SIGTERM", "touch running; sleep 60", []syscall.Signal{syscall.SIGTERM}, 10 * time.Second, 130},
		{"one SIGINT", "touch running; sleep 60", []syscall.Signal{syscall.SIGINT}, 10 * time.Second, 130},
		{"one SIGTERM and a tool that takes none", "trap '' TERM INT; touch running; sleep 60 & wait; sleep 60", []syscall.Signal{syscall.SIGTERM}, 10 * time.Second, 130},
		{"two", "trap '' TERM INT; touch running; sleep 60 & wait; sleep 60", []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM}, 2 * time.Second, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, bin, strings.Replace(project, "SCRIPT", c.script, 1))
			cmd, out := s.command(nil, "apply", "--auto-approve")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			s.await("running")
			began := time.Now()
			for _, signal := range c.signals {
				cmd.Process.Signal(signal)
				time.Sleep(300 * time.Millisecond)
			}
			cmd.Wait()
			if took := time.Since(began); took > c.within || cmd.ProcessState.ExitCode() != c.code {
				t.Errorf("%v after %v, want code %d within %v\n%s", cmd.ProcessState, took, c.code, c.within, out)
			}
			if c.code != 130 {
				return
			}
			if !strings.Contains(out.String(), "hint: run pmig apply again") {
				t.Errorf("no way to go on:\n%s", out)
			}
			branches, err := s.e.client.DB("acme", "shop").Branches(t.Context())
			if err != nil || len(branches) != 1 {
				t.Errorf("%d branches are left, %v", len(branches)-1, err)
			}
		})
	}
}
