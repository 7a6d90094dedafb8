package remotetapprocessor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/processor/xprocessor"

	"github.com/remotetap/remotetapprocessor/internal/metadata"
)

// collector is remote_tap in pipelines of all four signals, as a collector would run it, on a
// free port.
type collector struct {
	t        testing.TB
	registry *registry
	factory  xprocessor.Factory
	config   *Config
	id       component.ID
	next     *sinks // everything that was passed on

	traces   processor.Traces
	metrics  processor.Metrics
	logs     processor.Logs
	profiles xprocessor.Profiles
}

// sinks are the next consumers of all signals.
type sinks struct {
	traces   consumertest.TracesSink
	metrics  consumertest.MetricsSink
	logs     consumertest.LogsSink
	profiles consumertest.ProfilesSink
}

// startCollector starts one point named remote_tap; the options change its configuration.
func startCollector(t testing.TB, options ...func(*Config)) *collector {
	t.Helper()
	c := newCollector(t, options...)
	c.start()
	t.Cleanup(c.stop)
	return c
}

func newCollector(t testing.TB, options ...func(*Config)) *collector {
	t.Helper()
	c := &collector{
		t:        t,
		registry: newRegistry(),
		config:   createDefaultConfig().(*Config),
		id:       component.NewID(metadata.Type),
	}
	c.factory = newFactory(c.registry)
	c.config.Server.NetAddr.Endpoint = "localhost:0"
	for _, option := range options {
		option(c.config)
	}
	require.NoError(t, c.config.Validate())
	return c
}

func (c *collector) settings() processor.Settings {
	settings := processortest.NewNopSettings(metadata.Type)
	settings.ID = c.id
	return settings
}

// start makes new processors in front of new sinks and starts them.
func (c *collector) start() {
	c.t.Helper()
	c.next = &sinks{}
	c.startBefore(&c.next.traces, &c.next.metrics, &c.next.logs, &c.next.profiles)
}

// startBefore makes new processors in front of other consumers and starts them.
func (c *collector) startBefore(traces consumer.Traces, metrics consumer.Metrics, logs consumer.Logs, profiles xconsumer.Profiles) {
	c.t.Helper()
	ctx := context.Background()
	var err error
	c.traces, err = c.factory.CreateTraces(ctx, c.settings(), c.config, traces)
	require.NoError(c.t, err)
	c.metrics, err = c.factory.CreateMetrics(ctx, c.settings(), c.config, metrics)
	require.NoError(c.t, err)
	c.logs, err = c.factory.CreateLogs(ctx, c.settings(), c.config, logs)
	require.NoError(c.t, err)
	c.profiles, err = c.factory.CreateProfiles(ctx, c.settings(), c.config, profiles)
	require.NoError(c.t, err)
	for _, p := range c.processors() {
		require.NoError(c.t, p.Start(ctx, componenttest.NewNopHost()))
	}
}

func (c *collector) processors() []component.Component {
	return []component.Component{c.traces, c.metrics, c.logs, c.profiles}
}

// stop shuts the processors down; more calls do nothing.
func (c *collector) stop() {
	c.t.Helper()
	for _, p := range c.processors() {
		require.NoError(c.t, p.Shutdown(context.Background()))
	}
}

func (c *collector) server() *server {
	c.t.Helper()
	c.registry.mu.Lock()
	defer c.registry.mu.Unlock()
	for _, s := range c.registry.servers {
		return s
	}
	c.t.Fatal("no server is running")
	return nil
}

func (c *collector) address() string { return c.server().addr.String() }

// url is the address of a path over HTTP.
func (c *collector) url(path string) string { return "http://" + c.address() + path }

// dial opens a WebSocket; it is closed with the test.
func (c *collector) dial(path string) *websocket.Conn {
	c.t.Helper()
	conn, response, err := websocket.DefaultDialer.Dial("ws://"+c.address()+path, nil)
	require.NoError(c.t, err)
	require.NoError(c.t, response.Body.Close())
	require.NoError(c.t, conn.SetReadDeadline(time.Now().Add(5*time.Minute))) // a test that waits for ever says nothing
	c.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// spans makes a batch of n spans, with names from "span 0".
func spans(n int) ptrace.Traces {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "checkout")
	scope := resource.ScopeSpans().AppendEmpty()
	for i := range n {
		span := scope.Spans().AppendEmpty()
		span.SetName(fmt.Sprintf("span %d", i))
		span.SetTraceID([16]byte{1, byte(i >> 8), byte(i)})
		span.SetSpanID([8]byte{2, byte(i >> 8), byte(i)})
		span.Attributes().PutStr("http.route", "/pay")
	}
	return traces
}

// points makes a batch of n data points of one gauge.
func points(n int) pmetric.Metrics {
	metrics := pmetric.NewMetrics()
	gauge := metrics.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	gauge.SetName("queue.size")
	data := gauge.SetEmptyGauge().DataPoints()
	for i := range n {
		data.AppendEmpty().SetIntValue(int64(i))
	}
	return metrics
}

// records makes a batch of n log records.
func records(n int) plog.Logs {
	logs := plog.NewLogs()
	scope := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	for i := range n {
		scope.LogRecords().AppendEmpty().Body().SetStr(fmt.Sprintf("record %d", i))
	}
	return logs
}

// samples makes a batch of one profile with n samples.
func samples(n int) pprofile.Profiles {
	profiles := pprofile.NewProfiles()
	profile := profiles.ResourceProfiles().AppendEmpty().ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	for range n {
		profile.Samples().AppendEmpty()
	}
	return profiles
}
