package format

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
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
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/testdata"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// TestGoldenDocuments reads each testdata/SIGNAL.json with pdata, marshals it to protobuf, and expects the same
// document back: the same values for all files, and the same bytes (but for white space) for traces.
func TestGoldenDocuments(t *testing.T) {
	for _, ref := range references() {
		t.Run(ref.signal.String(), func(t *testing.T) {
			golden, err := os.ReadFile(filepath.Join("testdata", ref.signal.String()+".json"))
			require.NoError(t, err)
			doc := whole(t, ref.signal, ref.fromJSON(t, golden))
			assert.JSONEq(t, string(golden), string(doc.text))
			parse(t, doc.text)
			if ref.signal == otlp.Traces {
				var compact bytes.Buffer
				require.NoError(t, json.Compact(&compact, golden))
				assert.Equal(t, compact.String(), string(doc.text))
			}
		})
	}
}

func TestDocumentsOfPdatasTestDataMeanTheSame(t *testing.T) {
	refs := references()
	traces, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(testdata.GenerateTraces(5))
	require.NoError(t, err)
	requireEqualMeaning(t, refs[otlp.Traces], traces)
	logs, err := (&plog.ProtoMarshaler{}).MarshalLogs(testdata.GenerateLogs(5))
	require.NoError(t, err)
	requireEqualMeaning(t, refs[otlp.Logs], logs)
	profiles, err := (&pprofile.ProtoMarshaler{}).MarshalProfiles(testdata.GenerateProfiles(5))
	require.NoError(t, err)
	requireEqualMeaning(t, refs[otlp.Profiles], profiles)
	for _, b := range benchBatches() {
		batch, err := b.proto()
		require.NoError(t, err)
		requireEqualMeaning(t, refs[b.signal], batch)
	}
}

// TestFullMessagesMeanTheSame sends every field of every message: once in each member of the oneofs.
func TestFullMessagesMeanTheSame(t *testing.T) {
	for _, ref := range references() {
		for member := range 8 {
			g := newGenerator(7)
			g.full, g.member = true, member
			batch := g.message(ref.signal.Message(), 1)
			requireEqualMeaning(t, ref, batch)
			if ref.signal == otlp.Profiles { // as values too: there are no strings in attributes to be moved
				want := ref.json(t, batch)
				requireNamesOf(t, parse(t, want), parse(t, whole(t, ref.signal, batch).text))
			}
		}
	}
}

// requireNamesOf fails if two values differ in the names or the types of their members at any depth.
func requireNamesOf(t testing.TB, want, got any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		require.IsType(t, want, got)
		for key, v := range want {
			if key == "key" || key == "stringValue" || key == "keyStrindex" || key == "stringValueStrindex" {
				continue
			}
			require.Contains(t, got, key)
			requireNamesOf(t, v, got.(map[string]any)[key])
		}
	case []any:
		require.IsType(t, want, got)
		for i := range min(len(want), len(got.([]any))) {
			requireNamesOf(t, want[i], got.([]any)[i])
		}
	default:
		require.IsType(t, want, got)
	}
}

// logWith returns the JSON of a log record's body as a Splitter writes it.
func logWith(t testing.TB, body func(pcommon.Value)) string {
	t.Helper()
	ld := plog.NewLogs()
	body(ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body())
	batch, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	text := string(whole(t, otlp.Logs, batch).text)
	_, text, found := strings.Cut(text, `"body":`)
	require.True(t, found)
	return strings.TrimSuffix(text, `}]}]}]}`)
}

func TestFormsOfValues(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(pcommon.Value)
		want string
	}{
		{"no value", func(pcommon.Value) {}, `{}`},
		{"an empty string", func(v pcommon.Value) { v.SetStr("") }, `{"stringValue":""}`},
		{"text that stands for itself", func(v pcommon.Value) { v.SetStr("a <b> & 'c' / 日本語 😀") }, `{"stringValue":"a <b> & 'c' / 日本語 😀"}`},
		{"quotes, backslashes and white space", func(v pcommon.Value) { v.SetStr("\"\\\n\r\t") }, `{"stringValue":"\"\\\n\r\t"}`},
		{"control characters", func(v pcommon.Value) { v.SetStr("\x00\x1b[31m\x7f\u009b") }, `{"stringValue":"\u0000\u001b[31m\u007f\u009b"}`},
		{"separators of lines that are not LF", func(v pcommon.Value) { v.SetStr("a\u2028b\u2029\u0085") }, `{"stringValue":"a\u2028b\u2029\u0085"}`},
		{"invalid UTF-8, byte by byte", func(v pcommon.Value) { v.SetStr("a\xff\xfe\xed\xa0\x80z\xe2\x80") }, `{"stringValue":"a�����z��"}`},
		{"a replacement character that was sent", func(v pcommon.Value) { v.SetStr("�") }, `{"stringValue":"�"}`},
		{"a special at the end of a long text", func(v pcommon.Value) { v.SetStr(strings.Repeat("x", 17) + "\"") }, `{"stringValue":"xxxxxxxxxxxxxxxxx\""}`},
		{"zero as an integer", func(v pcommon.Value) { v.SetInt(0) }, `{"intValue":"0"}`},
		{"the smallest integer", func(v pcommon.Value) { v.SetInt(math.MinInt64) }, `{"intValue":"-9223372036854775808"}`},
		{"false", func(v pcommon.Value) { v.SetBool(false) }, `{"boolValue":false}`},
		{"true", func(v pcommon.Value) { v.SetBool(true) }, `{"boolValue":true}`},
		{"a whole double", func(v pcommon.Value) { v.SetDouble(3) }, `{"doubleValue":3}`},
		{"a double that is not exact", func(v pcommon.Value) { v.SetDouble(0.1) }, `{"doubleValue":0.1}`},
		{"a large double", func(v pcommon.Value) { v.SetDouble(1e21) }, `{"doubleValue":1e+21}`},
		{"the largest double without exponent", func(v pcommon.Value) { v.SetDouble(1e20) }, `{"doubleValue":100000000000000000000}`},
		{"a small double", func(v pcommon.Value) { v.SetDouble(1e-7) }, `{"doubleValue":1e-7}`},
		{"a very small double", func(v pcommon.Value) { v.SetDouble(5e-324) }, `{"doubleValue":5e-324}`},
		{"a negative zero", func(v pcommon.Value) { v.SetDouble(math.Copysign(0, -1)) }, `{"doubleValue":-0}`},
		{"not a number", func(v pcommon.Value) { v.SetDouble(math.NaN()) }, `{"doubleValue":"NaN"}`},
		{"infinity", func(v pcommon.Value) { v.SetDouble(math.Inf(1)) }, `{"doubleValue":"Infinity"}`},
		{"negative infinity", func(v pcommon.Value) { v.SetDouble(math.Inf(-1)) }, `{"doubleValue":"-Infinity"}`},
		{"bytes", func(v pcommon.Value) { v.SetEmptyBytes().FromRaw([]byte{0xff, 0xfe}) }, `{"bytesValue":"//4="}`},
		{"no bytes", func(v pcommon.Value) { v.SetEmptyBytes() }, `{"bytesValue":""}`},
		{"an empty list", func(v pcommon.Value) { v.SetEmptySlice() }, `{"arrayValue":{}}`},
		{"a list with an empty value", func(v pcommon.Value) { v.SetEmptySlice().AppendEmpty() }, `{"arrayValue":{"values":[{}]}}`},
		{"an empty map", func(v pcommon.Value) { v.SetEmptyMap() }, `{"kvlistValue":{}}`},
		{"a map", func(v pcommon.Value) { v.SetEmptyMap().PutStr("k", "v") }, `{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}}`},
		{"a map with an empty key", func(v pcommon.Value) { v.SetEmptyMap().PutInt("", 1) }, `{"kvlistValue":{"values":[{"value":{"intValue":"1"}}]}}`},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, logWith(t, c.set)) })
	}
}

func TestDoublesLookLikeThoseOfEncodingJSON(t *testing.T) {
	g := newGenerator(1)
	for range 10_000 {
		v := g.double()
		want, err := json.Marshal(v)
		if err != nil {
			continue // NaN and infinities
		}
		require.Equal(t, string(want), string(appendDouble(nil, v)))
	}
}

func TestIntegersLookLikeThoseOfStrconv(t *testing.T) {
	g := newGenerator(2)
	check := func(v uint64) {
		require.Equal(t, strconv.FormatUint(v, 10), string(appendUint(nil, v)))
		require.Equal(t, strconv.Quote(strconv.FormatInt(int64(v), 10)), string(appendQuotedInt(nil, int64(v))))
	}
	for range 10_000 {
		check(g.Uint64() >> g.IntN(64))
	}
	for v := uint64(1); v < 1e19; v *= 10 {
		check(v - 1)
		check(v)
		check(v + 1)
	}
}

func TestIdsLookLikeThoseOfEncodingHex(t *testing.T) {
	for c := range 256 {
		id := []byte{byte(c), 0, byte(255 - c), byte(c), 1, byte(c), byte(c), 0x9a}
		require.Equal(t, strconv.Quote(hex.EncodeToString(id)), string(appendHex(nil, id)))
	}
}

func TestPlainTextIsCopiedAndAllElseEscaped(t *testing.T) {
	for c := range 256 {
		for place := range 2 * 17 {
			text := []byte("abcdefghijklmnopq")[:1+place/2]
			text[place%len(text)] = byte(c)
			plain := c >= ' ' && c < 0x7f && c != '"' && c != '\\'
			require.Equal(t, plain, copyPlain(make([]byte, len(text)), text) == len(text), "%q", text)
			require.Equal(t, string([]rune(string(text))), parse(t, appendString(nil, text)), "%q", text)
		}
	}
}

// stringValue returns an AnyValue that is a string, bytesValue one that is bytes.
func stringValue(s string) []byte { return protowire.AppendString([]byte{tagString}, s) }

func bytesValue(s string) []byte { return protowire.AppendString([]byte{7<<3 | 2}, s) }

// nest returns a value in depth others.
func nest(depth int, value []byte) []byte {
	for i := range depth {
		list := protowire.AppendBytes([]byte{tagKey}, value) // ArrayValue.values
		number := protowire.Number(5)
		if (i+depth)%2 == 1 { // KeyValueList.values, KeyValue.value and key
			pair := protowire.AppendString(append(protowire.AppendBytes([]byte{tagValue}, value), tagKey), "k")
			list = protowire.AppendBytes([]byte{tagKey}, pair)
			number = 6
		}
		value = protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), list)
	}
	return value
}

// logBatch returns a LogsData with one record with a body.
func logBatch(body []byte) []byte {
	record := protowire.AppendBytes([]byte{5<<3 | 2}, body)
	scope := protowire.AppendBytes([]byte{2<<3 | 2}, record)
	return protowire.AppendBytes([]byte{1<<3 | 2}, protowire.AppendBytes([]byte{2<<3 | 2}, scope))
}

func TestDeepValuesAreCutAtMaxDepth(t *testing.T) {
	requireEqualMeaning(t, references()[otlp.Logs], logBatch(nest(MaxDepth, stringValue("deepest"))))
	requireEqualMeaning(t, references()[otlp.Logs], logBatch(nest(MaxDepth, bytesValue("deepest"))))
	for _, depth := range []int{MaxDepth + 1, MaxDepth + 2, 1000, 5000} {
		doc := whole(t, otlp.Logs, logBatch(nest(depth, stringValue("too deep"))))
		require.True(t, json.Valid(doc.text))
		assert.NotContains(t, string(doc.text), "too deep")
		assert.Less(t, nesting(doc.text), 208)
		assert.Equal(t, 1, doc.items)
	}
}

// nesting returns how deep the objects and lists of a document without strings that have brackets are nested.
func nesting(text []byte) int {
	depth, deepest := 0, 0
	for _, c := range text {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		deepest = max(deepest, depth)
	}
	return deepest
}

// TestUnusualProtobuf compares what only other senders than pdata write.
func TestUnusualProtobuf(t *testing.T) {
	tag := func(number protowire.Number, wire protowire.Type) []byte {
		return protowire.AppendTag(nil, number, wire)
	}
	str := func(number protowire.Number, s string) string {
		return string(protowire.AppendString(tag(number, protowire.BytesType), s))
	}
	num := func(number protowire.Number, v uint64) string {
		return string(protowire.AppendVarint(tag(number, protowire.VarintType), v))
	}
	fix := func(number protowire.Number, v uint64) string {
		return string(protowire.AppendFixed64(tag(number, protowire.Fixed64Type), v))
	}
	span := func(fields string) string { return str(1, str(2, str(2, fields))) }
	metric := func(fields string) string { return str(1, str(2, str(2, fields))) }
	point := func(fields string) string { return metric(str(9, str(1, fields))) }
	for _, c := range []struct {
		name   string
		signal otlp.Signal
		batch  string
		want   string // is in the document
	}{
		{"a name twice: the last counts", otlp.Traces, span(str(5, "a") + str(5, "b")), `"name":"b"`},
		{"a status twice: merged", otlp.Traces, span(str(15, str(2, "m")) + str(5, "n") + str(15, num(3, 2))), `"status":{"message":"m","code":2}`},
		{"a value twice, of one type: the last counts", otlp.Traces, span(str(9, str(1, "k")+str(2, str(1, "x"))+str(2, str(1, "y")))), `{"key":"k","value":{"stringValue":"y"}}`},
		{"a value twice, lists: the last counts", otlp.Traces, span(str(9, str(2, str(5, str(1, num(3, 1))))+str(2, str(5, str(1, num(3, 2)))))), `"value":{"arrayValue":{"values":[{"intValue":"2"}]}}`},
		{"attributes between other fields", otlp.Traces, span(str(9, str(1, "a")) + str(5, "n") + str(9, str(1, "b")) + num(6, 2)), `"kind":2,"attributes":[{"key":"a","value":{}},{"key":"b","value":{}}]`},
		{"a resource twice: merged", otlp.Traces, str(1, str(1, str(1, str(1, "a")))+str(2, str(2, ""))+str(1, str(1, str(1, "b"))+num(2, 3))), `{"resource":{"attributes":[{"key":"a","value":{}},{"key":"b","value":{}}],"droppedAttributesCount":3},"scopeSpans"`},
		{"two kinds of data: the last counts", otlp.Metrics, metric(str(7, str(1, fix(6, 1))) + str(5, str(1, fix(6, 2)))), `"metrics":[{"gauge":{"dataPoints":[{"asInt":"2"}]}}]`},
		{"one kind of data twice: the last counts", otlp.Metrics, metric(str(7, str(1, fix(6, 1))) + str(7, num(2, 1)+str(1, fix(6, 2)))), `"sum":{"aggregationTemporality":1,"dataPoints":[{"asInt":"2"}]}`},
		{"an integer point of value 0", otlp.Metrics, metric(str(5, str(1, fix(6, 0)))), `[{"asInt":"0"}]`},
		{"a point without value", otlp.Metrics, metric(str(5, str(1, ""))), `"dataPoints":[{}]`},
		{"optional zeros", otlp.Metrics, point(fix(5, 0) + fix(11, 0) + fix(12, 0)), `{"sum":0,"min":0,"max":0}`},
		{"bucket counts not packed", otlp.Metrics, point(fix(6, 1) + fix(6, 2)), `"bucketCounts":["1","2"]`},
		{"packed bucket counts twice: pdata keeps the last", otlp.Metrics, point(fix(6, 9) + str(6, "\x01\x00\x00\x00\x00\x00\x00\x00") + fix(6, 2)), `"bucketCounts":["1","2"]`},
		{"packed bucket counts, empty at the end", otlp.Metrics, point(fix(6, 9) + str(6, "")), `"dataPoints":[{}]`},
		{"an id of zeros is none", otlp.Traces, span(str(1, strings.Repeat("\x00", 16)) + str(5, "n")), `"spans":[{"name":"n","status":{}}]`},
		{"an unknown field", otlp.Traces, span(str(999, "x") + str(5, "n")), `"spans":[{"name":"n","status":{}}]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Contains(t, string(whole(t, c.signal, []byte(c.batch)).text), c.want)
			requireEqualMeaning(t, references()[c.signal], []byte(c.batch))
		})
	}
}

func TestMalformedBatchesAreErrors(t *testing.T) {
	for name, batch := range map[string]string{
		"a batch that is no protobuf":             "\xff",
		"a resource that ends too early":          "\x0a\x05\x12",
		"a span with a wrong wire type":           "\x0a\x06\x12\x04\x12\x02\x28\x01",
		"an attribute that ends too early":        "\x0a\x09\x12\x07\x12\x05\x4a\x03\x0a\x05k",
		"bytes behind an attribute's value":       "\x0a\x0a\x12\x08\x12\x06\x4a\x04\x12\x02\x18\x80",
		"a scope's span that is not there":        "\x0a\x04\x12\x02\x12\x7f",
		"a resource's attributes that are broken": "\x0a\x03\x0a\x01\x0a",
	} {
		t.Run(name, func(t *testing.T) {
			require.False(t, references()[otlp.Traces].accepts([]byte(batch)))
			var s Splitter
			s.Reset(otlp.Traces, []byte(batch), 0, 0)
			doc, items, ok, err := s.Next([]byte("kept"))
			assert.Error(t, err)
			assert.Equal(t, "kept", string(doc))
			assert.Zero(t, items)
			assert.False(t, ok)
			_, _, ok, err = s.Next(nil)
			assert.False(t, ok, "an error ends the batch")
			assert.NoError(t, err)
		})
	}
}

func TestNumbersOfProfilesAreComplete(t *testing.T) {
	pd := benchProfiles(3)
	batch, err := (&pprofile.ProtoMarshaler{}).MarshalProfiles(pd)
	require.NoError(t, err)
	doc := whole(t, otlp.Profiles, batch)
	assert.Equal(t, 3, doc.items)
	for i := range 3 {
		assert.Contains(t, string(doc.text), `"timestampsUnixNano":["`+strconv.Itoa(1700000000000000000+i)+`"]`)
	}
}
