package format

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

const lineTime = 1700000000123456789 // 22:13:20.123

// lineOf returns the one line of a batch.
func lineOf(t testing.TB, o Options, signal otlp.Signal, batch []byte) string {
	t.Helper()
	docs, _ := render(t, Text, o, signal, batch)
	require.Len(t, docs, 1)
	requireLine(t, docs[0].text, o.MaxMessage)
	return string(docs[0].text)
}

// spanLine returns the line of a span of service shop.
func spanLine(t testing.TB, o Options, set func(ptrace.ResourceSpans, ptrace.Span)) string {
	t.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetStartTimestamp(lineTime)
	s.SetEndTimestamp(lineTime + 1_250_000)
	set(rs, s)
	return lineOf(t, o, otlp.Traces, marshalTraces(t, td))
}

// logLine returns the line of a log record of service shop.
func logLine(t testing.TB, o Options, set func(plog.LogRecord)) string {
	t.Helper()
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "shop")
	r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(lineTime)
	set(r)
	batch, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	return lineOf(t, o, otlp.Logs, batch)
}

func TestLinesOfSpans(t *testing.T) {
	const start = "22:13:20.123 span    shop             "
	for _, c := range []struct {
		name string
		set  func(ptrace.ResourceSpans, ptrace.Span)
		want string
	}{
		{"nothing but times", func(ptrace.ResourceSpans, ptrace.Span) {}, start + "-      1.25ms"},
		{"a server span that failed", func(_ ptrace.ResourceSpans, s ptrace.Span) {
			s.SetName("POST /cart")
			s.SetKind(ptrace.SpanKindServer)
			s.Status().SetCode(ptrace.StatusCodeError)
			s.Status().SetMessage("no stock")
			s.Attributes().PutInt("http.response.status_code", 500)
			s.Attributes().PutStr("not.telling", "x")
			s.Attributes().PutStr("http.route", "/cart")
			s.SetTraceID([16]byte{1, 15: 2})
		}, start + `error  1.25ms POST /cart  kind=server status="no stock" http.route=/cart http.response.status_code=500 trace_id=01000000000000000000000000000002`},
		{"an exception", func(_ ptrace.ResourceSpans, s ptrace.Span) {
			s.Status().SetCode(ptrace.StatusCodeOk)
			s.Events().AppendEmpty().SetName("retry")
			for _, message := range []string{"first", "last"} {
				e := s.Events().AppendEmpty()
				e.SetName("exception")
				e.Attributes().PutStr("exception.message", message)
				e.Attributes().PutStr("exception.stacktrace", "at a\nat b")
				e.Attributes().PutStr("exception.type", "E")
			}
		}, start + `ok     1.25ms  exception.type=E exception.message=last`},
		{"a pod and a long service", func(rs ptrace.ResourceSpans, s ptrace.Span) {
			rs.Resource().Attributes().PutStr("service.name", "a-service-with-a-long-name")
			rs.Resource().Attributes().PutStr("k8s.pod.name", "pod-1")
			s.SetName("x")
		}, `22:13:20.123 span    a-service-with-a-long-name -      1.25ms x  k8s.pod.name=pod-1`},
		{"no times and no service", func(rs ptrace.ResourceSpans, s ptrace.Span) {
			rs.Resource().Attributes().Remove("service.name")
			s.SetStartTimestamp(0)
			s.SetEndTimestamp(0)
			s.SetName("x")
		}, `-            span    -                -           - x`},
		{"an end before the start", func(_ ptrace.ResourceSpans, s ptrace.Span) { s.SetEndTimestamp(lineTime - 5) }, start + `-        -5ns`},
		{"wide runes take two columns", func(rs ptrace.ResourceSpans, _ ptrace.Span) {
			rs.Resource().Attributes().PutStr("service.name", "注文サービス")
		}, `22:13:20.123 span    注文サービス     -      1.25ms`},
		{"words that do not exist", func(_ ptrace.ResourceSpans, s ptrace.Span) {
			s.SetKind(99)
			s.Status().SetCode(7)
		}, start + `7      1.25ms  kind=99`},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, spanLine(t, Options{}, c.set)) })
	}
}

func TestLinesOfLogRecords(t *testing.T) {
	const start = "22:13:20.123 log     shop             "
	for _, c := range []struct {
		name string
		set  func(plog.LogRecord)
		want string
	}{
		{"nothing but a time", func(plog.LogRecord) {}, start + "-"},
		{"a severity and a body", func(r plog.LogRecord) {
			r.SetSeverityNumber(plog.SeverityNumberWarn3)
			r.Body().SetStr("low stock")
		}, start + "warn  low stock"},
		{"a severity that is a text only", func(r plog.LogRecord) { r.SetSeverityText("NOTICE") }, start + "NOTICE"},
		{"only the time when it was observed", func(r plog.LogRecord) {
			r.SetTimestamp(0)
			r.SetObservedTimestamp(lineTime)
		}, start + "-"},
		{"a body with structure", func(r plog.LogRecord) {
			r.Body().SetEmptyMap().PutStr("k", "a\nb\u202e")
		}, start + `-     {"k":"a\nb\u202e"}`},
		{"attributes, those that tell most first, without noise", func(r plog.LogRecord) {
			r.Body().SetStr("failed")
			r.SetEventName("order.failed")
			r.Attributes().PutInt("order", 7)
			r.Attributes().PutStr("code.function.name", "main")
			r.Attributes().PutStr("exception.stacktrace", "...")
			r.Attributes().PutStr("exception.type", "E")
			r.Attributes().PutStr("why", `no "stock"`)
			r.Attributes().PutStr("empty", "")
		}, start + `-     failed  event=order.failed exception.type=E order=7 why="no \"stock\"" empty=""`},
		{"at most eight others", func(r plog.LogRecord) {
			for i := range 20 {
				r.Attributes().PutInt(fmt.Sprint("k", i), 1)
			}
		}, start + `-      k0=1 k1=1 k2=1 k3=1 k4=1 k5=1 k6=1 k7=1`},
		{"values of all types", func(r plog.LogRecord) {
			r.Attributes().PutDouble("d", 0.5)
			r.Attributes().PutBool("b", true)
			r.Attributes().PutEmpty("e")
			r.Attributes().PutEmptySlice("l").AppendEmpty().SetStr("x y")
			r.Attributes().PutEmptyBytes("y").FromRaw([]byte{1})
		}, start + `-      d=0.5 b=true e=null l=["x y"] y="AQ=="`},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, logLine(t, Options{}, c.set)) })
	}
}

func TestLinesOfDataPoints(t *testing.T) {
	const start = "22:13:20.123 metric  shop             "
	for _, c := range []struct {
		name string
		set  func(pmetric.Metric)
		want string
	}{
		{"an integer with a unit and all attributes", func(m pmetric.Metric) {
			p := m.SetEmptySum().DataPoints().AppendEmpty()
			p.SetTimestamp(lineTime)
			p.SetIntValue(42)
			p.Attributes().PutStr("state", "idle")
			p.Attributes().PutStr("http.route", "/")
		}, start + "sum   m                                42 By  http.route=/ state=idle"},
		{"a double", func(m pmetric.Metric) {
			p := m.SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(lineTime)
			p.SetDoubleValue(math.Inf(1))
		}, start + "gauge m                                +Inf By"},
		{"no value", func(m pmetric.Metric) { m.SetEmptyGauge().DataPoints().AppendEmpty().SetTimestamp(lineTime) }, start + "gauge m                                By"},
		{"a histogram", func(m pmetric.Metric) {
			p := m.SetEmptyHistogram().DataPoints().AppendEmpty()
			p.SetTimestamp(lineTime)
			p.SetCount(3)
			p.SetSum(10)
			p.SetMin(0)
			p.SetMax(1e-9)
		}, start + "hist  m                                count=3 avg=3.333 min=0 max=1e-09 By"},
		{"an exponential histogram without sum", func(m pmetric.Metric) {
			m.SetEmptyExponentialHistogram().DataPoints().AppendEmpty().SetTimestamp(lineTime)
		}, start + "exph  m                                count=0 By"},
		{"a summary", func(m pmetric.Metric) {
			p := m.SetEmptySummary().DataPoints().AppendEmpty()
			p.SetTimestamp(lineTime)
			p.SetCount(2)
			p.QuantileValues().AppendEmpty().SetValue(1)
			q := p.QuantileValues().AppendEmpty()
			q.SetQuantile(0.999)
			q.SetValue(2.5)
		}, start + "summ  m                                count=2 avg=0 p0=1 p99.9=2.5 By"},
	} {
		t.Run(c.name, func(t *testing.T) {
			md := pmetric.NewMetrics()
			rm := md.ResourceMetrics().AppendEmpty()
			rm.Resource().Attributes().PutStr("service.name", "shop")
			m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			m.SetName("m")
			m.SetUnit("By")
			c.set(m)
			assert.Equal(t, c.want, lineOf(t, Options{}, otlp.Metrics, marshalMetrics(t, md)))
		})
	}
}

// hostile has texts that try to do something to a terminal, or to its reader, and what is shown of them.
var hostile = map[string]struct{ text, shown string }{
	"a new line and a forged one":          {"ok\n22:13:21.000 span x", `ok\n22:13:21.000 span x`},
	"a carriage return over the line":      {"bad\rgood", `bad\rgood`},
	"a backspace":                          {"bad\b\b\b", `bad\x08\x08\x08`},
	"a bell and a null":                    {"\a\x00", `\x07\x00`},
	"a tab":                                {"a\tb", `a\tb`},
	"a vertical tab and a form feed":       {"a\v\f", `a\x0b\x0c`},
	"colours":                              {"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
	"a title for the window":               {"\x1b]0;title\a", `\x1b]0;title\x07`},
	"a link":                               {"\x1b]8;;http://evil\x1b\\click", `\x1b]8;;http://evil\x1b\click`},
	"DEL":                                  {"a\x7f", `a\x7f`},
	"the C1 form of an escape":             {"\u009b31m\u0085", `\u009b31m\u0085`},
	"a C1 byte that is no UTF-8":           {"\x9b31m", `�31m`},
	"text from right to left":              {"\u202egpj.exe\u202c", `\u202egpj.exe\u202c`},
	"isolates":                             {"\u2066a\u2069\u2067b\u2068", `\u2066a\u2069\u2067b\u2068`},
	"marks of direction":                   {"\u200e\u200f\u061c", `\u200e\u200f\u061c`},
	"runes without width":                  {"a\u200bb\u200cc\u200dd\u2060e\ufefff", `a\u200bb\u200cc\u200dd\u2060e\ufefff`},
	"a soft hyphen":                        {"a\u00adb", `a\u00adb`},
	"other ends of lines":                  {"a\u2028b\u2029c", `a\u2028b\u2029c`},
	"letters that are not seen":            {"\u3164\u115f\u1160\uffa0\u034f", `\u3164\u115f\u1160\uffa0\u034f`},
	"tags, which hide a text in a text":    {"a\U000e0041\U000e007f", `a\udb40\udc41\udb40\udc7f`},
	"selectors, which do too":              {"a\ufe01\U000e0100", `a\ufe01\udb40\udd00`},
	"invalid UTF-8, byte by byte":          {"a\xff\xfe\xed\xa0\x80\xc3", `a������`},
	"text of the world, and emoji":         {"naïve Ωμέγα Привет שלום مرحبا हिन्दी 日本語 한국어 ❤️ 🚀", `naïve Ωμέγα Привет שלום مرحبا हिन्दी 日本語 한국어 ❤️ 🚀`},
	"a backslash that stands for itself":   {`C:\new`, `C:\new`},
	"a text that is long enough for words": {strings.Repeat("abcdefgh", 5) + "\x1b" + strings.Repeat("x", 9), strings.Repeat("abcdefgh", 5) + `\x1b` + strings.Repeat("x", 9)},
}

func TestHostileTextIsNeutralised(t *testing.T) {
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.shown, string(appendVisible(nil, []byte(c.text), math.MaxInt)))
			line := logLine(t, Options{}, func(r plog.LogRecord) { r.Body().SetStr(c.text) })
			assert.Equal(t, "22:13:20.123 log     shop             -     "+strings.TrimRight(c.shown, " "), line)
			// Every other place of every item, and the JSON formats too: requireLine and parse look at all that is there.
			for _, signal := range []otlp.Signal{otlp.Traces, otlp.Metrics, otlp.Logs} {
				batch := everywhere(t, signal, c.text)
				for _, f := range []Format{Text, JSON, OTLPJSON} {
					docs, _ := render(t, f, Options{}, signal, batch)
					require.NotEmpty(t, docs)
					for _, d := range docs {
						requireLine(t, d.text, 0)
						if f != Text {
							parse(t, d.text)
						}
					}
				}
			}
		})
	}
}

// everywhere returns a batch of one item with a text in all places.
func everywhere(t testing.TB, signal otlp.Signal, s string) []byte {
	t.Helper()
	fill := func(m pcommon.Map) {
		m.PutStr("service.name", s)
		m.PutStr("exception.message", s)
		m.PutStr(s, s)
		m.PutEmptyMap("map").PutStr(s, s)
	}
	switch signal {
	case otlp.Traces:
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		fill(rs.Resource().Attributes())
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(s)
		span := ss.Spans().AppendEmpty()
		span.SetName(s)
		span.Status().SetMessage(s)
		fill(span.Attributes())
		e := span.Events().AppendEmpty()
		e.SetName("exception")
		fill(e.Attributes())
		return marshalTraces(t, td)
	case otlp.Metrics:
		md := pmetric.NewMetrics()
		rm := md.ResourceMetrics().AppendEmpty()
		fill(rm.Resource().Attributes())
		m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName(s)
		m.SetUnit(s)
		fill(m.SetEmptyGauge().DataPoints().AppendEmpty().Attributes())
		return marshalMetrics(t, md)
	default:
		ld := plog.NewLogs()
		rl := ld.ResourceLogs().AppendEmpty()
		fill(rl.Resource().Attributes())
		r := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		r.SetSeverityText(s)
		r.SetEventName(s)
		r.Body().SetStr(s)
		fill(r.Attributes())
		batch, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
		require.NoError(t, err)
		return batch
	}
}

func TestLinesAreCutAtTheirSize(t *testing.T) {
	id := strings.Repeat("0", 30) + "ff"
	for _, body := range []string{strings.Repeat("x", 5000), strings.Repeat("日本", 2000), strings.Repeat("\x1b", 2000), strings.Repeat(`"`, 5000)} {
		for size := 1; size < 1500; size += 7 {
			line := logLine(t, Options{MaxMessage: size}, func(r plog.LogRecord) {
				r.Body().SetStr(body)
				r.Attributes().PutStr("k", body)
				r.SetTraceID([16]byte{15: 0xff})
			})
			if size < 1024 {
				continue // smaller than anybody can ask for
			}
			assert.True(t, strings.HasSuffix(line, "… trace_id="+id), "%s", line)
			assert.Greater(t, len(line), size-16)
		}
	}
	line := logLine(t, Options{MaxMessage: 1024}, func(r plog.LogRecord) {
		r.Body().SetStr("short")
		r.Attributes().PutStr("stack", strings.Repeat("at line\n", 100))
		r.Attributes().PutStr("after", "seen")
		r.SetTraceID([16]byte{15: 0xff})
	})
	assert.Contains(t, line, `…" after=seen trace_id=`, "one long value does not hide the others")
}

func TestDurationsAreShort(t *testing.T) {
	for nanos, want := range map[uint64]string{
		0: "0ns", 1: "1ns", 999: "999ns", 1000: "1µs", 1234: "1.23µs", 12_345: "12.3µs", 123_456: "123µs", 999_999: "999µs",
		1e6: "1ms", 1_250_000: "1.25ms", 1_200_000: "1.2ms", 1_020_000: "1.02ms", 250e6: "250ms", 999_999_999: "999ms",
		1e9: "1s", 1_005e6: "1s", 1_015e6: "1.01s", 59_990e6: "59.9s", 60e9: "1m", 90e9: "1.5m", 3599e9: "59.9m", 3600e9: "1h", 360_000e9: "100h",
		math.MaxUint64: "5124095h",
	} {
		assert.Equal(t, want, string(appendDuration(nil, nanos)))
		assert.LessOrEqual(t, columnsOf(appendDuration(nil, nanos)), max(elapsedWidth, len(want)))
	}
}

func TestMomentsAreThoseOfTheCalendar(t *testing.T) {
	var c calendar
	for _, m := range []struct {
		nanos        uint64
		moment, hour string
	}{
		{1, "1970-01-01T00:00:00.000000001Z", "00:00:00.000"},
		{lineTime, "2023-11-14T22:13:20.123456789Z", "22:13:20.123"},
		{lineTime + 999_999_999, "2023-11-14T22:13:21.123456788Z", "22:13:21.123"},
		{math.MaxUint64, "2554-07-21T23:34:33.709551615Z", "23:34:33.709"},
		{0, "1970-01-01T00:00:00.000000000Z", "00:00:00.000"},
	} {
		assert.Equal(t, m.moment, string(c.appendMoment(nil, m.nanos)))
		assert.Equal(t, m.hour, string(c.appendClock(nil, m.nanos)))
	}
	for nanos, want := range map[uint64]string{0: "0", 1: "0.000001", 1e6: "1", 1_500_000: "1.5", 123_456_789: "123.456789", 100e6: "100"} {
		assert.Equal(t, want, string(appendMillis(nil, nanos)))
	}
}
