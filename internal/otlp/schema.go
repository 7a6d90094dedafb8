package otlp

// Kind is the type of a field's values: how they lie on the wire and what form they have in JSON.
type Kind uint8

// The kinds that OTLP uses. Their forms in OTLP/JSON are in the comments.
const (
	KindString   Kind = iota // string
	KindBytes                // base64, standard alphabet, with padding
	KindID16                 // 16 bytes, none or all zero when absent: 32 digits of lower-case hex (trace and profile ids)
	KindID8                  // 8 bytes, none or all zero when absent: 16 digits of lower-case hex (span ids)
	KindMessage              // object
	KindBool                 // true, false
	KindUint32               // number
	KindInt32                // number
	KindSint32               // number; zigzag on the wire
	KindEnum                 // number
	KindUint64               // decimal string
	KindInt64                // decimal string
	KindFixed32              // number
	KindFixed64              // decimal string
	KindSfixed64             // decimal string, signed
	KindDouble               // number, or "NaN", "Infinity", "-Infinity"
)

// WireType returns the wire type of one value of this kind.
func (k Kind) WireType() WireType {
	switch k {
	case KindString, KindBytes, KindID16, KindID8, KindMessage:
		return WireLen
	case KindFixed32:
		return WireFixed32
	case KindFixed64, KindSfixed64, KindDouble:
		return WireFixed64
	default:
		return WireVarint
	}
}

// idSize returns the length in bytes of an id of this kind, 0 for kinds that are no id.
func (k Kind) idSize() int {
	switch k {
	case KindID16:
		return 16
	case KindID8:
		return 8
	default:
		return 0
	}
}

// Shape is what a field's Slot holds, and so how its value is read.
type Shape uint8

// The shapes of a field.
const (
	ShapeNumber  Shape = iota // a number, in Slot.Value
	ShapeBytes                // a string, bytes or an id, between Slot.Start and Slot.End
	ShapeMessage              // a message, between Slot.Start and Slot.End
	ShapeList                 // elements, to be found with Field.Element, or with Field.Numbers for kinds of numbers
)

// Role says whether a field lies on the way from the top message to the items.
type Role uint8

// The roles of a field.
const (
	RoleValue Role = iota // content of the message it is in
	RolePath              // a message that holds items further down: a resource, a scope, a metric, a metric's data
	RoleItem              // an item: a span, a log record, a data point, a profile sample
)

// Field is one field of a message.
type Field struct {
	// Number is the field's number on the wire.
	Number uint32
	// Name is its name in JSON (lowerCamelCase).
	Name string
	// Key is the name as JSON writes it between two members: `,"name":`. The first member takes Key[1:].
	Key string
	// Kind is the type of its values.
	Kind Kind
	// Message is the type of its values where Kind is KindMessage, else nil.
	Message *Message
	// Role says whether it leads to the signal's items.
	Role Role
	// Repeated says that it is a list. Lists of numbers may be packed, whether or not they are declared so.
	Repeated bool
	// Presence says that a zero that was sent differs from nothing sent: proto3 optional, or member of a oneof.
	Presence bool
	// Oneof is not 0 for members of a oneof: the member sent last replaces the others. No OTLP message has two.
	Oneof bool
	// Required says that pdata holds this message by value: it is there, empty, if it was not sent.
	Required bool

	messageID MessageID
	bit       uint32 // this field in sets of fields: 1 << its index
	replaces  uint32 // the other members of its oneof
	merges    uint32 // bit, for singular messages of which pdata merges several; those in a oneof it replaces
	form      form
	shape     Shape
}

// Shape returns how the field's value is read.
func (f *Field) Shape() Shape { return f.shape }

// Bit returns the field as a member of a set of its message's fields.
func (f *Field) Bit() uint32 { return f.bit }

// Message describes one message type.
type Message struct {
	// ID names the message for switches; Name is its full name in protobuf.
	ID   MessageID
	Name string
	// Fields are in reading order: that of the .proto, with the attributes of data points behind their times.
	// There are at most 32, so that a uint32 can hold a set of them, with bit i for Fields[i].
	Fields []Field
	// Required is the set of fields with Required; Children the set of those with a role other than RoleValue.
	Required, Children uint32

	byTag [128]uint8 // one-byte tag -> index in Fields plus 1; 0: unknown field, or known with another wire type
}

// FieldByNumber returns the field with a number, or nil.
func (m *Message) FieldByNumber(number uint32) *Field {
	for i := range m.Fields {
		if m.Fields[i].Number == number {
			return &m.Fields[i]
		}
	}
	return nil
}

// FieldByName returns the field with a JSON name, or nil.
func (m *Message) FieldByName(name string) *Field {
	for i := range m.Fields {
		if m.Fields[i].Name == name {
			return &m.Fields[i]
		}
	}
	return nil
}

// compile makes the lookup tables of all messages from their definitions.
func compile(groups ...[]Message) *[numMessages]Message {
	all := new([numMessages]Message)
	for _, group := range groups {
		for _, m := range group {
			all[m.ID] = m
		}
	}
	for i := range all {
		all[i].compile(all)
	}
	return all
}

func (m *Message) compile(all *[numMessages]Message) {
	var oneof uint32
	for i := range m.Fields {
		f := &m.Fields[i]
		f.bit = 1 << i
		f.Key = `,"` + f.Name + `":`
		f.form, f.shape = formOf(f), shapeOf(f)
		if f.Kind == KindMessage {
			f.Message = &all[f.messageID]
			if f.form == formMessage && !f.Oneof {
				f.merges = f.bit
			}
		}
		if f.Required {
			m.Required |= f.bit
		}
		if f.Role != RoleValue {
			m.Children |= f.bit
		}
		if f.Oneof {
			oneof |= f.bit
		}
		m.addTags(i)
	}
	for i := range m.Fields {
		if f := &m.Fields[i]; f.Oneof {
			f.replaces = oneof &^ f.bit
		}
	}
}

// addTags enters field i into the table of one-byte tags.
func (m *Message) addTags(i int) {
	f := &m.Fields[i]
	for _, wire := range []WireType{f.Kind.WireType(), WireLen} {
		if tag := f.Number<<3 | uint32(wire); tag < uint32(len(m.byTag)) && f.accepts(wire) {
			m.byTag[tag] = uint8(i + 1)
		}
	}
}

// accepts reports whether the field may come with a wire type: its own, or packed.
func (f *Field) accepts(wire WireType) bool {
	return wire == f.Kind.WireType() || wire == WireLen && f.Repeated
}

// FieldByTag returns the field of which the elements have a tag, as one byte of the wire has it, or nil. It is quick,
// and knows no tags of several bytes.
func (m *Message) FieldByTag(tag byte) *Field {
	if tag >= 0x80 || m.byTag[tag] == 0 {
		return nil
	}
	return &m.Fields[m.byTag[tag]-1]
}
