package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

func TestLimitReachedIs503WithTheHoldersAndFreesUpWhenOneLeaves(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {limit: 2}}")
	stays := c.watch(kindNamed(t, "coder"), "/")
	ended := 0
	for _, leaving := range kinds() {
		t.Run("a client leaves: "+leaving.name, func(t *testing.T) {
			leaves := c.watch(leaving, "/v1/tap")
			for _, k := range kinds() {
				requireRefused(t, c, k, "/v1/metrics", http.StatusServiceUnavailable)
			}
			answer := c.request(1, http.MethodGet, "/v1/tap")
			require.Equal(t, http.StatusServiceUnavailable, answer.status)
			require.NotEmpty(t, answer.header.Get("Retry-After"))
			require.Contains(t, answer.field(t, "error"), "2")
			require.Contains(t, answer.field(t, "hint"), "limit")
			var holders struct {
				Taps []struct {
					Remote string
					Since  time.Time
				}
			}
			require.NoError(t, json.Unmarshal([]byte(answer.body), &holders))
			open := c.points().Taps
			require.Len(t, open, 2)
			require.Len(t, holders.Taps, 2)
			for i, holder := range holders.Taps {
				require.Equal(t, open[i].Remote, holder.Remote)
				require.Equal(t, open[i].Ledger.Since, holder.Since)
			}

			leaves.leave()
			ended++
			c.awaitEnded(ended)
			c.watch(leaving, "/v1/tap").leave()
			ended++
			c.awaitEnded(ended)
		})
	}
	batch := traces().generate("still there", 1)
	c.export(traces(), batch)
	requireSame(t, items(t, traces(), batch), stays.collect(traces(), 1), "the client that stayed")
}

func TestClientThatVanishesFreesItsPlace(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {limit: 1}}")
	for i, request := range []string{
		"GET /v1/tap HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
		webSocketHandshake,
	} {
		r, err := c.ask(request)
		require.NoError(t, err)
		c.journal.await(t, 0, c.over, "a tap", func(e entry) bool {
			return e.Message == "tap opened" && e.fields["remote"] == r.conn.LocalAddr().String()
		})
		require.NoError(t, r.conn.Close())
		c.awaitEnded(i + 1)
	}
}

const webSocketHandshake = "GET /v1/tap HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func TestTapEndsWhenItsTimeIsUp(t *testing.T) {
	c := start(t, fourPipelines, "processors: {remote_tap: {per_tap: {max_duration: 100ms}}}")
	for _, k := range kinds() {
		messages, err := c.watch(k, "/v1/tap").rest()
		require.Empty(t, messages, k.name)
		requireEnd(t, k, err, coder.StatusPolicyViolation, "max_duration", "sent 0 of 0 matched")
	}
}

// requireEnd checks what a kind of client can see of the end of its tap.
func requireEnd(t *testing.T, k kind, err error, code coder.StatusCode, reason, totals string) {
	t.Helper()
	switch {
	case strings.HasPrefix(k.name, "coder"):
		var closed coder.CloseError
		require.ErrorAs(t, err, &closed, k.name)
		require.Equal(t, coder.CloseError{Code: code, Reason: reason + ": " + totals}, closed, k.name)
	case k.transport == "sse":
		var end endEvent
		require.ErrorAs(t, err, &end, k.name)
		require.JSONEq(t, `{"reason": "`+reason+`", "totals": "`+totals+`"}`, end.data, k.name)
	default: // an orderly end
		require.Equal(t, io.EOF, err, k.name)
	}
}
