package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/planner"
)

// connect opens a pool to a branch. TLS is required, except to this machine.
func connect(_ context.Context, l planner.Login) (*sql.DB, error) {
	cfg, err := mysqlConfig(l)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(4)
	db.SetConnMaxIdleTime(15 * time.Second) // PlanetScale ends idle ones
	return db, nil
}

func mysqlConfig(l planner.Login) (*mysql.Config, error) {
	cfg := mysql.NewConfig()
	cfg.Net = "tcp"
	cfg.Timeout = 15 * time.Second
	// Longer than the longest lock wait, so that a server that fell silent is
	// noticed and one that is busy is not.
	cfg.ReadTimeout, cfg.WriteTimeout = 90*time.Second, 90*time.Second
	cfg.InterpolateParams = true // saves a round trip per statement; Vitess takes it
	cfg.Logger = silent{}
	if l.URL != "" {
		if err := fromURL(cfg, l.URL.Reveal()); err != nil {
			return nil, err
		}
	} else {
		cfg.User, cfg.Passwd, cfg.Addr = l.User, l.Password.Reveal(), withPort(l.Host)
	}
	if l.Database != "" {
		cfg.DBName = l.Database
	}
	if t := tlsFor(cfg.Addr); t != nil && cfg.TLS == nil {
		cfg.TLS = t
	}
	return cfg, nil
}

// fromURL reads a mysql:// URL, the form that most frameworks share. The
// errors never quote it: it holds a password.
func fromURL(cfg *mysql.Config, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "mysql" && u.Scheme != "mysql2") || u.Host == "" {
		return &hinted{what: "the url of the branch is no mysql URL", hint: "write it as mysql://user:password@host:3306/database"}
	}
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.Addr = withPort(u.Host)
	cfg.DBName = strings.TrimPrefix(u.Path, "/")
	return nil
}

// dial says how the gateway reaches a branch.
func dial(l planner.Login) (func(context.Context) (net.Conn, error), *tls.Config, error) {
	addr := withPort(l.Host)
	d := &net.Dialer{Timeout: 15 * time.Second}
	return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }, tlsFor(addr), nil
}

func withPort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "3306")
}

// tlsFor verifies the host against the system's roots. Plain text goes to this
// machine only.
func tlsFor(addr string) *tls.Config {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
}

// silent keeps the driver from writing to stderr: its errors are returned.
type silent struct{}

func (silent) Print(...any) {}

// hostOf is the host in a branch's url, "" where there is none.
func hostOf(raw config.Secret) string {
	u, err := url.Parse(raw.Reveal())
	if err != nil {
		return ""
	}
	return u.Hostname()
}
