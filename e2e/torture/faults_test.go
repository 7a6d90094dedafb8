//go:build linux

package torture

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// networkFault is one way in which the network between a client and the collector fails.
type networkFault struct {
	name  string
	fault fault
	query string
	// ends are the reasons for which a tap may end, by transport; "" for all others.
	ends map[string][]string
	// unnoticed is for the transports on which the collector cannot notice it, or only after a minute:
	// it tells whether the tap has gone on long enough. Then the connection is cut.
	unnoticed map[string]func(*endurance) bool
	// without is a transport that would need more telemetry than there is until anybody notices.
	without string
	// proper: nothing is lost, and the tap ends as it was asked to.
	proper bool
}

// endurance is what is known about a tap since the fault struck.
type endurance struct {
	first, now   book   // the viewer's
	listed, then uint64 // items that the collector had sent when first asked, and has now
}

var (
	left    = []string{"client_closed"}
	tooLong = []string{"write_timeout"}
)

// enough is how many items show that a tap goes on.
const enough = 1000

func networkFaults(long bool) []networkFault {
	received := func(e *endurance) bool { return e.now.all >= e.first.all+enough && e.now.accounts > e.first.accounts }
	swallowed := func(e *endurance) bool { return e.then >= e.listed+enough && e.now.all == e.first.all }
	// Without flow control the collector sees nothing wrong. (WebSockets end after a minute of silence.)
	withoutWindows := func(goesOn func(*endurance) bool) map[string]func(*endurance) bool {
		transports := map[string]func(*endurance) bool{"NDJSON over HTTP/1.1": goesOn, "SSE": goesOn}
		if !long {
			transports["WebSocket"], transports["compressed WebSocket"] = goesOn, goesOn
		}
		return transports
	}
	blackHole := map[string][]string{"": left, "NDJSON over h2": tooLong, "gRPC": tooLong}
	without := "compressed WebSocket" // to fill all buffers takes it half a minute
	if long {
		without = ""
	}
	const middle = 150_001
	return []networkFault{
		{name: "everything comes late", query: "&count=2000", proper: true, fault: fault{late: 5 * time.Millisecond}, ends: map[string][]string{"": {"count_reached"}}},
		{name: "reset in the middle of a message", fault: fault{after: middle, strike: (*link).reset}, ends: map[string][]string{"": left}},
		{name: "closed in the middle of a message", fault: fault{after: middle, strike: func(l *link) {
			_ = l.client.Close()
			_ = l.server.Close()
		}}, ends: map[string][]string{"": left}},
		{
			name: "nothing moves any more", fault: fault{after: middle, strike: func(l *link) { l.toClient.stands.Store(true) }},
			// Over HTTP/2 each side pings the other, and tapclient may be the first to give up.
			ends: map[string][]string{"": tooLong, "gRPC": append(left, tooLong...)}, without: without,
		},
		{
			name: "what the collector says is swallowed", fault: fault{after: middle, strike: func(l *link) { l.toClient.swallows.Store(true) }},
			ends: blackHole, unnoticed: withoutWindows(swallowed),
		},
		{
			name: "what the client says is swallowed", fault: fault{after: middle, strike: func(l *link) { l.toServer.swallows.Store(true) }},
			ends: blackHole, unnoticed: withoutWindows(received),
		},
		{name: "half-closed towards the collector", fault: fault{after: middle, strike: func(l *link) {
			l.toServer.swallows.Store(true)
			_ = l.server.CloseWrite()
		}}, ends: map[string][]string{"": left}},
		{name: "half-closed towards the client", fault: fault{after: middle, strike: func(l *link) {
			l.toClient.swallows.Store(true)
			_ = l.client.CloseWrite()
		}}, ends: map[string][]string{"": left}},
	}
}

// brokenNetworks has all of these happen at once, to taps on every transport, beside clients with
// nothing in their way and an application that sends all the time.
func brokenNetworks(t *testing.T, f *figures) {
	t.Helper()
	s := startWith(t, pipeline{}.yaml())
	var watching []*healthy
	for kind := range healthyKinds() {
		watching = append(watching, watch(t, kind, s.address, "healthy "+kind))
	}
	app := startApplication(t, s.receiver)
	app.awaitMore(t)
	before := s.do(order{Do: "live"})
	s.do(order{Do: "baseline"})
	s.flow(false, true)
	t.Run("network", func(t *testing.T) {
		for i, n := range networkFaults(f.long) {
			t.Run(n.name, func(t *testing.T) {
				t.Parallel()
				row := figure{part: "faults", name: "network: " + n.name, began: time.Now()}
				s.in(t).endures(n, net.IPv4(127, 2, byte(i), 1), &row)
				app.awaitMore(t)
				row.survived = !t.Failed()
				f.add(row)
			})
		}
	})
	s.flow(false, false)
	for _, h := range watching {
		s.requireUnharmed(h)
	}
	app.awaitMore(t)
	require.Zero(t, app.refused.Load(), "batches were refused")
	s.awaitCalm(before)
	for _, h := range watching {
		h.leave()
	}
	app.stop()
	s.stop()
}

// endures has a fault happen to a tap on each transport.
func (s *subject) endures(n networkFault, from net.IP, row *figure) {
	s.t.Helper()
	proxies, viewers := map[string]*proxy{}, map[string]*viewer{}
	for _, kind := range transportNames() {
		if kind == n.without {
			continue
		}
		proxies[kind] = startProxy(s.t, s.address, from, n.fault)
		viewers[kind] = view(s.t, visit{
			kind: kind, address: proxies[kind].address(), agent: viewerPrefix + n.name + ", " + kind,
			query: "service=app&stats=100ms" + n.query,
		})
		row.tries++
	}
	for kind, w := range viewers {
		if n.fault.strike != nil {
			awaitStrike(s.t, proxies[kind], w)
		}
		if goesOn := n.unnoticed[kind]; goesOn != nil {
			s.awaitEndurance(w, goesOn)
			proxies[kind].first().reset()
		}
		final := s.awaitAccount(w)
		if !n.proper {
			proxies[kind].first().reset() // lest the client waits for ever
		}
		reasons := n.ends[kind]
		if reasons == nil {
			reasons = n.ends[""]
		}
		require.Contains(s.t, reasons, final.Reason, w.visit.agent)
		s.settle(w, final, n.proper)
	}
}

func awaitStrike(t testing.TB, p *proxy, w *viewer) {
	t.Helper()
	w.await(t, "the fault", func(book) bool { return p.first() != nil && p.first().hasStruck() })
}

// awaitEndurance waits until a tap has gone on for long enough.
func (s *subject) awaitEndurance(w *viewer, goesOn func(*endurance) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var e endurance
	for i := 0; ; i++ {
		o, err := s.points(ctx, "127.0.0.3")
		require.NoError(s.t, err)
		tap := o.of(w.visit.agent)
		require.NotEmpty(s.t, tap.Transport, "%s has ended", w.visit.agent)
		require.True(s.t, tap.Ledger.addsUp(), "%+v", tap.Ledger)
		e.now, e.then = w.look(), tap.Ledger.Sent
		if i == 0 {
			e.first, e.listed = e.now, e.then
		}
		if goesOn(&e) {
			return
		}
		require.True(s.t, pause(ctx, 10*glance), "%s: %+v", w.visit.agent, e)
	}
}

// settle compares what the collector and a viewer say about a tap that has ended, and has the viewer
// leave. If it makes another connection, that one works and says what was missed.
func (s *subject) settle(w *viewer, final account, proper bool) {
	s.t.Helper()
	var known book
	var got uint64 // on the connection that has ended
	switch {
	case w.visit.kind == "gRPC" && !proper:
		known = w.await(s.t, "another connection", func(b book) bool { return len(b.missed) > 0 && b.last != nil && b.last.Sent > 0 })
		require.Positive(s.t, known.missed[0].Duration())
		require.NotEmpty(s.t, known.lost)
		got = known.lost[0].final.Sent
		require.Equal(s.t, known.missed[0].Items, lostItems(known.lost[0].final), known)
	default:
		known = w.await(s.t, "the end", func(b book) bool { return b.end != nil })
		got = known.got
	}
	require.Empty(s.t, known.wrong, w.visit.agent)
	require.Positive(s.t, known.accounts, w.visit.agent)
	require.True(s.t, final.Ledger.addsUp(), "%+v", final)
	if proper {
		require.Equal(s.t, final.Ledger.Sent, got, "%s: %s", w.visit.agent, known)
		require.Zero(s.t, known.last.Pending)
		require.Equal(s.t, final.Ledger.Sent, known.last.Sent, "the last account")
		require.Contains(s.t, []string{final.Reason, ""}, known.reason)
	} else {
		// A message may be there whole while the bytes around it are not.
		require.LessOrEqual(s.t, got, final.Ledger.Sent+known.largest, "%s: %s", w.visit.agent, known)
	}
	w.leave()
	if known.connections > 1 {
		require.Contains(s.t, left, s.awaitAccount(w).Reason, w.visit.agent)
	}
}

// lostItems is what tapclient says is missing of a connection.
func lostItems(l ledger) uint64 { return l.Dropped["tap_ended"] + l.Dropped["connection_lost"] }

// awaitAccount waits for the collector's account of a viewer's tap that has ended.
func (s *subject) awaitAccount(w *viewer) account {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience) // a minute of silence, and more
	defer cancel()
	var ended []account
	for ended == nil {
		require.True(s.t, pause(ctx, glance), "the tap of %s does not end: %s", w.visit.agent, w.look())
		ended = s.do(order{Do: "accounts", Agent: w.visit.agent}).Accounts
	}
	require.Len(s.t, ended, 1, "%s: %s", w.visit.agent, w.look())
	return ended[0]
}

// in is the subject for a part of the test.
func (s *subject) in(t *testing.T) *subject {
	t.Helper()
	inner := *s
	inner.t = t
	return &inner
}

// startWith starts a collector with a configuration of a pipeline, and waits until it is ready. It
// ends with the test, at the latest.
func startWith(t *testing.T, config string) *subject {
	t.Helper()
	s := &subject{t: t, worker: startWorker(t, "collector")}
	s.listensAt(s.do(order{Do: "start", Config: config}))
	return s
}

func (s *subject) listensAt(r report) {
	s.t.Helper()
	s.address, s.receiver, s.untapped = r.Addresses["127.0.0.7"], r.Addresses["127.0.0.8"], r.Addresses["127.0.0.9"]
	require.NotEmpty(s.t, s.address)
	require.NotEmpty(s.t, s.receiver)
}

// pipeline is the configuration of a collector with one tap point in one pipeline, which gets spans
// from the rig's source and over OTLP.
type pipeline struct {
	tap, otlp   string   // where they listen; empty for a free port
	processors  []string // the pipeline's; only remote_tap if empty
	maxOverhead float64  // no limit if 0
}

func (p pipeline) yaml() string {
	if p.tap == "" {
		p.tap, p.otlp = "127.0.0.7:0", "127.0.0.8:0"
	}
	if len(p.processors) == 0 {
		p.processors = []string{"remote_tap"}
	}
	if p.maxOverhead == 0 {
		p.maxOverhead = 64
	}
	config := fmt.Sprintf(`
receivers:
  source:
  otlp: {protocols: {grpc: {endpoint: %q}}}
  otlp/untapped: {protocols: {grpc: {endpoint: "127.0.0.9:0"}}}
exporters:
  sink:
processors:
  memory_limiter: {check_interval: 10ms, limit_mib: %d, spike_limit_mib: 1}
  remote_tap:
    endpoint: %s
    limit: 64
    max_overhead: %g
    per_tap: {queue_mib: %d}
service:
  telemetry:
    metrics: {level: none}
    logs: {sampling: {enabled: false}}
  pipelines:
    traces: {receivers: [source, otlp], processors: [%s], exporters: [sink]}
`, p.otlp, limiterMiB, p.tap, p.maxOverhead, queueMiB, strings.Join(p.processors, ","))
	if slices.Contains(p.processors, "memory_limiter") {
		config += "    traces/untapped: {receivers: [otlp/untapped], processors: [memory_limiter], exporters: [sink]}\n"
	}
	return config
}
