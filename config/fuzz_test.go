package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pmig/pmig/config"
)

// FuzzLoad gives Load any bytes as a pmig.hcl. Load must not crash, must say the same every time, must point into the file, must
// not show the environment, and must return something whole when it finds nothing wrong.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(minimal))
	f.Add([]byte(commands))
	archives, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a.Files[0].Data)
	}
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "migrations"), 0o755); err != nil {
		f.Fatal(err)
	}
	const secret = "q7hunter2z"
	f.Fuzz(func(t *testing.T, src []byte) {
		if err := os.WriteFile(filepath.Join(dir, "pmig.hcl"), src, 0o644); err != nil {
			t.Fatal(err)
		}
		o := config.Options{
			Environ: map[string]string{"PLANETSCALE_ORG": "acme", "SECRET": secret, "DATABASE_URL": "mysql://u:" + secret + "@h/d", "STAGE": secret},
			Vars:    map[string]string{},
		}
		for _, validate := range []bool{false, true} {
			o.Validate = validate
			c, diags := config.Load(dir, o)
			text := printedBytes(t, c, diags)
			again, diagsAgain := config.Load(dir, o)
			if other := printedBytes(t, again, diagsAgain); other != text {
				t.Fatalf("two loads differ:\n%s\nand:\n%s", text, other)
			}
			if strings.Contains(text, secret) {
				t.Fatalf("the diagnostics show the environment:\n%s", text)
			}
			for _, d := range diags {
				if d.Summary == "" || d.Detail == "" {
					t.Fatalf("an empty diagnostic: %+v", d)
				}
				if d.Subject != nil && (c.Files[d.Subject.Filename] == nil || d.Subject.Start.Byte > len(src) || d.Subject.End.Byte > len(src)) {
					t.Fatalf("a diagnostic points out of the file: %v", d)
				}
			}
			if !diags.HasErrors() {
				whole(t, c, validate)
			}
		}
	})
}

// whole checks that nothing is missing in a configuration without errors.
func whole(t *testing.T, c *config.Config, validate bool) {
	if len(c.Databases) == 0 || c.State.Path == "" || c.Platform.Organization == "" && !validate {
		t.Fatalf("incomplete: %+v", c)
	}
	for _, d := range c.Databases {
		if len(d.Sources) == 0 || d.Working.Label == "" || d.Target.Label == "" {
			t.Fatalf("incomplete: %+v", d)
		}
		if !validate && (d.Name == "" || d.Working.Name == "" || d.Target.Name == "" || d.Working.Parent != d.Target.Name) {
			t.Fatalf("incomplete: %+v", d)
		}
		for _, s := range d.Sources {
			if !validate && (s.Tool == nil || s.Path == "" || len(s.Histories) == 0 || s.Keyspace == "") {
				t.Fatalf("incomplete: %+v", s)
			}
			s.CommandText()
			s.EnvText()
			argv, _, diags := s.Command(values)
			if !validate && !diags.HasErrors() && len(argv) == 0 && !s.Tool.InProcess {
				t.Fatalf("no command and no mistake: %+v", s)
			}
		}
	}
}

func printedBytes(t *testing.T, c *config.Config, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&b, c.Files, 0, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
