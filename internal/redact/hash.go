package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strconv"
)

// hasher makes keyed hashes. The zero value is ready; it keeps memory.
type hasher struct {
	mac   hash.Hash
	sum   []byte
	stack []byte // the texts that are being hashed, each with those in it
}

// digest is a keyed hash.
type digest [sha256.Size]byte

// What is hashed of values that are no texts. No text that is meant for people begins so.
const (
	listPrefix  = "\x00list\x00"
	mapPrefix   = "\x00map\x00"
	entryPrefix = "\x00entry\x00"
)

// digest returns the hash of a text: HMAC-SHA256 under the rules' secret.
func (s *scrubber) digest(text []byte) (d digest) {
	h := &s.hash
	if h.mac == nil {
		h.mac = hmac.New(sha256.New, s.rules.secret)
		h.sum = make([]byte, 0, sha256.Size)
	}
	h.mac.Reset()
	_, _ = h.mac.Write(text)
	copy(d[:], h.mac.Sum(h.sum))
	return d
}

// appendDigest appends a hash as viewers see it: 64 bits are enough to group by, and tell little when a value is guessed.
func appendDigest(dst []byte, d *digest) []byte {
	return hex.AppendEncode(append(dst, "hmac:"...), d[:8])
}

// number hashes what `write` appends: a value that is no text as one, so that 5 and "5" are the same.
func (s *scrubber) number(write func(dst []byte) []byte) digest {
	h := &s.hash
	base := len(h.stack)
	h.stack = write(h.stack)
	d := s.digest(h.stack[base:])
	h.stack = h.stack[:base]
	return d
}

func appendDouble(dst []byte, f float64) []byte { return strconv.AppendFloat(dst, f, 'g', -1, 64) }

// openList begins the hash of a list; the hashes of its elements are then added, and closeList returns the list's.
func (h *hasher) openList() (base int) {
	base = len(h.stack)
	h.stack = append(h.stack, listPrefix...)
	return base
}

func (h *hasher) add(d digest) { h.stack = append(h.stack, d[:]...) }

func (s *scrubber) closeList(base int) digest {
	d := s.digest(s.hash.stack[base:])
	s.hash.stack = s.hash.stack[:base]
	return d
}

// entries adds up the hashes of a map's entries, whose order means nothing.
type entries [sha256.Size / 8]uint64

// add adds an entry.
func (e *entries) add(s *scrubber, key []byte, value digest) {
	d := s.number(func(dst []byte) []byte {
		return append(append(append(dst, entryPrefix...), value[:]...), key...)
	})
	for i := range e {
		e[i] += binary.LittleEndian.Uint64(d[8*i:])
	}
}

// close returns the hash of the map.
func (e *entries) close(s *scrubber) digest {
	return s.number(func(dst []byte) []byte {
		dst = append(dst, mapPrefix...)
		for _, word := range e {
			dst = binary.LittleEndian.AppendUint64(dst, word)
		}
		return dst
	})
}
