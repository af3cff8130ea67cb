package migration

import "hash/maphash"

// chains find the numbers from 0 that were filed under a text, in order. They
// keep a hash of the text and not the text, so that a history of a hundred
// thousand rows costs a few megabytes; the caller compares what it gets.
type chains struct {
	seed  maphash.Seed
	first map[uint64]int32
	next  []int32
	text  []byte // scratch space of the caller
}

const endOfChain = -1

// newChains files the numbers below n under the texts that write appends.
func newChains(n int, write func(i int, b []byte) []byte) *chains {
	c := &chains{seed: maphash.MakeSeed(), first: make(map[uint64]int32, n), next: make([]int32, n)}
	for i := n - 1; i >= 0; i-- { // backwards, so that chains run forwards
		c.text = write(i, c.text[:0])
		h := maphash.Bytes(c.seed, c.text)
		c.next[i] = endOfChain
		if later, ok := c.first[h]; ok {
			c.next[i] = later
		}
		c.first[h] = int32(i)
	}
	return c
}

// head is the first number that may be filed under the text, endOfChain if there
// is none; next leads to the others.
func (c *chains) head(text []byte) (hash uint64, i int32) {
	hash = maphash.Bytes(c.seed, text)
	if i, ok := c.first[hash]; ok {
		return hash, i
	}
	return hash, endOfChain
}

// rowIndex finds rows by some of their columns; equal rows are found in order,
// each once.
type rowIndex struct {
	at     []int
	rows   []Row
	chains *chains
	taken  []bool
}

func newRowIndex(at []int, rows []Row) *rowIndex {
	return &rowIndex{at: at, rows: rows, taken: make([]bool, len(rows)),
		chains: newChains(len(rows), func(i int, b []byte) []byte { return appendPart(b, at, rows[i]) })}
}

// find returns the number of the next row that matches, -1 if there is none.
func (x *rowIndex) find(row Row) int {
	_, i := x.look(row)
	return i
}

func (x *rowIndex) look(row Row) (hash uint64, i int) {
	x.chains.text = appendPart(x.chains.text[:0], x.at, row)
	hash, n := x.chains.head(x.chains.text)
	for ; n != endOfChain; n = x.chains.next[n] {
		if !x.taken[n] && same(x.at, x.rows[n], row) {
			return hash, int(n)
		}
	}
	return hash, -1
}

// take is find, and the row is not found again.
func (x *rowIndex) take(row Row) int {
	hash, i := x.look(row)
	if i < 0 {
		return i
	}
	x.taken[i] = true
	if x.chains.first[hash] == int32(i) && x.chains.next[i] != endOfChain {
		x.chains.first[hash] = x.chains.next[i] // many equal rows are not walked again
	}
	return i
}

// rest are the numbers of the rows that were not taken.
func (x *rowIndex) rest() []int {
	var rest []int
	for i, t := range x.taken {
		if !t {
			rest = append(rest, i)
		}
	}
	return rest
}

// keyIndex finds rows by the key that the tool reads in them.
type keyIndex struct {
	rows   []Row
	key    func(Row) string
	chains *chains
}

func newKeyIndex(rows []Row, key func(Row) string) *keyIndex {
	return &keyIndex{rows, key, newChains(len(rows), func(i int, b []byte) []byte { return append(b, key(rows[i])...) })}
}

// all are the numbers of the rows of a key, in order.
func (x *keyIndex) all(key string) []int {
	var all []int
	_, n := x.chains.head([]byte(key))
	for ; n != endOfChain; n = x.chains.next[n] {
		if x.key(x.rows[n]) == key {
			all = append(all, int(n))
		}
	}
	return all
}

// appendPart writes what two rows share only if they agree in some columns.
func appendPart(b []byte, at []int, row Row) []byte {
	for _, i := range at {
		b = row[i].appendTo(b)
	}
	return b
}

// same compares two rows in some columns.
func same(at []int, a, b Row) bool {
	for _, i := range at {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
