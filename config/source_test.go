package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/config"
)

// values are what a run knows of its branch.
var values = config.BranchValues{
	Name: "pmig-migrator-3", URL: "mysql://pmig:s3cret@127.0.0.1:3307/shop", DSN: "pmig:s3cret@tcp(127.0.0.1:3307)/shop",
	JDBCURL: "jdbc:mysql://127.0.0.1:3307/shop", Host: "127.0.0.1", Port: 3307, User: "pmig", Password: "s3cret", Database: "shop",
	CAFile: "/tmp/ca.pem",
}

const commands = `
platform "planetscale" {
  organization = "acme"
}
variable "flags" {
  default = ["--verbose"]
}
locals {
  stage  = env.STAGE
  static = { NODE_ENV = "test" }
}
database "shop" {
  source "knex" {
    path    = "migrations"
    command = ["npx", var.flags[0], "--url=${branch.migrator.url}", env.STAGE, local.stage, null, path.module, 5, "$${x}", branch.migrator.port]
    env = {
      DSN                  = branch.migrator.dsn
      JDBC                 = branch.migrator.jdbc_url
      WHERE                = "${branch.migrator.host}:${branch.migrator.port}"
      WHO                  = "${branch.migrator.user}@${branch.migrator.database}"
      PASSWORD             = urlencode(branch.migrator.password)
      CA                   = branch["migrator"].ca_file
      BRANCH               = branch.migrator.name
      TARGET               = branch.main.name
      MODE                 = env.STAGE == "qa" ? "slow" : "fast"
      FALLBACK             = try(env.NOPE, "none")
      NOTHING              = try(env.NOPE, null)
      "FLAG_${upper("a")}" = local.static.NODE_ENV
    }
  }
  source "dbmate" {
    path    = "migrations"
    command = concat(["dbmate", "--env"], var.flags)
    env     = merge(local.static, { EMPTY = null })
    history "dbmate_versions" {}
  }
  source "golang-migrate" {
    path    = "migrations"
    command = split(" ", env.RUN)
    env     = { for k in ["A"] : k => env.STAGE }
  }
}
`

func TestCommand(t *testing.T) {
	environ := map[string]string{"STAGE": "qa-hunter2", "RUN": "migrate up"}
	c := mustLoad(t, commands, config.Options{Environ: environ})
	dir, _ := os.Getwd()
	tests := []struct {
		source string
		argv   []string
		env    map[string]string
		argvAs []string
		envAs  map[string]string
	}{
		{
			source: "knex",
			argv:   []string{"npx", "--verbose", "--url=mysql://pmig:s3cret@127.0.0.1:3307/shop", "qa-hunter2", "qa-hunter2", dir, "5", "${x}", "3307"},
			env: map[string]string{
				"DSN": "pmig:s3cret@tcp(127.0.0.1:3307)/shop", "JDBC": "jdbc:mysql://127.0.0.1:3307/shop", "WHERE": "127.0.0.1:3307",
				"WHO": "pmig@shop", "PASSWORD": "s3cret", "CA": "/tmp/ca.pem", "BRANCH": "pmig-migrator-3", "TARGET": "main",
				"MODE": "fast", "FALLBACK": "none", "FLAG_A": "test",
			},
			argvAs: []string{"npx", "--verbose", "--url=${branch.migrator.url}", "${env.STAGE}", "${local.stage}", "${path.module}", "5", "$${x}", "${branch.migrator.port}"},
			envAs: map[string]string{
				"DSN": "${branch.migrator.dsn}", "JDBC": "${branch.migrator.jdbc_url}", "WHERE": "${branch.migrator.host}:${branch.migrator.port}",
				"WHO": "${branch.migrator.user}@${branch.migrator.database}", "PASSWORD": "${urlencode(branch.migrator.password)}",
				"CA": `${branch["migrator"].ca_file}`, "BRANCH": "${branch.migrator.name}", "TARGET": "${branch.main.name}",
				"MODE": `${env.STAGE == "qa" ? "slow" : "fast"}`, "FALLBACK": `${try(env.NOPE, "none")}`, "NOTHING": "${try(env.NOPE, null)}",
				"FLAG_A": "test",
			},
		},
		{
			source: "dbmate",
			argv:   []string{"dbmate", "--env", "--verbose"},
			env:    map[string]string{"NODE_ENV": "test"},
			argvAs: []string{"dbmate", "--env", "--verbose"},
			envAs:  map[string]string{"NODE_ENV": "test"},
		},
		{
			source: "golang-migrate",
			argv:   []string{"migrate", "up"},
			env:    map[string]string{"A": "qa-hunter2"},
			argvAs: []string{`${split(" ", env.RUN)}`},
			envAs:  map[string]string{"*": `${{ for k in ["A"] : k => env.STAGE }}`},
		},
	}
	for i, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			s := c.Databases[0].Sources[i]
			argv, env, diags := s.Command(values)
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			for _, pair := range []struct {
				name      string
				want, got any
			}{
				{"argv", tt.argv, argv}, {"env", tt.env, env}, {"CommandText", tt.argvAs, s.CommandText()}, {"EnvText", tt.envAs, s.EnvText()},
			} {
				if diff := cmp.Diff(pair.want, pair.got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", pair.name, diff)
				}
			}
		})
	}

	// The text is the same whatever the environment holds, so that a plan made elsewhere says the same.
	before := texts(c)
	environ = map[string]string{"STAGE": "qa", "RUN": "x", "NOPE": "set"}
	if diff := cmp.Diff(before, texts(mustLoad(t, commands, config.Options{Environ: environ}))); diff != "" {
		t.Errorf("the text depends on the environment:\n%s", diff)
	}
	if diff := cmp.Diff(before, texts(mustLoad(t, commands, config.Options{ReadOnly: true, Environ: map[string]string{"STAGE": "qa"}}))); diff != "" {
		t.Errorf("the text depends on who asks:\n%s", diff)
	}
	if diff := cmp.Diff(before, texts(mustLoad(t, commands, config.Options{Validate: true}))); diff != "" {
		t.Errorf("the text depends on what is known:\n%s", diff)
	}
}

// texts is everything that a plan may hold of the commands.
func texts(c *config.Config) map[string]any {
	out := map[string]any{}
	for _, s := range c.Databases[0].Sources {
		out[s.Name+" command"], out[s.Name+" env"] = s.CommandText(), s.EnvText()
	}
	return out
}

func TestCommandMistakes(t *testing.T) {
	tests := []struct{ name, attrs, stage, want string }{
		{"empty", `command = [env.STAGE]`, "", "The command is empty: the first of the list is the program."},
		{"missing", `command = ["x", env.MISSING]`, "", "The environment variable MISSING is not set. If it may be missing, write try(env.MISSING, null)."},
		{"zero byte", `command = ["x", env.STAGE]`, "a\x00b", "The arguments of a command cannot contain a zero byte."},
		{"zero byte in env", "command = [\"x\"]\n    env = { A = env.STAGE }", "a\x00b", "The values of environment variables cannot contain a zero byte."},
		{"name", "command = [\"x\"]\n    env = { (env.STAGE) = 1 }", "A=hunter2", "The names of environment variables are not empty and contain no equals sign."},
		{"number", `command = ["x", parseint(env.STAGE, 10)]`, "hunter2", "The reason is not shown, because it may contain a value from the environment."},
		{"password", `command = ["x", parseint(branch.migrator.password, 10)]`, "", "The reason is not shown, because it may contain a value from the environment."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "database \"shop\" {\n  source \"knex\" {\n    path = \"migrations\"\n    " + tt.attrs + "\n  }\n}\n"
			// ReadOnly leaves the environment out of Load, so that only Command can find the mistake.
			c, diags := load(t, text, config.Options{ReadOnly: true, Environ: map[string]string{"STAGE": tt.stage, "PLANETSCALE_ORG": "acme"}})
			if len(diags) > 0 {
				t.Fatal(printed(t, c, diags))
			}
			argv, env, diags := c.Databases[0].Sources[0].Command(values)
			if len(diags) != 1 || diags[0].Detail != tt.want || diags[0].Subject == nil || diags[0].Subject.Filename != "pmig.hcl" {
				t.Errorf("argv %q, env %q, diagnostics %v", argv, env, diags)
			}
			if argv != nil || env != nil {
				t.Errorf("argv %q and env %q in spite of a mistake", argv, env)
			}
			if all := printed(t, c, diags); strings.Contains(all, "hunter2") || strings.Contains(all, "s3cret") {
				t.Errorf("a secret is shown:\n%s", all)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	const text = `
platform "planetscale" { organization = "acme" }
database "shop" {
  source "knex" {
    path    = "migrations"
    command = ["npx", env.MISSING]
  }
}
`
	mustLoad(t, text, config.Options{ReadOnly: true})
	if _, diags := load(t, text, config.Options{}); len(diags) != 1 || diags[0].Summary != "Environment variable not set" {
		t.Errorf("%v", diags)
	}
}

// TestValidate loads a file in which everything depends on an environment that is not there.
func TestValidate(t *testing.T) {
	const text = `
platform "planetscale" {
  organization = env.ORG
}
variable "environment" {
  type   = string
  one_of = ["staging", "production"]
}
variable "hosts" {
  type = list(object({ name = string, port = optional(number, 3306) }))
}
locals {
  name  = "shop-${env.STAGE}"
  ports = [for h in var.hosts : h.port if h.name != env.STAGE]
}
database "shop" {
  name = local.name
  branch "main" {
    production = env.STAGE == "production"
    url        = try(env.DATABASE_URL, null)
  }
  branch "work" {
    name   = "m-${lower(env.STAGE)}"
    parent = coalesce(env.PARENT, "main")
  }
  source "golang-migrate" {
    path     = var.environment
    tool     = env.TOOL
    on       = env.ON
    pass_env = split(",", env.PASS)
    env      = { URL = branch.work.url, PORT = local.ports[0], (env.NAME) = "x" }
    command  = concat(["migrate"], split(" ", env.ARGS))
  }
  deploy {
    approval = env.APPROVAL
    instant  = tobool(env.INSTANT)
    timeouts {
      deploy = env.LONG ? "2h" : "1h"
    }
  }
}
database "other" {
  name = "${local.name}-other"
  source "custom" {
    path    = "migrations"
    command = env.CUSTOM == "" ? ["a"] : ["b"]
    history "t" {
      key  = [env.KEY]
      file = env.FILE
    }
  }
}
`
	c := mustLoad(t, text, config.Options{Validate: true, Version: "dev"})
	d := c.Databases[0]
	if d.Name != "" || d.Working.Name != "" || d.Target.Label != "main" || d.Working.Label != "work" {
		t.Errorf("%+v", d)
	}
}

func TestSecret(t *testing.T) {
	c := mustLoad(t, full[:strings.Index(full, "  source ")]+"  source \"golang-migrate\" { path = \"migrations\" }\n}\n", config.Options{
		Environ: map[string]string{"DATABASE_URL": "mysql://u:hunter2@db.example.com/neptune"},
		Vars:    map[string]string{"environment": "staging"},
	})
	d := c.Databases[0]
	if got := d.Target.URL.Reveal(); !strings.Contains(got, "hunter2") {
		t.Fatalf("the url is %q", got)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, d.Target); strings.Contains(got, "hunter2") || strings.Contains(got, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("%s shows the secret: %s", verb, got)
		}
	}
	if _, err := json.Marshal(d); err == nil {
		t.Error("a secret was encoded")
	}
	if b, err := json.Marshal(config.Branch{Name: "main"}); err != nil || !strings.Contains(string(b), `"URL":""`) {
		t.Errorf("no secret at all: %s, %v", b, err)
	}
	if b, err := config.Secret("").MarshalText(); err != nil || len(b) > 0 {
		t.Errorf("no secret at all: %q, %v", b, err)
	}
	if got := fmt.Sprint(config.Secret("")); got != "" {
		t.Errorf("no secret at all prints as %q", got)
	}
}

func TestFunctions(t *testing.T) {
	tests := []struct{ expr, want string }{
		{`trimspace(file("VERSION"))`, "1.2"},
		{`join(",", fileset("migrations", "*.sql"))`, "1_a.sql,2_b.sql"},
		{`join(",", fileset(path.module, "**/*.{sql,js}"))`, "migrations/1_a.sql,migrations/2_b.sql,migrations/old/0_z.js"},
		{`join(",", fileset("migrations", "[!1]_?.sql"))`, "2_b.sql"},
		{`length(fileset("migrations", "none"))`, "0"},
		{`jsondecode(file("package.json")).name`, "shop"},
		{`fileexists("VERSION") && !fileexists("migrations") && !fileexists("x") ? "yes" : "no"`, "yes"},
		{`replace("a-b-c", "-", "_")`, "a_b_c"},
		{`replace("a1b22", "/[0-9]+/", "#")`, "a#b#"},
		{`try(env.NOT_SET, "fallback")`, "fallback"},
		{`can(env.NOT_SET) ? "set" : "not"`, "not"},
		{`urlencode("p@ss/w")`, "p%40ss%2Fw"},
		{`base64decode(base64encode("ü"))`, "ü"},
		{`"${length("äb")}${length([1])}${length({ a = 1 })}${length(tolist(["x"]))}"`, "2111"},
		{`tostring(tonumber("5") + 1)`, "6"},
		{`startswith("abc", "ab") && endswith("abc", "bc") ? "yes" : "no"`, "yes"},
		{`"${basename("a/b.sql")} ${dirname("a/b.sql")}"`, "b.sql a"},
		{`upper(element(reverse(sort(["b", "a"])), 0))`, "B"},
		{`join("", [for k, v in { a = 1, b = 2 } : "${k}${v}"])`, "a1b2"},
		{`formatdate("YYYY", "2024-05-06T00:00:00Z")`, "2024"},
		{`basename(path.root)`, "service"},
	}
	for _, tt := range tests {
		t.Run(tt.expr, func(t *testing.T) {
			folder(t, map[string]string{
				"service/pmig.hcl": "platform \"planetscale\" {\n organization = \"acme\"\n}\ndatabase \"shop\" {\n source \"knex\" {\n path = \"migrations\"\n command = [\"echo\", " + tt.expr + "]\n }\n}\n",
				"service/VERSION":  "1.2\n", "service/package.json": `{"name":"shop"}`,
				"service/migrations/1_a.sql": "", "service/migrations/2_b.sql": "", "service/migrations/old/0_z.js": "",
			})
			c, diags := config.Load("service", config.Options{})
			if len(diags) > 0 {
				t.Fatal(printed(t, c, diags))
			}
			if c.File != filepath.Join("service", "pmig.hcl") {
				t.Errorf("File = %q", c.File)
			}
			argv, _, diags := c.Databases[0].Sources[0].Command(values)
			if len(diags) > 0 || len(argv) != 2 || argv[1] != tt.want {
				t.Errorf("%q, want %q; %v", argv, tt.want, diags)
			}
		})
	}
}

func TestFunctionMistakes(t *testing.T) {
	tests := []struct{ expr, want string }{
		{`file("none")`, `Call to function "file" failed: none cannot be read: no such file or directory.`},
		{`file("/dev/zero")`, `Call to function "file" failed: /dev/zero cannot be read: it is not a regular file.`},
		{`fileset(".", "[a")`, `Invalid value for "pattern" parameter: a bracket in the pattern is not closed.`},
		{`fileset(".", "{a")`, `Invalid value for "pattern" parameter: a brace in the pattern is not closed.`},
		{`join("", fileset("none", "*"))`, `Invalid value for "path" parameter: no such file or directory.`},
		{`base64decode("%")`, `Call to function "base64decode" failed: it is not base64.`},
		{`base64decode("/w==")`, `Call to function "base64decode" failed: what it encodes is not UTF-8 text.`},
		{`tonumber("x")`, `Invalid value for "v" parameter: this value cannot become a number.`},
		{`tobool([])`, `Invalid value for "v" parameter: a list cannot become true or false.`},
		{`length(5)`, `Invalid value for "value" parameter: the length of a list, a map or a string can be asked for.`},
		{`replace("a", "/(/", "b")`, "Invalid value for \"substr\" parameter: error parsing regexp: missing closing ): `(`."},
		{`uper("a")`, `There is no function named "uper". Did you mean "upper"?`},
		{`1e99999`, "The exponent of a number can have 3 digits at most."},
		{strings.Repeat("(", 200) + "1" + strings.Repeat(")", 200), "Brackets can stand within each other at most 100 deep."},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			_, diags := load(t, "locals {\n  a = "+tt.expr+"\n}\n"+minimal, config.Options{})
			if len(diags) != 1 || diags[0].Detail != tt.want || diags[0].Subject == nil || diags[0].Subject.Start.Line != 2 {
				t.Errorf("%v", diags)
			}
		})
	}
}
