package remotetapprocessor

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// abuse sends bytes to a server, as a client that then falls silent, and checks that the server
// takes leave of it: the connection ends, no tap stays open, nothing has panicked. It has a clock
// of its own, since net/http gives clients time.
func abuse(t *testing.T, sent ...[]byte) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.raw("")
		go func() {
			for _, b := range sent {
				if _, err := conn.Write(b); err != nil {
					return // the server has seen enough
				}
			}
			_ = conn.(interface{ CloseWrite() error }).CloseWrite()
		}()
		_, _ = io.Copy(io.Discard, conn)
		synctest.Wait()
		assert.Zero(t, o.open())
		for _, entry := range o.logs.All() {
			assert.NotContains(t, entry.Message, "panic")
			assert.NotContains(t, entry.Message, "bug")
		}
	})
}

func FuzzWebSocketFrames(f *testing.F) {
	for _, seed := range [][]byte{
		frame(0x81, "hello"),
		frame(0x82, "\x00\x01"),
		frame(0x89, "ping"),
		frame(0x8a, "pong"),
		frame(0x88, "\x03\xe8bye"),
		frame(0x88, "\x03"),
		frame(0xc1, "reserved bit"),
		frame(0x83, "reserved opcode"),
		append(frame(0x01, "frag"), frame(0x80, "ment")...),
		append(frame(0x01, "frag"), frame(0x09, "fragmented ping")...),
		append(frame(0x01, "frag"), frame(0x81, "no continuation")...),
		{0x81, 0x05, 'p', 'l', 'a', 'i', 'n'},
		{0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0},
		{0x81, 0xfe, 0x00},
		bytes.Repeat(frame(0x89, ""), 2*maxClientFrames),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, frames []byte) {
		abuse(t, []byte(handshakeHead+"\r\n"), frames)
	})
}

func FuzzHTTP2Frames(f *testing.F) {
	request := message(f, &remotetapv1.TapRequest{Service: []string{"checkout"}})
	for _, write := range []func(*http2.Framer){
		func(*http2.Framer) {},
		func(w *http2.Framer) { call(w, 1, "/remotetap.v1.TapService/Tap", request) },
		func(w *http2.Framer) {
			call(w, 1, "/remotetap.v1.TapService/Tap", request)
			_ = w.WriteRSTStream(1, http2.ErrCodeCancel)
			_ = w.WritePing(false, [8]byte{})
		},
		func(w *http2.Framer) { call(w, 1, "/remotetap.v1.TapService/Tap", request[:7]) },
		func(w *http2.Framer) { call(w, 1, "/remotetap.v1.TapService/Tap", []byte{1, 0xff, 0xff, 0xff, 0xff}) },
		func(w *http2.Framer) { call(w, 1, "/remotetap.v1.TapService/ListPoints", []byte{0, 0, 0, 0, 0}) },
		func(w *http2.Framer) {
			call(w, 1, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", []byte{0, 0, 0, 0, 2, 0x3a, 0})
		},
		func(w *http2.Framer) { _ = w.WriteWindowUpdate(0, 1<<31-1) },
		func(w *http2.Framer) { _ = w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}) },
		func(w *http2.Framer) { _ = w.WriteGoAway(0, http2.ErrCodeNo, nil) },
		func(w *http2.Framer) { _ = w.WriteContinuation(3, true, []byte("x")) },
	} {
		var sent bytes.Buffer
		framer := http2.NewFramer(&sent, nil)
		_ = framer.WriteSettings()
		write(framer)
		f.Add(sent.Bytes())
	}
	f.Fuzz(func(t *testing.T, frames []byte) {
		abuse(t, []byte(http2.ClientPreface), frames)
	})
}

func FuzzGRPCMessages(f *testing.F) {
	for _, request := range []*remotetapv1.TapRequest{
		{},
		{Count: proto.Uint64(1), Format: "none"},
		{Signal: []string{"logs"}, Severity: "warn", Where: []string{`log.body == "x"`}},
		{Attributes: []*remotetapv1.AttributeCriterion{{Key: "http.route", Value: "/pay", Not: true}}},
	} {
		f.Add(message(f, request))
	}
	f.Add([]byte{1, 0, 0, 0, 3, 0x1f, 0x8b, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		var sent bytes.Buffer
		framer := http2.NewFramer(&sent, nil)
		_ = framer.WriteSettings()
		if len(body) > 16*kib {
			return // more than a frame holds
		}
		call(framer, 1, "/remotetap.v1.TapService/Tap", body)
		abuse(t, []byte(http2.ClientPreface), sent.Bytes())
	})
}

func FuzzHTTP1(f *testing.F) {
	for _, seed := range []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /v1/tap?service=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		plainGet + "stray",
		"GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n" + plainGet,
		"POST /remotetap.v1.TapService/ListPoints HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		"POST /remotetap.v1.TapService/Tap HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc-web+proto\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n\x00\x00\x00\x00\x00\r\n0\r\n\r\n",
		handshakeHead + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM",
		strings.Repeat("A", 300*kib),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		abuse(t, sent)
	})
}

// call writes the frames of a gRPC call.
func call(w *http2.Framer, stream uint32, path string, body []byte) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range [][2]string{
		{":method", http.MethodPost},
		{":scheme", "http"},
		{":path", path},
		{":authority", "localhost"},
		{"content-type", "application/grpc"},
		{"te", "trailers"},
	} {
		_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = w.WriteData(stream, true, body)
}

// message is a gRPC message with its prefix.
func message(t testing.TB, m proto.Message) []byte {
	t.Helper()
	encoded, err := proto.Marshal(m)
	require.NoError(t, err)
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(encoded))), encoded...)
}
