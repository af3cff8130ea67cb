package mysqlproxy

import "fmt"

// Error is an error in MySQL's terms: what an ERR packet carries.
type Error struct {
	Number  uint16
	State   string // five characters; HY000 when empty
	Message string
}

// Error gives the text that MySQL's own clients print.
func (e *Error) Error() string {
	return fmt.Sprintf("error %d (%s): %s", e.Number, e.state(), e.Message)
}

func (e *Error) state() string {
	if len(e.State) != 5 {
		return "HY000"
	}
	return e.State
}

// FailureKind says at which stage a client's connection failed.
type FailureKind string

// The stages at which a connection can fail before its first statement.
const (
	FailedTLS      FailureKind = "tls"      // the client refused the certificate or broke off the TLS handshake
	FailedLogin    FailureKind = "login"    // Login returned an error
	FailedProtocol FailureKind = "protocol" // what arrived was not the MySQL protocol, or never arrived
	FailedBackend  FailureKind = "backend"  // the login was good, but the backend could not be reached
)

// Failure is a client connection that ended before it could send a statement.
type Failure struct {
	Kind   FailureKind
	Remote string
	User   string
	Err    error
}

// RowsExceeded is what PlanetScale answers when a result has more than its
// 100 000 rows; the number follows from Vitess's mapping of Aborted.
func RowsExceeded(max uint64) *Error {
	return &Error{Number: 1317, State: "70100", Message: fmt.Sprintf("Row count exceeded %d", max)}
}
