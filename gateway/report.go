package gateway

import "strings"

// What a Report holds at most, so that a run of a million statements stays
// readable and small.
const (
	maxListed = 10_000
	maxKept   = 16 << 10 // bytes of a statement's text
)

// Report is what a gateway has seen so far.
type Report struct {
	Connections   int // clients that logged in
	FailedTLS     int // clients that refused the certificate or broke off the TLS handshake
	FailedLogins  int // wrong user or password
	FailedBackend int // clients that logged in while the branch could not be reached
	Statements    int

	// DataChanges and DDL are the statements of these classes that succeeded,
	// in the order they finished, with at most 16 KiB of their text. Unlisted
	// counts those beyond the first 10 000 of each.
	DataChanges []Statement
	DDL         []Statement
	Unlisted    int

	// Migrations are the tables that each migration defined, in the order they
	// ran. One that defines none is not among them.
	Migrations [][]string
}

// Report gives what was seen so far; after Close, everything.
func (g *Gateway) Report() Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.report
	// The lists only grow, so that a copy of their heads is safe.
	r.DataChanges = r.DataChanges[:len(r.DataChanges):len(r.DataChanges)]
	r.DDL = r.DDL[:len(r.DDL):len(r.DDL)]
	r.Migrations = r.Migrations[:len(r.Migrations):len(r.Migrations)]
	if len(g.open) > 0 { // its row came first, or it failed
		r.Migrations = append(r.Migrations, g.open)
	}
	return r
}

// record counts a statement and hands it to the owner.
func (g *Gateway) record(s Statement) {
	g.mu.Lock()
	g.report.Statements++
	if s.Err == nil {
		if s.Class == Data {
			g.list(&g.report.DataChanges, s)
		}
		if s.Class == DDL || s.Schema {
			g.list(&g.report.DDL, s)
		}
		g.attribute(s)
	}
	g.mu.Unlock()
	if g.options.Record != nil {
		g.recording.Lock()
		defer g.recording.Unlock()
		g.options.Record(s)
	}
}

func (g *Gateway) list(to *[]Statement, s Statement) {
	if len(*to) >= maxListed {
		g.report.Unlisted++
		return
	}
	if len(s.SQL) > maxKept {
		s.SQL, s.Truncated = strings.Clone(s.SQL[:maxKept]), true
	}
	*to = append(*to, s)
}
