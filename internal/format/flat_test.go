package format

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
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

// flatItems returns what the flat JSON of a batch's items is, from pdata.
func flatItems(t testing.TB, signal otlp.Signal, batch []byte) []any {
	t.Helper()
	switch signal {
	case otlp.Traces:
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(batch)
		require.NoError(t, err)
		return flatTraces(td)
	case otlp.Metrics:
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(batch)
		require.NoError(t, err)
		return flatMetrics(md)
	default:
		ld, err := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(batch)
		require.NoError(t, err)
		return flatLogs(ld)
	}
}

func requireFlat(t testing.TB, signal otlp.Signal, batch []byte) {
	t.Helper()
	docs, _ := render(t, JSON, Options{MaxMessage: 1}, signal, batch)
	want := flatItems(t, signal, batch)
	require.Len(t, docs, len(want))
	for i, d := range docs {
		require.Equal(t, 1, d.items)
		got := parse(t, d.text).(map[string]any)
		dropEmptyBuckets(got)
		require.Equal(t, want[i], got, "%s", d.text)
	}
}

// dropEmptyBuckets drops buckets of which pdata cannot tell whether they were sent.
func dropEmptyBuckets(item map[string]any) {
	if v, ok := item["value"].(map[string]any); ok {
		for _, key := range []string{"positive", "negative"} {
			if b, ok := v[key].(map[string]any); ok && b["counts"] == nil && b["offset"] == 0.0 {
				delete(v, key)
			}
		}
	}
}

// FuzzFlatItemsSayWhatPdataSays compares random batches that OTLP allows.
func FuzzFlatItemsSayWhatPdataSays(f *testing.F) {
	for seed := range uint64(500) {
		f.Add(seed, byte(seed%3), seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, signal byte, plain bool) {
		s := otlp.Signal(signal % 3)
		g := newGenerator(seed)
		g.plain = plain
		requireFlat(t, s, g.message(s.Message(), 3))
	})
}

func TestFlatItemsOfLargeBatchesSayWhatPdataSays(t *testing.T) {
	for i, b := range benchBatches()[:otlp.Profiles] {
		batch, err := b.proto()
		require.NoError(t, err)
		requireFlat(t, otlp.Signal(i), batch)
	}
}

// flatBody returns the JSON that a log record's body has.
func flatBody(t testing.TB, set func(pcommon.Value)) string {
	t.Helper()
	ld := plog.NewLogs()
	set(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body())
	batch, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	docs, _ := render(t, JSON, Options{}, otlp.Logs, batch)
	_, body, _ := strings.Cut(string(docs[0].text), `"body":`)
	return strings.TrimSuffix(body, "}")
}

func TestFlatFormsOfValues(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(pcommon.Value)
		want string
	}{
		{"no value is left out", func(pcommon.Value) {}, ``},
		{"a string", func(v pcommon.Value) { v.SetStr("a\n\u202e\"") }, `"a\n\u202e\""`},
		{"an empty string", func(v pcommon.Value) { v.SetStr("") }, `""`},
		{"an integer above 2^53 keeps its digits", func(v pcommon.Value) { v.SetInt(math.MaxInt64) }, `9223372036854775807`},
		{"a negative integer", func(v pcommon.Value) { v.SetInt(math.MinInt64) }, `-9223372036854775808`},
		{"zero", func(v pcommon.Value) { v.SetInt(0) }, `0`},
		{"a double", func(v pcommon.Value) { v.SetDouble(0.25) }, `0.25`},
		{"not a number is a string", func(v pcommon.Value) { v.SetDouble(math.NaN()) }, `"NaN"`},
		{"false", func(v pcommon.Value) { v.SetBool(false) }, `false`},
		{"bytes are base64", func(v pcommon.Value) { v.SetEmptyBytes().FromRaw([]byte{0xff, 0xfe}) }, `"//4="`},
		{"an empty list", func(v pcommon.Value) { v.SetEmptySlice() }, `[]`},
		{"a list with nothing in it", func(v pcommon.Value) { v.SetEmptySlice().AppendEmpty() }, `[null]`},
		{"an empty map", func(v pcommon.Value) { v.SetEmptyMap() }, `{}`},
		{"maps in lists in maps", func(v pcommon.Value) {
			v.SetEmptyMap().PutEmptySlice("l").AppendEmpty().SetEmptyMap().PutInt("n", 1)
		}, `{"l":[{"n":1}]}`},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, flatBody(t, c.set)) })
	}
}

func TestFlatKeysThatComeTwice(t *testing.T) {
	attribute := func(key, value string) string {
		return field(1, field(1, key)+field(2, field(1, value)))
	}
	var many strings.Builder
	for i := range 300 {
		many.WriteString(attribute(fmt.Sprint("k", i%100), strconv.Itoa(i)))
	}
	for name, c := range map[string]struct{ attributes, want string }{
		"the first counts":                       {attribute("a", "1") + attribute("b", "2") + attribute("a", "3"), `{"a":"1","b":"2"}`},
		"wrong bytes that are replaced the same": {attribute("\xff", "1") + attribute("\xfe", "2"), `{"�":"1"}`},
		"empty keys":                             {attribute("", "1") + attribute("", "2"), `{"":"1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			docs, _ := render(t, JSON, Options{}, otlp.Traces, []byte(field(1, field(1, c.attributes)+field(2, field(2, "")))))
			assert.Contains(t, string(docs[0].text), `"resource":`+c.want)
		})
	}
	twice := field(1, field(1, attribute("service.name", "1")+attribute("host.name", "a")+attribute("service.name", "2")+attribute("host.name", "b"))+field(2, field(2, "")))
	docs, _ := render(t, JSON, Options{}, otlp.Traces, []byte(twice))
	assert.Equal(t, "1", parse(t, docs[0].text).(map[string]any)["service"])
	docs, _ = render(t, Text, Options{}, otlp.Traces, []byte(twice))
	assert.Equal(t, "-            span    1                -           -  host.name=a", string(docs[0].text))
	docs, _ = render(t, JSON, Options{}, otlp.Traces, []byte(field(1, field(1, many.String())+field(2, field(2, "")))))
	assert.Len(t, parse(t, docs[0].text).(map[string]any)["resource"], 100)
}

// field returns a field of bytes as protobuf has it.
func field(number byte, content string) string {
	return string(append(appendLength([]byte{number<<3 | 2}, len(content)), content...))
}

func TestFlatDeepValuesAreCut(t *testing.T) {
	for _, depth := range []int{MaxDepth, MaxDepth + 1, 1000, 5000} {
		docs, _ := render(t, JSON, Options{}, otlp.Logs, logBatch(nest(depth, stringValue("deepest"))))
		assert.Equal(t, depth == MaxDepth, strings.Contains(string(docs[0].text), "deepest"))
		parse(t, docs[0].text)
		assert.Less(t, nesting(docs[0].text), 208)
	}
}

func TestFlatItemsAboveTheHardLimitAreLeftOutAndCounted(t *testing.T) {
	large := strings.Repeat("x", 5000)
	for _, c := range []struct {
		name   string
		change func(ptrace.Traces)
		lost   int
	}{
		{"a span with a large name", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetName(large)
		}, 1},
		{"a span with large bytes", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().PutEmptyBytes("b").FromRaw([]byte(large))
		}, 1},
		{"a span with many events", func(td ptrace.Traces) {
			for range 5000 {
				td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Events().AppendEmpty()
			}
		}, 1},
		{"a scope with a large name", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).ScopeSpans().At(0).Scope().SetName(large)
		}, 2},
		{"a resource with a large attribute", func(td ptrace.Traces) {
			td.ResourceSpans().At(0).Resource().Attributes().PutStr("r", large)
		}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			td := smallTraces()
			c.change(td)
			docs, tooLarge := render(t, JSON, Options{MaxMessage: 1024, HardLimit: 4000}, otlp.Traces, marshalTraces(t, td))
			assert.Equal(t, c.lost, tooLarge)
			assert.Len(t, docs, 3-c.lost)
			docs, tooLarge = render(t, Text, Options{HardLimit: 4000}, otlp.Traces, marshalTraces(t, td))
			assert.Zero(t, tooLarge, "lines are cut")
			assert.Len(t, docs, 3)
		})
	}
}

func TestTheHardLimitIsExact(t *testing.T) {
	for _, ref := range references() {
		source, err := os.ReadFile(filepath.Join("testdata", ref.signal.String()+".json"))
		require.NoError(t, err)
		batch := ref.fromJSON(t, source)
		for f := range None {
			whole, _ := render(t, f, Options{}, ref.signal, batch)
			for limit := 1; limit < 900; limit += 5 {
				docs, tooLarge := render(t, f, Options{HardLimit: limit}, ref.signal, batch)
				items, fit := tooLarge, 0
				for _, d := range docs {
					require.LessOrEqual(t, len(d.text), limit, f.String())
					items += d.items
				}
				require.Equal(t, ref.count(t, batch), items)
				for _, d := range whole {
					if d.items > 0 && len(d.text) <= limit {
						fit += d.items
					}
				}
				require.GreaterOrEqual(t, ref.count(t, batch)-tooLarge, fit, "%s: what fits is there", f)
			}
		}
	}
}

func TestTheHardLimitBoundsMemoryOfItems(t *testing.T) {
	const hardLimit = 10_000
	for name, change := range map[string]func(ptrace.Span){
		"many events":     func(s ptrace.Span) { addEvents(s, 1<<17) },
		"one long string": func(s ptrace.Span) { s.Attributes().PutStr("http.route", strings.Repeat("\x1b", 1<<20)) },
		"one long name":   func(s ptrace.Span) { s.SetName(strings.Repeat("\x1b", 1<<20)) },
		"many bytes":      func(s ptrace.Span) { s.Attributes().PutEmptyBytes("http.route").FromRaw(make([]byte, 1<<20)) },
		"many values": func(s ptrace.Span) {
			list := s.Attributes().PutEmptySlice("http.route")
			for range 1 << 17 {
				list.AppendEmpty()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			td := ptrace.NewTraces()
			change(td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
			batch := marshalTraces(t, td)
			for f := range None {
				r := New(f, Options{HardLimit: hardLimit})
				r.Reset(Batch{Signal: otlp.Traces, Proto: batch})
				message, _, _, err := r.Next(nil)
				require.NoError(t, err)
				assert.LessOrEqual(t, cap(message), 3*hardLimit, "%s: what was written before the limit was seen", f)
			}
		})
	}
}

func addEvents(s ptrace.Span, n int) {
	for range n {
		s.Events().AppendEmpty()
	}
}

func TestMalformedBatchesAreErrorsInEveryFormatOfItems(t *testing.T) {
	for _, batch := range []string{"\xff", "\x0a\x05\x12", "\x0a\x06\x12\x04\x12\x02\x28\x01", "\x0a\x09\x12\x07\x12\x05\x4a\x03\x0a\x05k"} {
		for _, f := range []Format{JSON, Text} {
			docs, _, err := tryRender(t, f, Options{}, otlp.Traces, []byte(batch))
			assert.Error(t, err, "%q", batch)
			assert.Empty(t, docs)
		}
	}
}

func TestProfilesAreOneMessageEach(t *testing.T) {
	batch, err := benchBatches()[otlp.Profiles].proto()
	require.NoError(t, err)
	for _, f := range []Format{JSON, Text} {
		docs, _ := render(t, f, Options{MaxMessage: 65536}, otlp.Profiles, batch)
		require.Len(t, docs, 1)
		assert.Equal(t, 1000, docs[0].items)
		assert.Contains(t, string(docs[0].text), "checkout-0", "names are found in the dictionary")
	}
}
