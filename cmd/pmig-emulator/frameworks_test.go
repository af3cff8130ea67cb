package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pmig/pmig/emulator/mariadb"
)

// framework is a migration tool, with the command that its users type. {dsn} and {url} are the branch as Go's driver and as other
// programs write it; the same stands in the environment as DATABASE_URL, and in parts.
type framework struct {
	name    string
	binary  string // in $PMIG_TEST_TOOLS
	command []string
	history string // a query for the versions that it has noted
	want    string
}

var frameworks = []framework{
	{"goose", "bin/goose", []string{"-dir", "migrations", "mysql", "{dsn}", "up"},
		"SELECT version_id FROM goose_db_version WHERE version_id > 0 ORDER BY id", "20240110120000 20240212093000"},
	{"golang-migrate", "bin/migrate", []string{"-path", "migrations", "-database", "mysql://{dsn}", "up"},
		"SELECT version, dirty FROM schema_migrations", "3 0"},
	{"dbmate", "node_modules/.bin/dbmate", []string{"--no-dump-schema", "--url", "{url}", "migrate"},
		"SELECT version FROM schema_migrations ORDER BY version", "20240110120000 20240212093000"},
	{"knex", "node_modules/.bin/knex", []string{"migrate:latest"},
		"SELECT name FROM knex_migrations ORDER BY id", "20240110120000_create_ships.js 20240212093000_add_ship_port.js"},
	{"sequelize", "node_modules/.bin/sequelize-cli", []string{"db:migrate"},
		"SELECT name FROM SequelizeMeta ORDER BY name", "20240110120000-create-ships.js 20240212093000-add-ship-port.js"},
	{"drizzle", "node_modules/.bin/drizzle-kit", []string{"migrate"},
		"SELECT created_at FROM __drizzle_migrations ORDER BY id", "1704888000000 1707730200000"},
}

// Every framework runs its own command on a branch, unchanged: over TLS, checking the certificate, and without; and refuses a
// server whose certificate it cannot check.
func TestFrameworks(t *testing.T) {
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	tools := os.Getenv("PMIG_TEST_TOOLS")
	dir := t.TempDir()
	authority, stranger := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "other.pem")
	var p *process
	if tools != "" {
		p = startProcess(t, "--engine", "mariadb", "--quiet", "--ca-file", authority)
		startProcess(t, "--engine", "memory", "--quiet", "--ca-file", stranger)
	}
	for _, f := range frameworks {
		t.Run(f.name, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(tools, f.binary)); tools == "" || err != nil {
				t.Skip(f.binary + " is not installed")
			}
			for _, c := range []struct{ name, ca string }{{"tls", authority}, {"plain", ""}, {"stranger", stranger}} {
				t.Run(c.name, func(t *testing.T) {
					here := &process{T: t, api: p.api, stderr: p.stderr}
					here.framework(f, filepath.Join(tools, f.binary), c.name, c.ca, c.name != "stranger")
				})
			}
		})
	}
}

// framework runs a framework's command twice on a branch of its own.
func (p *process) framework(f framework, binary, name, ca string, works bool) {
	branch := f.name + "-" + name
	if status, o := p.call("POST", shop+"/branches", `{"name":"`+branch+`","parent_branch":"main"}`); status != 201 {
		p.Fatal(status, o)
	}
	p.await(shop+"/branches/"+branch, func(o map[string]any) bool { return o["ready"] == true })
	status, password := p.call("POST", shop+"/branches/"+branch+"/passwords", `{"name":"test","role":"admin"}`)
	if status != 201 {
		p.Fatal(status, password)
	}
	user, secret, host := password["username"].(string), password["plain_text"].(string), password["access_host_url"].(string)

	project := p.TempDir()
	if err := os.CopyFS(project, os.DirFS(filepath.Join("testdata", "frameworks", f.name))); err != nil {
		p.Fatal(err)
	}
	if i := strings.Index(binary, "node_modules"); i >= 0 {
		if err := os.Symlink(filepath.Join(binary[:i], "node_modules"), filepath.Join(project, "node_modules")); err != nil {
			p.Fatal(err)
		}
	}
	at, port, err := net.SplitHostPort(host)
	if err != nil {
		p.Fatal(err)
	}
	dsn, url := user+":"+secret+"@tcp("+host+")/shop?parseTime=true", "mysql://"+user+":"+secret+"@"+host+"/shop"
	env := append(os.Environ(), "HOME="+project, "DATABASE_HOST="+at, "DATABASE_PORT="+port, "DATABASE_USER="+user, "DATABASE_PASSWORD="+secret, "DATABASE_URL="+url)
	if ca != "" {
		// What a system's own list of authorities is to PlanetScale's certificates.
		dsn, url = dsn+"&tls=true", url+"?tls=true"
		env = append(env, "SSL_CERT_FILE="+ca, "NODE_EXTRA_CA_CERTS="+ca, "DATABASE_TLS=1")
	}
	args := make([]string, len(f.command))
	for i, a := range f.command {
		args[i] = strings.NewReplacer("{dsn}", dsn, "{url}", url).Replace(a)
	}
	for range 2 { // the second time there is nothing to do
		cmd := exec.CommandContext(p.Context(), binary, args...)
		cmd.Dir, cmd.Env = project, env
		out, err := cmd.CombinedOutput()
		switch {
		case works && err != nil:
			p.Fatalf("%s: %v\n%s", f.name, err, out)
		case !works && err == nil:
			p.Fatalf("%s took a certificate that it could not check:\n%s", f.name, out)
		case !works && !errors.As(err, new(*exec.ExitError)):
			p.Fatal(err)
		}
	}
	if !works {
		if got := p.sql(branch, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'shop'"); got != "0" {
			p.Errorf("it made %s tables", got)
		}
		return
	}
	if got := p.sql(branch, f.history); got != f.want {
		p.Errorf("its history is %q, want %q", got, f.want)
	}
	if got := p.sql(branch, "SELECT name, port, built_on FROM ships"); got != "Rickmer; Rickmers Bremen NULL" {
		p.Errorf("the table holds %q", got)
	}
	if got := p.sql(branch, "SELECT group_concat(column_name ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 'ships'"); got != "id,name,port,built_on" {
		p.Errorf("its columns are %s", got)
	}
}

// await asks for a path until the answer is the one.
func (p *process) await(path string, done func(map[string]any) bool) {
	p.Helper()
	for range 1000 {
		if _, o := p.call("GET", path, ""); done(o) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.Fatalf("it never happened: %s\n%s", path, p.stderr)
}

// sql is a query's answer on a branch, its values with spaces between them.
func (p *process) sql(branch, query string) string {
	p.Helper()
	text, err := json.Marshal(map[string]string{"database": "shop", "branch": branch, "sql": query})
	if err != nil {
		p.Fatal(err)
	}
	status, o := p.call("POST", "_emulator/sql", string(text))
	if status != 200 {
		p.Fatalf("%s: %d %v", query, status, o)
	}
	var values []string
	rows, _ := o["rows"].([]any)
	for _, row := range rows {
		for _, v := range row.([]any) {
			if v == nil {
				v = "NULL"
			}
			values = append(values, v.(string))
		}
	}
	return strings.Join(values, " ")
}
