package pmig_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/migration"
)

// TestExamples loads every example and finds its migrations, without a problem in any.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("examples", "*", config.FileName))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 5 {
		t.Fatalf("only %d examples: %q", len(files), files)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			cfg := load(t, filepath.Dir(file))
			if cfg.Platform.Kind != config.PlatformEmbedded {
				t.Errorf("platform %q: an example runs with no account", cfg.Platform.Kind)
			}
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if formatted := config.Format(src); string(formatted) != string(src) {
				t.Errorf("pmig fmt would write:\n%s", formatted)
			}
			for _, db := range cfg.Databases {
				for _, source := range db.Sources {
					for _, spec := range source.Histories {
						found, problems, err := migration.Files(os.DirFS(source.Path), spec)
						if err != nil {
							t.Error(err)
						}
						for _, p := range problems {
							t.Errorf("%s: %s", p.Path, p.Message)
						}
						if len(found) < 3 {
							t.Errorf("source %s has %d migrations, want three", source.Name, len(found))
						}
					}
				}
			}
		})
	}
}

// TestReadme loads every configuration that the README shows.
func TestReadme(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md shows %d configurations, want two", len(blocks))
	}
	for _, block := range blocks {
		text := block[1]
		if !strings.Contains(text, "platform ") {
			text += "\nplatform \"embedded\" {}\n"
		}
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "migrations"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, config.FileName), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		load(t, dir)
		if formatted := string(config.Format([]byte(block[1]))); formatted != block[1] {
			t.Errorf("pmig fmt would write:\n%s", formatted)
		}
	}
}

// load reads a configuration that has nothing wrong with it, in an empty environment.
func load(t *testing.T, dir string) *config.Config {
	t.Helper()
	cfg, diags := config.Load(dir, config.Options{Version: "0.1.0"})
	if len(diags) > 0 {
		var text strings.Builder
		if err := hcl.NewDiagnosticTextWriter(&text, cfg.Files, 100, false).WriteDiagnostics(diags); err != nil {
			t.Fatal(err)
		}
		t.Fatal(text.String())
	}
	return cfg
}
