package format

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// jsonWriter writes protobuf messages as OTLP/JSON. Its methods append to their first argument and return it. After a
// failure err is set and what was appended is incomplete. Not safe for concurrent use.
type jsonWriter struct{ scanner }

// object appends a whole message. depth is the number of values around it.
func (r *jsonWriter) object(dst []byte, m *otlp.Message, data []byte, depth int) []byte {
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
func (r *jsonWriter) members(dst []byte, s *scanned) []byte {
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
func (r *jsonWriter) submessage(dst []byte, f *otlp.Field, s *scanned, slot otlp.Slot) []byte {
	data, base := r.part(s, f, slot)
	dst = r.value(dst, f.Message, data, s.depth)
	r.release(base)
	return dst
}

// list appends the elements of a list.
func (r *jsonWriter) list(dst []byte, f *otlp.Field, s *scanned, slot otlp.Slot) []byte {
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
func (r *jsonWriter) numbers(dst []byte, f *otlp.Field, data []byte, slot otlp.Slot) []byte {
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
func (r *jsonWriter) bytes(dst []byte, kind otlp.Kind, data []byte) []byte {
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
