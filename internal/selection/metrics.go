package selection

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func metricShape() shape[pmetric.Metrics, pmetric.ResourceMetrics, pmetric.ScopeMetrics] {
	return shape[pmetric.Metrics, pmetric.ResourceMetrics, pmetric.ScopeMetrics]{
		resources:       func(md pmetric.Metrics) int { return md.ResourceMetrics().Len() },
		resource:        func(md pmetric.Metrics, i int) pmetric.ResourceMetrics { return md.ResourceMetrics().At(i) },
		attributes:      func(r pmetric.ResourceMetrics) pcommon.Map { return r.Resource().Attributes() },
		scopes:          func(r pmetric.ResourceMetrics) int { return r.ScopeMetrics().Len() },
		scope:           func(r pmetric.ResourceMetrics, i int) pmetric.ScopeMetrics { return r.ScopeMetrics().At(i) },
		scopeAttributes: func(s pmetric.ScopeMetrics) pcommon.Map { return s.Scope().Attributes() },
		items:           pointsInScope,
	}
}

func pointsInScope(scope pmetric.ScopeMetrics) int {
	points := 0
	for i := range scope.Metrics().Len() {
		points += pointsIn(scope.Metrics().At(i))
	}
	return points
}

// pointsIn is the number of a metric's data points.
func pointsIn(metric pmetric.Metric) int {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		return metric.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return metric.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return metric.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return metric.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return metric.Summary().DataPoints().Len()
	default:
		return 0
	}
}

// metricProgram compiles the rules for data points. Tests of the metric are made once for all of its points.
func metricProgram(r *rules, conditions metricWhere) *program[pmetric.Metrics, pmetric.ResourceMetrics, pmetric.ScopeMetrics] {
	leaf := &metricLeaf{
		rules: r,
		where: conditions,
		tests: newItemTests(r, func(t tests) func(pcommon.Map) bool { return t.point }),
	}
	return newProgram(metricShape(), r, conditions.where, leaf.scope)
}

// metricLeaf finds the data points of a scope.
type metricLeaf struct {
	rules *rules
	where metricWhere
	tests itemTests[pcommon.Map]
}

func (l *metricLeaf) scope(w *walk, resource pmetric.ResourceMetrics, scope pmetric.ScopeMetrics, n need) {
	metrics := scope.Metrics()
	for i := range metrics.Len() {
		if !w.step() {
			return
		}
		metric := inMetric{resource, scope, metrics.At(i)}
		below := n
		switch {
		case !l.atMetric(w, metric, &below):
			w.position += pointsIn(metric.metric)
		case below.nothing():
			w.take(pointsIn(metric.metric), below.failed)
		default:
			l.inMetric(w, metric, below)
		}
		if w.stopped {
			return
		}
	}
}

func (l *metricLeaf) atMetric(w *walk, metric inMetric, n *need) bool {
	if !decide(l.rules.metric, n, metric.metric) {
		return false
	}
	if n.where && l.where.metric != nil {
		holds, err := l.where.metric(metric)
		return w.judge(n, holds, err, l.where.point != nil)
	}
	return true
}

func (l *metricLeaf) inMetric(w *walk, m inMetric, n need) {
	switch m.metric.Type() {
	case pmetric.MetricTypeGauge:
		inPoints(l, w, m, m.metric.Gauge().DataPoints(), n)
	case pmetric.MetricTypeSum:
		inPoints(l, w, m, m.metric.Sum().DataPoints(), n)
	case pmetric.MetricTypeHistogram:
		inPoints(l, w, m, m.metric.Histogram().DataPoints(), n)
	case pmetric.MetricTypeExponentialHistogram:
		inPoints(l, w, m, m.metric.ExponentialHistogram().DataPoints(), n)
	case pmetric.MetricTypeSummary:
		inPoints(l, w, m, m.metric.Summary().DataPoints(), n)
	default:
	}
}

// inPoints goes through the data points of a metric, whatever its type.
func inPoints[S interface {
	Len() int
	At(int) P
}, P interface{ Attributes() pcommon.Map }](l *metricLeaf, w *walk, m inMetric, points S, n need) {
	tests := l.tests.of(n.terms)
	for i := 0; i < points.Len(); {
		end := i + w.chunk(points.Len()-i)
		if end == i {
			return
		}
		for ; i < end; i++ {
			point := points.At(i)
			switch {
			case !passes(tests, point.Attributes()):
				w.position++
			case n.where:
				holds, err := l.where.point(inPoint{m, point})
				w.judgeItem(holds, err, n.failed)
			default:
				w.judgeItem(!n.failed, nil, n.failed)
			}
		}
	}
}
