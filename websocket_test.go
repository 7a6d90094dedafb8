package remotetapprocessor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWebSocketClientsArePinged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap")
		start := time.Now()
		var pings []time.Duration
		answer := conn.PingHandler()
		conn.SetPingHandler(func(data string) error {
			pings = append(pings, time.Since(start))
			return answer(data)
		})
		require.NoError(t, conn.SetReadDeadline(start.Add(5*time.Minute)))
		_, _, err := conn.ReadMessage()
		require.ErrorContains(t, err, "i/o timeout")
		want := make([]time.Duration, 9)
		for i := range want {
			want[i] = time.Duration(i+1) * 30 * time.Second
		}
		assert.Equal(t, want, pings)
		assert.Equal(t, 1, o.open(), "a client that answers stays")
	})
}

func TestTrafficDoesNotKeepPingsFromAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap")
		pings := 0
		answer := conn.PingHandler()
		conn.SetPingHandler(func(data string) error {
			pings++
			return answer(data)
		})
		for range 100 {
			<-time.After(time.Second)
			o.pass(1)
			assert.Equal(t, 1, nextSpans(t, conn))
		}
		assert.Equal(t, 3, pings)
	})
}

func TestSilentWebSocketClientIsGoneAfterAMinute(t *testing.T) {
	tests := []struct {
		name string
		say  func(o *observed, conn net.Conn) // what the client says before it falls silent
		want time.Duration                    // when it is gone
	}{
		{"a client that is never heard of, as behind a connection that is open at one end only", func(*observed, net.Conn) {}, 60 * time.Second},
		{"a client that falls silent after a pong", func(o *observed, conn net.Conn) {
			<-time.After(50 * time.Second)
			write(o.t, conn, frame(0x8a, ""))
		}, 110 * time.Second},
		{"a client that falls silent after a ping of its own", func(o *observed, conn net.Conn) {
			<-time.After(40 * time.Second)
			write(o.t, conn, frame(0x89, "hello"))
		}, 100 * time.Second},
		{"a client that falls silent after a message", func(o *observed, conn net.Conn) {
			<-time.After(30 * time.Second)
			write(o.t, conn, frame(0x81, "hello"))
		}, 90 * time.Second},
		{"a client that falls silent in the middle of a message", func(o *observed, conn net.Conn) {
			write(o.t, conn, frame(0x81, "hello")[:8])
		}, 60 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				start := time.Now()
				conn, _ := o.rawWebSocket()
				tt.say(o, conn)
				assert.Equal(t, "client_closed", o.reason())
				// The close frame is not answered either.
				assert.InDelta(t, tt.want+farewell, time.Since(start), float64(farewell))
			})
		})
	}
}

// frame makes a short frame as a client sends it, masked with zeroes. The first byte is FIN,
// reserved bits and opcode.
func frame(first byte, payload string) []byte {
	return append([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...)
}

func TestWebSocketClientThatFloodsIsEnded(t *testing.T) {
	tests := []struct {
		name  string
		frame []byte
	}{
		{"pings", frame(0x89, "")},
		{"pongs", frame(0x8a, "")},
		{"messages", frame(0x81, "x")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				conn, answers := o.rawWebSocket()
				go func() { _, _ = io.Copy(io.Discard, answers) }()
				for range 20 { // 40 a second
					write(t, conn, bytes.Repeat(tt.frame, 400))
					<-time.After(framePeriod)
				}
				require.Equal(t, 1, o.open(), "a busy client stays")
				write(t, conn, bytes.Repeat(tt.frame, maxClientFrames+1))
				assert.Equal(t, "protocol_error", o.reason())
			})
		})
	}
}

func write(t testing.TB, conn net.Conn, b []byte) {
	t.Helper()
	_, err := conn.Write(b)
	require.NoError(t, err)
}

func TestWebSocketClientThatStopsReadingIsEndedAfterItsWriteTimeout(t *testing.T) {
	tests := []struct {
		name string
		open func(o *observed)
	}{
		{"plain", func(o *observed) { o.webSocket("/v1/tap?max_message=4096") }},
		{"compressed", func(o *observed) { o.deflated("/v1/tap?max_message=4096") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				tt.open(o)
				o.flood()
				start := time.Now()
				assert.Equal(t, "write_timeout", o.reason())
				assert.Equal(t, 10*time.Second, time.Since(start))
				assert.Zero(t, o.open())
			})
		})
	}
}

func TestLargeMessageHasLongerToBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.webSocket("/v1/tap?max_message=1048576")
		o.flood()
		start := time.Now()
		assert.Equal(t, "write_timeout", o.reason())
		assert.Greater(t, time.Since(start), 20*time.Second, "a message of more than 128 KiB")
		assert.Less(t, time.Since(start), 60*time.Second)
	})
}

func TestSlowClientThatReadsInTimeStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap")
		o.flood()
		got := 0
		for got < 20_000 {
			<-time.After(9 * time.Second / 2) // two messages wait in the network
			got += nextSpans(t, conn)
		}
		assert.Equal(t, 1, o.open())
	})
}

func TestClientThatPingsWhileItIsSlowStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := make(chan *webSocketClient)
		conn := upgraded(t, func(conn *websocket.Conn) {
			c := newWebSocketClient(conn, &tap{cancel: func(err error) { assert.Equal(t, endClientClosed, err) }}, websocket.TextMessage, false)
			fill(conn.NetConn())
			full <- c
			<-c.gone
		})
		c := <-full
		require.NoError(t, conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)))
		<-time.After(9 * time.Second) // as long as any message may take
		require.NoError(t, drain(conn.NetConn()))
		synctest.Wait()
		select {
		case <-c.gone:
			assert.Fail(t, "the client is gone")
		default:
			assert.NoError(t, c.send(&entry{line: []byte("{}\n")}))
		}
	})
}

func TestClientThatPingsAndStopsReadingIsEndedAfterItsWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := make(chan *webSocketClient)
		conn := upgraded(t, func(conn *websocket.Conn) {
			c := newWebSocketClient(conn, &tap{cancel: func(error) {}}, websocket.TextMessage, false)
			fill(conn.NetConn())
			full <- c
			<-c.gone
		})
		c := <-full
		require.NoError(t, conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)))
		synctest.Wait()
		assert.Equal(t, endWriteTimeout, reasonOf(t.Context(), c.send(&entry{line: []byte("{}\n")})))
	})
}

// fill writes until the network takes nothing more.
func fill(conn net.Conn) {
	_ = conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
	for {
		if _, err := conn.Write([]byte{0}); err != nil {
			return
		}
	}
}

// drain reads all that has arrived.
func drain(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func TestMalformedFramesEndThatClientAlone(t *testing.T) {
	tests := []struct {
		name string
		say  []byte
		code uint16
	}{
		{"the first reserved bit, without compression", frame(0xc1, "x"), 1002},
		{"the second reserved bit", frame(0xa1, "x"), 1002},
		{"the third reserved bit", frame(0x91, "x"), 1002},
		{"an unknown opcode for data", frame(0x83, "x"), 1002},
		{"an unknown opcode for control", frame(0x8b, "x"), 1002},
		{"a frame that is not masked", []byte{0x81, 1, 'x'}, 1002},
		{"a fragmented control frame", frame(0x09, "x"), 1002},
		{"a control frame of more than 125 bytes", append([]byte{0x89, 0xfe, 0, 126, 0, 0, 0, 0}, make([]byte, 126)...), 1002},
		{"a continuation of nothing", frame(0x80, "x"), 1002},
		{"a new message inside another", append(frame(0x01, "x"), frame(0x81, "x")...), 1002},
		{"a close code that must not be sent", frame(0x88, "\x03\xed"), 1002},
		{"a close code out of range", frame(0x88, "\x00\x07"), 1002},
		{"a close reason that is not UTF-8", frame(0x88, "\x03\xe8\xff"), 1002},
		{"a message that announces more than 64 KiB", longFrame(0x82, 64*kib+1), 1009},
		{"a message that announces 2^62 bytes", longFrame(0x82, 1<<62), 1009},
		{"fragments that together are more than 64 KiB", bytes.Join([][]byte{
			longFrame(0x02, 40*kib), make([]byte, 40*kib), longFrame(0x00, 40*kib), make([]byte, 40*kib), longFrame(0x80, 40*kib),
		}, nil), 1009},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := onLoopback(t)
			healthy := o.webSocket("/v1/tap")
			conn, reader := o.rawWebSocket()
			write(t, conn, tt.say)
			code, _ := readClose(t, reader)
			assert.Equal(t, tt.code, code)
			assert.Equal(t, "protocol_error", o.reason())
			o.pass(3)
			assert.Equal(t, 3, nextSpans(t, healthy), "others go on")
		})
	}
}

// longFrame is the head of a frame with a 64-bit length.
func longFrame(first byte, length uint64) []byte {
	head := binary.BigEndian.AppendUint64([]byte{first, 0xff}, length)
	return append(head, 0, 0, 0, 0)
}

// readClose reads short frames of the server until it closes the WebSocket.
func readClose(t *testing.T, reader *bufio.Reader) (code uint16, reason string) {
	t.Helper()
	for {
		var head [2]byte
		_, err := io.ReadFull(reader, head[:])
		require.NoError(t, err)
		require.Less(t, head[1], byte(126), "not masked, and short")
		payload := make([]byte, head[1])
		_, err = io.ReadFull(reader, payload)
		require.NoError(t, err)
		if head[0] == 0x88 {
			require.GreaterOrEqual(t, len(payload), 2)
			return binary.BigEndian.Uint16(payload), string(payload[2:])
		}
	}
}

func TestOversizedMessageIsRefusedThoughTheClientGoesOnSending(t *testing.T) {
	o := onLoopback(t)
	conn := o.webSocket("/v1/tap")
	_ = conn.WriteMessage(websocket.BinaryMessage, make([]byte, 8*mib)) // the server may hang up on it
	assert.Equal(t, websocket.CloseMessageTooBig, closing(t, conn).Code)
	assert.Equal(t, "protocol_error", o.reason())
}

func TestWhatClientsMaySay(t *testing.T) {
	tests := []struct {
		name string
		say  []byte
	}{
		{"a text message", frame(0x81, "hello")},
		{"an empty message", frame(0x82, "")},
		{"a message in fragments with a ping between", bytes.Join([][]byte{frame(0x01, "he"), frame(0x89, "?"), frame(0x80, "llo")}, nil)},
		{"a message of 64 KiB", append(longFrame(0x82, 64*kib), make([]byte, 64*kib)...)},
		{"a pong that nobody asked for", frame(0x8a, "x")},
		{"a text message that is not UTF-8, which nobody reads", frame(0x81, "\xff")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				conn, _ := o.rawWebSocket()
				write(t, conn, tt.say)
				synctest.Wait()
				assert.Equal(t, 1, o.open())
			})
		})
	}
}

func TestHowWebSocketClientsLeave(t *testing.T) {
	tests := []struct {
		name  string
		leave func(o *observed, conn net.Conn)
	}{
		{"with a close frame", func(o *observed, conn net.Conn) { write(o.t, conn, frame(0x88, "\x03\xe8bye")) }},
		{"with an empty close frame", func(o *observed, conn net.Conn) { write(o.t, conn, frame(0x88, "")) }},
		{"by closing the connection", func(_ *observed, conn net.Conn) { _ = conn.Close() }},
		{"by closing the connection after half a frame", func(o *observed, conn net.Conn) {
			write(o.t, conn, frame(0x81, "hello")[:3])
			_ = conn.Close()
		}},
		{"by closing the connection in the middle of a message", func(o *observed, conn net.Conn) {
			write(o.t, conn, frame(0x81, "hello")[:8])
			_ = conn.Close()
		}},
		{"by closing its half of the connection", func(o *observed, conn net.Conn) {
			require.NoError(o.t, conn.(interface{ CloseWrite() error }).CloseWrite())
		}},
		{"by resetting the connection", func(o *observed, conn net.Conn) {
			if tcp, ok := conn.(*net.TCPConn); ok {
				require.NoError(o.t, tcp.SetLinger(0))
			}
			_ = conn.Close()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := onLoopback(t)
			conn, _ := o.rawWebSocket()
			tt.leave(o, conn)
			assert.Equal(t, "client_closed", o.reason())
			assert.Zero(t, o.open())
		})
	}
}

func TestReasonOfRead(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want endReason
	}{
		{"a close frame", errClientCloses, endClientClosed},
		{"the end of the connection inside a message", io.EOF, endClientClosed},
		{"the end of a TLS connection without TLS's own goodbye", io.ErrUnexpectedEOF, endClientClosed},
		{"a reset", &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, endClientClosed},
		{"silence", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, endClientClosed},
		{"our own end of the connection is closed", net.ErrClosed, endClientClosed},
		{"a frame against the rules", violated("a reserved bit is set"), endProtocolError},
		{"a message that is too large", &violation{code: 1009}, endProtocolError},
		{"a flood", errors.Join(errFlood, net.ErrClosed), endProtocolError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, reasonOfRead(tt.err))
		})
	}
}

func TestBugClosesTheWebSocketWith1011(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap")
		viewOf(o).fail("a bug", o.s.broadcaster.snapshot().sources[0], 7)
		assert.Equal(t, &websocket.CloseError{Code: 1011, Text: "internal_error: sent 0 of 7 matched, dropped 7 (internal_error 7)"}, closing(t, conn))
		assert.Equal(t, "internal_error", o.reason())
		assert.Equal(t, 1, nextSpansOfANewTap(t, o), "the next tap works")
	})
}

// nextSpansOfANewTap opens a tap, passes a span and counts those that come.
func nextSpansOfANewTap(t *testing.T, o *observed) int {
	t.Helper()
	conn := o.webSocket("/v1/tap")
	o.pass(1)
	return nextSpans(t, conn)
}

func TestCloseFrameIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn, reader := o.rawWebSocket()
		write(t, conn, frame(0x88, "\x03\xe9bye"))
		code, text := readClose(t, reader)
		assert.Equal(t, uint16(1000), code)
		assert.Equal(t, "client_closed: sent 0 of 0 matched", text, "with the account")
		_, err := reader.ReadByte()
		assert.ErrorIs(t, err, io.EOF)
	})
}

func TestClientsGetTheSameDataCompressedOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		plain, deflated, other := o.webSocket("/v1/tap"), o.deflated("/v1/tap"), o.deflated("/v1/tap")
		for range 3 {
			o.pass(10)
			_, want, err := plain.ReadMessage()
			require.NoError(t, err)
			assert.Len(t, spanNames(t, want), 10)
			for _, conn := range []*websocket.Conn{deflated, other} {
				kind, got, err := conn.ReadMessage()
				require.NoError(t, err)
				assert.Equal(t, websocket.TextMessage, kind)
				assert.Equal(t, string(want), string(got))
			}
		}
		assert.Len(t, o.s.broadcaster.views, 1)
	})
}

func TestMessageIsCompressedOncePerView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, func(c *Config) { c.Limit = 10 })
		for range 5 {
			o.deflated("/v1/tap")
		}
		e := catchMessage(t, o)
		first := e.prepared.message
		require.NotNil(t, first, "a client that had it left it there")
		frames := make([]*webSocketClient, 3)
		for i := range frames {
			upgraded(t, func(conn *websocket.Conn) {
				conn.EnableWriteCompression(true)
				frames[i] = &webSocketClient{conn: conn, view: viewOf(o), compressed: true}
				assert.NoError(t, frames[i].send(e))
			})
			synctest.Wait()
			assert.Same(t, first, e.prepared.message)
		}
	})
}

// viewOf is the only view of a collector.
func viewOf(o *observed) *view {
	for _, v := range o.s.broadcaster.views {
		return v
	}
	return nil
}

// catchMessage returns a message of the only view that its clients have been sent.
func catchMessage(t *testing.T, o *observed) *entry {
	t.Helper()
	_, lagging, err := o.s.broadcaster.subscribe(t.Context(), viewOf(o).selection, clientInfo{})
	require.NoError(t, err)
	defer o.s.broadcaster.sessions.Done()
	defer o.s.broadcaster.unsubscribe(lagging, endClientClosed)
	o.pass(10)
	synctest.Wait()
	e := lagging.take()
	require.NotNil(t, e)
	lagging.delivered()
	return e
}

func TestCompressionIsPaidForByThoseWhoWantIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.webSocket("/v1/tap")
		assert.Nil(t, catchMessage(t, o).prepared.message)
	})
}

func TestCompressionSavesBytesOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		plain, plainReader := o.rawWebSocket()
		deflated, deflatedReader := o.rawWebSocket("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n")
		o.pass(200)
		synctest.Wait()
		assert.Less(t, 4*received(t, deflated, deflatedReader), received(t, plain, plainReader))
	})
}

// received counts the bytes that have arrived.
func received(t *testing.T, conn net.Conn, reader *bufio.Reader) int64 {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
	n, err := io.Copy(io.Discard, reader)
	require.ErrorContains(t, err, "i/o timeout")
	return n
}

func TestAgreementOnDeflate(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		want  bool
	}{
		{"no extension", nil, false},
		{"another extension", []string{"x-webkit-deflate-frame"}, false},
		{"permessage-deflate", []string{"permessage-deflate"}, true},
		{"with a parameter", []string{"permessage-deflate; client_max_window_bits"}, true},
		{"as second in a line", []string{"foo, permessage-deflate;server_no_context_takeover"}, true},
		{"in a second line", []string{"foo", " permessage-deflate "}, true},
		{"a name that only starts so", []string{"permessage-deflate-2"}, false},
		{"a window of the client, which is its own affair", []string{"permessage-deflate; client_max_window_bits=9"}, true},
		{"a window of the client that is none", []string{"permessage-deflate; client_max_window_bits=16"}, false},
		{"a smaller window than ours, which we cannot do", []string{"permessage-deflate; server_max_window_bits=9"}, false},
		{"that, or without", []string{"permessage-deflate; server_max_window_bits=9, permessage-deflate"}, true},
		{"no context, which we do not keep", []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover"}, true},
		{"no context, with a value", []string{"permessage-deflate; server_no_context_takeover=1"}, false},
		{"a parameter twice", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits"}, false},
		{"an unknown parameter", []string{"permessage-deflate; bits=9"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			header := http.Header{"Sec-Websocket-Extensions": tt.lines}
			assert.Equal(t, tt.want, agreeOnDeflate(header))

			// What was agreed must be what we believe was agreed.
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				say := make([]string, len(tt.lines))
				for i, line := range tt.lines {
					say[i] = "Sec-WebSocket-Extensions: " + line + "\r\n"
				}
				assert.Equal(t, tt.want, agreed(t, o, strings.Join(say, "")))
			})
		})
	}
}

// agreed tells whether the server agrees to permessage-deflate in a handshake.
func agreed(t *testing.T, o *observed, header string) bool {
	t.Helper()
	conn := o.raw(handshakeHead + header + "\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	return strings.Contains(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
}

func TestBadHandshakes(t *testing.T) {
	const head = "GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	tests := []struct {
		name   string
		say    string
		status int
		want   string
	}{
		{
			"an old version", head + "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", 400,
			`{"error":"WebSocket version 13 is the only one (RFC 6455)","hint":"send Sec-WebSocket-Version: 13"}`,
		},
		{
			"no version", head + "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", 400,
			`{"error":"WebSocket version 13 is the only one (RFC 6455)","hint":"send Sec-WebSocket-Version: 13"}`,
		},
		{
			"no key", head + "Sec-WebSocket-Version: 13\r\n\r\n", 400,
			`{"error":"Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455)","hint":"send a new one with each handshake"}`,
		},
		{
			"a key that is too short", head + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n", 400,
			`{"error":"Sec-WebSocket-Key is not 16 bytes in base64 (RFC 6455)","hint":"send a new one with each handshake"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				status, body := rawAnswer(t, o, tt.say)
				assert.Equal(t, tt.status, status)
				assert.JSONEq(t, tt.want, body)
				assertNoTap(t, o)
			})
		})
	}
}

func TestHandshakesThatNeedAnotherRequest(t *testing.T) {
	header := http.Header{"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="}}
	tests := []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"over HTTP/2", func(r *http.Request) { r.ProtoMajor = 2 }, "WebSocket needs HTTP/1.1; connect without HTTP/2, or read the stream with a plain GET"},
		{"with HEAD", func(r *http.Request) { r.Method = http.MethodHead }, "a WebSocket begins with a GET; use GET"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/tap", http.NoBody)
			r.Header = header
			require.NoError(t, checkHandshake(r))
			tt.change(r)
			assert.EqualError(t, checkHandshake(r), tt.want)
		})
	}
}

// assertNoTap checks that no tap was opened, not even for a moment.
func assertNoTap(t *testing.T, o *observed) {
	t.Helper()
	assert.Zero(t, o.open())
	assert.Zero(t, o.s.broadcaster.lastID)
}

// rawAnswer says something and reads an answer of HTTP.
func rawAnswer(t *testing.T, o *observed, say string) (status int, body string) {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(o.raw(say)), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}
