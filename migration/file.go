package migration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// File is one migration on disk.
type File struct {
	// Key is what the tool writes into its history for this file.
	Key string `json:"key"`
	// Path is relative to the migrations folder, with slashes.
	Path string `json:"path"`
	// SHA256 of the content, in hex.
	SHA256 string `json:"sha256"`
	// Size in bytes.
	Size int64 `json:"size"`
	// Position in the tool's order, from 0.
	Position int `json:"position"`
	// Parents are the keys of the migrations that this one builds on, for tools
	// of the shape PointerSet.
	Parents []string `json:"parents,omitempty"`
}

// Severity is how bad a problem is.
type Severity string

const (
	// Note is worth telling and nothing more.
	Note Severity = "note"
	// Warning is something that the tool accepts and a person should look at.
	Warning Severity = "warning"
	// Error is something that makes the tool fail.
	Error Severity = "error"
)

// Problem is something about a file in the migrations folder.
type Problem struct {
	// Path is relative to the migrations folder, with slashes.
	Path     string   `json:"path"`
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
}

// entry is a file in the migrations folder, read.
type entry struct {
	path, base string
	content    []byte
}

// file makes a File of the entry.
func (e entry) file(key string) File {
	sum := sha256.Sum256(e.content)
	return File{Key: key, Path: e.path, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(e.content))}
}

// Files lists the migrations in a folder as the tool reads it: its keys, its
// order. Files that the tool passes over are notes; what would make it fail
// (names it can't parse, keys that occur twice) are errors among the problems.
// A folder that does not exist gives fs.ErrNotExist; one that is clearly
// another tool's gives a *WrongToolError.
func Files(fsys fs.FS, spec Spec) ([]File, []Problem, error) {
	if err := spec.validate(); err != nil {
		return nil, nil, err
	}
	entries, problems, err := readFolder(fsys, spec)
	if err != nil {
		return nil, nil, err
	}
	if err := wrongTool(spec, entries); err != nil {
		return nil, nil, err
	}
	files, more := spec.Tool.collect(spec, entries)
	problems = append(problems, more...)

	slices.SortStableFunc(files, func(a, b File) int {
		if spec.Tool.sortName {
			return strings.Compare(path.Base(a.Path), path.Base(b.Path))
		}
		return spec.order(a.Key, b.Key)
	})
	first := map[string]string{}
	unique := files[:0]
	for _, f := range files {
		if other, twice := first[f.Key]; twice {
			problems = append(problems, Problem{f.Path, fmt.Sprintf("has the key %s of %s", f.Key, other), Error})
			continue
		}
		first[f.Key] = f.Path
		f.Position = len(unique)
		unique = append(unique, f)
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return unique, problems, nil
}

// readFolder reads every file that the tool could look at. Links to files are
// followed, as every tool does: a mounted ConfigMap consists of them.
func readFolder(fsys fs.FS, spec Spec) ([]entry, []Problem, error) {
	var entries []entry
	var problems []Problem
	var walk func(dir string) error
	walk = func(dir string) error {
		list, err := fs.ReadDir(fsys, dir)
		if err != nil {
			return err
		}
		for _, d := range list {
			name := path.Join(dir, d.Name())
			isDir := d.IsDir()
			if d.Type()&fs.ModeSymlink != 0 {
				info, err := fs.Stat(fsys, name)
				if err != nil {
					problems = append(problems, Problem{name, "is a link to nowhere", Warning})
					continue
				}
				isDir = info.IsDir()
				if isDir && spec.Tool.nested {
					continue
				}
			} else if !isDir && !d.Type().IsRegular() {
				continue
			}
			switch {
			case isDir && strings.HasPrefix(d.Name(), "."):
			case isDir && spec.Tool.nested:
				if err := walk(name); err != nil {
					return err
				}
			case isDir:
				problems = append(problems, Problem{name, "is a folder, " + spec.Tool.Name + " does not look inside", Note})
			default:
				content, err := fs.ReadFile(fsys, name)
				if err != nil {
					return err
				}
				entries = append(entries, entry{name, d.Name(), content})
			}
		}
		return nil
	}
	if err := walk("."); err != nil {
		return nil, nil, fmt.Errorf("migrations folder: %w", err)
	}
	return entries, problems, nil
}

// wrongTool finds out that a folder belongs to another tool: nothing in it can
// only be this tool's, and something can only be another's.
func wrongTool(spec Spec, entries []entry) error {
	if spec.Tool.claims == nil {
		return nil
	}
	for _, e := range entries {
		if spec.Tool.claims(e) {
			return nil
		}
	}
	for _, e := range entries {
		for _, t := range tools {
			if t != spec.Tool && t.claims != nil && t.claims(e) {
				return &WrongToolError{Tool: spec.Tool.Name, Looks: t.Name, Path: e.path}
			}
		}
	}
	return nil
}

// passedOver is the note about a file that is none of the tool's; dot files are
// nobody's and not worth one.
func passedOver(e entry, why string) []Problem {
	if strings.HasPrefix(e.base, ".") {
		return nil
	}
	return []Problem{{e.path, why, Note}}
}
