package planetscale

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Kind says what a caller can do about an Error.
type Kind string

// The kinds of errors.
const (
	// KindNotFound: absent, or the service token lacks the permission: the
	// platform answers 404 for both. Only a list of the same kind, read
	// completely and without the item, tells them apart.
	KindNotFound Kind = "not found"
	// KindUnauthorized: no service token, or a wrong one.
	KindUnauthorized Kind = "unauthorized"
	// KindForbidden: the object is known, but this may not be done to it.
	KindForbidden Kind = "forbidden"
	// KindInvalid: a parameter is missing or wrong; also a name or an address
	// that was refused before anything was sent.
	KindInvalid Kind = "invalid"
	// KindRefused: the object is in a state in which this can't be done.
	KindRefused Kind = "refused"
	// KindValidating: deploy refused because the platform still checks the
	// changes, though the request says ready; the same call works in a moment.
	KindValidating Kind = "validating"
	// KindDeploying: delete of a branch refused because a deploy involves it,
	// or did a minute ago.
	KindDeploying Kind = "deploying"
	// KindNeedsApproval: deploy refused because nobody has approved.
	KindNeedsApproval Kind = "needs approval"
	// KindConflict: the name is taken.
	KindConflict Kind = "conflict"
	// KindRateLimited: 429; not carried out.
	KindRateLimited Kind = "rate limited"
	// KindServer: a fault of the platform; a write may have been carried out.
	KindServer Kind = "server"
	// KindMalformed: an answer that can't be understood, such as a proxy's
	// page; a write may have been carried out.
	KindMalformed Kind = "malformed"
	// KindNetwork: no answer, or half of one; a write may have been carried out.
	KindNetwork Kind = "network"
	// KindCanceled: the context ended; a write may have been carried out.
	KindCanceled Kind = "canceled"
)

// An Error is a call that did not succeed.
type Error struct {
	Kind Kind
	// Status is the HTTP status; 0 if there was no answer.
	Status int
	// Code and Message are the platform's own words; of an answer that is not
	// JSON Message is the beginning. Secrets are taken out.
	Code, Message string
	// Method and Path of the request; "" if none was made.
	Method, Path string
	// Permission that the call needs, as the platform spells it; "" if none is
	// known. Several that serve as well are separated by " or ".
	Permission string
	// RetryAfter is how long the platform asked to wait; 0 if it did not.
	RetryAfter time.Duration
	// Err is the cause below, if there is one: a network error, or the
	// context's.
	Err error

	subject string // what the call is about, for the hint
	hint    string // takes the place of the kind's own hint
	unsent  bool   // the platform has not seen the request
}

// Error returns "METHOD path: status code: message".
func (e *Error) Error() string {
	var parts []string
	if e.Method != "" {
		parts = append(parts, e.Method+" "+e.Path)
	}
	if e.Status != 0 {
		parts = append(parts, strings.TrimSpace(strconv.Itoa(e.Status)+" "+e.Code))
	}
	message := strings.TrimRight(e.Message, ". ")
	if message == "" && e.Err != nil {
		message = e.Err.Error()
	}
	if message == "" {
		message = strings.ToLower(http.StatusText(e.Status))
	}
	if message == "" {
		message = string(e.Kind)
	}
	return strings.Join(append(parts, message), ": ")
}

// Unwrap returns the cause below.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the *Error in err's chain; "" if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// IsNotFound reports whether err is a 404: absent, or not visible to the token.
func IsNotFound(err error) bool { return KindOf(err) == KindNotFound }

// IsUnauthorized reports whether the service token is missing or wrong.
func IsUnauthorized(err error) bool { return KindOf(err) == KindUnauthorized }

// IsRefused reports whether the object was in the wrong state for the call, in
// any of the ways that have a kind: refused, validating, deploying, needs
// approval.
func IsRefused(err error) bool {
	switch KindOf(err) {
	case KindRefused, KindValidating, KindDeploying, KindNeedsApproval:
		return true
	}
	return false
}

// IsValidating reports whether deploy was refused only for the moment.
func IsValidating(err error) bool { return KindOf(err) == KindValidating }

// IsDeploying reports whether a branch can't be deleted because of a deploy.
func IsDeploying(err error) bool { return KindOf(err) == KindDeploying }

// IsNeedsApproval reports whether deploy waits for a person's approval.
func IsNeedsApproval(err error) bool { return KindOf(err) == KindNeedsApproval }

// IsConflict reports whether the name is taken.
func IsConflict(err error) bool { return KindOf(err) == KindConflict }

// IsRateLimited reports whether the platform asked for fewer requests.
func IsRateLimited(err error) bool { return KindOf(err) == KindRateLimited }

// IsLost reports whether the platform may have carried out the call though
// there is no answer that says so. Who made a write must look before making it
// again.
func IsLost(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.unsent {
		return false
	}
	switch e.Kind {
	case KindServer, KindMalformed, KindNetwork, KindCanceled:
		return true
	}
	return false
}
