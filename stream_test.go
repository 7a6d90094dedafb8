package remotetapprocessor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

func TestStreamHeader(t *testing.T) {
	tests := []struct {
		name   string
		method string
		accept string
		want   string
	}{
		{"lines of JSON are the default", http.MethodGet, "", "application/x-ndjson"},
		{"curl accepts anything and gets lines", http.MethodGet, "*/*", "application/x-ndjson"},
		{"a browser's EventSource gets events", http.MethodGet, "text/event-stream", "text/event-stream"},
		{"events among other types will do", http.MethodGet, "application/json, text/event-stream;q=0.9", "text/event-stream"},
		{"HEAD has the same header", http.MethodHead, "", "application/x-ndjson"},
		{"HEAD has the same header for events", http.MethodHead, "text/event-stream", "text/event-stream"},
	}
	for _, tt := range tests {
		for _, p := range []protocol{http1, h2c} {
			t.Run(tt.name+" over "+string(p), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					o := onMemory(t)
					start := time.Now()
					response := o.do(o.newClient(p), tt.method, "/v1/tap", "Accept", tt.accept)
					assert.Zero(t, time.Since(start), "the header comes at once")
					assert.Equal(t, http.StatusOK, response.StatusCode)
					assert.Equal(t, tt.want, response.Header.Get("Content-Type"))
					assert.Equal(t, "no-store", response.Header.Get("Cache-Control"))
					assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
					assert.Equal(t, "no", response.Header.Get("X-Accel-Buffering"))
					assert.Equal(t, tt.method == http.MethodGet, o.open() == 1, "HEAD opens no tap")
				})
			})
		}
	}
}

func TestStreamDelivers(t *testing.T) {
	for _, p := range []protocol{http1, h2c} {
		t.Run("lines over "+string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				lines := bufio.NewReader(o.streamOver(p, "/v1/traces").Body)
				for n := range 3 {
					o.pass(n + 1)
					line, err := lines.ReadBytes('\n')
					require.NoError(t, err)
					assert.Len(t, spanNames(t, line), n+1)
				}
			})
		})
		t.Run("events over "+string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				lines := bufio.NewReader(o.streamOver(p, "/v1/traces", "Accept", "text/event-stream").Body)
				for n := range 3 {
					o.pass(n + 1)
					data, err := lines.ReadBytes('\n')
					require.NoError(t, err)
					document, ok := bytes.CutPrefix(data, []byte("data: "))
					require.True(t, ok, "%s", data)
					assert.Len(t, spanNames(t, document), n+1)
					end, err := lines.ReadString('\n')
					require.NoError(t, err)
					assert.Equal(t, "\n", end)
				}
			})
		})
	}
}

func TestIdleEventStreamIsKeptAlive(t *testing.T) {
	for _, p := range []protocol{http1, h2c} {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				body := bufio.NewReader(o.streamOver(p, "/v1/tap", "Accept", "text/event-stream").Body)
				start := time.Now()
				for n := range 5 {
					comment, err := body.ReadString('\n')
					require.NoError(t, err)
					assert.Equal(t, ": keep-alive\n", comment)
					_, err = body.ReadString('\n')
					require.NoError(t, err)
					assert.Equal(t, time.Duration(n+1)*15*time.Second, time.Since(start))
				}
			})
		})
	}
}

func TestStreamOutlivesTheServersTimeouts(t *testing.T) {
	short := func(c *Config) {
		c.Server.WriteTimeout = 100 * time.Millisecond
		c.Server.ReadTimeout = 100 * time.Millisecond
		c.Server.ReadHeaderTimeout = 100 * time.Millisecond
		c.Server.Keepalive = configoptional.Some(confighttp.KeepaliveServerConfig{IdleTimeout: 100 * time.Millisecond})
	}
	tests := []struct {
		name  string
		watch func(o *observed) (next func() int)
	}{
		{"a stream over HTTP/1.1", func(o *observed) func() int {
			return lineReader(o.t, o.stream("/v1/tap").Body)
		}},
		{"a stream over HTTP/2", func(o *observed) func() int {
			return lineReader(o.t, o.streamOver(h2c, "/v1/tap").Body)
		}},
		{"a WebSocket", func(o *observed) func() int {
			conn := o.webSocket("/v1/tap")
			return func() int { return nextSpans(o.t, conn) }
		}},
	}
	for _, k := range rpcKinds() {
		tests = append(tests, struct {
			name  string
			watch func(o *observed) (next func() int)
		}{"a call over " + k.name, func(o *observed) func() int { return spanCounter(o.rpcTap(k, &remotetapv1.TapRequest{})) }})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, short)
				next := tt.watch(o)
				for range 5 {
					<-time.After(10 * time.Second)
					o.pass(4)
					assert.Equal(t, 4, next())
				}
			})
		})
	}
}

// lineReader returns a function that counts the spans of the next line.
func lineReader(t testing.TB, body io.Reader) func() int {
	t.Helper()
	lines := bufio.NewReader(body)
	return func() int {
		line, err := lines.ReadBytes('\n')
		require.NoError(t, err)
		return len(spanNames(t, line))
	}
}

func TestIdleStreamsStay(t *testing.T) {
	for _, p := range []protocol{http1, h2c} {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				next := lineReader(t, o.streamOver(p, "/v1/tap").Body)
				<-time.After(24 * time.Hour)
				o.pass(1)
				assert.Equal(t, 1, next())
			})
		})
	}
	for _, k := range rpcKinds() {
		t.Run("a call over "+k.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				next := spanCounter(o.rpcTap(k, &remotetapv1.TapRequest{}))
				<-time.After(24 * time.Hour)
				o.pass(1)
				assert.Equal(t, 1, next())
			})
		})
	}
}

func TestStreamClientThatStopsReadingIsEndedAfterItsWriteTimeout(t *testing.T) {
	tests := []struct {
		name   string
		p      protocol
		accept string
	}{
		{"lines over HTTP/1.1", http1, ""},
		{"lines over HTTP/2", h2c, ""},
		{"events over HTTP/1.1", http1, "text/event-stream"},
		{"events over HTTP/2", h2c, "text/event-stream"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				body := o.streamOver(tt.p, "/v1/tap?max_message=4096", "Accept", tt.accept).Body
				o.flood()
				start := time.Now()
				assert.Equal(t, "write_timeout", o.reason())
				assert.Equal(t, 10*time.Second, time.Since(start))
				synctest.Wait()
				got, err := io.ReadAll(body)
				require.Error(t, err, "the stream is cut, not finished")
				assert.NotContains(t, string(got), "event: end")
			})
		})
	}
}

func TestWhatCountsAsSentArrives(t *testing.T) {
	tests := []struct {
		name  string
		watch func(o *observed) (received func() int)
	}{
		{"lines", func(o *observed) func() int {
			body := o.stream("/v1/tap?max_message=4096").Body
			return func() int { return spansOfWholeLines(o.t, body) }
		}},
		{"WebSocket messages", func(o *observed) func() int {
			conn := o.webSocket("/v1/tap?max_message=4096")
			return func() int {
				for sum := 0; ; {
					_, message, err := conn.ReadMessage()
					if err != nil {
						return sum
					}
					sum += len(spanNames(o.t, message))
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				received := tt.watch(o)
				o.flood()
				ended := o.ended()
				assert.Equal(t, "write_timeout", ended["reason"])
				assert.EqualValues(t, ended["sent"], received(), "no more and no less")
			})
		})
	}
}

// spansOfWholeLines reads a stream to its end and counts the spans of the lines that came whole.
func spansOfWholeLines(t testing.TB, body io.Reader) int {
	t.Helper()
	got, err := io.ReadAll(body)
	require.Error(t, err)
	sum := 0
	for line := range bytes.Lines(got) {
		if bytes.HasSuffix(line, []byte("\n")) {
			sum += len(spanNames(t, line))
		}
	}
	return sum
}

func TestHowStreamClientsLeave(t *testing.T) {
	tests := []struct {
		name  string
		leave func(o *observed)
	}{
		{"by closing the response", func(o *observed) { o.stream("/v1/tap").Body.Close() }},
		{"by closing the response over HTTP/2", func(o *observed) { o.streamOver(h2c, "/v1/tap").Body.Close() }},
		{"by closing the response while much is on its way", func(o *observed) {
			response := o.stream("/v1/tap")
			o.flood()
			response.Body.Close()
		}},
		{"by closing the connection", func(o *observed) { o.raw(plainGet).Close() }},
		{"by closing the connection, having said something", func(o *observed) {
			conn := o.raw(plainGet)
			_, err := conn.Read(make([]byte, kib))
			require.NoError(o.t, err)
			write(o.t, conn, []byte("x"))
			conn.Close()
		}},
		{"by closing its half of the connection", func(o *observed) {
			require.NoError(o.t, o.raw(plainGet).(interface{ CloseWrite() error }).CloseWrite())
		}},
		{"by resetting the connection", func(o *observed) {
			conn := o.raw(plainGet)
			require.NoError(o.t, conn.(*net.TCPConn).SetLinger(0))
			conn.Close()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := onLoopback(t)
			tt.leave(o)
			assert.Equal(t, "client_closed", o.reason())
			assert.Zero(t, o.open())
		})
	}
}

func TestClientOfAStreamThatTalksIsEnded(t *testing.T) {
	tests := []struct {
		name string
		says int // bytes behind its request
		want string
	}{
		{"a little is ignored", maxClientMessage - 1, "duration_reached"},
		{"too much breaks the protocol", maxClientMessage + 1, "protocol_error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				conn := o.raw("GET /v1/tap?duration=10s HTTP/1.1\r\nHost: localhost\r\n\r\n")
				synctest.Wait()
				// net/http keeps the first byte to itself.
				write(t, conn, []byte("x"+strings.Repeat("x", tt.says)))
				assert.Equal(t, tt.want, o.reason())
			})
		})
	}
}

const plainGet = "GET /v1/tap HTTP/1.1\r\nHost: localhost\r\n\r\n"

func TestHalfOpenHTTP2ConnectionIsFoundByPings(t *testing.T) {
	for name, open := range map[string]func(o *observed){
		"a stream": func(o *observed) { o.streamOver(h2c, "/v1/tap") },
		"a call":   func(o *observed) { o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := newMemNetwork(64 * kib)
				var lines deaf
				o := startObserved(t, network, func(ctx context.Context, n, a string) (net.Conn, error) {
					conn, err := network.DialContext(ctx, n, a)
					return &deafConn{Conn: conn, deaf: &lines}, err
				})
				open(o)
				start := time.Now()
				lines.becomes(true)
				assert.Equal(t, "client_closed", o.reason())
				assert.Equal(t, 30*time.Second, time.Since(start), "15 s of silence, 15 s for the ping")
			})
		})
	}
}

func TestStreamOverHTTP10(t *testing.T) {
	o := onLoopback(t)
	conn := o.raw("GET /v1/tap HTTP/1.0\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Empty(t, response.TransferEncoding, "HTTP/1.0 knows no chunks")
	next := lineReader(t, response.Body)
	o.pass(5)
	assert.Equal(t, 5, next())
	conn.Close()
	assert.Equal(t, "client_closed", o.reason())
}

func TestConnectionOfAStreamIsNotUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, func(c *Config) { c.PerTap.MaxDuration = time.Second })
		conn := o.raw(plainGet)
		reader := bufio.NewReader(conn)
		response, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		defer response.Body.Close()
		assert.True(t, response.Close)
		_, err = io.ReadAll(response.Body)
		require.NoError(t, err)
		_, err = reader.ReadByte()
		assert.ErrorIs(t, err, io.EOF)
	})
}

func TestBugCutsTheStream(t *testing.T) {
	for _, p := range []protocol{http1, h2c} {
		t.Run(string(p), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				body := o.streamOver(p, "/v1/tap").Body
				viewOf(o).fail("a bug", nil, 0)
				_, err := io.ReadAll(body)
				require.Error(t, err, "not finished, so that nobody takes it for complete")
				assert.Equal(t, "internal_error", o.reason())
			})
		})
	}
}

func TestEndEventIsJSON(t *testing.T) {
	var event map[string]string
	require.NoError(t, json.Unmarshal(endEvent(endWriteTimeout, ledger{sent: 1, matched: 2, dropped: [numDropReasons]uint64{dropQueueFull: 1}}), &event))
	assert.Equal(t, map[string]string{"reason": "write_timeout", "totals": "sent 1 of 2 matched, dropped 1 (queue_full 1)"}, event)
}

func TestStreamClientWithoutDeadlines(t *testing.T) {
	recorder := httptest.NewRecorder()
	c := &streamClient{response: newResponse(recorder)}
	require.NoError(t, c.send(&entry{line: []byte("{}\n")}))
	assert.Equal(t, "{}\n", recorder.Body.String())
	assert.True(t, recorder.Flushed)
}

func TestLateInterruptLeavesTheResponseAlone(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	c := &streamClient{response: newResponse(w)}
	c.end(endClientClosed, ledger{})
	c.interrupt()
	assert.Empty(t, w.set, "it belongs to net/http again")
}

func TestInterruptIsTheLastDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		c := &streamClient{response: newResponse(w), events: true}
		c.interrupt()
		require.NoError(t, c.send(&entry{line: []byte("{}\n")}))
		<-time.After(time.Millisecond)
		c.end(endShutdown, ledger{})
		assert.Equal(t, []time.Time{time.Now().Add(farewell - time.Millisecond)}, w.set, "nothing puts it off")
	})
}

// deadlines is a response that remembers its write deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

func TestWriteThatFailsForAnotherReasonIsNoTimeout(t *testing.T) {
	broken := errors.New("broken pipe")
	w := &brokenWriter{ResponseRecorder: httptest.NewRecorder(), err: broken}
	c := &streamClient{response: newResponse(w)}
	assert.ErrorIs(t, c.send(&entry{line: []byte("{}\n")}), broken)
}

type brokenWriter struct {
	*httptest.ResponseRecorder
	err error
}

func (w *brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestStreamOfEventsHasNoLineThatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		response := o.stream("/v1/tap?max_message=1024", "Accept", "text/event-stream")
		traces := spans(50)
		traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetName("line\nbreak\r\nand\revent: end")
		require.NoError(t, o.traces.ConsumeTraces(t.Context(), traces))
		synctest.Wait()
		go o.shutdownDuration(t.Context())
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.NotContains(t, string(body), "\r")
		for line := range strings.Lines(string(body)) {
			known := line == "\n" || line == "event: end\n" || strings.HasPrefix(line, "data: {")
			assert.True(t, known, "%q", line)
		}
	})
}
