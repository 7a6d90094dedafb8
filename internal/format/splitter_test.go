package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

func marshalTraces(t testing.TB, td ptrace.Traces) []byte {
	t.Helper()
	batch, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return batch
}

func marshalMetrics(t testing.TB, md pmetric.Metrics) []byte {
	t.Helper()
	batch, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return batch
}

// texts returns the documents of a split as strings.
func texts(docs []document) []string {
	var out []string
	for _, d := range docs {
		out = append(out, string(d.text))
	}
	return out
}

// smallTraces has, in this order: a resource a with scopes s1 (spans 1 and 2) and s2 (none), a resource without
// scopes, a resource b with scope s3 (span 3).
func smallTraces() ptrace.Traces {
	td := ptrace.NewTraces()
	resource := func(name string) ptrace.ResourceSpans {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("r", name)
		return rs
	}
	scope := func(rs ptrace.ResourceSpans, name string, spans ...string) {
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(name)
		for _, name := range spans {
			ss.Spans().AppendEmpty().SetName(name)
		}
	}
	a := resource("a")
	scope(a, "s1", "1", "2")
	scope(a, "s2")
	resource("empty")
	scope(resource("b"), "s3", "3")
	return td
}

func TestSplitRepeatsWhatEnclosesItems(t *testing.T) {
	const (
		a     = `{"resource":{"attributes":[{"key":"r","value":{"stringValue":"a"}}]},"scopeSpans":[`
		empty = `{"resource":{"attributes":[{"key":"r","value":{"stringValue":"empty"}}]}}`
		b     = `{"resource":{"attributes":[{"key":"r","value":{"stringValue":"b"}}]},"scopeSpans":[`
		s1    = `{"scope":{"name":"s1"},"spans":[`
		s2    = `{"scope":{"name":"s2"}}`
		s3    = `{"scope":{"name":"s3"},"spans":[`
		span1 = `{"name":"1","status":{}}`
		span2 = `{"name":"2","status":{}}`
		span3 = `{"name":"3","status":{}}`
	)
	doc := func(resources ...string) string { return `{"resourceSpans":[` + strings.Join(resources, ",") + `]}` }
	all := doc(a+s1+span1+","+span2+"]},"+s2+"]}", empty, b+s3+span3+"]}]}")
	batch := marshalTraces(t, smallTraces())
	for _, c := range []struct {
		name       string
		maxMessage int
		want       []string
	}{
		{"no limit", 0, []string{all}},
		{"a limit that just fits", len(all), []string{all}},
		{"one byte less moves the last atom", len(all) - 1, []string{
			doc(a+s1+span1+","+span2+"]},"+s2+"]}", empty),
			doc(b + s3 + span3 + "]}]}"),
		}},
		{"a limit that two spans just fit", len(doc(a + s1 + span1 + "," + span2 + "]}]}")), []string{
			doc(a + s1 + span1 + "," + span2 + "]}]}"),
			doc(a + s2 + "]}"),
			doc(empty),
			doc(b + s3 + span3 + "]}]}"),
		}},
		{"a limit that nothing keeps", 1, []string{
			doc(a + s1 + span1 + "]}]}"),
			doc(a + s1 + span2 + "]}]}"),
			doc(a + s2 + "]}"),
			doc(empty),
			doc(b + s3 + span3 + "]}]}"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			docs, _ := split(t, otlp.Traces, batch, c.maxMessage, 0)
			assert.Equal(t, c.want, texts(docs))
		})
	}
}

func TestSplitCutsInsideAMetric(t *testing.T) {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("requests")
	m.SetUnit("1")
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range 10_000 {
		sum.DataPoints().AppendEmpty().SetIntValue(int64(i))
	}
	docs, _ := split(t, otlp.Metrics, marshalMetrics(t, md), 65536, 0)
	require.Len(t, docs, 3)
	start := `{"resourceMetrics":[{"resource":{},"scopeMetrics":[{"scope":{},"metrics":[{"name":"requests","unit":"1",` +
		`"sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"asInt":"`
	items := 0
	for _, d := range docs {
		assert.LessOrEqual(t, len(d.text), 65536)
		assert.True(t, strings.HasPrefix(string(d.text), fmt.Sprintf(`%s%d"}`, start, items)), "%.300s", d.text)
		items += d.items
	}
	assert.Equal(t, 10_000, items)
}

func TestEmptyBatchIsOneDocument(t *testing.T) {
	want := map[otlp.Signal]string{otlp.Traces: `{}`, otlp.Metrics: `{}`, otlp.Logs: `{}`, otlp.Profiles: `{"dictionary":{}}`}
	for signal, doc := range want {
		docs, _ := split(t, signal, nil, 1, 0)
		assert.Equal(t, []string{doc}, texts(docs), signal.String())
	}
}

func TestProfilesAreNeverSplit(t *testing.T) {
	batch, err := benchBatches()[otlp.Profiles].proto()
	require.NoError(t, err)
	docs, _ := split(t, otlp.Profiles, batch, 1024, 0)
	require.Len(t, docs, 1)
	assert.Equal(t, 1000, docs[0].items)

	docs, tooLarge := split(t, otlp.Profiles, batch, 1024, 2048)
	assert.Empty(t, docs)
	assert.Equal(t, 1000, tooLarge)
}

func TestItemsAboveTheHardLimitAreLeftOutAndCounted(t *testing.T) {
	large := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name     string
		change   func(ptrace.Traces)
		tooLarge int
		lost     []string // texts that are in no document
	}{
		{"a span with a large name", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetName(large)
		}, 1, []string{large}},
		{"the only span of a scope", func(td ptrace.Traces) {
			td.ResourceSpans().At(2).ScopeSpans().At(0).Spans().At(0).TraceState().FromRaw(large)
		}, 1, []string{large, `"s3"`, `"b"`}},
		{"the only span of a resource between others", func(td ptrace.Traces) {
			td.ResourceSpans().At(2).ScopeSpans().At(0).Spans().At(0).SetName(large)
			td.ResourceSpans().AppendEmpty()
		}, 1, []string{large, `"s3"`, `"b"`}},
		{"a span whose name grows with escapes", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1).SetName(strings.Repeat("\x00", 1000))
		}, 1, []string{`\u0000`}},
		{"a scope with a large name", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).ScopeSpans().At(0).Scope().SetName(large)
		}, 2, []string{large}},
		{"a resource with a large attribute", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).Resource().Attributes().PutStr("r", large)
		}, 2, []string{large, `"s2"`}},
		{"a resource with many attributes", func(td ptrace.Traces) {
			for i := range 1000 {
				td.ResourceSpans().At(2).Resource().Attributes().PutInt(fmt.Sprint("many", i), 1)
			}
		}, 1, []string{"many"}},
		{"an empty resource that is large", func(td ptrace.Traces) {
			td.ResourceSpans().At(1).Resource().Attributes().PutStr("r", large)
		}, 0, []string{large}},
	} {
		for _, maxMessage := range []int{0, 1, 400, 4000} {
			t.Run(fmt.Sprintf("%s, documents of %d", c.name, maxMessage), func(t *testing.T) {
				td := smallTraces()
				c.change(td)
				docs, tooLarge := split(t, otlp.Traces, marshalTraces(t, td), maxMessage, 4000)
				assert.Equal(t, c.tooLarge, tooLarge)
				all, items := strings.Join(texts(docs), "\n"), 0
				for _, d := range docs {
					assert.True(t, json.Valid(d.text), "%s", d.text)
					items += d.items
				}
				assert.Equal(t, 3, items+tooLarge)
				for _, text := range c.lost {
					assert.NotContains(t, all, text)
				}
				assert.Contains(t, all, `"key":"r"`, "the rest is there")
			})
		}
	}
}

// TestTheHardLimitBoundsMemory has items that would be large in all ways an item can.
func TestTheHardLimitBoundsMemory(t *testing.T) {
	const hardLimit = 10_000
	large := map[string]func(pmetric.HistogramDataPoint){
		"one long string":     func(p pmetric.HistogramDataPoint) { p.Attributes().PutStr("k", strings.Repeat("x", 1<<20)) },
		"one long key":        func(p pmetric.HistogramDataPoint) { p.Attributes().PutStr(strings.Repeat("x", 1<<20), "v") },
		"many bytes":          func(p pmetric.HistogramDataPoint) { p.Attributes().PutEmptyBytes("k").FromRaw(make([]byte, 1<<20)) },
		"many numbers":        func(p pmetric.HistogramDataPoint) { p.BucketCounts().FromRaw(make([]uint64, 1<<17)) },
		"many empty messages": func(p pmetric.HistogramDataPoint) { addExemplars(p, 1<<17) },
		"many attributes": func(p pmetric.HistogramDataPoint) {
			for i := range 1 << 15 {
				p.Attributes().PutInt(strconv.Itoa(i), 1)
			}
		},
	}
	for name, change := range large {
		t.Run(name, func(t *testing.T) {
			md := pmetric.NewMetrics()
			m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			change(m.SetEmptyHistogram().DataPoints().AppendEmpty())
			var s Splitter
			s.Reset(otlp.Metrics, marshalMetrics(t, md), 0, hardLimit)
			doc, _, ok, err := s.Next(nil)
			require.NoError(t, err)
			assert.False(t, ok)
			assert.Equal(t, 1, s.TooLarge())
			assert.LessOrEqual(t, cap(doc), 3*hardLimit, "what was written before the limit was seen")
		})
	}
}

func addExemplars(p pmetric.HistogramDataPoint, n int) {
	for range n {
		p.Exemplars().AppendEmpty()
	}
}

func TestNextAppendsToItsDestination(t *testing.T) {
	var s Splitter
	s.Reset(otlp.Traces, marshalTraces(t, smallTraces()), 1, 0)
	doc, _, ok, err := s.Next([]byte("kept}"))
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, bytes.HasPrefix(doc, []byte(`kept}{"resourceSpans":[{"resource"`)), "%s", doc)
	assert.True(t, json.Valid(doc[len("kept}"):]))
}

func TestNextDoesNotLookBehindItsDocument(t *testing.T) {
	good := marshalTraces(t, smallTraces())
	batch := append(bytes.Clone(good), 0x0a, 0x03, 0x12, 0x01, 0xff) // a resource whose scope is malformed
	var s Splitter
	s.Reset(otlp.Traces, batch, 1, 0)
	for range 5 {
		_, _, ok, err := s.Next(nil)
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, _, ok, err := s.Next(nil)
	assert.Error(t, err)
	assert.False(t, ok)
}

func TestResetForgetsTheBatchBefore(t *testing.T) {
	batch := marshalTraces(t, smallTraces())
	var s Splitter
	for _, stop := range []int{0, 1, 2, 5} {
		s.Reset(otlp.Traces, batch, 1, 300)
		for range stop {
			_, _, ok, err := s.Next(nil)
			require.NoError(t, err)
			require.True(t, ok)
		}
		s.Reset(otlp.Logs, nil, 0, 0)
		doc, items, ok, err := s.Next(nil)
		require.NoError(t, err)
		assert.True(t, ok)
		assert.Equal(t, "{}", string(doc))
		assert.Zero(t, items)
		assert.Zero(t, s.TooLarge())
		_, _, ok, _ = s.Next(nil)
		assert.False(t, ok)
	}
}

func TestScratchMemoryIsNotKeptForever(t *testing.T) {
	td := smallTraces()
	large := strings.Repeat("x", keepScratch)
	td.ResourceSpans().At(0).Resource().Attributes().PutStr("r", large)
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1).SetName(large)
	var s Splitter
	s.Reset(otlp.Traces, marshalTraces(t, td), 1, 0)
	for ok := true; ok; {
		_, _, ok, _ = s.Next(nil)
	}
	s.Reset(otlp.Traces, nil, 1, 0)
	kept := cap(s.saved) + cap(s.render.merged)
	for _, l := range s.levels[:cap(s.levels)] {
		kept += cap(l.header)
		assert.Nil(t, l.data)
	}
	assert.Less(t, kept, keepScratch)
}

func TestNothingIsAllocatedInSteadyState(t *testing.T) {
	for _, b := range benchBatches() {
		batch, err := b.proto()
		require.NoError(t, err)
		buf := make([]byte, 0, 4<<20)
		var s Splitter
		allocs := testing.AllocsPerRun(5, func() {
			s.Reset(b.signal, batch, 10_000, 1<<20)
			for ok := true; ok; {
				_, _, ok, err = s.Next(buf)
			}
		})
		require.NoError(t, err)
		assert.Zero(t, allocs, b.signal.String())
	}
}
