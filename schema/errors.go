package schema

import (
	"errors"
	"fmt"

	"vitess.io/vitess/go/vt/schemadiff"
)

// TableError says that a table or view cannot be compared: its definition is not understood, or contradicts itself or
// the rest of the schema.
type TableError struct {
	Table string // empty when no one table is to blame
	Err   error
}

func (e *TableError) Error() string {
	if e.Table == "" {
		return fmt.Sprintf("the schema cannot be compared: %v", e.Err)
	}
	return fmt.Sprintf("table %s cannot be compared: %v", e.Table, e.Err)
}

// Hint says what helps.
func (e *TableError) Hint() string {
	return "use types and options that MySQL 8 has too, and check what the definition refers to"
}

func (e *TableError) Unwrap() error { return e.Err }

// StatementError says that a text is not the statement that was expected there.
type StatementError struct {
	SQL string // cut to its beginning
	Err error
}

func (e *StatementError) Error() string {
	return fmt.Sprintf("cannot read %q: %v", e.SQL, e.Err)
}

func (e *StatementError) Unwrap() error { return e.Err }

func statementError(sql string, err error) error {
	const most = 80
	if r := []rune(sql); len(r) > most {
		sql = string(r[:most]) + "..."
	}
	return &StatementError{SQL: sql, Err: err}
}

// rescue turns a panic of the parser or of schemadiff into an error: what they are given comes from outside, and a
// statement that nobody thought of must not end the process.
func rescue(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("the definition is not understood: %v", p)
	}
}

// blame finds the tables that an error of schemadiff speaks of.
func blame(err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, blame(e))
		}
		if len(errs) == 1 {
			return errs[0]
		}
		return errors.Join(errs...)
	}
	var known *TableError
	if errors.As(err, &known) {
		return err
	}
	return &TableError{Table: culprit(err), Err: err}
}

// culprit is the table or view that schemadiff complains of.
func culprit(err error) string {
	switch e := err.(type) {
	case *schemadiff.ApplyDuplicateEntityError:
		return e.Entity
	case *schemadiff.NotFullyParsedError:
		return e.Entity
	case *schemadiff.ApplyDuplicateColumnError:
		return e.Table
	case *schemadiff.ApplyDuplicateKeyError:
		return e.Table
	case *schemadiff.ApplyDuplicatePartitionError:
		return e.Table
	case *schemadiff.UnsupportedTableOptionError:
		return e.Table
	case *schemadiff.InvalidColumnInKeyError:
		return e.Table
	case *schemadiff.InvalidColumnInGeneratedColumnError:
		return e.Table
	case *schemadiff.InvalidColumnInPartitionError:
		return e.Table
	case *schemadiff.MissingPartitionColumnInUniqueKeyError:
		return e.Table
	case *schemadiff.InvalidColumnInCheckConstraintError:
		return e.Table
	case *schemadiff.NonDeterministicDefaultError:
		return e.Table
	case *schemadiff.ForeignKeyDependencyUnresolvedError:
		return e.Table
	case *schemadiff.ForeignKeyNonexistentReferencedTableError:
		return e.Table
	case *schemadiff.ForeignKeyReferencesViewError:
		return e.Table
	case *schemadiff.InvalidColumnInForeignKeyConstraintError:
		return e.Table
	case *schemadiff.InvalidReferencedColumnInForeignKeyConstraintError:
		return e.Table
	case *schemadiff.ForeignKeyColumnCountMismatchError:
		return e.Table
	case *schemadiff.ForeignKeyColumnTypeMismatchError:
		return e.Table
	case *schemadiff.MissingForeignKeyReferencedIndexError:
		return e.Table
	case *schemadiff.ViewDependencyUnresolvedError:
		return e.View
	case *schemadiff.InvalidColumnReferencedInViewError:
		return e.View
	case *schemadiff.InvalidStarExprInViewError:
		return e.View
	case *schemadiff.EntityNotFoundError:
		return e.Name
	}
	return ""
}
