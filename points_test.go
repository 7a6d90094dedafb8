package remotetapprocessor

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const noTapOpen = `{
	"version": "1.2.3",
	"points": [{"point": "remote_tap", "signals": ["traces", "metrics", "logs", "profiles"], "rates": null}],
	"taps": [],
	"limits": {"limit": 5, "items_per_second": 0, "mib_per_second": 10, "queue_mib": 16, "max_duration": "0s",
    "max_overhead": 0.1}
}`

func TestPointsWhileNobodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.pass(1)
		response, body := o.answer(http.MethodGet, "/v1/points")
		assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
		assert.Equal(t, "no-store", response.Header.Get("Cache-Control"))
		assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		assert.JSONEq(t, noTapOpen, body)
	})
}

func TestPointsWhileSomebodyWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t, func(c *Config) {
			c.Limit = 2
			c.PerTap = PerTapConfig{ItemsPerSecond: 40, MiBPerSecond: 1.5, QueueMiB: 8, MaxDuration: time.Hour}
		})
		since := time.Now().UTC()
		conn := o.webSocket("/v1/tap?signal=traces,logs", "User-Agent", "websocat/1.0")
		for range 10 {
			o.pass(20)
			assert.Equal(t, 20, nextSpans(t, conn))
			<-time.After(time.Second)
		}
		o.pass(100)
		assert.Equal(t, 40, nextSpans(t, conn))
		synctest.Wait()

		_, body := o.answer(http.MethodGet, "/v1/points")
		var got pointsJSON
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		require.Len(t, got.Taps, 1)
		assert.Positive(t, got.Taps[0].Ledger.Bytes)
		got.Taps[0].Ledger.Bytes = 0
		assert.Equal(t, pointsJSON{
			Version: "1.2.3",
			Points: []pointJSON{{
				Point:   "remote_tap",
				Signals: []string{"traces", "metrics", "logs", "profiles"},
				Rates:   map[string]*float64{"traces": new(20.0), "metrics": nil, "logs": new(0.0), "profiles": nil},
			}},
			Taps: []tapJSON{{
				ID: 1, Remote: "127.0.0.1:50001", UserAgent: "websocat/1.0", Transport: "websocket", Selection: "signal=traces,logs",
				Ledger: ledgerJSON{
					Since: since, Now: since.Add(10 * time.Second), Seen: 300, Matched: 300, Sent: 240, Dropped: map[string]uint64{"rate_limit": 60},
				},
			}},
			Limits: limitsJSON{Limit: 2, ItemsPerSecond: 40, MiBPerSecond: 1.5, QueueMiB: 8, MaxDuration: "1h0m0s", MaxOverhead: 0.1},
		}, got)
	})
}

func TestRatesBeginWithTheFirstTap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		conn := o.webSocket("/v1/tap")
		o.pass(50)
		require.NoError(t, conn.Close())
		o.ended()
		assert.JSONEq(t, noTapOpen, bodyOf(o.answer(http.MethodGet, "/v1/points")), "no tap, no rate")

		<-time.After(2 * time.Second)
		o.webSocket("/v1/tap")
		<-time.After(2 * time.Second)
		assert.Zero(t, *o.s.describe(time.Now()).Points[0].Rates["traces"], "what passed before is forgotten")
	})
}

func bodyOf[A, B any](_ A, b B) B { return b }

func TestHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := onMemory(t)
		o.webSocket("/v1/tap")
		response, body := o.answer(http.MethodGet, "/", "Host", "tap.internal:8080", "User-Agent", "curl/8.5.0", "Accept", "*/*")
		assert.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))
		assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		assert.Equal(t, `remote_tap: the live telemetry of this collector

Tap points
  remote_tap               traces, metrics, logs, profiles

Watch
  curl -N http://tap.internal:8080/v1/traces
  curl -N http://tap.internal:8080/v1/metrics
  curl -N http://tap.internal:8080/v1/logs
  curl -N http://tap.internal:8080/v1/profiles
  curl -N http://tap.internal:8080/v1/tap                       # every signal
  websocat ws://tap.internal:8080/v1/tap
  curl -N -H 'Accept: text/event-stream' http://tap.internal:8080/v1/tap
  grpcurl -plaintext tap.internal:8080 remotetap.v1.TapService/Tap

Open taps, rates and limits
  curl http://tap.internal:8080/v1/points

Open now: 1 of 5 taps
`, body)
	})
}

func TestHelpNamesTheAddressThatTheClientUses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"the Host of the request", func(r *http.Request) { r.Host = "[::1]:80" }, "curl http://[::1]:80/v1/points"},
		{"https and wss behind TLS", func(r *http.Request) { r.Host, r.TLS = "tap", &tls.ConnectionState{} }, "websocat wss://tap/v1/tap"},
		{"the default where there is none", func(r *http.Request) { r.Host = "" }, "curl http://localhost:12001/v1/points"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := onMemory(t)
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
				tt.change(r)
				recorder := httptest.NewRecorder()
				o.s.serveHelp(recorder, r)
				assert.Contains(t, recorder.Body.String(), tt.want+"\n")
			})
		})
	}
	t.Run("the address itself over HTTP/1.0 without Host", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o := onMemory(t)
			status, body := rawAnswer(t, o, "GET / HTTP/1.0\r\n\r\n")
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, body, "curl http://127.0.0.1:12001/v1/points\n")
		})
	})
}
