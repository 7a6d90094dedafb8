package selection

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// ObserveTraces looks at some spans of a batch. `items` is its SpanCount. The data is only read; short copies of a few
// texts are kept. The error is a *PanicError.
func (r *Recorder) ObserveTraces(td ptrace.Traces, items int, budget Budget) error {
	return r.observe(items, budget, func(s stride, look func(*subject) bool) {
		visit(traceShape(), td, s, func(resource ptrace.ResourceSpans, scope ptrace.ScopeSpans, i int) bool {
			span := scope.Spans().At(i)
			return look(&subject{
				signal: otlp.Traces, span: span, attributes: span.Attributes(),
				resource: resource.Resource().Attributes(), scope: scope.Scope().Attributes(),
				ask: func(c *condition) (bool, error) {
					switch {
					case c.span != nil:
						return c.onSpan(inSpan{resource, scope, span})
					case c.spanEvent != nil:
						return c.onSpanEvents(inSpan{resource, scope, span})
					default:
						return c.onAny(scope.Scope(), resource.Resource(), scope, resource)
					}
				},
			})
		})
	})
}

// ObserveLogs is like ObserveTraces, for log records.
func (r *Recorder) ObserveLogs(ld plog.Logs, items int, budget Budget) error {
	return r.observe(items, budget, func(s stride, look func(*subject) bool) {
		visit(logShape(), ld, s, func(resource plog.ResourceLogs, scope plog.ScopeLogs, i int) bool {
			record := scope.LogRecords().At(i)
			return look(&subject{
				signal: otlp.Logs, record: record, attributes: record.Attributes(),
				resource: resource.Resource().Attributes(), scope: scope.Scope().Attributes(),
				ask: func(c *condition) (bool, error) {
					if c.record != nil {
						return c.onRecord(inRecord{resource, scope, record})
					}
					return c.onAny(scope.Scope(), resource.Resource(), scope, resource)
				},
			})
		})
	})
}

// ObserveMetrics is like ObserveTraces, for data points.
func (r *Recorder) ObserveMetrics(md pmetric.Metrics, items int, budget Budget) error {
	return r.observe(items, budget, func(s stride, look func(*subject) bool) {
		visit(metricShape(), md, s, func(resource pmetric.ResourceMetrics, scope pmetric.ScopeMetrics, i int) bool {
			metric, point, attributes := pointAt(scope, i)
			m := inMetric{resource, scope, metric}
			return look(&subject{
				signal: otlp.Metrics, metric: metric, attributes: attributes,
				resource: resource.Resource().Attributes(), scope: scope.Scope().Attributes(),
				ask: func(c *condition) (bool, error) {
					switch {
					case c.metric != nil:
						return c.onMetric(m)
					case c.point != nil:
						return c.onPoint(inPoint{m, point})
					default:
						return c.onAny(scope.Scope(), resource.Resource(), scope, resource)
					}
				},
			})
		})
	})
}

// ObserveProfiles is like ObserveTraces, but looks at resources, each of which counts as one item.
func (r *Recorder) ObserveProfiles(pd pprofile.Profiles, _ int, budget Budget) error {
	resources := pd.ResourceProfiles()
	return r.observe(resources.Len(), budget, func(s stride, look func(*subject) bool) {
		for i := s.first; i < resources.Len(); i += s.every {
			none := pcommon.NewMap()
			if !look(&subject{signal: otlp.Profiles, resource: resources.At(i).Resource().Attributes(), scope: none, attributes: none}) {
				return
			}
		}
	})
}

// onAny asks a condition on a resource or a scope.
func (c *condition) onAny(scope pcommon.InstrumentationScope, resource pcommon.Resource, scopeURL, resourceURL schemaURL) (bool, error) {
	if c.scope != nil {
		return c.onScope(scope, resource, scopeURL, resourceURL)
	}
	return c.onResource(resource, resourceURL)
}

// pointAt is a scope's i-th data point, with its metric.
func pointAt(scope pmetric.ScopeMetrics, i int) (metric pmetric.Metric, point any, attributes pcommon.Map) {
	for j := range scope.Metrics().Len() {
		metric = scope.Metrics().At(j)
		if i < pointsIn(metric) {
			break
		}
		i -= pointsIn(metric)
	}
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		p := metric.Gauge().DataPoints().At(i)
		return metric, p, p.Attributes()
	case pmetric.MetricTypeSum:
		p := metric.Sum().DataPoints().At(i)
		return metric, p, p.Attributes()
	case pmetric.MetricTypeHistogram:
		p := metric.Histogram().DataPoints().At(i)
		return metric, p, p.Attributes()
	case pmetric.MetricTypeExponentialHistogram:
		p := metric.ExponentialHistogram().DataPoints().At(i)
		return metric, p, p.Attributes()
	default: // the only one left that has points
		p := metric.Summary().DataPoints().At(i)
		return metric, p, p.Attributes()
	}
}

// stride is the positions first, first+every, ... of a batch.
type stride struct {
	first, every int
}

// visit goes to the items at some positions of a batch, until one's visit returns false.
func visit[B, R, S any](shape shape[B, R, S], batch B, positions stride, item func(R, S, int) bool) {
	before, next := 0, positions.first
	for i := range shape.resources(batch) {
		resource := shape.resource(batch, i)
		for j := range shape.scopes(resource) {
			scope := shape.scope(resource, j)
			items := shape.items(scope)
			for ; next < before+items; next += positions.every {
				if !item(resource, scope, next-before) {
					return
				}
			}
			before += items
		}
	}
}

// What the criteria's hints remember of an item.

func noteService(_ *Term, s *subject, n *notes) {
	if name, ok := s.resource.Get(serviceName); ok {
		n.seen.add(textOf(name), s.weight)
	}
}

func noteName(_ *Term, s *subject, n *notes) {
	switch s.signal {
	case otlp.Traces:
		n.seen.add(s.span.Name(), s.weight)
	case otlp.Metrics:
		n.seen.add(s.metric.Name(), s.weight)
	case otlp.Logs:
		if name := s.record.EventName(); name != "" {
			n.seen.add(name, s.weight)
			return
		}
		n.seen.add(textOf(s.record.Body()), s.weight)
	default:
	}
}

func noteDuration(_ *Term, s *subject, n *notes) {
	if s.signal == otlp.Traces {
		n.longest = max(n.longest, durationOf(s.span))
	}
}

func noteSeverity(_ *Term, s *subject, n *notes) {
	if s.signal == otlp.Logs {
		n.seen.add(severityName(SeverityOf(s.record)), s.weight)
	}
}

func noteStatus(_ *Term, s *subject, n *notes) {
	if s.signal == otlp.Traces {
		n.seen.add(statusName(s.span.Status().Code()), s.weight)
	}
}

func noteAttribute(t *Term, s *subject, n *notes) {
	for _, level := range [...]pcommon.Map{s.attributes, s.scope, s.resource} {
		if value, ok := level.Get(t.Key); ok {
			n.seen.add(textOf(value), s.weight)
		}
	}
}
