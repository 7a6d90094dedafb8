package e2e

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrongRequestsAreRefusedInWordsThatTeach(t *testing.T) {
	c := start(t, fourPipelines)
	const upgrade = "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for name, wrong := range map[string]struct {
		request   string
		status    int
		parameter string
		says      string
	}{
		"a parameter that is misspelt": {
			"GET /v1/tap?formt=otlp_json HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "formt", "did you mean format?",
		},
		"a parameter that is misspelt, for a WebSocket": {
			"GET /?formt=otlp_json HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 13\r\n\r\n", 400, "formt", "did you mean format?",
		},
		"a signal that there is not": {
			"GET /v1/tap?signal=spans HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "signal", "traces, metrics, logs",
		},
		"a size out of range":   {"GET /v1/tap?max_message=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "max_message", "1024"},
		"a query that is none":  {"GET /v1/tap?%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "", "escape"},
		"an unknown path":       {"GET /v1/spans HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "", "/v1/traces"},
		"another method":        {"POST /v1/tap HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405, "", "GET"},
		"a body on a GET":       {"GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 400, "", "query string"},
		"a body without length": {"GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "", "query string"},
		"an old WebSocket":      {"GET / HTTP/1.1\r\n" + upgrade + key + "Sec-WebSocket-Version: 8\r\n\r\n", 400, "", "13"},
		"a WebSocket without a key": {
			"GET / HTTP/1.1\r\n" + upgrade + "Sec-WebSocket-Version: 13\r\n\r\n", 400, "", "Sec-WebSocket-Key",
		},
		"a WebSocket with a short key": {
			"GET / HTTP/1.1\r\n" + upgrade + "Sec-WebSocket-Key: c2hvcnQ=\r\nSec-WebSocket-Version: 13\r\n\r\n", 400, "", "Sec-WebSocket-Key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.ask(wrong.request)
			require.NoError(t, err)
			answer := refusalOf(r.answer)
			require.Equal(t, wrong.status, answer.status, answer.body)
			assert.Equal(t, wrong.parameter, answer.field(t, "parameter"))
			assert.Contains(t, answer.field(t, "error")+answer.field(t, "hint"), wrong.says)
		})
	}
	require.Zero(t, c.countLogged("tap opened"))
	require.Empty(t, c.points().Taps)
}

func TestHeadOpensNoTap(t *testing.T) {
	c := start(t, fourPipelines)
	for _, version := range []int{1, 2} {
		answer := c.request(version, http.MethodHead, "/v1/tap")
		require.Equal(t, http.StatusOK, answer.status)
		require.Equal(t, "application/x-ndjson", answer.header.Get("Content-Type"))
		require.Empty(t, answer.body)
	}
	require.Zero(t, c.countLogged("tap opened"))
}

// TestBrokenWebSocketClientEndsAlone: whatever a WebSocket client does wrong costs it its own connection.
func TestBrokenWebSocketClientEndsAlone(t *testing.T) {
	c := start(t, fourPipelines)
	var others []*client
	for _, k := range kinds() {
		others = append(others, c.watch(k, "/v1/logs"))
	}
	for i, broken := range []struct {
		name   string
		frames []byte
		code   uint16
		reason string
	}{
		{"a frame that is not masked", []byte{0x81, 1, 'x'}, 1002, "protocol_error"},
		{"an unknown kind of frame", maskedFrame(0x83, nil), 1002, "protocol_error"},
		{"reserved bits", maskedFrame(0xf1, nil), 1002, "protocol_error"},
		{"a continuation of nothing", maskedFrame(0x80, []byte("x")), 1002, "protocol_error"},
		{"a ping in pieces", maskedFrame(0x09, nil), 1002, "protocol_error"},
		{"a ping that is too long", maskedFrame(0x89, make([]byte, 126)), 1002, "protocol_error"},
		{"a close frame with a code that there is not", maskedFrame(0x88, []byte{0, 1}), 1002, "protocol_error"},
		{"a message that is too long", maskedFrame(0x81, make([]byte, 65537)), 1009, "protocol_error"},
		{"a message that says it is longer than memory", []byte{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1009, "protocol_error"},
		{"not a frame at all", []byte("GET / HTTP/1.1\r\n\r\n"), 1002, "protocol_error"},
		{"an orderly close", maskedFrame(0x88, []byte{3, 232}), 1000, "client_closed"},
		{"messages, and then a close", append(bytes.Repeat(maskedFrame(0x81, []byte("hello?")), 100), maskedFrame(0x88, []byte{3, 232})...), 1000, "client_closed"},
	} {
		t.Run(broken.name, func(t *testing.T) {
			r, err := c.ask(webSocketHandshake)
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, r.answer.StatusCode)
			require.NoError(t, r.conn.SetDeadline(time.Now().Add(patience)))
			_, err = r.conn.Write(broken.frames)
			require.NoError(t, err)
			code, err := readClose(r.reader)
			require.NoError(t, err)
			require.Equal(t, broken.code, code)
			c.awaitEnded(i + 1)
			ended := c.journal.await(t, 0, c.over, "the end", func(e entry) bool {
				return e.Message == "tap ended" && e.fields["remote"] == r.conn.LocalAddr().String()
			})
			require.Equal(t, broken.reason, ended.fields["reason"])
		})
	}
	batch := logs().generate("for the others", 2)
	c.export(logs(), batch)
	for _, w := range others {
		requireSame(t, items(t, logs(), batch), w.collect(logs(), 2), w.kind.name)
	}
}

// maskedFrame is a WebSocket frame as clients send it; the mask is zero.
func maskedFrame(first byte, payload []byte) []byte {
	frame := []byte{first, 0x80}
	switch n := len(payload); {
	case n > 65535:
		frame[1] |= 127
		frame = binary.BigEndian.AppendUint64(frame, uint64(n))
	case n > 125:
		frame[1] |= 126
		frame = binary.BigEndian.AppendUint16(frame, uint16(n))
	default:
		frame[1] |= byte(n)
	}
	return append(append(frame, 0, 0, 0, 0), payload...)
}

// readClose reads the one frame that a server still sends, which closes, and the end.
func readClose(r io.Reader) (code uint16, err error) {
	frames, err := io.ReadAll(r)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // it need not read what else we have sent
		return 0, err
	}
	if len(frames) < 4 || frames[0] != 0x88 || int(frames[1]) != len(frames)-2 {
		return 0, fmt.Errorf("not one close frame with a code: %q", frames)
	}
	return binary.BigEndian.Uint16(frames[2:]), nil
}
