package migration

import (
	"fmt"
	"regexp"
	"slices"
)

// Spec says whose history is meant and where it is.
type Spec struct {
	// Tool that owns the history.
	Tool *Tool
	// Database (on PlanetScale: keyspace) of the tables; empty means the one
	// that the connection has selected.
	Database string
	// Table is the history table; empty means the tool's default.
	Table string
	// Custom describes the table and the files of a tool that pmig does not
	// know; only with the tool "custom".
	Custom *Custom
	// Graph of the migrations, for the shape PointerSet: GraphOf the files. It is
	// needed by Gained, and lets Swap tell a head that others have moved on from
	// one that is gone.
	Graph Graph
}

// Custom is the description of a tool that is not in the table.
type Custom struct {
	// Key names the column, or columns, that identify a migration.
	Key []string `json:"key"`
	// File is a regular expression over base names. Its groups are the values
	// of the key columns: by name where the groups are named after columns, in
	// order otherwise. Without a group the whole match is the key.
	File string `json:"file"`
	// Shape of the table; empty means Log.
	Shape Shape `json:"shape,omitempty"`
}

// Validate says what is wrong with the description, nil if nothing is.
func (c *Custom) Validate() error {
	if c == nil || len(c.Key) == 0 {
		return fmt.Errorf("a custom history needs at least one key column")
	}
	seen := map[string]bool{}
	for _, k := range c.Key {
		if k == "" || seen[fold(k)] {
			return fmt.Errorf("key column %q is empty or named twice", k)
		}
		seen[fold(k)] = true
	}
	switch c.Shape {
	case "", Log:
	case Pointer:
		if len(c.Key) != 1 {
			return fmt.Errorf("a pointer has one key column, not %d", len(c.Key))
		}
	default:
		return fmt.Errorf("shape %q is neither %q nor %q", c.Shape, Log, Pointer)
	}
	re, err := regexp.Compile(c.File)
	if err != nil {
		return fmt.Errorf("file pattern: %w", err)
	}
	if c.File == "" {
		return fmt.Errorf("a custom history needs a file pattern")
	}
	if groups := re.NumSubexp(); groups != len(c.Key) && !(groups == 0 && len(c.Key) == 1) && !namesAll(re, c.Key) {
		return fmt.Errorf("file pattern has %d groups for %d key columns", groups, len(c.Key))
	}
	return nil
}

// namesAll reports whether every key column has a group of its name.
func namesAll(re *regexp.Regexp, key []string) bool {
	for _, k := range key {
		if re.SubexpIndex(k) < 0 {
			return false
		}
	}
	return true
}

// HistoryTable is the name of the history table: the one given, or the tool's
// default.
func (s Spec) HistoryTable() string {
	if s.Table == "" && s.Tool != nil {
		return s.Tool.Table
	}
	return s.Table
}

// Shape of the history table.
func (s Spec) Shape() Shape {
	if s.Custom != nil {
		if s.Custom.Shape == "" {
			return Log
		}
		return s.Custom.Shape
	}
	return s.Tool.Shape
}

// KeyColumns are the columns that identify a row to the tool.
func (s Spec) KeyColumns() []string {
	if s.Custom != nil {
		return slices.Clone(s.Custom.Key)
	}
	return slices.Clone(s.Tool.key)
}

// LockTables are the tables by which the tool keeps other runs out. They are
// seeded at their resting value and never written back.
func (s Spec) LockTables() []string {
	var names []string
	for _, a := range s.Tool.aux {
		if a.policy == ResetPolicy {
			names = append(names, a.name(s.HistoryTable()))
		}
	}
	return names
}

// Tables are all tables that the tool keeps for itself, the history first.
func (s Spec) Tables() []string {
	names := []string{s.HistoryTable()}
	for _, a := range s.Tool.aux {
		names = append(names, a.name(s.HistoryTable()))
	}
	return names
}

// Order compares two keys as the tool orders them: below zero if it runs a
// first, zero if they are the same.
func (s Spec) Order(a, b string) int { return s.order(a, b) }

// validate guards the entrances of the package against half-made specs.
func (s Spec) validate() error {
	switch {
	case s.Tool == nil:
		return fmt.Errorf("no migration tool given")
	case s.Tool.Name == custom.Name && s.Custom == nil:
		return fmt.Errorf("a custom history needs a description of its table and files")
	case s.Tool.Name != custom.Name && s.Custom != nil:
		return fmt.Errorf("%s has its own table layout and takes no description", s.Tool.Name)
	case s.HistoryTable() == "":
		return fmt.Errorf("no history table given")
	case s.Custom != nil:
		return s.Custom.Validate()
	}
	return nil
}

// order of two keys as the tool runs them.
func (s Spec) order(a, b string) int { return s.Tool.order(a, b) }
