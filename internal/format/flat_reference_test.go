package format

import (
	"encoding/base64"
	"math"
	"math/big"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The functions here say what flat JSON an item has, in terms of pdata and as plainly as can be.

type object = map[string]any

func flatText(s string) string { return string([]rune(s)) }

func flatNumber(v float64) any {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return v
}

func flatValue(v pcommon.Value) any {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return flatText(v.Str())
	case pcommon.ValueTypeBool:
		return v.Bool()
	case pcommon.ValueTypeInt:
		return float64(v.Int())
	case pcommon.ValueTypeDouble:
		return flatNumber(v.Double())
	case pcommon.ValueTypeMap:
		return flatMap(v.Map())
	case pcommon.ValueTypeSlice:
		list := []any{}
		for _, e := range v.Slice().All() {
			list = append(list, flatValue(e))
		}
		return list
	case pcommon.ValueTypeBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes().AsRaw())
	default:
		return nil
	}
}

func flatMap(m pcommon.Map) object {
	out := object{}
	for k, v := range m.All() {
		if _, twice := out[flatText(k)]; !twice {
			out[flatText(k)] = flatValue(v)
		}
	}
	return out
}

// put sets a member unless it is the zero of its type, an empty object or an empty list.
func put(o object, key string, v any) {
	switch v := v.(type) {
	case nil:
	case string:
		if v != "" {
			o[key] = v
		}
	case object:
		if len(v) > 0 {
			o[key] = v
		}
	case []any:
		if len(v) > 0 {
			o[key] = v
		}
	default:
		o[key] = v
	}
}

func flatTime(ts pcommon.Timestamp) string {
	if ts == 0 {
		return ""
	}
	return time.Unix(int64(ts/1e9), int64(ts%1e9)).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func flatID(empty bool, s string) string {
	if empty {
		return ""
	}
	return s
}

func flatWord(words string, n int32) any {
	list := strings.Split(words, " ")
	if n < 0 || int(n) >= len(list) {
		return float64(n)
	}
	return list[n]
}

func flatBase(signal string, ts pcommon.Timestamp, res pcommon.Resource, scope pcommon.InstrumentationScope, attributes pcommon.Map) object {
	o := object{"signal": signal, "point": "remote_tap"}
	put(o, "time", flatTime(ts))
	if v, ok := res.Attributes().Get("service.name"); ok {
		o["service"] = flatValue(v)
	}
	put(o, "scope", flatText(scope.Name()))
	put(o, "resource", flatMap(res.Attributes()))
	put(o, "attributes", flatMap(attributes))
	return o
}

func flatTraces(td ptrace.Traces) (all []any) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				o := flatBase("traces", s.StartTimestamp(), rs.Resource(), ss.Scope(), s.Attributes())
				put(o, "name", flatText(s.Name()))
				put(o, "trace_id", flatID(s.TraceID().IsEmpty(), s.TraceID().String()))
				put(o, "span_id", flatID(s.SpanID().IsEmpty(), s.SpanID().String()))
				put(o, "parent_span_id", flatID(s.ParentSpanID().IsEmpty(), s.ParentSpanID().String()))
				put(o, "kind", flatWord(" internal server client producer consumer", int32(s.Kind())))
				if s.StartTimestamp() != 0 && s.EndTimestamp() != 0 {
					nanos := new(big.Int).Sub(new(big.Int).SetUint64(uint64(s.EndTimestamp())), new(big.Int).SetUint64(uint64(s.StartTimestamp())))
					o["duration_ms"], _ = new(big.Rat).SetFrac(nanos, big.NewInt(1e6)).Float64()
				}
				put(o, "status", flatWord("unset ok error", int32(s.Status().Code())))
				put(o, "status_message", flatText(s.Status().Message()))
				events, links := []any{}, []any{}
				for _, e := range s.Events().All() {
					event := object{}
					put(event, "time", flatTime(e.Timestamp()))
					put(event, "name", flatText(e.Name()))
					put(event, "attributes", flatMap(e.Attributes()))
					events = append(events, event)
				}
				for _, l := range s.Links().All() {
					link := object{}
					put(link, "trace_id", flatID(l.TraceID().IsEmpty(), l.TraceID().String()))
					put(link, "span_id", flatID(l.SpanID().IsEmpty(), l.SpanID().String()))
					put(link, "attributes", flatMap(l.Attributes()))
					links = append(links, link)
				}
				put(o, "events", events)
				put(o, "links", links)
				all = append(all, o)
			}
		}
	}
	return all
}

func flatLogs(ld plog.Logs) (all []any) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				ts := r.Timestamp()
				if ts == 0 {
					ts = r.ObservedTimestamp()
				}
				o := flatBase("logs", ts, rl.Resource(), sl.Scope(), r.Attributes())
				put(o, "name", flatText(r.EventName()))
				put(o, "trace_id", flatID(r.TraceID().IsEmpty(), r.TraceID().String()))
				put(o, "span_id", flatID(r.SpanID().IsEmpty(), r.SpanID().String()))
				text := flatText(r.SeverityText())
				if n := r.SeverityNumber(); n >= 1 && n <= 24 {
					word := strings.Split("trace debug info warn error fatal", " ")[(n-1)/4]
					o["severity"] = word
					if !strings.EqualFold(word, text) {
						put(o, "severity_text", text)
					}
				} else {
					put(o, "severity", text)
				}
				if r.Body().Type() != pcommon.ValueTypeEmpty {
					o["body"] = flatValue(r.Body())
				}
				all = append(all, o)
			}
		}
	}
	return all
}

func flatMetrics(md pmetric.Metrics) (all []any) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				add := func(ts pcommon.Timestamp, attributes pcommon.Map, more object) {
					o := flatBase("metrics", ts, rm.Resource(), sm.Scope(), attributes)
					put(o, "name", flatText(m.Name()))
					put(o, "unit", flatText(m.Unit()))
					for k, v := range more {
						put(o, k, v)
					}
					all = append(all, o)
				}
				flatPoints(m, add)
			}
		}
	}
	return all
}

func flatPoints(m pmetric.Metric, add func(pcommon.Timestamp, pcommon.Map, object)) {
	temporality := func(v pmetric.AggregationTemporality) any { return flatWord(" delta cumulative", int32(v)) }
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			add(p.Timestamp(), p.Attributes(), object{"type": "gauge", "value": flatPointValue(p)})
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			o := object{"type": "sum", "value": flatPointValue(p), "temporality": temporality(m.Sum().AggregationTemporality())}
			if m.Sum().IsMonotonic() {
				o["monotonic"] = true
			}
			add(p.Timestamp(), p.Attributes(), o)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			v := flatHistogramTotals(p.Count(), p)
			put(v, "bounds", flatDoubles(p.ExplicitBounds()))
			put(v, "counts", flatCounts(p.BucketCounts()))
			add(p.Timestamp(), p.Attributes(), object{"type": "histogram", "value": v, "temporality": temporality(m.Histogram().AggregationTemporality())})
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			v := flatHistogramTotals(p.Count(), p)
			v["scale"], v["zero_count"] = float64(p.Scale()), float64(p.ZeroCount())
			if p.ZeroThreshold() != 0 {
				v["zero_threshold"] = flatNumber(p.ZeroThreshold())
			}
			put(v, "positive", flatExponential(p.Positive()))
			put(v, "negative", flatExponential(p.Negative()))
			add(p.Timestamp(), p.Attributes(), object{
				"type": "exponential_histogram", "value": v,
				"temporality": temporality(m.ExponentialHistogram().AggregationTemporality()),
			})
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			v := object{"count": float64(p.Count()), "sum": flatNumber(p.Sum())}
			quantiles := []any{}
			for _, q := range p.QuantileValues().All() {
				quantiles = append(quantiles, object{"quantile": flatNumber(q.Quantile()), "value": flatNumber(q.Value())})
			}
			put(v, "quantiles", quantiles)
			add(p.Timestamp(), p.Attributes(), object{"type": "summary", "value": v})
		}
	case pmetric.MetricTypeEmpty:
	}
}

func flatPointValue(p pmetric.NumberDataPoint) any {
	switch p.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		return float64(p.IntValue())
	case pmetric.NumberDataPointValueTypeDouble:
		return flatNumber(p.DoubleValue())
	default:
		return nil
	}
}

func flatHistogramTotals(count uint64, p interface {
	HasSum() bool
	Sum() float64
	HasMin() bool
	Min() float64
	HasMax() bool
	Max() float64
},
) object {
	v := object{"count": float64(count)}
	if p.HasSum() {
		v["sum"] = flatNumber(p.Sum())
	}
	if p.HasMin() {
		v["min"] = flatNumber(p.Min())
	}
	if p.HasMax() {
		v["max"] = flatNumber(p.Max())
	}
	return v
}

func flatExponential(b pmetric.ExponentialHistogramDataPointBuckets) object {
	v := object{}
	put(v, "counts", flatCounts(b.BucketCounts()))
	if len(v) > 0 || b.Offset() != 0 {
		v["offset"] = float64(b.Offset())
	}
	return v
}

func flatCounts(s pcommon.UInt64Slice) (list []any) {
	for _, v := range s.All() {
		list = append(list, float64(v))
	}
	return list
}

func flatDoubles(s pcommon.Float64Slice) (list []any) {
	for _, v := range s.All() {
		list = append(list, flatNumber(v))
	}
	return list
}
