package format

import (
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// generator makes random protobuf that OTLP allows: fields in any order and mixed, sent several times or not at all,
// lists packed and not, unknown fields, unusual numbers and strings.
type generator struct {
	*rand.Rand
	// valid makes no invalid UTF-8.
	valid bool
	// plain makes what an exporter would: each field once, in descending order, and nothing unknown.
	plain bool
	// full sends every field, except of a oneof, where member is sent (modulo their number).
	full   bool
	member int
}

func newGenerator(seed uint64) *generator { return &generator{Rand: rand.New(rand.NewPCG(seed, 1))} }

// message makes a message of type m. depth is the number of values that may still be nested in it.
func (g *generator) message(m *otlp.Message, depth int) []byte {
	var parts [][]byte
	oneof := g.oneofMember(m)
	for i := len(m.Fields) - 1; i >= 0; i-- {
		f := &m.Fields[i]
		if f.Oneof && f != oneof && (g.full || g.plain || g.IntN(8) > 0) {
			continue
		}
		if f.Kind == otlp.KindMessage && depth == 0 && (f.Message.ID == otlp.ArrayValue || f.Message.ID == otlp.KeyValueList) {
			continue
		}
		parts = append(parts, g.field(f, depth)...)
	}
	if !g.plain && !g.full {
		if g.IntN(4) == 0 {
			parts = append(parts, g.unknown())
		}
		g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// oneofMember chooses a member of m's oneof, or nil.
func (g *generator) oneofMember(m *otlp.Message) *otlp.Field {
	var members []*otlp.Field
	for i := range m.Fields {
		if m.Fields[i].Oneof {
			members = append(members, &m.Fields[i])
		}
	}
	if len(members) == 0 {
		return nil
	}
	if g.full {
		return members[g.member%len(members)]
	}
	return members[g.IntN(len(members))]
}

// field makes the occurrences of a field, each with its tag.
func (g *generator) field(f *otlp.Field, depth int) [][]byte {
	n := 1
	switch {
	case g.full:
	case f.Repeated:
		n = g.IntN(4)
	case g.plain:
		n = g.IntN(2)
	case g.IntN(10) == 0:
		n = 2
	default:
		n = g.IntN(2)
	}
	if f.Repeated && f.Kind.WireType() != otlp.WireLen {
		return g.numbers(f, n)
	}
	var parts [][]byte
	for range n {
		tag := protowire.AppendTag(nil, protowire.Number(f.Number), protowire.Type(f.Kind.WireType()))
		parts = append(parts, g.value(tag, f, depth))
	}
	return parts
}

// numbers makes a list of numbers: packed, not packed, or both.
func (g *generator) numbers(f *otlp.Field, n int) [][]byte {
	var parts [][]byte
	for range n {
		if !g.plain && !g.full && g.IntN(2) == 0 {
			tag := protowire.AppendTag(nil, protowire.Number(f.Number), protowire.Type(f.Kind.WireType()))
			parts = append(parts, g.value(tag, f, 0))
			continue
		}
		var packed []byte
		for range g.IntN(5) {
			packed = g.value(packed, f, 0)
		}
		if g.full {
			packed = g.value(packed, f, 0)
		}
		if g.plain && len(packed) == 0 {
			continue
		}
		tag := protowire.AppendTag(nil, protowire.Number(f.Number), protowire.BytesType)
		parts = append(parts, protowire.AppendBytes(tag, packed))
		if g.plain {
			break
		}
	}
	return parts
}

// value appends one value of a field.
func (g *generator) value(dst []byte, f *otlp.Field, depth int) []byte {
	switch f.Kind { //nolint:exhaustive // the numbers are below
	case otlp.KindMessage:
		if f.Message.ID == otlp.ArrayValue || f.Message.ID == otlp.KeyValueList {
			depth--
		}
		return protowire.AppendBytes(dst, g.message(f.Message, depth))
	case otlp.KindString:
		return protowire.AppendString(dst, g.text())
	case otlp.KindBytes:
		return protowire.AppendBytes(dst, g.bytes(g.IntN(20)))
	case otlp.KindID16:
		return protowire.AppendBytes(dst, g.id(16))
	case otlp.KindID8:
		return protowire.AppendBytes(dst, g.id(8))
	}
	v := g.number()
	if f.Kind == otlp.KindDouble {
		v = math.Float64bits(g.double())
	}
	switch f.Kind.WireType() {
	case otlp.WireFixed32:
		return protowire.AppendFixed32(dst, uint32(v))
	case otlp.WireFixed64:
		return protowire.AppendFixed64(dst, v)
	default:
		return protowire.AppendVarint(dst, v)
	}
}

// unknown makes a field that no OTLP message has.
func (g *generator) unknown() []byte {
	number := protowire.Number(2000 + g.IntN(1000))
	switch g.IntN(4) {
	case 0:
		return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), g.Uint64())
	case 1:
		return protowire.AppendFixed64(protowire.AppendTag(nil, number, protowire.Fixed64Type), g.Uint64())
	case 2:
		return protowire.AppendFixed32(protowire.AppendTag(nil, number, protowire.Fixed32Type), g.Uint32())
	default:
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), g.bytes(g.IntN(30)))
	}
}

func (g *generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// id makes an id: of the right size, all zero or of no bytes.
func (g *generator) id(size int) []byte {
	switch {
	case g.full || g.IntN(5) > 0:
		return append(g.bytes(size-1), 1)
	case g.IntN(2) == 0:
		return make([]byte, size)
	default:
		return nil
	}
}

func (g *generator) number() uint64 {
	choices := []uint64{0, 1, 2, 127, 128, 1 << 31, 1<<31 - 1, math.MaxUint32, 1 << 53, 1 << 63, 1<<63 - 1, math.MaxUint64, g.Uint64(), g.Uint64() >> g.IntN(64)}
	if g.full {
		return choices[1+g.IntN(4)]
	}
	return choices[g.IntN(len(choices))]
}

func (g *generator) double() float64 {
	choices := []float64{
		1, -1, 0.1, 1e-6, 9.99e-7, 1e21, 1e20, 123456789.25, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e-9, 5e-324,
		math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), g.NormFloat64(), math.Float64frombits(g.Uint64()),
	}
	if g.full {
		return choices[g.IntN(8)]
	}
	return choices[g.IntN(len(choices))]
}

// text makes a string from pieces that need care.
func (g *generator) text() string {
	pieces := []string{
		"service.name", "a", "GET /orders/{id}", `"`, `\`, "\n", "\t\r\b\f", "\x00", "\x1f", "\x7f", "é", "日本語", "😀", "\u0085", "\u009b",
		"\u00a0", "\u2028", "\u2029", "\ufffd", "<&>", "/", "\xff", "\xc3", "\xe2\x80", "\xed\xa0\x80", "\xf0\x9f\x98", "\xc0\x80",
	}
	if g.valid {
		pieces = pieces[:len(pieces)-6]
	}
	n := g.IntN(5)
	if g.full {
		n++
		pieces = pieces[:3]
	}
	var s strings.Builder
	for range n {
		s.WriteString(pieces[g.IntN(len(pieces))])
	}
	return s.String()
}

// sanitize returns protobuf that pdata wrote with every string made valid UTF-8, as JSON must have it: U+FFFD for
// each byte that is wrong. It drops fields that the tables do not have.
func sanitize(m *otlp.Message, data []byte) []byte {
	var out []byte
	for len(data) > 0 {
		number, wire, n := protowire.ConsumeTag(data)
		size := n + protowire.ConsumeFieldValue(number, wire, data[n:])
		f := m.FieldByNumber(uint32(number))
		switch {
		case f == nil:
		case f.Kind == otlp.KindMessage:
			content, _ := protowire.ConsumeBytes(data[n:])
			out = protowire.AppendBytes(append(out, data[:n]...), sanitize(f.Message, content))
		case f.Kind == otlp.KindString:
			content, _ := protowire.ConsumeBytes(data[n:])
			out = protowire.AppendString(append(out, data[:n]...), string([]rune(string(content))))
		default:
			out = append(out, data[:size]...)
		}
		data = data[size:]
	}
	return out
}
