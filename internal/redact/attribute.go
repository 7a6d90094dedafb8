package redact

import (
	"bytes"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// The tags of the fields of KeyValue, in one byte: number<<3 | wire type.
const (
	tagKey   = 1<<3 | byte(otlp.WireLen)
	tagValue = 2<<3 | byte(otlp.WireLen)
)

// The numbers of the fields of KeyValue and KeyValueAndUnit.
const (
	numberKey   = 1 // the key, or its index
	numberValue = 2
	numberIndex = 3 // of a KeyValue's key, or of the unit
)

// attribute looks at a KeyValue or KeyValueAndUnit. gone says that it is to be left out.
func (r *Redactor) attribute(m *otlp.Message, p place) (gone bool) {
	key, value, ok := r.split(m, p)
	if !ok {
		return r.oddAttribute(m, p)
	}
	switch r.verdict(r.content(key)) {
	case keep:
	case rewrites:
		return r.oddAttribute(m, p)
	default:
		return r.hide(m, p)
	}
	form, text := r.peek(value)
	if form == settled {
		return false
	}
	l := r.open()
	if form == loneText {
		gone = r.loneText(value, text)
	} else {
		r.enter(r.content(key))
		gone = r.anyValue(value)
		r.leave()
	}
	if gone {
		r.undo(l)
		return true
	}
	r.close(l, p)
	return false
}

// split finds key and value of a KeyValue as pdata writes it: a value, a key, and nothing else.
func (r *Redactor) split(m *otlp.Message, p place) (key, value place, ok bool) {
	data := r.src[:p.end]
	if m.ID != otlp.KeyValue || p.end-p.start < 4 || data[p.start] != tagValue {
		return key, value, false
	}
	value.tag, value.size = p.start, p.start+1
	if value.start, value.end = otlp.Len(data, value.size); value.end < 0 || value.end >= p.end || data[value.end] != tagKey {
		return key, value, false
	}
	key.tag, key.size = value.end, value.end+1
	key.start, key.end = otlp.Len(data, key.size)
	return key, value, key.end == p.end
}

// oddAttribute looks at a KeyValue or KeyValueAndUnit that may have any form. Where it has two different keys, the value
// is hidden: readers may differ in which of them counts.
func (r *Redactor) oddAttribute(m *otlp.Message, p place) (gone bool) {
	var key []byte
	found, empty := keep, true
	data := r.src[:p.end]
	for pos := p.start; pos < p.end; {
		f, number, next, stop := r.next(m, data, pos)
		if stop < 0 {
			return false
		}
		if name := r.keyIn(m, f, number, data, next, stop); len(name) > 0 {
			found |= r.verdict(name)
			if key != nil && !bytes.Equal(key, name) {
				found |= hides
			}
			key = name
		}
		empty = empty && (number != numberValue || stop == next+1)
		pos = stop
	}
	if key == nil {
		// An index that is not there is 0. Tables should begin with an empty string, but pdata makes
		// one without for profiles that had none.
		key = r.table.at(r.src, 0)
		found |= r.verdict(key)
		if r.table.marking {
			r.table.mark(0)
		}
		if m.ID == otlp.KeyValueAndUnit && len(key) == 0 && empty {
			found = keep // what every table of attributes begins with
		}
	}
	if found&hides != 0 {
		return r.hide(m, p)
	}
	outer := r.gone
	r.gone = false
	l := r.open()
	r.enter(key)
	r.message(m, p.start, p.end)
	r.leave()
	gone, r.gone = r.gone, outer
	if gone {
		r.undo(l)
		return true
	}
	r.close(l, p)
	return false
}

// next reads the field at pos: its description, which is nil for unknown ones, its number, where its value begins, and
// where it ends. It fails, with an end below 0, if that cannot be told.
func (r *Redactor) next(m *otlp.Message, data []byte, pos int) (f *otlp.Field, number uint32, value, end int) {
	number, wire, value := otlp.Tag(data, pos)
	if value < 0 {
		r.fail(m, otlp.ErrMalformed)
		return nil, 0, 0, otlp.Bad
	}
	if f = m.FieldByNumber(number); f != nil && !accepts(f, wire) {
		r.fail(m, otlp.ErrWireType)
		return nil, 0, 0, otlp.Bad
	}
	if end = otlp.Skip(data, value, wire); end < 0 {
		r.fail(m, otlp.ErrTruncated)
	}
	return f, number, value, end
}

// keyIn returns the key that a field of an attribute holds or refers to, if it does. The field's value is between two
// positions, with its length if it has one.
func (r *Redactor) keyIn(m *otlp.Message, f *otlp.Field, number uint32, data []byte, value, end int) []byte {
	switch {
	case f == nil || number == numberValue:
		return nil
	case f.Kind == otlp.KindString:
		start, _ := otlp.Len(data, value)
		return data[start:end]
	case m.ID == otlp.KeyValue || number == numberKey:
		index, _ := otlp.Varint(data, value)
		return r.table.at(r.src, index)
	default: // a unit's index
		return nil
	}
}

// hide hides the value of an attribute, which keeps its key. gone says that it is to be left out as a whole.
func (r *Redactor) hide(m *otlp.Message, p place) (gone bool) {
	if r.rules.mode == Drop {
		return true
	}
	r.temp = r.temp[:0]
	data := r.src[:p.end]
	for pos := p.start; pos < p.end; {
		f, number, value, end := r.next(m, data, pos)
		if end < 0 {
			return false
		}
		switch {
		case f == nil || number == numberValue:
		case f.Kind == otlp.KindString:
			start, _ := otlp.Len(data, value)
			r.temp = r.appendKey(r.temp, data[start:end])
		default:
			if r.table.marking {
				index, _ := otlp.Varint(data, value)
				r.table.mark(index)
			}
			r.temp = append(r.temp, data[pos:end]...)
		}
		pos = end
	}
	keys := len(r.temp)
	r.temp = r.appendStandIn(r.temp, m, p)
	from := len(r.fresh)
	r.fresh = appendVarint(r.fresh, uint64(len(r.temp)))
	r.fresh = append(append(r.fresh, r.temp[keys:]...), r.temp[:keys]...) // in pdata's order
	r.edits = append(r.edits, edit{p.size, p.end, from, len(r.fresh)})
	r.grown += len(r.fresh) - from - (p.end - p.size)
	return false
}

// appendKey appends the field of a key, in which value patterns may match.
func (r *Redactor) appendKey(dst, key []byte) []byte {
	found := r.find(key, r.rules.patterns)
	size := len(dst)
	dst = append(appendVarint(append(dst, tagKey), uint64(len(key))), key...)
	if len(found) == 0 {
		return dst
	}
	r.merged = r.appendText(r.merged[:0], key, found)
	dst = append(appendVarint(append(dst[:size], tagKey), uint64(len(r.merged))), r.merged...)
	return dst
}

// appendStandIn appends the field of what stands for the value of the attribute at p.
func (r *Redactor) appendStandIn(dst []byte, m *otlp.Message, p place) []byte {
	if r.rules.mode != Hash {
		return append(dst, "\x12\x06\x0a\x04"+mask...)
	}
	r.merged = m.FieldByNumber(numberValue).Merge(r.merged[:0], r.content(p))
	sum := r.digestValue(r.merged, 0)
	return appendDigest(append(dst, "\x12\x17\x0a\x15"...), &sum)
}
