package e2e

import (
	"context"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/basicauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/oidcauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/hostmetricsreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/nopexporter"
	"go.opentelemetry.io/collector/exporter/xexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/remotetap/remotetapprocessor"
)

// factories makes the components of a collector, anew at every load, as the builder's code does.
func factories(exported *exports) (otelcol.Factories, error) {
	made := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var err error
	if made.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](
		otlpreceiver.NewFactory(), hostmetricsreceiver.NewFactory()); err != nil {
		return made, err
	}
	if made.Processors, err = otelcol.MakeFactoryMap[processor.Factory](
		remotetapprocessor.NewFactory(), memorylimiterprocessor.NewFactory(), probabilisticsamplerprocessor.NewFactory(), newMutatorFactory()); err != nil {
		return made, err
	}
	if made.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](
		debugexporter.NewFactory(), nopexporter.NewFactory(), newRecorderFactory(exported)); err != nil {
		return made, err
	}
	made.Extensions, err = otelcol.MakeFactoryMap[extension.Factory](
		basicauthextension.NewFactory(), bearertokenauthextension.NewFactory(), oidcauthextension.NewFactory())
	return made, err
}

// exports is what a collector's recorders have received, encoded on arrival, by the exporter's
// name and signal.
type exports struct {
	mu    sync.Mutex
	feeds map[string]*feed[[]byte] // guarded by mu
}

// of returns the feed of one exporter ("recorder/second") for one signal ("logs").
func (e *exports) of(name, signal string) *feed[[]byte] {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.feeds == nil {
		e.feeds = map[string]*feed[[]byte]{}
	}
	key := name + " " + signal
	if e.feeds[key] == nil {
		e.feeds[key] = &feed[[]byte]{}
	}
	return e.feeds[key]
}

// recorder is an exporter that records what arrives.
type recorder struct {
	component.StartFunc
	component.ShutdownFunc
	arrived *feed[[]byte]
}

func (*recorder) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (r *recorder) record(proto []byte, err error) error {
	if err == nil {
		r.arrived.add(proto)
	}
	return err
}

func (r *recorder) ConsumeTraces(_ context.Context, data ptrace.Traces) error {
	return r.record((&ptrace.ProtoMarshaler{}).MarshalTraces(data))
}

func (r *recorder) ConsumeMetrics(_ context.Context, data pmetric.Metrics) error {
	return r.record((&pmetric.ProtoMarshaler{}).MarshalMetrics(data))
}

func (r *recorder) ConsumeLogs(_ context.Context, data plog.Logs) error {
	return r.record((&plog.ProtoMarshaler{}).MarshalLogs(data))
}

func (r *recorder) ConsumeProfiles(_ context.Context, data pprofile.Profiles) error {
	return r.record((&pprofile.ProtoMarshaler{}).MarshalProfiles(data))
}

func newRecorderFactory(exported *exports) xexporter.Factory {
	of := func(set exporter.Settings, signal string) *recorder {
		return &recorder{arrived: exported.of(set.ID.String(), signal)}
	}
	return xexporter.NewFactory(
		component.MustNewType("recorder"),
		emptyConfig,
		xexporter.WithTraces(func(_ context.Context, set exporter.Settings, _ component.Config) (exporter.Traces, error) {
			return of(set, "traces"), nil
		}, component.StabilityLevelDevelopment),
		xexporter.WithMetrics(func(_ context.Context, set exporter.Settings, _ component.Config) (exporter.Metrics, error) {
			return of(set, "metrics"), nil
		}, component.StabilityLevelDevelopment),
		xexporter.WithLogs(func(_ context.Context, set exporter.Settings, _ component.Config) (exporter.Logs, error) {
			return of(set, "logs"), nil
		}, component.StabilityLevelDevelopment),
		xexporter.WithProfiles(func(_ context.Context, set exporter.Settings, _ component.Config) (xexporter.Profiles, error) {
			return of(set, "profiles"), nil
		}, component.StabilityLevelDevelopment),
	)
}

func emptyConfig() component.Config { return &struct{}{} }

// mutated is what the mutator puts into everything that passes.
const mutated = "mutated"

// mutator is a processor that changes the data in place, as the attributes processor does: it
// renames every item and throws its attributes away.
type mutator struct {
	component.StartFunc
	component.ShutdownFunc
	traces  consumer.Traces
	metrics consumer.Metrics
	logs    consumer.Logs
}

func (*mutator) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

func (m *mutator) ConsumeTraces(ctx context.Context, data ptrace.Traces) error {
	for _, resource := range data.ResourceSpans().All() {
		mutate(resource.Resource().Attributes())
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				span.SetName(mutated)
				mutate(span.Attributes())
				span.Events().RemoveIf(func(ptrace.SpanEvent) bool { return true })
			}
		}
	}
	return m.traces.ConsumeTraces(ctx, data)
}

func (m *mutator) ConsumeMetrics(ctx context.Context, data pmetric.Metrics) error {
	for _, resource := range data.ResourceMetrics().All() {
		mutate(resource.Resource().Attributes())
		for _, scope := range resource.ScopeMetrics().All() {
			for _, metric := range scope.Metrics().All() {
				metric.SetName(mutated)
			}
		}
	}
	return m.metrics.ConsumeMetrics(ctx, data)
}

func (m *mutator) ConsumeLogs(ctx context.Context, data plog.Logs) error {
	for _, resource := range data.ResourceLogs().All() {
		mutate(resource.Resource().Attributes())
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				record.Body().SetStr(mutated)
				mutate(record.Attributes())
			}
		}
	}
	return m.logs.ConsumeLogs(ctx, data)
}

func mutate(attributes pcommon.Map) {
	attributes.Clear()
	attributes.PutBool(mutated, true)
}

func newMutatorFactory() processor.Factory {
	return processor.NewFactory(
		component.MustNewType("mutator"),
		emptyConfig,
		processor.WithTraces(func(_ context.Context, _ processor.Settings, _ component.Config, next consumer.Traces) (processor.Traces, error) {
			return &mutator{traces: next}, nil
		}, component.StabilityLevelDevelopment),
		processor.WithMetrics(func(_ context.Context, _ processor.Settings, _ component.Config, next consumer.Metrics) (processor.Metrics, error) {
			return &mutator{metrics: next}, nil
		}, component.StabilityLevelDevelopment),
		processor.WithLogs(func(_ context.Context, _ processor.Settings, _ component.Config, next consumer.Logs) (processor.Logs, error) {
			return &mutator{logs: next}, nil
		}, component.StabilityLevelDevelopment),
	)
}

var _ xconsumer.Profiles = (*recorder)(nil)
