package selection

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/ottlfuncs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// shop is a small batch of each signal, of which a condition selects some.
func shop() (td ptrace.Traces, md pmetric.Metrics, ld plog.Logs) {
	td, md, ld = ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs()
	rs := td.ResourceSpans().AppendEmpty()
	rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.30.0")
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("jdbc")
	pay, list := ss.Spans().AppendEmpty(), ss.Spans().AppendEmpty()
	pay.SetName("pay")
	pay.Status().SetCode(ptrace.StatusCodeError)
	pay.SetEndTimestamp(2_000_000_000)
	pay.Attributes().PutInt("http.response.status_code", 500)
	event := pay.Events().AppendEmpty()
	event.SetName("exception")
	event.Attributes().PutStr("exception.type", "Timeout")
	pay.Events().AppendEmpty().SetName("retry")
	list.SetName("list")
	list.Attributes().PutStr("http.response.status_code", "200")

	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "checkout")
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	requests := metrics.AppendEmpty()
	requests.SetName("requests")
	sum := requests.SetEmptySum()
	sum.SetIsMonotonic(true)
	for i := range 2 {
		p := sum.DataPoints().AppendEmpty()
		p.SetIntValue(int64(i))
		p.Attributes().PutInt("i", int64(i))
	}
	heat := metrics.AppendEmpty()
	heat.SetName("heat")
	heat.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(21.5)

	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "cart")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("logback")
	for _, body := range []string{"started", "card number 4111 declined"} {
		r := sl.LogRecords().AppendEmpty()
		r.Body().SetStr(body)
		r.SetSeverityNumber(plog.SeverityNumber(9 + 4*sl.LogRecords().Len()))
	}
	return td, md, ld
}

func TestWhereInEachContext(t *testing.T) {
	tests := []struct {
		name, condition string
		spans           string // those that match, one digit each
		points          string
		records         string
	}{
		{"resource", `resource.attributes["service.name"] == "checkout"`, "11", "111", "00"},
		{"resource's schema", `resource.schema_url != ""`, "11", "000", "00"},
		{"scope", `scope.name == "logback"`, "00", "000", "11"},
		{"scope by its old name", `instrumentation_scope.name == "logback"`, "00", "000", "11"},
		{"scope with its resource", `scope.name == "jdbc" and resource.attributes["service.name"] == "checkout"`, "11", "000", "00"},
		{"span", `span.status.code == STATUS_CODE_ERROR`, "10", "", ""},
		{"span with its scope and resource", `span.name == "list" and scope.name == "jdbc" and resource.attributes["service.name"] != nil`, "01", "", ""},
		{"span with its old scope", `span.name == "list" and instrumentation_scope.name == "jdbc"`, "01", "", ""},
		{"span by a function", `Duration("1s") < span.end_time - span.start_time`, "10", "", ""},
		{"span by a pattern", `IsMatch(span.name, "^p.y$")`, "10", "", ""},
		{"span by types", `IsString(span.attributes["http.response.status_code"])`, "01", "", ""},
		{"span negated", `not (span.name == "pay")`, "01", "", ""},
		{"span event", `spanevent.attributes["exception.type"] == "Timeout"`, "10", "", ""},
		{"span event by its place", `spanevent.event_index == 1`, "10", "", ""},
		{"span event with its span", `spanevent.name == "retry" and span.name == "pay"`, "10", "", ""},
		{"no span event, which spans without events do not have either", `spanevent.name != "nothing"`, "10", "", ""},
		{"metric, with all its points", `metric.is_monotonic == true`, "", "110", ""},
		{"metric by type", `metric.type == METRIC_DATA_TYPE_GAUGE`, "", "001", ""},
		{"data point", `datapoint.value_int == 1`, "", "010", ""},
		{"data point with its metric", `datapoint.attributes["i"] == 0 and metric.name == "requests"`, "", "100", ""},
		{"log", `log.severity_number >= SEVERITY_NUMBER_ERROR`, "", "", "01"},
		{"log's body", `IsMatch(log.body, "card number \\d+")`, "", "", "01"},
		{"log with its resource", `log.body == "started" and resource.attributes["service.name"] == "cart"`, "", "", "10"},
		{"client's data are not there", `log.body == "started" and resource.attributes["otelcol.client"] == nil`, "", "", "10"},
	}
	td, md, ld := shop()
	td.MarkReadOnly()
	md.MarkReadOnly()
	ld.MarkReadOnly()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := compiled(t, url.Values{"where": {tt.condition}}.Encode())
			assert.Equal(t, tt.spans != "", m.traces != nil)
			assert.Equal(t, tt.points != "", m.metrics != nil)
			assert.Equal(t, tt.records != "", m.logs != nil)
			var marks Marks
			require.NoError(t, m.MatchTraces(td, 2, &marks, Budget{}))
			assertMarks(t, tt.spans, &marks)
			require.NoError(t, m.MatchMetrics(md, 3, &marks, Budget{}))
			assertMarks(t, tt.points, &marks)
			require.NoError(t, m.MatchLogs(ld, 2, &marks, Budget{}))
			assertMarks(t, tt.records, &marks)
		})
	}
}

func assertMarks(t *testing.T, want string, marks *Marks) {
	t.Helper()
	if want == "" {
		want = strings.Repeat("0", marks.Items())
	}
	var got strings.Builder
	for i := range marks.Items() {
		got.WriteString(map[bool]string{true: "1", false: "0"}[marks.Has(i)])
	}
	assert.Equal(t, want, got.String())
}

func TestWhereThatFails(t *testing.T) {
	for _, tt := range []struct {
		name, query, want string
		failed            int
		text              string
	}{
		{
			"on some spans", url.Values{"where": {`Substring(span.attributes["http.response.status_code"], 0, 1) == "2"`}}.Encode(), "01", 1,
			"expected string but got int64",
		},
		{
			"negated, it is no more true", url.Values{"where": {`not (Substring(span.attributes["http.response.status_code"], 0, 1) == "2")`}}.Encode(), "00", 1,
			"expected string but got int64",
		},
		{"on a span that another criterion rejects", url.Values{"where": {`Substring(span.attributes["http.response.status_code"], 0, 1) == "2"`}, "error": {"false"}}.Encode(), "01", 0, ""},
		{"on a span that another condition wants", url.Values{"where": {`Substring(span.attributes["http.response.status_code"], 0, 1) == "x"`, `span.name == "pay"`}}.Encode(), "10", 0, ""},
		{"on the resource", url.Values{"where": {`Substring(resource.attributes["service.name"], 5, 90) == "x"`}}.Encode(), "00", 2, "cannot be greater than"},
		{"on the scope, for the spans that another criterion wants", url.Values{"where": {`Substring(scope.name, 5, 90) == "x"`}, "name": {"pay"}}.Encode(), "00", 1, ""},
		{"on an event", url.Values{"where": {`Substring(spanevent.attributes["exception.type"], 0, 1) == "x"`}}.Encode(), "00", 1, ""},
		{"on an event, but not on another", url.Values{"where": {`Substring(spanevent.attributes["exception.type"], 0, 1) == "T"`}}.Encode(), "10", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			td, _, _ := shop()
			var marks Marks
			require.NoError(t, compiled(t, tt.query).MatchTraces(td, 2, &marks, Budget{}))
			assertMarks(t, tt.want, &marks)
			r := marks.Result()
			assert.Equal(t, tt.failed, r.EvalErrors)
			if tt.failed > 0 {
				assert.ErrorContains(t, r.FirstError, tt.text)
			}
			assert.Equal(t, 2, r.Matched+r.Unmatched)
		})
	}
}

// TestWhereChangesNothing calls every standard converter with the data itself as arguments, of any number. The data is
// read-only, so that a write panics, and encoded before and after, in case a write does not ask.
func TestWhereChangesNothing(t *testing.T) {
	td, _, _ := shop()
	span := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	list := span.Attributes().PutEmptySlice("list")
	for _, n := range []int64{3, 1, 2} {
		list.AppendEmpty().SetInt(n)
	}
	span.Attributes().PutEmptyMap("map").PutStr("k", "v")
	span.Attributes().PutStr("xml", `<a b="c">d</a>`)
	span.Attributes().PutStr("json", `{"a":[1]}`)
	marshaler := ptrace.ProtoMarshaler{}
	before, err := marshaler.MarshalTraces(td)
	require.NoError(t, err)
	td.MarkReadOnly()

	arguments := []string{
		`span.attributes`, `span.attributes["list"]`, `span.attributes["map"]`, `span.attributes["xml"]`, `span.attributes["json"]`, `span.name`,
		`span.start_time`, `1`, `[span.attributes["list"], 2]`,
	}
	contexts, err := conditionContexts()
	require.NoError(t, err)
	resource := td.ResourceSpans().At(0)
	ran := 0
	try := func(condition string) {
		c, err := contexts.ParseConditions(ottl.NewConditionsGetter([]string{condition}))
		if err != nil || c.span == nil {
			return
		}
		ran++
		assert.NotPanics(t, func() { _, _ = c.onSpan(inSpan{resource, resource.ScopeSpans().At(0), span}) }, condition)
	}
	for _, name := range slices.Sorted(maps.Keys(ottlfuncs.StandardConverters[any]())) {
		if unicode.IsLower(rune(name[0])) {
			continue // an editor, which no condition can call
		}
		for _, a := range arguments {
			try(name + "(" + a + ") != span.name")
			for _, b := range []string{`"a"`, `1`} {
				try(name + "(" + a + ", " + b + ") != span.name")
			}
		}
	}
	assert.Greater(t, ran, 400)
	after, err := marshaler.MarshalTraces(td)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

func TestWhereSeesNoClient(t *testing.T) {
	assert.Equal(t, client.Info{}, client.FromContext(background()))
	assert.Equal(t, context.Background(), background())
}

// TestWhereIsSafeForManyPipelines is for the race detector, and for OTTL's pools.
func TestWhereIsSafeForManyPipelines(t *testing.T) {
	m := compiled(t, url.Values{"where": {`IsMatch(span.name, "things/[3-5]$") and resource.attributes["service.name"] != "service-3"`, `spanevent.name == "x"`}}.Encode()+"&http.route!=/api/v1/3")
	td := busyTraces(10, 100)
	var reference Marks
	require.NoError(t, m.MatchTraces(td, 1000, &reference, Budget{}))
	require.NotZero(t, reference.Count())
	var pipelines sync.WaitGroup
	for range 8 {
		pipelines.Go(func() {
			var marks Marks
			for range 20 {
				if err := m.MatchTraces(td, 1000, &marks, soon()); err != nil || !slices.Equal(marks.words, reference.words) {
					t.Error("another result", err)
				}
			}
		})
	}
	pipelines.Wait()
}

func TestParsingAConditionTakesAMoment(t *testing.T) {
	deep := strings.Repeat("(", maxBrackets) + `span.name == "a"` + strings.Repeat(")", maxBrackets)
	for _, condition := range []string{
		deep,
		strings.Repeat(deep+" and ", 30) + deep,
		strings.Repeat("(", maxBrackets) + strings.Repeat(`span.name == "a" and `, 150),
		strings.Repeat("Concat([", maxBrackets/2) + "span.name" + strings.Repeat(`], "")`, maxBrackets/2) + ` == "a"`,
	} {
		condition = condition[:min(len(condition), maxValueLength)]
		start := soon()
		_, _ = Parse(url.Values{"where": {condition}}, AllSignals())
		assert.Less(t, start.Now().Seconds(), 10.0)
	}
}
