package format

import (
	"math"
	"strconv"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// plainWriter writes attributes and values as plain JSON: an attribute list is an object, and a value what JSON has for
// it. Numbers are numbers, also above 2^53; bytes are base64; what is not there is null; NaN and infinities, for which
// JSON has no number, are strings. Its methods append to their first argument and return it. After a failure err is
// set and what was appended is incomplete. Not safe for concurrent use.
type plainWriter struct {
	scanner
	keys    keySet
	strings stringTable // of profiles: keys and values may be indexes in it
}

// Indexes of fields in their messages.
const (
	valueString   = 0
	valueBool     = 1
	valueInt      = 2
	valueDouble   = 3
	valueArray    = 4
	valueMap      = 5
	valueBytes    = 6
	valueStrindex = 7

	keyValueKey      = 0
	keyValueValue    = 1
	keyValueStrindex = 2
)

// pair is an attribute: its key, and its value as an AnyValue.
type pair struct{ key, value []byte }

// pair finds the parts of a KeyValue. They are valid until release(base).
func (w *plainWriter) pair(data []byte) (p pair, base int) {
	if key, value := splitKeyValue(data); len(key) > 0 {
		return pair{key, value}, len(w.merged)
	}
	m := otlp.KeyValue.Message()
	var s scanned
	w.scan(&s, m, data, 0)
	p.value, base = w.part(&s, &m.Fields[keyValueValue], s.slots[keyValueValue])
	if key := &m.Fields[keyValueKey]; s.set&key.Bit() != 0 {
		p.key = data[s.slots[keyValueKey].Start:s.slots[keyValueKey].End]
	} else if index := &m.Fields[keyValueStrindex]; s.set&index.Bit() != 0 {
		p.key, _ = w.strings.at(s.slots[keyValueStrindex].Value)
	}
	w.pop(&s)
	return p, base
}

// object appends the elements of f, a list of KeyValue that data has between slot.Start and slot.End, as an object. Of
// a key that comes twice the first counts, as it does for pdata's Map.Get: strict readers refuse a name twice. depth is
// the number of values around it.
func (w *plainWriter) object(dst []byte, f *otlp.Field, data []byte, slot otlp.Slot, depth int) []byte {
	dst = append(dst, '{')
	names := w.keys.open(f, data, slot)
	for pos := slot.Start; w.err == nil; {
		start, end := f.Element(data, pos, slot.End)
		if end < 0 {
			break
		}
		pos = end
		p, base := w.pair(data[start:end])
		before := len(dst)
		if dst[before-1] != '{' {
			dst = append(dst, ',')
		}
		key := len(dst)
		if dst = w.text(dst, p.key); w.keys.add(names, dst[key:]) {
			dst = w.value(append(dst, ':'), p.value, depth)
		} else {
			dst = dst[:before]
		}
		w.release(base)
	}
	w.keys.close(names)
	return append(dst, '}')
}

// text appends a JSON string.
func (w *plainWriter) text(dst, s []byte) []byte {
	if len(s) > w.limit-len(dst) {
		w.err = errTooLarge
		return dst
	}
	return appendString(dst, s)
}

// value appends an AnyValue. depth is the number of values around it.
func (w *plainWriter) value(dst, data []byte, depth int) []byte {
	if len(dst) > w.limit {
		w.err = errTooLarge
		return dst
	}
	if len(data) == 0 || depth > MaxDepth {
		return append(dst, "null"...)
	}
	if data[0] == tagString { // as most are, and pdata writes them
		if start, end := otlp.Len(data, 1); end == len(data) {
			return w.text(dst, data[start:end])
		}
	}
	m := otlp.AnyValue.Message()
	var s scanned
	w.scan(&s, m, data, depth+1)
	for i := range s.slots {
		if s.set&m.Fields[i].Bit() != 0 { // of a oneof there is only one
			dst = w.choice(dst, i, &s)
			w.pop(&s)
			return dst
		}
	}
	w.pop(&s)
	return append(dst, "null"...)
}

// choice appends member i of an AnyValue.
func (w *plainWriter) choice(dst []byte, i int, s *scanned) []byte {
	slot := s.slots[i]
	switch i {
	case valueString:
		return w.text(dst, s.data[slot.Start:slot.End])
	case valueBytes:
		if slot.End-slot.Start > w.limit-len(dst) {
			w.err = errTooLarge
			return dst
		}
		return appendBase64(dst, s.data[slot.Start:slot.End])
	case valueArray:
		return w.array(dst, s.data[slot.Start:slot.End], s.depth)
	case valueMap:
		return w.mapping(dst, s.data[slot.Start:slot.End], s.depth)
	case valueStrindex:
		if s, ok := w.strings.at(slot.Value); ok {
			return w.text(dst, s)
		}
		return append(dst, "null"...)
	default:
		return appendPlainNumber(dst, s.message.Fields[i].Kind, slot.Value)
	}
}

// array appends an ArrayValue.
func (w *plainWriter) array(dst, data []byte, depth int) []byte {
	var s scanned
	f, slot := w.only(&s, otlp.ArrayValue.Message(), data)
	dst = append(dst, '[')
	for pos := slot.Start; w.err == nil; {
		start, end := f.Element(data, pos, slot.End)
		if end < 0 {
			break
		}
		if pos > slot.Start {
			dst = append(dst, ',')
		}
		dst = w.value(dst, data[start:end], depth)
		pos = end
	}
	w.pop(&s)
	return append(dst, ']')
}

// mapping appends a KeyValueList.
func (w *plainWriter) mapping(dst, data []byte, depth int) []byte {
	var s scanned
	f, slot := w.only(&s, otlp.KeyValueList.Message(), data)
	dst = w.object(dst, f, data, slot, depth)
	w.pop(&s)
	return dst
}

// only scans a message with one field, and returns where that is: nowhere if it is not there.
func (w *plainWriter) only(s *scanned, m *otlp.Message, data []byte) (*otlp.Field, otlp.Slot) {
	w.scan(s, m, data, 0)
	if s.set == 0 {
		s.slots[0] = otlp.Slot{}
	}
	return &m.Fields[0], s.slots[0]
}

// appendPlainNumber appends a value of a kind that is a number on the wire, as Slot.Value has it.
func appendPlainNumber(dst []byte, kind otlp.Kind, v uint64) []byte {
	switch kind {
	case otlp.KindFixed64, otlp.KindUint64:
		return strconv.AppendUint(dst, v, 10)
	case otlp.KindDouble:
		return appendDouble(dst, math.Float64frombits(v))
	case otlp.KindBool:
		return strconv.AppendBool(dst, v != 0)
	default:
		return strconv.AppendInt(dst, int64(v), 10)
	}
}
