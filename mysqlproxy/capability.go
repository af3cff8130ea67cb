package mysqlproxy

// capability is the set of protocol features two sides agree on.
type capability uint32

const (
	clientLongPassword     capability = 1 << 0 // also: "not MariaDB's own dialect"
	clientFoundRows        capability = 1 << 1
	clientLongFlag         capability = 1 << 2
	clientConnectWithDB    capability = 1 << 3
	clientNoSchema         capability = 1 << 4
	clientODBC             capability = 1 << 6
	clientIgnoreSpace      capability = 1 << 8
	clientProtocol41       capability = 1 << 9
	clientInteractive      capability = 1 << 10
	clientSSL              capability = 1 << 11
	clientIgnoreSigpipe    capability = 1 << 12
	clientTransactions     capability = 1 << 13
	clientReserved         capability = 1 << 14
	clientSecureConnection capability = 1 << 15
	clientMultiStatements  capability = 1 << 16
	clientMultiResults     capability = 1 << 17
	clientPSMultiResults   capability = 1 << 18
	clientPluginAuth       capability = 1 << 19
	clientConnectAttrs     capability = 1 << 20
	clientLenencAuth       capability = 1 << 21
	clientExpiredPasswords capability = 1 << 22
	clientDeprecateEOF     capability = 1 << 24
)

// offered is what clients may use. Left out on purpose: compression and query
// attributes (they change every packet), LOCAL INFILE, session tracking and
// optional metadata (they change the answers).
const offered = clientLongPassword | clientFoundRows | clientLongFlag | clientConnectWithDB | clientNoSchema | clientODBC |
	clientIgnoreSpace | clientProtocol41 | clientInteractive | clientIgnoreSigpipe | clientTransactions | clientReserved |
	clientSecureConnection | clientMultiStatements | clientMultiResults | clientPSMultiResults | clientPluginAuth |
	clientConnectAttrs | clientLenencAuth | clientExpiredPasswords | clientDeprecateEOF

// passedOn are the features that a backend must be asked for exactly as the
// client asked, because they change what statements mean or how answers look.
const passedOn = clientFoundRows | clientLongFlag | clientNoSchema | clientODBC | clientIgnoreSpace | clientInteractive |
	clientMultiStatements | clientMultiResults | clientPSMultiResults | clientExpiredPasswords | clientDeprecateEOF

// Server status flags.
const (
	statusInTransaction uint16 = 0x0001
	statusAutocommit    uint16 = 0x0002
	statusMoreResults   uint16 = 0x0008
	statusCursorExists  uint16 = 0x0040
)

// The names of the authentication methods.
const (
	nativePassword = "mysql_native_password"
	cachingSHA2    = "caching_sha2_password"
	clearPassword  = "mysql_clear_password"
)

func (c capability) has(f capability) bool { return c&f == f }
