package mysqlproxy

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

// bytesWire reads from b and writes to the buffer it returns.
func bytesWire(b []byte) (*wire, *bytes.Buffer) {
	var out bytes.Buffer
	return &wire{r: bufio.NewReaderSize(bytes.NewReader(b), bufferSize), w: bufio.NewWriterSize(&out, bufferSize)}, &out
}

// TestMessagesOfAllLengths moves messages around the length of a full packet in
// every way there is, with the held part ending everywhere.
func TestMessagesOfAllLengths(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcde"), (2*maxChunk+100)/15+1)
	for _, size := range []int{0, 1, 5000, maxChunk - 1, maxChunk, maxChunk + 1} {
		w, out := bytesWire(nil)
		if err := w.write(body[:size]); err != nil {
			t.Fatal(err)
		}
		w.w.Flush()
		sent := bytes.Clone(out.Bytes())
		if want := size + 4*(size/maxChunk+1); len(sent) != want {
			t.Errorf("%d bytes became %d on the wire, want %d", size, len(sent), want)
		}
		src, _ := bytesWire(sent)
		dst, out := bytesWire(nil)
		if err := dst.copyMessage(src); err != nil {
			t.Fatal(err)
		}
		if dst.w.Flush(); !bytes.Equal(out.Bytes(), sent) {
			t.Errorf("%d bytes are not copied whole", size)
		}
		for _, limit := range []int{1, 4096, maxChunk, 2 * maxChunk} {
			src, _ := bytesWire(sent)
			head, rest, err := src.readHead(limit)
			if err != nil || len(head) != min(size, limit) || rest.more() != (size > limit) || !bytes.Equal(head, body[:len(head)]) {
				t.Fatalf("%d bytes, of which %d: %d held, more %v, %v", size, limit, len(head), rest.more(), err)
			}
			dst, out := bytesWire(nil)
			if err := dst.forward(head, rest); err != nil {
				t.Fatal(err)
			}
			if dst.w.Flush(); !bytes.Equal(out.Bytes(), sent) {
				t.Errorf("%d bytes, of which %d held, are not forwarded whole", size, limit)
			}
			src, _ = bytesWire(append(bytes.Clone(sent), 1, 0, 0, src.seq, 'x'))
			_, rest, _ = src.readHead(limit)
			if err := rest.discard(); err != nil {
				t.Fatal(err)
			}
			if next, err := src.read(1); err != nil || string(next) != "x" {
				t.Errorf("%d bytes, of which %d held, are not discarded whole: %q, %v", size, limit, next, err)
			}
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	w, out := bytesWire(nil)
	w.write(make([]byte, 100))
	w.w.Flush()
	src, _ := bytesWire(out.Bytes())
	if _, err := src.read(99); err != errTooLong {
		t.Errorf("got %v", err)
	}
	// A header that promises 16 MiB costs nothing until they come.
	promise := []byte{0xff, 0xff, 0xff, 0, 1, 2, 3}
	if n := testing.AllocsPerRun(1, func() {
		src, _ := bytesWire(promise)
		if _, err := src.read(1 << 30); err != io.ErrUnexpectedEOF {
			t.Errorf("got %v", err)
		}
	}); n > 20 {
		t.Errorf("%v allocations", n)
	}
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		kind byte
		b    string
		want string
	}{
		{0x0c, "\x00", "0000-00-00 00:00:00"},
		{0x0a, "\x04\xea\x07\x01\x02", "2026-01-02"},
		{0x0c, "\x07\xea\x07\x01\x02\x03\x04\x05", "2026-01-02 03:04:05"},
		{0x07, "\x0b\xea\x07\x01\x02\x03\x04\x05\x06\x00\x00\x00", "2026-01-02 03:04:05.000006"},
		{0x0b, "\x00", "00:00:00"},
		{0x0b, "\x08\x01\x01\x00\x00\x00\x02\x03\x04", "-26:03:04"},
		{0x0b, "\x0c\x00\x00\x00\x00\x00\x02\x03\x04\x05\x00\x00\x00", "02:03:04.000005"},
		{0x01, "\xff", "-1"}, {0x02, "\xfe\xff", "-2"}, {0x03, "\xfd\xff\xff\xff", "-3"}, {0x04, "\x00\x00\x20\x40", "2.5"},
	} {
		f := newFields([]byte(c.b))
		if got := binaryValue(f, c.kind, false); got != c.want || !f.ok || len(f.b) > 0 {
			t.Errorf("%#x %q: %q, want %q", c.kind, c.b, got, c.want)
		}
	}
}

func TestUseName(t *testing.T) {
	for sql, want := range map[string]string{
		"USE shop": "shop", "use `sh``op`;": "sh`op", "USE\tshop ; ": "shop", "USE`shop`": "shop", "USE my-shop": "my-shop", "USE @primary": "@primary",
		"USE": "", "USER shop": "", "USE a; DROP TABLE b": "", "USE `a` b": "", "SELECT 1": "", "USE a b": "", "USE INDEX (x)": "", "": "",
	} {
		if got, ok := useName(sql); got != want || ok != (want != "") {
			t.Errorf("%q: %q %v, want %q", sql, got, ok, want)
		}
	}
}

func TestCountParams(t *testing.T) {
	for sql, want := range map[string]int{
		"": 0, "?": 1, "? ?,(?)": 3, "'?' ?": 1, `"?\"?" ?`: 1, "'it''s ?' ?": 1, "`?` ?": 1, "# ?\n?": 1, "-- ?\n?": 1, "--\t?\n?": 1, "--\n?": 1, "a--?": 1, "/* ? */ ?": 1, "/* ?": 0, "'?": 0, `'\`: 0,
	} {
		if got := countParams(sql); got != want {
			t.Errorf("%q: %d, want %d", sql, got, want)
		}
	}
}
