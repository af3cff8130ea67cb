package gateway

import (
	"strings"
	"testing"

	"github.com/pmig/pmig/mysqlproxy"
)

// FuzzClassify gives the classifier any text: it must not panic, must not lose
// text between statements, and must say the same twice.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{
		"INSERT INTO `a`.b VALUES ('x;', \"y\", ?) -- z\n; SELECT 1",
		"CREATE TRIGGER t AFTER INSERT ON u FOR EACH ROW BEGIN IF 1 THEN SET @a = CASE WHEN 1 THEN 2 END; END IF; END; SELECT 2",
		"/*!40101 SET @x = 'DELETE FROM t' */; PREPARE s FROM @x; EXECUTE s",
		"UPDATE a JOIN (b, c) ON 1 SET a.x = 1", "DELETE a, b FROM a USING b", "SELECT get_lock(concat('a', ?), -1.5) AS l, is_used_lock('x') = connection_id()",
		"DO release_all_locks()", "CREATE TABLE x (a INT) AS (SELECT 1)", "WITH x AS (SELECT 1) DELETE FROM y", "SET STATEMENT a = 1 FOR UPDATE t SET b = 1",
		"RENAME TABLE a TO b, c TO d", "'", "`", "/*", "/*!", "\\", "@@global.x", "EXECUTE IMMEDIATE CONCAT('a')", "((((", "ALTER TABLE a TRUNCATE PARTITION p",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		c := newClassifier([]string{"migrations", "db.`x y`"}, "shop")
		state := newState()
		length := 0
		for _, part := range split(sql) {
			length += len(part)
			if !strings.Contains(sql, part) {
				t.Errorf("%q is not part of %q", part, sql)
			}
			k := c.classify(part)
			if again := c.classify(part); again.class != k.class || strings.Join(again.tables, "\x00") != strings.Join(k.tables, "\x00") {
				t.Errorf("%q: %v and %v", part, k, again)
			}
			if weight(k.class) < 0 {
				t.Errorf("%q has class %q", part, k.class)
			}
			if found := state.resolve(k); weight(found.class) < 0 {
				t.Errorf("%q resolves to %q", part, found.class)
			}
			state.apply(k)
		}
		if length > len(sql) {
			t.Errorf("the parts of %q are longer than it", sql)
		}
		Classify(sql, nil)
		if q := c.lockQuery(sql); q != nil {
			q.result(nil)
			// Nobody holds a lock, so nothing waits.
			v := &evaluation{locks: &locks{}, st: &mysqlproxy.Statement{Conn: 1}, args: []mysqlproxy.Arg{{Value: "x"}, {Null: true}}}
			if values, err := v.all(q.exprs...); err == nil && len(values) != len(q.names) {
				t.Errorf("%q: %d values for %d columns", sql, len(values), len(q.names))
			}
		}
	})
}
