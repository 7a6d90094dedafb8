package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	"github.com/stretchr/testify/require"
)

// fourPipelines is one point in a pipeline of each signal. It may take all the time that it needs:
// with the race detector and other tests beside them, taps soon use up the default.
const fourPipelines = `
processors:
  remote_tap:
    endpoint: localhost:0
    limit: 100
    max_overhead: 64
service:
  pipelines:
    traces:
      receivers: [otlp]
      processors: [remote_tap]
      exporters: [recorder]
    metrics:
      receivers: [otlp]
      processors: [remote_tap]
      exporters: [recorder]
    logs:
      receivers: [otlp]
      processors: [remote_tap]
      exporters: [recorder]
    profiles:
      receivers: [otlp]
      processors: [remote_tap]
      exporters: [recorder]
`

func TestWhatIsSentArrivesAtEveryKindOfClientItemForItem(t *testing.T) {
	for _, s := range allSignals() {
		for _, path := range []string{"/v1/" + s.name, "/v1/tap"} {
			t.Run(s.name+" on "+path, func(t *testing.T) {
				c := start(t, fourPipelines)
				var clients []*client
				for _, k := range kinds() {
					clients = append(clients, c.watch(k, path))
				}
				// Two batches, one over each of OTLP's transports; the second in many documents.
				overGRPC, overHTTP := s.generate("over gRPC", 3), s.generate("over HTTP", 60)
				c.export(s, overGRPC)
				c.post(s, overHTTP)
				sent := append(items(t, s, overGRPC), items(t, s, overHTTP)...)
				for _, w := range clients {
					requireSame(t, sent, w.collect(s, len(sent)), w.kind.name)
				}
				exported := c.exported.of("recorder", s.name).awaitLen(t, 2, "exported batches")
				requireSame(t, sent, append(items(t, s, exported[0]), items(t, s, exported[1])...), "the exporter")
				c.stop()
				for _, w := range clients {
					more, _ := w.rest()
					require.Empty(t, more, w.kind.name)
				}
			})
		}
	}
}

// requireSame fails with the first item that differs.
func requireSame(t testing.TB, want, got []string, who string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		require.Equal(t, want[i], got[i], "%s: item %d", who, i)
	}
	require.Len(t, got, len(want), who)
}

func items(t testing.TB, s signal, proto []byte) []string {
	t.Helper()
	items, err := s.itemsOfProto(proto)
	require.NoError(t, err)
	return items
}

func TestBigBatchArrivesAsCompleteDocumentsWithin64KiB(t *testing.T) {
	c := start(t, fourPipelines, "receivers: {otlp: {protocols: {grpc: {max_recv_msg_size_mib: 64}}}}")
	var clients []*client
	for _, k := range kinds() {
		clients = append(clients, c.watch(k, "/v1/traces"))
	}
	// As many spans as the batch processor sends at once, by default.
	s := plainTraces(4)
	batch := s.generate("big", 8192)
	c.export(s, batch)
	arrived := make([][][]byte, len(clients))
	var reading sync.WaitGroup
	for i, w := range clients {
		reading.Go(func() { arrived[i] = w.readTo(`"big 8191"`) })
	}
	reading.Wait()
	var got []string
	for _, message := range arrived[0] {
		require.LessOrEqual(t, len(message), 64<<10)
		got = append(got, clients[0].document(s, message)...)
	}
	requireSame(t, items(t, s, batch), got, clients[0].kind.name)
	for i, w := range clients {
		require.True(t, slices.EqualFunc(arrived[0], arrived[i], bytes.Equal), w.kind.name)
	}
}

func TestCompressedMessagesAreSmallOnTheWire(t *testing.T) {
	c := start(t, fourPipelines)
	batch := logs().generate("small", 200)
	n := len(items(t, logs(), batch))
	read := func(compression coder.CompressionMode) (messages, wire int64) {
		var onWire atomic.Int64
		c.wrap = func(conn net.Conn) net.Conn { return countingConn{conn, &onWire} }
		w := c.watch(kind{"coder/websocket", "websocket", openCoder(compression)}, "/v1/logs")
		defer w.leave()
		c.export(logs(), batch)
		for got := 0; got < n; {
			message := w.next()
			messages += int64(len(message))
			got += len(w.document(logs(), message))
		}
		return messages, onWire.Load()
	}
	messages, wire := read(coder.CompressionDisabled)
	require.Greater(t, wire, messages)
	messages, wire = read(coder.CompressionNoContextTakeover)
	require.Less(t, wire, messages/5)
}

// countingConn counts the bytes that are read.
type countingConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.read.Add(int64(n))
	return n, err
}

// TestDataIsPassedOnUnchangedBesideAndBeforeAMutatingProcessor: one receiver feeds two pipelines with the same point. In one of
// them a processor behind it changes the data in place; the other has two exporters.
func TestDataIsPassedOnUnchangedBesideAndBeforeAMutatingProcessor(t *testing.T) {
	const pipelines = `
processors:
  remote_tap:
    endpoint: localhost:0
  mutator:
exporters:
  recorder/mutated:
  recorder/second:
service:
  pipelines:
    SIGNAL/mutating:
      receivers: [otlp]
      processors: [remote_tap, mutator]
      exporters: [recorder/mutated]
    SIGNAL/reading:
      receivers: [otlp]
      processors: [remote_tap]
      exporters: [recorder, recorder/second]
`
	for _, s := range allSignals()[:3] {
		for _, watched := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, watched: %t", s.name, watched), func(t *testing.T) {
				c := start(t, strings.ReplaceAll(pipelines, "SIGNAL", s.name))
				batch := s.generate("whole", 100)
				sent := items(t, s, batch)
				var w *client
				if watched {
					w = c.watch(kindNamed(t, "coder"), "/v1/tap")
				}
				c.export(s, batch)
				if watched {
					// Each pipeline shows the batch once, both before it was changed.
					requireSame(t, append(sent, sent...), w.collect(s, 2*len(sent)), "the client")
				}
				for _, exporter := range []string{"recorder", "recorder/second"} {
					exported := c.exported.of(exporter, s.name).awaitLen(t, 1, "exported batches")
					requireSame(t, sent, items(t, s, exported[0]), exporter)
				}
				changed := c.exported.of("recorder/mutated", s.name).awaitLen(t, 1, "exported batches")
				for _, item := range items(t, s, changed[0]) {
					require.Contains(t, item, mutated)
					require.NotContains(t, item, "whole")
				}
			})
		}
	}
}

// TestWhoJoinsWhileDataFlowsAndReadsLateGetsWholeDocumentsAndAnHonestAccount: clients come one after the other while batches pass at full speed,
// and begin to read late. Whatever was dropped for them meanwhile, what they get is whole.
func TestWhoJoinsWhileDataFlowsAndReadsLateGetsWholeDocumentsAndAnHonestAccount(t *testing.T) {
	c := start(t, fourPipelines, slow)
	c.slow = true
	s := plainTraces(8192)
	flow := c.flow(s, 50)
	var late []*lateClient
	for i, k := range plainKinds() {
		conn, err := k.open(c, "/v1/traces", http.Header{"User-Agent": {fmt.Sprintf("client %d", i)}})
		require.NoError(t, err, k.name)
		t.Cleanup(conn.close)
		late = append(late, &lateClient{kind: k, conn: conn})
		flow.await(flow.sent() + 2)
	}
	flow.await(flow.sent() + 20)
	last := flow.stop()
	var reading sync.WaitGroup
	for _, w := range late {
		reading.Go(func() { w.readTo(s, last) })
	}
	reading.Wait()
	for i, w := range late {
		require.NoError(t, w.err, w.kind.name)
		w.conn.close()
		ended := c.journal.await(t, 0, c.over, "the end of a tap", func(e entry) bool {
			return e.Message == "tap ended" && e.fields["user_agent"] == fmt.Sprintf("client %d", i)
		})
		require.Equal(t, "client_closed", ended.fields["reason"], w.kind.name)
		require.EqualValues(t, w.items, ended.fields["sent"], w.kind.name)
		require.NotZero(t, requireHonest(t, ended), "%s: the test did not make the client slow enough", w.kind.name)
	}
}

// TestStreamsOutliveTheServersTimeouts uses a connection that never ends its request as its clock:
// when the server gives up on that one, all its timeouts have passed.
func TestStreamsOutliveTheServersTimeouts(t *testing.T) {
	c := start(t, fourPipelines,
		"processors: {remote_tap: {write_timeout: 100ms, read_timeout: 100ms, keepalive: {idle_timeout: 100ms}, read_header_timeout: 300ms}}")
	var clients []*client
	for _, k := range kinds() {
		clients = append(clients, c.watch(k, "/v1/tap"))
	}
	for range 2 {
		_, err := c.ask("GET /v1/tap HTTP/1.1\r\nHost: lo")
		require.Error(t, err)
		for _, s := range allSignals()[:3] {
			batch := s.generate("later", 2)
			c.export(s, batch)
			for _, w := range clients {
				requireSame(t, items(t, s, batch), w.collect(s, 2), w.kind.name)
			}
		}
	}
}

// TestClientsComeAndGoUnderLoadAndEveryAccountAddsUp: each comes, sees a whole document and leaves, most in an orderly
// way and some by cutting the connection, while batches pass at full speed.
func TestClientsComeAndGoUnderLoadAndEveryAccountAddsUp(t *testing.T) {
	c := start(t, fourPipelines, "exporters: {nop: }", "service: {pipelines: {traces: {exporters: [nop]}}}")
	s := plainTraces(40)
	flow := c.flow(s, 20)
	const rounds = 20
	var clients sync.WaitGroup
	for _, k := range kinds() {
		clients.Go(func() {
			for round := range rounds {
				if err := c.peek(k, s, round%4 == 0); err != nil {
					t.Errorf("%s, round %d: %v", k.name, round, err)
				}
			}
		})
	}
	clients.Wait()
	flow.stop()
	c.awaitEnded(rounds * len(kinds()))
	for _, e := range c.journal.all() {
		if e.Message != "tap ended" {
			continue
		}
		require.Equal(t, "client_closed", e.fields["reason"])
		requireHonest(t, e)
	}
	require.Empty(t, c.points().Taps)
}

// peek opens a tap, reads one document, and leaves, or cuts the connection.
func (c *collector) peek(k kind, s signal, cut bool) error {
	conn, err := k.open(c, "/v1/"+s.name, http.Header{})
	if err != nil {
		return err
	}
	late := time.AfterFunc(patience, conn.close)
	defer late.Stop()
	message, err := conn.read()
	if err == nil {
		_, err = s.itemsOfJSON(message)
	}
	if socket, ok := conn.(coderConnection); ok && cut {
		return errors.Join(err, socket.conn.CloseNow())
	}
	conn.close()
	return err
}

// lateClient is a tap that is not read from the start.
type lateClient struct {
	kind  kind
	conn  connection
	items int
	err   error
}

// readTo reads documents until one holds the label.
func (w *lateClient) readTo(s signal, label string) {
	late := time.AfterFunc(patience, w.conn.close)
	defer late.Stop()
	for {
		message, err := w.conn.read()
		if err != nil {
			w.err = fmt.Errorf("after %d items: %w", w.items, err)
			return
		}
		found, err := s.itemsOfJSON(message)
		if err != nil {
			w.err = fmt.Errorf("%w in %.500s", err, message)
			return
		}
		w.items += len(found)
		if bytes.Contains(message, []byte(label)) {
			return
		}
	}
}
