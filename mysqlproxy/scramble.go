package mysqlproxy

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

const saltLength = 20

// newSalt gives the random bytes of a greeting: printable, because clients
// read them up to a zero byte.
func newSalt() []byte {
	b := make([]byte, saltLength)
	rand.Read(b)
	for i := range b {
		b[i] = b[i]%94 + 33
	}
	return b
}

// scramble gives what a client sends to prove that it knows password. An
// empty password is proved by nothing.
func scramble(plugin, password string, salt []byte) []byte {
	if password == "" {
		return nil
	}
	if plugin == cachingSHA2 {
		h1 := sha256.Sum256([]byte(password))
		h2 := sha256.Sum256(h1[:])
		h3 := sha256.Sum256(append(h2[:], salt...))
		return xor(h1[:], h3[:])
	}
	h1 := sha1.Sum([]byte(password))
	h2 := sha1.Sum(h1[:])
	h3 := sha1.Sum(append(append([]byte(nil), salt...), h2[:]...))
	return xor(h1[:], h3[:])
}

// proves says whether answer is what a client knowing password would send.
func proves(plugin, password string, salt, answer []byte) bool {
	return subtle.ConstantTimeCompare(scramble(plugin, password, salt), answer) == 1
}

func xor(a, b []byte) []byte {
	out := make([]byte, len(a))
	subtle.XORBytes(out, a, b)
	return out
}

// sealPassword encrypts a password for a server that has shown its public key
// over a connection that others can read.
func sealPassword(password string, salt, keyPEM []byte) ([]byte, error) {
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, errors.New("the server's public key is not PEM")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the server's public key is not RSA")
	}
	plain := append([]byte(password), 0)
	for i := range plain {
		plain[i] ^= salt[i%len(salt)]
	}
	return rsa.EncryptOAEP(sha1.New(), rand.Reader, key, plain, nil)
}
