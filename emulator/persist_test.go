package emulator_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

// A restart finds everything, and goes on with what was half done.
func TestRestart(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		data := t.TempDir()
		kept := func(dir string) (emulator.Engine, error) { return open(filepath.Join(data, "engine")) }
		in := func(o *emulator.Options) {
			o.Data, o.Knobs = data, emulator.Knobs{Deploy: time.Hour, RevertWindow: 30 * time.Minute}
		}
		var n int
		var id string
		t.Run("before", func(t *testing.T) {
			s := start(t, kept, in)
			s.seed()
			s.branch("work")
			id = ok(s.shop.CreatePassword(t.Context(), "work", planetscale.NewPassword{Name: "p", Role: "admin", TTL: time.Hour}))(t).ID
			s.sql("work", "ALTER TABLE users ADD COLUMN nick varchar(40)")
			n = s.open("work")
			s.await(n, planetscale.StateReady)
			s.deploy(n)
			s.until("the operation runs", func() bool {
				dr := ok(s.shop.DeployRequest(t.Context(), n))(t)
				return dr.Deployment.Operations[0].State == "in_progress"
			})
			if err := s.e.Advance(10 * time.Minute); err != nil {
				t.Fatal(err)
			}
			if _, err := emulator.New(t.Context(), emulator.Options{Data: data, Engine: fakeEngine{}}); !errors.As(err, new(*emulator.BusyError)) {
				t.Errorf("a second emulator on the folder: %v", err)
			}
		})
		t.Run("after", func(t *testing.T) {
			s := start(t, kept, in)
			if at := s.e.Now(); time.Until(at) < 9*time.Minute {
				t.Errorf("the clock was set back to %v", at)
			}
			if p := ok(s.shop.Passwords(t.Context(), "work"))(t); len(p) != 1 || p[0].ID != id {
				t.Errorf("passwords: %+v", p)
			}
			if _, err := s.shop.RenewPassword(t.Context(), "work", id); err != nil {
				t.Error(err)
			}
			s.await(n, planetscale.StateInProgress)
			if err := s.e.Advance(time.Hour); err != nil {
				t.Fatal(err)
			}
			s.await(n, planetscale.StateCompletePendingRevert)
			if got := s.columns("main", "users"); got != "id email nick" {
				t.Errorf("main has %s", got)
			}
			if n := len(s.sql("main", "SELECT * FROM users").Rows); n != 2 {
				t.Errorf("main has %d rows", n)
			}
			if err := s.shop.DeleteBranch(t.Context(), "work"); err != nil {
				t.Error(err)
			}
		})
		t.Run("and once more", func(t *testing.T) {
			s := start(t, kept, in)
			if _, err := s.shop.RevertDeploy(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			s.await(n, planetscale.StateCompleteRevert)
			if b := ok(s.shop.Branches(t.Context()))(t); len(b) != 1 {
				t.Errorf("branches: %+v", b)
			}
		})
	})
}

// fakeEngine is for emulators that do not come to be.
type fakeEngine struct{ emulator.Engine }

func TestDamagedState(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"cut in half":  {`{"format_version":1,"organi`, "is damaged"},
		"newer format": {`{"format_version":99}`, "has format 99"},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			if err := os.WriteFile(filepath.Join(data, "state.json"), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := emulator.New(t.Context(), emulator.Options{Data: data, Engine: fakeEngine{}})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
			if b, _ := os.ReadFile(filepath.Join(data, "state.json")); string(b) != test.content {
				t.Error("the file was overwritten")
			}
		})
	}
}

// The answer to a change comes after it is kept.
func TestKeptBeforeAnswered(t *testing.T) {
	data := t.TempDir()
	s := start(t, memory, func(o *emulator.Options) { o.Data = data })
	if _, err := s.shop.CreateBranch(t.Context(), planetscale.NewBranch{Name: "kept", Parent: "main"}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(data, "state.json"))
	if err != nil || !strings.Contains(string(b), `"kept"`) {
		t.Errorf("%v, %s", err, b)
	}
	if info, err := os.Stat(filepath.Join(data, "state.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}
