package remotetapprocessor

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/remotetap/remotetapprocessor/internal/metadatatest"
)

// from is a connection that seems to come from another address.
type from struct {
	net.Conn
	remote net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.remote }

func ip(last byte, port int) net.Addr {
	return &net.TCPAddr{IP: net.IPv4(10, 0, 0, last), Port: port}
}

func TestConnectionsAreBounded(t *testing.T) {
	tests := []struct {
		name      string
		limit     int
		addresses int // that connect in turn
		want      int // connections that stay open
	}{
		{"from one address a quarter of all", 5, 1, 64},
		{"from many addresses all", 5, 200, 256},
		{"more for more taps", 100, 200, 800},
		{"more for more taps from one address", 100, 1, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var refused int
			c := newConnections(tt.limit, func(net.Addr, bool) { refused++ })
			var open []net.Conn
			for i := range 1000 {
				near, far := net.Pipe()
				t.Cleanup(func() { near.Close(); far.Close() })
				conn := from{near, ip(byte(i%tt.addresses), i)}
				c.follow(conn, http.StateNew)
				open = append(open, conn)
			}
			assert.Len(t, c.open, tt.want)
			assert.Equal(t, 1000-tt.want, refused)
			for _, conn := range open {
				c.follow(conn, http.StateClosed)
			}
			assert.Empty(t, c.open)
			assert.Empty(t, c.from, "nothing is remembered of those who have left")
		})
	}
}

func TestRefusedConnectionIsClosedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		tap := o.webSocket("/v1/tap")
		var idle []net.Conn
		for range 63 {
			idle = append(idle, o.raw(""))
		}
		for range 3 {
			conn, err := o.connect(context.Background(), "tcp", "")
			require.NoError(t, err)
			_, err = io.ReadAll(conn)
			require.NoError(t, err, "it is closed without a word")
		}
		metadatatest.AssertEqualProcessorRemoteTapRefusedTaps(t, o.telemetry, reasons(numRefuseReasons, map[string]int64{
			"too_many_connections": 3,
		}), metricdatatest.IgnoreTimestamp())
		warnings := func() int { return o.logs.FilterMessageSnippet("too many are open").Len() }
		assert.Equal(t, 1, warnings(), "the log is not flooded")
		<-time.After(5 * time.Second)
		o.pass(1)
		assert.Equal(t, 1, nextSpans(t, tap), "who is connected does not notice")

		require.NoError(t, idle[0].Close())
		synctest.Wait()
		_, body := o.answer(http.MethodGet, "/v1/points")
		assert.Contains(t, body, `"websocket"`, "there is room again")
	})
}

func TestSilentConnectionsAreClosed(t *testing.T) {
	tests := []struct {
		name string
		says string
		want time.Duration
	}{
		{"that say nothing", "", defaultReadHeaderTimeout},
		{"that never end their header", "GET / HTTP/1.1\r\nHost: localhost\r\nX: ", defaultReadHeaderTimeout},
		{"that never send the message of their call", "POST " + "/remotetap.v1.TapService/Tap HTTP/1.1\r\nHost: localhost\r\n" +
			"Content-Type: application/connect+proto\r\nContent-Length: 100\r\n\r\n", requestTimeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				start := time.Now()
				conn := o.raw(tt.says)
				_, err := io.Copy(io.Discard, conn)
				require.NoError(t, err)
				assert.InDelta(t, tt.want, time.Since(start), float64(farewell))
			})
		})
	}
}

func TestLongHeaderIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		response, _ := o.answer(http.MethodGet, "/v1/points", "X-Padding", strings.Repeat("x", maxHeader))
		assert.Equal(t, http.StatusOK, response.StatusCode, "net/http leaves some room")
		response, _ = o.answer(http.MethodGet, "/v1/points", "X-Padding", strings.Repeat("x", maxHeader+8*kib))
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
	})
}
