// Package vitess runs a real Vitess over a private MariaDB server.
//
// It is there for tests: what pmig sends to a branch of PlanetScale is taken by this one too, or refused by it in the same
// words. It is one vtcombo process, which is vtgate, a tablet and their topology in one, from scripts/vitess.
package vitess

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator/mariadb"
)

// Keyspace is the one that is there from the beginning.
const Keyspace = "commerce"

// Sharded is a second keyspace, on two shards. It counts as sharded once ALTER VSCHEMA has given a table of it a vindex.
const Sharded = "customer"

const startTimeout = 90 * time.Second

// Options says what to run, and where.
type Options struct {
	Binary string // vtcombo
	Dir    string // its own folder, made when it is not there
	// NoDirectDDL answers DDL like a branch with safe migrations.
	NoDirectDDL bool
	// Prepare is run on the MariaDB server behind it, in the database of Keyspace, before Vitess starts.
	Prepare []string
}

// Server is a running Vitess.
type Server struct {
	Addr string // host:port on loopback, of the MySQL protocol

	backend *mariadb.Server
	cmd     *exec.Cmd
	log     bytes.Buffer
	done    chan struct{}
	stop    sync.Once
}

// Start runs a Vitess and returns when it answers.
func Start(ctx context.Context, o Options) (*Server, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(dir, "vitess")
	if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o755); err != nil {
		return nil, err
	}
	s := &Server{done: make(chan struct{})}
	// Vitess looks at the version to know what server it has, and at the log for positions.
	s.backend, err = mariadb.Start(ctx, mariadb.Options{Dir: filepath.Join(dir, "mariadb"), Version: "10.11.0-MariaDB", Args: []string{
		"--server-id=1", "--log-bin=vt-bin", "--binlog-format=ROW", "--binlog-row-image=full", "--log-slave-updates=1", "--gtid-strict-mode=1",
		"--sql-mode=STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", "--character-set-server=utf8mb4"}})
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, o, root); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) begin(ctx context.Context, o Options, root string) error {
	if err := s.prepare(ctx, o.Prepare); err != nil {
		return err
	}
	credential, err := unprivileged(root, s.backend.Socket)
	if err != nil {
		return err
	}
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	s.Addr = net.JoinHostPort("127.0.0.1", ports[0])
	// The account that it runs as need not get at the folder that it was built in.
	binary := filepath.Join(root, "vtcombo")
	if err := copyFile(o.Binary, binary); err != nil {
		return err
	}
	s.cmd = exec.Command(binary, arguments(root, s.backend.Socket, ports, !o.NoDirectDDL)...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = root, &s.log, &s.log
	s.cmd.Env = []string{"HOME=" + root, "VTDATAROOT=" + root, "TMPDIR=" + filepath.Join(root, "tmp")}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is in its log
		close(s.done)
	}()
	return s.answers(ctx)
}

// prepare makes Vitess' account and the first database.
func (s *Server) prepare(ctx context.Context, statements []string) error {
	db, err := sql.Open("mysql", s.backend.DSN(""))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, statement := range append([]string{
		"CREATE USER vt_dba@localhost", "GRANT ALL ON *.* TO vt_dba@localhost WITH GRANT OPTION",
		"CREATE DATABASE " + Sharded + "_0", "CREATE DATABASE " + Sharded + "_1", "CREATE DATABASE " + Keyspace, "USE " + Keyspace}, statements...) {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// unprivileged is an account for vtcombo, which refuses to run as root, with its way to the folder and the socket opened.
func unprivileged(root, socket string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	const nobody = 65534
	for _, dir := range []string{root, filepath.Join(root, "tmp")} {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			return nil, err
		}
	}
	for _, path := range []string{root, socket} {
		if err := open(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}, nil
}

// open lets everybody through a folder and those above it, up to one that everybody gets through: that of all temporary files.
func open(dir string) error {
	const through = 0o001
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode()&os.ModeSticky != 0 || dir == filepath.Dir(dir) {
			return nil
		}
		if info.Mode()&through == 0 {
			if err := os.Chmod(dir, info.Mode().Perm()|through); err != nil {
				return err
			}
		}
	}
}

// arguments are the smallest set with which vtcombo runs over a server that is there already.
func arguments(root, socket string, ports []string, directDDL bool) []string {
	args := []string{
		"--log_dir", filepath.Join(root, "tmp"), "--logtostderr", "--db_charset", "utf8mb4", "--db_socket", socket,
		"--db_app_password", "", "--db_dba_password", "",
		"--proto_topo", fmt.Sprintf(`keyspaces:{name:%q replica_count:1 rdonly_count:1 shards:{name:"0" db_name_override:%q}}`+
			` keyspaces:{name:%q replica_count:1 shards:{name:"-80" db_name_override:%q} shards:{name:"80-" db_name_override:%q}} cells:"zone1"`,
			Keyspace, Keyspace, Sharded, Sharded+"_0", Sharded+"_1"),
		"--vschema_ddl_authorized_users", "%",
		"--tablet_types_to_wait", "PRIMARY", "--mycnf_server_id", "1", "--normalize_queries", "--dbddl_plugin", "vttest",
		"--foreign_key_mode", "allow", "--enable_online_ddl", "--enable_direct_ddl=" + strconv.FormatBool(directDDL),
		"--enable_system_settings=true", "--tablet_refresh_interval=1s", "--queryserver-config-schema-reload-time", "60s",
		"--queryserver-config-transaction-timeout", "20s", "--queryserver-config-max-result-size", "100000",
		// With 8.0 it would send settings as hints, which MariaDB takes for comments.
		"--mysql_server_version", "5.7.44-Vitess", "--mysql_auth_server_impl", "none",
		"--mysql_server_bind_address", "127.0.0.1", "--mysql_server_port", ports[0],
		"--bind-address", "127.0.0.1", "--port", ports[1], "--grpc_bind_address", "127.0.0.1", "--grpc_port", ports[2],
	}
	for _, user := range []string{"app", "dba", "allprivs", "filtered", "appdebug", "repl"} {
		args = append(args, "--db_"+user+"_user", "vt_dba")
	}
	return args
}

// answers waits until the keyspace can be used.
func (s *Server) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := sql.Open("mysql", s.DSN(Keyspace))
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		if _, err = db.ExecContext(ctx, "SHOW TABLES"); err == nil {
			return nil
		}
		select {
		case <-s.done:
			return fmt.Errorf("vtcombo ended: %s", tail(s.log.Bytes()))
		case <-ctx.Done():
			return fmt.Errorf("vtcombo does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// DSN connects to a keyspace, for the MySQL driver.
func (s *Server) DSN(keyspace string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.InterpolateParams = "root", "tcp", s.Addr, keyspace, true
	c.Logger = &mysql.NopLogger{} // while it starts it is not there
	return c.FormatDSN()
}

// BackendDSN connects to a database of the MariaDB server behind it.
func (s *Server) BackendDSN(database string) string { return s.backend.DSN(database) }

// Stop ends both servers.
func (s *Server) Stop() (err error) {
	s.stop.Do(func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-s.done:
			case <-time.After(10 * time.Second):
				_ = s.cmd.Process.Kill()
				<-s.done
			}
		}
		err = s.backend.Stop()
	})
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// freePorts are some loopback ports that nobody listens on.
func freePorts(n int) (ports []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}

func tail(text []byte) string {
	const most = 2000
	return string(text[max(0, len(text)-most):])
}
