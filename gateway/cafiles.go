package gateway

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// systemRoots are the files in which operating systems keep the authorities
// they trust, as listed in Go's crypto/x509.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL 6
	"/etc/ssl/ca-bundle.pem",                            // OpenSUSE
	"/etc/pki/tls/cacert.pem",                           // OpenELEC
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS, RHEL 7
	"/etc/ssl/cert.pem",                                 // Alpine, macOS
}

// CAFiles are the files through which a child process learns to trust the
// gateway.
type CAFiles struct {
	CA     string // the gateway's authority, and what NODE_EXTRA_CA_CERTS named before
	Bundle string // the authorities trusted so far, and the gateway's
}

// WriteCA writes both files into dir. parent is the environment the child
// starts from: what its SSL_CERT_FILE and NODE_EXTRA_CA_CERTS name is kept
// trusted; without SSL_CERT_FILE it is the system's authorities.
func (e Endpoint) WriteCA(dir string, parent []string) (CAFiles, error) {
	files := CAFiles{CA: filepath.Join(dir, "ca.pem"), Bundle: filepath.Join(dir, "ca-bundle.pem")}
	roots := systemRoots
	if own := lookupEnv(parent, "SSL_CERT_FILE"); own != "" {
		roots = []string{own}
	}
	var bundle []byte
	for _, f := range roots {
		// What cannot be read is not trusted today either.
		if b, err := os.ReadFile(f); err == nil {
			bundle = b
			break
		}
	}
	var extra []byte
	if f := lookupEnv(parent, "NODE_EXTRA_CA_CERTS"); f != "" {
		extra, _ = os.ReadFile(f)
	}
	if err := os.WriteFile(files.CA, joinPEM(e.CA, extra), 0o600); err != nil {
		return CAFiles{}, err
	}
	if err := os.WriteFile(files.Bundle, joinPEM(e.CA, bundle), 0o600); err != nil {
		return CAFiles{}, err
	}
	return files, nil
}

// Environment gives the variables that make a child trust the gateway:
// NODE_EXTRA_CA_CERTS for Node, SSL_CERT_FILE for OpenSSL and Go, and the names
// that the tool's own configuration reads, like MYSQL_ATTR_SSL_CA.
func (f CAFiles) Environment(names ...string) map[string]string {
	vars := map[string]string{}
	for _, n := range names {
		vars[n] = f.Bundle
	}
	maps.Copy(vars, map[string]string{"NODE_EXTRA_CA_CERTS": f.CA, "SSL_CERT_FILE": f.Bundle})
	return vars
}

func joinPEM(a, b []byte) []byte {
	a = bytes.TrimRight(a, "\n")
	return append(append(append([]byte(nil), a...), '\n'), b...)
}

// lookupEnv gives the value of a variable; the last one counts.
func lookupEnv(env []string, name string) (value string) {
	for _, e := range env {
		if k, v, ok := strings.Cut(e, "="); ok && k == name {
			value = v
		}
	}
	return value
}
