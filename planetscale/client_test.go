package planetscale_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pmig/pmig/planetscale"
)

func TestAddress(t *testing.T) {
	tests := []struct{ address, want, wrong string }{
		{"", "https://api.planetscale.com/", ""},
		{" https://API.planetscale.com\n", "https://api.planetscale.com/", ""},
		{"https://api.planetscale.com/v1", "https://api.planetscale.com/", ""},
		{"https://api.planetscale.com/v1/", "https://api.planetscale.com/", ""},
		{"https://proxy.example.test/planetscale", "https://proxy.example.test/planetscale/", ""},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/", ""},
		{"http://localhost:8080/", "http://localhost:8080/", ""},
		{"http://[::1]:8080", "http://[::1]:8080/", ""},
		{"http://api.planetscale.com/", "", "plain http"},
		{"http://127.0.0.1.example.test/", "", "plain http"},
		{"http://localhost.example.test/", "", "plain http"},
		{"http://0.0.0.0:8080/", "", "plain http"},
		{"https://user:hunter2@api.planetscale.com/", "", "only scheme, host and path"},
		{"https://api.planetscale.com/?a=hunter2", "", "only scheme, host and path"},
		{"https://api.planetscale.com/#a", "", "only scheme, host and path"},
		{"api.planetscale.com", "", "has no host"},
		{"/v1", "", "has no host"},
		{"ftp://api.planetscale.com/", "", "must begin with https"},
		{"https://", "", "has no host"},
		{"https://hunter2\x7f/", "", "not a URL"},
	}
	for _, tt := range tests {
		c, err := planetscale.New(planetscale.Options{Address: tt.address, TokenID: tokenID, Token: token})
		if tt.wrong == "" {
			if err != nil || c.Address() != tt.want {
				t.Errorf("%q: %v, %v", tt.address, c, err)
			}
			continue
		}
		e := as(t, err)
		if e.Kind != planetscale.KindInvalid || !strings.Contains(err.Error(), tt.wrong) || !strings.Contains(e.Hint(), "PLANETSCALE_API_URL") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", tt.address, err)
		}
	}
}

// TestAddressWithPath: the paths of the API go below the address's own.
func TestAddressWithPath(t *testing.T) {
	p := always(200, sample(t, "branch"))
	d := shop(t, p, func(o *planetscale.Options) { o.Address = "https://proxy.example.test/a%20b/v1" })
	if _, err := d.Branch(background, "x?y#z%"); err != nil {
		t.Fatal(err)
	}
	if got := p.seen[0].uri; got != "/a%20b/v1/organizations/acme/databases/shop/branches/x%3Fy%23z%25" {
		t.Error(got)
	}
}

func TestToken(t *testing.T) {
	tests := []struct{ name, id, token, hint string }{
		{"neither", "", "", "PLANETSCALE_SERVICE_TOKEN_ID and PLANETSCALE_SERVICE_TOKEN"},
		{"no id", " ", token, "set PLANETSCALE_SERVICE_TOKEN_ID "},
		{"no secret", tokenID, "\n", "set PLANETSCALE_SERVICE_TOKEN "},
		{"swapped", token, tokenID, "exchange the two"},
		{"oauth", tokenID, "pscale_oauth_abcdef", "service token"},
		{"two lines", tokenID, token + "\n" + token, "one line"},
		{"pair as id", tokenID + ":" + token, token, "check PLANETSCALE_SERVICE_TOKEN_ID"},
	}
	for _, tt := range tests {
		_, err := planetscale.New(planetscale.Options{TokenID: tt.id, Token: planetscale.Secret(tt.token)})
		e := as(t, err)
		if !planetscale.IsUnauthorized(err) || !strings.Contains(e.Hint(), tt.hint) {
			t.Errorf("%s: %v, %q", tt.name, err, e.Hint())
		}
		if text := err.Error() + e.Hint(); strings.Contains(text, "SecretOf") {
			t.Errorf("%s: %s", tt.name, text)
		}
	}
	p := always(200, sample(t, "database"))
	if _, err := shop(t, p, func(o *planetscale.Options) { o.TokenID, o.Token = tokenID+"\n", " "+token+"\r\n" }).Get(background); err != nil {
		t.Fatal(err)
	}
	if got := p.seen[0].header.Get("Authorization"); got != tokenID+":"+token {
		t.Errorf("from a file: %q", got)
	}
}

func TestSecret(t *testing.T) {
	type holder struct {
		Secret  planetscale.Secret
		Pointer *planetscale.Secret
	}
	s := planetscale.Secret(token)
	c := client(t, always(200, "{}"))
	password := planetscale.Password{PlainText: s}
	options := planetscale.Options{Token: s}
	for _, v := range []any{s, &s, holder{s, &s}, []planetscale.Secret{s}, map[string]planetscale.Secret{"a": s}, password, &password, options, c, *c, c.DB("a", "b")} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, leak := range []string{token, fmt.Sprintf("%x", token), fmt.Sprintf("%X", token)} {
				if strings.Contains(text, leak) {
					t.Errorf("%s of %T: %s", verb, v, text)
				}
			}
		}
	}
	var out bytes.Buffer
	for name, err := range map[string]error{
		"json":       second(json.Marshal(s)),
		"json field": second(json.Marshal(holder{Secret: s})),
		"password":   second(json.Marshal(password)),
		"xml":        second(xml.Marshal(s)),
		"gob":        gob.NewEncoder(&out).Encode(holder{Secret: s}),
	} {
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%s: %v", name, err)
		}
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "a", s, "b", password)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "a", s, "b", password)
	if strings.Contains(out.String(), token) {
		t.Errorf("%s", out.String())
	}
	if s.Reveal() != token {
		t.Error(s.Reveal())
	}
}

// TestRedirects runs over sockets: what counts is what another host would get.
func TestRedirects(t *testing.T) {
	var leaked atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Add(1)
		_, _ = w.Write([]byte(`{"id":"b1","name":"dev"}`))
	}))
	defer other.Close()
	const b = "/v1/organizations/acme/databases/shop/branches"
	var deleted atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+b+"/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, b+"/dev", http.StatusFound) })
	mux.HandleFunc("GET "+b+"/dev", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != tokenID+":"+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"id":"b1","name":"dev"}`))
	})
	mux.HandleFunc("GET "+b+"/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+b+"/dev", http.StatusFound)
	})
	mux.HandleFunc("GET "+b+"/tls", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+b+"/dev", http.StatusFound)
	})
	mux.HandleFunc("GET "+b+"/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, b+"/round", http.StatusFound) })
	mux.HandleFunc("GET "+b+"/nowhere", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusFound) })
	mux.HandleFunc("DELETE "+b+"/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, b+"/dev", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("DELETE "+b+"/dev", func(w http.ResponseWriter, r *http.Request) { deleted.Add(1) })
	server := httptest.NewServer(mux)
	defer server.Close()
	d := shop(t, nil, func(o *planetscale.Options) { o.Transport, o.Address = nil, server.URL })

	if got, err := d.Branch(background, "moved"); err != nil || got.ID != "b1" {
		t.Errorf("same host: %v, %v", got, err)
	}
	for name, want := range map[string]string{"away": "redirected to http://127.0.0.1", "tls": "redirected to https://", "round": "too often", "nowhere": "nowhere"} {
		if _, err := d.Branch(background, name); as(t, err).Kind != planetscale.KindMalformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.DeleteBranch(background, "moved"); as(t, err).Kind != planetscale.KindMalformed || deleted.Load() != 0 {
		t.Errorf("a write: %v", err)
	}
	if leaked.Load() != 0 {
		t.Error("the token went to another host")
	}
}

// TestCertificate: a host that can't prove who it is gets nothing, and is not
// asked again.
func TestCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked") }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer server.Close()
	_, err := shop(t, nil, func(o *planetscale.Options) { o.Transport, o.Address = nil, server.URL }).Get(background)
	if e := as(t, err); e.Kind != planetscale.KindNetwork || !strings.Contains(e.Hint(), "certificate") || planetscale.IsLost(err) {
		t.Errorf("%v, %q", err, e.Hint())
	}
}
