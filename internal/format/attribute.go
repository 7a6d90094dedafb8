package format

import (
	"math"
	"strconv"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// More than half of all messages are attributes: KeyValue and AnyValue. When they look as every exporter writes them
// they are written here without a scan; anything unusual takes the general way, with the same result.

// The tags of the fields below, in one byte: number<<3 | wire type.
const (
	tagKey   = 1<<3 | byte(otlp.WireLen)
	tagValue = 2<<3 | byte(otlp.WireLen)

	tagString = 1<<3 | byte(otlp.WireLen)
	tagBool   = 2<<3 | byte(otlp.WireVarint)
	tagInt    = 3<<3 | byte(otlp.WireVarint)
	tagDouble = 4<<3 | byte(otlp.WireFixed64)
)

// value appends a message, by the short way if there is one.
func (r *jsonWriter) value(dst []byte, m *otlp.Message, data []byte, depth int) []byte {
	switch m.ID {
	case otlp.KeyValue:
		return r.keyValue(dst, m, data, depth)
	case otlp.AnyValue:
		return r.anyValue(dst, m, data, depth)
	default:
		return r.object(dst, m, data, depth)
	}
}

// attributes appends the elements of a list of KeyValue.
func (r *jsonWriter) attributes(dst []byte, f *otlp.Field, s *scanned, slot otlp.Slot) []byte {
	tag := byte(f.Number<<3) | byte(otlp.WireLen)
	data := s.data[:slot.End]
	for pos := slot.Start; r.err == nil; dst = append(dst, ',') {
		var start, end int
		if len(data)-pos > 1 && data[pos] == tag && data[pos+1] < 0x80 {
			start, end = pos+2, pos+2+int(data[pos+1])
		} else if start, end = f.Element(data, pos, len(data)); end < 0 {
			return dst[:len(dst)-1]
		}
		dst = r.keyValue(dst, f.Message, data[start:end], s.depth)
		pos = end
	}
	return dst
}

// keyValue appends a KeyValue.
func (r *jsonWriter) keyValue(dst []byte, m *otlp.Message, data []byte, depth int) []byte {
	key, value := splitKeyValue(data)
	if len(key) == 0 || len(data) > r.limit-len(dst) || depth > MaxDepth {
		return r.object(dst, m, data, depth)
	}
	dst = append(dst, `{"key":"`...)
	dst = appendText(dst, key)
	if len(value) > 1 && value[0] == tagString && int(value[1]) == len(value)-2 {
		dst = append(dst, `","value":{"stringValue":"`...)
		return append(appendText(dst, value[2:]), `"}}`...)
	}
	dst = append(dst, `","value":`...)
	return append(r.anyValue(dst, otlp.AnyValue.Message(), value, depth), '}')
}

// splitKeyValue returns the contents of a KeyValue as pdata writes it: a value, a key, and nothing else. The key is
// empty if data looks different, or if one of the two is longer than 127 bytes, which makes the scan cheap.
func splitKeyValue(data []byte) (key, value []byte) {
	if len(data) < 4 || data[0] != tagValue || data[1] >= 0x80 {
		return nil, nil
	}
	end := 2 + int(data[1])
	if end+2 > len(data) || data[end] != tagKey || data[end+1] >= 0x80 || end+2+int(data[end+1]) != len(data) {
		return nil, nil
	}
	return data[end+2:], data[2:end]
}

// anyValue appends an AnyValue.
func (r *jsonWriter) anyValue(dst []byte, m *otlp.Message, data []byte, depth int) []byte {
	if len(data) < 2 || depth > MaxDepth || len(data) > r.limit-len(dst) {
		return r.object(dst, m, data, depth)
	}
	switch data[0] {
	case tagString:
		if start, end := otlp.Len(data, 1); end == len(data) {
			dst = append(dst, `{"stringValue":"`...)
			return append(appendText(dst, data[start:end]), `"}`...)
		}
	case tagInt:
		if v, end := otlp.Varint(data, 1); end == len(data) {
			dst = append(dst, `{"intValue":`...)
			return append(appendQuotedInt(dst, int64(v)), '}')
		}
	case tagBool:
		if v, end := otlp.Varint(data, 1); end == len(data) {
			dst = append(dst, `{"boolValue":`...)
			return append(strconv.AppendBool(dst, v != 0), '}')
		}
	case tagDouble:
		if v, end := otlp.Fixed64(data, 1); end == len(data) {
			dst = append(dst, `{"doubleValue":`...)
			return append(appendDouble(dst, math.Float64frombits(v)), '}')
		}
	}
	return r.object(dst, m, data, depth)
}
