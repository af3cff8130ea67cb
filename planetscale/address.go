package planetscale

import (
	"net"
	"net/url"
	"strings"
)

const addressHint = "check PLANETSCALE_API_URL (https://HOST/, or http:// to a loopback address)"

// parseAddress returns the base that the paths of the API, which begin "v1/",
// are appended to. An address that ends in the version, as the platform's
// Terraform provider writes it, is taken as well.
func parseAddress(address string) (*url.URL, error) {
	if strings.TrimSpace(address) == "" {
		address = DefaultAddress
	}
	wrong := func(message string) error {
		return &Error{Kind: KindInvalid, Message: message, hint: addressHint}
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		// The text is not repeated: it may hold a password.
		return nil, wrong("the API address is not a URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, wrong("the API address may hold only scheme, host and path")
	}
	if u.Hostname() == "" {
		return nil, wrong("the API address has no host")
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	case u.Scheme == "http":
		return nil, wrong("the API address " + u.Host + " is plain http, which would show the service token to the network")
	default:
		return nil, wrong("the API address must begin with https://")
	}
	path := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/v1")
	base, err := url.Parse(u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimRight(path, "/") + "/")
	if err != nil {
		return nil, wrong("the API address is not a URL")
	}
	return base, nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// joinPath escapes the segments. A name that is empty or a dot would turn the
// call into one on its parent, a DELETE of a branch into one of all of them.
func joinPath(segments []string) (string, bool) {
	var b strings.Builder
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", false
		}
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String(), true
}
