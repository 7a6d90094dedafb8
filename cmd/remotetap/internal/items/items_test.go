package items_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// at is when everything here happens.
var at = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func stamp(after time.Duration) pcommon.Timestamp { return pcommon.NewTimestampFromTime(at.Add(after)) }

// batch is one as a collector sends it.
func batch(t *testing.T, signal tapclient.Signal, n int, proto []byte, err error) *app.Batch {
	t.Helper()
	require.NoError(t, err)
	return &app.Batch{From: "collector:12001", Point: "remote_tap/a", Time: at, Signal: signal, Items: uint64(n), Proto: proto}
}

func itemsOf(t *testing.T, b *app.Batch) []items.Item {
	t.Helper()
	of, err := items.Of(b)
	require.NoError(t, err)
	for _, i := range of {
		assert.Equal(t, "collector:12001", i.From)
		assert.Equal(t, "remote_tap/a", i.Point)
		assert.Equal(t, at, i.Passed)
		assert.Equal(t, b.Signal, i.Signal)
	}
	return of
}

func spans(t *testing.T) *app.Batch {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "payment")
	rs.Resource().Attributes().PutStr("key", "resource")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().Attributes().PutStr("key", "scope")
	failed := ss.Spans().AppendEmpty()
	failed.SetName("POST /pay")
	failed.SetTraceID(pcommon.TraceID{1})
	failed.SetSpanID(pcommon.SpanID{2})
	failed.SetParentSpanID(pcommon.SpanID{3})
	failed.SetKind(ptrace.SpanKindServer)
	failed.SetStartTimestamp(stamp(0))
	failed.SetEndTimestamp(stamp(time.Second))
	failed.Status().SetCode(ptrace.StatusCodeError)
	failed.Status().SetMessage("card declined")
	failed.Attributes().PutInt("number", 4)
	open := ss.Spans().AppendEmpty()
	open.SetStartTimestamp(stamp(0))
	td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().Status().SetCode(ptrace.StatusCodeOk)
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	return batch(t, tapclient.Traces, 3, proto, err)
}

func TestSpans(t *testing.T) {
	of := itemsOf(t, spans(t))
	require.Len(t, of, 3)

	failed := of[0]
	assert.Equal(t, at, failed.Time)
	assert.Equal(t, "payment", failed.Service)
	assert.Equal(t, "POST /pay", failed.Name)
	assert.Equal(t, "01000000000000000000000000000000", failed.TraceID)
	assert.Equal(t, "0200000000000000", failed.SpanID)
	assert.Equal(t, "0300000000000000", failed.ParentID)
	assert.Equal(t, "Server", failed.Kind)
	assert.Equal(t, "Error", failed.Status)
	assert.Equal(t, "card declined", failed.StatusMessage)
	assert.Equal(t, time.Second, failed.Duration)
	assert.True(t, failed.Error)

	open := of[1]
	assert.Equal(t, "payment", open.Service)
	assert.Negative(t, open.Duration, "it has no end")
	assert.Equal(t, "Unset", open.Status)
	assert.False(t, open.Error)
	assert.Empty(t, open.TraceID)
	assert.Empty(t, open.SpanID)
	assert.Empty(t, open.ParentID)

	assert.Empty(t, of[2].Service, "another resource has no name")
	assert.Equal(t, "Ok", of[2].Status)
	assert.False(t, of[2].Error)
	assert.Zero(t, of[2].Duration, "one that begins and ends at no time took none")
}

func TestAnAttributeIsTheItemsElseTheScopesElseTheResources(t *testing.T) {
	of := itemsOf(t, spans(t))
	for key, want := range map[string]string{"number": "4", "key": "scope", "service.name": "payment"} {
		value, ok := of[0].Attribute(key)
		assert.True(t, ok, key)
		assert.Equal(t, want, value, key)
	}
	_, ok := of[1].Attribute("number")
	assert.False(t, ok, "that is another span's")
}

func TestLogRecords(t *testing.T) {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "payment")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	failed := records.AppendEmpty()
	failed.SetTimestamp(stamp(time.Second))
	failed.SetObservedTimestamp(stamp(time.Minute))
	failed.SetEventName("payment.declined")
	failed.Body().SetStr("card declined")
	failed.SetSeverityNumber(plog.SeverityNumberError)
	failed.SetSeverityText("Fehler")
	failed.SetTraceID(pcommon.TraceID{1})
	failed.SetSpanID(pcommon.SpanID{2})
	observed := records.AppendEmpty()
	observed.SetObservedTimestamp(stamp(time.Minute))
	observed.Body().SetEmptyMap().PutInt("n", 1)
	observed.SetSeverityText("FATAL")
	records.AppendEmpty().SetSeverityNumber(plog.SeverityNumberWarn4)
	proto, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	of := itemsOf(t, batch(t, tapclient.Logs, 3, proto, err))
	require.Len(t, of, 3)

	assert.Equal(t, at.Add(time.Second), of[0].Time)
	assert.Equal(t, "payment", of[0].Service)
	assert.Equal(t, "payment.declined", of[0].Name)
	assert.Equal(t, "card declined", of[0].Body)
	assert.Equal(t, "01000000000000000000000000000000", of[0].TraceID)
	assert.Equal(t, "0200000000000000", of[0].SpanID)
	assert.Equal(t, plog.SeverityNumberError, of[0].Severity)
	assert.Equal(t, "Fehler", of[0].SeverityText)
	assert.True(t, of[0].Error)

	assert.Equal(t, at.Add(time.Minute), of[1].Time, "when it was observed, since nobody knows when it was written")
	assert.JSONEq(t, `{"n":1}`, of[1].Body)
	assert.Equal(t, plog.SeverityNumberFatal, of[1].Severity, "by its text, since it has no number")
	assert.True(t, of[1].Error)

	assert.Equal(t, plog.SeverityNumberWarn4, of[2].Severity)
	assert.False(t, of[2].Error)
}

func TestLevelsAreTheNamesOfSeverityRanges(t *testing.T) {
	for number, want := range map[plog.SeverityNumber]string{
		-1: "", 0: "", 1: "TRACE", 4: "TRACE", 5: "DEBUG", 9: "INFO", 12: "INFO", 13: "WARN", 17: "ERROR", 20: "ERROR", 21: "FATAL", 24: "FATAL", 25: "",
	} {
		assert.Equal(t, want, items.Level(number), "%d", number)
	}
}

func TestDataPointsOfAllTypes(t *testing.T) {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "checkout")
	all := rm.ScopeMetrics().AppendEmpty().Metrics()
	add := func(name string) pmetric.Metric {
		m := all.AppendEmpty()
		m.SetName(name)
		m.SetUnit("ms")
		return m
	}
	gauge := add("gauge").SetEmptyGauge().DataPoints()
	whole := gauge.AppendEmpty()
	whole.SetIntValue(-7)
	whole.SetTimestamp(stamp(time.Second))
	whole.Attributes().PutStr("queue", "orders")
	gauge.AppendEmpty().SetDoubleValue(1.0 / 3)
	gauge.AppendEmpty().SetDoubleValue(math.NaN())
	add("sum").SetEmptySum().DataPoints().AppendEmpty().SetIntValue(math.MaxInt64)
	histogram := add("histogram").SetEmptyHistogram().DataPoints()
	full := histogram.AppendEmpty()
	full.SetCount(4)
	full.SetSum(10)
	histogram.AppendEmpty().SetCount(4)
	histogram.AppendEmpty().SetSum(0)
	exponential := add("exponential").SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
	exponential.SetCount(2)
	exponential.SetSum(3)
	summary := add("summary").SetEmptySummary().DataPoints().AppendEmpty()
	summary.SetCount(5)
	summary.SetSum(5)
	add("empty")
	proto, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	of := itemsOf(t, batch(t, tapclient.Metrics, 9, proto, err))

	var got [][3]string
	for _, i := range of {
		got = append(got, [3]string{i.Name, i.Kind, i.Value})
		assert.Equal(t, "checkout", i.Service)
		assert.Equal(t, "ms", i.Unit)
	}
	assert.Equal(t, [][3]string{
		{"gauge", "Gauge", "-7"},
		{"gauge", "Gauge", "0.333333"},
		{"gauge", "Gauge", "NaN"},
		{"sum", "Sum", "9223372036854775807"},
		{"histogram", "Histogram", "n=4 mean=2.5"},
		{"histogram", "Histogram", "n=4"}, // it has no sum
		{"histogram", "Histogram", "n=0"}, // of nothing there is no mean
		{"exponential", "ExponentialHistogram", "n=2 mean=1.5"},
		{"summary", "Summary", "n=5 mean=1"},
	}, got)
	assert.Equal(t, at.Add(time.Second), of[0].Time)
	queue, ok := of[0].Attribute("queue")
	assert.True(t, ok)
	assert.Equal(t, "orders", queue)
	_, ok = of[1].Attribute("queue")
	assert.False(t, ok, "that is another point's")
}

func TestProfilesAreOneItemForEachBatch(t *testing.T) {
	of := itemsOf(t, batch(t, tapclient.Profiles, 1234, nil, nil))
	require.Len(t, of, 1)
	assert.Equal(t, "1,234", of[0].Value)
	assert.Equal(t, "samples", of[0].Unit)
	assert.Equal(t, at, of[0].Time)
	_, ok := of[0].Attribute("service.name")
	assert.False(t, ok)
}

func TestABatchThatIsMalformedIsAnError(t *testing.T) {
	for _, signal := range []tapclient.Signal{tapclient.Traces, tapclient.Metrics, tapclient.Logs} {
		t.Run("of "+string(signal), func(t *testing.T) {
			of, err := items.Of(batch(t, signal, 1, []byte{0x0a, 0xff, 0x01}, nil)) // a resource longer than the message
			require.Error(t, err)
			assert.Empty(t, of)
		})
	}
}
