package planetscale_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pmig/pmig/planetscale"
)

const notFound = `{"code":"not_found","message":"Not Found"}`

// What was made within the last minute is asked for again when it is said to
// be absent; what was made earlier, or deleted since, is absent.
func TestJustMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		misses := 0
		p := &platform{answer: func(n int, r *http.Request, body string) (*http.Response, error) {
			switch {
			case r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/branches"):
				return answer(201, `{"id":"b1","name":"work-1"}`)
			case r.Method == "DELETE":
				return answer(204, "")
			case misses > 0:
				misses--
				return answer(404, notFound)
			}
			return answer(200, `{"id":"b1","name":"work-1"}`)
		}}
		d := shop(t, p)
		if _, err := d.CreateBranch(background, planetscale.NewBranch{Name: "work-1"}); err != nil {
			t.Fatal(err)
		}
		misses = 3
		if _, err := d.Branch(background, "work-1"); err != nil {
			t.Errorf("just made: %v", err)
		}
		misses = 1
		if _, err := d.Branch(background, "work-10"); !planetscale.IsNotFound(err) {
			t.Errorf("another branch: %v", err)
		}
		if err := d.DeleteBranch(background, "work-1"); err != nil {
			t.Fatal(err)
		}
		misses = 1
		if _, err := d.Branch(background, "work-1"); !planetscale.IsNotFound(err) {
			t.Errorf("deleted: %v", err)
		}
		if _, err := d.CreateBranch(background, planetscale.NewBranch{Name: "work-1"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(61 * time.Second)
		misses = 1
		if _, err := d.Branch(background, "work-1"); !planetscale.IsNotFound(err) {
			t.Errorf("made a minute ago: %v", err)
		}
	})
}

// A 404 to a deletion is believed only where the list does not have the thing.
func TestRemoved404(t *testing.T) {
	branch, password := `{"id":"b1","name":"work-1"}`, `{"id":"p1","name":"pmig"}`
	for _, c := range []struct {
		name                string
		branches, passwords string // answers to the lists; "" is 404
		delete              func(*planetscale.DB) error
		want                planetscale.Kind
	}{
		{"branch gone", page("null"), "", func(d *planetscale.DB) error { return d.DeleteBranch(background, "work-1") }, planetscale.KindNotFound},
		{"branch still there", page("null", branch), "", func(d *planetscale.DB) error { return d.DeleteBranch(background, "work-1") }, planetscale.KindForbidden},
		{"password gone", page("null", branch), page("null"), func(d *planetscale.DB) error { return d.DeletePassword(background, "work-1", "p1") }, planetscale.KindNotFound},
		{"password still there", page("null", branch), page("null", password), func(d *planetscale.DB) error { return d.DeletePassword(background, "work-1", "p1") }, planetscale.KindForbidden},
		{"password gone with its branch", page("null"), "", func(d *planetscale.DB) error { return d.DeletePassword(background, "work-1", "p1") }, planetscale.KindNotFound},
		{"passwords not to be seen", page("null", branch), "", func(d *planetscale.DB) error { return d.DeletePassword(background, "work-1", "p1") }, planetscale.KindForbidden},
		{"no list to be had", `{`, "", func(d *planetscale.DB) error { return d.DeleteBranch(background, "work-1") }, planetscale.KindMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := shop(t, &platform{answer: func(n int, r *http.Request, body string) (*http.Response, error) {
				list := ""
				switch {
				case r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/branches"):
					list = c.branches
				case r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/passwords"):
					list = c.passwords
				}
				if list == "" {
					return answer(404, notFound)
				}
				return answer(200, list)
			}})
			err := c.delete(d)
			if got := planetscale.KindOf(err); got != c.want {
				t.Errorf("%v is %q, want %q", err, got, c.want)
			}
			if e := as(t, err); c.want == planetscale.KindForbidden && !strings.Contains(e.Hint(), "delete_branch") {
				t.Errorf("hint %q names no permission", e.Hint())
			}
		})
	}
}
