package items

import (
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

func (w *walk) metrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			base := w.in(rm.Resource(), sm.Scope())
			for _, metric := range sm.Metrics().All() {
				base.Name, base.Unit, base.Kind = metric.Name(), metric.Unit(), metric.Type().String()
				w.points(base, metric)
			}
		}
	}
}

func (w *walk) points(base Item, metric pmetric.Metric) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		w.numbers(base, metric.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		w.numbers(base, metric.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		for _, p := range metric.Histogram().DataPoints().All() {
			w.point(base, p.Timestamp(), p.Attributes(), spread(p.Count(), p.HasSum(), p.Sum()))
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range metric.ExponentialHistogram().DataPoints().All() {
			w.point(base, p.Timestamp(), p.Attributes(), spread(p.Count(), p.HasSum(), p.Sum()))
		}
	case pmetric.MetricTypeSummary:
		for _, p := range metric.Summary().DataPoints().All() {
			w.point(base, p.Timestamp(), p.Attributes(), spread(p.Count(), true, p.Sum()))
		}
	case pmetric.MetricTypeEmpty:
	}
}

func (w *walk) numbers(base Item, points pmetric.NumberDataPointSlice) {
	for _, p := range points.All() {
		value := strconv.FormatInt(p.IntValue(), 10)
		if p.ValueType() == pmetric.NumberDataPointValueTypeDouble {
			value = number(p.DoubleValue())
		}
		w.point(base, p.Timestamp(), p.Attributes(), value)
	}
}

func (w *walk) point(base Item, stamp pcommon.Timestamp, attributes pcommon.Map, value string) {
	base.Time, base.Attributes, base.Value = stamp.AsTime(), attributes, value
	w.items = append(w.items, base)
}

// spread is a distribution in short.
func spread(count uint64, hasSum bool, sum float64) string {
	if !hasSum || count == 0 {
		return fmt.Sprintf("n=%d", count)
	}
	return fmt.Sprintf("n=%d mean=%s", count, number(sum/float64(count)))
}

// number is a floating-point number with six digits at most.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
