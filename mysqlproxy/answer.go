package mysqlproxy

import "strconv"

// Types and character sets of the columns that are announced.
const (
	typeLongLong  = 0x08
	typeVarString = 0xfd
	charsetUTF8   = 45 // utf8mb4_general_ci, known to every client
	charsetBinary = 63
	flagBinary    = 0x80
)

// encode gives the packets of a result set.
func (r *Result) encode(deprecateEOF, binary bool, status uint16) [][]byte {
	end := okPacket{status: status}.encodeEnd(deprecateEOF)
	packets := [][]byte{appendLength(nil, uint64(len(r.Columns)))}
	packets = append(packets, r.encodeColumns()...)
	if !deprecateEOF {
		packets = append(packets, end)
	}
	for _, row := range r.Rows {
		packets = append(packets, r.encodeRow(row, binary))
	}
	return append(packets, end)
}

// encodePrepared gives the answer to preparing a statement with params
// parameters and this result.
func (r *Result) encodePrepared(id uint32, params int, deprecateEOF bool, status uint16) [][]byte {
	b := le.AppendUint32([]byte{headOK}, id)
	b = le.AppendUint16(b, uint16(len(r.Columns)))
	b = le.AppendUint16(b, uint16(params))
	packets := [][]byte{append(b, 0, 0, 0)}
	end := okPacket{status: status}.encodeEnd(false)
	for range params {
		packets = append(packets, encodeColumn("?", typeVarString, charsetBinary, flagBinary))
	}
	if params > 0 && !deprecateEOF {
		packets = append(packets, end)
	}
	packets = append(packets, r.encodeColumns()...)
	if len(r.Columns) > 0 && !deprecateEOF {
		packets = append(packets, end)
	}
	return packets
}

func (r *Result) columnType(i int) ColumnType {
	if i < len(r.Types) {
		return r.Types[i]
	}
	return Text
}

func (r *Result) encodeColumns() [][]byte {
	var packets [][]byte
	for i, name := range r.Columns {
		if r.columnType(i) == Integer {
			packets = append(packets, encodeColumn(name, typeLongLong, charsetBinary, flagBinary))
		} else {
			packets = append(packets, encodeColumn(name, typeVarString, charsetUTF8, 0))
		}
	}
	return packets
}

func encodeColumn(name string, kind, charset byte, flags uint16) []byte {
	length := uint32(1024)
	if kind == typeLongLong {
		length = 21
	}
	b := appendLengthString(nil, "def")
	b = append(b, 0, 0, 0) // schema, table, original table
	b = appendLengthString(b, name)
	b = append(b, 0, 0x0c) // original name; length of what follows
	b = le.AppendUint16(b, uint16(charset))
	b = le.AppendUint32(b, length)
	b = append(b, kind)
	b = le.AppendUint16(b, flags)
	return append(b, 0, 0, 0)
}

func (r *Result) encodeRow(row []*string, binary bool) []byte {
	var b []byte
	offset := 0
	if binary {
		b = make([]byte, 1+(len(row)+9)/8)
		offset = 2
	}
	for i, v := range row {
		switch {
		case v == nil && binary:
			b[1+(i+offset)/8] |= 1 << ((i + offset) % 8)
		case v == nil:
			b = append(b, headLocal)
		case binary && r.columnType(i) == Integer:
			n, _ := strconv.ParseInt(*v, 10, 64)
			b = le.AppendUint64(b, uint64(n))
		default:
			b = appendLengthString(b, *v)
		}
	}
	return b
}
