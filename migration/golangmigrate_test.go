package migration_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"pgregory.net/rapid"

	"github.com/pmig/pmig/migration"
)

// The library itself says which versions a folder has, in which order, and
// whether it takes the folder at all.
func TestFilesAsGolangMigrateSeesThem(t *testing.T) {
	spec := migration.Spec{Tool: tool(t, "golang-migrate")}
	rapid.Check(t, func(rt *rapid.T) {
		part := rapid.SampledFrom([]string{"0", "1", "01", "2", "10", "20240101000000", "9223372036854775807", "99999999999999999999", "x", "", "-1"})
		title := rapid.SampledFrom([]string{"_a", "_", "_a.up", "_a_b", "", "-a"})
		end := rapid.SampledFrom([]string{".up.sql", ".down.sql", ".up.json", ".sql", ".up", ".UP.sql", ".down.up.sql"})
		fsys := folder("000_anchor.up.sql", plainSQL)
		for range rapid.IntRange(0, 6).Draw(rt, "files") {
			fsys[part.Draw(rt, "number")+title.Draw(rt, "title")+end.Draw(rt, "end")] = folder("x", plainSQL)["x"]
		}
		files, problems, err := migration.Files(fsys, spec)
		if err != nil {
			rt.Fatal(err)
		}
		fails := slices.ContainsFunc(problems, func(p migration.Problem) bool { return p.Severity == migration.Error })

		library, err := iofs.New(fsys, ".")
		var twice source.ErrDuplicateMigration
		if errors.As(err, &twice) {
			if !fails {
				rt.Fatalf("%v, which is no error among %v", err, problems)
			}
			return
		}
		if err != nil || fails {
			rt.Fatalf("the library: %v, problems: %v", err, problems)
		}
		var want []string
		for v, err := library.First(); err == nil; v, err = library.Next(v) {
			want = append(want, strconv.FormatUint(uint64(v), 10))
		}
		if got := keys(files); !slices.Equal(got, want) {
			rt.Fatalf("got %v, the library has %v", got, want)
		}
	})
}
