package remotetapprocessor

import (
	"context"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// tapped is what the processors of all signals have in common: their place in the registry, and
// the source that they publish to. Start and Shutdown are called once each, by the collector.
type tapped struct {
	// set at construction
	registry *registry
	point    *point
	source   *source

	// owned by the collector's start and stop sequence
	started bool
	stopped bool
}

// Start opens the point's port, unless another pipeline's processor has done so.
func (t *tapped) Start(ctx context.Context, host component.Host) error {
	if err := t.registry.start(ctx, t.point, host); err != nil {
		return err
	}
	t.started = true
	return nil
}

// Shutdown leaves the point. The last processor of a server ends its taps and closes the port,
// within two seconds or the context, whatever the clients do.
func (t *tapped) Shutdown(ctx context.Context) error {
	if t.stopped {
		return nil
	}
	t.stopped = true
	return t.registry.stop(ctx, t.point, t.started)
}

// Capabilities says that the data is only read.
func (*tapped) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: false} }

// The four processors. While nobody watches each call costs one atomic load; the next consumer
// gets the same data and context, and its error is returned as it is.

type tracesProcessor struct {
	tapped
	ops  *signalOps[ptrace.Traces]
	next consumer.Traces
}

// ConsumeTraces shows the spans to whoever watches and passes them on.
func (p *tracesProcessor) ConsumeTraces(ctx context.Context, traces ptrace.Traces) error {
	if views := p.source.views.Load(); views != nil {
		publish(p.source, *views, p.ops, traces)
	}
	return p.next.ConsumeTraces(ctx, traces)
}

type metricsProcessor struct {
	tapped
	ops  *signalOps[pmetric.Metrics]
	next consumer.Metrics
}

// ConsumeMetrics shows the data points to whoever watches and passes them on.
func (p *metricsProcessor) ConsumeMetrics(ctx context.Context, metrics pmetric.Metrics) error {
	if views := p.source.views.Load(); views != nil {
		publish(p.source, *views, p.ops, metrics)
	}
	return p.next.ConsumeMetrics(ctx, metrics)
}

type logsProcessor struct {
	tapped
	ops  *signalOps[plog.Logs]
	next consumer.Logs
}

// ConsumeLogs shows the log records to whoever watches and passes them on.
func (p *logsProcessor) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	if views := p.source.views.Load(); views != nil {
		publish(p.source, *views, p.ops, logs)
	}
	return p.next.ConsumeLogs(ctx, logs)
}

type profilesProcessor struct {
	tapped
	ops  *signalOps[pprofile.Profiles]
	next xconsumer.Profiles
}

// ConsumeProfiles shows the profiles to whoever watches and passes them on.
func (p *profilesProcessor) ConsumeProfiles(ctx context.Context, profiles pprofile.Profiles) error {
	if views := p.source.views.Load(); views != nil {
		publish(p.source, *views, p.ops, profiles)
	}
	return p.next.ConsumeProfiles(ctx, profiles)
}
