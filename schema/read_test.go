package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/schema"
)

func TestReadSkipsWhatIsVitess(t *testing.T) {
	db := shared.database(t, "reading")
	exec(t, db,
		"CREATE TABLE users (id int PRIMARY KEY, name varchar(9))",
		"CREATE TABLE _vt_hld_6ace8bcef73211ea87e9f875a4d24e90_20260915120410_ (id int PRIMARY KEY)",
		"CREATE TABLE _VT_DROP_6ace8bcef73211ea87e9f875a4d24e90_20260915120410 (id int PRIMARY KEY)",
		"CREATE TABLE _vtiger (id int PRIMARY KEY)",
		"CREATE TABLE vt (id int PRIMARY KEY)",
		"CREATE VIEW named AS SELECT id, reading.users.name FROM reading.users",
	)
	want := []string{"_vtiger", "named", "users", "vt"}
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for name, q := range map[string]schema.Querier{"pool": db, "connection": conn, "transaction": tx} {
		for _, database := range []string{"", "reading"} {
			s, err := schema.Read(context.Background(), q, database)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var got []string
			for _, table := range s.Tables {
				got = append(got, table.Name)
				if table.View != (table.Name == "named") {
					t.Errorf("%s: view is %v", table.Name, table.View)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s %q (-want +got)\n%s", name, database, d)
			}
		}
	}
}

// Read from a connection that is somewhere else, a view must not keep the name of its database: the other branch has
// the same one, but a copy of the schema may not.
func TestReadFromElsewhere(t *testing.T) {
	db := shared.database(t, "shop")
	exec(t, db, "CREATE TABLE shop (id int PRIMARY KEY, name varchar(9))", "CREATE VIEW v AS SELECT shop.id, shop.name AS n FROM shop JOIN shop AS s ON s.id = shop.id WHERE shop.id > 1")
	here := read(t, db)
	elsewhere := open(t, shared.server.DSN(""))
	s, err := schema.Read(context.Background(), elsewhere, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if here.Digest() != s.Digest() {
		t.Errorf("%v\n%v", here, s)
	}
	v, _ := s.Table("v")
	if strings.Contains(v.Create, "`shop`.`shop`") || strings.Contains(v.Create, "DEFINER=") {
		t.Error(v.Create)
	}
	copied := shared.database(t, "copied")
	for _, c := range diff(t, nil, s) {
		exec(t, copied, c.Statement())
	}
	if got := read(t, copied); got.Digest() != s.Digest() {
		t.Errorf("%v\n%v", got, s)
	}
}

// Three hundred tables in one reasonable time, each way.
func TestReadManyTables(t *testing.T) {
	const tables = 300
	db := shared.database(t, "many")
	for i := range tables {
		reference := ""
		if i > 0 {
			reference = fmt.Sprintf(", FOREIGN KEY (parent) REFERENCES t%03d (id)", i-1)
		}
		exec(t, db, fmt.Sprintf("CREATE TABLE t%03d (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, parent bigint unsigned, name varchar(100) NOT NULL DEFAULT '', "+
			"data json, created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, KEY by_name (name)%s)", i, reference))
	}
	start := time.Now()
	s := read(t, db)
	took := map[string]time.Duration{"read": time.Since(start)}
	if len(s.Tables) != tables {
		t.Fatalf("%d tables", len(s.Tables))
	}
	start = time.Now()
	s.Digests()
	took["digests"] = time.Since(start)
	changed := s.Without()
	changed.Tables[7].Create = strings.Replace(changed.Tables[7].Create, "varchar(100)", "varchar(200)", 1)
	start = time.Now()
	if changes := diff(t, s, changed); len(changes) != 1 {
		t.Errorf("%v", changes)
	}
	took["diff of one"] = time.Since(start)
	start = time.Now()
	if changes := diff(t, nil, s); len(changes) != tables || changes[0].Table != "t000" || changes[tables-1].Table != "t299" {
		t.Errorf("%d changes", len(changes))
	}
	took["diff of all"] = time.Since(start)
	for what, d := range took {
		t.Logf("%s: %v", what, d)
		if d > 20*time.Second {
			t.Errorf("%s takes %v", what, d)
		}
	}
}

func TestReadErrors(t *testing.T) {
	db := shared.database(t, "errors")
	if _, err := schema.Read(context.Background(), db, "nowhere"); err == nil || !strings.Contains(err.Error(), "list the tables") {
		t.Errorf("a database that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := schema.Read(ctx, db, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s, err := schema.Read(context.Background(), db, "")
	if err != nil || len(s.Tables) != 0 {
		t.Errorf("an empty database: %v, %v", s, err)
	}
}

// vanishing drops a table between the list and the reading of the first tables, as a deploy may.
type vanishing struct {
	*sql.DB
	drop  string
	times int
	lists int
}

func (v *vanishing) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if strings.HasPrefix(query, "SHOW FULL TABLES") {
		v.lists++
	}
	if strings.HasPrefix(query, "SHOW CREATE TABLE `"+v.drop+"`") && v.times > 0 {
		v.times--
		return nil, &mysql.MySQLError{Number: 1146, Message: "Table '" + v.drop + "' doesn't exist"}
	}
	return v.DB.QueryContext(ctx, query, args...)
}

func TestReadWhileATableGoes(t *testing.T) {
	db := shared.database(t, "going")
	exec(t, db, "CREATE TABLE a (id int PRIMARY KEY)", "CREATE TABLE b (id int PRIMARY KEY)")
	v := &vanishing{DB: db, drop: "b", times: 1}
	s, err := schema.Read(context.Background(), v, "")
	if err != nil || len(s.Tables) != 2 || v.lists != 2 {
		t.Errorf("%v, %v after %d lists", s, err, v.lists)
	}
	v = &vanishing{DB: db, drop: "b", times: 1000}
	if _, err := schema.Read(context.Background(), v, ""); err == nil || !strings.Contains(err.Error(), "table b") || v.lists != 3 {
		t.Errorf("%v after %d lists", err, v.lists)
	}
}
