package schema

import (
	"errors"
	"fmt"
	"strings"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/vt/schemadiff"
	"vitess.io/vitess/go/vt/sqlparser"
	"vitess.io/vitess/go/vt/vtenv"
)

// mysqlVersion is the server that definitions are read for. It decides which executable comments count and what can be
// instant; PlanetScale runs 8.0.
const mysqlVersion = "8.0.40"

// loader reads definitions into schemadiff's entities, all in one spelling.
type loader struct {
	env *schemadiff.Environment
}

func newLoader() (*loader, error) {
	env, err := vtenv.New(vtenv.Options{MySQLServerVersion: mysqlVersion})
	if err != nil {
		return nil, fmt.Errorf("set up the parser: %w", err)
	}
	return &loader{schemadiff.NewEnv(env, env.CollationEnv().LookupByName("utf8mb4_0900_ai_ci"))}, nil
}

// entity reads one CREATE TABLE or CREATE VIEW.
func (l *loader) entity(t Table) (e schemadiff.Entity, err error) {
	defer func() {
		rescue(&err)
		if err != nil {
			e, err = nil, &TableError{Table: t.Name, Err: err}
		}
	}()
	stmt, err := l.parse(t.Create)
	if err != nil {
		return nil, err
	}
	switch stmt := stmt.(type) {
	case *sqlparser.CreateTable:
		return l.table(stmt)
	case *sqlparser.CreateView:
		return l.view(stmt)
	}
	return nil, errors.New("it is neither CREATE TABLE nor CREATE VIEW")
}

// parse reads one DDL statement in MySQL's or in MariaDB's words.
func (l *loader) parse(sql string) (sqlparser.Statement, error) {
	s := newStatement(sql)
	if s.word(0, "CREATE", "ALTER") && (s.word(1, "TABLE", "TEMPORARY")) {
		sql = respell(sql)
	}
	return l.env.Parser().ParseStrictDDL(sql)
}

func (l *loader) table(ct *sqlparser.CreateTable) (*schemadiff.CreateTableEntity, error) {
	if ct.TableSpec == nil {
		return nil, errors.New("it has no column list")
	}
	ct.Table.Qualifier = sqlparser.NewIdentifierCS("")
	ct.IfNotExists, ct.Comments = false, nil
	seen := map[string]bool{}
	for _, c := range ct.TableSpec.Columns {
		if seen[c.Name.Lowered()] {
			return nil, fmt.Errorf("it has two columns %s", c.Name.String())
		}
		seen[c.Name.Lowered()] = true
	}
	l.simplifyTable(ct.TableSpec)
	return schemadiff.NewCreateTableEntity(l.env, ct)
}

func (l *loader) view(cv *sqlparser.CreateView) (*schemadiff.CreateViewEntity, error) {
	database := cv.ViewName.Qualifier.String()
	cv.ViewName.Qualifier = sqlparser.NewIdentifierCS("")
	cv.IsReplace, cv.Definer, cv.Comments = false, nil, nil // the definer is whoever ran it, and differs per branch
	cv.Algorithm, cv.Security = strings.ToLower(cv.Algorithm), strings.ToLower(cv.Security)
	unqualify(cv.Select, database)
	return schemadiff.NewCreateViewEntity(l.env, cv)
}

// unqualify takes the database's name out of a view: a server prints it unless the connection is in that database.
func unqualify(node sqlparser.SQLNode, database string) bool {
	changed := false
	own := func(name sqlparser.TableName) bool {
		return database != "" && name.Qualifier.String() == database
	}
	sqlparser.Rewrite(node, nil, func(c *sqlparser.Cursor) bool {
		switch n := c.Node().(type) {
		case sqlparser.TableName:
			if own(n) {
				n.Qualifier = sqlparser.NewIdentifierCS("")
				c.Replace(n)
				changed = true
			}
		case *sqlparser.ColName:
			if own(n.Qualifier) {
				n.Qualifier.Qualifier = sqlparser.NewIdentifierCS("")
				changed = true
			}
		}
		return true
	})
	return changed
}

// schema reads a whole schema. Every table that cannot be read is named in the error.
func (l *loader) schema(s *Schema) (out *schemadiff.Schema, err error) {
	var errs []error
	entities := make([]schemadiff.Entity, 0, len(s.Tables))
	for _, t := range s.Tables {
		e, err := l.entity(t)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		entities = append(entities, e)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return l.together(entities)
}

// together makes a schema of its entities and checks what they say of each other.
func (l *loader) together(entities []schemadiff.Entity) (out *schemadiff.Schema, err error) {
	defer func() {
		rescue(&err)
		err = blame(err)
	}()
	return schemadiff.NewSchemaFromEntities(l.env, entities)
}

// charset is the character set of a collation, and the collation of a character set that names none, as in MySQL 8.
// Names that are not known there stay as they are.
func (l *loader) charset(charset, collate string) (string, string) {
	env := l.env.CollationEnv()
	charset, collate = strings.ToLower(charset), strings.ToLower(collate)
	if alias, ok := env.CharsetAlias(charset); ok {
		charset = alias
	}
	if alias, ok := env.CollationAlias(collate); ok {
		collate = alias
	}
	if collate == "" && charset != "" {
		if id := env.DefaultCollationForCharset(charset); id != collations.Unknown {
			collate = env.LookupName(id)
		}
	}
	if charset == "" && collate != "" {
		if id := env.LookupByName(collate); id != collations.Unknown {
			charset = env.LookupCharsetName(id)
		}
	}
	return charset, collate
}
