package config_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pmig/pmig/config"
)

var update = flag.Bool("update", false, "write what Load says into testdata/mistakes")

// TestMistakes loads the folder of each archive in testdata/mistakes and compares the diagnostics, each with its range, with the
// file "diagnostics" of the archive. The first line of the archive may give options: --validate, --read-only, --platform=P,
// --version=V, --var=NAME=VALUE, --var-file=FILE, NAME=VALUE for the environment.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			full, err := filepath.Abs(name)
			if err != nil {
				t.Fatal(err)
			}
			in := map[string]string{"migrations/": ""}
			var want string
			at := len(archive.Files)
			for i, f := range archive.Files {
				if f.Name == "diagnostics" {
					want, at = string(f.Data), i
					continue
				}
				in[f.Name] = string(f.Data)
			}
			folder(t, in)
			c, diags := config.Load(".", options(t, string(archive.Comment)))
			var got bytes.Buffer
			for _, d := range diags {
				where := "-"
				if d.Subject != nil {
					where = d.Subject.String()
				}
				fmt.Fprintf(&got, "%s\n%s", where, printed(t, c, diags[:0:0].Append(d)))
			}
			if *update {
				archive.Files = append(archive.Files[:at:at], txtar.File{Name: "diagnostics", Data: got.Bytes()})
				if err := os.WriteFile(full, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got.String())); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
			if secret := "hunter2"; strings.Contains(got.String(), secret) {
				t.Errorf("the secret is shown")
			}
		})
	}
}

// options reads the options of an archive.
func options(t *testing.T, line string) config.Options {
	t.Helper()
	o := config.Options{
		Version: "0.3.0",
		Vars:    map[string]string{},
		Environ: map[string]string{"DATABASE_URL": "mysql://root:hunter2@db.example.com/shop", "SECRET": "hunter2"},
	}
	for _, word := range strings.Fields(line) {
		flag, value, _ := strings.Cut(word, "=")
		switch flag {
		case "--validate":
			o.Validate = true
		case "--read-only":
			o.ReadOnly = true
		case "--platform":
			o.Platform = value
		case "--version":
			o.Version = value
		case "--var-file":
			o.VarFiles = append(o.VarFiles, value)
		case "--var":
			name, text, _ := strings.Cut(value, "=")
			o.Vars[name] = text
		default:
			if strings.HasPrefix(flag, "-") {
				t.Fatalf("unknown option %s", word)
			}
			o.Environ[flag] = value
		}
	}
	return o
}
