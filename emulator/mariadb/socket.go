package mariadb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// socketLimit is the longest path a unix socket can have (sun_path of 108 bytes with its zero; 104 on macOS).
const socketLimit = 103

// placeSocket chooses where the socket goes: into the server's folder, or, when that path is too long, into a folder under the
// system's temporary one. A symbolic link remembers the latter, so that the next start can tidy up after a killed process.
func (s *Server) placeSocket() error {
	s.Socket = filepath.Join(s.dir, "sock")
	if len(s.Socket) <= socketLimit {
		return os.RemoveAll(s.Socket)
	}
	short, err := os.MkdirTemp("", "pmig-db-")
	if err != nil {
		return err
	}
	s.Socket, s.socketDir = filepath.Join(short, "sock"), short
	if len(s.Socket) > socketLimit {
		return fmt.Errorf("the temporary folder %s is too long for a unix socket", filepath.Dir(short))
	}
	return os.Symlink(short, filepath.Join(s.dir, "socket"))
}

// endLeftover stops a server that outlived the process that started it (possible where a child cannot be bound to its parent), and
// removes its socket. The folder's lock is held, so nobody else is using that server.
func (s *Server) endLeftover(ctx context.Context) error {
	sock, link := filepath.Join(s.dir, "sock"), filepath.Join(s.dir, "socket")
	short, err := os.Readlink(link)
	if err == nil {
		sock = filepath.Join(short, "sock")
		defer func() { _ = os.RemoveAll(short); _ = os.Remove(link) }()
	}
	conn, err := net.DialTimeout("unix", sock, time.Second)
	if err != nil {
		return nil // nothing is there
	}
	conn.Close()
	old := &Server{Socket: sock}
	db, err := old.open()
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	for {
		// The answer may be lost, so only the closed socket counts.
		_, _ = db.ExecContext(ctx, "SHUTDOWN")
		conn, err := net.DialTimeout("unix", sock, time.Second)
		if err != nil {
			return nil
		}
		conn.Close()
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("a database server left behind in %s does not end", s.dir), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
