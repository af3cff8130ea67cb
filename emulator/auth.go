package emulator

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authenticate says who calls: a service token, or with the prefix
// /_emulator/as/NAME a person at the dashboard, who needs no credentials here.
func (c *call) authenticate() error {
	if rest, is := strings.CutPrefix(c.r.URL.EscapedPath(), "/_emulator/as/"); is {
		name, path, _ := strings.Cut(rest, "/")
		name, err := url.PathUnescape(name)
		if err != nil || name == "" {
			return errNotFound
		}
		c.setPath("/" + path)
		c.actor = actor{ID: idOf("person " + name), Type: "User", Name: name}
		return nil
	}
	header := c.r.Header.Get("Authorization")
	if scheme, rest, found := strings.Cut(header, " "); found && strings.EqualFold(scheme, "Bearer") {
		header = rest
	}
	id, secret, found := strings.Cut(strings.TrimSpace(header), ":")
	if !found || id == "" || secret == "" {
		return errUnauthorized
	}
	if len(c.e.options.Tokens) == 0 {
		c.actor = actor{ID: idOf("token " + id), Type: "ServiceToken", Name: id}
		return nil
	}
	for i := range c.e.options.Tokens {
		t := &c.e.options.Tokens[i]
		same := subtle.ConstantTimeCompare([]byte(t.ID), []byte(id)) & subtle.ConstantTimeCompare([]byte(t.Secret), []byte(secret))
		if same == 1 {
			c.token = t
			c.actor = actor{ID: idOf("token " + id), Type: "ServiceToken", Name: t.Name}
			if t.Name == "" {
				c.actor.Name = t.ID
			}
			return nil
		}
	}
	c.e.mu.Lock()
	hidden := c.e.world.Unknowns.BadTokenHidden
	c.e.mu.Unlock()
	if hidden && strings.TrimSuffix(c.r.URL.Path, "/") != "/v1/organizations" {
		return errNotFound
	}
	return errUnauthorized
}

// idOf is an id that is always the same for the same thing.
func idOf(what string) string {
	sum := sha256.Sum256([]byte(what))
	return hex.EncodeToString(sum[:])[:12]
}

// permitted says whether the caller has one of the permissions; none named is
// everybody.
func (c *call) permitted(permissions []string) bool {
	if c.token == nil || c.token.Permissions == nil || len(permissions) == 0 {
		return true
	}
	return slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(c.token.Permissions, p) })
}

// endpoint is one row of the table of routes.
type endpoint struct {
	method, path string
	permissions  []string // any one of them
	handle       func(*call) (answer, error)
}

// ServeHTTP does nothing: an endpoint is found by the mux and run by its call.
func (endpoint) ServeHTTP(http.ResponseWriter, *http.Request) {}
