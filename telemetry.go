package remotetapprocessor

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/remotetap/remotetapprocessor/internal/metadata"
)

// telemetry is the tap's own metrics. All are read when the collector's telemetry asks, so that
// nothing is recorded on a pipeline's goroutine.
type telemetry struct {
	builder *metadata.TelemetryBuilder
}

// newTelemetry registers the metrics of one server.
func newTelemetry(settings component.TelemetrySettings, b *broadcaster) (*telemetry, error) {
	builder, err := metadata.NewTelemetryBuilder(settings)
	if err != nil {
		return nil, err
	}
	t := &telemetry{builder: builder}
	for _, register := range []func() error{
		func() error { return builder.RegisterProcessorRemoteTapOpenTapsCallback(b.observeOpenTaps) },
		func() error { return builder.RegisterProcessorRemoteTapRefusedTapsCallback(b.observeRefusedTaps) },
		func() error { return builder.RegisterProcessorRemoteTapEndedTapsCallback(b.observeEndedTaps) },
		func() error { return builder.RegisterProcessorRemoteTapBytesSentCallback(b.observeBytesSent) },
		func() error { return builder.RegisterProcessorRemoteTapItemsSeenCallback(b.observeItemsSeen) },
		func() error { return builder.RegisterProcessorRemoteTapItemsSentCallback(b.observeItemsSent) },
		func() error { return builder.RegisterProcessorRemoteTapItemsDroppedCallback(b.observeItemsDropped) },
		func() error { return builder.RegisterProcessorRemoteTapPipelineTimeCallback(b.observePipelineTime) },
	} {
		if err := register(); err != nil {
			t.shutdown()
			return nil, err
		}
	}
	return t, nil
}

func (t *telemetry) shutdown() { t.builder.Shutdown() }

// ofAllPipelines is without the attributes by which the collector tells pipelines and signals apart
// in a component's own telemetry. A server is opened by whichever processor starts first, and what
// it logs and counts is about all of them.
func ofAllPipelines(settings component.TelemetrySettings) component.TelemetrySettings {
	attributes := []string{"otelcol.pipeline.id", "otelcol.signal"}
	// What the collector injects them with is not exported, but has these methods.
	settings.Logger = settings.Logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		if injector, ok := core.(interface {
			DropInjectedAttributes(attributes ...string) zapcore.Core
		}); ok {
			return injector.DropInjectedAttributes(attributes...)
		}
		return core
	}))
	if injector, ok := settings.MeterProvider.(interface {
		DropInjectedAttributes(attributes ...string) metric.MeterProvider
	}); ok {
		settings.MeterProvider = injector.DropInjectedAttributes(attributes...)
	}
	if injector, ok := settings.TracerProvider.(interface {
		DropInjectedAttributes(attributes ...string) trace.TracerProvider
	}); ok {
		settings.TracerProvider = injector.DropInjectedAttributes(attributes...)
	}
	return settings
}

func (b *broadcaster) observeOpenTaps(_ context.Context, o metric.Int64Observer) error {
	o.Observe(int64(len(b.snapshot().taps)))
	return nil
}

func (b *broadcaster) observeBytesSent(_ context.Context, o metric.Int64Observer) error {
	o.Observe(int64(b.snapshot().bytes))
	return nil
}

func (b *broadcaster) observeRefusedTaps(_ context.Context, o metric.Int64Observer) error {
	for reason, n := range b.snapshot().refused {
		o.Observe(int64(n), withReason(refuseReason(reason).String()))
	}
	return nil
}

func (b *broadcaster) observeEndedTaps(_ context.Context, o metric.Int64Observer) error {
	for reason, n := range b.snapshot().ended {
		o.Observe(int64(n), withReason(endReason(reason).String()))
	}
	return nil
}

func (b *broadcaster) observeItemsSeen(_ context.Context, o metric.Int64Observer) error {
	for _, s := range b.snapshot().sources {
		o.Observe(int64(s.seen.Load()), s.attributes())
	}
	return nil
}

func (b *broadcaster) observeItemsSent(_ context.Context, o metric.Int64Observer) error {
	for _, s := range b.snapshot().sources {
		o.Observe(int64(s.sent.Load()), s.attributes())
	}
	return nil
}

func (b *broadcaster) observeItemsDropped(_ context.Context, o metric.Int64Observer) error {
	for _, s := range b.snapshot().sources {
		for reason := range s.dropped {
			if n := s.dropped[reason].Load(); n > 0 {
				o.Observe(int64(n), s.attributes(), withReason(dropReason(reason).String()))
			}
		}
	}
	return nil
}

func (b *broadcaster) observePipelineTime(_ context.Context, o metric.Float64Observer) error {
	for _, s := range b.snapshot().sources {
		o.Observe(time.Duration(s.nanoseconds.Load()).Seconds(), s.attributes())
	}
	return nil
}

func withReason(reason string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("reason", reason))
}

// attributes name the point and the signal of a measurement.
func (s *source) attributes() metric.MeasurementOption {
	return metric.WithAttributes(
		attribute.String("point", s.point.String()),
		attribute.String("signal", s.signal.String()),
	)
}
