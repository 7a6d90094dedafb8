package format

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// maxMessageDepth is how deep messages may be nested for repair to look at them: more than any other protobuf reader
// follows (protobuf-go 10,000, C++ and Java 100).
const maxMessageDepth = 10_000

// valid reports whether all strings of a message are valid UTF-8. Malformed parts are not looked at.
func valid(m *otlp.Message, data []byte) bool {
	w := stringWalk{data: data}
	return w.walk(m, 0, len(data), 0)
}

// repair makes all strings of a message valid UTF-8, in place: each byte that is wrong becomes '?'. (U+FFFD, which the
// texts have there, is longer than a byte: all the lengths around it would change.) Malformed parts are left as they
// are.
func repair(m *otlp.Message, data []byte) {
	w := stringWalk{data: data, repairs: true}
	w.walk(m, 0, len(data), 0)
}

// stringWalk looks at all strings of a message. Most are ASCII, and so are the tags and lengths before them: it keeps
// an eye on where the next byte is that is not, and goes over what ends before that without asking what it is.
type stringWalk struct {
	data    []byte
	repairs bool // strings that are not valid are repaired; else the walk ends at the first
	plain   int  // where the first byte is that is not ASCII, from what was last looked at on
}

// walk looks at the strings of a message that lies between two positions. It returns false if it met one that is not
// valid and was not repaired.
func (w *stringWalk) walk(m *otlp.Message, pos, limit, depth int) bool {
	data := w.data[:limit]
	for pos < len(data)-1 {
		var start, end int
		switch wire, next := data[pos]&0x87, data[pos+1]; { // a tag of several bytes is no wire type
		case wire == byte(otlp.WireLen) && next < 0x80:
			start, end = pos+2, pos+2+int(next)
			if end <= w.plain {
				pos = end
				continue
			}
		case wire == byte(otlp.WireLen) && pos+2 < len(data) && data[pos+2] < 0x80:
			start, end = pos+3, pos+3+int(next&0x7f)+int(data[pos+2])<<7
		case wire == byte(otlp.WireVarint):
			for pos++; pos < len(data) && data[pos] >= 0x80; {
				pos++
			}
			pos++
			continue
		case wire == byte(otlp.WireFixed64):
			pos += 9
			continue
		default:
			if start, end = anyField(data, pos); start == end {
				pos = end
				continue
			}
		}
		if end < 0 || end > len(data) {
			return true
		}
		if end > w.plain && !w.look(m, pos, start, end, depth) {
			return false
		}
		pos = end
	}
	return true
}

// anyField returns where the content of the field at pos is; an empty one behind it if it is a number; and a start
// without an end if the field is malformed.
func anyField(data []byte, pos int) (start, end int) {
	_, wire, start := otlp.Tag(data, pos)
	switch {
	case start < 0:
		return 0, otlp.Bad
	case wire == otlp.WireLen:
		return otlp.Len(data, start)
	}
	if end = otlp.Skip(data, start, wire); end < 0 {
		return 0, otlp.Bad
	}
	return end, end
}

// look looks at the strings of the field at pos, which has content that may not be ASCII.
func (w *stringWalk) look(m *otlp.Message, pos, start, end, depth int) bool {
	f := m.FieldByTag(w.data[pos])
	if f == nil {
		number, _, _ := otlp.Tag(w.data, pos)
		f = m.FieldByNumber(number)
	}
	if f == nil || f.Kind != otlp.KindString && f.Kind != otlp.KindMessage {
		return true
	}
	if w.plain < start {
		w.plain = skipASCII(w.data, start)
	}
	switch content := w.data[start:end]; {
	case end <= w.plain:
		return true
	case f.Kind == otlp.KindMessage:
		return depth >= maxMessageDepth || w.walk(f.Message, start, end, depth+1)
	case utf8.Valid(content):
		return true
	case w.repairs:
		repairString(content)
		return true
	default:
		return false
	}
}

// skipASCII returns the position of the first byte from pos on that is not ASCII, or the length.
func skipASCII(data []byte, pos int) int {
	for rest := data[pos:]; len(rest) >= 32; rest = rest[32:] {
		if (binary.LittleEndian.Uint64(rest)|binary.LittleEndian.Uint64(rest[8:])|
			binary.LittleEndian.Uint64(rest[16:])|binary.LittleEndian.Uint64(rest[24:]))&highBits != 0 {
			break
		}
		pos += 32
	}
	for ; len(data)-pos >= 8; pos += 8 {
		if high := binary.LittleEndian.Uint64(data[pos:]) & highBits; high != 0 {
			return pos + bits.TrailingZeros64(high)/8
		}
	}
	for pos < len(data) && data[pos] < utf8.RuneSelf {
		pos++
	}
	return pos
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
