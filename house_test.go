package pmig_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pmig/pmig"

// maxLines is the length of a Go file beyond which it must be two.
const maxLines = 500

// pkg is one package of this module, as its non-test files for every platform.
type pkg struct {
	dir     string   // slash-separated, relative to the module root
	imports []string // folders of this module that it imports, sorted
	fset    *token.FileSet
	files   []*ast.File
}

// packages parses every package of this module. It reads files and not the
// build list, so that a file for another platform is held to the rules too.
func packages(t *testing.T) []*pkg {
	t.Helper()
	byDir := map[string]*pkg{}
	for _, name := range goFiles(t) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		p := byDir[path.Dir(name)]
		if p == nil {
			p = &pkg{dir: path.Dir(name), fset: token.NewFileSet()}
			byDir[p.dir] = p
		}
		f, err := parser.ParseFile(p.fset, filepath.FromSlash(name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.files = append(p.files, f)
		for _, spec := range f.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if dir, ok := strings.CutPrefix(imported, module+"/"); ok && !slices.Contains(p.imports, dir) {
				p.imports = append(p.imports, dir)
			}
		}
		slices.Sort(p.imports)
	}
	return slices.SortedFunc(maps.Values(byDir), func(a, b *pkg) int { return strings.Compare(a.dir, b.dir) })
}

// goFiles lists the Go files of this module, without testdata and the folders
// that the go command passes over.
func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		base := path.Base(name)
		switch {
		case !d.IsDir():
			if path.Ext(name) == ".go" {
				files = append(files, name)
			}
		case name == ".":
		case base[0] == '.', base[0] == '_', base == "testdata", base == "node_modules":
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestSentences holds every package to a doc comment, and every room's to the
// sentence in ARCHITECTURE.md.
func TestSentences(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	sentences := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ((?:Package|Command) .*) \\|$").FindAllStringSubmatch(string(text), -1) {
		sentences[m[1]] = m[2]
	}
	r, err := parseRules(importBlock(t))
	if err != nil {
		t.Fatal(err)
	}
	for room := range r {
		if sentences[room] == "" {
			t.Errorf("room %s has no sentence in ARCHITECTURE.md", room)
		}
	}
	for _, p := range packages(t) {
		var docs []string
		for _, f := range p.files {
			if f.Doc != nil {
				docs = append(docs, strings.Join(strings.Fields(f.Doc.Text()), " "))
			}
		}
		want := "Package " + p.files[0].Name.Name + " "
		if s, ok := sentences[p.dir]; ok {
			want = s
		}
		switch {
		case len(docs) != 1:
			t.Errorf("%s has %d package comments, want one", p.dir, len(docs))
		case !strings.HasPrefix(docs[0], want):
			t.Errorf("%s: its package comment does not begin with %q", p.dir, want)
		}
	}
}

// TestDocComments holds every exported name to a doc comment.
func TestDocComments(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, decl := range f.Decls {
				for _, name := range undocumented(decl) {
					t.Errorf("%s: %s has no doc comment", p.fset.Position(name.Pos()), name.Name)
				}
			}
		}
	}
}

// undocumented lists the exported names that a declaration makes without a comment.
func undocumented(decl ast.Decl) []*ast.Ident {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv) && !wellKnown[d.Name.Name]) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		var found []*ast.Ident
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && (d.Doc == nil || d.Lparen.IsValid()) {
					found = append(found, s.Name)
				}
			case *ast.ValueSpec:
				if d.Doc != nil || s.Doc != nil || s.Comment != nil {
					continue
				}
				for _, name := range s.Names {
					if name.IsExported() {
						found = append(found, name)
					}
				}
			}
		}
		return found
	}
	return nil
}

// wellKnown are methods that say nothing beyond the interface they are for.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "As": true, "Hint": true, "String": true, "GoString": true, "Format": true,
	"MarshalText": true, "UnmarshalText": true, "MarshalJSON": true, "UnmarshalJSON": true,
}

func exportedReceiver(recv *ast.FieldList) bool {
	x := recv.List[0].Type
	for {
		switch e := x.(type) {
		case *ast.StarExpr:
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}

// TestHouseRules holds the code to the rules at the end of ARCHITECTURE.md.
func TestHouseRules(t *testing.T) {
	for _, name := range goFiles(t) {
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\n"); n > maxLines {
			t.Errorf("%s has %d lines, the limit is %d", name, n, maxLines)
		}
		switch top := strings.Split(name, "/")[0]; top {
		case "examples", "scripts", "docs":
			t.Errorf("%s: %s holds no Go", name, top)
		}
		for _, folder := range strings.Split(path.Dir(name), "/") {
			switch folder {
			case "util", "utils", "common", "helper", "helpers", "shared", "base", "manager", "pkg":
				t.Errorf("%s: a folder called %s says nothing", name, folder)
			}
		}
	}
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, decl := range f.Decls {
				if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: no wiring by init", p.fset.Position(d.Pos()))
				}
			}
			if path.Dir(p.dir) != "cmd" {
				for _, use := range outsideWorld(f) {
					t.Errorf("%s: only commands may use %s", p.fset.Position(use.Pos()), use.Sel.Name)
				}
			}
		}
	}
}

// outsideWorld lists where a file prints, logs, exits or reads the environment.
func outsideWorld(f *ast.File) []*ast.SelectorExpr {
	forbidden := map[string][]string{
		"os":  {"Exit", "Getenv", "LookupEnv", "Environ", "Setenv", "ExpandEnv", "Stdin", "Stdout", "Stderr", "Args"},
		"fmt": {"Print", "Printf", "Println"},
		"log": {"Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Default", "SetOutput"},
	}
	var found []*ast.SelectorExpr
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(forbidden[x.Name], sel.Sel.Name) {
				found = append(found, sel)
			}
		}
		return true
	})
	return found
}

// TestLinks checks that what the documents point at exists.
func TestLinks(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/*.md"} {
		m, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, m...)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)`)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s points at %s, which is not there", page, m[1])
			}
		}
	}
}

// TestDependencies compares docs/dependencies.md with the direct dependencies in go.mod.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var direct, listed []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.]+\.[a-z]+/\S+) v\S+$`).FindAllStringSubmatch(string(mod), -1) {
		direct = append(direct, m[1])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, m[1])
	}
	for _, name := range direct {
		if !slices.Contains(listed, name) {
			t.Errorf("docs/dependencies.md does not say why %s is needed", name)
		}
	}
	for _, name := range listed {
		if !slices.Contains(direct, name) {
			t.Errorf("docs/dependencies.md lists %s, which go.mod does not require directly", name)
		}
	}
}

func TestCheckers(t *testing.T) {
	const source = `package room

import ("fmt"; "os")

type Bare struct{}

// Said has a comment.
type Said struct{}

type (
	Grouped int // with a comment
	Alone   int
)

// Kinds of things.
const (
	A = 1
	B = 2
)

var Loose, quiet = 1, 2

func (Said) Do() { fmt.Println(os.Getenv("HOME")) }
func (*Said) Error() string { return fmt.Sprint("x") }
func (s *hidden) Do() {}
func New() {}
func new() { os.Exit(1) }
`
	f, err := parser.ParseFile(token.NewFileSet(), "room.go", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var bare []string
	for _, decl := range f.Decls {
		for _, name := range undocumented(decl) {
			bare = append(bare, name.Name)
		}
	}
	if want := []string{"Bare", "Alone", "Loose", "Do", "New"}; !slices.Equal(bare, want) {
		t.Errorf("undocumented: got %q, want %q", bare, want)
	}
	var outside []string
	for _, use := range outsideWorld(f) {
		outside = append(outside, use.Sel.Name)
	}
	if want := []string{"Println", "Getenv", "Exit"}; !slices.Equal(outside, want) {
		t.Errorf("outside world: got %q, want %q", outside, want)
	}
}
