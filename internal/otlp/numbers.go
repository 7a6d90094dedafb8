package otlp

// Numbers goes through a list of numbers, packed or not or both. The zero value is an empty list.
type Numbers struct {
	field *Field
	data  []byte
	pos   int
	limit int
	chunk int // end of the packed part that pos is in, or 0
}

// Numbers returns the numbers of list f, which Scan found in data at slot s.
func (f *Field) Numbers(data []byte, s Slot) Numbers {
	return Numbers{field: f, data: data, pos: s.Start, limit: s.End}
}

// Next returns the next number, in the form that Slot.Value has. ok is false behind the last one, and when the rest
// is malformed, which Err then tells.
func (n *Numbers) Next() (value uint64, ok bool) {
	for n.pos >= 0 && (n.pos < n.chunk || n.pos < n.limit) {
		if n.pos < n.chunk {
			return n.read(n.data[:n.chunk])
		}
		number, wire, next := Tag(n.data, n.pos)
		switch {
		case next < 0:
			n.pos = Bad
		case number != n.field.Number:
			n.pos = Skip(n.data, next, wire)
		case wire == WireLen:
			if n.pos, n.chunk = Len(n.data, next); n.chunk < 0 {
				n.pos = Bad
			}
		default:
			n.pos = next
			return n.read(n.data)
		}
	}
	return 0, false
}

// read reads one value, which must end within data.
func (n *Numbers) read(data []byte) (value uint64, ok bool) {
	switch n.field.Kind.WireType() {
	case WireVarint:
		value, n.pos = Varint(data, n.pos)
		value = n.field.Kind.fromVarint(value)
	case WireFixed64:
		value, n.pos = Fixed64(data, n.pos)
	default:
		value, n.pos = Fixed32(data, n.pos)
	}
	return value, n.pos >= 0
}

// Err returns an error if the list could not be read to its end.
func (n *Numbers) Err() error {
	if n.pos < 0 {
		return ErrMalformed
	}
	return nil
}

// fromVarint returns the value of a varint as Slot.Value has it. Bits that the kind has no room for are cut off.
func (k Kind) fromVarint(v uint64) uint64 {
	switch k {
	case KindInt32, KindEnum:
		return uint64(int64(int32(v)))
	case KindUint32:
		return uint64(uint32(v))
	case KindSint32:
		return uint64(int64(int32(uint32(v>>1) ^ -uint32(v&1))))
	case KindBool:
		if v != 0 {
			return 1
		}
		return 0
	default:
		return v
	}
}
