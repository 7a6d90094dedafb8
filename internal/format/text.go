package format

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	hexDigits = "0123456789abcdef"

	everyByte = 0x0101010101010101 // times b: eight bytes b
	highBits  = 0x80 * everyByte
)

// appendString appends s as a JSON string with its quotes. See appendText.
func appendString(dst, s []byte) []byte {
	return append(appendText(append(dst, '"'), s), '"')
}

// appendText appends what stands for s between the quotes of a JSON string. Besides what JSON demands it escapes DEL and
// what isHidden tells of, and writes U+FFFD for each byte that is not UTF-8.
func appendText(dst, s []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(s))[:start+len(s)]
	n := copyPlain(dst[start:], s)
	if n == len(s) {
		return dst
	}
	return appendEscaped(dst[:start+n], s[n:])
}

// copyPlain copies to dst, which is as long as s, what at the start of s stands for itself: all if all does, else a
// part of it.
func copyPlain(dst, s []byte) int {
	dst = dst[:len(s)]
	i := 0
	for ; len(s)-i >= 8; i += 8 {
		word := binary.LittleEndian.Uint64(s[i:])
		if hasSpecial(word) {
			return i
		}
		binary.LittleEndian.PutUint64(dst[i:], word)
	}
	if i > 0 { // the last eight bytes: those that are left and some again
		word := binary.LittleEndian.Uint64(s[len(s)-8:])
		if hasSpecial(word) {
			return i
		}
		binary.LittleEndian.PutUint64(dst[len(s)-8:], word)
		return len(s)
	}
	if len(s) >= 4 { // the first four and the last four
		first, last := binary.LittleEndian.Uint32(s), binary.LittleEndian.Uint32(s[len(s)-4:])
		if hasSpecial(uint64(first)<<32 | uint64(last)) {
			return 0
		}
		binary.LittleEndian.PutUint32(dst, first)
		binary.LittleEndian.PutUint32(dst[len(s)-4:], last)
		return len(s)
	}
	for ; i < len(s) && isPlain(s[i]); i++ {
		dst[i] = s[i]
	}
	return i
}

// hasSpecial reports whether one of eight bytes is not plain. Each term sets the high bit of the bytes it is about:
// those below ' ' and '"', which changes places with ' ' here; '\\'; DEL; those above ASCII. Borrows and carries
// start only in bytes that are special themselves.
func hasSpecial(x uint64) bool {
	low := (x ^ ('"'-' ')*everyByte) - (' '+1)*everyByte
	backslash := (x ^ '\\'*everyByte) - everyByte
	return (low|backslash|(x+everyByte)|x)&highBits != 0
}

// isPlain reports whether a byte stands for itself in a JSON string.
func isPlain(c byte) bool { return c >= ' ' && c != '"' && c != '\\' && c < 0x7f }

// appendEscaped appends s, escaped where needed, without quotes.
func appendEscaped(dst, s []byte) []byte {
	done := 0
	for i := 0; i < len(s); {
		if isPlain(s[i]) {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if r >= 0xa0 && !isHidden(r) && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		dst = append(dst, s[done:i]...)
		dst = appendEscape(dst, r)
		i += size
		done = i
	}
	return append(dst, s[done:]...)
}

// appendEscape appends the escape of a rune, or U+FFFD as it is.
func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	case utf8.RuneError:
		return utf8.AppendRune(dst, r)
	}
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		return appendEscape(appendEscape(dst, high), low)
	}
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendHex appends b, of which the length must be a multiple of four, as a string of lower-case hex digits.
func appendHex(dst, b []byte) []byte {
	dst = append(dst, '"')
	for ; len(b) >= 4; b = b[4:] {
		dst = binary.LittleEndian.AppendUint64(dst, hexOf(binary.LittleEndian.Uint32(b)))
	}
	return append(dst, '"')
}

// hexOf returns the eight digits of four bytes, each in a byte of the result, the first one lowest.
func hexOf(b uint32) uint64 {
	x := uint64(b)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x>>4 | x<<8) & (0x0f * everyByte) // one digit to a byte
	letters := (x + 6*everyByte) >> 4 & everyByte
	return x + '0'*everyByte + letters*('a'-'0'-10)
}

// appendBase64 appends b as a string in the standard base64 alphabet with padding.
func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendQuotedUint appends v as a decimal string, the form of 64-bit integers in protobuf's JSON.
func appendQuotedUint(dst []byte, v uint64) []byte {
	return append(appendUint(append(dst, '"'), v), '"')
}

// appendQuotedInt appends v as a decimal string.
func appendQuotedInt(dst []byte, v int64) []byte {
	dst = append(dst, '"')
	if v < 0 {
		return append(appendUint(append(dst, '-'), -uint64(v)), '"')
	}
	return append(appendUint(dst, uint64(v)), '"')
}

// appendUint does what strconv.AppendUint does to base 10, in less time for numbers as large as timestamps.
func appendUint(dst []byte, v uint64) []byte {
	const e8 = 100_000_000
	if v < e8 {
		return strconv.AppendUint(dst, v, 10)
	}
	n := decimalDigits(v)
	dst = append(dst, "00000000000000000000"[:n]...)
	out := dst[len(dst)-n:]
	for v >= e8 {
		chunk := uint32(v % e8)
		v /= e8
		n -= 8
		put4Digits(out[n+4:n+8], chunk%10_000)
		put4Digits(out[n:n+4], chunk/10_000)
	}
	for rest := uint32(v); n > 0; rest /= 10 {
		n--
		out[n] = byte('0' + rest%10)
	}
	return dst
}

// powers are those of ten that fit into a uint64.
var powers = [20]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// decimalDigits returns how many digits v has; v is not 0.
func decimalDigits(v uint64) int {
	n := bits.Len64(v) * 1233 >> 12 // times log10(2): right, or one too small
	if v >= powers[n] {
		n++
	}
	return n
}

// put4Digits writes a number below 10,000 with leading zeros.
func put4Digits(out []byte, v uint32) {
	const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748" +
		"49505152535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697" + "9899"
	high, low := v/100*2, v%100*2
	out[3], out[2], out[1], out[0] = pairs[low+1], pairs[low], pairs[high+1], pairs[high]
}

// appendDouble appends the shortest number that reads back as v, as encoding/json writes it: with an exponent only
// below 1e-6 and from 1e21 on. What JSON has no number for is a string: https://protobuf.dev/programming-guides/json/
func appendDouble(dst []byte, v float64) []byte {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
		if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-09 is e-9
			dst = append(dst[:n-2], dst[n-1])
		}
		return dst
	default:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
}
