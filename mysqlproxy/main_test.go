package mysqlproxy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/mysqlproxy"
)

// server is the MariaDB that all tests share, once startServer has run.
var (
	server    *mariadb.Server
	serverDir string
	starting  sync.Once
)

func TestMain(m *testing.M) {
	code := m.Run()
	if server != nil {
		server.Stop()
	}
	os.RemoveAll(serverDir)
	os.Exit(code)
}

// startServer gives the test a server, or skips it where none is installed.
func startServer(t testing.TB) {
	t.Helper()
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	starting.Do(func() {
		dir, err := os.MkdirTemp("", "mysqlproxy")
		if err != nil {
			t.Fatal(err)
		}
		serverDir = dir
		if server, err = mariadb.Start(context.Background(), mariadb.Options{Dir: dir, Port: -1}); err != nil {
			t.Fatal(err)
		}
	})
	if server == nil {
		t.Fatal("the server did not start")
	}
}

// database makes an empty database of its own for a test, and gives a direct
// connection to it.
func database(t testing.TB) (*sql.DB, string) {
	t.Helper()
	startServer(t)
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	root := open(t, server.DSN(""))
	exec(t, root, "CREATE DATABASE "+name)
	return open(t, server.DSN(name)), name
}

func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t testing.TB, db interface {
	Exec(string, ...any) (sql.Result, error)
}, queries ...string) {
	t.Helper()
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// front is a proxy before the shared MariaDB, with one user.
type front struct {
	*mysqlproxy.Server
	t       testing.TB
	session mysqlproxy.Session // copied for each login
	addr    string

	mu       sync.Mutex
	seen     []mysqlproxy.Statement
	failures []mysqlproxy.Failure
	done     int
	verdict  func(*mysqlproxy.Statement) mysqlproxy.Verdict
}

const user, password = "tool", "one-time-secret"

func newFront(t testing.TB, name string) *front {
	f := &front{t: t}
	f.session = mysqlproxy.Session{Backend: mysqlproxy.Backend{Dial: server.Dial, User: "root", Database: name}}
	f.Server = &mysqlproxy.Server{
		Login: func(_ context.Context, a mysqlproxy.Attempt) (*mysqlproxy.Session, error) {
			if a.User != user || !a.Verify(password) {
				return nil, errors.New("not this one")
			}
			s := f.session
			s.Handler = &recorder{f}
			s.Done = func() { f.mu.Lock(); f.done++; f.mu.Unlock() }
			return &s, nil
		},
		Failed: func(x mysqlproxy.Failure) { f.mu.Lock(); f.failures = append(f.failures, x); f.mu.Unlock() },
	}
	return f
}

// listen starts serving on loopback.
func (f *front) listen() *front {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr = l.Addr().String()
	served := make(chan error)
	go func() { served <- f.Serve(context.Background(), l) }()
	f.t.Cleanup(func() {
		f.Close()
		if err := <-served; !errors.Is(err, mysqlproxy.ErrClosed) {
			f.t.Errorf("Serve ended with %v", err)
		}
	})
	return f
}

// dsn gives the address with parameters like "?tls=x".
func (f *front) dsn(name, params string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s%s", user, password, f.addr, name, params)
}

func (f *front) statements() []mysqlproxy.Statement {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]mysqlproxy.Statement(nil), f.seen...)
}

func (f *front) failed() []mysqlproxy.Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]mysqlproxy.Failure(nil), f.failures...)
}

type recorder struct{ f *front }

func (r *recorder) Statement(s *mysqlproxy.Statement) mysqlproxy.Verdict {
	if r.f.verdict == nil {
		return mysqlproxy.Verdict{}
	}
	return r.f.verdict(s)
}

func (r *recorder) Finished(s *mysqlproxy.Statement) {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	r.f.seen = append(r.f.seen, *s)
}

// authority makes a certificate for 127.0.0.1 and the pool that trusts it.
func authority(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}
