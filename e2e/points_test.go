package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overview is the answer of GET /v1/points.
type overview struct {
	Version string `json:"version"`
	Points  []struct {
		Point   string             `json:"point"`
		Signals []string           `json:"signals"`
		Rates   map[string]float64 `json:"rates"`
	} `json:"points"`
	Taps   []openTap      `json:"taps"`
	Limits map[string]any `json:"limits"`
}

// openTap is a tap in the overview.
type openTap struct {
	ID        uint64 `json:"id"`
	Remote    string `json:"remote"`
	Subject   string `json:"subject"`
	UserAgent string `json:"user_agent"`
	Transport string `json:"transport"`
	Selection string `json:"selection"`
	Ledger    struct {
		Since, Now                                       time.Time
		Seen, Skipped, Unmatched, Matched, Sent, Pending uint64
		Dropped                                          map[string]uint64
		Bytes                                            uint64
	} `json:"ledger"`
}

func (c *collector) points(header ...string) overview {
	c.t.Helper()
	answer := c.request(1, http.MethodGet, "/v1/points", header...)
	require.Equal(c.t, http.StatusOK, answer.status, answer.body)
	require.Equal(c.t, "application/json", answer.header.Get("Content-Type"))
	var o overview
	require.NoError(c.t, json.Unmarshal([]byte(answer.body), &o))
	return o
}

// names lists the points.
func (o overview) names() []string {
	var names []string
	for _, p := range o.Points {
		names = append(names, p.Point)
	}
	return names
}

func TestOverviewShowsPointsTapsAndLedgersThatAddUp(t *testing.T) {
	c := start(t, fourPipelines)
	idle := c.points()
	require.Equal(t, "1.2.3", idle.Version)
	require.Equal(t, []string{"remote_tap"}, idle.names())
	require.Equal(t, []string{"traces", "metrics", "logs", "profiles"}, idle.Points[0].Signals)
	require.Nil(t, idle.Points[0].Rates, "nothing counts while nobody watches")
	require.NotNil(t, idle.Taps)
	require.Empty(t, idle.Taps)
	require.InEpsilon(t, 100, idle.Limits["limit"], 0)

	var clients []*client
	for _, k := range kinds() {
		clients = append(clients, c.watch(k, "/v1/logs", "User-Agent", k.name))
	}
	everything := c.watch(kindNamed(t, "lines"), "/v1/tap", "User-Agent", "everything")
	c.export(logs(), logs().generate("a", 10))
	c.export(traces(), traces().generate("b", 7))
	for _, w := range clients {
		w.collect(logs(), 10)
	}
	everything.collect(logs(), 10)
	everything.collect(traces(), 7)
	// A client has its message a moment before the server counts it as sent.
	var busy overview
	require.Eventually(t, func() bool {
		busy = c.points()
		return !slices.ContainsFunc(busy.Taps, func(o openTap) bool { return o.Ledger.Pending > 0 })
	}, patience, time.Millisecond)
	require.Len(t, busy.Taps, len(clients)+1)
	for i, tap := range busy.Taps {
		l := tap.Ledger
		expected, selection, kind := uint64(10), "signal=logs", everything.kind
		if i == len(clients) {
			expected, selection = 17, ""
			assert.Equal(t, "everything", tap.UserAgent)
		} else {
			kind = clients[i].kind
			assert.Equal(t, kind.name, tap.UserAgent)
		}
		assert.Equal(t, kind.transport, tap.Transport, kind.name)
		assert.Equal(t, selection, tap.Selection, kind.name)
		assert.Contains(t, tap.Remote, "127.0.0.1:", kind.name)
		assert.Equal(t, []uint64{expected, 0, 0, expected, expected}, []uint64{l.Seen, l.Skipped, l.Unmatched, l.Matched, l.Sent}, kind.name)
		assert.Empty(t, l.Dropped, kind.name)
		assert.NotZero(t, l.Bytes, kind.name)
		assert.False(t, l.Since.After(l.Now), kind.name)
	}
	require.Contains(t, busy.Points[0].Rates, "logs")

	everything.leave()
	for _, w := range clients {
		w.leave()
	}
	for i := range busy.Taps {
		c.awaitEnded(i + 1)
	}
	require.Nil(t, c.points().Points[0].Rates, "nothing counts any more when the last one has left")
}

// awaitEnded waits until n taps have ended since the latest start, as the journal tells.
func (c *collector) awaitEnded(n int) {
	c.t.Helper()
	c.journal.awaitCount(c.t, c.generation, n, c.over, "ends of taps", func(e entry) bool { return e.Message == "tap ended" })
}
