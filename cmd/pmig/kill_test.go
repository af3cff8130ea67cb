package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// kills is how many random instants CI tries; PMIG_TEST_KILLS=200 is the full
// count, PMIG_TEST_SEED another series of them.
const kills = 8

// TestKilledAtRandom kills the real binary (kill -9) at a random instant, with
// the real emulator in a process of its own on MariaDB, and runs the same
// command again; the journal is kept for one half and deleted for the other.
// Without it the next run waits until the heartbeat of the dead one is over:
// the emulator's clock is moved on by seven minutes, and the time for which pmig
// itself must have watched it, up to five minutes, is waited for with PMIG_TEST_PATIENT=1; otherwise a person
// ends it, with pmig unlock --force.
func TestKilledAtRandom(t *testing.T) {
	if _, err := mariadb.Find(); err != nil {
		t.Skip("a MariaDB server is not installed")
	}
	count, seed := kills, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("PMIG_TEST_KILLS")); err == nil {
		count = n
	}
	if n, err := strconv.ParseUint(os.Getenv("PMIG_TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	bin := buildBoth(t)
	workers := max(4, count/10) // each with an emulator of its own: most of the time is waiting
	began := time.Now()
	var mu sync.Mutex
	var tally killTally
	var all sync.WaitGroup
	for worker := range workers {
		k := &killing{t: t, bin: bin, force: os.Getenv("PMIG_TEST_PATIENT") == "", dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, uint64(worker)))}
		k.e = startForTest(t, filepath.Join(bin, "pmig-emulator"), filepath.Join(k.dir, ".emulator"), "--engine", "mariadb")
		all.Go(func() {
			if !k.first() {
				return
			}
			for i := worker; i < count && !t.Failed(); i += workers {
				died := k.once(i/workers%2 == 0)
				mu.Lock()
				tally.add(died, i/workers%2 == 0)
				t.Logf("%v: %v", time.Since(began).Round(time.Second), tally)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.Logf("seed %d, %v: %v; all converged: %t", seed, time.Since(began).Round(time.Second), tally, !t.Failed())
}

type killTally struct{ instants, died, kept, lost int }

func (c *killTally) add(died, kept bool) {
	c.instants++
	if died {
		c.died++
	}
	if kept {
		c.kept++
	} else {
		c.lost++
	}
}

func (c killTally) String() string {
	return fmt.Sprintf("%d instants, the process was killed at %d of them (else it was done before), journal kept %d, lost %d", c.instants, c.died, c.kept, c.lost)
}

// killing is one database that gets one migration after the other.
type killing struct {
	t        *testing.T
	bin, dir string
	e        *emulatorForTest
	random   *rand.Rand
	force    bool          // a person ends the dead run's hold
	n        int           // migrations so far
	takes    time.Duration // an unbroken run
}

func (k *killing) migration() {
	k.n++
	name := filepath.Join(k.dir, "migrations", fmt.Sprintf("%d_t.up.sql", k.n))
	sql := fmt.Sprintf("CREATE TABLE t%d (id BIGINT NOT NULL, PRIMARY KEY (id));", k.n)
	if k.n > 1 {
		sql += fmt.Sprintf(" ALTER TABLE t1 ADD COLUMN c%d INT;", k.n)
	}
	if err := os.WriteFile(name, []byte(sql), 0o644); err != nil {
		k.t.Error(err)
	}
}

func (k *killing) first() bool {
	if err := os.MkdirAll(filepath.Join(k.dir, "migrations"), 0o755); err != nil {
		k.t.Error(err)
		return false
	}
	if err := os.WriteFile(filepath.Join(k.dir, "pmig.hcl"), []byte("database \"shop\" {\n  source \"golang-migrate\" {\n    path = \"migrations\"\n  }\n}\n"), 0o644); err != nil {
		k.t.Error(err)
		return false
	}
	k.migration()
	began := time.Now()
	if out, err := k.apply(0); err != nil {
		k.t.Errorf("the first deploy: %v\n%s", err, out)
		return false
	}
	k.takes = time.Since(began)
	return true
}

// once reports whether the process was killed before it was done.
func (k *killing) once(kept bool) (died bool) {
	k.migration()
	at := time.Duration(k.random.Int64N(int64(k.takes))) + time.Millisecond
	out, err := k.apply(at)
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if !died && err != nil {
		k.t.Errorf("migration %d: %v\n%s", k.n, err, out)
		return
	}
	if !kept {
		if err := os.RemoveAll(filepath.Join(k.dir, ".pmig")); err != nil {
			k.t.Error(err)
		}
		k.advance("7m")
		if k.force {
			k.pmig(0, "unlock", "--force", "--auto-approve")
		}
	}
	again, err := k.apply(0)
	if err != nil {
		k.t.Errorf("migration %d, killed after %v, journal kept %t: the same command then fails: %v\n--- first\n%s\n--- then\n%s", k.n, at, kept, err, out, again)
		return
	}
	if problem := k.problem(); problem != "" {
		k.t.Errorf("migration %d, killed after %v, journal kept %t: %s\n--- first\n%s\n--- then\n%s", k.n, at, kept, problem, out, again)
	}
	return died
}

// apply types pmig apply and kills it after a while, unless that is 0.
func (k *killing) apply(after time.Duration) (string, error) {
	return k.pmig(after, "apply", "--auto-approve")
}

func (k *killing) pmig(after time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(k.bin, "pmig"), append(args, "--chdir", k.dir)...)
	cmd.Env = append(os.Environ(), "PLANETSCALE_API_URL="+k.e.address, "PLANETSCALE_ORG=acme",
		"PLANETSCALE_SERVICE_TOKEN_ID="+testTokenID, "PLANETSCALE_SERVICE_TOKEN="+testToken)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	if after > 0 {
		defer time.AfterFunc(after, func() { cmd.Process.Kill() }).Stop()
	}
	err := cmd.Wait()
	return out.String(), err
}

func (k *killing) advance(by string) {
	resp, err := http.Post(strings.TrimSuffix(k.e.address, "/")+"/_emulator/advance", "application/json", strings.NewReader(`{"duration": "`+by+`"}`))
	if err != nil || resp.StatusCode != http.StatusOK {
		k.t.Errorf("advance: %v, %v", resp, err)
		return
	}
	resp.Body.Close()
}

// problem says what is not as after unbroken runs.
func (k *killing) problem() string {
	ctx := context.Background()
	api := k.e.client.DB("acme", "shop")
	requests, err := api.DeployRequests(ctx, planetscale.DeployRequestFilter{})
	if err != nil {
		return err.Error()
	}
	live := 0
	for _, r := range requests {
		if r.DeploymentState == planetscale.StateComplete {
			live++
		} else if r.State == planetscale.RequestOpen {
			return fmt.Sprintf("deploy request #%d is left open, %s", r.Number, r.DeploymentState)
		}
	}
	if live != k.n {
		return fmt.Sprintf("%d requests were deployed, want %d", live, k.n)
	}
	branches, err := api.Branches(ctx)
	if err != nil || len(branches) != 1 {
		return fmt.Sprintf("%d branches are left over, %v", len(branches)-1, err)
	}
	access := &planner.Access{API: api, Connect: connect, Branch: "main", Database: "shop", Name: "test", Role: "reader"}
	defer access.Close(ctx)
	db, err := access.DB(ctx)
	if err != nil {
		return err.Error()
	}
	var version, dirty, tables, columns int
	if err := db.QueryRowContext(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&version, &dirty); err != nil {
		return err.Error()
	}
	const counted = "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'), (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 't1')"
	if err := db.QueryRowContext(ctx, counted).Scan(&tables, &columns); err != nil {
		return err.Error()
	}
	if version != k.n || dirty != 0 || tables != k.n+1 || columns != k.n {
		return fmt.Sprintf("version %d, dirty %d, %d tables, %d columns after %d migrations", version, dirty, tables, columns, k.n)
	}
	return ""
}
