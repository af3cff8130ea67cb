package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// settledBudget is how long a process may take to find that there is nothing
// to do, at the median.
const settledBudget = 100 * time.Millisecond

// BenchmarkNothingPending starts the real pmig in a folder whose migrations are
// all in production's history, with a url, no token and no API that answers:
// what every pod of a deployment but one goes through.
func BenchmarkNothingPending(b *testing.B) {
	p := start(b, "memory", "shop")
	dir := b.TempDir()
	pmig := shipped(b, "pmig")
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	rows := ""
	for i := range 200 {
		write(fmt.Sprintf("migrations/%04d_step.sql", i+1), "-- migrate:up\nSELECT 1;")
		rows += fmt.Sprintf("INSERT INTO schema_migrations VALUES ('%04d');", i+1)
	}
	p.sql("shop", "main", "CREATE TABLE schema_migrations (version varchar(128) NOT NULL, PRIMARY KEY (version));"+rows)
	write("pmig.hcl", `platform "planetscale" {
  organization = "acme"
}
database "shop" {
  branch "main" {
    url = env.DATABASE_URL
  }
  branch "migrator" {
    parent = "main"
  }
  source "dbmate" {
    path    = "migrations"
    command = ["dbmate", "up"]
  }
}
`)
	status, text := p.call("POST", databasesPath+"shop/branches/main/passwords", `{"name":"bench","role":"reader"}`)
	var login struct {
		Username string `json:"username"`
		Password string `json:"plain_text"`
		Host     string `json:"access_host_url"`
	}
	if err := json.Unmarshal(text, &login); err != nil || status != 201 {
		b.Fatal(status, string(text))
	}
	env := []string{"DATABASE_URL=mysql://" + login.Username + ":" + login.Password + "@" + login.Host + "/shop", "PLANETSCALE_API_URL=http://127.0.0.1:1/", "HOME=" + dir}
	for _, args := range [][]string{{"apply", "--auto-approve"}, {"wait", "--timeout", "0"}} {
		b.Run(args[0], func(b *testing.B) {
			var took []time.Duration
			for range b.N {
				cmd := exec.Command(pmig, args...)
				cmd.Dir, cmd.Env = dir, env
				began := time.Now()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("pmig %v: %v\n%s", args, err, out)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			median := took[len(took)/2]
			b.ReportMetric(float64(median.Microseconds())/1000, "ms-median")
			if len(took) >= 10 && median > settledBudget {
				b.Errorf("pmig %v takes %v at the median of %d, more than %v", args, median, len(took), settledBudget)
			}
		})
	}
}
