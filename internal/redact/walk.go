package redact

import (
	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// message walks through the fields of a message that the document has between two positions.
func (r *Redactor) message(m *otlp.Message, pos, end int) {
	data := r.src[:end]
	for pos < end && r.err == nil {
		tag := pos
		f, wire := m.FieldByTag(data[pos]), otlp.WireType(data[pos]&7)
		pos++
		if f == nil {
			if f, wire, pos = r.rareTag(m, data, tag); f == nil {
				continue
			}
		}
		switch wire {
		case otlp.WireLen:
			var start int
			size := pos
			if start, pos = otlp.Len(data, size); pos >= 0 {
				r.field(m, f, place{tag, size, start, pos})
			}
		case otlp.WireVarint:
			var value uint64
			value, pos = otlp.Varint(data, pos)
			if len(r.table.strings) > 0 {
				r.reference(m, f, value)
			}
		default:
			pos = otlp.Skip(data, pos, wire)
		}
		if pos < 0 {
			r.fail(m, otlp.ErrTruncated)
			return
		}
	}
}

// rareTag reads a tag that is not the usual one of a known field. It returns the position behind it; or that behind the
// field and no description if the field is unknown, and so left out: nobody can tell what would be in it.
func (r *Redactor) rareTag(m *otlp.Message, data []byte, pos int) (f *otlp.Field, wire otlp.WireType, next int) {
	number, wire, next := otlp.Tag(data, pos)
	if next < 0 {
		r.fail(m, otlp.ErrMalformed)
		return nil, 0, len(data)
	}
	if f = m.FieldByNumber(number); f != nil {
		if !accepts(f, wire) {
			r.fail(m, otlp.ErrWireType)
			return nil, 0, len(data)
		}
		return f, wire, next
	}
	if next = otlp.Skip(data, next, wire); next < 0 {
		r.fail(m, otlp.ErrMalformed)
		return nil, 0, len(data)
	}
	r.remove(pos, next)
	return nil, 0, next
}

// accepts reports whether a field may come with a wire type: its own, or that of a packed list.
func accepts(f *otlp.Field, wire otlp.WireType) bool {
	return wire == f.Kind.WireType() || wire == otlp.WireLen && f.Repeated
}

// field looks at a field with a content: of m, described by f, at p.
func (r *Redactor) field(m *otlp.Message, f *otlp.Field, p place) {
	switch f.Kind { //nolint:exhaustive // ids and packed numbers are no texts
	case otlp.KindMessage:
		r.child(m, f, p)
	case otlp.KindString:
		if m.ID == otlp.ProfilesDictionary {
			r.tableString(p)
		} else {
			r.text(m, p)
		}
	case otlp.KindBytes:
		if m.ID == otlp.AnyValue {
			r.text(m, p)
		} else if p.end > p.start {
			r.remove(p.tag, p.end) // a profile in its original format, with all that is in it
		}
	}
}

// text looks at a text.
func (r *Redactor) text(m *otlp.Message, p place) {
	found := r.find(r.content(p), r.active)
	if len(found) == 0 {
		return
	}
	if r.rules.mode == Drop && m.ID == otlp.AnyValue {
		r.gone = true
		return
	}
	r.temp = r.appendText(r.temp[:0], r.content(p), found)
	r.resize(p, r.temp)
}

// child looks at a message within m.
func (r *Redactor) child(m *otlp.Message, f *otlp.Field, p place) {
	gone := false
	switch f.Message.ID {
	case otlp.KeyValue, otlp.KeyValueAndUnit:
		gone = r.attribute(f.Message, p)
	case otlp.AnyValue:
		gone = r.value(p)
	case otlp.ArrayValue, otlp.KeyValueList:
		if r.depth > MaxDepth {
			r.tooDeep(p)
			return
		}
		fallthrough
	default:
		l := r.open()
		r.message(f.Message, p.start, p.end)
		r.close(l, p)
	}
	switch {
	case !gone:
	case m.ID == otlp.KeyValue || m.ID == otlp.KeyValueAndUnit: // it is an attribute's value
		r.gone = true
	case f.Message.ID == otlp.KeyValueAndUnit: // others refer to those behind it by their position
		r.resize(p, nil)
	default:
		r.remove(p.tag, p.end)
	}
}
