package format

import (
	"hash/maphash"
	"math/bits"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// keySet tells the keys of an object that came before. It knows them by 64 bits of a hash that nobody outside can
// predict: that two keys of one object share them will not happen. Sets are nested as the objects are.
type keySet struct {
	seed   maphash.Seed
	hashes []uint64 // a stack of hash tables; 0 is a free place
}

// keyTable is one of the sets: its place in hashes, a power of two long.
type keyTable struct{ base, mask int }

func newKeySet() keySet { return keySet{seed: maphash.MakeSeed()} }

// open makes an empty set with room for the elements of f that data has at slot.
func (k *keySet) open(f *otlp.Field, data []byte, slot otlp.Slot) keyTable {
	n := 0
	for pos := slot.Start; ; n++ {
		if _, pos = f.Element(data, pos, slot.End); pos < 0 {
			break
		}
	}
	size := 1 << bits.Len(uint(2*n))
	base := len(k.hashes)
	if base+size > cap(k.hashes) {
		k.hashes = append(make([]uint64, 0, 2*(base+size)), k.hashes...)
	}
	k.hashes = k.hashes[:base+size]
	clear(k.hashes[base:])
	return keyTable{base, size - 1}
}

// add adds a key to the set and reports whether it was not there.
func (k *keySet) add(t keyTable, key []byte) bool {
	hash := maphash.Bytes(k.seed, key) | 1
	for i := int(hash>>32) & t.mask; ; i = (i + 1) & t.mask {
		switch place := &k.hashes[t.base+i]; *place {
		case 0:
			*place = hash
			return true
		case hash:
			return false
		}
	}
}

// close forgets the set, which was opened last.
func (k *keySet) close(t keyTable) { k.hashes = k.hashes[:t.base] }

// shrink gives up memory that has become large.
func (k *keySet) shrink() {
	if k.hashes = k.hashes[:0]; cap(k.hashes) > keepScratch/8 {
		k.hashes = nil
	}
}
