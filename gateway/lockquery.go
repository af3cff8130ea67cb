package gateway

import (
	"strings"

	"github.com/pmig/pmig/mysqlproxy"
	"vitess.io/vitess/go/vt/sqlparser"
)

// lockQuery is a SELECT or DO about locks that the gateway can answer by
// itself: it reads no table.
type lockQuery struct {
	exprs []sqlparser.Expr
	names []string
	do    bool
}

// lockQuery gives the query, or nil if the branch must answer.
func (c *classifier) lockQuery(sql string) *lockQuery {
	if len(sql) > longText || !mentionsLock(sql) {
		return nil
	}
	parts := split(sql)
	if len(parts) != 1 {
		return nil
	}
	sql = parts[0]
	l := &lexer{sql: sql}
	first := l.next()
	q := &lockQuery{do: first.is("DO")}
	if q.do {
		sql = sql[:first.start] + "SELECT" + sql[first.end:]
	}
	parsed, err := c.parse(sql)
	if err != nil || !takesLocks(sql, parsed) {
		return nil
	}
	s, ok := parsed.(*sqlparser.Select)
	if !ok || len(read(s)) > 0 || s.Where != nil || s.With != nil || s.Having != nil || s.Limit != nil || s.GroupBy != nil || s.OrderBy != nil {
		return nil
	}
	raw := columnTexts(sql)
	for i, e := range s.SelectExprs {
		a, ok := e.(*sqlparser.AliasedExpr)
		if !ok || !computable(a.Expr) {
			return nil
		}
		name := a.As.String()
		if name == "" && len(raw) == len(s.SelectExprs) {
			name = raw[i]
		}
		q.exprs, q.names = append(q.exprs, a.Expr), append(q.names, name)
	}
	return q
}

// columnTexts gives the columns of a SELECT as they are written: MySQL names
// them so.
func columnTexts(sql string) (out []string) {
	l := &lexer{sql: sql}
	start := l.next().end
	for depth := 0; ; {
		t := l.next()
		depth += nesting(t)
		if t.kind == endOfText || depth == 0 && t.oneOf(",", "FROM") {
			out = append(out, strings.TrimSpace(sql[start:t.start]))
			if !t.is(",") {
				return out
			}
			start = t.end
		}
	}
}

// result announces the columns, and answers with one row if values are given.
func (q *lockQuery) result(values []*string) mysqlproxy.Verdict {
	if q.do {
		return mysqlproxy.Verdict{OK: true}
	}
	r := &mysqlproxy.Result{Columns: q.names}
	for _, e := range q.exprs {
		r.Types = append(r.Types, columnType(e))
	}
	if values != nil {
		r.Rows = [][]*string{values}
	}
	return mysqlproxy.Verdict{Result: r}
}

func columnType(e sqlparser.Expr) mysqlproxy.ColumnType {
	switch e := e.(type) {
	case *sqlparser.LockingFunc, *sqlparser.ComparisonExpr, *sqlparser.IsExpr, *sqlparser.NotExpr:
		return mysqlproxy.Integer
	case *sqlparser.Literal:
		if e.Type == sqlparser.IntVal {
			return mysqlproxy.Integer
		}
	case *sqlparser.FuncExpr:
		switch name := e.Name.Lowered(); name {
		case "connection_id", "crc32":
			return mysqlproxy.Integer
		case "coalesce", "ifnull", "if":
			for i, x := range e.Exprs {
				if (name != "if" || i > 0) && columnType(x) != mysqlproxy.Integer {
					return mysqlproxy.Text
				}
			}
			return mysqlproxy.Integer
		}
	}
	return mysqlproxy.Text
}
