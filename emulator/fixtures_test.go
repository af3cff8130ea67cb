package emulator_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/pmig/pmig/emulator"
	"github.com/pmig/pmig/planetscale"
)

const fixtures = `
token "readerreader" {
  secret      = "pscale_tkn_r"
  name        = "reader"
  permissions = ["read_database", "read_branch"]
}

organization "acme" {
  database "store" {
    default_branch              = "trunk"
    automatic_migrations        = true
    migration_table_name        = "goose_db_version"
    require_approval_for_deploy = true

    branch "trunk" {
      sql  = file("schema.sql")
      rows = {
        users = [
          { id = 1, email = "a@example.test", note = null },
          { id = 2, email = "b'; DROP TABLE users; --", note = "x" },
        ]
      }
    }
    branch "staging" {
      safe_migrations = true
    }
    branch "work" {
      parent = "staging"
      sql    = "ALTER TABLE users ADD COLUMN nick varchar(40)"
    }
  }
  database "pg" {
    kind = "postgresql"
  }
}

organization "other" {}
`

const fixtureSchema = "CREATE TABLE users (id bigint NOT NULL, email varchar(190) NOT NULL, note text, PRIMARY KEY (id));\nCREATE TABLE tags (id int NOT NULL, PRIMARY KEY (id))\n"

func TestFixtures(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := t.TempDir()
		for name, content := range map[string]string{"fixtures.hcl": fixtures, "schema.sql": fixtureSchema} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f, err := emulator.LoadFixtures(filepath.Join(dir, "fixtures.hcl"))
		if err != nil {
			t.Fatal(err)
		}
		kept := func(string) (emulator.Engine, error) { return open(filepath.Join(dir, "engine")) }
		// Twice: what is there already is left as it is.
		for range 2 {
			t.Run("", func(t *testing.T) {
				s := start(t, kept, func(o *emulator.Options) { o.Fixtures, o.Data = f, filepath.Join(dir, "data") })
				store := s.client.DB("acme", "store")
				db := ok(store.Get(t.Context()))(t)
				if db.DefaultBranch != "trunk" || !db.RequireApprovalForDeploy || db.MigrationTableName != "goose_db_version" {
					t.Errorf("%+v", db)
				}
				var names []string
				for _, b := range ok(store.Branches(t.Context()))(t) {
					if b.SafeMigrations {
						b.Name += " safe"
					}
					names = append(names, b.Name)
				}
				if got := strings.Join(names, ", "); got != "trunk safe, staging safe, work" {
					t.Errorf("branches: %s", got)
				}
				r := ok(s.e.SQL(t.Context(), "acme", "store", "trunk", "SELECT email, note FROM users ORDER BY id"))(t)
				if len(r.Rows) != 2 || *r.Rows[1][0] != "b'; DROP TABLE users; --" || r.Rows[0][1] != nil {
					t.Errorf("rows: %v", r.Rows)
				}
				tables := ok(store.BranchSchema(t.Context(), "work", ""))(t)
				if len(tables) != 2 || !strings.Contains(tables[1].Raw, "nick") {
					t.Errorf("work has %+v", tables)
				}
				if n := len(ok(s.client.Organizations(t.Context()))(t)); n != 2 {
					t.Errorf("%d organizations", n)
				}
				for method, want := range map[string]int{"GET": 200, "PATCH": 404} {
					if status, _ := s.raw(method, "/v1/organizations/acme/databases/store", "{}", "Authorization", "readerreader:pscale_tkn_r"); status != want {
						t.Errorf("%s as the reader: %d", method, status)
					}
				}
			})
		}
	})
}

func TestFixturesInJSON(t *testing.T) {
	f, err := emulator.ParseFixtures("f.json", []byte(`{"organization":{"acme":{"database":{"shop":{"branch":{"main":{
		"sql":"CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))","rows":{"t":[{"id":1},{"id":2}]}}}}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, memory, func(o *emulator.Options) { o.Fixtures = f })
	if r := s.sql("main", "SELECT * FROM t"); len(r.Rows) != 2 {
		t.Errorf("%d rows", len(r.Rows))
	}
}

// A mistake is told with the line that it is on.
func TestFixtureMistakes(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"not HCL":             {"f.hcl", "organization \"acme\" {\n", "f.hcl:1"},
		"not JSON":            {"f.json", "{\n\"organization\": {\n", "f.json:"},
		"unknown member":      {"f.hcl", "organization \"acme\" {\n  database \"shop\" {\n    colour = 1\n  }\n}\n", "f.hcl:3"},
		"wrong type":          {"f.hcl", "token \"a\" {\n  secret = [1]\n}\n", "f.hcl:2"},
		"unknown permission":  {"f.hcl", "token \"a\" {\n  secret = \"s\"\n  permissions = [\"fly\"]\n}\n", "f.hcl:3,17-24: no permission is called \"fly\""},
		"name":                {"f.hcl", "organization \"acme\" {\n  database \"No Name\" {}\n}\n", "f.hcl:2"},
		"twice":               {"f.hcl", "organization \"acme\" {\n  database \"shop\" {}\n  database \"shop\" {}\n}\n", "f.hcl:3"},
		"parent":              {"f.hcl", "organization \"acme\" {\n  database \"shop\" {\n    branch \"b\" {\n      parent = \"c\"\n    }\n  }\n}\n", "f.hcl:3"},
		"rows":                {"f.hcl", "organization \"acme\" {\n  database \"shop\" {\n    branch \"main\" {\n      rows = [1]\n    }\n  }\n}\n", "f.hcl:4"},
		"a row":               {"f.hcl", "organization \"acme\" {\n  database \"shop\" {\n    branch \"main\" {\n      rows = { t = [{ a = [1] }] }\n    }\n  }\n}\n", "f.hcl:4"},
		"missing file":        {"f.hcl", "organization \"acme\" {\n  database \"shop\" {\n    branch \"main\" {\n      sql = file(\"gone.sql\")\n    }\n  }\n}\n", "f.hcl:4"},
		"kind":                {"f.hcl", "organization \"acme\" {\n  database \"shop\" {\n    kind = \"oracle\"\n  }\n}\n", "f.hcl:2"},
		"token without a key": {"f.hcl", "token \"a\" {\n}\n", "f.hcl:1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := emulator.ParseFixtures(test.file, []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.As(err, new(hcl.Diagnostics)) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	for name, test := range map[string]struct{ branch, want string }{
		"SQL": {"sql = \"CREATE TABEL t (id int)\"", "f.hcl:4"},
		"row": {"rows = { nowhere = [{ id = 1 }] }", "f.hcl:4: row of nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := emulator.ParseFixtures("f.hcl", []byte("organization \"acme\" {\n  database \"shop\" {\n    branch \"main\" {\n      "+test.branch+"\n    }\n  }\n}\n"))
			if err != nil {
				t.Fatal(err)
			}
			engine := openEngine(t, memory, t.TempDir())
			_, err = emulator.New(t.Context(), emulator.Options{Engine: engine, Fixtures: f})
			var failed *emulator.FixtureError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), test.want) || failed.Hint() == "" {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func FuzzFixtures(f *testing.F) {
	f.Add("f.hcl", fixtures)
	f.Add("f.json", `{"organization":{"acme":{"database":{"shop":{"branch":{"main":{"rows":{"t":[{"id":1}]}}}}}}}}`)
	f.Fuzz(func(t *testing.T, name, text string) {
		if strings.ContainsAny(text, "/(") { // no files from elsewhere
			return
		}
		if fix, err := emulator.ParseFixtures(name, []byte(text)); (fix == nil) == (err == nil) {
			t.Errorf("%v, %v", fix, err)
		}
	})
}

func TestImport(t *testing.T) {
	s := start(t, memory)
	s.branch("work")
	for body, want := range map[string]int{
		`{"database":"shop","branch":"work","schema":"CREATE TABLE t (id int NOT NULL, a varchar(9), PRIMARY KEY (id))","rows":{"t":[{"id":1,"a":null},{"id":2,"a":"x"}]}}`: 200,
		`{"database":"shop","branch":"nowhere"}`:                        404,
		`{"database":"shop","schema":"CREATE TABEL"}`:                   422,
		`{"database":"shop","rows":{"nowhere":[{"id":1}]}}`:             422,
		`{"database":"shop","rows":[1]}`:                                422,
		`{"database":"shop","rows":{"t":[{"id":{"not":["a value"]}}]}}`: 422,
	} {
		if status, o := s.call("POST", "/_emulator/import", body); status != want {
			t.Errorf("%s: %d %v", body, status, o)
		}
	}
	if r := s.sql("work", "SELECT * FROM t"); len(r.Rows) != 2 || r.Rows[0][1] != nil {
		t.Errorf("%d rows", len(r.Rows))
	}
	if status, _ := s.call("GET", d, ""); status != 200 {
		t.Error(status)
	}
	s.call("DELETE", "/_emulator/requests", "")
	if _, o := s.call("GET", "/_emulator/requests", ""); len(o["data"].([]any)) != 0 {
		t.Errorf("%v", o["data"])
	}
}

func TestParseFault(t *testing.T) {
	f := ok(emulator.ParseFault("answer,method=POST,path=/deploy$,status=429,header.Retry-After=2,times=3"))(t)
	if f.Do != emulator.FaultAnswer || f.Method != "POST" || f.Path != "/deploy$" || f.Status != 429 || f.Header["Retry-After"] != "2" || f.Times != 3 {
		t.Errorf("%+v", f)
	}
	if f := ok(emulator.ParseFault(`{"do":"slow","delay":"3s"}`))(t); f.Do != emulator.FaultSlow || f.Delay.Seconds() != 3 {
		t.Errorf("%+v", f)
	}
	for _, bad := range []string{"", "explode", "answer,status=", "answer,status=x", "answer,times", "answer,colour=red", "delay,delay=soon", "delay,delay=-1s", "delay,path=(", `{"do":`, "answer,status=7"} {
		if f, err := emulator.ParseFault(bad); err == nil {
			t.Errorf("%q is %+v", bad, f)
		}
	}
	var u emulator.Unknowns
	for _, good := range []string{"close_queued", "notes_limit=100", "one_request_per_branch=true"} {
		if err := u.Set(good); err != nil {
			t.Error(err)
		}
	}
	if !u.CloseQueued || u.NotesLimit != 100 || !u.OneRequestPerBranch {
		t.Errorf("%+v", u)
	}
	for _, bad := range []string{"", "close_queued=perhaps", "notes_limit=many", "nothing"} {
		if err := u.Set(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// Half a minute of the platform, in no time.
func TestProfile(t *testing.T) {
	for _, name := range emulator.Profiles {
		if _, err := emulator.ProfileKnobs(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := emulator.ProfileKnobs("warp"); err == nil {
		t.Error("there is a profile warp")
	}
}

// The rows of a history that lags behind its schema.
func TestHistoryDelay(t *testing.T) {
	s := start(t, memory)
	s.sql("main", "CREATE TABLE schema_migrations (version varchar(20) NOT NULL, PRIMARY KEY (version))", "CREATE TABLE t (id int NOT NULL, PRIMARY KEY (id))")
	s.call("PATCH", d, `{"automatic_migrations":true}`)
	f := ok(emulator.ParseFault("history-delay,delay=1h"))(t)
	s.fault(f)
	s.branch("work")
	s.sql("work", "ALTER TABLE t ADD COLUMN a int", "INSERT INTO schema_migrations VALUES ('1')")
	n := s.open("work")
	s.await(n, planetscale.StateReady)
	s.deploy(n)
	s.await(n, planetscale.StateComplete)
	rows := func() int { return len(s.sql("main", "SELECT * FROM schema_migrations").Rows) }
	if rows() != 0 {
		t.Error("the rows are there at once")
	}
	if err := s.e.Advance(time.Hour); err != nil {
		t.Fatal(err)
	}
	s.until("the rows come", func() bool { return rows() == 1 })
}
