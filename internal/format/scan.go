package format

import (
	"errors"
	"math"
	"math/bits"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// MaxDepth is how deep values may nest in one attribute or log body: an AnyValue in MaxDepth others is written, one
// in yet another as an empty value. pdata has no limit, but readers have: jq up to 1.7 refuses JSON deeper than 256
// and Python's json about 1000. A document with values nested this deep has a depth of 207 at most.
const MaxDepth = 48

// errTooLarge is a scanner's when what was to be written passed its limit.
var errTooLarge = errors.New("document is too large")

// scanner finds the fields of messages for those who write them as text, and holds the memory and the state that all
// such writing needs. Not safe for concurrent use.
type scanner struct {
	slots  []otlp.Slot // a stack: the slots of each message that is being written
	merged []byte      // a stack: the bytes of messages that came in parts
	limit  int         // stop with errTooLarge when the output is longer than this
	err    error
}

// scanned is a message of which the fields have been found.
type scanned struct {
	message *otlp.Message
	data    []byte
	slots   []otlp.Slot
	set     uint32 // the fields to write
	merged  uint32 // those that came in parts
	depth   int    // values around the fields, including the message itself
}

// reset makes the scanner ready for another text, of up to room bytes from start on.
func (r *scanner) reset(start, room int) {
	r.slots, r.merged, r.err = r.slots[:0], r.merged[:0], nil
	r.limit = start + min(room, math.MaxInt-start) // room may be negative
}

// shrink gives up scratch memory that has become large.
func (r *scanner) shrink() {
	r.merged = shrink(r.merged)
	if cap(r.slots) > keepScratch/32 {
		r.slots = nil
	}
}

// scan finds the fields of a message; depth is the number of values around them. The slots are on the stack until pop.
func (r *scanner) scan(s *scanned, m *otlp.Message, data []byte, depth int) {
	slots := r.push(len(m.Fields))
	seen, merged, err := m.Scan(data, slots)
	if err != nil {
		r.err = err
		seen, merged = 0, 0
	}
	for missing := m.Required &^ seen; missing != 0; missing &= missing - 1 {
		slots[bits.TrailingZeros32(missing)] = otlp.Slot{}
	}
	s.message, s.data, s.slots, s.set, s.merged, s.depth = m, data, slots, seen|m.Required, merged, depth
}

// push returns slots for a message with n fields. Their contents are undefined.
func (r *scanner) push(n int) []otlp.Slot {
	base := len(r.slots)
	if base+n > cap(r.slots) {
		r.slots = append(make([]otlp.Slot, 0, 2*(base+n)+64), r.slots...)
	}
	r.slots = r.slots[:base+n]
	return r.slots[base:]
}

func (r *scanner) pop(s *scanned) { r.slots = r.slots[:len(r.slots)-len(s.slots)] }

// part returns the bytes of a singular message in s, of which the parts may have come separately. They are valid
// until release(base).
func (r *scanner) part(s *scanned, f *otlp.Field, slot otlp.Slot) (data []byte, base int) {
	base = len(r.merged)
	if s.merged&f.Bit() == 0 {
		return s.data[slot.Start:slot.End], base
	}
	r.merged = f.Merge(r.merged, s.data)
	return r.merged[base:], base
}

func (r *scanner) release(base int) { r.merged = r.merged[:base] }
