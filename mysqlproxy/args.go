package mysqlproxy

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// layout finds the parts of an Execute's parameters: the NULL bitmap, whether
// types follow, and the rest.
func (p *prepared) layout(head []byte) (nulls []byte, bound bool, rest *fields) {
	f := newFields(head)
	f.bytes(10) // command, id, flags, iteration count
	nulls = f.bytes(uint64(p.params+7) / 8)
	bound = f.byte() == 1
	return nulls, bound, f
}

// noteTypes keeps the parameter types of an Execute for those that follow and
// leave them out.
func (p *prepared) noteTypes(head []byte) {
	if p.params == 0 {
		return
	}
	if _, bound, f := p.layout(head); bound {
		if types := f.bytes(2 * uint64(p.params)); f.ok {
			p.types = slices.Clone(types)
		}
	}
}

func (p *prepared) addLong(head []byte) {
	f := newFields(head[1:])
	f.uint32()
	n := int(f.uint16())
	if !f.ok || n >= p.params || len(p.long[n])+len(f.b) > maxArgs {
		return
	}
	if p.long == nil {
		p.long = map[int][]byte{}
	}
	p.long[n] = append(p.long[n], f.b...)
}

var errNoTypes = errors.New("the parameters have no types")

// args decodes the parameters of an Execute.
func (p *prepared) args(head []byte) ([]Arg, error) {
	if p.params == 0 {
		return nil, nil
	}
	nulls, bound, f := p.layout(head)
	if bound {
		f.bytes(2 * uint64(p.params))
	}
	if !f.ok || len(p.types) < 2*p.params {
		return nil, errNoTypes
	}
	args := make([]Arg, p.params)
	for i := range args {
		kind, unsigned := p.types[2*i], p.types[2*i+1]&0x80 != 0
		args[i].Type = kind
		switch long, isLong := p.long[i]; {
		case isLong:
			args[i].Value = string(long)
		case nulls[i/8]>>(i%8)&1 == 1 || kind == 0x06:
			args[i].Null = true
		default:
			args[i].Value = binaryValue(f, kind, unsigned)
		}
		if !f.ok {
			return nil, malformed("parameter %d is cut short", i+1)
		}
	}
	return args, nil
}

// binaryValue reads one value of the binary protocol as text.
func binaryValue(f *fields, kind byte, unsigned bool) string {
	integer := func(bits int, v uint64) string {
		if unsigned {
			return strconv.FormatUint(v, 10)
		}
		return strconv.FormatInt(int64(v)<<(64-bits)>>(64-bits), 10)
	}
	switch kind {
	case 0x01:
		return integer(8, uint64(f.byte()))
	case 0x02, 0x0d:
		return integer(16, uint64(f.uint16()))
	case 0x03, 0x09:
		return integer(32, uint64(f.uint32()))
	case 0x08:
		return integer(64, f.uint64())
	case 0x04:
		return strconv.FormatFloat(float64(math.Float32frombits(f.uint32())), 'g', -1, 32)
	case 0x05:
		return strconv.FormatFloat(math.Float64frombits(f.uint64()), 'g', -1, 64)
	case 0x07, 0x0a, 0x0c:
		return dateValue(newFields(f.bytes(uint64(f.byte()))))
	case 0x0b:
		return timeValue(newFields(f.bytes(uint64(f.byte()))))
	}
	return string(f.lengthBytes())
}

func dateValue(f *fields) string {
	if len(f.b) == 0 {
		return "0000-00-00 00:00:00"
	}
	y, mo, d := int(f.uint16()), f.byte(), f.byte()
	out := pad(y, 4) + "-" + pad(int(mo), 2) + "-" + pad(int(d), 2)
	if len(f.b) > 0 {
		out += " " + clock(int(f.byte()), f)
	}
	return out
}

func timeValue(f *fields) string {
	if len(f.b) == 0 {
		return "00:00:00"
	}
	sign := ""
	if f.byte() == 1 {
		sign = "-"
	}
	days := int(f.uint32())
	return sign + clock(days*24+int(f.byte()), f)
}

// clock reads minutes, seconds and, if there, microseconds.
func clock(hours int, f *fields) string {
	out := pad(hours, 2) + ":" + pad(int(f.byte()), 2) + ":" + pad(int(f.byte()), 2)
	if len(f.b) >= 4 {
		out += "." + pad(int(f.uint32()), 6)
	}
	return out
}

func pad(n, width int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(0, width-len(s))) + s
}
