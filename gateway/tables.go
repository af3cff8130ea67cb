package gateway

import (
	"errors"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

var errNotParsed = errors.New("the statement was not parsed")

// display writes a table's name without quotes.
func display(n sqlparser.TableName) string {
	if q := n.Qualifier.String(); q != "" {
		return q + "." + n.Name.String()
	}
	return n.Name.String()
}

func displayAll(names sqlparser.TableNames) (out []string) {
	for _, n := range names {
		out = append(out, display(n))
	}
	return out
}

// named is a table in a FROM clause: what it is called there and what it is.
type named struct{ alias, table string }

// from lists the tables of a FROM clause, without those of subqueries.
func from(exprs []sqlparser.TableExpr) (out []named) {
	for _, e := range exprs {
		switch e := e.(type) {
		case *sqlparser.AliasedTableExpr:
			if n, ok := e.Expr.(sqlparser.TableName); ok {
				alias := e.As.String()
				if alias == "" {
					alias = n.Name.String()
				}
				out = append(out, named{alias, display(n)})
			}
		case *sqlparser.JoinTableExpr:
			out = append(out, from([]sqlparser.TableExpr{e.LeftExpr, e.RightExpr})...)
		case *sqlparser.ParenTableExpr:
			out = append(out, from(e.Exprs)...)
		}
	}
	return out
}

// lookup finds tables by the name used for them; unknown ones stand for
// themselves.
func lookup(tables []named, name string) string {
	for _, t := range tables {
		if strings.EqualFold(t.alias, name) {
			return t.table
		}
	}
	return name
}

// updated gives the tables an UPDATE writes: those its assignments name, or
// all of them if one does not say.
func updated(s *sqlparser.Update) []string {
	tables := from(s.TableExprs)
	var out []string
	for _, e := range s.Exprs {
		q := e.Name.Qualifier
		if q.Name.IsEmpty() {
			out = nil
			for _, t := range tables {
				out = addNew(out, t.table)
			}
			return out
		}
		name := lookup(tables, q.Name.String())
		if !q.Qualifier.IsEmpty() {
			name = display(q)
		}
		out = addNew(out, name)
	}
	return out
}

// deletedFrom gives the tables a DELETE removes rows from.
func deletedFrom(s *sqlparser.Delete) (out []string) {
	tables := from(s.TableExprs)
	if len(s.Targets) == 0 {
		for _, t := range tables {
			out = addNew(out, t.table)
		}
		return out
	}
	for _, n := range s.Targets {
		if n.Qualifier.IsEmpty() {
			out = addNew(out, lookup(tables, n.Name.String()))
		} else {
			out = addNew(out, display(n))
		}
	}
	return out
}

// read gives the tables a query reads, its common table expressions aside.
func read(s sqlparser.Statement) (out []string) {
	var ctes []string
	var found []string
	sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		switch n := n.(type) {
		case *sqlparser.CommonTableExpr:
			ctes = append(ctes, strings.ToLower(n.ID.String()))
		case *sqlparser.AliasedTableExpr:
			if t, ok := n.Expr.(sqlparser.TableName); ok {
				found = addNew(found, display(t))
			}
		}
		return true, nil
	}, s)
	for _, t := range found {
		if lower := strings.ToLower(t); lower != "dual" && !slices.Contains(ctes, lower) {
			out = append(out, t)
		}
	}
	return out
}

// altered tells the ALTER TABLE that changes rows from those that change
// definitions.
func altered(c *classifier, s *sqlparser.AlterTable) kind {
	tables := []string{display(s.Table)}
	if p := s.PartitionSpec; p != nil {
		switch p.Action {
		case sqlparser.TruncateAction:
			return c.written(tables)
		case sqlparser.ExchangeAction:
			return c.written(append(tables, display(p.TableName)))
		}
	}
	for _, o := range s.AlterOptions {
		if r, ok := o.(*sqlparser.RenameTableName); ok {
			tables = append(tables, display(r.Table))
		}
	}
	return kind{class: DDL, tables: tables}
}

// takesLocks says whether a query calls GET_LOCK or one of its family.
func takesLocks(sql string, s sqlparser.Statement) (found bool) {
	if !mentionsLock(sql) {
		return false
	}
	sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		if _, ok := n.(*sqlparser.LockingFunc); ok {
			found = true
		}
		return !found, nil
	}, s)
	return found
}

// mentionsLock is a quick look for statements that could be about locks.
func mentionsLock(sql string) bool {
	for {
		i := strings.IndexByte(sql, '_')
		if i < 0 {
			return false
		}
		if sql = sql[i+1:]; len(sql) >= 4 && strings.EqualFold(sql[:4], "lock") || len(sql) >= 3 && strings.EqualFold(sql[:3], "all") {
			return true
		}
	}
}

func addNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
