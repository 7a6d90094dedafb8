package tapclient

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// cut returns a batch with the first n items. Profiles, whose samples mean nothing by themselves,
// stay whole, as does a batch that cannot be decoded: whoever reads it finds out.
func (b *Batch) cut(n uint64) *Batch {
	if n >= b.Items {
		return b
	}
	document, err := b.cutDocument(n)
	if err != nil || document == nil {
		return b
	}
	shorter := *b
	shorter.Items, shorter.document = n, document
	return &shorter
}

func (b *Batch) cutDocument(n uint64) ([]byte, error) {
	c := cutter{left: n}
	switch b.Signal {
	case Traces:
		data, err := b.Traces()
		if err != nil {
			return nil, err
		}
		c.traces(data)
		return (&ptrace.ProtoMarshaler{}).MarshalTraces(data)
	case Metrics:
		data, err := b.Metrics()
		if err != nil {
			return nil, err
		}
		c.metrics(data)
		return (&pmetric.ProtoMarshaler{}).MarshalMetrics(data)
	case Logs:
		data, err := b.Logs()
		if err != nil {
			return nil, err
		}
		c.logs(data)
		return (&plog.ProtoMarshaler{}).MarshalLogs(data)
	default:
		return nil, nil
	}
}

// cutter removes all items but the first, and then what is left empty around them.
type cutter struct {
	left uint64 // items that stay
}

// enough tells whether the next item goes.
func (c *cutter) enough() bool {
	if c.left == 0 {
		return true
	}
	c.left--
	return false
}

func (c *cutter) traces(data ptrace.Traces) {
	data.ResourceSpans().RemoveIf(func(resource ptrace.ResourceSpans) bool {
		resource.ScopeSpans().RemoveIf(func(scope ptrace.ScopeSpans) bool {
			scope.Spans().RemoveIf(func(ptrace.Span) bool { return c.enough() })
			return scope.Spans().Len() == 0
		})
		return resource.ScopeSpans().Len() == 0
	})
}

func (c *cutter) logs(data plog.Logs) {
	data.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(plog.LogRecord) bool { return c.enough() })
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
}

func (c *cutter) metrics(data pmetric.Metrics) {
	data.ResourceMetrics().RemoveIf(func(resource pmetric.ResourceMetrics) bool {
		resource.ScopeMetrics().RemoveIf(func(scope pmetric.ScopeMetrics) bool {
			scope.Metrics().RemoveIf(func(metric pmetric.Metric) bool { return c.points(metric) == 0 })
			return scope.Metrics().Len() == 0
		})
		return resource.ScopeMetrics().Len() == 0
	})
}

// points cuts the data points of a metric, and returns how many are left.
func (c *cutter) points(metric pmetric.Metric) int {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		return cutPoints(c, metric.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		return cutPoints(c, metric.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		return cutPoints(c, metric.Histogram().DataPoints())
	case pmetric.MetricTypeExponentialHistogram:
		return cutPoints(c, metric.ExponentialHistogram().DataPoints())
	case pmetric.MetricTypeSummary:
		return cutPoints(c, metric.Summary().DataPoints())
	default:
		return 0
	}
}

func cutPoints[P any](c *cutter, points interface {
	RemoveIf(remove func(P) bool)
	Len() int
},
) int {
	points.RemoveIf(func(P) bool { return c.enough() })
	return points.Len()
}
