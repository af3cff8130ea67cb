package planetscale

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// mostTries and longestRetry bound one call of the client with all its
	// attempts and the waits between them.
	mostTries    = 6
	longestRetry = 2 * time.Minute
)

// retry makes attempts until one succeeds or another would not help. Only
// reads are repeated, and a write that the platform turned away with 429,
// which it did not carry out. A 404 about what was made a moment ago counts as
// not known everywhere yet.
func (c *Client) retry(ctx context.Context, r request) ([]byte, error) {
	var last *Error
	try := 0
	body, err := backoff.Retry(ctx, func() ([]byte, error) {
		try++
		body, failed := c.attempt(ctx, r, try)
		last = failed
		switch {
		case failed == nil:
			return body, nil
		case !c.again(r, failed):
			return nil, backoff.Permanent(failed)
		case failed.RetryAfter > 0:
			if failed.Kind == KindRateLimited {
				c.budget.pause(failed.RetryAfter)
			}
			return nil, &backoff.RetryAfterError{Duration: failed.RetryAfter}
		}
		return nil, failed
	},
		backoff.WithBackOff(&backoff.ExponentialBackOff{
			InitialInterval: time.Second, Multiplier: 2, MaxInterval: 15 * time.Second, RandomizationFactor: 0.2,
		}),
		backoff.WithMaxTries(mostTries),
		backoff.WithMaxElapsedTime(longestRetry),
	)
	if err == nil {
		return body, nil
	}
	if cause := context.Cause(ctx); cause != nil && last.Kind != KindCanceled && c.again(r, last) {
		// The context ended in the wait before another attempt.
		stopped := c.stopped(ctx, r, cause, last.Kind == KindRateLimited)
		stopped.Status, stopped.Code = last.Status, last.Code
		stopped.Message = "gave up trying again: " + cause.Error()
		return nil, stopped
	}
	return nil, last
}

// again reports whether another attempt may help and does no harm.
func (c *Client) again(r request, e *Error) bool {
	if e.Kind == KindRateLimited {
		return true
	}
	if !r.read() {
		return false
	}
	switch e.Kind {
	case KindNotFound:
		return c.made.recently(r.path)
	case KindServer:
		return e.Status != http.StatusNotImplemented
	case KindNetwork:
		var certificate *tls.CertificateVerificationError
		return !errors.As(e.Err, &certificate)
	}
	return false
}

// stopped is the error of a call whose context ended, or would have before
// the call's turn. It wraps the context's error and the cause both.
func (c *Client) stopped(ctx context.Context, r request, cause error, unsent bool) *Error {
	if err := ctx.Err(); err != nil && !errors.Is(cause, err) {
		cause = fmt.Errorf("%w: %w", err, cause)
	}
	return &Error{Kind: KindCanceled, Method: r.method, Path: r.path, Message: c.scrub(cause.Error()), Err: cause, unsent: unsent}
}

// unreached is the error of a call without a complete answer.
func (c *Client) unreached(r request, limited context.Context, err error) *Error {
	if cause := context.Cause(limited); cause != nil {
		err = cause
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // its text repeats method and address
	}
	e := &Error{Kind: KindNetwork, Method: r.method, Path: r.path, Message: clean(c.scrub(err.Error())), Err: err}
	var dial *net.OpError
	e.unsent = errors.As(err, &dial) && dial.Op == "dial"
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		e.unsent = true
		e.hint = "the certificate of the API's host is not trusted here: check PLANETSCALE_API_URL and the system's certificates"
	}
	return e
}

// retryAfter reads the header in both its forms; 0 if there is none. Whether
// the platform sends it is unconfirmed.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, min(time.Duration(seconds), 24*60*60)) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from := time.Now()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		from = date
	}
	return max(0, at.Sub(from))
}

// follow says where a redirect leads, if it may be followed: a read, to the
// host that the token was meant for. A write that is redirected would be sent
// on as a read.
func (c *Client) follow(r request, from string, status int, h http.Header) (string, *Error) {
	old, err := url.Parse(from)
	if err != nil {
		return "", r.malformed(status, "redirected")
	}
	to, err := old.Parse(h.Get("Location"))
	switch {
	case err != nil || h.Get("Location") == "":
		return "", r.malformed(status, "redirected to nowhere")
	case to.Scheme != old.Scheme || to.Host != old.Host || to.User != nil:
		e := r.malformed(status, "redirected to "+clean(c.scrub(to.Scheme+"://"+to.Host))+", which may not have the service token")
		e.hint = addressHint
		return "", e
	case !r.read():
		return "", r.malformed(status, "a write was redirected")
	}
	return to.String(), nil
}
