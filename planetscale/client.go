// Package planetscale is a client for the parts of the PlanetScale API that
// pmig uses, with the deploy-request state machine as one table.
//
// It owns how a call is made: the header with the service token, the request
// budget, the retries of reads, paging, tolerant decoding, and what a refusal
// means. It leaves to its callers what a sequence of calls is for: nothing in
// here waits for a state, looks again after a lost answer or cleans up.
package planetscale

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultAddress is the address of the public API.
const DefaultAddress = "https://api.planetscale.com/"

// DefaultPerMinute is the request budget of a client that does not say
// otherwise. The platform's own limit is 600 a minute, and may be one for a
// whole organization, so a process takes a fifth of it.
const DefaultPerMinute = 120

// Options say how a Client reaches the platform.
type Options struct {
	// Address of the API, without the version; "" means DefaultAddress. Plain
	// http is accepted only for a loopback host.
	Address string
	// TokenID and Token are the two halves of a service token. Both are
	// required, and are sent to the host of Address only.
	TokenID string
	Token   Secret
	// UserAgent names the caller, for example "pmig/0.1"; "" means "pmig".
	UserAgent string
	// Transport carries the requests; nil means a transport of the client's
	// own with the settings of http.DefaultTransport.
	Transport http.RoundTripper
	// PerMinute is how many requests the client may send in a minute, with
	// bursts of half of that; 0 means DefaultPerMinute.
	PerMinute int
	// Notify, if not nil, is told of every HTTP call once it has ended. Calls
	// come from any goroutine that uses the client, several at a time.
	Notify func(Call)
}

// A Call is one HTTP exchange, or one that failed to become one. It carries no
// secret.
type Call struct {
	Method string
	// Path as sent, without address and query.
	Path string
	// Status is 0 if there was no answer.
	Status int
	// Duration from sending to the last byte of the answer.
	Duration time.Duration
	// Attempt counts from 1 within one method call of the client.
	Attempt int
	// Failure is the kind of error that the call ended with; "" if it was well.
	Failure Kind
}

// A Client makes calls to one address with one service token. It is safe for
// use by several goroutines.
type Client struct {
	base      *url.URL
	http      *http.Client
	userAgent string
	// authorization returns the header's value. It is a function so that no
	// way of printing a Client can show the token.
	authorization func() string
	scrub         func(string) string
	clock         *clock
	made          *made
	budget        *budget // nil: not limited
	notify        func(Call)
}

// New returns a client. It makes no call. The error is an *Error of
// KindUnauthorized if half of the token is missing or the halves are swapped,
// of KindInvalid if the address can't be used.
func New(o Options) (*Client, error) {
	base, err := parseAddress(o.Address)
	if err != nil {
		return nil, err
	}
	id, token, err := checkToken(o.TokenID, o.Token)
	if err != nil {
		return nil, err
	}
	transport := o.Transport
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 16 // one host, several databases at a time
		transport = own
	}
	perMinute := o.PerMinute
	if perMinute <= 0 {
		perMinute = DefaultPerMinute
	}
	notify := o.Notify
	if notify == nil {
		notify = func(Call) {}
	}
	userAgent := o.UserAgent
	if userAgent == "" {
		userAgent = "pmig"
	}
	return &Client{
		base: base,
		http: &http.Client{
			Transport: transport,
			// Redirects are followed by the client itself, which looks where they go.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		userAgent:     userAgent,
		authorization: func() string { return id + ":" + token },
		scrub:         scrubber(token),
		clock:         &clock{},
		made:          &made{},
		budget:        newBudget(perMinute),
		notify:        notify,
	}, nil
}

// Address returns the API address in one spelling, with a trailing slash.
func (c *Client) Address() string { return c.base.String() }

// Now returns the platform's time: the Date header of the latest answer plus
// what has passed since. It is right to about a second. known is false before
// the first answer.
func (c *Client) Now() (t time.Time, known bool) { return c.clock.now() }

// Unbudgeted returns a client that shares everything with c but its request
// budget: for the calls that must not stand in a queue behind polls, such as
// renewing a password.
func (c *Client) Unbudgeted() *Client {
	free := *c
	free.budget = nil
	return &free
}

// checkToken returns both halves without the white space that a file or a
// copied line leaves around them.
func checkToken(id string, secret Secret) (string, string, error) {
	id, token := strings.TrimSpace(id), strings.TrimSpace(secret.Reveal())
	wrong := func(message, hint string) error {
		return &Error{Kind: KindUnauthorized, Message: message, hint: hint}
	}
	switch {
	case id == "" && token == "":
		return "", "", wrong("no service token", "set PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN to the two halves of a service token")
	case id == "":
		return "", "", wrong("no service token id", "set PLANETSCALE_SERVICE_TOKEN_ID to the id of the service token")
	case token == "":
		return "", "", wrong("no service token", "set PLANETSCALE_SERVICE_TOKEN to the secret of the service token")
	case strings.HasPrefix(id, "pscale_tkn_"):
		return "", "", wrong("the service token's id is a secret", "PLANETSCALE_SERVICE_TOKEN_ID holds what belongs into PLANETSCALE_SERVICE_TOKEN: exchange the two")
	case strings.HasPrefix(token, "pscale_oauth_"), strings.HasPrefix(id, "pscale_oauth_"):
		return "", "", wrong("an OAuth token is not a service token", "make a service token in the organization's settings and set PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN")
	}
	if !headerSafe(id) || strings.Contains(id, ":") {
		return "", "", wrong("the service token's id has a character that no id has", "check PLANETSCALE_SERVICE_TOKEN_ID: twelve letters and digits")
	}
	if !headerSafe(token) {
		return "", "", wrong("the service token has a character that no token has", "check PLANETSCALE_SERVICE_TOKEN: letters, digits, dash and underscore, on one line")
	}
	return id, token, nil
}

func headerSafe(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}
