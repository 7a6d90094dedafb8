//go:build linux

package torture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// protocolCase is something that a client says on a WebSocket, and what must come of it. They follow
// the cases of the Autobahn test suite that apply to a server which takes no input: it forgets what
// messages hold, and so does not look at their text (RFC 6455 section 8.1 is for those who
// interpret it).
type protocolCase struct {
	name    string
	headers string   // of the handshake, besides the usual ones
	frames  []byte   // what the client says
	pongs   []string // what the server answers
	code    uint16   // it then closes with this code; 0: the connection goes on
	or      uint16   // or with this one
}

// protocolCases are all of them.
func protocolCases() []protocolCase {
	return slices.Concat(framingCases(), pingCases(), reservedCases(), fragmentCases(), textCases(), closeCases(), limitCases(), deflateCases())
}

// all joins frames.
func all(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

func framingCases() []protocolCase {
	var cases []protocolCase
	for _, size := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
		cases = append(cases,
			protocolCase{name: fmt.Sprintf("a text message of %d bytes", size), frames: frame(textFrame, bytes.Repeat([]byte("*"), size))},
			protocolCase{name: fmt.Sprintf("a binary message of %d bytes", size), frames: frame(binaryFrame, make([]byte, size))})
	}
	return append(cases,
		protocolCase{name: "a frame that is not masked", frames: []byte{textFrame, 1, 'x'}, code: 1002},
		protocolCase{name: "a ping that is not masked", frames: []byte{pingFrame, 1, 'x'}, code: 1002},
		protocolCase{name: "a close frame that is not masked", frames: []byte{closeFrame, 2, 3, 232}, code: 1002},
		protocolCase{name: "another protocol", frames: []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), code: 1002},
	)
}

func pingCases() []protocolCase {
	long := strings.Repeat("\xfe", 125)
	ten, answers := []byte{}, []string{}
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		ten, answers = append(ten, frame(pingFrame, []byte(payload))...), append(answers, payload)
	}
	return []protocolCase{
		{name: "a ping without payload", frames: frame(pingFrame, nil), pongs: []string{""}},
		{name: "a ping with text", frames: frame(pingFrame, []byte("Hello, world!")), pongs: []string{"Hello, world!"}},
		{name: "a ping with bytes", frames: frame(pingFrame, []byte{0, 255, 254, 253, 0}), pongs: []string{"\x00\xff\xfe\xfd\x00"}},
		{name: "a ping of 125 bytes", frames: frame(pingFrame, []byte(long)), pongs: []string{long}},
		{name: "a ping of 126 bytes", frames: frame(pingFrame, make([]byte, 126)), code: 1002},
		{name: "a pong that nobody asked for", frames: frame(pongFrame, nil)},
		{name: "a pong with a payload that nobody asked for", frames: frame(pongFrame, []byte("unsolicited"))},
		{
			name: "a pong that nobody asked for, and a ping", pongs: []string{"ping"},
			frames: all(frame(pongFrame, []byte("pong")), frame(pingFrame, []byte("ping"))),
		},
		{name: "a pong of 126 bytes", frames: frame(pongFrame, make([]byte, 126)), code: 1002},
		{name: "ten pings", frames: ten, pongs: answers},
	}
}

func reservedCases() []protocolCase {
	var cases []protocolCase
	for bits := byte(0x10); bits <= 0x70; bits += 0x10 {
		for first, kind := range map[byte]string{textFrame: "text", pingFrame: "a ping", closeFrame: "a close frame"} {
			cases = append(cases, protocolCase{
				name:   fmt.Sprintf("reserved bits %03b on %s, behind a message", bits>>4, kind),
				frames: all(frame(textFrame, []byte("Hello")), frame(first|bits, nil)), code: 1002,
			})
		}
	}
	for _, opcode := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(cases,
			protocolCase{name: fmt.Sprintf("opcode %d", opcode), frames: frame(more|opcode, nil), code: 1002},
			protocolCase{
				name: fmt.Sprintf("opcode %d with a payload, behind a ping", opcode), pongs: []string{"?"}, code: 1002,
				frames: all(frame(pingFrame, []byte("?")), frame(more|opcode, []byte("reserved"))),
			})
	}
	return cases
}

func fragmentCases() []protocolCase {
	begin, middle, end := frame(textFrame&^more, []byte("one")), frame(continuation&^more, []byte("two")), frame(continuation, []byte("three"))
	ping := frame(pingFrame, []byte("between"))
	return []protocolCase{
		{name: "a message in two fragments", frames: all(begin, end)},
		{name: "a message in four fragments", frames: all(begin, middle, middle, end)},
		{name: "a message in empty fragments", frames: all(frame(textFrame&^more, nil), frame(continuation&^more, nil), frame(continuation, nil))},
		{name: "a message in two fragments, with a ping between them", frames: all(begin, ping, end), pongs: []string{"between"}},
		{name: "a message in three fragments, with two pings between them", frames: all(begin, ping, middle, ping, end), pongs: []string{"between", "between"}},
		{name: "a ping in two fragments", frames: all(frame(pingFrame&^more, []byte("one")), frame(continuation, []byte("two"))), code: 1002},
		{name: "a pong in two fragments", frames: all(frame(pongFrame&^more, []byte("one")), frame(continuation, []byte("two"))), code: 1002},
		{name: "a close frame in two fragments", frames: all(frame(closeFrame&^more, []byte{3}), frame(continuation, []byte{232})), code: 1002},
		{name: "an end without a beginning", frames: end, code: 1002},
		{name: "a continuation without a beginning", frames: middle, code: 1002},
		{name: "an end behind a whole message", frames: all(frame(textFrame, []byte("whole")), end), code: 1002},
		{name: "a message within another", frames: all(begin, frame(textFrame, []byte("whole"))), code: 1002},
		{name: "the beginning of a message within another", frames: all(begin, begin), code: 1002},
		{name: "a close frame within a message", frames: all(begin, frame(closeFrame, []byte{3, 232})), code: 1000},
	}
}

func textCases() []protocolCase {
	return []protocolCase{
		{name: "text of several languages", frames: frame(textFrame, []byte("Hello-µ@ßöäüàá-UTF-8!! κόσμε 日本 \U0001f600"))},
		{name: "text that is no UTF-8", frames: frame(textFrame, []byte("\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80edited"))},
		{name: "a character in two fragments", frames: all(frame(textFrame&^more, []byte("\xce")), frame(continuation, []byte("\xba")))},
		{name: "text of control characters", frames: frame(textFrame, []byte("\x00\x1b[31m\x7f"))},
	}
}

func closeCases() []protocolCase {
	closing := func(code uint16, reason string) []byte {
		return frame(closeFrame, append(binary.BigEndian.AppendUint16(nil, code), reason...))
	}
	cases := []protocolCase{
		{name: "a close frame without a code", frames: frame(closeFrame, nil), code: 1000},
		{name: "a close frame of one byte", frames: frame(closeFrame, []byte{3}), code: 1002},
		{name: "a close frame with a reason", frames: closing(1000, "Hello, world!"), code: 1000},
		{name: "a close frame of 125 bytes", frames: closing(1000, strings.Repeat("*", 123)), code: 1000},
		{name: "a close frame of 126 bytes", frames: closing(1000, strings.Repeat("*", 124)), code: 1002},
		{name: "a reason that is no UTF-8", frames: closing(1000, "\xce\xba\xed\xa0\x80"), code: 1002, or: 1007},
		{name: "two close frames", frames: all(closing(1000, ""), closing(1000, "")), code: 1000},
		{name: "a ping behind a close frame", frames: all(closing(1000, ""), frame(pingFrame, nil)), code: 1000},
		{name: "a message behind a close frame", frames: all(closing(1000, ""), frame(textFrame, []byte("too late"))), code: 1000},
		{name: "64 KiB behind a close frame", frames: all(closing(1000, ""), frame(textFrame, make([]byte, 64<<10))), code: 1000},
		{name: "a message and a close frame", frames: all(frame(textFrame, []byte("bye")), closing(1000, "")), code: 1000},
	}
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, protocolCase{name: fmt.Sprintf("the close code %d", code), frames: closing(code, "x"), code: 1000})
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, protocolCase{name: fmt.Sprintf("the close code %d, which none may send", code), frames: closing(code, "x"), code: 1002})
	}
	return cases
}

func limitCases() []protocolCase {
	half := make([]byte, 32<<10)
	return []protocolCase{
		{name: "a message of 65,537 bytes", frames: frame(binaryFrame, make([]byte, 65537)), code: 1009},
		{name: "a message of 65,536 bytes in two fragments", frames: all(frame(binaryFrame&^more, half), frame(continuation, half))},
		{
			name: "a message of 65,537 bytes in three fragments", code: 1009,
			frames: all(frame(binaryFrame&^more, half), frame(continuation&^more, half), frame(continuation, []byte{1})),
		},
		{name: "a frame that says it is longer than memory", frames: append(frameHead(binaryFrame, 0x80, 1<<63-1), 0, 0, 0, 0), code: 1009},
		{name: "a frame whose length is no length", frames: append(frameHead(binaryFrame, 0x80, 1<<63), 0, 0, 0, 0), code: 1002, or: 1009},
		{name: "three messages of 64 KiB", frames: bytes.Repeat(frame(binaryFrame, make([]byte, 64<<10)), 3)},
	}
}

func deflateCases() []protocolCase {
	bomb := deflateBomb(60 << 20)
	return []protocolCase{
		{name: "deflate: a compressed message", headers: offersDeflate, frames: frame(textFrame|compressed, deflateBomb(1<<20))},
		{name: "deflate: a message that is not compressed", headers: offersDeflate, frames: frame(textFrame, []byte("Hello"))},
		{name: "deflate: a message that is no compressed one", headers: offersDeflate, frames: frame(textFrame|compressed, []byte("\xff\xff\xff\xff"))},
		{name: "deflate: a bomb", headers: offersDeflate, frames: frame(binaryFrame|compressed, bomb)},
		{
			name: "deflate: a compressed message in fragments", headers: offersDeflate,
			frames: all(frame((binaryFrame|compressed)&^more, bomb[:1000]), frame(continuation, bomb[1000:2000])),
		},
		{
			name: "deflate: a fragment that says that it is compressed", headers: offersDeflate, code: 1002,
			frames: all(frame(binaryFrame&^more, []byte("x")), frame(continuation|compressed, []byte("x"))),
		},
		{name: "deflate: a compressed ping", headers: offersDeflate, frames: frame(pingFrame|compressed, nil), code: 1002},
		{name: "deflate: another reserved bit", headers: offersDeflate, frames: frame(textFrame|0x20, nil), code: 1002},
		{name: "deflate: not offered", frames: frame(textFrame|compressed, deflateBomb(1<<20)), code: 1002},
	}
}

// webSocketProtocol says all this to a collector: in one piece, and in many.
func webSocketProtocol(t *testing.T, f *figures) {
	t.Helper()
	s := startSubject(t, configuration{maxOverhead: 64})
	s.flow(true, true)
	for _, pieces := range []struct {
		name string
		size int
	}{{"in one piece", 1 << 30}, {"byte by byte", 1}, {"in pieces of 997 bytes", 997}} {
		row := figure{part: "the WebSocket protocol", name: "what clients may say and what not, " + pieces.name, began: time.Now()}
		t.Run(pieces.name, func(t *testing.T) {
			for _, c := range protocolCases() {
				if len(c.frames)/pieces.size > 10_000 && !f.long {
					continue
				}
				row.tries++
				t.Run(c.name, func(t *testing.T) { c.check(t, s.address, pieces.size) })
			}
			row.survived = !t.Failed()
		})
		f.add(row)
	}
	row := figure{part: "the WebSocket protocol", name: "offers of compression", began: time.Now()}
	t.Run("offers of compression", func(t *testing.T) {
		for _, c := range offerCases() {
			row.tries++
			t.Run(c.offer, func(t *testing.T) { c.check(t, s.address) })
		}
		row.survived = !t.Failed()
	})
	f.add(row)
	s.flow(false, false)
	s.await("the end of all taps", func(r report) bool {
		ended := 0
		for _, n := range r.Ended {
			ended += n
		}
		return ended == r.Opened
	})
	s.stop()
}

// check says it, and looks at what comes.
func (c *protocolCase) check(t *testing.T, address string, pieceSize int) {
	t.Helper()
	conn, reader, _ := openWebSocket(t, address, c.headers)
	for rest := c.frames; len(rest) > 0; rest = rest[min(pieceSize, len(rest)):] {
		if _, err := conn.Write(rest[:min(pieceSize, len(rest))]); err != nil {
			require.NotZero(t, c.code, "the server has hung up: %v", err)
			break
		}
	}
	if c.code == 0 {
		_, err := conn.Write(all(frame(pingFrame, []byte("still there?")), frame(closeFrame, []byte{3, 232})))
		require.NoError(t, err)
	}
	said, err := readFrames(reader)
	require.NoError(t, err)
	for _, pong := range c.pongs {
		require.NotEmpty(t, said, "there is no pong")
		require.Equal(t, serverFrame{pongFrame, pong}, said[0])
		said = said[1:]
	}
	if c.code == 0 {
		require.Len(t, said, 2, "a pong and a close frame")
		require.Equal(t, serverFrame{pongFrame, "still there?"}, said[0])
		said, c.code = said[1:], 1000
	}
	require.Len(t, said, 1, "a close frame")
	require.EqualValues(t, closeFrame, said[0].first)
	require.GreaterOrEqual(t, len(said[0].payload), 2)
	code := binary.BigEndian.Uint16([]byte(said[0].payload))
	if code != c.or || code == 0 {
		assert.Equal(t, c.code, code, said[0].payload[2:])
	}
	if code == 1000 { // else gorilla has said in its own words what is wrong
		assert.True(t, strings.HasPrefix(said[0].payload[2:], "client_closed: sent 0 of 0 matched"), said[0].payload[2:])
	}
}

// openWebSocket opens one on a tap that nothing matches; it is closed with the test. It comes from
// an address that the test's name stands for, so that what one test says is not held against the
// next one.
func openWebSocket(t *testing.T, address, headers string) (net.Conn, *bufio.Reader, http.Header) {
	t.Helper()
	name := crc32.ChecksumIEEE([]byte(t.Name()))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, byte(name>>8), byte(name))}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, handshake+headers+"\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusSwitchingProtocols, answer.StatusCode)
	return conn, reader, answer.Header
}

// serverFrame is a frame as servers send it, not masked.
type serverFrame struct {
	first   byte
	payload string
}

// readFrames reads short frames until the server hangs up.
func readFrames(r *bufio.Reader) ([]serverFrame, error) {
	var frames []serverFrame
	for {
		var head [2]byte
		_, err := io.ReadFull(r, head[:])
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) { // it need not read what else was sent
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
		if head[1] > 125 {
			return frames, fmt.Errorf("a long frame: %v", head)
		}
		payload := make([]byte, head[1])
		if _, err := io.ReadFull(r, payload); err != nil {
			return frames, err
		}
		frames = append(frames, serverFrame{head[0], string(payload)})
	}
}

// offerCase is an offer of compression (RFC 7692 section 7.1), and whether the server may agree
// without saying more than that it keeps no context.
type offerCase struct {
	offer  string
	agrees bool
}

func offerCases() []offerCase {
	return []offerCase{
		{"permessage-deflate", true},
		{"permessage-deflate; client_max_window_bits", true},
		{"permessage-deflate; client_max_window_bits=10", true},
		{"permessage-deflate; client_no_context_takeover", true},
		{"permessage-deflate; server_no_context_takeover; client_max_window_bits", true},
		{"x-webkit-deflate-frame, permessage-deflate", true},
		// With a smaller window than the server's, the client could not decompress what it gets.
		{"permessage-deflate; server_max_window_bits=9", false},
		{"permessage-deflate; server_max_window_bits=9, permessage-deflate", true},
		{"permessage-deflate; server_max_window_bits=7", false},
		{"permessage-deflate; no_such_parameter", false},
		{"permessage-deflate; no_such_parameter=1, permessage-deflate", true},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", false},
		{"x-webkit-deflate-frame", false},
	}
}

func (c *offerCase) check(t *testing.T, address string) {
	t.Helper()
	conn, reader, answer := openWebSocket(t, address, "Sec-WebSocket-Extensions: "+c.offer+"\r\n")
	agreed := answer.Get("Sec-WebSocket-Extensions")
	assert.Equal(t, c.agrees, agreed != "", "the server says %q", agreed)
	_, err := conn.Write(frame(closeFrame, []byte{3, 232}))
	require.NoError(t, err)
	said, err := readFrames(reader)
	require.NoError(t, err)
	require.Len(t, said, 1)
}
