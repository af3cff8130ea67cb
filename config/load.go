package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Options are what the caller knows and a file cannot.
type Options struct {
	Vars     map[string]string // --var, by name
	VarFiles []string          // --var-file, a later one wins
	Environ  map[string]string // what env.NAME, PMIG_VAR_name and PLANETSCALE_ORG read
	Version  string            // of this pmig, for required_version; one that is not a version ("dev") meets every constraint
	// Platform "embedded" puts the emulator in place of any platform block and ignores every url; "" takes the file's word.
	Platform string
	// Validate takes every env.NAME, and every variable that has no value, as not yet known: the file is checked, and what
	// depends on them is left empty in the result.
	Validate bool
	// ReadOnly is for callers that run no command: an env.NAME that only a command needs may be missing.
	ReadOnly bool
}

// Load reads the pmig.hcl of a folder. All mistakes are reported at once, in the order of the file. The result is never nil and
// its Files are always there, so that the diagnostics can be printed; unless there is an error, the rest is complete.
func Load(dir string, o Options) (*Config, hcl.Diagnostics) {
	l := &loader{opt: o, cfg: &Config{
		Dir:   dir,
		File:  filepath.Join(dir, FileName),
		Files: map[string]*hcl.File{},
	}}
	if abs, err := filepath.Abs(dir); err == nil {
		l.cfg.Dir = abs
	}
	if body := l.parse(l.cfg.File, "configuration", "Write one, or give the folder that has it with --chdir."); body != nil {
		l.file(body)
	}
	sortDiagnostics(l.diags)
	return l.cfg, l.diags
}

// loader is the work of one Load.
type loader struct {
	opt   Options
	cfg   *Config
	diags hcl.Diagnostics
	scope *scope // of the whole file
}

// fileShape is what may stand at the top of a pmig.hcl.
var fileShape = shape{
	in: "At the top of a pmig.hcl",
	blocks: []blockShape{
		{name: "pmig"}, {name: "state", labels: 1}, {name: "platform", labels: 1}, {name: "variable", labels: 1},
		{name: "locals"}, {name: "database", labels: 1},
	},
}

// file decodes a parsed pmig.hcl, in the order in which values depend on each other.
func (l *loader) file(body *hclsyntax.Body) {
	c := l.open(body, fileShape)
	l.scope = l.newScope()
	l.settings(l.once(c.blocks["pmig"]))
	l.variables(c.blocks["variable"])
	l.locals(c.blocks["locals"])
	l.platform(l.once(c.blocks["platform"]))
	l.state(l.once(c.blocks["state"]))
	l.databases(c.blocks["database"])
}

// parse reads one file of the language, or reports why it cannot and returns nil. The file is called noun; hint says what to do
// when it is not there.
func (l *loader) parse(name, noun, hint string) *hclsyntax.Body {
	src, err := readBounded(name, maxSource)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.report(nil, "No "+noun, fmt.Sprintf("There is no file %s. %s", name, hint))
		return nil
	case err != nil:
		l.report(nil, "Unreadable "+noun, fmt.Sprintf("The file %s cannot be read: %v.", name, reason(err)))
		return nil
	}
	file, usable, diags := parseSource(src, name)
	l.cfg.Files[name] = file
	l.diags = append(l.diags, diags...)
	if !usable {
		return nil
	}
	return file.Body.(*hclsyntax.Body)
}

// report adds an error at a range; at nil when nothing in a file is to blame.
func (l *loader) report(at *hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at})
}

// warn adds a warning at a range.
func (l *loader) warn(at hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: &at})
}

// sortDiagnostics puts what concerns no file first and the rest in the order of the text.
func sortDiagnostics(diags hcl.Diagnostics) {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil && b.Subject == nil:
			return 0
		case a.Subject == nil:
			return -1
		case b.Subject == nil:
			return 1
		}
		return cmp.Or(
			cmp.Compare(a.Subject.Filename, b.Subject.Filename),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
			cmp.Compare(a.Summary, b.Summary),
			cmp.Compare(a.Detail, b.Detail),
		)
	})
}

// reason is the cause alone of an error that repeats the path.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readBounded reads a regular file of at most max bytes.
func readBounded(name string, max int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > max {
		return nil, fmt.Errorf("it is larger than %d KiB", max>>10)
	}
	return os.ReadFile(name)
}
