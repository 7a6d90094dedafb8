package format

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// maxMessageDepth is how deep messages may be nested for repair to look at them: more than any other protobuf reader
// follows (protobuf-go 10,000, C++ and Java 100).
const maxMessageDepth = 10_000

// repair makes all strings of a message valid UTF-8, in place: each byte that is wrong becomes '?'. (U+FFFD, which the
// texts have there, is longer than a byte: all the lengths around it would change.) Malformed parts are left as they
// are.
func repair(m *otlp.Message, data []byte, depth int) {
	for pos := 0; pos < len(data); {
		wire, next := otlp.WireType(data[pos]&7), pos+1
		f := m.FieldByTag(data[pos])
		if f == nil {
			var number uint32
			if number, wire, next = otlp.Tag(data, pos); next < 0 {
				return
			}
			f = m.FieldByNumber(number)
		}
		if f == nil || wire != otlp.WireLen || f.Kind.WireType() != otlp.WireLen {
			if pos = otlp.Skip(data, next, wire); pos < 0 {
				return
			}
			continue
		}
		start, end := otlp.Len(data, next)
		if end < 0 {
			return
		}
		switch content := data[start:end]; {
		case f.Kind == otlp.KindString:
			if !utf8.Valid(content) {
				repairString(content)
			}
		case f.Kind == otlp.KindMessage && depth < maxMessageDepth && (f.Message.ID != otlp.KeyValue || !isASCII(content)):
			repair(f.Message, content, depth+1)
		}
		pos = end
	}
}

// isASCII reports whether there is nothing but ASCII in s. Of most attributes that is true as a whole, which spares
// looking into them.
func isASCII(s []byte) bool {
	if len(s) < 8 {
		for _, c := range s {
			if c >= utf8.RuneSelf {
				return false
			}
		}
		return true
	}
	all := binary.LittleEndian.Uint64(s[len(s)-8:])
	for ; len(s) >= 8; s = s[8:] {
		all |= binary.LittleEndian.Uint64(s)
	}
	return all&highBits == 0
}

// repairString replaces each byte of s that is not UTF-8.
func repairString(s []byte) {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		if r == utf8.RuneError && size == 1 {
			s[0] = '?'
		}
		s = s[size:]
	}
}
