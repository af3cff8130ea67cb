package mysqlproxy

import (
	"context"
	"fmt"
	"time"
)

// Command is the kind of a client's request: the command byte of the MySQL
// protocol.
type Command byte

// The commands a Handler sees. Others are forwarded or refused without asking.
const (
	InitDB          Command = 0x02
	Query           Command = 0x03
	FieldList       Command = 0x04
	Prepare         Command = 0x16
	Execute         Command = 0x17
	ResetConnection Command = 0x1f
)

// The commands handled by the proxy alone.
const (
	changeUser   Command = 0x11
	quit         Command = 0x01
	statistics   Command = 0x09
	debug        Command = 0x0d
	ping         Command = 0x0e
	sendLongData Command = 0x18
	closeStmt    Command = 0x19
	resetStmt    Command = 0x1a
	setOption    Command = 0x1b
	fetchStmt    Command = 0x1c
)

// String gives the protocol's name of the command, like "COM_QUERY".
func (c Command) String() string {
	switch c {
	case quit:
		return "COM_QUIT"
	case InitDB:
		return "COM_INIT_DB"
	case Query:
		return "COM_QUERY"
	case FieldList:
		return "COM_FIELD_LIST"
	case statistics:
		return "COM_STATISTICS"
	case debug:
		return "COM_DEBUG"
	case ping:
		return "COM_PING"
	case changeUser:
		return "COM_CHANGE_USER"
	case Prepare:
		return "COM_STMT_PREPARE"
	case Execute:
		return "COM_STMT_EXECUTE"
	case sendLongData:
		return "COM_STMT_SEND_LONG_DATA"
	case closeStmt:
		return "COM_STMT_CLOSE"
	case resetStmt:
		return "COM_STMT_RESET"
	case setOption:
		return "COM_SET_OPTION"
	case fetchStmt:
		return "COM_STMT_FETCH"
	case ResetConnection:
		return "COM_RESET_CONNECTION"
	}
	return fmt.Sprintf("command 0x%02x", byte(c))
}

// Statement is one request of a client. The members up to Started are set when
// the Handler decides, the others when it has finished.
type Statement struct {
	Conn        uint64 // number of the client connection
	BackendConn uint32 // the connection's id at the backend, what CONNECTION_ID() gives
	Command     Command
	Database    string // the client's name for the database in use, as far as the protocol shows it

	// SQL is the text of a Query or Prepare, the prepared text of an Execute,
	// the database of an InitDB and the table of a FieldList.
	SQL       string
	Truncated bool // SQL is the beginning of a text longer than Server.MaxText
	Started   time.Time

	Took          time.Duration
	Affected      uint64 // rows, summed over all results
	LastInsertID  uint64 // the last one that is not zero
	Rows          uint64 // rows sent to the client, summed over all results
	Results       []ResultInfo
	InTransaction bool   // the backend's word after the statement
	Err           *Error // what the client was told

	ctx      context.Context
	args     func() ([]Arg, error)
	finished bool
}

// ResultInfo is the outcome of one of the results a statement had: a text with
// several statements has one for each that was carried out.
type ResultInfo struct {
	Took                         time.Duration
	Affected, LastInsertID, Rows uint64
	Err                          *Error
}

// Context ends when the client's connection is closed by the Server or by
// Session.Until.
func (s *Statement) Context() context.Context {
	if s.ctx == nil {
		return context.Background()
	}
	return s.ctx
}

// Arg is one parameter of a prepared statement. Value is its text as it would
// stand in SQL without quotes; it is empty when Null.
type Arg struct {
	Type  byte // the protocol's type number
	Null  bool
	Value string
}

// Args gives the parameters of an Execute. It may be called only while the
// Handler's Statement method runs. For other commands it gives nothing.
func (s *Statement) Args() ([]Arg, error) {
	if s.args == nil {
		return nil, nil
	}
	return s.args()
}
