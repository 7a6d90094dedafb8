package otlp_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

func varint(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

func fixed64(number protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, number, protowire.Fixed64Type), v)
}

func length(number protowire.Number, content ...byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// scan returns the contents of one field and whether Scan saw it.
func scan(t *testing.T, id otlp.MessageID, name string, data []byte) (otlp.Slot, bool) {
	t.Helper()
	m := id.Message()
	slots := make([]otlp.Slot, len(m.Fields))
	seen, _, err := m.Scan(data, slots)
	require.NoError(t, err)
	for i := range m.Fields {
		if m.Fields[i].Name == name {
			return slots[i], seen&m.Fields[i].Bit() != 0
		}
	}
	t.Fatalf("no field %s", name)
	return otlp.Slot{}, false
}

func TestScanReadsNumbersAsTheirKind(t *testing.T) {
	for _, c := range []struct {
		name    string
		message otlp.MessageID
		field   string
		data    []byte
		want    uint64
		seen    bool
	}{
		{"a uint32 is cut to 32 bits", otlp.Span, "droppedEventsCount", varint(12, 1<<40|7), 7, true},
		{"a uint32 that is zero when cut is absent", otlp.Span, "droppedEventsCount", varint(12, 1<<40), 0, false},
		{"an enum is signed", otlp.Span, "kind", varint(6, math.MaxUint64), math.MaxUint64, true},
		{"a sint32 is zigzag", otlp.Buckets, "offset", varint(1, 3), uint64(math.MaxUint64 - 1), true},
		{"the smallest sint32", otlp.Buckets, "offset", varint(1, math.MaxUint32), uint64(math.MaxUint64 - math.MaxInt32), true},
		{"a bool is any varint", otlp.Sum, "isMonotonic", varint(3, 5), 1, true},
		{"a zero is absent", otlp.LogRecord, "timeUnixNano", fixed64(1, 0), 0, false},
		{"a negative zero is absent", otlp.SummaryDataPoint, "sum", fixed64(5, 1<<63), 1 << 63, false},
		{"an optional zero is there", otlp.HistogramDataPoint, "sum", fixed64(5, 0), 0, true},
		{"a zero in a oneof is there", otlp.NumberDataPoint, "asInt", fixed64(6, 0), 0, true},
		{"the last value counts", otlp.Span, "kind", join(varint(6, 1), varint(6, 2)), 2, true},
		{"a zero at the end makes absent", otlp.Span, "kind", join(varint(6, 1), varint(6, 0)), 0, false},
		{"a two-byte tag", otlp.Span, "flags", []byte{0x85, 0x01, 9, 0, 0, 0}, 9, true},
		{"a tag longer than need be", otlp.Span, "kind", []byte{0xb0, 0x80, 0x00, 4}, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			slot, seen := scan(t, c.message, c.field, c.data)
			assert.Equal(t, c.seen, seen)
			assert.Equal(t, c.want, slot.Value)
		})
	}
}

func TestScanKeepsTheLastMemberOfAOneof(t *testing.T) {
	data := join(fixed64(6, 1), fixed64(4, 2))
	_, seen := scan(t, otlp.NumberDataPoint, "asInt", data)
	assert.False(t, seen)
	slot, seen := scan(t, otlp.NumberDataPoint, "asDouble", data)
	assert.True(t, seen)
	assert.Equal(t, uint64(2), slot.Value)
}

func TestScanRefusesMalformedMessages(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"a string as a number", varint(5, 1), otlp.ErrWireType},
		{"a number as a string", length(6, 1), otlp.ErrWireType},
		{"an end of a group where a field is", []byte{5<<3 | 4}, otlp.ErrWireType},
		{"a string that ends too early", []byte{5<<3 | 2, 3, 'a'}, otlp.ErrTruncated},
		{"a length of 2^63", []byte{5<<3 | 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, otlp.ErrTruncated},
		{"a varint of 11 bytes", []byte{6 << 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, otlp.ErrTruncated},
		{"a fixed64 of 7 bytes", []byte{7<<3 | 1, 1, 2, 3, 4, 5, 6, 7}, otlp.ErrTruncated},
		{"a fixed32 of 3 bytes", []byte{0x85, 0x01, 1, 2, 3}, otlp.ErrTruncated},
		{"a list that ends too early", []byte{9<<3 | 2, 1}, otlp.ErrTruncated},
		{"a list that ends too early after others", []byte{9<<3 | 2, 0, 9<<3 | 2, 0, 9<<3 | 2, 1}, otlp.ErrTruncated},
		{"a trace id of 15 bytes", length(1, make([]byte, 15)...), otlp.ErrMalformed},
		{"a tag that ends too early", []byte{0x85}, otlp.ErrMalformed},
		{"a field with number 0", []byte{0x02, 0}, otlp.ErrMalformed},
		{"an unknown field that ends too early", []byte{0xfa, 0x7d, 5}, otlp.ErrMalformed},
		{"an unknown wire type", []byte{0xfe, 0x7d, 5}, otlp.ErrMalformed},
		{"a group without end", []byte{0xfb, 0x7d, 1 << 3, 1}, otlp.ErrMalformed},
		{"an end of a group without start", []byte{0xfc, 0x7d}, otlp.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := otlp.Span.Message()
			_, _, err := m.Scan(c.data, make([]otlp.Slot, len(m.Fields)))
			assert.ErrorIs(t, err, c.want)
			assert.ErrorContains(t, err, m.Name)
		})
	}
}

func TestScanSkipsUnknownFieldsAndGroups(t *testing.T) {
	group := protowire.AppendTag(nil, 700, protowire.StartGroupType)
	group = append(group, varint(6, 9)...)
	group = protowire.AppendTag(group, 701, protowire.StartGroupType)
	group = append(group, length(5, 'x')...)
	group = protowire.AppendTag(group, 701, protowire.EndGroupType)
	group = protowire.AppendTag(group, 700, protowire.EndGroupType)
	data := join(group, varint(600, 1), fixed64(601, 1), length(602, 'a', 'b'), length(5, 'n'), group)
	slot, seen := scan(t, otlp.Span, "name", data)
	assert.True(t, seen)
	assert.Equal(t, "n", string(data[slot.Start:slot.End]))
	_, seen = scan(t, otlp.Span, "kind", data)
	assert.False(t, seen, "a field inside a group is not the message's")
}

func TestNumbersReadsPackedAndUnpacked(t *testing.T) {
	packed := func(number protowire.Number, values ...uint64) []byte {
		var content []byte
		for _, v := range values {
			content = protowire.AppendVarint(content, v)
		}
		return length(number, content...)
	}
	for _, c := range []struct {
		name    string
		data    []byte
		want    []uint64
		wantErr bool
	}{
		{"packed", packed(2, 1, 300), []uint64{1, 300}, false},
		{"unpacked, between others", join(varint(2, 1), varint(1, 8), varint(2, 300)), []uint64{1, 300}, false},
		{"both", join(packed(2, 1, 2), varint(2, 3), packed(2), packed(2, 4)), []uint64{1, 2, 3, 4}, false},
		{"packed, empty", packed(2), nil, false},
		{"packed, cut in the middle of a number", length(2, 1, 0x80), []uint64{1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			slot, seen := scan(t, otlp.Buckets, "bucketCounts", c.data)
			require.True(t, seen)
			numbers := otlp.Buckets.Message().FieldByName("bucketCounts").Numbers(c.data, slot)
			var got []uint64
			for v, ok := numbers.Next(); ok; v, ok = numbers.Next() {
				got = append(got, v)
			}
			assert.Equal(t, c.want, got)
			assert.Equal(t, c.wantErr, numbers.Err() != nil)
		})
	}
}

func TestElementsOfAListMayLieApart(t *testing.T) {
	f := otlp.EntityRef.Message().FieldByName("idKeys")
	data := join(length(1, 's'), length(3, 'a'), varint(900, 1), length(4, 'd'), length(3, 'b', 'b'), length(2, 't'))
	slot, _ := scan(t, otlp.EntityRef, "idKeys", data)
	var got []string
	for start, end := f.Element(data, slot.Start, slot.End); end >= 0; start, end = f.Element(data, end, slot.End) {
		got = append(got, string(data[start:end]))
	}
	assert.Equal(t, []string{"a", "bb"}, got)
}

func TestCountItemsTakesMalformedPartsAsEmpty(t *testing.T) {
	spans := join(length(2), length(2), varint(900, 1), length(2))
	good := length(1, length(2, spans...)...)
	bad := length(1, 2<<3|2, 5)
	assert.Equal(t, 6, otlp.Traces.Message().CountItems(join(good, bad, good)))
	assert.Equal(t, 0, otlp.Traces.Message().CountItems([]byte{1}))
	assert.Equal(t, 0, otlp.Span.Message().CountItems(nil))
}

func FuzzScanAndCountNeverPanic(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x12, 0x00})
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, m := range otlp.Messages() {
			m.CountItems(data)
			slots := make([]otlp.Slot, len(m.Fields))
			seen, _, err := m.Scan(data, slots)
			if err != nil {
				continue
			}
			for i := range m.Fields {
				field := &m.Fields[i]
				if seen&field.Bit() != 0 && field.Repeated && field.Kind.WireType() != otlp.WireLen {
					numbers := field.Numbers(data, slots[i])
					for _, ok := numbers.Next(); ok; _, ok = numbers.Next() {
					}
				}
			}
		}
	})
}
