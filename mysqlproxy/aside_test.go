package mysqlproxy_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pmig/pmig/mysqlproxy"
)

// What the owner has run comes between the client's statements and disturbs none, with TLS and without.
func TestAside(t *testing.T) {
	_, name := database(t)
	for _, params := range []string{"", "?tls=skip-verify"} {
		f := newFront(t, name)
		aside := &mysqlproxy.Aside{}
		f.session.Aside = aside
		f.TLS, _ = authority(t)
		db := open(t, f.listen().dsn(name, params))
		db.SetMaxOpenConns(1)
		exec(t, db, "SET @n = 0")
		const count = 300
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range count {
				aside.Run("this is no statement")
				aside.Run("SET @n = @n + 1")
				aside.Run("SELECT * FROM seq_1_to_100")
				time.Sleep(time.Duration(i%4) * 100 * time.Microsecond)
			}
		})
		for i := range count {
			want := fmt.Sprintf("answer %d", i)
			var got string
			if err := db.QueryRow("SELECT ?", want).Scan(&got); err != nil || got != want {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
			time.Sleep(time.Duration(i%5) * 100 * time.Microsecond)
		}
		wg.Wait()
		// At once, and not with the client's next statement.
		exec(t, db, "DO RELEASE_ALL_LOCKS()")
		aside.Run("DO GET_LOCK('aside', 0)")
		direct, _ := database(t)
		wait(t, func() bool {
			var holder int
			return direct.QueryRow("SELECT COALESCE(IS_USED_LOCK('aside'), 0)").Scan(&holder) == nil && holder != 0
		})
		var n int
		if err := db.QueryRow("SELECT @n").Scan(&n); err != nil || n != count {
			t.Errorf("%d of %d were run, %v", n, count, err)
		}
		db.Close()
	}
}
