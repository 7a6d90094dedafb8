package e2e

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const second = pcommon.Timestamp(1e9)

// fill puts every kind of value into attributes.
func fill(attributes pcommon.Map, label string) {
	attributes.PutStr("label", label)
	attributes.PutStr("text", "tab\t quote\" newline\n <&> \u2028 日本 \x00")
	attributes.PutStr("empty", "")
	attributes.PutInt("large", -1<<63)
	attributes.PutDouble("half", 0.5)
	attributes.PutDouble("tiny", 5e-324)
	attributes.PutBool("no", false)
	attributes.PutEmpty("nothing")
	attributes.PutEmptyBytes("bytes").FromRaw([]byte{0, 255, 62, 63})
	list := attributes.PutEmptySlice("list")
	list.AppendEmpty().SetInt(1)
	list.AppendEmpty().SetEmptyMap().PutStr("deep", "er")
	list.AppendEmpty()
}

func fillResource(resource pcommon.Resource, label string) {
	resource.Attributes().PutStr("service.name", "checkout")
	fill(resource.Attributes(), label)
	resource.SetDroppedAttributesCount(3)
}

func fillScope(scope pcommon.InstrumentationScope) {
	scope.SetName("e2e")
	scope.SetVersion("1.0")
	scope.Attributes().PutInt("scope", 1)
}

// id makes an id that is different for different numbers and never zero.
func id(i int) (trace pcommon.TraceID, span pcommon.SpanID) {
	return pcommon.TraceID{255, 1, byte(i >> 16), byte(i >> 8), byte(i), 15: 1},
		pcommon.SpanID{254, byte(i >> 16), byte(i >> 8), byte(i), 7: 1}
}

func generateTraces(label string, n int) []byte {
	data := ptrace.NewTraces()
	resource := data.ResourceSpans().AppendEmpty()
	fillResource(resource.Resource(), label)
	resource.SetSchemaUrl("https://example.com/resource")
	scope := resource.ScopeSpans().AppendEmpty()
	fillScope(scope.Scope())
	scope.SetSchemaUrl("https://example.com/scope")
	for i := range n {
		span := scope.Spans().AppendEmpty()
		traceID, spanID := id(i)
		span.SetTraceID(traceID)
		span.SetSpanID(spanID)
		span.SetParentSpanID(pcommon.SpanID{1})
		span.TraceState().FromRaw("ot=rv:1234567890abcd")
		span.SetName(fmt.Sprintf("%s %d", label, i))
		span.SetKind(ptrace.SpanKindServer)
		span.SetFlags(257)
		span.SetStartTimestamp(second)
		span.SetEndTimestamp(2*second + pcommon.Timestamp(i))
		span.Status().SetCode(ptrace.StatusCodeError)
		span.Status().SetMessage("no")
		fill(span.Attributes(), label)
		event := span.Events().AppendEmpty()
		event.SetName("exception")
		event.SetTimestamp(second)
		event.Attributes().PutStr("exception.message", "é")
		link := span.Links().AppendEmpty()
		link.SetTraceID(traceID)
		link.SetSpanID(spanID)
		link.Attributes().PutBool("link", true)
	}
	return must((&ptrace.ProtoMarshaler{}).MarshalTraces(data))
}

func generateMetrics(label string, n int) []byte {
	data := pmetric.NewMetrics()
	resource := data.ResourceMetrics().AppendEmpty()
	fillResource(resource.Resource(), label)
	scope := resource.ScopeMetrics().AppendEmpty()
	fillScope(scope.Scope())
	for i := range n {
		metric := scope.Metrics().AppendEmpty()
		metric.SetName(fmt.Sprintf("%s %d", label, i))
		metric.SetUnit("By")
		metric.SetDescription("all kinds")
		fillMetric(metric, i)
	}
	return must((&pmetric.ProtoMarshaler{}).MarshalMetrics(data))
}

// fillMetric gives a metric one data point, of each kind in turn.
func fillMetric(metric pmetric.Metric, i int) {
	switch i % 5 {
	case 0:
		point := metric.SetEmptyGauge().DataPoints().AppendEmpty()
		point.SetDoubleValue(float64(i) + 0.25)
		point.SetTimestamp(second)
	case 1:
		sum := metric.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		point := sum.DataPoints().AppendEmpty()
		point.SetIntValue(int64(i) - 1<<62)
		exemplar := point.Exemplars().AppendEmpty()
		exemplar.SetIntValue(7)
		exemplar.SetTraceID(pcommon.TraceID{9})
		exemplar.FilteredAttributes().PutStr("filtered", "yes")
	case 2:
		histogram := metric.SetEmptyHistogram()
		histogram.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
		point := histogram.DataPoints().AppendEmpty()
		point.SetCount(3)
		point.SetSum(4.5)
		point.SetMin(0.5)
		point.SetMax(2)
		point.BucketCounts().FromRaw([]uint64{1, 2, 0})
		point.ExplicitBounds().FromRaw([]float64{1, 2})
	case 3:
		point := metric.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		point.SetScale(-2)
		point.SetZeroCount(1)
		point.Positive().SetOffset(-3)
		point.Positive().BucketCounts().FromRaw([]uint64{5, 0, 6})
	default:
		point := metric.SetEmptySummary().DataPoints().AppendEmpty()
		point.SetCount(2)
		quantile := point.QuantileValues().AppendEmpty()
		quantile.SetQuantile(0.99)
		quantile.SetValue(12)
	}
}

func generateLogs(label string, n int) []byte {
	data := plog.NewLogs()
	resource := data.ResourceLogs().AppendEmpty()
	fillResource(resource.Resource(), label)
	scope := resource.ScopeLogs().AppendEmpty()
	fillScope(scope.Scope())
	for i := range n {
		record := scope.LogRecords().AppendEmpty()
		traceID, spanID := id(i)
		record.SetTraceID(traceID)
		record.SetSpanID(spanID)
		record.SetFlags(plog.DefaultLogRecordFlags.WithIsSampled(true))
		record.SetTimestamp(second)
		record.SetObservedTimestamp(2 * second)
		record.SetSeverityNumber(plog.SeverityNumberWarn2)
		record.SetSeverityText("WARN")
		record.SetEventName("e2e.event")
		record.Body().SetStr(fmt.Sprintf("%s %d", label, i))
		if i%2 == 1 {
			fill(record.Body().SetEmptyMap(), fmt.Sprintf("%s %d", label, i))
		}
		fill(record.Attributes(), label)
	}
	return must((&plog.ProtoMarshaler{}).MarshalLogs(data))
}

// generateProfiles makes one profile of n samples. It refers to a dictionary of its own.
func generateProfiles(label string, n int) []byte {
	data := pprofile.NewProfiles()
	dictionary := data.Dictionary()
	dictionary.StringTable().Append("", label, "cpu", "ns")
	dictionary.StackTable().AppendEmpty()
	dictionary.LocationTable().AppendEmpty()
	dictionary.FunctionTable().AppendEmpty().SetNameStrindex(1)
	resource := data.ResourceProfiles().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "checkout")
	profile := resource.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	profile.SetProfileID(pprofile.ProfileID{1, 2, 3})
	profile.SetTime(second)
	profile.SampleType().SetTypeStrindex(2)
	profile.SampleType().SetUnitStrindex(3)
	for i := range n {
		profile.Samples().AppendEmpty().Values().Append(int64(i))
	}
	return must((&pprofile.ProtoMarshaler{}).MarshalProfiles(data))
}
