package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/migration"
)

// folder makes a folder of the files given by name and goes there. A name that ends in a slash is an empty folder.
func folder(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

// load loads a pmig.hcl beside an empty folder "migrations".
func load(t *testing.T, text string, o config.Options) (*config.Config, hcl.Diagnostics) {
	t.Helper()
	folder(t, map[string]string{"pmig.hcl": text, "migrations/": ""})
	return config.Load(".", o)
}

// mustLoad is load of a text without a mistake.
func mustLoad(t *testing.T, text string, o config.Options) *config.Config {
	t.Helper()
	c, diags := load(t, text, o)
	if len(diags) > 0 {
		t.Fatalf("unexpected diagnostics:\n%s", printed(t, c, diags))
	}
	return c
}

// printed is diagnostics as a person sees them.
func printed(t *testing.T, c *config.Config, diags hcl.Diagnostics) string {
	t.Helper()
	var b bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&b, c.Files, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// full says everything that the language can say.
const full = `
pmig {
  required_version = ">= 0.1, < 2.0"
}

state "file" {
  path = "journal"
}

platform "planetscale" {
  organization = "acme"
}

variable "environment" {
  type        = string
  description = "where this goes"
  one_of      = ["staging", "production"]
}

variable "flags" {
  type    = list(string)
  default = ["--verbose"]
}

locals {
  name = "neptune-${var.environment}"
  knex = concat(["npx", "knex", "migrate:latest"], var.flags)
}

database "neptune" {
  name = local.name

  branch "main" {
    production = true
    url        = try(env.DATABASE_URL, null)
  }
  branch "migrator" {
    parent = "main"
  }

  source "knex" {
    path     = "migrations"
    command  = local.knex
    dir      = "service"
    keyspace = "neptune_sharded"
    pass_env = ["PGHOST", null]
    env = {
      DATABASE_URL = branch.migrator.url
      NODE_ENV     = var.environment
      UNSET        = null
      PORT         = 3306
    }
    history "knex_history" {}
  }

  source "seeds" {
    tool    = "custom"
    path    = "seeds"
    command = ["./seed", "--host=${branch.migrator.host}:${branch.migrator.port}", "--branch", branch.migrator.name, "a$${b}"]
    on      = "target"
    history "seed_log" {
      key   = ["version"]
      file  = "^([0-9]+)_.*"
      shape = "pointer"
    }
  }

  deploy {
    approval      = "wait"
    cutover       = "manual"
    instant       = true
    revert_window = "skip"
    timeouts {
      branch   = "1m"
      migrate  = "90s"
      review   = "2m"
      approval = "1h30m"
      deploy   = "24h"
    }
  }

  policy {
    data_changes = "allow"
    drops        = "allow"
    out_of_order = "refuse"
  }
}
`

func TestLoadFull(t *testing.T) {
	folder(t, map[string]string{"pmig.hcl": full, "migrations/": "", "service/": "", "seeds/": ""})
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c, diags := config.Load(".", config.Options{
		Version: "0.3.0",
		Vars:    map[string]string{"environment": "staging"},
		Environ: map[string]string{"DATABASE_URL": "mysql://u:hunter2@db.example.com/neptune"},
	})
	if len(diags) > 0 {
		t.Fatal(printed(t, c, diags))
	}
	if c.Dir != dir || c.File != "pmig.hcl" || c.RequiredVersion != ">= 0.1, < 2.0" {
		t.Errorf("Dir %q, File %q, RequiredVersion %q", c.Dir, c.File, c.RequiredVersion)
	}
	if want := (config.State{Kind: "file", Path: filepath.Join(dir, "journal")}); c.State != want {
		t.Errorf("State = %+v", c.State)
	}
	if p := c.Platform; p.Kind != "planetscale" || p.Organization != "acme" || p.Range.Start.Line != 10 {
		t.Errorf("Platform = %+v", p)
	}
	if v := c.Variables; len(v) != 2 || v[0].Name != "environment" || v[0].Value != `"staging"` || v[1].Value != `["--verbose"]` {
		t.Errorf("Variables = %+v", v)
	}

	if len(c.Databases) != 1 {
		t.Fatalf("%d databases", len(c.Databases))
	}
	d := c.Databases[0]
	if d.Label != "neptune" || d.Name != "neptune-staging" || d.Range.Start.Line != 30 {
		t.Errorf("Label %q, Name %q, Range %v", d.Label, d.Name, d.Range)
	}
	if b := d.Target; b.Label != "main" || b.Name != "main" || b.Parent != "" || b.Production == nil || !*b.Production ||
		b.URL.Reveal() != "mysql://u:hunter2@db.example.com/neptune" {
		t.Errorf("Target = %+v", b)
	}
	if b := d.Working; b.Label != "migrator" || b.Name != "migrator" || b.Parent != "main" || b.Production != nil || b.URL != "" {
		t.Errorf("Working = %+v", b)
	}
	wantDeploy := config.Deploy{Approval: "wait", Cutover: "manual", Instant: true, RevertWindow: "skip", Timeouts: config.Timeouts{
		Branch: time.Minute, Migrate: 90 * time.Second, Review: 2 * time.Minute, Approval: 90 * time.Minute, Deploy: 24 * time.Hour,
	}}
	if d.Deploy != wantDeploy {
		t.Errorf("Deploy = %+v", d.Deploy)
	}
	if want := (config.Policy{DataChanges: "allow", Drops: "allow", OutOfOrder: "refuse"}); d.Policy != want {
		t.Errorf("Policy = %+v", d.Policy)
	}

	if len(d.Sources) != 2 {
		t.Fatalf("%d sources", len(d.Sources))
	}
	knex, seeds := d.Sources[0], d.Sources[1]
	if knex.Name != "knex" || knex.Tool.Name != "knex" || knex.Path != filepath.Join(dir, "migrations") || knex.RelPath != "migrations" ||
		knex.Dir != filepath.Join(dir, "service") || knex.Keyspace != "neptune_sharded" || knex.On != "branch" {
		t.Errorf("source knex = %+v", knex)
	}
	if diff := cmp.Diff([]string{"PGHOST"}, knex.PassEnv); diff != "" {
		t.Errorf("PassEnv: %s", diff)
	}
	if h := knex.Histories; len(h) != 1 || h[0].Tool != knex.Tool || h[0].Database != "neptune_sharded" || h[0].Table != "knex_history" || h[0].Custom != nil {
		t.Errorf("Histories = %+v", h)
	}
	if seeds.Tool.Name != "custom" || seeds.On != "target" || seeds.Dir != dir || seeds.Keyspace != "neptune-staging" {
		t.Errorf("source seeds = %+v", seeds)
	}
	wantCustom := &migration.Custom{Key: []string{"version"}, File: "^([0-9]+)_.*", Shape: migration.Pointer}
	if h := seeds.Histories; len(h) != 1 || h[0].Table != "seed_log" || !cmp.Equal(h[0].Custom, wantCustom) {
		t.Errorf("Histories = %+v", h)
	}
}

// minimal is the smallest file that does something.
const minimal = `
platform "planetscale" {
  organization = "acme"
}
database "shop" {
  source "golang-migrate" {
    path = "migrations"
  }
}
`

func TestLoadDefaults(t *testing.T) {
	c := mustLoad(t, minimal, config.Options{Environ: map[string]string{"PLANETSCALE_ORG": "other"}})
	dir, _ := os.Getwd()
	if c.RequiredVersion != "" || c.State.Kind != "file" || c.State.Path != filepath.Join(dir, ".pmig") || c.Platform.Organization != "acme" {
		t.Errorf("%+v", c)
	}
	d := c.Databases[0]
	if d.Name != "shop" || d.Target.Name != "main" || d.Working.Name != "migrator" || d.Working.Parent != "main" {
		t.Errorf("%+v", d)
	}
	want := config.Deploy{Approval: "exit", Cutover: "auto", RevertWindow: "until-next", Timeouts: config.Timeouts{
		Branch: 10 * time.Minute, Migrate: time.Hour, Review: 15 * time.Minute, Approval: 30 * time.Minute, Deploy: 12 * time.Hour,
	}}
	if d.Deploy != want {
		t.Errorf("Deploy = %+v", d.Deploy)
	}
	if want := (config.Policy{DataChanges: "refuse", Drops: "refuse", OutOfOrder: "allow"}); d.Policy != want {
		t.Errorf("Policy = %+v", d.Policy)
	}
	s := d.Sources[0]
	if h := s.Histories; len(h) != 1 || h[0].Table != "schema_migrations" || h[0].Database != "shop" {
		t.Errorf("Histories = %+v", h)
	}
	if argv, env, diags := s.Command(config.BranchValues{}); len(argv)+len(env)+len(diags) > 0 || s.CommandText() != nil || s.EnvText() != nil {
		t.Errorf("Command = %q, %q, %v", argv, env, diags)
	}
}

func TestLoadBranchNames(t *testing.T) {
	c := mustLoad(t, `
platform "planetscale" { organization = "acme" }
database "shop" {
  branch "target" {
    name = "release-1"
  }
  branch "work" {
    name   = "migrator-${env.STAGE}"
    parent = branch.target.name
  }
  source "golang-migrate" {
    path = "migrations"
    env  = { TARGET = branch.target.name, BRANCH = branch.work.name }
  }
}
database "shop-again" {
  name = "shop"
  branch "main" {}
  branch "other" { parent = "main" }
  source "golang-migrate" { path = "migrations" }
}
`, config.Options{Environ: map[string]string{"STAGE": "qa"}})
	d := c.Databases[0]
	if d.Target.Name != "release-1" || d.Target.Label != "target" || d.Working.Name != "migrator-qa" || d.Working.Parent != "release-1" {
		t.Errorf("Target %+v, Working %+v", d.Target, d.Working)
	}
	_, env, diags := d.Sources[0].Command(config.BranchValues{Name: "pmig-migrator-qa-7"})
	if diff := cmp.Diff(map[string]string{"TARGET": "release-1", "BRANCH": "pmig-migrator-qa-7"}, env); diff != "" || len(diags) > 0 {
		t.Errorf("%v%s", diags, diff)
	}
}

func TestOrganization(t *testing.T) {
	const none = "database \"shop\" {\n  source \"golang-migrate\" { path = \"migrations\" }\n}\n"
	tests := []struct {
		name, text, pscale, want string
		environ                  map[string]string
		summary                  string
	}{
		{name: "environment", text: none, environ: map[string]string{"PLANETSCALE_ORG": "acme"}, pscale: "org: other\n", want: "acme"},
		{name: "pscale.yml", text: none, pscale: "# made by pscale\ndatabase: shop\norg: \"acme\" # ours\n", want: "acme"},
		{name: "null", text: "platform \"planetscale\" {\n  organization = try(env.ORG, null)\n}\n" + none, environ: map[string]string{"PLANETSCALE_ORG": "acme"}, want: "acme"},
		{name: "nowhere", text: none, summary: "No organization"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{"pmig.hcl": tt.text, "migrations/": ""}
			if tt.pscale != "" {
				files[".pscale.yml"] = tt.pscale
			}
			folder(t, files)
			c, diags := config.Load(".", config.Options{Environ: tt.environ})
			if c.Platform.Organization != tt.want {
				t.Errorf("organization %q, want %q", c.Platform.Organization, tt.want)
			}
			if got := len(diags) > 0 && diags[0].Summary == tt.summary; got != (tt.summary != "") || len(diags) > 1 {
				t.Errorf("diagnostics: %v", diags)
			}
		})
	}
}

func TestPlatformOverride(t *testing.T) {
	const text = `
platform "planetscale" {
  organization = env.ORG
}
database "shop" {
  branch "main" {
    url = env.DATABASE_URL
  }
  branch "migrator" { parent = "main" }
  source "golang-migrate" { path = "migrations" }
}
`
	c := mustLoad(t, text, config.Options{Platform: "embedded"})
	dir, _ := os.Getwd()
	p := c.Platform
	if p.Kind != "embedded" || p.Organization != "embedded" || p.Data != filepath.Join(dir, ".pmig", "embedded") || p.Engine != "auto" {
		t.Errorf("Platform = %+v", p)
	}

	c, diags := load(t, text, config.Options{Platform: "embeded"})
	if len(diags) == 0 || diags[0].Detail != `--platform embeded: there is no such platform. Did you mean "embedded"?` || diags[0].Subject != nil {
		t.Error(printed(t, c, diags))
	}

	c = mustLoad(t, `
platform "embedded" {
  data   = "cloud"
  engine = "memory"
}
database "shop" {
  branch "main" { url = "mysql://prod.example.com/shop" }
  branch "migrator" { parent = "main" }
  source "golang-migrate" { path = "migrations" }
}
`, config.Options{})
	if p := c.Platform; p.Data != filepath.Join(c.Dir, "cloud") || p.Engine != "memory" || c.Databases[0].Target.URL != "" {
		t.Errorf("Platform = %+v, url %v", p, c.Databases[0].Target.URL)
	}
}

func TestLoadNothing(t *testing.T) {
	folder(t, nil)
	c, diags := config.Load("service", config.Options{})
	want := "There is no file " + filepath.Join("service", "pmig.hcl") + ". Write one, or give the folder that has it with --chdir."
	if c == nil || c.Files == nil || len(diags) != 1 || diags[0].Detail != want {
		t.Errorf("%+v, %v", c, diags)
	}
	folder(t, map[string]string{"pmig.hcl/": ""})
	if _, diags := config.Load(".", config.Options{}); len(diags) != 1 || diags[0].Detail != "The file pmig.hcl cannot be read: it is not a regular file." {
		t.Errorf("%v", diags)
	}
	folder(t, map[string]string{"pmig.hcl": strings.Repeat("# long\n", 100_000)})
	if _, diags := config.Load(".", config.Options{}); len(diags) != 1 || diags[0].Detail != "The file pmig.hcl cannot be read: it is larger than 512 KiB." {
		t.Errorf("%v", diags)
	}
}

func TestDatabaseState(t *testing.T) {
	const rest = `
platform "planetscale" { organization = "acme" }
database "shop" {
  source "golang-migrate" { path = "migrations" }
}`
	const url = "mysql://root:hunter2@db.example.com/state"
	tests := []struct {
		name, block string
		o           config.Options
		want        config.State
	}{
		{"in the migrated database", `state "database" {}`, config.Options{}, config.State{Kind: "database", TablePrefix: "pmig_"}},
		{"by url", `state "database" { url = env.STATE_URL }`, config.Options{Environ: map[string]string{"STATE_URL": url}},
			config.State{Kind: "database", URL: url, TablePrefix: "pmig_"}},
		{"by url, perhaps", `state "database" { url = try(env.STATE_URL, null) }`, config.Options{}, config.State{Kind: "database", TablePrefix: "pmig_"}},
		{"another prefix", `state "database" { table_prefix = "ops_" }`, config.Options{}, config.State{Kind: "database", TablePrefix: "ops_"}},
		{"checked without the environment", `state "database" { url = env.STATE_URL }`, config.Options{Validate: true}, config.State{Kind: "database", TablePrefix: "pmig_"}},
		{"the emulator's own", `state "database" { url = env.STATE_URL }`, config.Options{Platform: "embedded"}, config.State{Kind: "file", TablePrefix: "pmig_"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := mustLoad(t, test.block+rest, test.o)
			test.want.Path = filepath.Join(c.Dir, ".pmig")
			if c.State != test.want {
				t.Errorf("State = %+v, want %+v", c.State, test.want)
			}
		})
	}
}
