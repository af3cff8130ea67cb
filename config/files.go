package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Bounds of what the functions on files take in.
const (
	maxFile   = 4 << 20 // bytes that file() reads
	maxWalked = 100_000 // entries that fileset() looks at
)

// fileFunc makes file(path): the text of a file.
func fileFunc(dir string) function.Function {
	return textFunc(func(name string) (string, error) {
		src, err := readBounded(under(dir, name), maxFile)
		if err != nil {
			return "", fmt.Errorf("%s cannot be read: %w", name, reason(err))
		}
		if !utf8.Valid(src) {
			return "", fmt.Errorf("%s is not UTF-8 text", name)
		}
		return string(src), nil
	})
}

// fileExistsFunc makes fileexists(path).
func fileExistsFunc(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			info, err := os.Stat(under(dir, args[0].AsString()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cty.UnknownVal(cty.Bool), reason(err)
			}
			return cty.BoolVal(err == nil && !info.IsDir()), nil
		},
	})
}

// fileSetFunc makes fileset(folder, pattern): the files of a folder that match, with slashes, relative to it.
func fileSetFunc(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			pattern, err := glob(args[1].AsString())
			if err != nil {
				return cty.UnknownVal(t), function.NewArgError(1, err)
			}
			names, err := walk(under(dir, args[0].AsString()), pattern)
			if err != nil {
				return cty.UnknownVal(t), function.NewArgError(0, err)
			}
			if len(names) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			return cty.SetVal(names), nil
		},
	})
}

// walk returns the files below root whose path matches.
func walk(root string, pattern *regexp.Regexp) ([]cty.Value, error) {
	var names []cty.Value
	seen := 0
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxWalked {
			return fmt.Errorf("there are more than %d files", maxWalked)
		}
		rel, err := filepath.Rel(root, name)
		if err == nil && !e.IsDir() && utf8.ValidString(rel) && pattern.MatchString(filepath.ToSlash(rel)) {
			names = append(names, cty.StringVal(filepath.ToSlash(rel)))
		}
		return err
	})
	if err != nil {
		return nil, reason(err)
	}
	return names, nil
}

// glob turns a pattern of *, ?, [a-z], {a,b} and ** (any folders) into a regular expression.
func glob(pattern string) (*regexp.Regexp, error) {
	var re strings.Builder
	re.WriteString("^")
	depth := 0
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch c := pattern[i]; {
		case strings.HasPrefix(rest, "**/"):
			re.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(rest, "**"):
			re.WriteString(".*")
			i++
		case c == '*':
			re.WriteString("[^/]*")
		case c == '?':
			re.WriteString("[^/]")
		case c == '{':
			re.WriteString("(?:")
			depth++
		case c == '}' && depth > 0:
			re.WriteString(")")
			depth--
		case c == ',' && depth > 0:
			re.WriteString("|")
		case c == '[':
			end := strings.IndexByte(rest, ']')
			if end < 2 {
				return nil, errors.New("a bracket in the pattern is not closed")
			}
			class := strings.ReplaceAll(rest[1:end], `\`, `\\`)
			if negated, ok := strings.CutPrefix(class, "!"); ok {
				class = "^" + negated
			}
			re.WriteString("[" + class + "]")
			i += end
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	if depth > 0 {
		return nil, errors.New("a brace in the pattern is not closed")
	}
	re.WriteString("$")
	out, err := regexp.Compile(re.String())
	if err != nil {
		return nil, errors.New("the pattern cannot be read")
	}
	return out, nil
}

// under is a path as a file of the folder writes it, made absolute.
func under(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}
