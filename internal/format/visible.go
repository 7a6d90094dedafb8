package format

import (
	"encoding/binary"
	"math"
	"unicode"
	"unicode/utf8"
)

// isHidden reports whether a rune from U+0080 on does something else than show itself, and so must not reach a
// terminal or an editor from the data of strangers: the C1 controls (terminals obey them), overrides of the writing
// direction (text is read in another order than it has), what has no width, other ends of lines, tags.
// See https://trojansource.codes.
func isHidden(r rune) bool {
	switch {
	case r < 0xa0, r == 0xad:
		return true
	case r < 0x300, r >= 0x370 && r < 0x600, r >= 0x3000 && r < 0xd800 && r != 0x3164, r >= 0x1f300 && r < 0x1fb00:
		// Most of what is written in the world: see the tables below for what is not here.
		return false
	case r == 0x2028, r == 0x2029:
		return true
	case r == 0xfe0e, r == 0xfe0f: // text or picture: part of many emoji
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// appendVisible appends text for people to a line, until dst is longer than limit: controls and what isHidden tells of
// become escapes (\n, \x1b, \u202e), what is not UTF-8 becomes U+FFFD. A backslash stays one: that an escape may also
// have been sent as such is worth the legibility of paths.
func appendVisible(dst, s []byte, limit int) []byte {
	for len(s) > 0 && len(dst) <= limit {
		n := plainPrefix(s)
		n = min(n, max(limit+1-len(dst), 0))
		dst = append(dst, s[:n]...)
		s = s[n:]
		if len(s) == 0 || len(dst) > limit {
			break
		}
		r, size := utf8.DecodeRune(s)
		dst = appendVisibleRune(dst, r)
		s = s[size:]
	}
	return dst
}

// Visible returns text from strangers as it can be shown on a terminal: controls, escape sequences, changes of the
// writing direction and what has no width become escapes (\n, \x1b, \u202e), what is not UTF-8 becomes U+FFFD.
func Visible(s string) string {
	if plainPrefix([]byte(s)) == len(s) {
		return s
	}
	return string(appendVisible(make([]byte, 0, len(s)+16), []byte(s), math.MaxInt-16))
}

// plainPrefix returns how many bytes at the start of s are printable ASCII.
func plainPrefix(s []byte) int {
	i := 0
	for ; len(s)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(s[i:])
		if ((x-' '*everyByte)|(x+everyByte)|x)&highBits != 0 {
			break
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < 0x7f {
		i++
	}
	return i
}

// appendVisibleRune appends a rune, or what stands for it.
func appendVisibleRune(dst []byte, r rune) []byte {
	switch {
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r == '\t':
		return append(dst, `\t`...)
	case r < ' ' || r == 0x7f:
		return append(dst, '\\', 'x', hexDigits[r>>4], hexDigits[r&15])
	case r >= 0x80 && isHidden(r):
		return appendEscape(dst, r)
	default:
		return utf8.AppendRune(dst, r)
	}
}

// columnsOf returns how many columns of a terminal a text takes, as good as one can know: two for wide runes, none for
// marks on the rune before.
func columnsOf(s []byte) int {
	n := 0
	for len(s) > 0 {
		if s[0] < 0x80 {
			n++
			s = s[1:]
			continue
		}
		r, size := utf8.DecodeRune(s)
		n += runeColumns(r)
		s = s[size:]
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f680 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	default:
		return 1
	}
}

// padRight fills the text from start on with spaces up to a width.
func padRight(dst []byte, start, width int) []byte {
	for n := columnsOf(dst[start:]); n < width; n++ {
		dst = append(dst, ' ')
	}
	return dst
}

// padLeft moves the text from start on to the right of a width.
func padLeft(dst []byte, start, width int) []byte {
	text := len(dst)
	n := width - columnsOf(dst[start:])
	if n <= 0 {
		return dst
	}
	dst = padRight(dst, text, n)
	copy(dst[start+n:], dst[start:text])
	for i := range n {
		dst[start+i] = ' '
	}
	return dst
}

// cut shortens the text from start on to at most size bytes, of which the last show that something is missing.
func cut(dst []byte, start, size int) []byte {
	const mark = "…"
	if len(dst)-start <= size {
		return dst
	}
	end := start + max(size-len(mark), 0)
	for end > start && !utf8.RuneStart(dst[end]) {
		end--
	}
	dst = dst[:end]
	if size < len(mark) {
		return dst
	}
	return append(dst, mark...)
}
