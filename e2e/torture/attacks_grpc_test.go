//go:build linux

package torture

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// grpcMessage is a message behind its prefix (gRPC over HTTP/2, "Length-Prefixed-Message").
func grpcMessage(compressed byte, length int, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{compressed}, uint32(length)), payload...)
}

// calls makes an attack that calls a method again and again with the same bytes as the message,
// fifty at most on one connection.
func calls(path string, message []byte, more ...string) func(*hostile2) {
	return func(h *hostile2) {
		for range 50 {
			stream, ok := h.open("POST", path, false, append([]string{"content-type", "application/grpc", "te", "trailers"}, more...)...)
			if !ok {
				return
			}
			for rest := message; len(rest) > 0 && ok; rest = rest[min(16000, len(rest)):] {
				ok = h.WriteData(stream, len(rest) <= 16000, rest[:min(16000, len(rest))]) == nil
			}
			h.a.tried()
		}
		_ = h.conn.CloseWrite()
		h.a.wait(h.conn)
	}
}

// bytewise makes an attack whose message comes in frames of one byte, as long as `more` tells.
func bytewise(path string, more func(*hostile2) bool) func(*hostile2) {
	return func(h *hostile2) {
		stream, _ := h.open("POST", path, false, "content-type", "application/grpc")
		for _, b := range grpcMessage(0, 60000, make([]byte, 60000)) {
			if !more(h) || h.WriteData(stream, false, []byte{b}) != nil {
				return
			}
			h.a.tried()
		}
		h.a.wait(h.conn) // or it would be a flood of connections, and keep the machine busy by itself
	}
}

// attacksOnGRPC send messages that are none, or too much.
func attacksOnGRPC() []attack {
	const listPoints, tap = pathOf + "ListPoints", pathOf + "Tap"
	const reflection = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	bomb := gzipBomb(60 << 20)
	manyFields := bytes.Repeat([]byte{0x0a, 1, 'z'}, 20<<10) // point: "z"
	deep := bytes.Repeat([]byte{0x9b, 0x01}, 30<<10)         // groups in groups
	all := []attack{
		{name: "a compression bomb", run: onHTTP2(calls(listPoints, grpcMessage(1, len(bomb), bomb), "grpc-encoding", "gzip"))},
		{name: "a compression bomb for a tap", run: onHTTP2(calls(tap, grpcMessage(1, len(bomb), bomb), "grpc-encoding", "gzip"))},
		{name: "a compression bomb in a compression bomb", run: onHTTP2(calls(tap, grpcMessage(1, len(bomb), bomb), "grpc-encoding", "gzip", "content-encoding", "gzip"))},
		{name: "a message that says that it has four gigabytes", run: onHTTP2(calls(tap, grpcMessage(0, 1<<32-1, make([]byte, 1000))))},
		{name: "a message of 60 KiB with 20,000 criteria", run: onHTTP2(calls(tap, grpcMessage(0, len(manyFields), manyFields)))},
		{name: "groups in groups", run: onHTTP2(calls(tap, grpcMessage(0, len(deep), deep)))},
		{name: "messages of random bytes", run: onHTTP2(func(h *hostile2) {
			message := make([]byte, 500)
			_, _ = rand.NewChaCha8([32]byte{byte(h.a.tries.Load())}).Read(message)
			calls(listPoints, grpcMessage(0, len(message), message))(h)
		})},
		{name: "a thousand empty messages in one call", run: onHTTP2(calls(listPoints, bytes.Repeat(grpcMessage(0, 0, nil), 1000)))},
		{name: "messages one byte at a time", clients: 60, run: onHTTP2(bytewise(tap, func(h *hostile2) bool { return pause(h.a.ctx, 2*time.Millisecond) }))},
		{name: "a flood of messages one byte at a time", run: onHTTP2(bytewise(tap, func(h *hostile2) bool { return !h.a.over() }))},
		{name: "methods that there are not", run: onHTTP2(calls("/no.such.Service/"+strings.Repeat("z", 1000), grpcMessage(0, 0, nil)))},
		{name: "streams of reflection that are held", run: onHTTP2(func(h *hostile2) {
			for range 200 {
				if _, ok := h.open("POST", reflection, false, "content-type", "application/grpc"); !ok {
					return
				}
				h.a.tried()
			}
			h.a.wait(h.conn)
		})},
		{name: "reflection without end, whose answers nobody reads", run: onDeafHTTP2(func(h *hostile2) {
			stream, _ := h.open("POST", reflection, false, "content-type", "application/grpc")
			ask := append([]byte{0x22, 24}, "remotetap.v1.TapService."[:24]...) // file_containing_symbol
			h.until(func() error { return h.WriteData(stream, false, grpcMessage(0, len(ask), ask)) })
			h.a.waitDeaf()
		})},
		{name: "calls with a timeout of a nanosecond", taps: true, fails: true, run: onHTTP2(rapidly("POST", tap, true,
			func(*hostile2, uint32) error { return nil }, "content-type", "application/grpc", "grpc-timeout", "1n"))},
		{name: "taps that are cancelled at once", taps: true, run: onHTTP2(rapidly("POST", tap, false, func(h *hostile2, stream uint32) error {
			if err := h.WriteData(stream, true, grpcMessage(0, 0, nil)); err != nil {
				return io.EOF
			}
			return resets(h, stream)
		}, "content-type", "application/grpc"))},
	}
	for i := range all {
		all[i].name = "gRPC: " + all[i].name
		if all[i].clients == 0 {
			all[i].clients = 8
		}
	}
	return all
}
