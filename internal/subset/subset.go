// Package subset copies chosen items of a batch, with the resources, scopes and metrics around
// them, into a new batch. The source is only read. Containers left without items are left out.
package subset

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Keep says whether an item is kept. It is called once for each item, in the batch's order,
// with the item's position from 0, counted as pdata's SpanCount and its like count.
type Keep func(position int) bool

// Evenly keeps `kept` of `all` items at even distances. It returns at most all of them.
func Evenly(kept, all int) Keep {
	return func(position int) bool {
		return (position+1)*kept/all > position*kept/all
	}
}

// Traces copies the kept spans.
func Traces(src ptrace.Traces, keep Keep) ptrace.Traces {
	dst := ptrace.NewTraces()
	position := 0
	for _, resource := range src.ResourceSpans().All() {
		dstResource := lazy[ptrace.ResourceSpans]{make: func() ptrace.ResourceSpans {
			made := dst.ResourceSpans().AppendEmpty()
			resource.Resource().CopyTo(made.Resource())
			made.SetSchemaUrl(resource.SchemaUrl())
			return made
		}}
		for _, scope := range resource.ScopeSpans().All() {
			dstSpans := lazy[ptrace.SpanSlice]{make: func() ptrace.SpanSlice {
				made := dstResource.get().ScopeSpans().AppendEmpty()
				scope.Scope().CopyTo(made.Scope())
				made.SetSchemaUrl(scope.SchemaUrl())
				return made.Spans()
			}}
			position = copyKept(scope.Spans(), &dstSpans, keep, position)
		}
	}
	return dst
}

// Logs copies the kept log records.
func Logs(src plog.Logs, keep Keep) plog.Logs {
	dst := plog.NewLogs()
	position := 0
	for _, resource := range src.ResourceLogs().All() {
		dstResource := lazy[plog.ResourceLogs]{make: func() plog.ResourceLogs {
			made := dst.ResourceLogs().AppendEmpty()
			resource.Resource().CopyTo(made.Resource())
			made.SetSchemaUrl(resource.SchemaUrl())
			return made
		}}
		for _, scope := range resource.ScopeLogs().All() {
			dstRecords := lazy[plog.LogRecordSlice]{make: func() plog.LogRecordSlice {
				made := dstResource.get().ScopeLogs().AppendEmpty()
				scope.Scope().CopyTo(made.Scope())
				made.SetSchemaUrl(scope.SchemaUrl())
				return made.LogRecords()
			}}
			position = copyKept(scope.LogRecords(), &dstRecords, keep, position)
		}
	}
	return dst
}

// Metrics copies the kept data points.
func Metrics(src pmetric.Metrics, keep Keep) pmetric.Metrics {
	dst := pmetric.NewMetrics()
	position := 0
	for _, resource := range src.ResourceMetrics().All() {
		dstResource := lazy[pmetric.ResourceMetrics]{make: func() pmetric.ResourceMetrics {
			made := dst.ResourceMetrics().AppendEmpty()
			resource.Resource().CopyTo(made.Resource())
			made.SetSchemaUrl(resource.SchemaUrl())
			return made
		}}
		for _, scope := range resource.ScopeMetrics().All() {
			dstMetrics := lazy[pmetric.MetricSlice]{make: func() pmetric.MetricSlice {
				made := dstResource.get().ScopeMetrics().AppendEmpty()
				scope.Scope().CopyTo(made.Scope())
				made.SetSchemaUrl(scope.SchemaUrl())
				return made.Metrics()
			}}
			for _, metric := range scope.Metrics().All() {
				position = copyPoints(metric, &dstMetrics, keep, position)
			}
		}
	}
	return dst
}

// copyPoints copies the kept data points of one metric, whatever its type.
func copyPoints(src pmetric.Metric, dst *lazy[pmetric.MetricSlice], keep Keep, position int) int {
	newMetric := func() pmetric.Metric {
		made := dst.get().AppendEmpty()
		made.SetName(src.Name())
		made.SetDescription(src.Description())
		made.SetUnit(src.Unit())
		src.Metadata().CopyTo(made.Metadata())
		return made
	}
	switch src.Type() {
	case pmetric.MetricTypeGauge:
		points := lazy[pmetric.NumberDataPointSlice]{make: func() pmetric.NumberDataPointSlice {
			return newMetric().SetEmptyGauge().DataPoints()
		}}
		return copyKept(src.Gauge().DataPoints(), &points, keep, position)
	case pmetric.MetricTypeSum:
		points := lazy[pmetric.NumberDataPointSlice]{make: func() pmetric.NumberDataPointSlice {
			sum := newMetric().SetEmptySum()
			sum.SetIsMonotonic(src.Sum().IsMonotonic())
			sum.SetAggregationTemporality(src.Sum().AggregationTemporality())
			return sum.DataPoints()
		}}
		return copyKept(src.Sum().DataPoints(), &points, keep, position)
	case pmetric.MetricTypeHistogram:
		points := lazy[pmetric.HistogramDataPointSlice]{make: func() pmetric.HistogramDataPointSlice {
			histogram := newMetric().SetEmptyHistogram()
			histogram.SetAggregationTemporality(src.Histogram().AggregationTemporality())
			return histogram.DataPoints()
		}}
		return copyKept(src.Histogram().DataPoints(), &points, keep, position)
	case pmetric.MetricTypeExponentialHistogram:
		points := lazy[pmetric.ExponentialHistogramDataPointSlice]{make: func() pmetric.ExponentialHistogramDataPointSlice {
			histogram := newMetric().SetEmptyExponentialHistogram()
			histogram.SetAggregationTemporality(src.ExponentialHistogram().AggregationTemporality())
			return histogram.DataPoints()
		}}
		return copyKept(src.ExponentialHistogram().DataPoints(), &points, keep, position)
	case pmetric.MetricTypeSummary:
		points := lazy[pmetric.SummaryDataPointSlice]{make: func() pmetric.SummaryDataPointSlice {
			return newMetric().SetEmptySummary().DataPoints()
		}}
		return copyKept(src.Summary().DataPoints(), &points, keep, position)
	default:
		return position
	}
}

// slice is what all of pdata's item slices share.
type slice[E any] interface {
	Len() int
	At(int) E
	AppendEmpty() E
}

// copyKept copies the kept items of one slice and returns the position after its last item.
func copyKept[S slice[E], E interface{ CopyTo(E) }](src S, dst *lazy[S], keep Keep, position int) int {
	for i := range src.Len() {
		if keep(position + i) {
			src.At(i).CopyTo(dst.get().AppendEmpty())
		}
	}
	return position + src.Len()
}

// lazy makes a container when the first of its items is kept.
type lazy[T any] struct {
	make  func() T
	value T
	made  bool
}

func (l *lazy[T]) get() T {
	if !l.made {
		l.value, l.made = l.make(), true
	}
	return l.value
}
