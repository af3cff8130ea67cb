package pmig_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// none is what the block writes for "imports nothing of this module".
const none = "NONE"

// rules says, for each room, which other rooms it may import.
type rules map[string][]string

// TestImports holds the code to the block in ARCHITECTURE.md.
func TestImports(t *testing.T) {
	r, err := parseRules(importBlock(t))
	if err != nil {
		t.Fatalf("ARCHITECTURE.md: %v", err)
	}
	graph := map[string][]string{}
	for _, p := range packages(t) {
		graph[p.dir] = p.imports
	}
	for room := range r {
		if _, ok := graph[room]; !ok {
			t.Errorf("room %s stands in ARCHITECTURE.md and has no code", room)
		}
	}
	for _, v := range violations(r, graph) {
		t.Error(v)
	}
}

func TestParseRules(t *testing.T) {
	const block = `
NONE                    < schema, state;
schema                  < planner;
planner, state          < executor;
everything but emulator < cmd/pmig;
schema                  < emulator;
emulator                < cmd/pmig-emulator;
`
	r, err := parseRules(block)
	if err != nil {
		t.Fatal(err)
	}
	want := rules{
		"schema":            nil,
		"state":             nil,
		"planner":           {"schema"},
		"executor":          {"planner", "state"},
		"emulator":          {"schema"},
		"cmd/pmig":          {"executor", "planner", "schema", "state"},
		"cmd/pmig-emulator": {"emulator"},
	}
	if fmt.Sprint(r) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", r, want)
	}

	bad := map[string]struct{ block, want string }{
		"no arrow":          {"NONE schema;", `"NONE schema" has no <`},
		"two arrows":        {"NONE < schema < state;", `"NONE < schema < state" has more than one <`},
		"room twice":        {"NONE < schema; schema < schema;", "room schema is ruled twice"},
		"unknown room":      {"NONE < schema; scheme < planner;", "planner may import scheme, which is no room"},
		"but unknown room":  {"NONE < schema; everything but emulator < cmd/pmig;", "cmd/pmig may import everything but emulator, which is no room"},
		"empty side":        {"< schema;", `"< schema" has an empty side`},
		"unfinished":        {"NONE < schema; schema < planner", `"schema < planner" does not end in ;`},
		"nothing":           {"", "no rules"},
		"none among others": {"NONE < a; NONE, a < b;", "b may import NONE and a"},
	}
	for name, tc := range bad {
		t.Run(name, func(t *testing.T) {
			_, err := parseRules(tc.block)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestViolations(t *testing.T) {
	r, err := parseRules(importBlock(t))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		graph map[string][]string
		want  []string
	}{
		{"allowed", map[string][]string{"planner": {"config", "schema"}, "config": {"migration"}}, nil},
		{"same room", map[string][]string{"emulator": {"emulator/mariadb"}, "emulator/mariadb": nil}, nil},
		{"folder of an allowed room", map[string][]string{"cmd/pmig-emulator": {"emulator/mariadb"}}, nil},
		{"rules do not chain", map[string][]string{"executor": {"config"}}, []string{"executor imports config: ARCHITECTURE.md does not allow executor to import config"}},
		{"the world, not the journal", map[string][]string{"planner": {"state"}}, []string{"planner imports state: ARCHITECTURE.md does not allow planner to import state"}},
		{"emulator in pmig", map[string][]string{"cmd/pmig": {"emulator"}}, []string{"cmd/pmig imports emulator: ARCHITECTURE.md does not allow cmd/pmig to import emulator"}},
		{"hidden in a folder", map[string][]string{"gateway/tls": {"emulator/mariadb"}}, []string{"gateway/tls imports emulator/mariadb: ARCHITECTURE.md does not allow gateway to import emulator"}},
		{"a command", map[string][]string{"config": {"cmd/pmig"}}, []string{"config imports cmd/pmig: ARCHITECTURE.md does not allow config to import cmd/pmig"}},
		{"NONE", map[string][]string{"schema": {"migration"}}, []string{"schema imports migration: ARCHITECTURE.md does not allow schema to import migration"}},
		{"no room", map[string][]string{"util": nil}, []string{"package util belongs to no room of ARCHITECTURE.md"}},
		{"a longer name is no folder", map[string][]string{"schemas": nil}, []string{"package schemas belongs to no room of ARCHITECTURE.md"}},
		{"import of no room", map[string][]string{"state": {"util"}}, []string{"state imports util, which belongs to no room of ARCHITECTURE.md"}},
		{"all of them", map[string][]string{"state": {"schema", "planetscale"}, "schema": {"state"}}, []string{
			"schema imports state: ARCHITECTURE.md does not allow schema to import state",
			"state imports schema: ARCHITECTURE.md does not allow state to import schema",
			"state imports planetscale: ARCHITECTURE.md does not allow state to import planetscale",
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := violations(r, tc.graph); !slices.Equal(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// importBlock returns the text of the block in ARCHITECTURE.md that says who may import whom.
func importBlock(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range strings.Split(string(text), "\n```") {
		if inside := i%2 == 1; inside && strings.HasPrefix(strings.TrimSpace(part), none) {
			return part
		}
	}
	t.Fatal("ARCHITECTURE.md has no block that begins with " + none)
	return ""
}

// parseRules reads statements of the form "a, b < c, d;": c and d may import a
// and b. "everything but a" stands for all rooms that are no command, save a.
func parseRules(block string) (rules, error) {
	statements := strings.Split(block, ";")
	if rest := strings.TrimSpace(statements[len(statements)-1]); rest != "" {
		return nil, fmt.Errorf("%q does not end in ;", rest)
	}
	r := rules{}
	for _, s := range statements[:len(statements)-1] {
		s = strings.TrimSpace(s)
		left, right, ok := strings.Cut(s, "<")
		switch {
		case !ok:
			return nil, fmt.Errorf("%q has no <", s)
		case strings.Contains(right, "<"):
			return nil, fmt.Errorf("%q has more than one <", s)
		}
		may, rooms := names(left), names(right)
		if slices.Contains(may, "") || slices.Contains(rooms, "") {
			return nil, fmt.Errorf("%q has an empty side", s)
		}
		if slices.Equal(may, []string{none}) {
			may = nil
		}
		for _, room := range rooms {
			if _, ok := r[room]; ok {
				return nil, fmt.Errorf("room %s is ruled twice", room)
			}
			r[room] = may
		}
	}
	if len(r) == 0 {
		return nil, fmt.Errorf("no rules")
	}
	return r, r.expand()
}

// expand replaces "everything but" by rooms, and refuses names that are no room.
func (r rules) expand() error {
	for room, may := range r {
		if len(may) == 1 && strings.HasPrefix(may[0], "everything but ") {
			but := strings.TrimPrefix(may[0], "everything but ")
			if _, ok := r[but]; !ok {
				return fmt.Errorf("%s may import everything but %s, which is no room", room, but)
			}
			may = nil
			for other := range r {
				if other != but && path.Dir(other) != "cmd" {
					may = append(may, other)
				}
			}
			slices.Sort(may)
			r[room] = may
		}
		for _, name := range may {
			if name == none {
				return fmt.Errorf("%s may import %s", room, strings.Join(may, " and "))
			}
			if _, ok := r[name]; !ok {
				return fmt.Errorf("%s may import %s, which is no room", room, name)
			}
		}
	}
	return nil
}

func names(list string) []string {
	all := strings.Split(list, ",")
	for i, name := range all {
		all[i] = strings.TrimSpace(name)
	}
	return all
}

// room returns the room that a package folder belongs to.
func (r rules) room(dir string) (string, bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := r[d]; ok {
			return d, true
		}
	}
	return "", false
}

// violations lists what a graph of packages, from folder to imported folders,
// has that the rules do not allow, in the order of the importing packages.
func violations(r rules, graph map[string][]string) []string {
	var found []string
	dirs := make([]string, 0, len(graph))
	for dir := range graph {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		room, ok := r.room(dir)
		if !ok {
			found = append(found, fmt.Sprintf("package %s belongs to no room of ARCHITECTURE.md", dir))
			continue
		}
		for _, imported := range graph[dir] {
			other, ok := r.room(imported)
			switch {
			case !ok:
				found = append(found, fmt.Sprintf("%s imports %s, which belongs to no room of ARCHITECTURE.md", dir, imported))
			case other != room && !slices.Contains(r[room], other):
				found = append(found, fmt.Sprintf("%s imports %s: ARCHITECTURE.md does not allow %s to import %s", dir, imported, room, other))
			}
		}
	}
	return found
}
