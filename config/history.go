package config

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/pmig/pmig/migration"
)

// custom is the tool whose history table and file names the configuration describes.
const custom = "custom"

// The values of shape in a history block.
const (
	shapeLog     = "log"     // a row for each migration
	shapePointer = "pointer" // one row that names the newest
)

var (
	historyShape = shape{in: "In a history block of a tool that pmig knows"}
	customShape  = shape{
		in:       `In a history block of source "custom"`,
		attrs:    []string{"key", "file", "shape"},
		required: []string{"key", "file"},
	}
)

// histories decodes the history blocks; without any, the history is where the tool keeps it.
func (s *scope) histories(src *Source, b *hclsyntax.Block, blocks []*hclsyntax.Block) []migration.Spec {
	if src.Tool == nil {
		return nil
	}
	if len(blocks) == 0 {
		if src.Tool.Name == custom {
			s.l.report(&src.Range, "No history", `A custom source says where its history is: history "TABLE" { key = ["COLUMN"]  file = "^([0-9]+)_" }, one attribute a line.`)
			return nil
		}
		return []migration.Spec{{Tool: src.Tool, Database: src.Keyspace, Table: src.Tool.Table}}
	}
	var specs []migration.Spec
	seen := map[string]bool{}
	for _, h := range blocks {
		table := h.Labels[0]
		if table == "" {
			s.l.report(&h.LabelRanges[0], "Bad name", "The label of a history block is the name of the tool's history table.")
		}
		if seen[table] {
			s.l.report(&h.LabelRanges[0], "Repeated history", fmt.Sprintf("There is another history block for the table %q in this source.", table))
			continue
		}
		seen[table] = true
		spec := migration.Spec{Tool: src.Tool, Database: src.Keyspace, Table: table}
		if src.Tool.Name == custom {
			spec.Custom = s.custom(h)
		} else {
			s.l.open(h.Body, historyShape)
		}
		specs = append(specs, spec)
	}
	return specs
}

// custom decodes how a file name becomes a key.
func (s *scope) custom(h *hclsyntax.Block) *migration.Custom {
	attrs := s.l.open(h.Body, customShape).attrs
	out := &migration.Custom{Shape: migration.Log}
	key, hasKey := s.texts(attrs["key"])
	file, hasFile := s.filled(attrs["file"])
	out.Key, out.File = key, file
	kind := shapeLog
	s.oneOf(&kind, attrs["shape"], shapeLog, shapePointer)
	if kind == shapePointer {
		out.Shape = migration.Pointer
	}
	if !hasKey || !hasFile {
		return out
	}
	if _, err := regexp.Compile(file); err != nil {
		s.l.report(attrs["file"].Expr.Range().Ptr(), "Bad pattern", fmt.Sprintf("The pattern of the migration files cannot be read: %v.", err))
	} else if err := out.Validate(); err != nil {
		s.l.report(h.DefRange().Ptr(), "Bad history", sentence(err)+".")
	}
	return out
}
