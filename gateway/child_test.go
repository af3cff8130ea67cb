package gateway_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pmig/pmig/gateway"
	"pgregory.net/rapid"
)

func TestEnvironment(t *testing.T) {
	parent := []string{
		"PATH=/bin", "PLANETSCALE_SERVICE_TOKEN=s", "PLANETSCALE_ORG=acme", "planetscale_x=1", "PMIG_VAR_x=1", "XPMIG_=kept",
		"DATABASE_URL=mysql://u:p@aws.connect.psdb.cloud/shop?ssl={}", "UPPER=HOST=AWS.CONNECT.PSDB.CLOUD", "READ_URL=mysql://db.internal:3306/x",
		"NEAR=my-db.internal", "NEAR2=db.internal.example.com", "LIST=a,db.internal,b", "TOKEN=pscale_tkn_abc", "EMPTY=", "PORT=3306",
		"Path=x", "REPLACED=aws.connect.psdb.cloud", "PASSED=db.internal", "A=b=db.internal", "=C:=C:\\psdb.cloud", "TWICE=psdb.cloud", "TWICE=psdb.cloud",
	}
	env, withheld := gateway.Environment(parent, map[string]string{"REPLACED": "ours", "DATABASE_URL": "mysql://127.0.0.1/shop", "NEW": "n"},
		[]string{"PASSED", "PLANETSCALE_ORG"}, []string{"db.internal", ""})
	wantEnv := []string{"PATH=/bin", "PLANETSCALE_ORG=acme", "XPMIG_=kept", "NEAR=my-db.internal", "NEAR2=db.internal.example.com", "EMPTY=", "PORT=3306",
		"Path=x", "PASSED=db.internal", "=C:=C:\\psdb.cloud", "DATABASE_URL=mysql://127.0.0.1/shop", "NEW=n", "REPLACED=ours"}
	wantWithheld := []string{"A", "LIST", "PLANETSCALE_SERVICE_TOKEN", "PMIG_VAR_x", "READ_URL", "TOKEN", "TWICE", "UPPER", "planetscale_x"}
	if diff := cmp.Diff(wantEnv, env); diff != "" {
		t.Errorf("environment: %s", diff)
	}
	if diff := cmp.Diff(wantWithheld, withheld); diff != "" {
		t.Errorf("withheld: %s", diff)
	}
}

func TestCAFiles(t *testing.T) {
	b := newBranch(t, nil)
	dir := t.TempDir()
	own, extra := filepath.Join(dir, "own.pem"), filepath.Join(dir, "extra.pem")
	for f, e := range map[string]gateway.Endpoint{own: newBranch(t, nil).Endpoint(), extra: newBranch(t, nil).Endpoint()} {
		if err := os.WriteFile(f, e.CA, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := b.Endpoint().WriteCA(dir, []string{"SSL_CERT_FILE=" + own, "NODE_EXTRA_CA_CERTS=" + extra})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{files.CA, files.Bundle} {
		pem, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(pem, []byte("-----BEGIN CERTIFICATE-----\n")); n != 2 || !x509.NewCertPool().AppendCertsFromPEM(pem) {
			t.Errorf("%s holds %d authorities", f, n)
		}
	}
	want := map[string]string{"NODE_EXTRA_CA_CERTS": files.CA, "SSL_CERT_FILE": files.Bundle, "MYSQL_ATTR_SSL_CA": files.Bundle}
	if diff := cmp.Diff(want, files.Environment("MYSQL_ATTR_SSL_CA")); diff != "" {
		t.Error(diff)
	}
	if _, err := b.Endpoint().WriteCA(filepath.Join(dir, "nowhere"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if files, err = b.Endpoint().WriteCA(dir, nil); err != nil {
		t.Fatal(err)
	}
	if pem, _ := os.ReadFile(files.Bundle); !bytes.HasPrefix(pem, b.Endpoint().CA) {
		t.Error("without the variables the bundle lacks the gateway's authority")
	}
}

func TestScrubber(t *testing.T) {
	for _, c := range []struct {
		secrets []string
		writes  []string
		want    string
	}{
		{[]string{"hunter2"}, []string{"my hunter2 is hunter2", "!\n"}, "my [secret] is [secret]!\n"},
		{[]string{"hunter2"}, []string{"my hun", "t", "er2"}, "my [secret]"},
		{[]string{"hunter2"}, []string{"my hun", "ting"}, "my hunting"},
		{[]string{"hunter2"}, []string{"hunter"}, "hunter"},
		{[]string{"hunter2"}, []string{"hunhunter2ter2"}, "hun[secret]ter2"},
		{[]string{"abc", "abcdef"}, []string{"abc", "de", "f abcd"}, "[secret] [secret]d"},
		{[]string{"abc", "abcdef"}, []string{"abc"}, "[secret]"},
		{[]string{"aab"}, []string{"aaa", "ab"}, "aa[secret]"},
		{[]string{"p@ss/w rd"}, []string{"mysql://u:p%40ss%2Fw%20rd@h or p%40ss%2Fw+rd or p@ss/w rd"}, "mysql://u:[secret]@h or [secret] or [secret]"},
		{[]string{`say "x"`}, []string{`{"p":"say \"x\""}`}, `{"p":"[secret]"}`},
		{[]string{"hunter2hunter2"}, []string{"aHVudGVyMmh1bnRlcjI="}, "[secret]"},
		{[]string{"", ""}, []string{"nothing"}, "nothing"},
		{nil, []string{"nothing", " at all"}, "nothing at all"},
	} {
		var out bytes.Buffer
		s := gateway.NewScrubber(&out, c.secrets...)
		for _, w := range c.writes {
			if n, err := io.WriteString(s, w); n != len(w) || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
		}
		if err := s.Flush(); err != nil {
			t.Error(err)
		}
		if out.String() != c.want {
			t.Errorf("%q with %q: got %q, want %q", c.writes, c.secrets, out.String(), c.want)
		}
	}
}

// TestScrubberHoldsBackLittle: a prompt must be seen before it is answered.
func TestScrubberHoldsBackLittle(t *testing.T) {
	var out bytes.Buffer
	s := gateway.NewScrubber(&out, "secret-value")
	io.WriteString(s, "continue? ")
	if out.String() != "continue? " {
		t.Errorf("%q came through", out.String())
	}
}

// TestScrubberAnyCut: however the output is cut, it comes out as if it had been
// written at once, and without the secret.
func TestScrubberAnyCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.StringMatching(`[ab]{1,6}`), 1, 3).Draw(t, "secrets")
		text := rapid.StringMatching(`[abc]{0,40}`).Draw(t, "text")
		whole := scrub(text, len(text)+1, secrets)
		if cut := scrub(text, rapid.IntRange(1, 5).Draw(t, "cut"), secrets); cut != whole {
			t.Fatalf("cut %q, whole %q", cut, whole)
		}
		for _, s := range secrets {
			if strings.Contains(strings.ReplaceAll(whole, "[secret]", "|"), s) {
				t.Fatalf("%q is left in %q", s, whole)
			}
		}
	})
}

func scrub(text string, size int, secrets []string) string {
	var out bytes.Buffer
	s := gateway.NewScrubber(&out, secrets...)
	for len(text) > 0 {
		n := min(size, len(text))
		io.WriteString(s, text[:n])
		text = text[n:]
	}
	s.Flush()
	return out.String()
}
