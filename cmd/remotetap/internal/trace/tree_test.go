package trace

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/terminal"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// traceID is that of all spans here.
var traceID = pcommon.TraceID{1}

const traceHex = "01000000000000000000000000000000"

// span describes a span: milliseconds since the beginning, ids as numbers, 0 for none.
type span struct {
	id, parent byte
	from, to   int64
	service    string
	name       string
	failed     bool
	message    string
	events     []string
}

var epoch = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func stamp(ms int64) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(epoch.Add(time.Duration(ms) * time.Millisecond))
}

func spanID(n byte) pcommon.SpanID {
	if n == 0 {
		return pcommon.SpanID{}
	}
	return pcommon.SpanID{0xab, 7: n}
}

func tracesOf(spans ...span) ptrace.Traces {
	td := ptrace.NewTraces()
	for _, s := range spans {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", s.service)
		to := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		to.SetTraceID(traceID)
		to.SetSpanID(spanID(s.id))
		to.SetParentSpanID(spanID(s.parent))
		to.SetName(s.name)
		to.SetStartTimestamp(stamp(s.from))
		to.SetEndTimestamp(stamp(s.to))
		if s.failed {
			to.Status().SetCode(ptrace.StatusCodeError)
		}
		to.Status().SetMessage(s.message)
		for i, name := range s.events {
			event := to.Events().AppendEmpty()
			event.SetName(name)
			event.SetTimestamp(stamp(s.from + int64(i) + 1))
		}
	}
	return td
}

// logOf describes a record of a span.
func logOf(of byte, at int64, severity plog.SeverityNumber, body string) plog.Logs {
	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTraceID(traceID)
	record.SetSpanID(spanID(of))
	record.SetTimestamp(stamp(at))
	record.SetSeverityNumber(severity)
	record.Body().SetStr(body)
	return ld
}

func tracesBatch(t testing.TB, point string, td ptrace.Traces) *app.Batch {
	t.Helper()
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return &app.Batch{From: "here", Point: point, Signal: tapclient.Traces, Items: uint64(td.SpanCount()), Proto: proto}
}

func logsBatch(t testing.TB, point string, ld plog.Logs) *app.Batch {
	t.Helper()
	proto, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	return &app.Batch{From: "here", Point: point, Signal: tapclient.Logs, Items: uint64(ld.LogRecordCount()), Proto: proto}
}

func treeOf(t testing.TB, batches ...*app.Batch) *tree {
	t.Helper()
	g := newGathered()
	for _, b := range batches {
		_, err := g.add(b, traceHex)
		require.NoError(t, err)
	}
	return g.tree(traceHex)
}

// screen is a terminal of some width, without colours.
func screen(columns string, locale string) terminal.Terminal {
	return terminal.Of(nil, func(name string) string {
		return map[string]string{"COLUMNS": columns, "LC_ALL": locale}[name]
	})
}

// drawn is the waterfall without what stands above it.
func drawn(t *tree, columns string, all bool) string {
	_, text, _ := strings.Cut(draw(t, screen(columns, "C.UTF-8"), all, t.problems()), "\n\n")
	return "\n" + text
}

func shop() []span {
	return []span{
		{1, 0, 0, 100, "front", "GET /", false, "", nil},
		{2, 1, 10, 90, "pay", "POST /pay", true, "card declined", []string{"retry"}},
		{3, 2, 50, 60, "pay", "SELECT", false, "", nil},
	}
}

func TestATraceIsDrawnAsAWaterfall(t *testing.T) {
	tree := treeOf(t, tracesBatch(t, "p", tracesOf(shop()...)), logsBatch(t, "p", logOf(2, 70, plog.SeverityNumberError, "card declined")))
	assert.True(t, tree.complete())
	assert.Empty(t, tree.problems())
	assert.Equal(t, `
service      took  span                           0             50.0ms          100ms
front       100ms  GET /                          ███████████████████████████████████
pay        80.0ms  └╴! POST /pay - card declined     ████████████████████████████
          +11.0ms    ├╴retry                          ●
pay        10.0ms    ├╴SELECT                                      ████
          +70.0ms    └╴ERROR card declined                                 ●
`, drawn(tree, "85", false))
}

func TestATraceIsDrawnInASCIIWhereTheLocaleHasNothingElse(t *testing.T) {
	text := draw(treeOf(t, tracesBatch(t, "p", tracesOf(shop()...))), screen("70", "C"), false, nil)
	for _, r := range text {
		assert.Less(t, r, rune(128), "%q in\n%s", r, text)
	}
	assert.Contains(t, text, "`-! POST /pay")
	assert.Contains(t, text, "####")
}

func TestANarrowTerminalHasNoBarsAndNoLineTooWide(t *testing.T) {
	tree := treeOf(t, tracesBatch(t, "p", tracesOf(shop()...)))
	for _, columns := range []string{"10", "20", "40", "50", "60", "79"} {
		for line := range strings.Lines(draw(tree, screen(columns, "C.UTF-8"), false, []string{"the root has not come"})) {
			assert.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), map[string]int{"10": 10, "20": 20, "40": 40, "50": 50, "60": 60, "79": 79}[columns], "%s in %s columns", line, columns)
		}
	}
	assert.NotContains(t, drawn(tree, "40", false), "█")
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for name, test := range map[string]struct {
		spans    []span
		logs     []plog.Logs
		problems []string
	}{
		"a parent that never came, and so no root": {
			spans:    shop()[1:],
			problems: []string{"the root has not come", "1 span that others name as their parent has not come"},
		},
		"a parent in the middle": {
			spans:    []span{shop()[0], shop()[2]},
			problems: []string{"1 span that others name as their parent has not come"},
		},
		"the span of a record": {
			spans:    shop()[:1],
			logs:     []plog.Logs{logOf(9, 20, plog.SeverityNumberInfo, "paid")},
			problems: []string{"1 span that log records belong to has not come"},
		},
		"all spans": {
			logs:     []plog.Logs{logOf(9, 20, plog.SeverityNumberInfo, "paid")},
			problems: []string{"no span has come, only log records"},
		},
		"what a circle of parents should hang from": {
			spans: []span{shop()[0], {4, 5, 1, 2, "a", "x", false, "", nil}, {5, 4, 1, 2, "a", "y", false, "", nil}},
			problems: []string{
				"the parents of some spans form 1 circle, which was cut",
			},
		},
		"the parent of a span that is its own": {
			spans:    []span{shop()[0], {4, 4, 1, 2, "a", "x", false, "", nil}},
			problems: []string{"the parents of some spans form 1 circle, which was cut"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			batches := []*app.Batch{tracesBatch(t, "p", tracesOf(test.spans...))}
			for _, ld := range test.logs {
				batches = append(batches, logsBatch(t, "p", ld))
			}
			tree := treeOf(t, batches...)
			assert.Equal(t, test.problems, tree.problems())
			assert.False(t, tree.complete())
			text := drawn(tree, "100", false)
			for _, s := range test.spans {
				assert.Contains(t, text, s.name, "each span is drawn")
			}
			assert.Contains(t, strings.ReplaceAll(text, "\n", " "), "Not complete: "+strings.Join(test.problems, "; "))
		})
	}
}

func TestASpanThatPassesTwoPointsIsOne(t *testing.T) {
	ld := logOf(2, 70, plog.SeverityNumberInfo, "paid")
	ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).CopyTo(ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().AppendEmpty())
	tree := treeOf(t,
		tracesBatch(t, "before", tracesOf(shop()...)), tracesBatch(t, "after", tracesOf(shop()...)),
		logsBatch(t, "before", ld), logsBatch(t, "after", ld))
	assert.Len(t, tree.nodes, 3)
	assert.Equal(t, 2, tree.logs, "written twice, seen at two points")
}

func TestSpansThatAreAlikeAreSummedUp(t *testing.T) {
	spans := shop()[:2]
	for i := range byte(50) {
		spans = append(spans, span{id: 10 + i, parent: 2, from: 11 + int64(i), to: 12 + int64(i), service: "pay", name: "SELECT"})
	}
	spans[30].failed = true
	tree := treeOf(t, tracesBatch(t, "p", tracesOf(spans...)))
	text := drawn(tree, "110", false)
	assert.Contains(t, text, "48 more like it, 1.00ms to 1.00ms, together 48.0ms")
	assert.Equal(t, 2, strings.Count(text, "SELECT"), "one that is like the others, and the one that failed\n%s", text)
	assert.Equal(t, 50, strings.Count(drawn(tree, "110", true), "SELECT"))
}

func TestOfManyRecordsThoseThatFailedAreDrawn(t *testing.T) {
	batches := []*app.Batch{tracesBatch(t, "p", tracesOf(shop()...))}
	for i := range int64(100) {
		severity := plog.SeverityNumberInfo
		if i == 90 {
			severity = plog.SeverityNumberError
		}
		batches = append(batches, logsBatch(t, "p", logOf(1, 1+i/2, severity, "said "+string(rune('a'+i%26)))))
	}
	text := drawn(treeOf(t, batches...), "110", false)
	assert.Equal(t, 1, strings.Count(text, "ERROR said"))
	assert.Equal(t, mostRecords-1, strings.Count(text, "INFO said"))
	assert.Contains(t, text, "80 records more (--all)")
}

func TestClocksThatAreOffAreMarkedAndDoNotSqueezeTheRest(t *testing.T) {
	hour := time.Hour.Milliseconds()
	tree := treeOf(t, tracesBatch(t, "p", tracesOf(
		span{1, 0, 0, 100, "front", "GET /", false, "", nil},
		span{2, 1, -hour, -hour + 80, "early", "a", false, "", nil},
		span{3, 1, hour, hour + 80, "late", "b", false, "", nil},
		span{4, 1, -5, 50, "little", "c", false, "", nil},
		span{5, 1, 50, 200, "after", "d", false, "", nil},
	)))
	assert.Equal(t, `
service      took  span   0                        100ms                   200ms
front       100ms  GET /  ███████████████████████████
early     ~80.0ms  ├╴a    ◀
little    ~55.0ms  ├╴c    ◀████████████
after      ~150ms  ├╴d                 █████████████████████████████████████████
late      ~80.0ms  └╴b                                                         ▶

~ outside the time of its parent: clocks differ, or work went on after it
`, drawn(tree, "80", false))
}

func TestHostileTracesAreHarmless(t *testing.T) {
	evil := span{7, 1, 5, 6, "\x1b]0;owned\a", "\x1b[2J\nname\u202e", true, "\x1b[31mmessage", []string{"\x1b[5m"}}
	td := tracesOf(shop()[0], evil)
	forever := tracesOf(span{id: 8, parent: 1, service: "x", name: "forever"}, span{id: 9, parent: 1, service: "x", name: "never"})
	forever.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetEndTimestamp(math.MaxUint64)
	forever.ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0).SetStartTimestamp(0)
	text := draw(treeOf(t, tracesBatch(t, "p", td), tracesBatch(t, "p", forever), logsBatch(t, "p", logOf(7, 5, 9, "\x1b[6n\rbody"))), screen("100", "C.UTF-8"), false, nil)
	assert.NotContains(t, text, "\x1b")
	assert.NotContains(t, text, "\r")
	assert.NotContains(t, text, "\u202e")
	assert.Contains(t, text, `\x1b[6n\rbody`)
	assert.Contains(t, text, "no end")
}

func TestADeepTraceIsDrawnInTheWidthThereIs(t *testing.T) {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	const depth = 5000
	for i := range depth {
		s := spans.AppendEmpty()
		s.SetTraceID(traceID)
		s.SetSpanID(pcommon.SpanID{1, byte(i >> 8), byte(i)})
		if i > 0 {
			s.SetParentSpanID(pcommon.SpanID{1, byte((i - 1) >> 8), byte(i - 1)})
		}
		s.SetName("deeper")
		s.SetStartTimestamp(stamp(int64(i)))
		s.SetEndTimestamp(stamp(2*depth - int64(i)))
	}
	tree := treeOf(t, tracesBatch(t, "p", td))
	text := drawn(tree, "100", false)
	assert.Contains(t, text, "30 · deeper")
	assert.Contains(t, text, "4,500 lines more (--all)")
	assert.Equal(t, depth, strings.Count(drawn(tree, "100", true), "deeper"))
}

func TestATraceThatIsTooLargeIsLeftOutInPart(t *testing.T) {
	td := ptrace.NewTraces()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range mostItems + 5 {
		s := spans.AppendEmpty()
		s.SetTraceID(traceID)
		s.SetSpanID(pcommon.SpanID{1, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	g := newGathered()
	added, err := g.add(tracesBatch(t, "p", td), traceHex)
	require.NoError(t, err)
	assert.Equal(t, mostItems, added)
	assert.Equal(t, 5, g.leftOut)
}

func TestASpanWithoutAnEndSaysSo(t *testing.T) {
	assert.Equal(t, "no end", took(-1))
	assert.Equal(t, "12.3µs", took(12345))
	assert.Equal(t, "1m05s", took(65*time.Second))
}
