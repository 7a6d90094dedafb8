package remotetapprocessor

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"connectrpc.com/connect"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/remotetap/remotetapprocessor/internal/metadata"
	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

func TestWriteDeadlineGrowsWithTheMessage(t *testing.T) {
	tests := []struct {
		name  string
		bytes int
		want  time.Duration
	}{
		{"nothing but a flush has ten seconds", 0, 10 * time.Second},
		{"a message just under 64 KiB has ten seconds", 64*kib - 1, 10 * time.Second},
		{"64 KiB have twenty", 64 * kib, 20 * time.Second},
		{"a large message has a minute at most", mib, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				assert.Equal(t, tt.want, time.Until(writeDeadline(tt.bytes)))
			})
		})
	}
}

func TestReasonOf(t *testing.T) {
	cause := func(err error) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(err)
		return ctx
	}
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want endReason
	}{
		{"the context's reason comes before the error", cause(endShutdown), os.ErrDeadlineExceeded, endShutdown},
		{"a request that was cancelled is a client that left", cause(nil), context.Canceled, endClientClosed},
		{"a write that took too long is a write timeout", t.Context(), &net.OpError{Err: os.ErrDeadlineExceeded}, endWriteTimeout},
		{"any other failure is a client that left", t.Context(), errors.New("broken pipe"), endClientClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, reasonOf(tt.ctx, tt.err))
		})
	}
}

func TestMaxDurationEndsATap(t *testing.T) {
	short := func(c *Config) { c.PerTap.MaxDuration = 90 * time.Second }
	tests := []struct {
		name  string
		watch func(o *observed)
	}{
		{"a WebSocket is closed with 1008, the reason and the totals", func(o *observed) {
			conn := o.webSocket("/v1/tap")
			o.pass(3)
			assert.Equal(o.t, 3, nextSpans(o.t, conn))
			assert.Equal(o.t, &websocket.CloseError{Code: 1008, Text: "max_duration: sent 3 of 3 matched"}, closing(o.t, conn))
		}},
		{"a stream of lines ends", func(o *observed) {
			body, err := io.ReadAll(o.stream("/v1/tap").Body)
			require.NoError(o.t, err)
			assert.Empty(o.t, body)
		}},
		{"a stream over HTTP/2 ends", func(o *observed) {
			body, err := io.ReadAll(o.streamOver(h2c, "/v1/tap").Body)
			require.NoError(o.t, err)
			assert.Empty(o.t, body)
		}},
		{"server-sent events end with an event", func(o *observed) {
			body, err := io.ReadAll(o.stream("/v1/tap", "Accept", "text/event-stream").Body)
			require.NoError(o.t, err)
			assert.Contains(o.t, string(body), "event: end\ndata: {\"reason\":\"max_duration\",\"totals\":\"sent 0 of 0 matched\"}\n\n")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t, short)
				start := time.Now()
				tt.watch(o)
				assert.Equal(t, 90*time.Second, time.Since(start))
				ended := o.ended()
				assert.Equal(t, "max_duration", ended["reason"])
				assert.Equal(t, 90*time.Second, ended["duration"])
			})
		})
	}
}

func TestShutdownTakesLeaveOfEveryClient(t *testing.T) {
	// Clients that answer are not waited for. (HTTP/2 leaves it to them who hangs up, for a second.)
	const soon = 10 * time.Millisecond
	tests := []struct {
		name   string
		within time.Duration
		watch  func(o *observed) func()
	}{
		{"a WebSocket is closed with 1001, the reason and the totals", soon, func(o *observed) func() {
			conn := o.webSocket("/v1/tap")
			return func() {
				assert.Equal(o.t, 2, nextSpans(o.t, conn))
				assert.Equal(o.t, &websocket.CloseError{Code: 1001, Text: "shutdown: sent 2 of 2 matched"}, closing(o.t, conn))
			}
		}},
		{"a stream of lines ends after the last line", soon, func(o *observed) func() {
			response := o.stream("/v1/tap")
			return func() {
				body, err := io.ReadAll(response.Body)
				require.NoError(o.t, err)
				assert.Len(o.t, spanNames(o.t, body), 2)
			}
		}},
		{"a stream over HTTP/2 ends after the last line", time.Second, func(o *observed) func() {
			response := o.streamOver(h2c, "/v1/tap")
			return func() {
				body, err := io.ReadAll(response.Body)
				require.NoError(o.t, err)
				assert.Len(o.t, spanNames(o.t, body), 2)
			}
		}},
		{"server-sent events end with an event", soon, func(o *observed) func() {
			response := o.stream("/v1/tap", "Accept", "text/event-stream")
			return func() {
				body, err := io.ReadAll(response.Body)
				require.NoError(o.t, err)
				assert.Contains(o.t, string(body), "\n\nevent: end\ndata: {\"reason\":\"shutdown\",\"totals\":\"sent 2 of 2 matched\"}\n\n")
			}
		}},
	}
	for _, k := range rpcKinds() {
		tests = append(tests, struct {
			name   string
			within time.Duration
			watch  func(o *observed) func()
		}{"a call gets its End and a status over " + k.name, map[protocol]time.Duration{http1: soon, h2c: time.Second}[k.over], func(o *observed) func() {
			stream := o.rpcTap(k, &remotetapv1.TapRequest{})
			return func() {
				assert.Len(o.t, spansOf(o.t, stream.next()), 2)
				rest, err := stream.rest()
				assertCode(o.t, connect.CodeUnavailable, err)
				end := ending(o.t, rest)
				assert.Equal(o.t, "shutdown", end.GetReason())
				assert.EqualValues(o.t, 2, end.GetLedger().GetSent())
			}
		}})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				check := tt.watch(o)
				o.pass(2)
				synctest.Wait()
				took := make(chan time.Duration)
				go func() { took <- o.shutdownDuration(t.Context()) }()
				check()
				assert.LessOrEqual(t, <-took, tt.within)
				assert.Equal(t, "shutdown", o.reason())
			})
		})
	}
}

// stuckClients opens a tap of every kind whose client never reads, and waits until each session
// hangs in a write.
func stuckClients(o *observed) {
	o.t.Helper()
	o.s.broadcaster.limit = 5 + len(rpcKinds())
	o.webSocket("/v1/tap")
	o.deflated("/v1/tap?max_message=1048576")
	o.stream("/v1/tap")
	o.stream("/v1/tap", "Accept", "text/event-stream")
	o.streamOver(h2c, "/v1/tap")
	for _, k := range rpcKinds() {
		o.rpcTap(k, &remotetapv1.TapRequest{})
	}
	o.flood()
	synctest.Wait()
	require.Equal(o.t, o.s.broadcaster.limit, o.open())
}

func TestShutdownWithStuckClientsReturnsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		stuckClients(o)
		stuck := o.open()
		took := o.shutdownDuration(t.Context())
		assert.LessOrEqual(t, took, 2*time.Second)
		assert.Positive(t, took, "they really were stuck")
		for range stuck {
			ended := o.ended()
			assert.Equal(t, "shutdown", ended["reason"])
			dropped := ended["dropped"].(map[string]uint64)
			assert.Equal(t, ended["matched"], ended["sent"].(uint64)+dropped["tap_ended"]+dropped["queue_full"])
		}
	})
}

func TestShutdownWithAnExpiredContextReturnsAtOnce(t *testing.T) {
	tests := []struct {
		name string
		open func(o *observed)
	}{
		{"while clients are stuck", stuckClients},
		{"while clients wait for data", func(o *observed) {
			o.webSocket("/v1/tap")
			o.stream("/v1/tap")
			o.streamOver(h2c, "/v1/tap")
			o.rpcTap(plainGRPC(), &remotetapv1.TapRequest{})
			synctest.Wait()
			require.Equal(o.t, 4, o.open())
		}},
		{"while nobody watches", func(*observed) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				tt.open(o)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				assert.Zero(t, o.shutdownDuration(ctx))
				assert.Zero(t, o.open())
			})
		})
	}
}

func TestShutdownGivesUpWaitingWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		stuckClients(o)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		assert.Equal(t, 100*time.Millisecond, o.shutdownDuration(ctx))
	})
}

func TestRequestsDuringShutdownAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		idle := o.newClient(http1)
		o.do(idle, http.MethodGet, "/v1/points").Body.Close()
		o.webSocket("/v1/tap")
		o.flood()
		done := make(chan time.Duration)
		go func() { done <- o.shutdownDuration(t.Context()) }()
		synctest.Wait() // the shutdown waits for the stuck client now

		response, body := o.answer(http.MethodGet, "/v1/tap")
		assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		assert.Equal(t, "10", response.Header.Get("Retry-After"))
		assert.JSONEq(t, `{"error":"the collector is shutting down","hint":"connect again when it is back"}`, body)
		_, response, err := o.handshake("/v1/tap", false)
		require.ErrorIs(t, err, websocket.ErrBadHandshake)
		assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		assert.LessOrEqual(t, <-done, 2*time.Second)

		_, err = o.connect(t.Context(), "tcp", "")
		assert.Error(t, err, "the port is closed")
	})
}

func TestLongTotalsFitTheCloseFrame(t *testing.T) {
	final := ledger{sent: math.MaxUint64, matched: math.MaxUint64}
	for reason := range final.dropped {
		final.dropped[reason] = math.MaxUint64 / uint64(numDropReasons)
	}
	for reason := range numEndReasons {
		t.Run(reason.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				closed := closing(t, upgraded(t, func(conn *websocket.Conn) {
					newWebSocketClient(conn, &tap{cancel: func(error) {}}, websocket.TextMessage, false).end(reason, final)
				}))
				assert.LessOrEqual(t, len(closed.Text), 123)
				assert.Contains(t, closed.Text, reason.String()+": sent 18446744073709551615 of 18446744073709551615 matched, dropped ")
			})
		})
	}
}

// upgraded connects a WebSocket in memory to a server that does nothing but `serve` it.
func upgraded(t *testing.T, serve func(*websocket.Conn)) *websocket.Conn {
	t.Helper()
	network := newMemNetwork(64 * kib)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := (&websocket.Upgrader{EnableCompression: true}).Upgrade(w, r, nil)
		if assert.NoError(t, err) {
			serve(conn)
		}
	})}
	go func() { assert.ErrorIs(t, server.Serve(network), http.ErrServerClosed) }()
	t.Cleanup(func() { _ = server.Close() })
	dialer := websocket.Dialer{NetDialContext: network.DialContext}
	conn, response, err := dialer.DialContext(t.Context(), "ws://localhost/", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestATapLeavesTwoLinesInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap?signal=traces,logs&max_message=2048", "User-Agent", "websocat/1.0")
		o.pass(3)
		assert.Equal(t, 3, nextSpans(t, conn))
		<-time.After(7 * time.Second)
		require.NoError(t, conn.Close())
		o.ended()

		lines := o.logs.FilterLevelExact(zapcore.InfoLevel).All()
		require.Len(t, lines, 2)
		who := map[string]any{
			"tap":        uint64(1),
			"remote":     "127.0.0.1:50001",
			"user_agent": "websocat/1.0",
			"transport":  "websocket",
			"selection":  "signal=traces,logs&max_message=2048",
		}
		assert.Equal(t, "tap opened", lines[0].Message)
		assert.Equal(t, who, lines[0].ContextMap())
		maps.Copy(who, map[string]any{
			"reason": "client_closed", "duration": 7 * time.Second,
			"seen": uint64(3), "skipped": uint64(0), "unmatched": uint64(0), "matched": uint64(3), "sent": uint64(3), "dropped": map[string]uint64{},
		})
		ended := lines[1].ContextMap()
		assert.Positive(t, ended["bytes"])
		delete(ended, "bytes")
		assert.Equal(t, "tap ended", lines[1].Message)
		assert.Equal(t, who, ended)
	})
}

func TestTransportsInTheLog(t *testing.T) {
	tests := []struct {
		name string
		open func(o *observed)
		want string
	}{
		{"a WebSocket", func(o *observed) { o.webSocket("/") }, "websocket"},
		{"lines of JSON", func(o *observed) { o.stream("/v1/tap") }, "ndjson"},
		{"server-sent events", func(o *observed) { o.stream("/v1/tap", "Accept", "text/event-stream") }, "sse"},
	}
	for _, k := range rpcKinds() {
		tests = append(tests, struct {
			name string
			open func(o *observed)
			want string
		}{k.name, func(o *observed) { o.rpcTap(k, &remotetapv1.TapRequest{}) }, k.transport})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				tt.open(o)
				synctest.Wait()
				opened := o.logs.FilterMessage("tap opened").All()
				require.Len(t, opened, 1)
				assert.Equal(t, tt.want, opened[0].ContextMap()["transport"])
			})
		})
	}
}

func TestTheLogHoldsNoTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		stuckClients(o)
		o.shutdownDuration(t.Context())
		for _, line := range o.logs.All() {
			text, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "message"}).EncodeEntry(line.Entry, line.Context)
			require.NoError(t, err)
			for _, secret := range []string{"checkout", "/pay", "span 0", "http.route"} {
				assert.NotContains(t, text.String(), secret)
			}
		}
	})
}

func TestUserAgentInTheLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.webSocket("/v1/tap", "User-Agent", strings.Repeat("x", 5000))
		synctest.Wait()
		opened := o.logs.FilterMessage("tap opened").All()
		require.Len(t, opened, 1)
		assert.Len(t, opened[0].ContextMap()["user_agent"], 200)
	})
}

func TestExposedAddressIsWarnedOf(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		warns  bool
	}{
		{"every interface and no credentials", func(c *Config) { c.Server.NetAddr.Endpoint = "0.0.0.0:0" }, true},
		{"localhost", func(*Config) {}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zapcore.DebugLevel)
			settings := processortest.NewNopSettings(metadata.Type)
			settings.Logger = zap.New(core)
			c := newCollector(t, tt.change)
			p, err := c.factory.CreateTraces(t.Context(), settings, c.config, consumertest.NewNop())
			require.NoError(t, err)
			require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
			require.NoError(t, p.Shutdown(t.Context()))

			assert.Equal(t, 1, logs.FilterMessage("remote_tap is listening").Len())
			warnings := logs.FilterLevelExact(zapcore.WarnLevel).All()
			if !tt.warns {
				assert.Empty(t, warnings)
				return
			}
			require.Len(t, warnings, 1)
			assert.Equal(t, "anybody who reaches this address can read the telemetry of this collector; "+
				"set endpoint to localhost, or set auth or tls::client_ca_file", warnings[0].Message)
			assert.Contains(t, warnings[0].ContextMap(), "address")
		})
	}
}
