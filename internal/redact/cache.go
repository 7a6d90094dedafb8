package redact

import "hash/maphash"

// keyCache remembers the verdicts of the keys that came last: telemetry has few keys, and each of them often. Its memory
// is what it is, and a key that finds its place taken takes it over. Keys that are too long for a place are not kept.
type keyCache struct {
	seed  maphash.Seed
	slots [512]keySlot
}

// keySlot is as large as a line of the processor's cache.
type keySlot struct {
	size    uint8
	verdict verdict
	key     [62]byte
}

func newKeyCache() *keyCache { return &keyCache{seed: maphash.MakeSeed()} }

// slot returns the place of a key, which may be another one's; nil if it can have none.
func (c *keyCache) slot(key []byte) *keySlot {
	if len(key) == 0 || len(key) > len(c.slots[0].key) {
		return nil
	}
	return &c.slots[maphash.Bytes(c.seed, key)%uint64(len(c.slots))]
}

// holds reports whether the slot is the key's.
func (s *keySlot) holds(key []byte) bool {
	return int(s.size) == len(key) && string(s.key[:s.size]) == string(key)
}

// set makes the slot the key's.
func (s *keySlot) set(key []byte, v verdict) {
	s.size, s.verdict = uint8(copy(s.key[:], key)), v
}
