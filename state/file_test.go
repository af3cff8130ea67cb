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

func TestSaveComparesSerials(t *testing.T) {
	dir := t.TempDir()
	store := state.NewFileStore(dir, "0.1.0")
	if err := store.Save(document()); err != nil {
		t.Fatal(err)
	}
	mine, _ := store.Load(key)
	theirs, _ := store.Load(key)
	if err := store.Save(theirs); err != nil {
		t.Fatal(err)
	}
	var stale *state.StaleError
	if err := store.Save(mine); !errors.As(err, &stale) || stale.Have != 1 || stale.Stored != 2 || stale.Hint() == "" {
		t.Errorf("the second of two: %v", err)
	}
	if err := store.Save(document()); !errors.As(err, &stale) {
		t.Errorf("a new document over an old one: %v", err)
	}
	if err := store.Remove(key); err != nil {
		t.Fatal(err)
	}
	if err := store.Save(theirs); !errors.As(err, &stale) || stale.Stored != 0 {
		t.Errorf("over one that is gone: %v", err)
	}
	if err := store.Remove(key); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	if theirs.Serial != 2 || mine.Serial != 1 {
		t.Error("a save that failed changed the document")
	}
}

func TestEveryKeyHasItsDocument(t *testing.T) {
	dir := t.TempDir()
	store := state.NewFileStore(dir, "0.1.0")
	long := strings.Repeat("x", 300)
	keys := []state.Key{
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

// Whatever is left of a file, it is told from one that is not there, from a newer one and from one that is fine.
func TestCutAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	store := state.NewFileStore(dir, "0.1.0")
	if err := store.Save(document()); err != nil {
		t.Fatal(err)
	}
	path := only(t, dir)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole)-1; n++ {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := store.Load(key)
		var damaged *state.DamagedError
		if !errors.As(err, &damaged) || damaged.Path != path || !strings.Contains(damaged.Hint(), path) {
			t.Fatalf("cut after %d bytes: %v, %v", n, d, err)
		}
		if err := store.Save(document()); !errors.As(err, &damaged) {
			t.Fatalf("a damaged file is written over: %v", err)
		}
	}
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(key); err != nil {
		t.Errorf("only the last newline is missing: %v", err)
	}
}

func TestWhatIsWrongWithAFile(t *testing.T) {
	good := `"written_by":"0.1.0","serial":3,"key":{"address":"https://api.planetscale.com/","organization":"acme","database":"shop","target":"main"},"records":[]`
	tests := []struct {
		name, text string
		want       string // damaged, format or fine
		message    string
	}{
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
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			store := state.NewFileStore(t.TempDir(), "0.1.0")
			if err := os.WriteFile(store.Path(key), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := store.Load(key)
			var damaged *state.DamagedError
			var format *state.FormatError
			got := "fine"
			switch {
			case errors.As(err, &damaged):
				got = "damaged"
			case errors.As(err, &format):
				got = "format"
			case err != nil:
				got = err.Error()
			case d.Serial != 3:
				got = "something else"
			}
			if got != test.want || err != nil && !strings.Contains(err.Error(), test.message) {
				t.Errorf("it is %s: %v", got, err)
			}
			if hint, ok := err.(interface{ Hint() string }); err != nil && (!ok || hint.Hint() == "") {
				t.Errorf("%v has no hint", err)
			}
			docs, err := store.List()
			if (test.want == "fine") != (err == nil) && test.name != "another's" || len(docs) > 1 {
				t.Errorf("list: %v, %v", docs, err)
			}
		})
	}
	var format *state.FormatError
	store := state.NewFileStore(t.TempDir(), "0.1.0")
	os.WriteFile(store.Path(key), []byte(`{"format_version":7,"written_by":"1.4.0"}`), 0o600)
	if _, err := store.Load(key); !errors.As(err, &format) || format.Hint() != "use pmig 1.4.0 or newer" {
		t.Errorf("%v", err)
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

func TestSaveRefusesWhatItCouldNotRead(t *testing.T) {
	store := state.NewFileStore(t.TempDir(), "0.1.0")
	if err := store.Save(&state.Document{}); err == nil {
		t.Error("a document without a key was saved")
	}
	if err := store.Save(&state.Document{Key: key, Run: json.RawMessage(`{"cut`)}); err == nil {
		t.Error("a run that is no JSON was saved")
	}
	if _, err := store.Load(key); !errors.Is(err, state.ErrNone) {
		t.Errorf("a failed save left something: %v", err)
	}
	d := document()
	if err := store.Save(d); err != nil {
		t.Fatal(err)
	}
	d.Run = json.RawMessage(`}`)
	if err := store.Save(d); err == nil {
		t.Error("a run that is no JSON was saved over a good one")
	}
	if got, err := store.Load(key); err != nil || got.Serial != 1 {
		t.Errorf("%v, %v", got, err)
	}
}
