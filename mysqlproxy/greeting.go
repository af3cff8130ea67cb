package mysqlproxy

import "bytes"

// greeting is the first packet of a server (protocol 10).
type greeting struct {
	version string
	conn    uint32
	salt    []byte
	caps    capability
	charset byte
	status  uint16
	plugin  string
}

func (g *greeting) encode() []byte {
	b := append([]byte{10}, g.version...)
	b = append(b, 0)
	b = le.AppendUint32(b, g.conn)
	b = append(b, g.salt[:8]...)
	b = append(b, 0)
	b = le.AppendUint16(b, uint16(g.caps))
	b = append(b, g.charset)
	b = le.AppendUint16(b, g.status)
	b = le.AppendUint16(b, uint16(g.caps>>16))
	b = append(b, byte(len(g.salt)+1))
	b = append(b, make([]byte, 10)...)
	b = append(append(b, g.salt[8:]...), 0)
	return append(append(b, g.plugin...), 0)
}

func parseGreeting(b []byte) (*greeting, error) {
	f := newFields(b)
	if v := f.byte(); v != 10 {
		return nil, malformed("a server greeting of protocol version %d", v)
	}
	g := &greeting{version: string(f.zeroBytes()), conn: f.uint32()}
	salt := bytes.Clone(f.bytes(8))
	f.byte()
	g.caps = capability(f.uint16())
	if !f.ok {
		return nil, malformed("a server greeting of %d bytes", len(b))
	}
	g.charset, g.status = f.byte(), f.uint16()
	g.caps |= capability(f.uint16()) << 16
	length := int(f.byte())
	f.bytes(10)
	salt = append(salt, f.bytes(uint64(max(13, length-8)))...)
	if !f.ok || !g.caps.has(clientProtocol41|clientSecureConnection) {
		return nil, malformed("the server is too old: it does not speak the protocol of MySQL 4.1")
	}
	g.salt = salt[:saltLength]
	if g.caps.has(clientPluginAuth) {
		g.plugin = string(f.zeroOrEnd())
	} else {
		g.plugin = nativePassword
	}
	return g, nil
}

// response is a client's answer to the greeting.
type response struct {
	caps     capability
	charset  byte
	user     string
	answer   []byte
	database string
	plugin   string
	tls      bool // nothing but the wish to go on with TLS
}

// sslRequestLength is the length of the answer that ends where the user name
// would follow.
const sslRequestLength = 32

func (r *response) encode() []byte {
	b := le.AppendUint32(nil, uint32(r.caps))
	b = le.AppendUint32(b, 1<<30) // the largest message we take: we only pass them on
	b = append(b, r.charset)
	b = append(b, make([]byte, 23)...)
	if r.tls {
		return b
	}
	b = append(append(b, r.user...), 0)
	b = append(append(b, byte(len(r.answer))), r.answer...)
	if r.caps.has(clientConnectWithDB) {
		b = append(append(b, r.database...), 0)
	}
	if r.caps.has(clientPluginAuth) {
		b = append(append(b, r.plugin...), 0)
	}
	return b
}

func parseResponse(b []byte) (*response, error) {
	f := newFields(b)
	r := &response{caps: capability(f.uint32())}
	f.uint32()
	r.charset = f.byte()
	f.bytes(23)
	if !f.ok || !r.caps.has(clientProtocol41) {
		return nil, malformed("the client does not speak the protocol of MySQL 4.1")
	}
	if len(b) == sslRequestLength && r.caps.has(clientSSL) {
		r.tls = true
		return r, nil
	}
	r.user = string(f.zeroBytes())
	switch {
	case r.caps.has(clientLenencAuth):
		r.answer = f.lengthBytes()
	case r.caps.has(clientSecureConnection):
		r.answer = f.bytes(uint64(f.byte()))
	default:
		r.answer = f.zeroBytes()
	}
	if !f.ok {
		return nil, malformed("the client's login of %d bytes is cut short", len(b))
	}
	// The rest is optional in practice: clients announce what they leave out.
	if r.caps.has(clientConnectWithDB) {
		r.database = string(f.zeroOrEnd())
	}
	if r.caps.has(clientPluginAuth) {
		r.plugin = string(f.zeroOrEnd())
	}
	return r, nil
}

// parseChangeUser reads COM_CHANGE_USER without its command byte.
func parseChangeUser(b []byte, caps capability) (*response, error) {
	f := newFields(b)
	r := &response{caps: caps, user: string(f.zeroBytes())}
	r.answer = f.bytes(uint64(f.byte()))
	r.database = string(f.zeroOrEnd())
	if !f.ok {
		return nil, malformed("a change of user of %d bytes is cut short", len(b))
	}
	if len(f.b) >= 2 {
		r.charset = byte(f.uint16())
	}
	if caps.has(clientPluginAuth) {
		r.plugin = string(f.zeroOrEnd())
	}
	return r, nil
}
