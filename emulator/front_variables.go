package emulator

import (
	"database/sql"
	"regexp"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/pmig/pmig/mysqlproxy"
)

// MariaDB before 11.1 knows two of MySQL 8's variables by their old names only. Drivers ask for them when they connect (JDBC in one
// list with a dozen others), so such a question is answered here, from a session of its own.
var (
	newNames = regexp.MustCompile(`(?i)@@(?:session\.|local\.|global\.)?transaction_(isolation|read_only)\b`)
	setLevel = regexp.MustCompile(`(?i)^\s*set\s+(?:session|local)\s+(?:transaction\s+isolation\s+level|transaction_isolation\s*=)\s*'?([a-z]+[ -]?[a-z]*)'?\s*;?\s*$`)
)

// variables answers a SELECT of nothing but variables that uses the new names; everything else passes.
func (h *frontHandler) variables(st *mysqlproxy.Statement) mysqlproxy.Verdict {
	if h.emulator.engine.Name() != "mariadb" || st.Command != mysqlproxy.Query {
		return mysqlproxy.Verdict{}
	}
	if m := setLevel.FindStringSubmatch(st.SQL); m != nil {
		h.isolation = strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(m[1])), " ", "-")
	}
	if !newNames.MatchString(st.SQL) {
		return mysqlproxy.Verdict{}
	}
	statement, err := statementParser.ParseStrictDDL(st.SQL)
	if err != nil {
		return mysqlproxy.Verdict{}
	}
	query, ok := statement.(*sqlparser.Select)
	if !ok || len(tablesIn(query.From...)) > 0 || query.Where != nil {
		return mysqlproxy.Verdict{}
	}
	db := openBackend(h.backend)
	defer db.Close()
	rows, err := db.QueryContext(st.Context(), newNames.ReplaceAllString(st.SQL, "@@tx_$1"))
	if err != nil {
		return mysqlproxy.Verdict{}
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		return mysqlproxy.Verdict{}
	}
	values := make([]sql.NullString, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return mysqlproxy.Verdict{}
	}
	answer := &mysqlproxy.Result{Columns: columns, Rows: [][]*string{make([]*string, len(columns))}}
	for i := range columns {
		asked := ""
		if i < len(query.SelectExprs) {
			asked = sqlparser.String(query.SelectExprs[i])
		}
		if strings.HasPrefix(columns[i], "@@tx_") { // without an alias a column is called what it asks for
			columns[i] = asked
		}
		if values[i].Valid {
			answer.Rows[0][i] = &values[i].String
		}
		if h.isolation != "" && strings.Contains(strings.ToLower(asked), "transaction_isolation") {
			answer.Rows[0][i] = &h.isolation
		}
	}
	return mysqlproxy.Verdict{Result: answer}
}
