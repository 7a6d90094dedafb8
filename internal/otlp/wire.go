package otlp

import (
	"encoding/binary"
	"errors"
)

// The errors of malformed protobuf. Errors from this package wrap one of them.
var (
	ErrTruncated = errors.New("protobuf: message ends inside a field")
	ErrMalformed = errors.New("protobuf: malformed field")
	ErrWireType  = errors.New("protobuf: wrong wire type")
)

// WireType is the low three bits of a tag: how long the value is.
// Source: https://protobuf.dev/programming-guides/encoding/#structure
type WireType uint8

// The wire types of protobuf. 6 and 7 are not defined.
const (
	WireVarint     WireType = 0
	WireFixed64    WireType = 1
	WireLen        WireType = 2
	WireStartGroup WireType = 3
	WireEndGroup   WireType = 4
	WireFixed32    WireType = 5
)

// Bad is the position that the reading functions return when they cannot read: the bytes end too early, a length is
// negative, a varint is longer than ten bytes.
const Bad = -1

// Varint reads a varint at pos and returns it with the position behind it, or Bad.
func Varint(data []byte, pos int) (value uint64, next int) {
	if pos < len(data) && data[pos] < 0x80 {
		return uint64(data[pos]), pos + 1
	}
	return longVarint(data, pos)
}

func longVarint(data []byte, pos int) (value uint64, next int) {
	for shift := uint(0); shift < 64 && pos < len(data); shift += 7 {
		b := data[pos]
		pos++
		value |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return value, pos
		}
	}
	return 0, Bad
}

// Len reads a length at pos and returns where the bytes it announces start and end; end is Bad if they are not there.
func Len(data []byte, pos int) (start, end int) {
	if pos < len(data) {
		if size := int(data[pos]); size < 0x80 && size < len(data)-pos {
			return pos + 1, pos + 1 + size
		}
	}
	return longLen(data, pos)
}

func longLen(data []byte, pos int) (start, end int) {
	size, start := longVarint(data, pos)
	if start < 0 || size > uint64(len(data)-start) {
		return 0, Bad
	}
	return start, start + int(size)
}

// Fixed64 reads eight bytes at pos and returns them with the position behind them, or Bad.
func Fixed64(data []byte, pos int) (value uint64, next int) {
	if len(data)-pos < 8 {
		return 0, Bad
	}
	return binary.LittleEndian.Uint64(data[pos:]), pos + 8
}

// Fixed32 reads four bytes at pos and returns them with the position behind them, or Bad.
func Fixed32(data []byte, pos int) (value uint64, next int) {
	if len(data)-pos < 4 {
		return 0, Bad
	}
	return uint64(binary.LittleEndian.Uint32(data[pos:])), pos + 4
}

// Tag reads a tag at pos and returns its parts with the position behind it, or Bad.
// A number is cut to 32 bits and must then be positive, as in pdata.
func Tag(data []byte, pos int) (number uint32, wire WireType, next int) {
	tag, next := Varint(data, pos)
	number = uint32(tag >> 3)
	if next < 0 || int32(number) <= 0 {
		return 0, 0, Bad
	}
	return number, WireType(tag & 7), next
}

// Skip returns the position behind the value of a wire type that starts at pos, or Bad. Groups are skipped whole;
// as in pdata, the numbers at their two ends need not agree.
func Skip(data []byte, pos int, wire WireType) (next int) {
	for depth := 0; ; {
		switch wire {
		case WireStartGroup:
			depth++
		case WireEndGroup:
			depth--
		default:
			pos = skipValue(data, pos, wire)
		}
		if depth <= 0 || pos < 0 {
			if depth < 0 {
				return Bad
			}
			return pos
		}
		if _, wire, pos = Tag(data, pos); pos < 0 {
			return Bad
		}
	}
}

// skipValue returns the position behind a value that is no group.
func skipValue(data []byte, pos int, wire WireType) (next int) {
	switch wire {
	case WireVarint:
		_, next = Varint(data, pos)
	case WireFixed64:
		_, next = Fixed64(data, pos)
	case WireFixed32:
		_, next = Fixed32(data, pos)
	case WireLen:
		_, next = Len(data, pos)
	default:
		next = Bad
	}
	return next
}
