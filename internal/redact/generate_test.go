package redact

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// generator makes random OTLP protobuf with secrets in it: texts that testValues match, anywhere where there is text;
// and texts with `planted` in them, nowhere but below keys that testKeys fit, or where nobody knows what it is.
type generator struct {
	*rand.Rand
	// odd makes what no exporter sends, but protobuf allows: fields in any order and several times, unknown ones, numbers
	// that are not packed, lengths that are longer than need be.
	odd bool
	// strange makes also what pdata does not know how to deal with: groups, of which it does not find the end, and entity
	// references, of which it shows nothing.
	strange bool
	// below says that a key that testKeys fit is around.
	below bool
	// table makes a string table, and indexes of it, in profiles.
	table []string
}

const planted = "UNDER-A-KEY"

var (
	testKeys   = []string{"*password*", "secret", "HTTP.Request.Header.?uthorization", "outer.inner"}
	testValues = []string{`sk_[0-9]+`, `(?i)bearer [a-z]+`, `\b[0-9]{4}-[0-9]{4}\b`}
	// Texts with a part that testValues match, and without.
	secretTexts = []string{"sk_123", "x sk_9 y sk_10", "Bearer abc", "BEARER xyz sk_77", "1234-5678", "4321-8765,sk_5", "ésk_1é", "\xffsk_2"}
	plainTexts  = []string{"", "GET /orders", "sk_", "bearer", "12345-6789", "日本語", "\xff\xfe", "service.name", "a", "Password", "true", "5"}
	hidingKeys  = []string{"password", "db.PASSWORD.hash", "Secret", "http.request.header.authorization"}
	plainKeys   = []string{"a", "http.route", "secrets", "outer", "inner", "authorization", "", "service.name", strings.Repeat("long.key.", 20), "ключ"}
)

func newGenerator(seed uint64, odd bool) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 7)), odd: odd}
}

// document makes a document of a signal.
func (g *generator) document(signal otlp.Signal) []byte {
	if signal != otlp.Profiles {
		return g.message(signal.Message(), 3)
	}
	g.table = []string{""}
	for range 12 {
		g.table = append(g.table, g.text())
	}
	g.table = append(g.table, "password", "outer", "inner", "a")
	doc := g.message(signal.Message(), 3)
	var dictionary []byte
	for _, s := range g.table {
		dictionary = appendField(dictionary, 5, []byte(s))
	}
	return appendField(doc, 2, dictionary)
}

func appendField(dst []byte, number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), content)
}

// message makes a message; depth is the number of lists and maps that may still be nested in it.
func (g *generator) message(m *otlp.Message, depth int) []byte {
	switch m.ID { //nolint:exhaustive // the others are what their fields are
	case otlp.KeyValue:
		return g.keyValue(depth)
	case otlp.KeyValueAndUnit:
		return g.keyValueAndUnit(depth)
	}
	var parts [][]byte
	oneof := g.oneof(m)
	for i := len(m.Fields) - 1; i >= 0; i-- {
		f := &m.Fields[i]
		switch {
		case f.Oneof && f != oneof && (!g.odd || g.IntN(8) > 0):
		case f.Name == "stringTable", f.Name == "entityRefs" && !g.strange:
		case f.Name == "stringValueStrindex" && g.table == nil && !g.odd:
		case isContainer(f) && depth == 0:
		default:
			parts = append(parts, g.field(f, depth)...)
		}
	}
	return g.join(parts)
}

func isContainer(f *otlp.Field) bool {
	return f.Kind == otlp.KindMessage && (f.Message.ID == otlp.ArrayValue || f.Message.ID == otlp.KeyValueList)
}

func (g *generator) oneof(m *otlp.Message) *otlp.Field {
	var members []*otlp.Field
	for i := range m.Fields {
		if m.Fields[i].Oneof {
			members = append(members, &m.Fields[i])
		}
	}
	if len(members) == 0 {
		return nil
	}
	if m.ID == otlp.AnyValue && g.IntN(2) == 0 {
		return members[0]
	}
	return members[g.IntN(len(members))]
}

// join puts the fields of a message together.
func (g *generator) join(parts [][]byte) []byte {
	if g.odd {
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

// keyValue makes an attribute; below a key that testKeys fit everything is planted.
func (g *generator) keyValue(depth int) []byte {
	key, outer := g.key()
	defer func() { g.below = outer }()
	parts := [][]byte{g.one(2, g.message(otlp.AnyValue.Message(), depth))}
	if g.odd && g.IntN(6) == 0 {
		parts = append(parts, g.one(2, g.message(otlp.AnyValue.Message(), depth)))
	}
	if g.odd && g.IntN(10) == 0 {
		parts = append(parts, appendField(nil, 1, []byte(plainKeys[g.IntN(len(plainKeys))])))
	}
	switch index := g.indexOf(key); {
	case index > 0 && g.IntN(2) == 0:
		parts = append([][]byte{protowire.AppendVarint([]byte{3 << 3}, uint64(index))}, parts...)
	case key != "":
		parts = append(parts, appendField(nil, 1, []byte(key)))
	}
	return g.join(parts)
}

func (g *generator) keyValueAndUnit(depth int) []byte {
	index := g.IntN(len(g.table))
	outer := g.below
	defer func() { g.below = outer }()
	g.below = g.below || strings.Contains(strings.ToLower(g.table[index]), "password")
	return g.join([][]byte{
		protowire.AppendVarint([]byte{3 << 3}, uint64(g.IntN(len(g.table)))),
		g.one(2, g.message(otlp.AnyValue.Message(), depth)),
		protowire.AppendVarint([]byte{1 << 3}, uint64(index)),
	})
}

// key chooses a key, and says what is below it.
func (g *generator) key() (key string, outer bool) {
	outer = g.below
	switch g.IntN(8) {
	case 0:
		g.below = true
		return hidingKeys[g.IntN(len(hidingKeys))], outer
	case 1:
		return g.text(), outer
	default:
		return plainKeys[g.IntN(len(plainKeys))], outer
	}
}

func (g *generator) indexOf(text string) int {
	for i, s := range g.table {
		if s == text {
			return i
		}
	}
	return 0
}

// one makes a field of wire type WireLen, its length longer than need be at times.
func (g *generator) one(number protowire.Number, content []byte) []byte {
	if !g.odd || g.IntN(10) > 0 || len(content) > 100 {
		return appendField(nil, number, content)
	}
	dst := protowire.AppendTag(nil, number, protowire.BytesType)
	return append(append(dst, byte(len(content))|0x80, 0), content...)
}

// field makes the occurrences of a field.
func (g *generator) field(f *otlp.Field, depth int) [][]byte {
	n := g.IntN(2)
	if f.Repeated || g.odd && g.IntN(10) == 0 {
		n = g.IntN(4)
	}
	if f.Kind == otlp.KindMessage && f.Role != otlp.RoleValue {
		n = 1 + g.IntN(2)
	}
	if f.Message != nil && f.Message.ID == otlp.KeyValue {
		n = g.IntN(5)
	}
	if f.Message != nil && f.Message.ID == otlp.ProfilesDictionary {
		n = 1
	}
	var parts [][]byte
	for range n {
		if f.Repeated && f.Kind.WireType() != otlp.WireLen && (!g.odd || g.IntN(2) == 0) {
			parts = append(parts, appendField(nil, protowire.Number(f.Number), g.value(nil, f, 0)))
			continue
		}
		if f.Kind == otlp.KindMessage {
			if isContainer(f) {
				depth--
			}
			parts = append(parts, g.one(protowire.Number(f.Number), g.message(f.Message, depth)))
			continue
		}
		tag := protowire.AppendTag(nil, protowire.Number(f.Number), protowire.Type(f.Kind.WireType()))
		parts = append(parts, g.value(tag, f, depth))
	}
	return parts
}

// value appends a value of a field that is no message.
func (g *generator) value(dst []byte, f *otlp.Field, _ int) []byte {
	switch f.Kind { //nolint:exhaustive // the numbers are below
	case otlp.KindString, otlp.KindBytes:
		if f.Name == "originalPayload" {
			return protowire.AppendString(dst, planted+g.text())
		}
		return protowire.AppendString(dst, g.text())
	case otlp.KindID16:
		return protowire.AppendBytes(dst, []byte("0123456789abcdef"))
	case otlp.KindID8:
		return protowire.AppendBytes(dst, []byte("01234567"))
	case otlp.KindDouble:
		return protowire.AppendFixed64(dst, math.Float64bits([]float64{0, 1, -0.5, 5, math.NaN(), 1e30}[g.IntN(6)]))
	}
	v := []uint64{0, 1, 5, 127, 300, 1 << 31, math.MaxUint64}[g.IntN(7)]
	if strings.HasSuffix(f.Name, "Strindex") {
		v = uint64(g.IntN(len(g.table) + 1))
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

// text makes a text: with a secret, without, or planted.
func (g *generator) text() string {
	if g.below {
		return fmt.Sprint(planted, g.IntN(10))
	}
	if g.IntN(5) == 0 {
		return secretTexts[g.IntN(len(secretTexts))]
	}
	return plainTexts[g.IntN(len(plainTexts))]
}

// unknown makes a field that no OTLP message has, with something to hide in it.
func (g *generator) unknown() []byte {
	number := protowire.Number(2000 + g.IntN(1000))
	content := []byte(planted + " sk_1")
	kinds := 2
	if g.strange {
		kinds = 3
	}
	switch g.IntN(kinds) {
	case 0:
		return protowire.AppendFixed64(protowire.AppendTag(nil, number, protowire.Fixed64Type), 0x4b2d412d5245444e) // "NDER-A-K"
	case 2:
		dst := appendField(protowire.AppendTag(nil, number, protowire.StartGroupType), 1, content)
		return protowire.AppendTag(dst, number, protowire.EndGroupType)
	default:
		return appendField(nil, number, content)
	}
}
