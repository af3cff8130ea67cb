package planetscale_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pmig/pmig/planetscale"
)

// script answers the n-th request with the n-th of steps, the last for good.
func script(steps ...func() (*http.Response, error)) *platform {
	return &platform{answer: func(n int, _ *http.Request, _ string) (*http.Response, error) {
		return steps[min(n, len(steps))-1]()
	}}
}

func gives(status int, body string, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return answer(status, body, headers...) }
}

func breaks(err error) func() (*http.Response, error) {
	return func() (*http.Response, error) { return nil, err }
}

// cut answers with a body that ends before its length.
func cut(status int, body string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		r, err := answer(status, body)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(body[:len(body)/2]), failing{}))
		return r, err
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

const limited = `{"code":"too_many_requests","message":"Slow down"}`

func TestRetries(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	read := func(d *planetscale.DB) error { return second(d.Branch(background, "dev")) }
	write := func(d *planetscale.DB) error {
		return second(d.CreateBranch(background, planetscale.NewBranch{Name: "dev"}))
	}
	good := gives(200, `{"id":"b1","name":"dev"}`)
	tests := []struct {
		name     string
		do       func(*planetscale.DB) error
		steps    []func() (*http.Response, error)
		requests int
		least    time.Duration
		most     time.Duration
		kind     planetscale.Kind
		lost     bool
	}{
		{"well", read, steps(good), 1, 0, 0, "", false},
		{"read after 500", read, steps(gives(500, "{}"), good), 2, 800 * time.Millisecond, 1200 * time.Millisecond, "", false},
		{"read after pages of 502", read, steps(gives(502, page502), gives(503, "overloaded"), good), 3, 2400 * time.Millisecond, 3600 * time.Millisecond, "", false},
		{"read after no answer", read, steps(breaks(dial), good), 2, 800 * time.Millisecond, 1200 * time.Millisecond, "", false},
		{"read after half an answer", read, steps(cut(200, `{"id":"b1","name":"dev"}`), good), 2, 800 * time.Millisecond, 1200 * time.Millisecond, "", false},
		{"read of a broken platform", read, steps(gives(500, "{}")), 6, 24 * time.Second, 36 * time.Second, planetscale.KindServer, true},
		{"read of what is not implemented", read, steps(gives(501, "{}")), 1, 0, 0, planetscale.KindServer, true},
		{"read of what is not there", read, steps(gives(404, `{"code":"not_found"}`), good), 1, 0, 0, planetscale.KindNotFound, false},
		{"read of nonsense", read, steps(gives(200, "<html>"), good), 1, 0, 0, planetscale.KindMalformed, true},
		{"read after 429", read, steps(gives(429, limited), good), 2, 800 * time.Millisecond, 1200 * time.Millisecond, "", false},
		{"read after 429 with seconds", read, steps(gives(429, limited, "Retry-After", "20"), good), 2, 20 * time.Second, 20 * time.Second, "", false},
		{"read after 429 with a date", read, steps(gives(429, limited,
			"Date", "Fri, 02 Jan 2026 03:04:05 GMT", "Retry-After", "Fri, 02 Jan 2026 03:04:35 GMT"), good), 2, 30 * time.Second, 30 * time.Second, "", false},
		{"read after 503 with seconds", read, steps(gives(503, "{}", "Retry-After", "7"), good), 2, 7 * time.Second, 7 * time.Second, "", false},
		{"read after 429 with nonsense", read, steps(gives(429, limited, "Retry-After", "soon"), good), 2, 800 * time.Millisecond, 1200 * time.Millisecond, "", false},
		{"read that would wait an hour", read, steps(gives(429, limited, "Retry-After", "3600"), good), 1, 0, 0, planetscale.KindRateLimited, false},
		{"always 429", read, steps(gives(429, limited, "Retry-After", "1")), 6, 5 * time.Second, 5 * time.Second, planetscale.KindRateLimited, false},
		{"write after 429", write, steps(gives(429, limited, "Retry-After", "3"), gives(201, `{"id":"b1","name":"dev"}`)), 2, 3 * time.Second, 3 * time.Second, "", false},
		{"write after a page of 429", write, steps(gives(429, "<html>slow down"), gives(201, `{"id":"b1","name":"dev"}`)), 2, 800 * time.Millisecond, 1200 * time.Millisecond, "", false},
		{"write after 500", write, steps(gives(500, "{}")), 1, 0, 0, planetscale.KindServer, true},
		{"write after 503 with seconds", write, steps(gives(503, "{}", "Retry-After", "1")), 1, 0, 0, planetscale.KindServer, true},
		{"write without answer", write, steps(breaks(io.ErrUnexpectedEOF)), 1, 0, 0, planetscale.KindNetwork, true},
		{"write with half an answer", write, steps(cut(201, `{"id":"b1","name":"dev"}`)), 1, 0, 0, planetscale.KindNetwork, true},
		{"write that was not sent", write, steps(breaks(dial)), 1, 0, 0, planetscale.KindNetwork, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := script(tt.steps...)
				var attempts []int
				began := time.Now()
				err := tt.do(shop(t, p, func(o *planetscale.Options) {
					o.Notify = func(c planetscale.Call) { attempts = append(attempts, c.Attempt) }
				}))
				took := time.Since(began)
				if planetscale.KindOf(err) != tt.kind || (err == nil) != (tt.kind == "") {
					t.Errorf("error %v", err)
				}
				if planetscale.IsLost(err) != tt.lost {
					t.Errorf("lost %v: %v", !tt.lost, err)
				}
				if len(p.seen) != tt.requests {
					t.Errorf("%d requests, want %d", len(p.seen), tt.requests)
				}
				if took < tt.least || took > tt.most {
					t.Errorf("took %s, want %s to %s", took, tt.least, tt.most)
				}
				for i, n := range attempts {
					if n != i+1 {
						t.Errorf("attempts %v", attempts)
					}
				}
			})
		})
	}
}

func steps(s ...func() (*http.Response, error)) []func() (*http.Response, error) { return s }

func TestRetryAfterIsTold(t *testing.T) {
	err := second(shop(t, always(429, limited, "Retry-After", "3600")).Get(background))
	if e := as(t, err); e.RetryAfter != time.Hour || !strings.Contains(e.Hint(), "1h0m0s") {
		t.Errorf("%s, %q", e.RetryAfter, e.Hint())
	}
}

// TestContextEndsTheWait: a wait between attempts ends with the context and
// says what was waited for.
func TestContextEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(background, 5*time.Second)
		defer cancel()
		began := time.Now()
		err := second(shop(t, always(429, limited, "Retry-After", "60")).CreateBranch(ctx, planetscale.NewBranch{Name: "dev"}))
		if !errors.Is(err, context.DeadlineExceeded) || planetscale.KindOf(err) != planetscale.KindCanceled || planetscale.IsLost(err) {
			t.Errorf("%v", err)
		}
		if !strings.Contains(err.Error(), "429") || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// TestNoAnswer: an attempt that hangs is given up; a read is made again, a
// write is lost.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &platform{answer: func(_ int, r *http.Request, _ string) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		began := time.Now()
		err := shop(t, hang).DeleteBranch(background, "dev")
		if e := as(t, err); e.Kind != planetscale.KindNetwork || !planetscale.IsLost(err) || !strings.Contains(err.Error(), "no answer within 1m0s") || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("write took %s", took)
		}
		began = time.Now()
		err = second(shop(t, hang).Get(background))
		if took := time.Since(began); planetscale.KindOf(err) != planetscale.KindNetwork || took > 3*time.Minute || took < time.Minute {
			t.Errorf("%v after %s", err, took)
		}
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		if err := shop(t, hang).DeleteBranch(ctx, "dev"); !errors.Is(err, context.DeadlineExceeded) || !planetscale.IsLost(err) {
			t.Errorf("%v", err)
		}
	})
}

// TestBudget: 120 a minute are 60 at once and then one in half a second; a
// client without budget does not wait.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, always(200, sample(t, "database")), func(o *planetscale.Options) { o.PerMinute = 0 })
		began := time.Now()
		for range 60 + 120 {
			if _, err := c.DB("acme", "shop").Get(background); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began).Round(time.Second); took != time.Minute {
			t.Errorf("180 calls took %s", took)
		}
		free := c.Unbudgeted().DB("acme", "shop")
		began = time.Now()
		for range 100 {
			if _, err := free.Get(background); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("without budget: %s", took)
		}
		// A call whose turn comes after its deadline is not waited for.
		ctx, cancel := context.WithTimeout(background, time.Millisecond)
		defer cancel()
		err := second(c.DB("acme", "shop").Get(ctx))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 0 || planetscale.IsLost(err) {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// TestPause: one answer of 429 holds back the other calls too, but no renewal.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, script(gives(429, limited, "Retry-After", "20"), gives(200, sample(t, "database"))))
		began := time.Now()
		done := make(chan time.Duration)
		go func() {
			_, _ = c.DB("acme", "shop").Get(background)
			done <- time.Since(began)
		}()
		synctest.Wait()
		if _, err := c.DB("acme", "shop").Unbudgeted().Get(background); err != nil || time.Since(began) != 0 {
			t.Errorf("renewal: %v after %s", err, time.Since(began))
		}
		if _, err := c.DB("acme", "shop").Get(background); err != nil || time.Since(began) != 20*time.Second {
			t.Errorf("other: %v after %s", err, time.Since(began))
		}
		if took := <-done; took != 20*time.Second {
			t.Errorf("the one that was told: %s", took)
		}
		// Who stops waiting is let go.
		c = client(t, script(gives(429, limited, "Retry-After", "40"), gives(200, sample(t, "database"))))
		ctx, cancel := context.WithTimeout(background, time.Second)
		defer cancel()
		_, _ = c.DB("acme", "shop").Get(ctx)
		ctx, cancel = context.WithTimeout(background, time.Second)
		defer cancel()
		if err := second(c.DB("acme", "shop").Get(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The machine's own clock is wrong by years.
		c := client(t, script(
			gives(404, `{"code":"not_found"}`, "Date", "Fri, 02 Jan 2026 03:04:05 GMT"),
			gives(200, sample(t, "database"), "Date", "Thu, 01 Jan 2026 00:00:00 GMT", "Age", "9000"),
			gives(200, sample(t, "database"), "Date", "nonsense"),
			gives(200, sample(t, "database"), "Date", "Fri, 02 Jan 2026 04:00:00 GMT")))
		if now, known := c.Now(); known || !now.IsZero() {
			t.Errorf("before any answer: %v", now)
		}
		for _, want := range []string{"03:04:15", "03:04:25", "03:04:35", "04:00:10"} {
			_, _ = c.Unbudgeted().DB("acme", "shop").Get(background)
			time.Sleep(10 * time.Second)
			if now, known := c.Now(); !known || now.Format("2006-01-02 15:04:05") != "2026-01-02 "+want {
				t.Errorf("now %v, want %s", now, want)
			}
		}
	})
}

func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{answer: func(n int, _ *http.Request, _ string) (*http.Response, error) {
			time.Sleep(time.Duration(n) * time.Second)
			switch n {
			case 1:
				return nil, io.ErrUnexpectedEOF
			case 2:
				return answer(500, "{}")
			}
			return answer(200, sample(t, "branch"))
		}}
		var calls []planetscale.Call
		d := shop(t, p, func(o *planetscale.Options) { o.Notify = func(c planetscale.Call) { calls = append(calls, c) } })
		if _, err := d.Branch(background, "dev"); err != nil {
			t.Fatal(err)
		}
		const path = "/v1/organizations/acme/databases/shop/branches/dev"
		want := []planetscale.Call{
			{Method: "GET", Path: path, Status: 0, Duration: time.Second, Attempt: 1, Failure: planetscale.KindNetwork},
			{Method: "GET", Path: path, Status: 500, Duration: 2 * time.Second, Attempt: 2, Failure: planetscale.KindServer},
			{Method: "GET", Path: path, Status: 200, Duration: 3 * time.Second, Attempt: 3},
		}
		if diff := cmp.Diff(want, calls); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if text := fmt.Sprintf("%+v", calls); strings.Contains(text, "SecretOf") {
			t.Error(text)
		}
	})
}

// TestTooLong: an answer without end is not read to it.
func TestTooLong(t *testing.T) {
	read := int64(0)
	p := &platform{answer: func(int, *http.Request, string) (*http.Response, error) {
		r, err := answer(200, "")
		r.ContentLength = -1
		r.Body = io.NopCloser(endless{&read})
		return r, err
	}}
	err := second(shop(t, p).Get(background))
	if e := as(t, err); e.Kind != planetscale.KindMalformed || e.Status != 200 || !strings.Contains(err.Error(), "32 MiB") || len(p.seen) != 1 {
		t.Errorf("%v", err)
	}
	if read > 40<<20 {
		t.Errorf("%d bytes read", read)
	}
}

type endless struct{ read *int64 }

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	*e.read += int64(len(b))
	return len(b), nil
}
