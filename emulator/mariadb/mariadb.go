// Package mariadb runs private MariaDB servers from a template folder.
//
// A server belongs to the process that started it: it listens on a unix socket in its own folder, has one root account without
// a password, small buffers (about 50 MB resident) and dies with its parent. It presents itself as MySQL 8, because that is what
// the clients of a PlanetScale branch expect.
package mariadb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/gofrs/flock"
)

// DefaultVersion is the server version that clients are told.
const DefaultVersion = "8.0.34"

// Bounds of the waits. A start takes 0.1 s on an idle machine; the bound is for a busy one.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
)

// Options says which server to run, and where.
type Options struct {
	Binary   string   // mariadbd or mysqld; empty: what Find finds
	Dir      string   // the server's own folder, made when it is not there; its data survives Stop
	Port     int      // 0: unix socket only; -1: any free loopback port; otherwise that loopback port
	Template string   // folder made by MakeTemplate; empty: one in the user's cache folder, made when it is not there
	Version  string   // what the server says it is; empty: DefaultVersion
	Args     []string // further arguments
}

// Server is a running server.
type Server struct {
	Socket string // path of the unix socket
	Addr   string // host:port on loopback, empty without Options.Port

	dir       string
	socketDir string // a short folder outside dir, when dir is too long for a socket
	lock      *flock.Flock
	cmd       *exec.Cmd
	done      chan struct{} // closed when the process has ended
	stop      sync.Once
	stopErr   error
}

// ErrNotFound is the error of Find.
var ErrNotFound = errors.New("no MariaDB server (mariadbd or mysqld, with mariadb-install-db and my_print_defaults) on PATH or in /usr/sbin")

// Find returns the path of a MariaDB server binary, or ErrNotFound. A mysqld that is not MariaDB's does not count.
func Find() (string, error) {
	for _, name := range []string{"mariadbd", "mysqld"} {
		var found []string
		if path, err := exec.LookPath(name); err == nil {
			found = append(found, path)
		}
		for _, dir := range []string{"/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"} {
			found = append(found, filepath.Join(dir, name))
		}
		for _, path := range found {
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
				continue
			}
			if _, err := installer(path); err == nil {
				return filepath.Abs(path)
			}
		}
	}
	return "", ErrNotFound
}

// LockedError says that another process runs a server on the folder.
type LockedError struct{ Dir string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("another process runs a database server in %s", e.Dir)
}

// Hint says what to do about it.
func (e *LockedError) Hint() string { return "stop that process or use another folder" }

// StartError is a server that did not come up; Log holds the end of what it wrote.
type StartError struct {
	Binary, Log string
	Err         error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("%s did not start: %v: %s", filepath.Base(e.Binary), e.Err, e.Log)
}

func (e *StartError) Unwrap() error { return e.Err }

// Start runs a server on o.Dir and returns when it accepts connections. The first start on a folder copies the template there; a
// later one finds its data again, also after the server was killed.
func Start(ctx context.Context, o Options) (*Server, error) {
	if o.Binary == "" {
		var err error
		if o.Binary, err = Find(); err != nil {
			return nil, err
		}
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &Server{dir: dir, done: make(chan struct{}), lock: flock.New(filepath.Join(dir, "lock"))}
	if ok, err := s.lock.TryLock(); err != nil {
		return nil, err
	} else if !ok {
		return nil, &LockedError{dir}
	}
	if err := s.start(ctx, o); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, o Options) error {
	if err := s.endLeftover(ctx); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if _, err := os.Stat(data); errors.Is(err, os.ErrNotExist) {
		if o.Template == "" {
			if o.Template, err = cachedTemplate(o.Binary); err != nil {
				return err
			}
		}
		if err := MakeTemplate(ctx, o.Binary, o.Template); err != nil {
			return err
		}
		if err := copyTemplate(o.Template, data); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if err := s.placeSocket(); err != nil {
		return err
	}
	temp := filepath.Join(s.dir, "tmp")
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return err
	}
	args := append(serverArgs(o.Version),
		"--datadir="+data,
		"--socket="+s.Socket,
		"--pid-file="+filepath.Join(s.dir, "server.pid"),
		"--log-error="+filepath.Join(s.dir, "server.log"),
		"--tmpdir="+temp) // in a shared one, a server that starts removes the others' temporary tables
	if o.Port == 0 {
		args = append(args, "--skip-networking")
	} else {
		port, err := loopbackPort(o.Port)
		if err != nil {
			return err
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		args = append(args, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port))
	}
	s.cmd = exec.Command(o.Binary, append(args, o.Args...)...)
	s.cmd.Dir = s.dir
	started := make(chan error)
	go run(s.cmd, started, s.done)
	if err := <-started; err != nil {
		s.cmd = nil
		return err
	}
	if err := s.accepts(ctx); err != nil {
		_ = s.cmd.Process.Kill()
		<-s.done
		return &StartError{Binary: o.Binary, Err: err, Log: s.logTail()}
	}
	return nil
}

// accepts waits until the server answers a query.
func (s *Server) accepts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := s.open()
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		if _, err = os.Stat(s.Socket); err == nil {
			if err = db.PingContext(ctx); err == nil {
				return nil
			}
		}
		select {
		case <-s.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Dial opens a connection to the server.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", s.Socket)
}

// DSN is the go-sql-driver address of a database on the server, as root. The database need not exist when it is empty.
func (s *Server) DSN(database string) string { return s.config(database).FormatDSN() }

func (s *Server) config(database string) *mysql.Config {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", s.Socket, database
	return c
}

// open is a pool for the package's own use, without the driver's log of broken connections.
func (s *Server) open() (*sql.DB, error) {
	c := s.config("")
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// PID is the process id of the server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop ends the server and waits until it is gone: politely first, by force after a bounded time. Its data stays.
// A second Stop returns what the first returned.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		defer s.release()
		select {
		case <-s.done:
			return
		default:
		}
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
		case <-time.After(stopTimeout):
			_ = s.cmd.Process.Kill()
			<-s.done
			s.stopErr = fmt.Errorf("database server in %s did not end within %s and was killed", s.dir, stopTimeout)
		}
	})
	return s.stopErr
}

// release gives up what the server holds outside its data.
func (s *Server) release() {
	if s.socketDir != "" {
		_ = os.RemoveAll(s.socketDir)
		_ = os.Remove(filepath.Join(s.dir, "socket"))
	}
	_ = s.lock.Unlock()
}

// logTail is the end of the server's log: its errors, or its last lines.
func (s *Server) logTail() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return "it left no log"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var failed []string
	for _, line := range lines {
		if strings.Contains(line, "[ERROR]") {
			failed = append(failed, line)
		}
	}
	if len(failed) > 0 {
		lines = failed
	}
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// loopbackPort is the port asked for, or a free one for -1.
func loopbackPort(port int) (int, error) {
	if port > 0 {
		return port, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Done is closed when the server has ended, by Stop or by itself.
func (s *Server) Done() <-chan struct{} { return s.done }
