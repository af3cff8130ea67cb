package migration

import (
	"regexp"
)

// custom is any other tool, described in the configuration. What it does about
// orphans and late files is not known; most tools take both.
var custom = Tool{
	Name:    "custom",
	Shape:   Log,
	Orphans: Ignores,
	Late:    Runs,
	Empty:   Runs,

	order:   byNumber,
	repeats: true,
	collect: customFiles,
}

// customFiles takes the files whose base name matches the pattern. Keys that
// are numbers run in numeric order, others in that of their text.
func customFiles(spec Spec, entries []entry) ([]File, []Problem) {
	var files []File
	var problems []Problem
	re := regexp.MustCompile(spec.Custom.File) // Validate has seen it
	for _, e := range entries {
		m := re.FindStringSubmatch(e.base)
		if m == nil {
			problems = append(problems, passedOver(e, "does not match the file pattern")...)
			continue
		}
		parts := make([]Value, len(spec.Custom.Key))
		named := namesAll(re, spec.Custom.Key)
		for i, column := range spec.Custom.Key {
			switch {
			case named:
				parts[i] = Text(m[re.SubexpIndex(column)])
			case re.NumSubexp() == 0:
				parts[i] = Text(m[0])
			default:
				parts[i] = Text(m[i+1])
			}
		}
		files = append(files, e.file(joinKey(parts)))
	}
	return files, problems
}
