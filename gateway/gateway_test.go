package gateway_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/pmig/pmig/gateway"
	"github.com/pmig/pmig/mysqlproxy"
)

// line shows a recorded statement in one line.
func line(s gateway.Statement) string {
	out := fmt.Sprintf("%s %s %v +%d", s.SQL, s.Class, s.Tables, s.Affected)
	if s.Err != nil {
		out += fmt.Sprintf(" error %d", s.Err.Number)
	}
	return out
}

func lines(statements []gateway.Statement) (out []string) {
	for _, s := range statements {
		out = append(out, line(s))
	}
	return out
}

// TestRun is a migration tool's run in small: what the gateway records of it.
func TestRun(t *testing.T) {
	b := newBranch(t, nil)
	db := b.open("?multiStatements=true")
	db.SetMaxOpenConns(1)
	exec(t, db, "CREATE TABLE pets (id INT PRIMARY KEY, name VARCHAR(20))", "INSERT INTO migrations (name) VALUES ('one')")
	if _, err := db.Exec("UPDATE users SET name = ? WHERE id = ?", "Ada", 1); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "INSERT INTO pets VALUES (1, 'a'), (2, 'b'); -- and\n UPDATE pets SET name = 'c;'; DELETE FROM pets WHERE id = 1; SELECT * FROM pets")
	if _, err := db.Exec("INSERT INTO pets VALUES (3, 'x'); INSERT INTO pets VALUES (3, 'y'); INSERT INTO pets VALUES (4, 'z')"); number(err) != 1062 {
		t.Error(err)
	}
	exec(t, db, "CREATE TEMPORARY TABLE tmp (id INT)", "INSERT INTO tmp VALUES (1)", "DROP TABLE tmp",
		"SET @s = CONCAT('INSERT INTO ', 'pets VALUES (9, NULL)')", "PREPARE s FROM @s", "EXECUTE s", "DEALLOCATE PREPARE s",
		"CREATE TABLE copies AS SELECT * FROM pets")
	if _, err := db.Exec("DROP TABLE nothing"); number(err) != 1051 {
		t.Error(err)
	}
	if _, err := db.Exec("SELEKT ?", 1); number(err) != 1064 {
		t.Error(err)
	}
	want := []string{
		"CREATE TABLE pets (id INT PRIMARY KEY, name VARCHAR(20)) ddl [pets] +0",
		"INSERT INTO migrations (name) VALUES ('one') history [migrations] +1",
		"UPDATE users SET name = ? WHERE id = ? data [users] +0",
		"INSERT INTO pets VALUES (1, 'a'), (2, 'b') data [pets] +2",
		" -- and\n UPDATE pets SET name = 'c;' data [pets] +2",
		" DELETE FROM pets WHERE id = 1 data [pets] +1",
		" SELECT * FROM pets read [pets] +0",
		"INSERT INTO pets VALUES (3, 'x') data [pets] +1",
		" INSERT INTO pets VALUES (3, 'y') data [pets] +0 error 1062",
		"CREATE TEMPORARY TABLE tmp (id INT) session [tmp] +0",
		"INSERT INTO tmp VALUES (1) session [tmp] +1",
		"DROP TABLE tmp session [tmp] +0",
		"SET @s = CONCAT('INSERT INTO ', 'pets VALUES (9, NULL)') session [] +0",
		"PREPARE s FROM @s session [] +0",
		"EXECUTE s data [] +1",
		"DEALLOCATE PREPARE s session [] +0",
		"CREATE TABLE copies AS SELECT * FROM pets data [copies] +3",
		"DROP TABLE nothing ddl [nothing] +0 error 1051",
		"SELEKT ? other [] +0 error 1064",
	}
	if diff := cmp.Diff(want, lines(b.statements())); diff != "" {
		t.Error(diff)
	}
	r := b.Report()
	if r.Connections != 1 || r.Statements != len(want) || r.FailedLogins+r.FailedTLS+r.FailedBackend+r.Unlisted != 0 {
		t.Errorf("report %+v", r)
	}
	if diff := cmp.Diff([]string{want[0], want[16]}, lines(r.DDL)); diff != "" {
		t.Errorf("ddl: %s", diff)
	}
	if diff := cmp.Diff([]string{want[2], want[3], want[4], want[5], want[7], want[14], want[16]}, lines(r.DataChanges)); diff != "" {
		t.Errorf("data changes: %s", diff)
	}
}

func TestEndpoint(t *testing.T) {
	b := newBranch(t, nil)
	e := b.Endpoint()
	u, err := url.Parse(e.URL())
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := u.User.Password()
	if u.Scheme != "mysql" || u.Path != "/"+b.name || u.User.Username() != e.User || secret != e.Password || u.Host != fmt.Sprintf("127.0.0.1:%d", e.Port) {
		t.Errorf("url %s", e.URL())
	}
	if u.User.String() != e.User+":"+e.Password {
		t.Errorf("the password changes in a URL: %s", u.User)
	}
	if want := fmt.Sprintf("jdbc:mysql://127.0.0.1:%d/%s?password=%s&user=%s", e.Port, b.name, e.Password, e.User); e.JDBCURL() != want {
		t.Errorf("jdbc %s, want %s", e.JDBCURL(), want)
	}
	if other := newBranch(t, nil).Endpoint(); other.Password == e.Password || other.User == e.User || string(other.CA) == string(e.CA) {
		t.Error("two runs share secrets")
	}
}

func TestTLS(t *testing.T) {
	b := newBranch(t, nil)
	e := b.Endpoint()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(e.CA) {
		t.Fatal("no authority")
	}
	connect := func(host string, config *tls.Config) error {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName, c.TLS = e.User, e.Password, "tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(e.Port)), b.name, config
		config.ServerName = host
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		return db.Ping()
	}
	for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
		if err := connect(host, &tls.Config{RootCAs: pool}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := b.Report().FailedTLS; n != 0 {
		t.Errorf("%d failures", n)
	}
	if err := connect("db.example.com", &tls.Config{RootCAs: pool}); err == nil {
		t.Error("the certificate is good for any host")
	}
	if err := connect("127.0.0.1", &tls.Config{}); err == nil {
		t.Error("the system trusts the gateway")
	}
	// How Node's clients refuse: after the handshake, by hanging up.
	if err := connect("127.0.0.1", &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12, VerifyConnection: func(tls.ConnectionState) error { return net.ErrClosed }}); err == nil {
		t.Error("a client that refuses is connected")
	}
	wait(t, func() bool { return b.Report().FailedTLS == 3 })
	if err := b.open("?tls=skip-verify").Ping(); err != nil {
		t.Error(err)
	}
}

func TestOnlyItsOwnUser(t *testing.T) {
	b := newBranch(t, nil)
	e := b.Endpoint()
	for _, wrong := range []gateway.Endpoint{
		{Host: e.Host, Port: e.Port, User: e.User, Password: "x", Database: b.name},
		{Host: e.Host, Port: e.Port, User: "root", Password: e.Password, Database: b.name},
		{Host: e.Host, Port: e.Port, User: e.User, Database: b.name},
	} {
		if err := open(t, wrong.DSN()).Ping(); number(err) != 1045 {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if r := b.Report(); r.FailedLogins != 3 || r.Connections != 0 {
		t.Errorf("%+v", r)
	}
}

func TestUnreachableBranch(t *testing.T) {
	b := newBranch(t, func(o *gateway.Options) {
		o.Backend.Dial = func(context.Context) (net.Conn, error) { return nil, fmt.Errorf("branch is missing or sleeping") }
	})
	if err := b.open("").Ping(); number(err) != 2003 || !strings.Contains(err.Error(), "missing or sleeping") {
		t.Error(err)
	}
	if r := b.Report(); r.FailedBackend != 1 {
		t.Errorf("%+v", r)
	}
}

func TestRefuse(t *testing.T) {
	b := newBranch(t, func(o *gateway.Options) { o.Refuse = []gateway.Class{gateway.DDL} })
	db := b.open("?multiStatements=true")
	db.SetMaxOpenConns(1)
	exec(t, db, "INSERT INTO users (name) VALUES ('a')", "CREATE TEMPORARY TABLE tmp (id INT); INSERT INTO tmp VALUES (1); ALTER TABLE tmp ADD x INT")
	for _, q := range []string{"CREATE TABLE x (id INT)", "SELECT 1; DROP TABLE users", "CREATE TABLE x AS SELECT 1 AS id", "SET @a = 'DROP TABLE users'; EXECUTE IMMEDIATE @a"} {
		if _, err := db.Exec(q); number(err) != 1105 {
			t.Errorf("%s: %v", q, err)
		}
		if _, err := db.Prepare(q); number(err) != 1105 {
			t.Errorf("prepare %s: %v", q, err)
		}
	}
	var n int
	if err := b.direct.QueryRow("SELECT COUNT(*) FROM users").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
	seen := b.statements()
	if last := seen[len(seen)-1]; last.Err == nil || last.Err.Number != 1105 {
		t.Errorf("a refusal is not recorded: %s", line(last))
	}
}

func TestRecordNeverOverlaps(t *testing.T) {
	inside := 0
	b := newBranch(t, func(o *gateway.Options) {
		o.Record = func(gateway.Statement) { inside++ } // the race detector watches
	})
	db := b.open("")
	done := make(chan error)
	for range 8 {
		go func() {
			for range 50 {
				if _, err := db.Exec("DO 1"); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	b.Close()
	if inside != 400 || b.Report().Statements != 400 {
		t.Errorf("%d recorded, %d counted", inside, b.Report().Statements)
	}
}

func TestClosesWithContext(t *testing.T) {
	startServer(t)
	ctx, cancel := context.WithCancel(context.Background())
	g, err := gateway.Start(ctx, gateway.Options{Backend: mysqlproxy.Backend{Dial: server.Dial, User: "root"}, Database: "mysql"})
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, g.Endpoint().DSN())
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	cancel()
	wait(t, func() bool { return db.Ping() != nil })
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
