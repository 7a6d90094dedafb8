package remotetapprocessor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// noCeilings lets a test send as much as the clients can take.
func noCeilings(c *Config) {
	c.PerTap.MiBPerSecond = 0
	c.MaxOverhead = maxMaxOverhead
}

// dialStuck opens a WebSocket with small socket buffers, and never reads from it.
func (c *collector) dialStuck() {
	c.t.Helper()
	dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4 * kib)
		}
		return conn, err
	}}
	conn, response, err := dialer.Dial("ws://"+c.address()+"/v1/tap", nil)
	require.NoError(c.t, err)
	require.NoError(c.t, response.Body.Close())
	c.t.Cleanup(func() { _ = conn.Close() })
}

// readSpans reads messages until it has n spans.
func readSpans(t testing.TB, conn *websocket.Conn, n int) (names []string, messages int) {
	t.Helper()
	for len(names) < n {
		_, message, err := conn.ReadMessage()
		require.NoError(t, err)
		names = append(names, spanNames(t, message)...)
		messages++
	}
	return names, messages
}

func TestStuckClientsDoNotSlowThePipeline(t *testing.T) {
	c := startCollector(t, noCeilings, func(config *Config) { config.PerTap.QueueMiB = 2 })
	healthy := c.dial("/v1/traces")
	for range 4 {
		c.dialStuck()
	}
	keepsUp := c.server().broadcaster.snapshot().taps[0]
	batch := largeSpans(100)
	received := uint64(0)
	for range 200 { // 80 MiB, which no queue or socket buffer could hold
		require.NoError(t, c.traces.ConsumeTraces(t.Context(), batch))
		// On a busy machine a call may take longer than taps may hold it up: what that costs is skipped.
		l := keepsUp.ledger(time.Now())
		names, _ := readSpans(t, healthy, int(l.sent+l.pending-received))
		received += uint64(len(names))
	}
	l := keepsUp.ledger(time.Now())
	assert.Equal(t, l.seen, received+l.skipped+l.dropped[dropOverhead], "the healthy client gets everything")
	assert.Positive(t, received)
	assert.Equal(t, 200*100, c.next.traces.SpanCount())
	for _, tap := range c.server().broadcaster.snapshot().taps {
		checkLedger(t, tap)
	}
	dropped := c.server().broadcaster.snapshot().sources[0].dropped[dropQueueFull].Load()
	assert.Positive(t, dropped, "the stuck clients did lose data")
}

// On a fake clock a call that waited for anything would take time.
func TestNoCallWaitsForAStuckClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, PerTapConfig{QueueMiB: 1})
		stuck := make([]*tap, 5)
		for i := range stuck {
			stuck[i] = r.subscribe(everything())
		}
		r.publish(largeSpans(10))
		synctest.Wait()
		for _, tap := range stuck {
			require.NotNil(t, tap.take(), "its message is being written from now on, forever")
		}
		begin := time.Now()
		for range 200 {
			r.publish(largeSpans(10))
		}
		assert.Zero(t, time.Since(begin))
		for _, tap := range stuck {
			checkLedger(t, tap)
			r.leave(tap)
		}
	})
}

func TestMemoryOfStuckClientsIsBounded(t *testing.T) {
	const limit, queueMiB = 5, 2
	c := newCollector(t, noCeilings, func(config *Config) {
		config.Limit = limit
		config.PerTap.QueueMiB = queueMiB
	})
	nop := consumertest.NewNop() // keeps nothing
	c.startBefore(nop, nop, nop, nop)
	t.Cleanup(c.stop)
	before := heapInUse()
	for range limit {
		c.dialStuck()
	}
	batch := largeSpans(100)
	for range 200 {
		require.NoError(t, c.traces.ConsumeTraces(t.Context(), batch))
	}
	held := heapInUse() - before
	const perConnection = 256 * kib // net/http's and gorilla's buffers, at both ends
	assert.Less(t, held, int64(limit*(queueMiB*mib+perConnection)))
	t.Logf("%d stuck clients hold %d KiB; the promise is %d KiB", limit, held/kib, limit*queueMiB*kib)
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestClientsComeAndGoAtFullRate(t *testing.T) {
	c := startCollector(t, noCeilings, func(config *Config) { config.Limit = 20 })
	ctx, cancel := context.WithCancel(t.Context())
	var pipelines sync.WaitGroup
	for range 2 {
		pipelines.Go(func() {
			for batch := spans(100); ctx.Err() == nil; {
				assert.NoError(t, c.traces.ConsumeTraces(ctx, batch))
				c.next.traces.Reset()
			}
		})
	}
	var clients sync.WaitGroup
	var opened atomic.Int64
	for worker := range 8 {
		clients.Go(func() {
			for i := range 40 {
				if c.visit(worker + i) {
					opened.Add(1)
				}
			}
		})
	}
	clients.Wait()
	cancel()
	pipelines.Wait()
	assert.Positive(t, opened.Load())
	require.Eventually(t, func() bool { return len(c.server().broadcaster.snapshot().taps) == 0 },
		time.Minute, 10*time.Millisecond, "every tap ends when its client is gone")
	assert.Nil(t, c.server().broadcaster.sources[0].views.Load())
}

// visit connects in one of several ways, reads a little or nothing, and leaves in one of several
// ways. It tells whether it was let in.
func (c *collector) visit(way int) bool {
	if way%4 == 0 {
		response, err := http.Get(c.url("/v1/tap"))
		if !assert.NoError(c.t, err) {
			return false
		}
		_, _ = io.CopyN(io.Discard, response.Body, int64(way)*1000)
		return assert.NoError(c.t, response.Body.Close()) && response.StatusCode == http.StatusOK
	}
	dialer := websocket.Dialer{EnableCompression: way%4 == 1}
	conn, response, err := dialer.Dial("ws://"+c.address()+"/", nil) //nolint:bodyclose // gorilla leaves nothing to close
	if err != nil {
		return assert.NotNil(c.t, response) && !assert.Equal(c.t, http.StatusServiceUnavailable, response.StatusCode)
	}
	if way%3 > 0 {
		_, _, _ = conn.ReadMessage()
	}
	if way%2 > 0 {
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	} else if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset
	}
	return assert.NoError(c.t, conn.Close())
}

func TestShutdownWhilePublishing(t *testing.T) {
	c := newCollector(t, noCeilings)
	for range 5 {
		c.start()
		for range 3 {
			c.dial("/")
		}
		c.dialStuck()
		stop := make(chan struct{})
		var pipelines sync.WaitGroup
		for range 2 {
			pipelines.Go(func() {
				for batch := spans(500); ; {
					select {
					case <-stop:
						return
					default:
						assert.NoError(t, c.traces.ConsumeTraces(context.Background(), batch))
						c.next.traces.Reset()
					}
				}
			})
		}
		c.stop()
		close(stop)
		pipelines.Wait()
	}
}

func TestBigBatchArrivesAsCompleteDocumentsWithin64KiB(t *testing.T) {
	c := startCollector(t, func(config *Config) { config.MaxOverhead = maxMaxOverhead }) // the race detector is slow
	conn := c.dial("/v1/traces")
	batch := richSpans(8192)
	require.NoError(t, c.traces.ConsumeTraces(t.Context(), batch))
	received := map[string]bool{}
	for len(received) < 8192 {
		_, message, err := conn.ReadMessage()
		require.NoError(t, err)
		require.LessOrEqual(t, len(message), 65536)
		document, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(message)
		require.NoError(t, err)
		for _, resource := range document.ResourceSpans().All() {
			require.Equal(t, 8, resource.Resource().Attributes().Len(), "each document repeats its resource")
			for _, span := range resource.ScopeSpans().At(0).Spans().All() {
				received[span.SpanID().String()] = true
			}
		}
	}
	_, lost := c.onlyLedger()
	assert.Empty(t, lost)
}

// onlyLedger is the account of the one open tap.
func (c *collector) onlyLedger() (l ledger, lost map[string]uint64) {
	c.t.Helper()
	taps := c.server().broadcaster.snapshot().taps
	require.Len(c.t, taps, 1)
	l = checkLedger(c.t, taps[0])
	return l, l.droppedByReason()
}

// richSpans makes spans of the size that docs/benchmarks speak of: 10 attributes and one event
// each, 0.54 MB of protobuf for 1000.
func richSpans(n int) ptrace.Traces {
	traces := ptrace.NewTraces()
	var spans ptrace.SpanSlice
	for i := range n {
		if i%100 == 0 {
			resource := traces.ResourceSpans().AppendEmpty()
			for _, key := range []string{"service.name", "service.version", "k8s.pod.name", "k8s.namespace.name", "host.name", "os.type", "cloud.region", "telemetry.sdk.name"} {
				resource.Resource().Attributes().PutStr(key, "value of "+key)
			}
			spans = resource.ScopeSpans().AppendEmpty().Spans()
		}
		span := spans.AppendEmpty()
		span.SetName("GET /api/v1/orders/{id}")
		span.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, byte(i >> 8), byte(i)})
		span.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, byte(i >> 8), byte(i)})
		span.SetKind(ptrace.SpanKindServer)
		span.SetStartTimestamp(1_700_000_000_000_000_000)
		span.SetEndTimestamp(1_700_000_000_123_456_789)
		for _, key := range []string{"http.request.method", "url.path", "server.address", "user_agent.original", "network.protocol.version", "http.route"} {
			span.Attributes().PutStr(key, "some value of "+key)
		}
		span.Attributes().PutInt("http.response.status_code", 200)
		span.Attributes().PutInt("server.port", 8080)
		span.Attributes().PutBool("cache.hit", true)
		span.Attributes().PutDouble("cart.total", 129.95)
		event := span.Events().AppendEmpty()
		event.SetName("exception")
		event.SetTimestamp(1_700_000_000_100_000_000)
		event.Attributes().PutStr("exception.type", "io.timeout")
	}
	return traces
}

// spoiling is a next consumer that changes what it gets, as it may.
type spoiling struct {
	consumertest.Consumer
}

func (spoiling) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (spoiling) ConsumeTraces(_ context.Context, traces ptrace.Traces) error {
	traces.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool { return true })
	return nil
}

func (spoiling) ConsumeMetrics(_ context.Context, metrics pmetric.Metrics) error {
	metrics.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
	return nil
}

func (spoiling) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	logs.ResourceLogs().RemoveIf(func(plog.ResourceLogs) bool { return true })
	return nil
}

func (spoiling) ConsumeProfiles(_ context.Context, profiles pprofile.Profiles) error {
	profiles.ResourceProfiles().RemoveIf(func(pprofile.ResourceProfiles) bool { return true })
	return nil
}

// The race detector sees it if anything reads the data after it was passed on.
func TestTapKeepsNothingThatAProcessorBehindItMayChange(t *testing.T) {
	t.Run("as it is", func(t *testing.T) { keepsNothing(t) })
	t.Run("with redaction", func(t *testing.T) { keepsNothing(t, hiddenBy("mask")) })
}

func keepsNothing(t *testing.T, options ...func(*Config)) {
	t.Helper()
	c := startCollector(t, options...)
	ctx := t.Context()
	behind := spoiling{Consumer: consumertest.NewNop()}
	traces, err := c.factory.CreateTraces(ctx, c.settings(), c.config, behind)
	require.NoError(t, err)
	metrics, err := c.factory.CreateMetrics(ctx, c.settings(), c.config, behind)
	require.NoError(t, err)
	logs, err := c.factory.CreateLogs(ctx, c.settings(), c.config, behind)
	require.NoError(t, err)
	profiles, err := c.factory.CreateProfiles(ctx, c.settings(), c.config, behind)
	require.NoError(t, err)
	conn := c.dial("/")
	for range 20 {
		require.NoError(t, traces.ConsumeTraces(ctx, spans(50)))
		require.NoError(t, metrics.ConsumeMetrics(ctx, points(50)))
		require.NoError(t, logs.ConsumeLogs(ctx, records(50)))
		require.NoError(t, profiles.ConsumeProfiles(ctx, samples(50)))
	}
	for range 20 * 4 {
		_, _, err := conn.ReadMessage()
		require.NoError(t, err)
	}
	l, lost := c.onlyLedger()
	assert.Empty(t, lost)
	assert.Equal(t, uint64(20*4*50), l.matched)
	for _, p := range []interface{ Shutdown(context.Context) error }{traces, metrics, logs, profiles} {
		require.NoError(t, p.Shutdown(ctx))
	}
}

func TestTapChangesNothing(t *testing.T) {
	for name, ceiling := range map[string]float64{"whole batches": 0, "trimmed batches": 7} {
		t.Run(name, func(t *testing.T) {
			c := startCollector(t, func(config *Config) { config.PerTap.ItemsPerSecond = ceiling })
			c.dial("/")
			traces, metrics, logs, profiles := richSpans(20), points(20), records(20), samples(20)
			wantTraces, wantMetrics := ptrace.NewTraces(), pmetric.NewMetrics()
			wantLogs, wantProfiles := plog.NewLogs(), pprofile.NewProfiles()
			traces.CopyTo(wantTraces)
			metrics.CopyTo(wantMetrics)
			logs.CopyTo(wantLogs)
			profiles.CopyTo(wantProfiles)
			require.NoError(t, c.traces.ConsumeTraces(t.Context(), traces))
			require.NoError(t, c.metrics.ConsumeMetrics(t.Context(), metrics))
			require.NoError(t, c.logs.ConsumeLogs(t.Context(), logs))
			require.NoError(t, c.profiles.ConsumeProfiles(t.Context(), profiles))
			assert.Equal(t, wantTraces, c.next.traces.AllTraces()[0])
			assert.Equal(t, wantMetrics, c.next.metrics.AllMetrics()[0])
			assert.Equal(t, wantLogs, c.next.logs.AllLogs()[0])
			assert.Equal(t, wantProfiles, c.next.profiles.AllProfiles()[0])
		})
	}
}

func TestDataSharedByAFanOutIsRead(t *testing.T) {
	c := startCollector(t)
	conn := c.dial("/")
	traces, profiles := spans(5), samples(5)
	traces.MarkReadOnly()
	profiles.MarkReadOnly()
	require.NoError(t, c.traces.ConsumeTraces(t.Context(), traces))
	require.NoError(t, c.profiles.ConsumeProfiles(t.Context(), profiles))
	readSpans(t, conn, 5)
	_, _, err := conn.ReadMessage()
	require.NoError(t, err)
}

func TestNextConsumersErrorIsReturnedUnchanged(t *testing.T) {
	want := errors.New("the backend is down")
	c := newCollector(t)
	failing := consumertest.NewErr(want)
	c.startBefore(failing, failing, failing, failing)
	t.Cleanup(c.stop)
	c.dial("/")
	assert.Same(t, want, c.traces.ConsumeTraces(t.Context(), spans(1)))
}

func TestIdleCallsAllocateNothing(t *testing.T) {
	c := newCollector(t)
	nop := consumertest.NewNop()
	c.startBefore(nop, nop, nop, nop)
	t.Cleanup(c.stop)
	ctx := context.Background()
	traces, metrics, logs, profiles := spans(1), points(1), records(1), samples(1)
	for name, call := range map[string]func(){
		"traces":   func() { _ = c.traces.ConsumeTraces(ctx, traces) },
		"metrics":  func() { _ = c.metrics.ConsumeMetrics(ctx, metrics) },
		"logs":     func() { _ = c.logs.ConsumeLogs(ctx, logs) },
		"profiles": func() { _ = c.profiles.ConsumeProfiles(ctx, profiles) },
	} {
		assert.Zero(t, testing.AllocsPerRun(100, call), name)
	}
}

func TestProcessorsSayThatTheyOnlyRead(t *testing.T) {
	c := startCollector(t)
	for _, p := range c.processors() {
		assert.False(t, p.(interface{ Capabilities() consumer.Capabilities }).Capabilities().MutatesData)
	}
}
