package planetscale_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pmig/pmig/planetscale"
)

const (
	tokenID = "abcdef123456"
	token   = "pscale_tkn_ThisIsTheSecretOfTheServiceToken0123456789"
)

// platform plays the API in process: answer gets the number of the request,
// from 1, and the request with its body already read.
type platform struct {
	answer func(n int, r *http.Request, body string) (*http.Response, error)

	mu   sync.Mutex
	seen []exchange
}

type exchange struct {
	method, uri, body string
	header            http.Header
}

func (p *platform) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	p.mu.Lock()
	p.seen = append(p.seen, exchange{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
	n := len(p.seen)
	p.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return p.answer(n, r, string(body))
}

// answer makes a response; headers come in pairs.
func answer(status int, body string, headers ...string) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader([]byte(body))), ContentLength: int64(len(body)),
	}, nil
}

// always answers every request alike.
func always(status int, body string, headers ...string) *platform {
	return &platform{answer: func(int, *http.Request, string) (*http.Response, error) {
		return answer(status, body, headers...)
	}}
}

// client talks to p; change may set more options.
func client(t testing.TB, p http.RoundTripper, change ...func(*planetscale.Options)) *planetscale.Client {
	t.Helper()
	o := planetscale.Options{TokenID: tokenID, Token: token, UserAgent: "pmig/test", Transport: p, PerMinute: 60_000}
	for _, f := range change {
		f(&o)
	}
	c, err := planetscale.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func shop(t testing.TB, p http.RoundTripper, change ...func(*planetscale.Options)) *planetscale.DB {
	return client(t, p, change...).DB("acme", "shop")
}

func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func page(next string, items ...string) string {
	return fmt.Sprintf(`{"type":"list","current_page":1,"per_page":100,"next_page":%s,"next_page_url":null,"prev_page":null,"data":[%s]}`,
		next, join(items))
}

func itoa(n int) string { return fmt.Sprint(n) }

func join(items []string) string {
	var b bytes.Buffer
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(item)
	}
	return b.String()
}

// as returns the *Error in err's chain.
func as(t testing.TB, err error) *planetscale.Error {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	e, ok := err.(*planetscale.Error)
	if !ok {
		t.Fatalf("error is %T: %v", err, err)
	}
	return e
}

var background = context.Background()
