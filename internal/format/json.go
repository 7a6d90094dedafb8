package format

import (
	"errors"
	"math"
	"math/bits"
	"strconv"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// MaxDepth is how deep values may nest in one attribute or log body: an AnyValue in MaxDepth others is written, one
// in yet another as an empty value. pdata has no limit, but readers have: jq up to 1.7 refuses JSON deeper than 256
// and Python's json about 1000. A document with values nested this deep has a depth of 207 at most.
const MaxDepth = 48

// errTooLarge is the renderer's when it passed its limit.
var errTooLarge = errors.New("document is too large")

// renderer writes protobuf messages as JSON. Its methods append to their first argument and return it. After a
// failure err is set and what was appended is incomplete. Not safe for concurrent use.
type renderer struct {
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

// reset makes the renderer ready for another text, of up to room bytes from start on.
func (r *renderer) reset(start, room int) {
	r.slots, r.merged, r.err = r.slots[:0], r.merged[:0], nil
	r.limit = start + min(room, math.MaxInt-start) // room may be negative
}

// shrink gives up scratch memory that has become large.
func (r *renderer) shrink() {
	r.merged = shrink(r.merged)
	if cap(r.slots) > keepScratch/32 {
		r.slots = nil
	}
}

// scan finds the fields of a message; depth is the number of values around them. The slots are on the stack until pop.
func (r *renderer) scan(s *scanned, m *otlp.Message, data []byte, depth int) {
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
func (r *renderer) push(n int) []otlp.Slot {
	base := len(r.slots)
	if base+n > cap(r.slots) {
		r.slots = append(make([]otlp.Slot, 0, 2*(base+n)+64), r.slots...)
	}
	r.slots = r.slots[:base+n]
	return r.slots[base:]
}

func (r *renderer) pop(s *scanned) { r.slots = r.slots[:len(r.slots)-len(s.slots)] }

// object appends a whole message. depth is the number of values around it.
func (r *renderer) object(dst []byte, m *otlp.Message, data []byte, depth int) []byte {
	if len(dst) > r.limit {
		r.err = errTooLarge
		return dst
	}
	if m.ID == otlp.AnyValue {
		if depth > MaxDepth {
			return append(dst, "{}"...)
		}
		depth++
	}
	var s scanned
	r.scan(&s, m, data, depth)
	dst = r.members(append(dst, '{'), &s)
	r.pop(&s)
	return append(dst, '}')
}

// members appends the fields in s.set.
func (r *renderer) members(dst []byte, s *scanned) []byte {
	for set := s.set; set != 0 && r.err == nil; set &= set - 1 {
		i := bits.TrailingZeros32(set)
		f := &s.message.Fields[i]
		start := len(dst)
		dst = appendKey(dst, f)
		switch f.Shape() {
		case otlp.ShapeNumber:
			dst = appendNumber(dst, f.Kind, s.slots[i].Value)
		case otlp.ShapeBytes:
			dst = r.bytes(dst, f.Kind, s.data[s.slots[i].Start:s.slots[i].End])
		case otlp.ShapeMessage:
			dst = r.submessage(dst, f, s, s.slots[i])
		case otlp.ShapeList:
			list := len(dst)
			dst = r.list(append(dst, '['), f, s, s.slots[i])
			if len(dst) == list+1 { // packed, with nothing in it
				dst = dst[:start]
				continue
			}
			dst = append(dst, ']')
		}
	}
	return dst
}

// appendKey appends the name of a member, after a comma if it is not the first.
func appendKey(dst []byte, f *otlp.Field) []byte {
	if dst[len(dst)-1] == '{' {
		return append(dst, f.Key[1:]...)
	}
	return append(dst, f.Key...)
}

// submessage appends a singular message.
func (r *renderer) submessage(dst []byte, f *otlp.Field, s *scanned, slot otlp.Slot) []byte {
	data := s.data[slot.Start:slot.End]
	if s.merged&f.Bit() == 0 {
		return r.value(dst, f.Message, data, s.depth)
	}
	base := len(r.merged)
	r.merged = f.Merge(r.merged, s.data)
	dst = r.value(dst, f.Message, r.merged[base:], s.depth)
	r.merged = r.merged[:base]
	return dst
}

// list appends the elements of a list.
func (r *renderer) list(dst []byte, f *otlp.Field, s *scanned, slot otlp.Slot) []byte {
	if f.Kind.WireType() != otlp.WireLen {
		return r.numbers(dst, f, s.data, slot)
	}
	if f.Kind == otlp.KindMessage && f.Message.ID == otlp.KeyValue {
		return r.attributes(dst, f, s, slot)
	}
	first := true
	for pos := slot.Start; r.err == nil; {
		start, end := f.Element(s.data, pos, slot.End)
		if end < 0 {
			break
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if f.Kind == otlp.KindMessage {
			dst = r.value(dst, f.Message, s.data[start:end], s.depth)
		} else {
			dst = r.bytes(dst, f.Kind, s.data[start:end])
		}
		pos = end
	}
	return dst
}

// numbers appends the elements of a list of numbers.
func (r *renderer) numbers(dst []byte, f *otlp.Field, data []byte, slot otlp.Slot) []byte {
	numbers := f.Numbers(data, slot)
	for first := true; len(dst) <= r.limit; first = false {
		v, ok := numbers.Next()
		if !ok {
			r.err = numbers.Err()
			return dst
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = appendNumber(dst, f.Kind, v)
	}
	r.err = errTooLarge
	return dst
}

// bytes appends a value of a kind that is bytes on the wire.
func (r *renderer) bytes(dst []byte, kind otlp.Kind, data []byte) []byte {
	if len(data) > r.limit-len(dst) {
		r.err = errTooLarge
		return dst
	}
	switch kind {
	case otlp.KindString:
		return appendString(dst, data)
	case otlp.KindBytes:
		return appendBase64(dst, data)
	default:
		return appendHex(dst, data)
	}
}

// appendNumber appends a value of a kind that is a number on the wire, as Slot.Value has it.
func appendNumber(dst []byte, kind otlp.Kind, v uint64) []byte {
	switch kind {
	case otlp.KindFixed64, otlp.KindUint64:
		return appendQuotedUint(dst, v)
	case otlp.KindInt64, otlp.KindSfixed64:
		return appendQuotedInt(dst, int64(v))
	case otlp.KindDouble:
		return appendDouble(dst, math.Float64frombits(v))
	case otlp.KindBool:
		return strconv.AppendBool(dst, v != 0)
	default:
		return strconv.AppendInt(dst, int64(v), 10)
	}
}
