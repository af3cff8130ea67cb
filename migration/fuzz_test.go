package migration_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/migration"
)

// Whatever a folder holds, every tool lists it without failing: keys are unique
// and in order, nothing is both listed and passed over, and listing it again
// gives the same.
func FuzzFiles(f *testing.F) {
	for _, fixture := range fixtures {
		for name, file := range fixture.files {
			f.Add(name, "1_a.up.sql", file.Data)
		}
	}
	f.Add("00000000000000000000000_x.sql", "9223372036854775808_x.sql", []byte(gooseSQL))
	f.Add("a.php.php", ".php", []byte(""))
	f.Add("١_x.rb", "1_.rb", []byte("-- migrate:up\r\n"))
	f.Fuzz(func(t *testing.T, one, two string, content []byte) {
		if !fs.ValidPath(one) || !fs.ValidPath(two) || one == two || strings.HasPrefix(one, two+"/") || strings.HasPrefix(two, one+"/") {
			return
		}
		fsys := fstest.MapFS{one: {Data: content}, two: {Data: []byte(dbmateSQL)}}
		specs := []migration.Spec{
			{Tool: tool(t, "custom"), Table: "t", Custom: &migration.Custom{Key: []string{"a", "b"}, File: `^(.*)_(.*)\.`}},
			{Tool: tool(t, "custom"), Table: "t", Custom: &migration.Custom{Key: []string{"v"}, File: `^[0-9]*`}},
		}
		for _, tool := range migration.Tools() {
			if tool.Name != "custom" {
				specs = append(specs, migration.Spec{Tool: tool})
			}
		}
		for _, spec := range specs {
			files, problems, err := migration.Files(fsys, spec)
			if err != nil {
				if _, wrong := err.(*migration.WrongToolError); !wrong {
					t.Fatalf("%s: %v", spec.Tool, err)
				}
				continue
			}
			seen := map[string]bool{}
			for i, file := range files {
				if seen[file.Key] || file.Position != i || fsys[file.Path] == nil || file.Size != int64(len(fsys[file.Path].Data)) {
					t.Fatalf("%s: %+v", spec.Tool, files)
				}
				seen[file.Key] = true
			}
			if len(files)+len(problems) > 6 {
				t.Fatalf("%s: %d files and %d problems in a folder of two", spec.Tool, len(files), len(problems))
			}
			again, _, err := migration.Files(fsys, spec)
			if err != nil || !slices.EqualFunc(files, again, func(a, b migration.File) bool { return cmp.Equal(a, b) }) {
				t.Fatalf("%s: %+v, then %+v (%v)", spec.Tool, files, again, err)
			}
			// What is pending on an empty history is everything.
			if s := migration.Compare(spec, files, &migration.History{}); len(s.Pending) != len(files) || len(s.Late) != 0 {
				t.Fatalf("%s: %+v", spec.Tool, s)
			}
		}
	})
}

// Values survive JSON bit by bit, and no JSON makes reading them fail badly.
func FuzzValueJSON(f *testing.F) {
	f.Add("", []byte(`null`))
	f.Add("2024-06-01 10:00:00", []byte(`{"base64":"AP+A"}`))
	f.Add("\x00\xff\xfe", []byte(`"\ud800"`))
	f.Add("\u2028<&>\ufffd", []byte(` {"base64":null}`))
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		v := migration.Text(text)
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back migration.Value
		if err := json.Unmarshal(encoded, &back); err != nil || back != v || back.Text() != text {
			t.Fatalf("%q became %q by way of %s (%v)", text, back.Text(), encoded, err)
		}
		var read migration.Value
		if json.Unmarshal(data, &read) != nil {
			return
		}
		encoded, err = json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(encoded, &back); err != nil || back != read {
			t.Fatalf("%s: %v, then %v", data, read, back)
		}
	})
}

func TestValue(t *testing.T) {
	for _, tc := range []struct {
		value      migration.Value
		json, text string
	}{
		{migration.Null(), "null", "NULL"},
		{migration.Value{}, "null", "NULL"},
		{migration.Text(""), `""`, `""`},
		{migration.Text("NULL"), `"NULL"`, `"NULL"`},
		{migration.Text("2024-06-01 10:00:00"), `"2024-06-01 10:00:00"`, "2024-06-01 10:00:00"},
		{migration.Text("a\nb"), `"a\nb"`, `"a\nb"`},
		{migration.Text("\x00\xff"), `{"base64":"AP8="}`, `"\x00\xff"`},
	} {
		data, err := json.Marshal(tc.value)
		if err != nil || string(data) != tc.json {
			t.Errorf("%v: %s (%v), want %s", tc.value, data, err, tc.json)
		}
		if tc.value.String() != tc.text {
			t.Errorf("%s is shown as %s, want %s", tc.json, tc.value, tc.text)
		}
	}
	if migration.Null() == migration.Text("") || !migration.Null().IsNull() || migration.Text("").IsNull() {
		t.Error("NULL and '' are the same")
	}
	for _, bad := range []string{`1`, `true`, `[]`, `{}`, `{"base64":"?"}`, `"`} {
		var v migration.Value
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s is read as %v", bad, v)
		}
	}
}
