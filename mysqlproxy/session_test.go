package mysqlproxy_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pmig/pmig/mysqlproxy"
)

func TestManyClients(t *testing.T) {
	direct, name := database(t)
	exec(t, direct, "CREATE TABLE hits (n INT)")
	f := newFront(t, name)
	db := open(t, f.listen().dsn(name, ""))
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 10 {
				if _, err := db.Exec("INSERT INTO hits VALUES (?)", i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var n int
	if err := direct.QueryRow("SELECT COUNT(*) FROM hits").Scan(&n); err != nil || n != 400 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestBackendDropped(t *testing.T) {
	direct, name := database(t)
	f := newFront(t, name)
	f.listen()
	kill := func(t *testing.T, c *sql.Conn) {
		var id int
		if err := c.QueryRowContext(context.Background(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(100*time.Millisecond, func() { direct.Exec(fmt.Sprintf("KILL %d", id)) })
	}
	connect := func(t *testing.T) *sql.Conn {
		c, err := open(t, f.dsn(name, "")).Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("while it works", func(t *testing.T) {
		c := connect(t)
		kill(t, c)
		_, err := c.ExecContext(context.Background(), "SELECT SLEEP(20)")
		// MariaDB has a moment to say 1317 before it hangs up.
		if n := number(err); n != 2013 && n != 1317 && n != 1927 {
			t.Errorf("got %v", err)
		}
		if err := c.PingContext(context.Background()); err == nil {
			t.Error("the client's connection is still open")
		}
	})
	t.Run("while idle", func(t *testing.T) {
		db := open(t, f.dsn(name, ""))
		db.SetMaxOpenConns(1)
		id := func() (id int) {
			if err := db.QueryRow("SELECT CONNECTION_ID()").Scan(&id); err != nil {
				t.Errorf("a dead connection was not replaced: %v", err)
			}
			return id
		}
		before := id()
		exec(t, direct, fmt.Sprintf("KILL %d", before))
		time.Sleep(200 * time.Millisecond)
		if after := id(); after == before {
			t.Error("the connection lives")
		}
	})
	t.Run("inside an answer", func(t *testing.T) {
		var backend net.Conn
		f := newFront(t, name)
		f.session.Backend.Dial = func(ctx context.Context) (c net.Conn, err error) {
			backend, err = server.Dial(ctx)
			return backend, err
		}
		db := open(t, f.listen().dsn(name, ""))
		rows, err := db.Query("SELECT seq, REPEAT('x', 1000) FROM seq_1_to_1000000")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for i := 0; rows.Next(); i++ {
			if i == 10 {
				backend.Close()
			}
		}
		if rows.Err() == nil {
			t.Error("a cut answer has no error")
		}
	})
	if err := open(t, f.dsn(name, "")).Ping(); err != nil {
		t.Errorf("others are affected: %v", err)
	}
}

func TestUntil(t *testing.T) {
	_, name := database(t)
	f := newFront(t, name)
	ctx, end := context.WithCancelCause(context.Background())
	f.session.Until = ctx
	db := open(t, f.listen().dsn(name, ""))
	time.AfterFunc(100*time.Millisecond, func() { end(&mysqlproxy.Error{Number: 1317, State: "70100", Message: "held too long"}) })
	started := time.Now()
	_, err := db.Exec("DO SLEEP(10)")
	if number(err) != 1317 || !strings.Contains(err.Error(), "held too long") || time.Since(started) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(started))
	}
	wait(t, func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.done == 1 })
}

func TestCloseEndsConnections(t *testing.T) {
	_, name := database(t)
	f := newFront(t, name)
	db := open(t, f.listen().dsn(name, ""))
	failed := make(chan error)
	go func() { _, err := db.Exec("DO SLEEP(20)"); failed <- err }()
	wait(t, func() bool { return db.Stats().InUse == 1 })
	time.Sleep(50 * time.Millisecond)
	f.Close()
	if err := <-failed; err == nil {
		t.Error("the statement succeeded")
	}
}

func TestMaxRows(t *testing.T) {
	_, name := database(t)
	f := newFront(t, name)
	f.session.MaxRows = 1000
	db := open(t, f.listen().dsn(name, "?multiStatements=true"))
	db.SetMaxOpenConns(1)
	count := func(q string) (n int, err error) {
		rows, err := db.Query(q)
		if err != nil {
			return 0, err
		}
		defer rows.Close()
		for rows.Next() {
			n++
		}
		return n, rows.Err()
	}
	if n, err := count("SELECT * FROM seq_1_to_1000"); n != 1000 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	for _, q := range []string{"SELECT * FROM seq_1_to_1001", "SELECT * FROM seq_1_to_100000; SELECT 2; SELECT * FROM seq_1_to_3000"} {
		if n, err := count(q); n != 1000 || number(err) != 1317 {
			t.Errorf("%s: %d rows, %v", q, n, err)
		}
		if n, err := count("SELECT 1"); n != 1 || err != nil {
			t.Errorf("the next statement: %d rows, %v", n, err)
		}
	}
}

func TestMapDatabase(t *testing.T) {
	_, name := database(t)
	f := newFront(t, name)
	f.session.MapDatabase = func(db string) string {
		return map[string]string{"shop": name, "@primary": name, "info": "information_schema"}[db]
	}
	f.listen()
	for _, asked := range []string{"shop", "@primary", ""} {
		db := open(t, f.dsn(asked, ""))
		db.SetMaxOpenConns(1)
		for _, step := range []struct{ use, want string }{{"", name}, {"USE info", "information_schema"}, {"use `shop` ;", name}, {"USE @primary", name}} {
			if step.use != "" {
				exec(t, db, step.use)
			}
			var got string
			if err := db.QueryRow("SELECT DATABASE()").Scan(&got); err != nil || got != step.want {
				t.Errorf("asked for %q, then %q: %q, %v", asked, step.use, got, err)
			}
		}
	}
	seen := f.statements()
	if last := seen[len(seen)-1]; last.Database != "@primary" {
		t.Errorf("the database in use is %q", last.Database)
	}
}

func TestLocalInfileRefused(t *testing.T) {
	direct, name := database(t)
	exec(t, direct, "CREATE TABLE t (a TEXT)")
	db := open(t, newFront(t, name).listen().dsn(name, "?allowAllFiles=true"))
	_, err := db.Exec("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t")
	if err == nil {
		t.Error("a file of the client was loaded")
	}
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
}
