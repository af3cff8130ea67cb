package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/pmig/pmig/config"
)

type validateCmd struct {
	JSON bool `help:"Print the result as JSON."`
}

func (c *validateCmd) Run(a *app) error {
	dir := a.flags.Chdir
	if dir == "" {
		dir = "."
	}
	cfg, diags := config.Load(dir, config.Options{
		Vars: a.flags.Var, VarFiles: a.flags.VarFile, Environ: a.env, Version: version, Platform: a.flags.Platform, Validate: true,
	})
	if c.JSON {
		if err := printDiagnosticsJSON(a, diags); err != nil {
			return err
		}
		if diags.HasErrors() {
			return &exitError{code: exitUsage}
		}
		return nil
	}
	if diags.HasErrors() {
		return &diagnostics{diags, cfg.Files}
	}
	if len(diags) > 0 {
		a.printDiagnostics(&diagnostics{diags, cfg.Files})
	}
	fmt.Fprintf(a.stdout, "%s is valid: %s\n", cfg.File, plural(len(cfg.Databases), "database"))
	return nil
}

func printDiagnosticsJSON(a *app, diags hcl.Diagnostics) error {
	type pos struct {
		Line   int `json:"line"`
		Column int `json:"column"`
	}
	type diag struct {
		Severity string `json:"severity"`
		Summary  string `json:"summary"`
		Detail   string `json:"detail,omitempty"`
		File     string `json:"file,omitempty"`
		Start    *pos   `json:"start,omitempty"`
		End      *pos   `json:"end,omitempty"`
	}
	out := struct {
		FormatVersion int    `json:"format_version"`
		Valid         bool   `json:"valid"`
		Diagnostics   []diag `json:"diagnostics"`
	}{1, !diags.HasErrors(), []diag{}}
	for _, d := range diags {
		one := diag{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			one.Severity = "warning"
		}
		if d.Subject != nil {
			one.File = d.Subject.Filename
			one.Start, one.End = &pos{d.Subject.Start.Line, d.Subject.Start.Column}, &pos{d.Subject.End.Line, d.Subject.End.Column}
		}
		out.Diagnostics = append(out.Diagnostics, one)
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

type fmtCmd struct {
	Check bool `help:"Change nothing; exit with 1 if a file is not in its canonical layout."`
}

func (c *fmtCmd) Run(a *app) error {
	path := filepath.Join(a.flags.Chdir, config.FileName)
	src, err := os.ReadFile(path)
	if err != nil {
		return &exitError{exitUsage, &hinted{what: "fmt", err: err, hint: "run it in the folder of pmig.hcl, or with --chdir DIR"}}
	}
	// What cannot be parsed is left alone: layout must not hide a mistake.
	p := hclparse.NewParser()
	if _, diags := p.ParseHCL(src, path); diags.HasErrors() {
		return &diagnostics{diags, p.Files()}
	}
	out := config.Format(src)
	if bytes.Equal(src, out) {
		return nil
	}
	fmt.Fprintln(a.stdout, path)
	if c.Check {
		return &exitError{code: exitFailed}
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return writeFile(path, out, info.Mode().Perm())
}

// writeFile replaces a file as a whole: whoever reads it sees the old text or
// the new one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(mode); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
