package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/pmig/pmig/migration"
)

var sourceShape = shape{
	in:       "In a source block",
	attrs:    []string{"tool", "path", "command", "env", "keyspace", "dir", "pass_env", "on"},
	required: []string{"path"},
	blocks:   []blockShape{{name: "history", labels: 1}},
}

// sourceName is what can stand before each line of a command's output.
var sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// sources decodes the source blocks of a database.
func (l *loader) sources(d *Database, blocks []*hclsyntax.Block, s *scope) {
	if len(blocks) == 0 {
		l.report(&d.Range, "No source", `There is nothing to migrate here: write a block source "TOOL" { path = "..." }.`)
	}
	first := map[string]*Source{}
	for _, b := range blocks {
		src := s.source(d, b)
		if other := first[src.Name]; other != nil {
			l.report(&b.LabelRanges[0], "Repeated source", fmt.Sprintf(
				"The source %q is already defined at %s. Give this one another name, and say tool = ... in it.", src.Name, place(other.Range)))
			continue
		}
		first[src.Name] = src
		d.Sources = append(d.Sources, src)
	}
	l.separate(d.Sources)
}

// separate refuses two sources that would keep their history in one table: to each, the rows of the other are migrations without a
// file, and what a run adds to the table could not be told apart.
func (l *loader) separate(sources []*Source) {
	type table struct{ keyspace, name string }
	owners := map[table]*Source{}
	for _, s := range sources {
		for _, h := range s.Histories {
			at := table{s.Keyspace, h.Table}
			owner := owners[at]
			if owner == nil {
				owners[at] = s
			} else if owner != s {
				l.report(&s.Range, "History table of another source", fmt.Sprintf(
					"The sources %q and %q would both keep their history in the table %q. Let the tool of one of them use another table, and name it with a history block.",
					owner.Name, s.Name, h.Table))
			}
		}
	}
}

// source decodes one source block.
func (s *scope) source(d *Database, b *hclsyntax.Block) *Source {
	c := s.l.open(b.Body, sourceShape)
	src := &Source{Name: b.Labels[0], Keyspace: d.Name, On: OnBranch, Dir: s.l.cfg.Dir, Range: b.DefRange()}
	if !sourceName.MatchString(src.Name) {
		s.l.report(&b.LabelRanges[0], "Bad name", "The name of a source has letters, digits, -, _ and dots, and begins with a letter or a digit.")
	}
	src.Tool = s.tool(b, c.attrs["tool"])
	if path, ok := s.folder(c.attrs["path"], "migration folder"); ok {
		src.Path = path
		src.RelPath = relative(s.l.cfg.Dir, path)
	}
	if dir, ok := s.folder(c.attrs["dir"], "folder"); ok {
		src.Dir = dir
	}
	if attr := c.attrs["keyspace"]; attr != nil {
		if v, ok := s.filled(attr); ok && !databaseName.MatchString(v) {
			s.l.report(attr.Expr.Range().Ptr(), "Bad name", "The name of a keyspace has letters, digits, - and _, and begins with a letter or a digit.")
		} else if ok {
			src.Keyspace = v
		}
	}
	s.oneOf(&src.On, c.attrs["on"], OnBranch, OnTarget)
	if names, ok := s.texts(c.attrs["pass_env"]); ok {
		src.PassEnv = s.variableNames(c.attrs["pass_env"], names)
	}
	src.Histories = s.histories(src, b, c.blocks["history"])
	src.run = s.forRunning().run(src, b, c)
	return src
}

// tool finds the tool that the attribute or else the label names; nil when there is none.
func (s *scope) tool(b *hclsyntax.Block, attr *hclsyntax.Attribute) *migration.Tool {
	name, where, advice := b.Labels[0], &b.LabelRanges[0], " If this is only the source's name, say tool = \"...\" in the block."
	if attr != nil {
		v, ok := s.eval(attr.Expr)
		if !ok || !v.IsKnown() {
			return nil
		}
		if !v.IsNull() {
			if name, ok = s.filled(attr); !ok {
				return nil
			}
			where, advice = attr.Expr.Range().Ptr(), ""
		}
	}
	if t, ok := migration.Lookup(name); ok {
		return t
	}
	var names []string
	for _, t := range migration.Tools() {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	what := fmt.Sprintf("There is no migration tool %q.", name)
	if attr != nil && s.tainted(attr.Expr) {
		what = "There is no such migration tool."
	}
	if near := didYouMean(name, names, "%q"); near != "" {
		what += near
	} else {
		what += " There are " + list(names, "and") + "."
	}
	s.l.report(where, "Unknown tool", what+advice)
	return nil
}

// folder returns the absolute path of a folder that an attribute names, relative to the declaring file.
func (s *scope) folder(attr *hclsyntax.Attribute, what string) (string, bool) {
	path, ok := s.filled(attr)
	if !ok {
		return "", false
	}
	path = s.l.below(path)
	where := attr.Expr.Range().Ptr()
	shown := relative(s.l.cfg.Dir, path)
	if s.tainted(attr.Expr) {
		shown = "of this name"
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		s.l.report(where, "No "+what, fmt.Sprintf("There is no %s %s beside %s.", what, shown, s.l.cfg.File)+s.neighbour(path))
		return "", false
	case err != nil:
		s.l.report(where, "No "+what, fmt.Sprintf("The %s %s cannot be opened: %v.", what, shown, reason(err)))
		return "", false
	case !info.IsDir():
		s.l.report(where, "No "+what, fmt.Sprintf("The %s %s is a file. Name the folder that it is in.", what, shown))
		return "", false
	}
	return path, true
}

// neighbour is the sentence with the folder that was probably meant, found in the nearest parent that exists.
func (s *scope) neighbour(path string) string {
	parent, base := filepath.Dir(path), filepath.Base(path)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return ""
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() {
			folders = append(folders, e.Name())
		}
	}
	if best := nearest(base, folders); best != "" {
		return fmt.Sprintf(" Did you mean %q?", relative(s.l.cfg.Dir, filepath.Join(parent, best)))
	}
	return ""
}

// variableNames refuses what cannot be the name of an environment variable.
func (s *scope) variableNames(attr *hclsyntax.Attribute, names []string) []string {
	for _, n := range names {
		if n == "" || strings.ContainsAny(n, "=\x00") {
			s.l.report(attr.Expr.Range().Ptr(), "Bad name", "The names of environment variables are not empty and contain no equals sign.")
			return nil
		}
	}
	return names
}

// relative is a path as a person in the folder would write it.
func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil {
		path = rel
	}
	return filepath.ToSlash(path)
}
