package emulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authorityFile keeps the certificate authority, with its key, in the data folder.
const authorityFile = "mysql-ca.pem"

// The certificates are good at any time that the emulator's clock, or a test's, may show.
var (
	certificateFrom  = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	certificateUntil = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
)

// frontCertificate makes a certificate for the MySQL server, signed by the data folder's authority. An empty folder name means an
// authority for this run only. host is one more name for the certificate.
func frontCertificate(dir, host string) (authority []byte, server tls.Certificate, err error) {
	ca, caKey, err := loadAuthority(dir)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	names := []string{"localhost"}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if ip := net.ParseIP(host); ip != nil {
		addresses = append(addresses, ip)
	} else if host != "" {
		names = append(names, host)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "pmig-emulator"},
		NotBefore:    certificateFrom, NotAfter: certificateUntil,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names, IPAddresses: addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	return authority, tls.Certificate{Certificate: [][]byte{der, ca.Raw}, PrivateKey: key}, nil
}

// loadAuthority reads the folder's authority, or makes one there.
func loadAuthority(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	file := filepath.Join(dir, authorityFile)
	if dir != "" {
		text, err := os.ReadFile(file)
		if err == nil {
			ca, key, err := parseAuthority(text)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", file, err)
			}
			return ca, key, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, nil, err
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "pmig-emulator authority"},
		NotBefore:    certificateFrom, NotAfter: certificateUntil,
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	if dir == "" {
		return ca, key, nil
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})...)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	return ca, key, os.WriteFile(file, text, 0o600)
}

func parseAuthority(text []byte) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certificate, rest := pem.Decode(text)
	key, _ := pem.Decode(rest)
	if certificate == nil || key == nil {
		return nil, nil, errors.New("not a certificate and its key")
	}
	ca, err := x509.ParseCertificate(certificate.Bytes)
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.ParseECPrivateKey(key.Bytes)
	return ca, private, err
}
