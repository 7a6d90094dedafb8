package otlp

import "fmt"

// Slot says where one field lies in the bytes of a message. See Message.Scan.
type Slot struct {
	// Value is the value of a singular number as its kind has it: a bool is 0 or 1, signed kinds are sign-extended
	// to 64 bits, a double is its bits.
	Value uint64
	// Start and End enclose, of a singular string, bytes, id or message, its content; of a list, everything from
	// the tag of its first element to the end of its last, with other fields in between if the sender mixed them.
	Start, End int
}

// Scan finds the fields of a message: seen is the set of fields that are there, slots[i] says where Fields[i] is
// (only of those in seen; slots must have room for all fields). Unknown fields and groups are skipped.
//
// Where a field comes several times, Scan does what pdata does: the last singular value counts, also if that is a
// zero, which takes the field out of seen again (but bytes that are empty are as if not sent); the last member of a
// oneof counts; a packed list of 64-bit fixed-size numbers starts its list anew. A singular message that comes several times is in merged too: its parts,
// one after the other, are the message (see Message.Merge).
//
// A wrong wire type, an id of wrong length and bytes that end too early are errors. The contents of lists, strings
// and messages are not looked at. Scan allocates only errors.
func (m *Message) Scan(data []byte, slots []Slot) (seen, merged uint32, err error) {
	slots = slots[:len(m.Fields)]
	for pos := 0; pos < len(data); {
		start := pos
		tag := data[pos]
		i, wire := int(m.byTag[tag&0x7f])-1, WireType(tag&7)
		pos++
		if tag >= 0x80 || i < 0 {
			if i, wire, pos, err = m.rareTag(data, start); err != nil {
				return 0, 0, err
			}
			if i < 0 {
				continue
			}
		}
		f, s := &m.Fields[i], &slots[i]
		switch f.form {
		case formVarint:
			s.Value, pos = Varint(data, pos)
			s.Value = f.Kind.fromVarint(s.Value)
			seen = f.mark(seen, s.Value != 0)
		case formFixed64:
			s.Value, pos = Fixed64(data, pos)
			seen = f.mark(seen, s.Value != 0)
		case formFixed32:
			s.Value, pos = Fixed32(data, pos)
			seen = f.mark(seen, s.Value != 0)
		case formDouble:
			s.Value, pos = Fixed64(data, pos)
			seen = f.mark(seen, s.Value<<1 != 0) // -0 is zero too
		case formBytes:
			var content int
			if content, pos = Len(data, pos); pos == content && f.Kind == KindBytes && !f.Oneof {
				continue // pdata keeps what it has
			}
			s.Start, s.End = content, pos
			seen = f.mark(seen, pos > content)
		case formMessage:
			s.Start, pos = Len(data, pos)
			s.End = pos
			merged |= seen & f.merges
			seen = seen&^f.replaces | f.bit
		case formID:
			s.Start, pos = Len(data, pos)
			s.End = pos
			if size := pos - s.Start; pos > 0 && size != 0 && size != f.Kind.idSize() {
				return 0, 0, fmt.Errorf("%w: id of %d bytes in %s.%s", ErrMalformed, size, m.Name, f.Name)
			}
			seen = f.mark(seen, pos > 0 && !allZero(data[s.Start:pos]))
		default:
			if pos = Skip(data, pos, wire); f.form == formList {
				pos = skipRun(data, pos, tag)
			}
			if seen&f.bit == 0 || wire == WireLen && f.form == formFixedList {
				s.Start = start
			}
			s.End = pos
			seen |= f.bit
		}
		if pos < 0 {
			return 0, 0, fmt.Errorf("%w: %s.%s", ErrTruncated, m.Name, f.Name)
		}
	}
	return seen, merged, nil
}

// skipRun returns the position behind all elements that follow at pos with the same one-byte tag of wire type WireLen.
// Lists of attributes, events or data points are such runs.
func skipRun(data []byte, pos int, tag byte) int {
	if tag&7 != byte(WireLen) || tag >= 0x80 {
		return pos
	}
	for pos >= 0 && len(data)-pos > 1 && data[pos] == tag {
		if size := int(data[pos+1]); size < 0x80 && size <= len(data)-pos-2 {
			pos += 2 + size
			continue
		}
		_, pos = longLen(data, pos+1)
	}
	return pos
}

// rareTag reads a tag that the table of one-byte tags does not know. It returns the index of a known field, its wire
// type and the position of its value; or -1 and the position behind an unknown field.
func (m *Message) rareTag(data []byte, pos int) (i int, wire WireType, next int, err error) {
	number, wire, pos := Tag(data, pos)
	if pos < 0 {
		return 0, 0, 0, fmt.Errorf("%w: tag in %s", ErrMalformed, m.Name)
	}
	for i := range m.Fields {
		f := &m.Fields[i]
		if f.Number != number {
			continue
		}
		if !f.accepts(wire) {
			return 0, 0, 0, fmt.Errorf("%w %d for %s.%s", ErrWireType, wire, m.Name, f.Name)
		}
		return i, wire, pos, nil
	}
	if pos = Skip(data, pos, wire); pos < 0 {
		return 0, 0, 0, fmt.Errorf("%w: field %d in %s", ErrMalformed, number, m.Name)
	}
	return -1, wire, pos, nil
}

// Merge appends to dst the contents of all occurrences of the singular message f in data: one message that means the
// same. data must have passed Scan.
func (f *Field) Merge(dst, data []byte) []byte {
	for pos := 0; ; {
		start, end := f.Element(data, pos, len(data))
		if end < 0 {
			return dst
		}
		dst = append(dst, data[start:end]...)
		pos = end
	}
}

// Element returns where the content of the next element of f starts and ends that lies between pos and limit; end is
// Bad if there is none. f is a list of messages, strings or bytes, or a singular message. The next element is
// searched for from end on. data must have passed Scan, which gives the first pos and limit of a list.
func (f *Field) Element(data []byte, pos, limit int) (start, end int) {
	tag := f.Number<<3 | uint32(WireLen)
	for pos >= 0 && pos < limit {
		if uint32(data[pos]) == tag && tag < 0x80 {
			return Len(data, pos+1)
		}
		number, wire, next := Tag(data, pos)
		if next >= 0 && number == f.Number && wire == WireLen {
			return Len(data, next)
		}
		pos = Bad
		if next >= 0 {
			pos = Skip(data, next, wire)
		}
	}
	return 0, Bad
}

// mark returns seen with the field in it or not, after a value came that is zero or not.
func (f *Field) mark(seen uint32, notZero bool) uint32 {
	if notZero || f.Presence {
		return seen&^f.replaces | f.bit
	}
	return seen &^ f.bit
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
