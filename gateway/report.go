package gateway

// Report is what a gateway has seen so far.
type Report struct {
	Connections   int // clients that logged in
	FailedTLS     int // clients that refused the certificate or broke off the TLS handshake
	FailedLogins  int // wrong user or password
	FailedBackend int // clients that logged in while the branch could not be reached
	Statements    int
	DataChanges   []Statement
	DDL           []Statement
}

// Endpoint says how to connect.
func (g *Gateway) Endpoint() Endpoint { panic("being built") }

// Report gives what was seen so far; after Close, everything.
func (g *Gateway) Report() Report { panic("being built") }

// Close ends every connection, stops listening and waits for both.
func (g *Gateway) Close() error { panic("being built") }
