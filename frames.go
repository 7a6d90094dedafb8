package remotetapprocessor

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// This file is what a tap understands of what a WebSocket client says (RFC 6455 section 5, RFC 7692
// section 6): pings, pongs and the close frame. Messages are checked for their form and forgotten:
// nothing is decompressed, and whether text is UTF-8 is for those who read it (section 8.1).
// gorilla's reader is not used for it, since it keeps no account of continuation frames.

// The first byte of a frame, and the first bit of the second.
const (
	finalBit      = 0x80
	compressedBit = 0x40 // RFC 7692
	reservedBits  = 0x30
	opcodeBits    = 0x0f
	controlBit    = 0x08 // of the opcode
	maskedBit     = 0x80

	continuation = 0x0
	maxControl   = 125 // bytes that a control frame may hold
)

// violation is what is wrong with a frame, and the close code to answer with.
type violation struct {
	code    int
	message string
}

// Error returns what is wrong.
func (v *violation) Error() string { return "websocket: " + v.message }

func violated(message string) error {
	return &violation{code: websocket.CloseProtocolError, message: message}
}

// errClientCloses ends the reading of frames in an orderly way.
var errClientCloses = errors.New("the client sent a close frame")

// frameReader reads the frames of one client. One goroutine uses it.
type frameReader struct {
	// set at construction
	r       *bufio.Reader
	deflate bool // permessage-deflate was agreed

	// the message under way
	fragmented bool // more of it is to come
	length     int64

	payload [maxControl]byte // of the latest control frame
}

func newFrameReader(conn net.Conn, deflate bool) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(conn, kib), deflate: deflate}
}

// head is the head of a frame.
type head struct {
	first   byte
	opcode  int
	length  int64
	maskKey [4]byte
}

func (h *head) final() bool   { return h.first&finalBit != 0 }
func (h *head) control() bool { return h.opcode&controlBit != 0 }

// next reads a frame, and returns the payload if it is a control frame. The payload is valid until
// the next call. The error is a *violation, or that of the connection.
func (f *frameReader) next() (opcode int, payload []byte, err error) {
	h, err := f.head()
	if err != nil {
		return 0, nil, err
	}
	if h.control() {
		payload, err = f.control(h)
		return h.opcode, payload, err
	}
	if err := f.message(h); err != nil {
		return 0, nil, err
	}
	_, err = io.CopyN(io.Discard, f.r, h.length)
	return h.opcode, nil, err
}

// head reads the head of a frame.
func (f *frameReader) head() (h head, err error) {
	var b [8]byte
	if _, err := io.ReadFull(f.r, b[:2]); err != nil {
		return h, err
	}
	h.first, h.opcode, h.length = b[0], int(b[0]&opcodeBits), int64(b[1]&^maskedBit)
	if err := f.checkHead(h, b[1]&maskedBit != 0); err != nil {
		return h, err
	}
	switch h.length {
	case 126:
		_, err = io.ReadFull(f.r, b[:2])
		h.length = int64(binary.BigEndian.Uint16(b[:2]))
	case 127:
		_, err = io.ReadFull(f.r, b[:8])
		length := binary.BigEndian.Uint64(b[:8])
		if length > math.MaxInt64 {
			return h, violated("a length that is no length")
		}
		h.length = int64(length)
	}
	if err != nil {
		return h, err
	}
	_, err = io.ReadFull(f.r, h.maskKey[:])
	return h, err
}

// checkHead checks what the first two bytes of a frame say.
func (f *frameReader) checkHead(h head, masked bool) error {
	first := h.opcode == websocket.TextMessage || h.opcode == websocket.BinaryMessage
	switch {
	case !masked:
		return violated("a frame that is not masked")
	case h.first&reservedBits != 0:
		return violated("a reserved bit is set")
	case h.first&compressedBit != 0 && !f.deflate:
		return violated("a compressed message, which was not agreed on")
	case h.first&compressedBit != 0 && !first:
		return violated("a compressed frame that does not begin a message")
	case h.control() && h.opcode > websocket.PongMessage, !h.control() && h.opcode > websocket.BinaryMessage:
		return violated("an unknown kind of frame")
	case h.control() && !h.final():
		return violated("a control frame in fragments")
	case h.control() && h.length > maxControl:
		return violated("a control frame of more than 125 bytes")
	case first && f.fragmented:
		return violated("a message within another")
	case h.opcode == continuation && !f.fragmented:
		return violated("a continuation of nothing")
	}
	return nil
}

// message notes a frame of a message, before its payload is read.
func (f *frameReader) message(h head) error {
	if h.opcode != continuation {
		f.length = 0
	}
	f.fragmented = !h.final()
	if h.length > maxClientMessage-f.length {
		return &violation{code: websocket.CloseMessageTooBig, message: "a message of more than 64 KiB"}
	}
	f.length += h.length
	return nil
}

// control reads the payload of a control frame.
func (f *frameReader) control(h head) ([]byte, error) {
	payload := f.payload[:h.length]
	if _, err := io.ReadFull(f.r, payload); err != nil {
		return nil, err
	}
	for i := range payload {
		payload[i] ^= h.maskKey[i%4]
	}
	if h.opcode == websocket.CloseMessage {
		return payload, checkClose(payload)
	}
	return payload, nil
}

// checkClose checks the payload of a close frame (RFC 6455 sections 5.5.1 and 7.4).
func checkClose(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	if len(payload) == 1 {
		return violated("a close frame of one byte")
	}
	switch code := binary.BigEndian.Uint16(payload); {
	case code < 1000, code >= 1004 && code <= 1006, code >= 1015 && code < 3000, code >= 5000:
		return violated("a close code that may not be sent")
	case !utf8.Valid(payload[2:]):
		return violated("a close reason that is not UTF-8")
	}
	return nil
}

// drain reads and forgets what a client still says that has broken the protocol, for a moment, so
// that what it is told arrives: a connection that is closed with something unread is reset.
func (f *frameReader) drain(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(farewell))
	_, _ = io.CopyN(io.Discard, f.r, 16*mib)
}
