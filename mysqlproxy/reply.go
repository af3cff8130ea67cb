package mysqlproxy

// The first bytes that tell answers apart.
const (
	headOK    = 0x00
	headMore  = 0x01
	headLocal = 0xfb
	headEOF   = 0xfe
	headErr   = 0xff
)

// okPacket is an OK packet, or the end of rows in its old and its new form.
type okPacket struct {
	affected, lastInsertID uint64
	status, warnings       uint16
}

// parseOK reads an OK packet, and the packet that ends rows in both forms:
// five bytes, or an OK packet beginning with 0xfe.
func parseOK(b []byte) (okPacket, error) {
	f := newFields(b)
	head := f.byte()
	if head == headEOF && len(b) <= 5 {
		ok := okPacket{warnings: f.uint16(), status: f.uint16()}
		if !f.ok && len(b) != 1 {
			return ok, malformed("an end of rows of %d bytes", len(b))
		}
		return ok, nil
	}
	ok := okPacket{affected: f.length(), lastInsertID: f.length(), status: f.uint16(), warnings: f.uint16()}
	if !f.ok {
		return ok, malformed("an OK packet of %d bytes", len(b))
	}
	return ok, nil
}

// encode gives the OK packet with its first byte head.
func (o okPacket) encode(head byte) []byte {
	b := appendLength(appendLength([]byte{head}, o.affected), o.lastInsertID)
	return le.AppendUint16(le.AppendUint16(b, o.status), o.warnings)
}

// encodeEnd gives the packet that ends columns or rows.
func (o okPacket) encodeEnd(deprecateEOF bool) []byte {
	if deprecateEOF {
		return okPacket{status: o.status, warnings: o.warnings}.encode(headEOF)
	}
	return le.AppendUint16(le.AppendUint16([]byte{headEOF}, o.warnings), o.status)
}

// parseErr reads an ERR packet. One sent before the handshake has no state.
func parseErr(b []byte) *Error {
	f := newFields(b)
	f.byte()
	e := &Error{Number: f.uint16(), State: "HY000"}
	if len(f.b) >= 6 && f.b[0] == '#' {
		e.State = string(f.b[1:6])
		f.b = f.b[6:]
	}
	e.Message = string(f.b)
	return e
}

func (e *Error) encode() []byte {
	b := le.AppendUint16([]byte{headErr}, e.Number)
	b = append(b, '#')
	b = append(b, e.state()...)
	// MySQL's clients keep 512 bytes; nobody wants to read more than this.
	return append(b, e.Message[:min(len(e.Message), 8<<10)]...)
}
