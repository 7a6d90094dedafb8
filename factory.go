package remotetapprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/xprocessor"

	"github.com/remotetap/remotetapprocessor/internal/metadata"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// NewFactory returns the factory of the remote_tap processor. The processors that one factory
// makes share their ports by endpoint; those of another factory do not meet them.
func NewFactory() processor.Factory {
	return newFactory(newRegistry())
}

func newFactory(r *registry) xprocessor.Factory {
	f := factory{registry: r}
	return xprocessor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		xprocessor.WithTraces(f.createTraces, metadata.TracesStability),
		xprocessor.WithMetrics(f.createMetrics, metadata.MetricsStability),
		xprocessor.WithLogs(f.createLogs, metadata.LogsStability),
		xprocessor.WithProfiles(f.createProfiles, metadata.ProfilesStability),
	)
}

type factory struct {
	registry *registry
}

func (f factory) createTraces(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	t, err := f.tap(set, cfg, otlp.Traces)
	if err != nil {
		return nil, err
	}
	return &tracesProcessor{tapped: t, ops: traceOps(), next: next}, nil
}

func (f factory) createMetrics(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	t, err := f.tap(set, cfg, otlp.Metrics)
	if err != nil {
		return nil, err
	}
	return &metricsProcessor{tapped: t, ops: metricOps(), next: next}, nil
}

func (f factory) createLogs(_ context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	t, err := f.tap(set, cfg, otlp.Logs)
	if err != nil {
		return nil, err
	}
	return &logsProcessor{tapped: t, ops: logOps(), next: next}, nil
}

func (f factory) createProfiles(_ context.Context, set processor.Settings, cfg component.Config, next xconsumer.Profiles) (xprocessor.Profiles, error) {
	t, err := f.tap(set, cfg, otlp.Profiles)
	if err != nil {
		return nil, err
	}
	return &profilesProcessor{tapped: t, ops: profileOps(), next: next}, nil
}

// tap is the part of a processor that does not depend on its signal.
func (f factory) tap(set processor.Settings, cfg component.Config, signal otlp.Signal) (tapped, error) {
	p, s, err := f.registry.join(set, cfg.(*Config), signal)
	return tapped{registry: f.registry, point: p, source: s}, err
}
