package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// Lint kinds: the names that the platform gives to what it refuses. These are the ones that can be seen in a schema.
const (
	NoUniqueKey                    = "NO_UNIQUE_KEY"
	BlobInUniqueKey                = "BLOB_IN_UNIQUE_KEY"
	PartialKeyInUniqueKey          = "PARTIAL_KEY_IN_UNIQUE_KEY"
	ForeignKeysDisallowed          = "FOREIGN_KEYS_DISALLOWED"
	ForeignKeysNonexistentTable    = "FOREIGN_KEYS_NONEXISTENT_TABLE"
	ForeignKeysReferencedView      = "FOREIGN_KEYS_REFERENCED_VIEW"
	ForeignKeysUnresolved          = "FOREIGN_KEYS_UNRESOLVED"
	InvalidCharset                 = "INVALID_CHARSET"
	UnsupportedFeature             = "UNSUPPORTED_FEATURE"
	UnsupportedPartitioningFeature = "UNSUPPORTED_PARTITIONING_FEATURE"
	DuplicateEnumValue             = "DUPLICATE_ENUM_VALUE"
	InvalidTableReferencedInView   = "INVALID_TABLE_REFERENCED_IN_VIEW"
	InvalidColumnReferencedInView  = "INVALID_COLUMN_REFERENCED_IN_VIEW"
)

// LintOptions says what the database allows.
type LintOptions struct {
	ForeignKeys bool // foreign key constraints are enabled for the database
}

// Finding is something for which a deploy request is refused. Beside code, table and message it has the members of the
// platform's lint error that apply.
type Finding struct {
	Code         string   `json:"code"` // a lint kind of the platform
	Table        string   `json:"table"`
	Message      string   `json:"message"`
	Column       string   `json:"column,omitempty"`
	ForeignKey   []string `json:"foreign_key,omitempty"` // its columns
	Charset      string   `json:"charset,omitempty"`
	Engine       string   `json:"engine,omitempty"`
	EnumValue    string   `json:"enum_value,omitempty"`
	Partitioning string   `json:"partitioning,omitempty"`
}

// Lint finds what a deploy request would refuse in a schema, table by table, then between tables. (Facts: PlanetScale's
// documentation of schema lint errors.)
func Lint(s *Schema, o LintOptions) []Finding {
	if s == nil {
		return nil
	}
	l, err := newLoader()
	if err != nil {
		return []Finding{{Code: UnsupportedFeature, Message: err.Error()}}
	}
	var out []Finding
	var entities []schemadiff.Entity
	for _, t := range s.Tables {
		e, err := l.entity(t)
		if err != nil {
			out = append(out, Finding{Code: UnsupportedFeature, Table: t.Name, Message: err.Error()})
			continue
		}
		entities = append(entities, e)
		if e, ok := e.(*schemadiff.CreateTableEntity); ok {
			out = append(out, l.lintTable(e, o)...)
		}
	}
	return append(out, l.lintTogether(entities)...)
}

func (l *loader) lintTable(e *schemadiff.CreateTableEntity, o LintOptions) []Finding {
	spec, name := e.TableSpec, e.Name()
	var out []Finding
	add := func(f Finding, format string, args ...any) {
		f.Table, f.Message = name, fmt.Sprintf(format, args...)
		out = append(out, f)
	}
	if code, message := uniqueKey(spec); code != "" {
		add(Finding{Code: code}, "%s", message)
	}
	for _, c := range spec.Constraints {
		if fk, ok := c.Details.(*sqlparser.ForeignKeyDefinition); ok && !o.ForeignKeys {
			var columns []string
			for _, col := range fk.Source {
				columns = append(columns, col.String())
			}
			add(Finding{Code: ForeignKeysDisallowed, ForeignKey: columns},
				"foreign key on (%s), but foreign key constraints are not enabled for the database", strings.Join(columns, ", "))
		}
	}
	for _, opt := range spec.Options {
		switch {
		case opt.Name == "engine" && !strings.EqualFold(opt.String, "InnoDB"):
			add(Finding{Code: UnsupportedFeature, Engine: opt.String}, "storage engine %s is not InnoDB", opt.String)
		case opt.Name == "charset" && !goodCharset(opt.String):
			add(Finding{Code: InvalidCharset, Charset: opt.String}, "character set %s is not supported", opt.String)
		}
	}
	for _, col := range spec.Columns {
		if c := col.Type.Charset.Name; c != "" && !goodCharset(c) {
			add(Finding{Code: InvalidCharset, Column: col.Name.String(), Charset: c},
				"character set %s of column %s is not supported", c, col.Name.String())
		}
		seen := map[string]bool{}
		for _, v := range col.Type.EnumValues {
			if plain, err := sqltypes.DecodeStringSQL(v); err == nil {
				v = plain
			}
			if seen[v] {
				add(Finding{Code: DuplicateEnumValue, Column: col.Name.String(), EnumValue: v},
					"column %s has the value %s twice", col.Name.String(), v)
			}
			seen[v] = true
		}
	}
	if p := spec.PartitionOption; p != nil && p.Type == sqlparser.ListType {
		add(Finding{Code: UnsupportedPartitioningFeature, Partitioning: "LIST"}, "partitioning by LIST is not RANGE, HASH or KEY")
	}
	return out
}

func goodCharset(name string) bool {
	return slices.Contains([]string{"utf8", "utf8mb3", "utf8mb4", "latin1", "ascii"}, strings.ToLower(name))
}

// uniqueKey says why a table has no key by which an online copy could tell its rows apart: unique, without nulls, and
// over whole columns that are no blobs.
func uniqueKey(spec *sqlparser.TableSpec) (code, message string) {
	columns := map[string]*sqlparser.ColumnDefinition{}
	for _, c := range spec.Columns {
		columns[c.Name.Lowered()] = c
	}
	code, message = NoUniqueKey, "it has no unique key over columns that are all NOT NULL"
	for _, index := range spec.Indexes {
		if !index.Info.IsUnique() {
			continue
		}
		usable, blob, partial := true, "", ""
		for _, c := range index.Columns {
			col := columns[c.Column.Lowered()]
			if col == nil || col.Type.Options.Null == nil || *col.Type.Options.Null {
				usable = false // an expression, or a column that may be null
				break
			}
			if t := col.Type.Type; strings.HasSuffix(t, "text") || strings.HasSuffix(t, "blob") {
				blob = col.Name.String()
			}
			if c.Length != nil {
				partial = col.Name.String()
			}
		}
		key := index.Info.Name.String()
		switch {
		case !usable:
		case blob != "":
			code, message = BlobInUniqueKey, fmt.Sprintf("its unique key %s has the blob or text column %s", key, blob)
		case partial != "":
			if code != BlobInUniqueKey {
				code, message = PartialKeyInUniqueKey, fmt.Sprintf("its unique key %s has only a prefix of column %s", key, partial)
			}
		default:
			return "", ""
		}
	}
	return code, message
}

// lintTogether finds what tables and views say wrongly of each other.
func (l *loader) lintTogether(entities []schemadiff.Entity) []Finding {
	_, err := l.together(entities)
	var out []Finding
	for _, err := range leaves(err) {
		f := Finding{Code: UnsupportedFeature, Message: err.Error()}
		var t *TableError
		if errors.As(err, &t) {
			f.Table, f.Message = t.Table, t.Err.Error()
			f.Code = lintCode(t.Err)
		}
		out = append(out, f)
	}
	return out
}

func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, leaves(e)...)
	}
	return out
}

func lintCode(err error) string {
	switch err.(type) {
	case *schemadiff.ForeignKeyNonexistentReferencedTableError:
		return ForeignKeysNonexistentTable
	case *schemadiff.ForeignKeyReferencesViewError:
		return ForeignKeysReferencedView
	case *schemadiff.ForeignKeyDependencyUnresolvedError, *schemadiff.InvalidColumnInForeignKeyConstraintError,
		*schemadiff.InvalidReferencedColumnInForeignKeyConstraintError, *schemadiff.ForeignKeyColumnCountMismatchError,
		*schemadiff.ForeignKeyColumnTypeMismatchError, *schemadiff.MissingForeignKeyReferencedIndexError:
		return ForeignKeysUnresolved
	case *schemadiff.ViewDependencyUnresolvedError:
		return InvalidTableReferencedInView
	case *schemadiff.InvalidColumnReferencedInViewError, *schemadiff.InvalidStarExprInViewError:
		return InvalidColumnReferencedInView
	}
	return UnsupportedFeature
}
