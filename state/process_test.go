package state_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pmig/pmig/state"
)

// The test binary runs itself again as another process: role says as which.
const role = "PMIG_STATE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch r := os.Getenv(role); r {
	case "":
		dir, err := os.MkdirTemp("", "pmig-state-")
		if err != nil {
			fail(err)
		}
		shared.dir = dir
		code := m.Run()
		shared.stop()
		os.RemoveAll(dir)
		os.Exit(code)
	case "hold":
		hold(os.Args[1])
	case "count":
		count(os.Args[1], os.Args[2])
	case "save":
		saveForever(os.Args[1])
	default:
		fmt.Fprintln(os.Stderr, "unknown role", r)
		os.Exit(2)
	}
}

func child(t *testing.T, as string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), role+"="+as)
	cmd.Stderr = os.Stderr
	return cmd
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// openChild opens the store that a test has told its child of.
func openChild(where string) store {
	if dir, ok := strings.CutPrefix(where, "file:"); ok {
		return state.NewFileStore(dir, "0.1.0")
	}
	db, err := sql.Open("mysql", strings.TrimPrefix(where, "mysql:"))
	if err != nil {
		fail(err)
	}
	return state.NewDatabaseStore(lend(db), "test", "pmig_", "0.1.0")
}

// hold takes the lock, says so, and keeps it until its input ends.
func hold(where string) {
	unlock, err := openChild(where).Lock(context.Background(), key, fmt.Sprintf("apply, process %d", os.Getpid()))
	if err != nil {
		fail(err)
	}
	fmt.Println("locked")
	bufio.NewReader(os.Stdin).ReadString('\n')
	if err := unlock(); err != nil {
		fail(err)
	}
}

// startHolder runs hold in another process and returns when it has the lock.
func startHolder(t *testing.T, where string) *exec.Cmd {
	t.Helper()
	holder := child(t, "hold", where)
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); holder.Process.Kill() })
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return holder
}

// count is countUp in another process.
func count(where, times string) {
	n, err := strconv.Atoi(times)
	if err == nil {
		err = countUp(openChild(where), n)
	}
	if err != nil {
		fail(err)
	}
}

// countUp adds one to a number in the document, again and again: a lost update shows in the sum.
func countUp(s store, times int) error {
	for done := 0; done < times; {
		d, err := s.Load(key)
		if errors.Is(err, state.ErrNone) {
			d, err = &state.Document{Key: key, Run: json.RawMessage("0")}, nil
		}
		if err != nil {
			return err
		}
		var sum int
		if err := json.Unmarshal(d.Run, &sum); err != nil {
			return err
		}
		d.Run = json.RawMessage(strconv.Itoa(sum + 1))
		var stale *state.StaleError
		switch err := s.Save(d); {
		case err == nil:
			done++
		case !errors.As(err, &stale):
			return err
		}
	}
	return nil
}

func TestTwoProcessesLoseNothing(t *testing.T) {
	for name, make := range map[string]func(*testing.T) *place{"file": inFolder, "database": inMariaDB} {
		t.Run(name, func(t *testing.T) {
			const each = 40
			p := make(t)
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					if err := child(t, "count", p.child, strconv.Itoa(each)).Run(); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			d, err := p.open("0.1.0").Load(key)
			if err != nil || string(d.Run) != strconv.Itoa(2*each) || d.Serial != 2*each {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

// saveForever saves documents of changing size until it is killed.
func saveForever(dir string) {
	store := state.NewFileStore(dir, "0.1.0")
	d, err := store.Load(key)
	if errors.Is(err, state.ErrNone) {
		d, err = &state.Document{Key: key}, nil
	}
	if err != nil {
		fail(err)
	}
	fmt.Println("saving")
	for i := 0; ; i++ {
		d.Records = append(d.Records[:0], state.Record{N: i, Step: "migrate", Phase: state.PhaseBefore, Note: strings.Repeat("n", i*977%50000)})
		if err := store.Save(d); err != nil {
			fail(err)
		}
	}
}

func TestKillDuringSaveDamagesNothing(t *testing.T) {
	dir := t.TempDir()
	store := state.NewFileStore(dir, "0.1.0")
	var serial uint64
	for round := range 25 {
		cmd := child(t, "save", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "saving\n" {
			t.Fatalf("round %d: %q, %v", round, line, err)
		}
		time.Sleep(time.Duration(round) * 1300 * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		d, err := store.Load(key)
		switch {
		case errors.Is(err, state.ErrNone) && serial == 0:
			continue
		case err != nil:
			t.Fatalf("round %d: %v", round, err)
		case d.Serial < serial:
			t.Fatalf("round %d: serial %d after %d", round, d.Serial, serial)
		}
		if err := store.Save(d); err != nil {
			t.Fatalf("round %d: the next one cannot save: %v", round, err)
		}
		serial = d.Serial
	}
	if serial < 25 {
		t.Errorf("only %d saves were tried", serial)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 4 {
		var names []string
		for _, e := range entries {
			names = append(names, filepath.Base(e.Name()))
		}
		t.Errorf("killed processes leave more and more behind: %v", names)
	}
}
