package state_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/state"
)

var key = state.Key{Address: "https://api.planetscale.com/", Organization: "acme", Database: "shop", Target: "main"}

func document() *state.Document {
	return &state.Document{
		Key: key,
		Run: json.RawMessage(`{"id":"20260901-k3","branch":{"name":"pmig-migrator-4","id":"abc123def456"},"html":"<b>&"}`),
		Records: []state.Record{
			{N: 1, Time: time.Date(2026, 9, 1, 12, 0, 0, 5e6, time.UTC), Step: "branch.create", Phase: state.PhaseBefore},
			{N: 2, Time: time.Date(2026, 9, 1, 12, 0, 4, 0, time.UTC), Step: "branch.create", Phase: state.PhaseAfter, Note: "pmig-migrator-4 «ready»\n"},
		},
	}
}

// only is the path of the one document in the folder.
func only(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("documents %v, %v", paths, err)
	}
	return paths[0]
}

func TestSaveAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", ".pmig")
	store := state.NewFileStore(dir, "0.1.0")
	if _, err := store.Load(key); !errors.Is(err, state.ErrNone) {
		t.Fatalf("an empty store: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("looking made the folder: %v", err)
	}
	d := document()
	if err := store.Save(d); err != nil {
		t.Fatal(err)
	}
	if d.Serial != 1 || d.WrittenBy != "0.1.0" || d.FormatVersion != state.FormatVersion {
		t.Errorf("after the first save: %+v", d)
	}
	got, err := state.NewFileStore(dir, "0.2.0").Load(key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("(-saved +loaded)\n%s", diff)
	}
	got.Records = append(got.Records, state.Record{N: 3, Step: "history.seed", Phase: state.PhaseFailed})
	if err := store.Save(got); err != nil {
		t.Fatal(err)
	}
	if got.Serial != 2 {
		t.Errorf("serial %d", got.Serial)
	}
}

func TestSaveIsPrivateAndOutOfGit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".pmig")
	if err := state.NewFileStore(dir, "0.1.0").Save(document()); err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile(filepath.Join(dir, ".gitignore"))
	if err != nil || string(ignore) != "*\n" {
		t.Errorf(".gitignore: %q, %v", ignore, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, only(t, dir): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestFormatVersionComesFirst(t *testing.T) {
	dir := t.TempDir()
	if err := state.NewFileStore(dir, "0.1.0").Save(document()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(only(t, dir))
	if err != nil || !bytes.HasPrefix(text, []byte("{\n  \"format_version\": 1,\n")) || !bytes.HasSuffix(text, []byte("}\n")) {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestEveryKeyHasItsDocument(t *testing.T) {
	dir := t.TempDir()
	store := state.NewFileStore(dir, "0.1.0")
	keys := manyKeys()
	for i, k := range keys {
		d := &state.Document{Key: k, Run: json.RawMessage(fmt.Sprint(i))}
		if err := store.Save(d); err != nil {
			t.Fatalf("%v: %v", k, err)
		}
	}
	for i, k := range keys {
		d, err := store.Load(k)
		if err != nil || string(d.Run) != fmt.Sprint(i) {
			t.Errorf("%v: %v, %v", k, d, err)
		}
	}
	docs, err := store.List()
	if err != nil || len(docs) != len(keys) {
		t.Errorf("%d documents, %v", len(docs), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); strings.ContainsAny(name, `/\:*?"<>| `) || len(name) > 255 || strings.Contains(name, "..") {
			t.Errorf("file name %q", name)
		}
	}
	if name := filepath.Base(store.Path(key)); !strings.HasPrefix(name, "api.planetscale.com_acme_shop_main_") {
		t.Errorf("file name %q says too little", name)
	}
}

func TestWhatCannotBeReadIsNeitherMissingNorDamaged(t *testing.T) {
	store := state.NewFileStore(t.TempDir(), "0.1.0")
	if err := os.Mkdir(store.Path(key), 0o700); err != nil { // a folder in the file's place cannot be read by root either
		t.Fatal(err)
	}
	_, err := store.Load(key)
	var damaged *state.DamagedError
	var format *state.FormatError
	if err == nil || errors.Is(err, state.ErrNone) || errors.As(err, &damaged) || errors.As(err, &format) {
		t.Errorf("%v", err)
	}
}

func TestUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{"under a file": filepath.Join(file, ".pmig"), "a file": file}
	if os.Getuid() > 0 {
		closed := filepath.Join(t.TempDir(), "closed")
		if err := os.Mkdir(closed, 0o500); err != nil {
			t.Fatal(err)
		}
		dirs["no permission"], dirs["no permission above"] = closed, filepath.Join(closed, ".pmig")
	} else if _, err := os.Stat("/proc/self"); err == nil {
		dirs["a file system without files"] = "/proc/self/.pmig" // root may write everywhere else
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			store := state.NewFileStore(dir, "0.1.0")
			var unwritable *state.UnwritableError
			if err := store.Save(document()); !errors.As(err, &unwritable) || unwritable.Dir != dir || !strings.Contains(unwritable.Hint(), dir) {
				t.Errorf("save: %v", err)
			}
			if _, err := store.Lock(context.Background(), key, "me"); !errors.As(err, &unwritable) {
				t.Errorf("lock: %v", err)
			}
			if err := store.Remove(key); err != nil && !errors.As(err, &unwritable) {
				t.Errorf("remove: %v", err)
			}
		})
	}
}

// manyKeys are keys that differ in little, and one that no file name can hold.
func manyKeys() []state.Key {
	long := strings.Repeat("x", 300)
	return []state.Key{
		key,
		{Address: "http://127.0.0.1:8080/", Organization: "acme", Database: "shop", Target: "main"},
		{Address: key.Address, Organization: "Acme", Database: "shop", Target: "main"},
		{Address: key.Address, Organization: "acme", Database: "shop-main", Target: ""},
		{Address: key.Address, Organization: "acme", Database: "shop", Target: "../../../etc/passwd"},
		{Address: key.Address, Organization: "acme", Database: "shop", Target: `a\b:c*d?"<>|`},
		{Address: key.Address, Organization: "..", Database: ".", Target: "日本語"},
		{Address: "%zz", Organization: "acme", Database: long, Target: long},
		{Address: "%zz", Organization: "acme", Database: long, Target: long + "y"},
		{Address: key.Address, Organization: "acme", Database: "sho", Target: "pmain"},
	}
}

// wrongTexts are texts in a document's place, and what Load makes of them: damaged, format or fine.
var wrongTexts = func() []wrongText {
	good := `"written_by":"0.1.0","serial":3,"key":{"address":"https://api.planetscale.com/","organization":"acme","database":"shop","target":"main"},"records":[]`
	return []wrongText{
		{"fine", `{"format_version":1,` + good + `}`, "fine", ""},
		{"members that this version does not know", `{"format_version":1,"mood":"good",` + good + `}`, "fine", ""},
		{"empty", "", "damaged", "empty"},
		{"blank", " \n", "damaged", "empty"},
		{"zeroes", "\x00\x00\x00\x00", "damaged", "not a state document"},
		{"no JSON", "hello", "damaged", "not a state document"},
		{"two values", `{"format_version":1,` + good + `}{}`, "damaged", "not a state document"},
		{"a list", `[1]`, "damaged", "not a state document"},
		{"null", `null`, "damaged", "format_version"},
		{"no version", `{` + good + `}`, "damaged", "format_version"},
		{"no serial", `{"format_version":1,"key":{"target":"main"}}`, "damaged", "serial"},
		{"no key", `{"format_version":1,"serial":1}`, "damaged", "key"},
		{"another's", `{"format_version":1,` + strings.Replace(good, "shop", "other", 1) + `}`, "damaged", "acme/other"},
		{"wrong type", `{"format_version":1,` + strings.Replace(good, `"serial":3`, `"serial":"three"`, 1) + `}`, "damaged", "not a state document"},
		{"newer", `{"format_version":2,"written_by":"0.9.3","serial":"in words now"}`, "format", "0.9.3"},
		{"newer, by nobody", `{"format_version":2,"written_by":{"version":"0.9"}}`, "format", "unknown version"},
		{"older than all", `{"format_version":0,"written_by":"0.0.1"}`, "format", "0.0.1"},
	}
}()

type wrongText struct{ name, text, want, message string }

// kindOf says in a word what Load made of a text.
func kindOf(d *state.Document, err error) string {
	var damaged *state.DamagedError
	var format *state.FormatError
	switch {
	case errors.As(err, &damaged):
		return "damaged"
	case errors.As(err, &format):
		return "format"
	case err != nil:
		return err.Error()
	case d.Serial != 3:
		return "something else"
	}
	return "fine"
}

// What is wrong with one file spoils no list of the others.
func TestListLeavesOutWhatCannotBeUsed(t *testing.T) {
	for _, test := range wrongTexts {
		store := state.NewFileStore(t.TempDir(), "0.1.0")
		write(t, store.Path(key), test.text)
		docs, err := store.List()
		if (test.want == "fine") != (err == nil) && test.name != "another's" || len(docs) > 1 {
			t.Errorf("%s: %v, %v", test.name, docs, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
