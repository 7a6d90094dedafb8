// Package collectortest runs real collectors with remote_tap for tests of the commands, and a small shop
// whose telemetry passes through them.
package collectortest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/basicauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/nopexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/remotetap/remotetapprocessor"
	"github.com/remotetap/remotetapprocessor/internal/logcore"
)

// patience is how long a collector may take for what takes a moment.
const patience = time.Minute

// Default is a configuration with two tap points around a sampler that keeps a quarter of the traces.
const Default = `
processors:
  remote_tap:
    endpoint: 127.0.0.1:0
    limit: 20
    max_overhead: 64
  remote_tap/after_sampling:
  probabilistic_sampler:
    sampling_percentage: 25
service:
  pipelines:
    traces: {receivers: [otlp], processors: [remote_tap, probabilistic_sampler, remote_tap/after_sampling], exporters: [nop]}
    metrics: {receivers: [otlp], processors: [remote_tap], exporters: [nop]}
    logs: {receivers: [otlp], processors: [remote_tap], exporters: [nop]}
`

// surroundings is what each collector has besides.
const surroundings = `
receivers:
  otlp:
    protocols:
      grpc: {endpoint: 127.0.0.1:0}
      http: {endpoint: 127.0.0.1:0}
exporters:
  nop:
service:
  telemetry:
    logs: {output_paths: [], error_output_paths: [], sampling: {enabled: false}}
    metrics: {level: none}
`

// Test is what is needed of a testing.TB.
type Test interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// Collector is a running collector.
type Collector struct {
	t       Test
	otelcol *otelcol.Collector
	journal *journal
	over    chan struct{} // closed when Run has returned
	err     error         // why; readable when over is closed
}

// Start runs a collector with the given configuration on top of the surroundings, and waits until it is
// ready. It ends with the test.
func Start(t Test, configuration string) *Collector {
	t.Helper()
	c := &Collector{t: t, journal: &journal{changed: make(chan struct{})}, over: make(chan struct{})}
	documents := provider{surroundings, configuration}
	var err error
	c.otelcol, err = otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo:               component.BuildInfo{Command: "otelcol", Version: "1.2.3"},
		Factories:               factories,
		DisableGracefulShutdown: true,
		SkipSettingGRPCLogger:   true,
		LoggingOptions: []zap.Option{zap.WrapCore(func(core zapcore.Core) zapcore.Core {
			return zapcore.NewTee(core, logcore.New(zapcore.InfoLevel, func(e zapcore.Entry, fields map[string]any) {
				c.journal.add(entry{Entry: e, fields: fields})
			}))
		})},
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              []string{"test:0", "test:1"},
			ProviderFactories: []confmap.ProviderFactory{confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider { return documents })},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.over)
		c.err = c.otelcol.Run(context.Background())
	}()
	t.Cleanup(c.Stop)
	c.await("Everything is ready. Begin running and processing data.", 1)
	return c
}

// Stop ends the collector and waits for it. A second call does nothing.
func (c *Collector) Stop() {
	go c.otelcol.Shutdown()
	select {
	case <-c.over:
	case <-time.After(patience):
		c.t.Fatal("the collector does not stop")
	}
	if c.err != nil {
		c.t.Fatalf("the collector failed: %v", c.err)
	}
}

// Tap is the host and port of the first server of taps.
func (c *Collector) Tap() string { return c.address("remote_tap is listening", "address") }

// OTLP is the host and port of the OTLP receiver for gRPC.
func (c *Collector) OTLP() string { return c.address("Starting GRPC server", "endpoint") }

// OTLPHTTP is the host and port of the OTLP receiver for HTTP.
func (c *Collector) OTLPHTTP() string { return c.address("Starting HTTP server", "endpoint") }

func (c *Collector) address(message, field string) string {
	c.t.Helper()
	address := fmt.Sprint(c.await(message, 1).fields[field])
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		c.t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// AwaitTaps waits until so many taps have been opened since the collector started.
func (c *Collector) AwaitTaps(n int) { c.await("tap opened", n) }

// AwaitEnds waits until so many taps have ended since the collector started.
func (c *Collector) AwaitEnds(n int) { c.await("tap ended", n) }

// await waits for the n-th entry of the log with a message.
func (c *Collector) await(message string, n int) entry {
	c.t.Helper()
	e, err := c.journal.await(message, n, c.over, time.After(patience))
	if err != nil {
		c.t.Fatalf("%v: %v\n%s", err, c.failure(), c.journal)
	}
	return e
}

// failure is why the collector has ended, if it has.
func (c *Collector) failure() error {
	select {
	case <-c.over:
		return c.err
	default:
		return nil
	}
}

// factories makes the components of a collector, anew at every load.
func factories() (otelcol.Factories, error) {
	made := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var errs [4]error
	made.Receivers, errs[0] = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory())
	made.Processors, errs[1] = otelcol.MakeFactoryMap[processor.Factory](
		remotetapprocessor.NewFactory(), probabilisticsamplerprocessor.NewFactory(), newEditorFactory())
	made.Exporters, errs[2] = otelcol.MakeFactoryMap[exporter.Factory](nopexporter.NewFactory())
	made.Extensions, errs[3] = otelcol.MakeFactoryMap[extension.Factory](
		basicauthextension.NewFactory(), bearertokenauthextension.NewFactory())
	return made, errors.Join(errs[:]...)
}

// provider is a confmap provider of fixed documents.
type provider []string

// Retrieve returns a document by its number.
func (p provider) Retrieve(_ context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(uri, "test:"))
	if err != nil || i >= len(p) {
		return nil, fmt.Errorf("there is no document %q", uri)
	}
	return confmap.NewRetrievedFromYAML([]byte(p[i]))
}

// Scheme is that of the documents.
func (provider) Scheme() string { return "test" }

// Shutdown does nothing.
func (provider) Shutdown(context.Context) error { return nil }
