package format

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"time"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// The envelope says where and when the items of an OTLP document passed, and how many they are. In JSON it is the
// document's last member; in protobuf its last field, with a number that OTLP does not use in its top messages:
//
//	message Envelope {
//	  string point = 1;            // the tap point's id
//	  fixed64 time_unix_nano = 2;  // when the batch passed
//	  uint64 items = 3;            // in this document
//	}
//	Envelope remote_tap = 1000;

// maxItemDigits is the number of digits of the largest number of items that one batch can hold.
const maxItemDigits = 10

// stamp is the envelope of a batch's JSON documents, but for the number of items and what closes it. Empty: none.
type stamp []byte

// set makes the stamp of a batch, with a comma before it.
func (s *stamp) set(point string, at time.Time) {
	out := (*s)[:0]
	out = append(out, `,"remoteTap":{"point":`...)
	out = appendString(out, []byte(point))
	out = append(out, `,"time":"`...)
	out = appendTime(out, uint64(at.UnixNano()))
	out = append(out, `","items":`...)
	*s = out
}

// size returns how many bytes append adds.
func (s stamp) size(items int) int {
	if len(s) == 0 {
		return 0
	}
	return len(s) + decimalDigits(uint64(max(items, 1))) + len("}")
}

// append puts the envelope into the document that ends dst.
func (s stamp) append(dst []byte, items int) []byte {
	if len(s) == 0 {
		return dst
	}
	dst = dst[:len(dst)-1] // '}'
	text := s
	if dst[len(dst)-1] == '{' {
		text = text[1:]
	}
	dst = strconv.AppendInt(append(dst, text...), int64(items), 10)
	return append(dst, "}}"...)
}

// The numbers of the envelope's fields in protobuf, with their wire types.
const (
	tagEnvelope = 1000<<3 | uint64(otlp.WireLen)
	tagPoint    = 1<<3 | byte(otlp.WireLen)
	tagTime     = 2<<3 | byte(otlp.WireFixed64)
	tagItems    = 3<<3 | byte(otlp.WireVarint)
)

// protoStamp is the envelope of a batch's protobuf documents, but for its header and the number of items. Empty: none.
type protoStamp []byte

// set makes the stamp of a batch.
func (s *protoStamp) set(point string, at time.Time) {
	out := (*s)[:0]
	out = append(out, tagPoint)
	out = appendLength(out, len(point))
	out = append(out, point...)
	out = append(out, tagTime)
	out = binary.LittleEndian.AppendUint64(out, uint64(at.UnixNano()))
	out = append(out, tagItems)
	*s = out
}

// size returns how many bytes append adds.
func (s protoStamp) size(items int) int {
	if len(s) == 0 {
		return 0
	}
	content := len(s) + varintSize(uint64(items))
	return varintSize(tagEnvelope) + varintSize(uint64(content)) + content
}

// append appends the envelope to the document that ends dst.
func (s protoStamp) append(dst []byte, items int) []byte {
	if len(s) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, tagEnvelope)
	dst = appendLength(dst, len(s)+varintSize(uint64(items)))
	return binary.AppendUvarint(append(dst, s...), uint64(items))
}

// MaxLengthSize is how many bytes AppendLength appends at most, for messages of less than 256 MiB.
const MaxLengthSize = 4

// AppendLength appends the length of a protobuf message, to be written before it in a stream of bytes: a varint, as
// protobuf's own writeDelimitedTo and protodelim have it.
func AppendLength(dst, message []byte) []byte { return appendLength(dst, len(message)) }

func appendLength(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n)) }

// varintSize returns how many bytes v has as a varint.
func varintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// tagStats is the field that holds a stats message among protobuf documents.
const tagStats = 1001<<3 | uint64(otlp.WireLen)

// AppendStats appends a document that holds nothing but a stats message, as a field that OTLP does not use (1001):
// readers of OTLP ignore it.
func AppendStats(dst, message []byte) []byte {
	dst = binary.AppendUvarint(dst, tagStats)
	return append(appendLength(dst, len(message)), message...)
}
