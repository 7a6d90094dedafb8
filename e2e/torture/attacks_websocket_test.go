//go:build linux

package torture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	handshake = "GET /v1/traces?service=nobody HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	offersDeflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
)

// The first bytes of frames: the last of a message, of a kind.
const (
	continuation = 0x80
	textFrame    = 0x81
	binaryFrame  = 0x82
	closeFrame   = 0x88
	pingFrame    = 0x89
	pongFrame    = 0x8a

	more       = 0x80 // without it, there is more to come
	compressed = 0x40 // the first reserved bit, of RFC 7692
)

// frame is a WebSocket frame as clients send it, masked.
func frame(first byte, payload []byte) []byte {
	f := frameHead(first, 0x80, uint64(len(payload)))
	mask := []byte{0x12, 0x34, 0x56, 0x78}
	f = append(f, mask...)
	for i, b := range payload {
		f = append(f, b^mask[i%4])
	}
	return f
}

// frameHead is the head of a frame, without the mask.
func frameHead(first, masked byte, length uint64) []byte {
	f := []byte{first, masked}
	switch {
	case length > 65535:
		f[1] |= 127
		return binary.BigEndian.AppendUint64(f, length)
	case length > 125:
		f[1] |= 126
		return binary.BigEndian.AppendUint16(f, uint16(length))
	default:
		f[1] |= byte(length)
		return f
	}
}

// onWebSocket makes an attack on an open WebSocket, if one can be had.
func onWebSocket(headers string, do func(*attacker, *net.TCPConn)) func(*attacker) {
	return func(a *attacker) {
		a.call(func(conn *net.TCPConn) {
			if _, err := io.WriteString(conn, handshake+headers+"\r\n"); err != nil {
				return
			}
			answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil) //nolint:bodyclose // it ends with the connection
			if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
				pause(a.ctx, time.Millisecond) // all taps are taken
				return
			}
			do(a, conn)
		})
	}
}

// floods makes an attack that sends the same all the time.
func floods(what []byte) func(*attacker, *net.TCPConn) {
	return func(a *attacker, conn *net.TCPConn) { a.flood(conn, what) }
}

// attacksOnWebSockets break RFC 6455, or use it to the full.
func attacksOnWebSockets() []attack {
	cases := protocolCases()
	many := func(first byte, payload string) []byte { return bytes.Repeat(frame(first, []byte(payload)), 100) }
	all := []attack{
		{name: "WebSocket: pings", run: onWebSocket("", floods(many(pingFrame, "are you there?")))},
		{name: "WebSocket: pings of 125 bytes whose pongs nobody reads", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			a.floodDeaf(conn, bytes.Repeat(frame(pingFrame, make([]byte, 125)), 100))
			a.waitDeaf()
		})},
		{name: "WebSocket: pongs", run: onWebSocket("", floods(many(pongFrame, "I am")))},
		{name: "WebSocket: messages", run: onWebSocket("", floods(many(textFrame, "hello?")))},
		{name: "WebSocket: empty messages", run: onWebSocket("", floods(many(binaryFrame, "")))},
		{name: "WebSocket: a message of empty fragments that never ends", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			_, _ = conn.Write(frame(textFrame&^more, nil))
			a.flood(conn, many(continuation&^more, ""))
		})},
		{name: "WebSocket: messages of 64 KiB", run: onWebSocket("", floods(frame(binaryFrame, make([]byte, 64<<10))))},
		{name: "WebSocket: a frame of nine exabytes", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			_, _ = conn.Write(append(frameHead(binaryFrame, 0x80, 1<<63-1), 0, 0, 0, 0))
			a.flood(conn, make([]byte, 32<<10))
		})},
		{name: "WebSocket: a huge message of small fragments", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			_, _ = conn.Write(frame(binaryFrame&^more, nil))
			a.flood(conn, frame(continuation&^more, make([]byte, 1000)))
		})},
		{name: "WebSocket: a frame one byte at a time", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			a.trickle(conn, string(frame(textFrame, make([]byte, 60000))))
		})},
		{name: "WebSocket: a compression bomb", run: onWebSocket(offersDeflate, floods(frame(binaryFrame|compressed, deflateBomb(60<<20))))},
		{name: "WebSocket: a flood behind a close frame", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			_, _ = conn.Write(frame(closeFrame, []byte{3, 232}))
			a.flood(conn, make([]byte, 32<<10))
		})},
		{name: "WebSocket: a close that is never completed", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			_, _ = conn.Write(frame(closeFrame, []byte{3, 232}))
			a.waitDeaf()
		})},
		{name: "WebSocket: reset in the middle of a frame", run: onWebSocket("", func(_ *attacker, conn *net.TCPConn) {
			_, _ = conn.Write(frame(textFrame, make([]byte, 1000))[:500])
			_ = conn.SetLinger(0)
		})},
		{name: "WebSocket: half-open in the middle of a frame", run: onWebSocket("", func(a *attacker, conn *net.TCPConn) {
			_, _ = conn.Write(frame(textFrame, make([]byte, 1000))[:500])
			_ = conn.CloseWrite()
			a.wait(conn)
		})},
		{name: "WebSocket: every violation of the protocol", run: func(a *attacker) {
			for _, c := range cases {
				if c.code == 1002 || c.code == 1009 {
					onWebSocket(c.headers, func(a *attacker, conn *net.TCPConn) {
						_, _ = conn.Write(c.frames)
						a.wait(conn)
					})(a)
				}
			}
		}},
		{name: "WebSocket: handshakes that are left", run: func(a *attacker) {
			a.call(func(conn *net.TCPConn) { _, _ = io.WriteString(conn, handshake+"\r\n") })
		}},
	}
	for i := range all {
		all[i].clients, all[i].taps = 16, true
	}
	return all
}
