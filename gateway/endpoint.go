package gateway

import (
	"net"
	"net/url"
	"strconv"

	"github.com/go-sql-driver/mysql"
)

// Endpoint is how a migration tool reaches the gateway.
type Endpoint struct {
	Host     string
	Port     int
	User     string
	Password string // for this run only
	Database string
	CA       []byte // PEM of the certificate authority that vouches for the gateway
}

func (e Endpoint) address() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// URL gives mysql://user:password@host:port/database, which most tools take.
func (e Endpoint) URL() string {
	u := url.URL{Scheme: "mysql", User: url.UserPassword(e.User, e.Password), Host: e.address(), Path: "/" + e.Database}
	return u.String()
}

// DSN gives the data source name for github.com/go-sql-driver/mysql and the
// Go tools built on it.
func (e Endpoint) DSN() string {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = e.User, e.Password, "tcp", e.address(), e.Database
	return c.FormatDSN()
}

// JDBCURL gives the URL for MySQL Connector/J, with user and password in it.
func (e Endpoint) JDBCURL() string {
	u := url.URL{Scheme: "mysql", Host: e.address(), Path: "/" + e.Database,
		RawQuery: url.Values{"user": {e.User}, "password": {e.Password}}.Encode()}
	return "jdbc:" + u.String()
}
