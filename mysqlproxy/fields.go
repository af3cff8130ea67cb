package mysqlproxy

import (
	"bytes"
	"encoding/binary"
)

var le = binary.LittleEndian

// fields reads the parts of one message. After a read beyond the end, ok is
// false and every further read gives zero.
type fields struct {
	b  []byte
	ok bool
}

func newFields(b []byte) *fields { return &fields{b: b, ok: true} }

// bytes gives the next n bytes, sharing memory with the message.
func (f *fields) bytes(n uint64) []byte {
	if !f.ok || n > uint64(len(f.b)) {
		f.b, f.ok = nil, false
		return nil
	}
	out := f.b[:n:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) byte() byte {
	if b := f.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint16() uint16 {
	if b := f.bytes(2); b != nil {
		return le.Uint16(b)
	}
	return 0
}

func (f *fields) uint32() uint32 {
	if b := f.bytes(4); b != nil {
		return le.Uint32(b)
	}
	return 0
}

func (f *fields) uint64() uint64 {
	if b := f.bytes(8); b != nil {
		return le.Uint64(b)
	}
	return 0
}

// length reads a length-encoded integer. 0xfb (NULL) and 0xff are no length.
func (f *fields) length() uint64 {
	switch c := f.byte(); c {
	case 0xfc:
		return uint64(f.uint16())
	case 0xfd:
		if b := f.bytes(3); b != nil {
			return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16
		}
		return 0
	case 0xfe:
		return f.uint64()
	case 0xfb, 0xff:
		f.b, f.ok = nil, false
		return 0
	default:
		return uint64(c)
	}
}

// lengthBytes reads a length-encoded string.
func (f *fields) lengthBytes() []byte { return f.bytes(f.length()) }

// zeroBytes reads up to a zero byte, which must be there.
func (f *fields) zeroBytes() []byte {
	i := bytes.IndexByte(f.b, 0)
	if !f.ok || i < 0 {
		f.b, f.ok = nil, false
		return nil
	}
	out := f.b[:i:i]
	f.b = f.b[i+1:]
	return out
}

// zeroOrEnd reads up to a zero byte or the end: some clients leave out the
// last zero.
func (f *fields) zeroOrEnd() []byte {
	if bytes.IndexByte(f.b, 0) >= 0 {
		return f.zeroBytes()
	}
	return f.bytes(uint64(len(f.b)))
}

func appendLength(b []byte, n uint64) []byte {
	switch {
	case n < 0xfb:
		return append(b, byte(n))
	case n < 1<<16:
		return append(b, 0xfc, byte(n), byte(n>>8))
	case n < 1<<24:
		return append(b, 0xfd, byte(n), byte(n>>8), byte(n>>16))
	}
	return le.AppendUint64(append(b, 0xfe), n)
}

func appendLengthString(b []byte, s string) []byte {
	return append(appendLength(b, uint64(len(s))), s...)
}
