package planetscale

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// readTimeout and writeTimeout bound one attempt. A write that is given up
	// may have been carried out, so it gets longer.
	readTimeout  = 30 * time.Second
	writeTimeout = time.Minute
	// longestAnswer bounds what is read of an answer, in bytes. A page of a
	// hundred deploy requests with their operations can take some megabytes.
	longestAnswer = 32 << 20
	// longestChain is how many redirects are followed, as the official client.
	longestChain = 10
)

// request is one call as it is sent, whatever the number of attempts.
type request struct {
	operation
	path  string // escaped, beginning with a slash
	query url.Values
	body  []byte // nil: none
}

// call makes a call and decodes its answer into out, if out is not nil.
// An answer without body leaves out alone.
func (c *Client) call(ctx context.Context, op operation, segments []string, query url.Values, in, out any) error {
	path, ok := joinPath(segments)
	if !ok {
		return &Error{Kind: KindInvalid, Message: "a name in the call is empty or a dot", Method: op.method, unsent: true}
	}
	r := request{operation: op, path: path, query: query}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return &Error{Kind: KindInvalid, Message: "the request can't be written", Method: op.method, Path: path, Err: err, unsent: true}
		}
		r.body = body
	}
	body, err := c.retry(ctx, r)
	if err != nil {
		return err
	}
	body = bytes.TrimSpace(body)
	if out == nil || len(body) == 0 {
		return nil
	}
	if !json.Valid(body) {
		message := "the answer is not JSON"
		// Broken JSON is not shown: it may be the one answer that has a password.
		if body[0] != '{' && body[0] != '[' {
			message += ": " + excerpt(c.scrub(string(body)))
		}
		return r.malformed(op.success(), message)
	}
	if err := decode(body, out); err != nil {
		return r.malformed(op.success(), "the answer can't be understood: "+clean(c.scrub(err.Error())))
	}
	return nil
}

// malformed is the error of an answer that came but says nothing usable.
func (r request) malformed(status int, message string) *Error {
	return &Error{Kind: KindMalformed, Status: status, Message: message, Method: r.method, Path: r.path, Permission: r.permission, subject: r.subject}
}

// attempt sends the request once and returns the body of a success.
func (c *Client) attempt(ctx context.Context, r request, n int) ([]byte, *Error) {
	if err := c.budget.wait(ctx); err != nil {
		return nil, c.stopped(ctx, r, err, true)
	}
	timeout := writeTimeout
	if r.read() {
		timeout = readTimeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, timeout, errors.New("no answer within "+timeout.String()))
	defer cancel()
	address := c.base.String() + r.path[1:] // the base ends in the slash
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	for range longestChain + 1 {
		began := time.Now()
		status, header, body, err := c.send(limited, r, address)
		took := time.Since(began)
		var failed *Error
		var next string
		switch {
		case err != nil && ctx.Err() != nil:
			failed = c.stopped(ctx, r, context.Cause(ctx), false)
		case err != nil && status != 0 && errors.Is(err, errTooLong):
			failed = r.malformed(status, err.Error())
		case err != nil:
			failed = c.unreached(r, limited, err)
		case status >= 300 && status < 400:
			next, failed = c.follow(r, address, status, header)
		case status >= 400 || status < 200:
			failed = classify(r.operation, status, body, c.scrub)
			failed.Method, failed.Path = r.method, r.path
			failed.RetryAfter = retryAfter(header)
		}
		event := Call{Method: r.method, Path: r.path, Status: status, Duration: took, Attempt: n}
		if failed != nil {
			event.Failure = failed.Kind
		}
		c.notify(event)
		if failed != nil || next == "" {
			return body, failed
		}
		address = next
	}
	return nil, r.malformed(http.StatusFound, "redirected too often")
}

var errTooLong = errors.New("the answer is longer than 32 MiB")

// send makes one HTTP exchange and reads the answer to its end.
func (c *Client) send(ctx context.Context, r request, address string) (int, http.Header, []byte, error) {
	var content io.Reader
	if r.body != nil {
		content = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, content)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Authorization", c.authorization())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.userAgent)
	if !r.read() {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	c.clock.set(resp.Header)
	body, err := io.ReadAll(io.LimitReader(resp.Body, longestAnswer+1))
	if err == nil && len(body) > longestAnswer {
		err = errTooLong
	}
	return resp.StatusCode, resp.Header, body, err
}
