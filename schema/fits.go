package schema

import (
	"errors"
	"fmt"

	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
)

// Fits says whether changes can still be made to a schema that has moved since they were computed. The error names the
// first statement that cannot, and why.
func Fits(now *Schema, changes []Change) (err error) {
	defer rescue(&err)
	l, err := newLoader()
	if err != nil {
		return err
	}
	s, err := l.schema(now)
	if err != nil {
		return err
	}
	entities := map[string]schemadiff.Entity{}
	for _, e := range s.Entities() {
		entities[e.Name()] = e
	}
	for _, c := range changes {
		stmt, err := l.parse(c.SQL)
		if err == nil {
			err = l.make(entities, c.Table, stmt)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.SQL, err)
		}
	}
	return nil
}

// make carries a statement out on entities.
func (l *loader) make(entities map[string]schemadiff.Entity, name string, stmt sqlparser.Statement) (err error) {
	e := entities[name]
	switch s := stmt.(type) {
	case *sqlparser.CreateTable, *sqlparser.CreateView:
		if e != nil {
			return fmt.Errorf("`%s` is there already", name)
		}
		if table, ok := s.(*sqlparser.CreateTable); ok {
			entities[name], err = l.table(table)
		} else {
			entities[name], err = l.view(s.(*sqlparser.CreateView))
		}
		return err
	}
	if e == nil {
		return fmt.Errorf("there is no `%s`", name)
	}
	switch stmt.(type) {
	case *sqlparser.DropTable, *sqlparser.DropView:
		delete(entities, name)
		return nil
	case *sqlparser.AlterTable:
		table, ok := e.(*schemadiff.CreateTableEntity)
		if !ok {
			return fmt.Errorf("`%s` is not a table", name)
		}
		entities[name], err = table.Apply(schemadiff.EntityDiffByStatement(stmt))
		return err
	case *sqlparser.AlterView:
		view, ok := e.(*schemadiff.CreateViewEntity)
		if !ok {
			return fmt.Errorf("`%s` is not a view", name)
		}
		entities[name], err = view.Apply(schemadiff.EntityDiffByStatement(stmt))
		return err
	}
	return errors.New("it changes no schema")
}
