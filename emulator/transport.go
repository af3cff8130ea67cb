package emulator

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Transport serves requests in this process, without a socket, to whatever
// host they go: for tests, and for a clock that stands still while nobody has
// anything to do (testing/synctest).
func (e *Emulator) Transport() http.RoundTripper { return transport{e} }

type transport struct{ e *Emulator }

// errDropped is what a client sees of a connection that was dropped.
var errDropped = fmt.Errorf("connection dropped: %w", io.ErrUnexpectedEOF)

// recorder keeps an answer.
type recorder struct {
	header http.Header
	sent   http.Header // the header as it was when the status went out
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

type reply struct {
	rec     *recorder
	dropped bool
	crash   any
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body io.ReadCloser = http.NoBody
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		body = io.NopCloser(bytes.NewReader(b))
	}
	in := r.Clone(r.Context())
	in.Body = body
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	done := make(chan reply, 1)
	go func() {
		rep := reply{rec: &recorder{header: http.Header{}}}
		defer func() {
			if p := recover(); p != nil {
				rep.dropped = true
				if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					rep.crash = p
				}
			}
			done <- rep
		}()
		t.e.ServeHTTP(rep.rec, in)
	}()
	select {
	case rep := <-done:
		switch {
		case rep.crash != nil:
			panic(rep.crash)
		case !rep.dropped:
			return answered(r, rep.rec, nil), nil
		case rep.rec.body.Len() > 0:
			return answered(r, rep.rec, errDropped), nil // cut in the middle
		}
		return nil, errDropped
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// answered is the response that was recorded; its body ends in an error if the
// connection was dropped.
func answered(r *http.Request, rec *recorder, end error) *http.Response {
	rec.WriteHeader(http.StatusOK)
	res := &http.Response{Status: fmt.Sprintf("%d %s", rec.status, http.StatusText(rec.status)), StatusCode: rec.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: rec.sent, Request: r,
		ContentLength: int64(rec.body.Len()), Body: io.NopCloser(&rec.body)}
	if end != nil {
		res.Body = io.NopCloser(io.MultiReader(&rec.body, failing{end}))
		res.ContentLength = -1
	}
	return res
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
