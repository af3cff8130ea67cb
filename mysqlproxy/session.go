// Package mysqlproxy speaks the MySQL protocol to a client on one side and a server on the other, and lets its owner see and
// decide on every statement.
package mysqlproxy

import (
	"context"
	"crypto/tls"
	"net"
)

// Attempt is one login of a client, before anything is known about it but
// what it said. Database is the name the client asked for, or empty.
type Attempt struct {
	Conn     uint64 // number of the client connection, unique within a Server
	User     string
	Database string
	Remote   net.Addr
	TLS      bool

	// Verify says whether the client proved to know password. It works with
	// the plain password because both supported authentication methods send
	// only a salted hash of it.
	Verify func(password string) bool
}

// Session is what a login leads to: the server behind the client's connection
// and the owner's eye on its statements.
type Session struct {
	Backend Backend

	// Handler sees each statement of this connection. Nil forwards everything.
	Handler Handler

	// MapDatabase gives the backend's name for the database a client asks for
	// in the handshake, with COM_INIT_DB, COM_CHANGE_USER or a lone USE. An
	// empty result, or a nil function and no name from the client, means
	// Backend.Database.
	MapDatabase func(string) string

	// Until ends the connection when it is done; a statement that is running
	// is then answered with context.Cause, if that is an *Error. Nil: never.
	Until context.Context

	// MaxRows, if not zero, is the largest number of rows of one result set;
	// the row after it is replaced by the error RowsExceeded.
	MaxRows uint64

	// Aside, if not nil, brings statements of the owner's own.
	Aside *Aside

	// Done, if not nil, is called once when the connection has ended.
	Done func()
}

// Backend is a MySQL server and how to log in to it. With TLS set, the
// connection is upgraded before any credential is sent, and a server that
// cannot do so is an error.
type Backend struct {
	Dial     func(ctx context.Context) (net.Conn, error)
	User     string
	Password string
	Database string
	TLS      *tls.Config
}

// Handler is implemented by the owner of a Server, one value for each client
// connection. Both methods are called from that connection's goroutine only.
type Handler interface {
	// Statement is called before a statement goes to the backend, and
	// decides. It may block; the statement's Context ends with the connection.
	Statement(*Statement) Verdict

	// Finished is called when the outcome is known and just before the client
	// learns it: with it, the same *Statement has Took, Affected, Rows,
	// Results and Err.
	Finished(*Statement)
}

// Verdict is what a Handler decides about a statement. The zero value
// forwards it; else the first member set is the answer to the client, and the
// backend never sees the statement.
type Verdict struct {
	Err    *Error
	Result *Result
	OK     bool

	Warnings uint16 // that come with OK
	AnyRows  bool   // a statement that is forwarded is not held to MaxRows
}

// Result is a small result set made by a Handler. Rows have as many values as
// there are Columns; nil is NULL. For Prepare only the columns count.
type Result struct {
	Columns []string
	Types   []ColumnType // one for each column; nil means all text
	Rows    [][]*string
}

// ColumnType is the type a column of a Result is announced with.
type ColumnType byte

// The types of a Result's columns. An Integer value must be decimal digits
// that fit 64 bits signed.
const (
	Text ColumnType = iota
	Integer
)
