package selection

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottldatapoint"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottllog"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlmetric"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlresource"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlscope"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspanevent"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// where is the conditions of a selection for one signal: one of them has to hold.
type where[R, S any] struct {
	resource      func(R) (bool, error)             // nil: none
	scope         func(inScope[R, S]) (bool, error) // nil: none
	belowResource bool                              // there are conditions on scopes or items
	belowScope    bool                              // there are conditions on items or metrics
}

// any reports whether there is a condition.
func (w *where[R, S]) any() bool { return w.resource != nil || w.belowResource }

// inScope is a scope within its resource.
type inScope[R, S any] struct {
	resource R
	scope    S
}

// inSpan is a span, inMetric a metric, inPoint a data point and inRecord a log record, with what is around it.
type (
	inSpan struct {
		resource ptrace.ResourceSpans
		scope    ptrace.ScopeSpans
		span     ptrace.Span
	}
	inMetric struct {
		resource pmetric.ResourceMetrics
		scope    pmetric.ScopeMetrics
		metric   pmetric.Metric
	}
	inPoint struct {
		inMetric
		point any // of the metric's type
	}
	inRecord struct {
		resource plog.ResourceLogs
		scope    plog.ScopeLogs
		record   plog.LogRecord
	}
)

// asking is anyHolds for conditions of one kind; nil if there are none.
func asking[T any](conditions []func(T) (bool, error)) func(T) (bool, error) {
	switch len(conditions) {
	case 0:
		return nil
	case 1:
		return conditions[0]
	default:
		return func(subject T) (bool, error) { return anyHolds(conditions, subject) }
	}
}

// anyHolds asks conditions until one holds. The error is the first one's that failed, if none holds.
func anyHolds[T any](conditions []func(T) (bool, error), subject T) (bool, error) {
	var first error
	for _, holds := range conditions {
		ok, err := holds(subject)
		switch {
		case err != nil:
			if first == nil {
				first = err
			}
		case ok:
			return true, nil
		}
	}
	return false, first
}

// schemaURL is what a resource's and a scope's containers have.
type schemaURL interface {
	SchemaUrl() string
	SetSchemaUrl(v string)
}

// newWhere takes the conditions on resources and scopes; `lower` says how many there are on what is below a scope.
func newWhere[R, S schemaURL](
	conditions []*condition, lower int, resourceOf func(R) pcommon.Resource, scopeOf func(S) pcommon.InstrumentationScope,
) where[R, S] {
	var resources []func(R) (bool, error)
	var scopes []func(inScope[R, S]) (bool, error)
	for _, c := range conditions {
		if c.resource != nil {
			resources = append(resources, func(r R) (bool, error) { return c.onResource(resourceOf(r), r) })
		}
		if c.scope != nil {
			scopes = append(scopes, func(s inScope[R, S]) (bool, error) {
				return c.onScope(scopeOf(s.scope), resourceOf(s.resource), s.scope, s.resource)
			})
		}
	}
	return where[R, S]{
		resource:      asking(resources),
		scope:         asking(scopes),
		belowResource: lower > 0 || len(scopes) > 0,
		belowScope:    lower > 0,
	}
}

func (c *condition) onResource(resource pcommon.Resource, url schemaURL) (bool, error) {
	tc := ottlresource.NewTransformContextPtr(resource, url)
	holds, err := c.resource.Eval(background(), tc)
	tc.Close()
	return holds, err
}

func (c *condition) onScope(scope pcommon.InstrumentationScope, resource pcommon.Resource, scopeURL, resourceURL schemaURL) (bool, error) {
	tc := ottlscope.NewTransformContextPtr(scope, resource, scopeURL, resourceURL)
	holds, err := c.scope.Eval(background(), tc)
	tc.Close()
	return holds, err
}

// traceWhere is the conditions for traces.
type traceWhere struct {
	where[ptrace.ResourceSpans, ptrace.ScopeSpans]
	span func(inSpan) (bool, error) // nil: none; so the others
}

func newTraceWhere(conditions []*condition) traceWhere {
	var spans []func(inSpan) (bool, error)
	for _, c := range conditions {
		if c.span != nil {
			spans = append(spans, c.onSpan)
		}
		if c.spanEvent != nil {
			spans = append(spans, c.onSpanEvents)
		}
	}
	return traceWhere{
		where: newWhere(conditions, len(spans), ptrace.ResourceSpans.Resource, ptrace.ScopeSpans.Scope),
		span:  asking(spans),
	}
}

func (c *condition) onSpan(s inSpan) (bool, error) {
	tc := ottlspan.NewTransformContextPtr(s.resource, s.scope, s.span)
	holds, err := c.span.Eval(background(), tc)
	tc.Close()
	return holds, err
}

// onSpanEvents holds if the condition does for one of the span's events.
func (c *condition) onSpanEvents(s inSpan) (bool, error) {
	var first error
	for i := range s.span.Events().Len() {
		tc := ottlspanevent.NewTransformContextPtr(s.resource, s.scope, s.span, s.span.Events().At(i), ottlspanevent.WithEventIndex(int64(i)))
		holds, err := c.spanEvent.Eval(background(), tc)
		tc.Close()
		switch {
		case err != nil:
			if first == nil {
				first = err
			}
		case holds:
			return true, nil
		}
	}
	return false, first
}

// metricWhere is the conditions for metrics.
type metricWhere struct {
	where[pmetric.ResourceMetrics, pmetric.ScopeMetrics]
	metric func(inMetric) (bool, error)
	point  func(inPoint) (bool, error)
}

func newMetricWhere(conditions []*condition) metricWhere {
	var metrics []func(inMetric) (bool, error)
	var points []func(inPoint) (bool, error)
	for _, c := range conditions {
		if c.metric != nil {
			metrics = append(metrics, c.onMetric)
		}
		if c.point != nil {
			points = append(points, c.onPoint)
		}
	}
	return metricWhere{
		where:  newWhere(conditions, len(metrics)+len(points), pmetric.ResourceMetrics.Resource, pmetric.ScopeMetrics.Scope),
		metric: asking(metrics),
		point:  asking(points),
	}
}

func (c *condition) onMetric(m inMetric) (bool, error) {
	tc := ottlmetric.NewTransformContextPtr(m.resource, m.scope, m.metric)
	holds, err := c.metric.Eval(background(), tc)
	tc.Close()
	return holds, err
}

func (c *condition) onPoint(p inPoint) (bool, error) {
	tc := ottldatapoint.NewTransformContextPtr(p.resource, p.scope, p.metric, p.point)
	holds, err := c.point.Eval(background(), tc)
	tc.Close()
	return holds, err
}

// logWhere is the conditions for logs.
type logWhere struct {
	where[plog.ResourceLogs, plog.ScopeLogs]
	record func(inRecord) (bool, error)
}

func newLogWhere(conditions []*condition) logWhere {
	var records []func(inRecord) (bool, error)
	for _, c := range conditions {
		if c.record != nil {
			records = append(records, c.onRecord)
		}
	}
	return logWhere{
		where:  newWhere(conditions, len(records), plog.ResourceLogs.Resource, plog.ScopeLogs.Scope),
		record: asking(records),
	}
}

func (c *condition) onRecord(r inRecord) (bool, error) {
	tc := ottllog.NewTransformContextPtr(r.resource, r.scope, r.record)
	holds, err := c.record.Eval(background(), tc)
	tc.Close()
	return holds, err
}
