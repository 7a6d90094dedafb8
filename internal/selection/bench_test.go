package selection

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl/contexts/ottlspan"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// compare measures a function beside a reference in one run, turn by turn, so that what else the machine does hits both
// alike. It reports the medians for each of n parts, and their ratio.
func compare(b *testing.B, n int, reference, subject func()) {
	b.Helper()
	var references, subjects []float64
	for b.Loop() {
		references = append(references, reading(reference))
		subjects = append(subjects, reading(subject))
	}
	r, s := middle(references)/float64(n), middle(subjects)/float64(n)
	b.ReportMetric(0, "ns/op") // the loop's own time means nothing here
	b.ReportMetric(r, "ns/reference")
	b.ReportMetric(s, "ns/subject")
	b.ReportMetric(s/r, "x-reference")
	b.ReportMetric(testing.AllocsPerRun(10, subject), "allocs/call")
}

func reading(f func()) float64 {
	begin := time.Now()
	f()
	return float64(time.Since(begin))
}

func middle(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// busyTraces has spans with ten attributes and one event in resources with eight, as in a real system.
func busyTraces(resources, spans int) ptrace.Traces {
	td := ptrace.NewTraces()
	for r := range resources {
		rs := td.ResourceSpans().AppendEmpty()
		a := rs.Resource().Attributes()
		a.PutStr("service.name", fmt.Sprintf("service-%d", r))
		for i := range 7 {
			a.PutStr(fmt.Sprintf("resource.attribute.%d", i), "value")
		}
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("io.opentelemetry.net/http")
		for i := range spans {
			s := ss.Spans().AppendEmpty()
			s.SetName(fmt.Sprintf("GET /api/v1/things/%d", i%20))
			s.SetTraceID(pcommon.TraceID{1, 2, 3, byte(i >> 8), byte(i), 4, 5, 6, 7, byte(i * 7), byte(i * 13), byte(i * 29)})
			s.SetSpanID(pcommon.SpanID{1, byte(i >> 8), byte(i)})
			s.SetStartTimestamp(pcommon.Timestamp(1_700_000_000_000_000_000))
			s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp((i%100)*1_000_000))
			if i%50 == 0 {
				s.Status().SetCode(ptrace.StatusCodeError)
			}
			at := s.Attributes()
			at.PutStr("http.request.method", "GET")
			at.PutStr("url.path", "/api/v1/things")
			at.PutInt("http.response.status_code", int64(200+i%5*100))
			at.PutStr("http.route", fmt.Sprintf("/api/v1/%d", i%10))
			for j := range 6 {
				at.PutStr(fmt.Sprintf("span.attribute.%d", j), "value")
			}
			s.Events().AppendEmpty().SetName("event")
		}
	}
	return td
}

func compiled(tb testing.TB, query string) *Matcher {
	tb.Helper()
	values, err := url.ParseQuery(query)
	require.NoError(tb, err)
	s, err := Parse(values, AllSignals())
	require.NoError(tb, err)
	m, err := Compile(s)
	require.NoError(tb, err)
	return m
}

// soon is a budget that lasts, on a real clock.
func soon() Budget {
	start := time.Now()
	return Budget{Now: func() time.Duration { return time.Since(start) }, Until: time.Hour}
}

// BenchmarkRejectedService is a batch that a service filter rejects: nanoseconds for each resource, beside a loop that
// only looks the name up.
func BenchmarkRejectedService(b *testing.B) {
	for _, spans := range []int{1, 10, 100} {
		for _, resources := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("resources=%d/spans=%d", resources, spans), func(b *testing.B) {
				td, m, marks := busyTraces(resources, spans), compiled(b, "service=checkout"), &Marks{}
				budget := soon()
				repeat := 1000 / resources
				items := td.SpanCount()
				found := 0
				compare(b, resources*repeat, func() {
					for range repeat {
						for i := range td.ResourceSpans().Len() {
							if v, ok := td.ResourceSpans().At(i).Resource().Attributes().Get("service.name"); ok && v.Str() == "checkout" {
								found++
							}
						}
					}
				}, func() {
					for range repeat {
						if err := m.MatchTraces(td, items, marks, budget); err != nil || marks.Count() != 0 {
							b.Fatal(marks.Result(), err)
						}
					}
				})
				require.Zero(b, found)
			})
		}
	}
}

// BenchmarkSpanCriteria is simple criteria: nanoseconds for each span, beside a hand-written loop with the same tests.
func BenchmarkSpanCriteria(b *testing.B) {
	// What a client asks for is no constant to the compiler, in neither loop.
	asked := map[string]string{"key": "http.route", "code": "http.response.status_code", "route": "/api/v1/3"}
	key, codeKey, route := asked["key"], asked["code"], asked["route"]
	equal := func(v pcommon.Value, text string, number int64, isNumber bool) bool {
		switch v.Type() {
		case pcommon.ValueTypeStr:
			return v.Str() == text
		case pcommon.ValueTypeInt:
			return isNumber && v.Int() == number
		default:
			return v.AsString() == text
		}
	}
	status := func(s ptrace.Span) bool { return s.Status().Code() == ptrace.StatusCodeError }
	for _, bench := range []struct {
		query string
		by    func(s ptrace.Span) bool
	}{
		{"error=true", status},
		{"min_duration=95ms", func(s ptrace.Span) bool {
			return s.EndTimestamp() > s.StartTimestamp() && s.EndTimestamp()-s.StartTimestamp() >= 95_000_000
		}},
		{"error=true&min_duration=40ms", func(s ptrace.Span) bool {
			return status(s) && s.EndTimestamp() > s.StartTimestamp() && s.EndTimestamp()-s.StartTimestamp() >= 40_000_000
		}},
		{"http.route=/api/v1/3", func(s ptrace.Span) bool {
			v, ok := s.Attributes().Get(key)
			return ok && equal(v, route, 0, false)
		}},
		{"http.response.status_code=500&http.route=/api/v1/3", func(s ptrace.Span) bool {
			v, ok := s.Attributes().Get(codeKey)
			if !ok || !equal(v, "500", 500, true) {
				return false
			}
			v, ok = s.Attributes().Get(key)
			return ok && equal(v, route, 0, false)
		}},
		{"name=THINGS/7", func(s ptrace.Span) bool { return strings.Contains(strings.ToLower(s.Name()), "things/7") }},
		{"sample=0.1", func(s ptrace.Span) bool {
			if s.TraceState().AsRaw() != "" {
				return false
			}
			return traceRandomness(s.TraceID()) >= 0xe6660000000000
		}},
	} {
		b.Run(bench.query, func(b *testing.B) {
			td, m, marks := busyTraces(10, 100), compiled(b, bench.query), &Marks{}
			by, matched := bench.by, 0
			budget := soon()
			reference := func() {
				matched = 0
				marks.reset(1000)
				position := 0
				for i := range td.ResourceSpans().Len() {
					rs := td.ResourceSpans().At(i)
					for j := range rs.ScopeSpans().Len() {
						spans := rs.ScopeSpans().At(j).Spans()
						for k := range spans.Len() {
							if by(spans.At(k)) {
								marks.set(position)
								matched++
							}
							position++
						}
					}
				}
			}
			compare(b, 1000, reference, func() {
				if err := m.MatchTraces(td, 1000, marks, budget); err != nil || marks.Count() != matched {
					b.Fatal(marks.Result(), err, matched)
				}
			})
		})
	}
}

// BenchmarkWhere is an OTTL condition: nanoseconds for each span, beside the bare condition.
func BenchmarkWhere(b *testing.B) {
	for _, text := range []string{
		`span.attributes["http.route"] == "/api/v1/3" and span.attributes["http.response.status_code"] == 500`,
		`span.name == "nothing"`,
		`resource.attributes["service.name"] == "service-3" and span.attributes["http.route"] == "/api/v1/3"`,
		`IsMatch(span.name, "things/[3-5]$")`,
	} {
		b.Run(text[:20], func(b *testing.B) {
			td, m, marks := busyTraces(10, 100), compiled(b, "where="+url.QueryEscape(text)), &Marks{}
			c, failure := parseCondition(text)
			require.Nil(b, failure)
			bare := c.span
			budget, matched := soon(), 0
			compare(b, 1000, func() {
				matched = 0
				for i := range td.ResourceSpans().Len() {
					rs := td.ResourceSpans().At(i)
					for j := range rs.ScopeSpans().Len() {
						ss := rs.ScopeSpans().At(j)
						for k := range ss.Spans().Len() {
							tc := ottlspan.NewTransformContextPtr(rs, ss, ss.Spans().At(k))
							if ok, err := bare.Eval(context.Background(), tc); ok && err == nil {
								matched++
							}
							tc.Close()
						}
					}
				}
			}, func() {
				if err := m.MatchTraces(td, 1000, marks, budget); err != nil || marks.Count() != matched {
					b.Fatal(marks.Result(), err, matched)
				}
			})
		})
	}
}
