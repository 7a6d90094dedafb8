package format

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	collogs "go.opentelemetry.io/proto/otlp/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// openEnvelope returns what a protobuf document says about itself, and the document without that.
func openEnvelope(t testing.TB, doc []byte) (point string, time, items uint64, rest []byte) {
	t.Helper()
	found := false
	for data := doc; len(data) > 0; {
		number, wire, n := protowire.ConsumeField(data)
		require.Positive(t, n)
		if number != 1000 {
			rest = append(rest, data[:n]...)
			data = data[n:]
			continue
		}
		require.False(t, found, "two envelopes")
		found = true
		require.Equal(t, protowire.BytesType, wire)
		_, _, header := protowire.ConsumeTag(data)
		content, _ := protowire.ConsumeBytes(data[header:])
		point, time, items = parseEnvelope(t, content)
		data = data[n:]
	}
	require.True(t, found)
	return point, time, items, rest
}

func parseEnvelope(t testing.TB, data []byte) (point string, time, items uint64) {
	t.Helper()
	for want := protowire.Number(1); want <= 3; want++ {
		number, _, n := protowire.ConsumeTag(data)
		require.Equal(t, want, number)
		data = data[n:]
		switch number {
		case 1:
			point, n = protowire.ConsumeString(data)
		case 2:
			time, n = protowire.ConsumeFixed64(data)
		default:
			items, n = protowire.ConsumeVarint(data)
		}
		require.Positive(t, n)
		data = data[n:]
	}
	require.Empty(t, data)
	return point, time, items
}

// requireSameProto fails if documents do not hold the atoms of a batch, each once and in order, or are larger than
// asked for. It reads them with pdata.
func requireSameProto(t testing.TB, ref reference, batch []byte, docs []document, o Options) {
	t.Helper()
	m := ref.signal.Message()
	want := atoms(t, m, parse(t, whole(t, ref.signal, batch).text), "")
	var got []string
	for _, d := range docs {
		normal := ref.normal(t, d.text) // pdata reads it, whatever envelope it has
		require.Equal(t, ref.count(t, d.text), d.items)
		if o.Envelope {
			point, time, items, rest := openEnvelope(t, d.text)
			require.Equal(t, "remote_tap", point)
			require.Equal(t, uint64(passed.UnixNano()), time)
			require.Equal(t, uint64(d.items), items)
			require.Equal(t, normal, ref.normal(t, rest))
		}
		in := atoms(t, m, parse(t, whole(t, ref.signal, d.text).text), "")
		require.True(t, len(d.text) <= orUnlimited(o.MaxMessage) || len(in) == 1 || !ref.signal.Splits(), "%d bytes", len(d.text))
		got = append(got, in...)
	}
	require.Equal(t, want, got)
}

// FuzzProtoDocumentsHoldTheBatch splits random batches that OTLP allows.
func FuzzProtoDocumentsHoldTheBatch(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, byte(seed%otlp.NumSignals), uint16(seed*37%3000), seed%2 == 0)
	}
	refs := references()
	f.Fuzz(func(t *testing.T, seed uint64, signal byte, maxMessage uint16, envelope bool) {
		ref := refs[signal%otlp.NumSignals]
		g := newGenerator(seed)
		g.valid, g.plain = true, seed%3 == 0
		batch := g.message(ref.signal.Message(), 3)
		o := Options{MaxMessage: int(maxMessage), Envelope: envelope}
		docs, tooLarge := render(t, OTLPProto, o, ref.signal, batch)
		require.Zero(t, tooLarge)
		requireSameProto(t, ref, batch, docs, o)
		if ref.signal.Splits() && !envelope && (maxMessage == 0 || len(batch) <= int(maxMessage)) {
			require.Len(t, docs, 1)
			require.True(t, bytes.Equal(batch, docs[0].text), "a batch that fits is copied")
		}
	})
}

func TestProtoDocumentsOfLargeBatchesHoldThem(t *testing.T) {
	for i, b := range benchBatches() {
		ref := references()[i]
		batch, err := b.proto()
		require.NoError(t, err)
		for _, size := range []int{5001, 65_536} {
			o := Options{MaxMessage: size, Envelope: size%2 == 1}
			docs, _ := render(t, OTLPProto, o, b.signal, batch)
			requireSameProto(t, ref, batch, docs, o)
			for _, d := range docs[:len(docs)-1] {
				assert.Greater(t, len(d.text), size*8/10, "documents are filled")
			}
		}
	}
}

func TestProtoSplitCutsWhereTheSizeIsReached(t *testing.T) {
	batch := marshalTraces(t, smallTraces())
	sizes := func(maxMessage int) (sizes []int, items []int) {
		docs, _ := render(t, OTLPProto, Options{MaxMessage: maxMessage}, otlp.Traces, batch)
		for _, d := range docs {
			sizes, items = append(sizes, len(d.text)), append(items, d.items)
		}
		return sizes, items
	}
	one, items := sizes(len(batch))
	assert.Equal(t, []int{len(batch)}, one)
	assert.Equal(t, []int{3}, items)
	two, items := sizes(len(batch) - 1)
	assert.Len(t, two, 2, "one byte less moves the last atom")
	assert.Equal(t, []int{2, 1}, items)
	again, _ := sizes(two[0])
	assert.Equal(t, two, again, "a size that just fits")
	_, items = sizes(1)
	assert.Equal(t, []int{1, 1, 0, 0, 1}, items, "each atom alone: spans 1 and 2, an empty scope, an empty resource, span 3")
}

func TestProtoSplitKeepsFieldsThatNobodyKnows(t *testing.T) {
	unknown := "\xfa\x3e\x03new" // field 1007
	batch := unknown + field(1, unknown+field(2, field(2, unknown)+field(2, "")))
	docs, _ := render(t, OTLPProto, Options{MaxMessage: 1}, otlp.Traces, []byte(batch))
	require.Len(t, docs, 2)
	assert.Equal(t, unknown+field(1, unknown+field(2, field(2, unknown))), string(docs[0].text))
	assert.Equal(t, unknown+field(1, unknown+field(2, field(2, ""))), string(docs[1].text))
}

func TestProtoSplitCutsInsideAMetric(t *testing.T) {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("requests")
	sum := m.SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for i := range 10_000 {
		sum.DataPoints().AppendEmpty().SetIntValue(int64(i))
	}
	docs, _ := render(t, OTLPProto, Options{MaxMessage: 65536}, otlp.Metrics, marshalMetrics(t, md))
	require.Len(t, docs, 2)
	for _, d := range docs {
		assert.LessOrEqual(t, len(d.text), 65536)
		md, err := (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(d.text)
		require.NoError(t, err)
		m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
		assert.Equal(t, "requests", m.Name())
		assert.Equal(t, pmetric.AggregationTemporalityDelta, m.Sum().AggregationTemporality())
	}
}

func TestProtoItemsAboveTheHardLimitAreLeftOutAndCounted(t *testing.T) {
	td := smallTraces()
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetName(strings.Repeat("x", 5000))
	for _, size := range []int{0, 1, 400, 10_000} {
		docs, tooLarge := render(t, OTLPProto, Options{MaxMessage: size, HardLimit: 4000}, otlp.Traces, marshalTraces(t, td))
		assert.Equal(t, 1, tooLarge)
		items := 0
		for _, d := range docs {
			items += d.items
			assert.NotContains(t, string(d.text), "xxx")
		}
		assert.Equal(t, 2, items)
	}
}

// TestProtoStringsAreRepaired reads random batches with strings that are not UTF-8 as other programs do: with the
// official protobuf types, which refuse such strings.
func TestProtoStringsAreRepaired(t *testing.T) {
	official := map[otlp.Signal]func() proto.Message{
		otlp.Traces:  func() proto.Message { return &coltrace.TracesData{} },
		otlp.Metrics: func() proto.Message { return &colmetrics.MetricsData{} },
		otlp.Logs:    func() proto.Message { return &collogs.LogsData{} },
	}
	refused := 0
	for seed := range uint64(300) {
		for signal, empty := range official {
			batch := newGenerator(seed).message(signal.Message(), 3)
			if proto.Unmarshal(batch, empty()) != nil {
				refused++
			}
			docs, _ := render(t, OTLPProto, Options{MaxMessage: int(seed) * 10}, signal, batch)
			for _, d := range docs {
				require.NoError(t, proto.Unmarshal(d.text, empty()), "%s %d", signal, seed)
			}
		}
	}
	assert.Greater(t, refused, 100, "the batches have such strings")
}

func TestBatchesAreValidIfThereIsNothingToRepair(t *testing.T) {
	found := map[bool]int{}
	for seed := range uint64(500) {
		for signal := range otlp.NumSignals {
			message := otlp.Signal(signal).Message()
			batch := newGenerator(seed).message(message, 3)
			before, repaired := bytes.Clone(batch), bytes.Clone(batch)
			repair(message, repaired)
			clean := valid(message, batch)
			require.Equal(t, before, batch, "it only looks")
			require.Equal(t, bytes.Equal(batch, repaired), clean, "%s %d", message.Name, seed)
			require.True(t, valid(message, repaired), "%s %d", message.Name, seed)
			found[clean]++
		}
	}
	assert.Greater(t, found[true], 100)
	assert.Greater(t, found[false], 100)
}

func spanNamed(t testing.TB, name string) []byte {
	t.Helper()
	traces := ptrace.NewTraces()
	traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty().SetName(name)
	return marshalTraces(t, traces)
}

func TestBatchesAreSharedIfTheyNeedNoCopy(t *testing.T) {
	batch := spanNamed(t, "fine")
	for name, c := range map[string]struct {
		options Options
		batch   []byte
		shared  bool
	}{
		"as it is":                       {Options{}, batch, true},
		"as large as a message may be":   {Options{MaxMessage: len(batch), HardLimit: len(batch)}, batch, true},
		"larger than a message":          {Options{MaxMessage: len(batch) - 1}, batch, false},
		"larger than any message may be": {Options{HardLimit: len(batch) - 1}, batch, false},
		"with an envelope":               {Options{Envelope: true}, batch, false},
		"with a string to repair":        {Options{}, spanNamed(t, "bad\xff"), false},
		"without items":                  {Options{}, nil, false},
		"malformed":                      {Options{}, append(bytes.Clone(batch), 0x0a), false},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := New(OTLPProto, c.options).(Sharer)
			r.Reset(Batch{Signal: otlp.Traces, Proto: c.batch})
			items, shared := r.Share()
			assert.Equal(t, c.shared, shared)
			if shared {
				assert.Equal(t, 1, items)
				_, _, more, err := r.Next(nil)
				assert.False(t, more)
				assert.NoError(t, err)
			}
		})
	}
}

func TestRepairReplacesOnlyWhatIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "日本 é": "日本 é", "a\xffb": "a?b", "\xe2\x80": "??", "\xed\xa0\x80": "???", "é\xc3": "é?", "": "", "�": "�",
	} {
		s := []byte(in)
		repairString(s)
		assert.Equal(t, want, string(s))
	}
	for _, c := range []struct {
		depth    int
		repaired bool
	}{{2000, true}, {6000, false}} { // each level is two messages or three
		deep := nest(c.depth, stringValue("bad\xff!"))
		repair(otlp.AnyValue.Message(), deep)
		assert.Equal(t, c.repaired, bytes.Contains(deep, []byte("bad?!")), "depth %d", c.depth)
	}
}

func TestLengthsBeforeMessagesAreThoseOfProtobuf(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 127, 128, 65536, 1 << 21}
	for _, n := range sizes {
		before := len(stream)
		message := make([]byte, n)
		stream = AppendLength(stream, message)
		assert.LessOrEqual(t, len(stream)-before, MaxLengthSize)
		stream = append(stream, message...)
	}
	r := bytes.NewReader(stream)
	for _, n := range sizes {
		size, err := binary.ReadUvarint(r)
		require.NoError(t, err)
		require.Equal(t, uint64(n), size)
		_, err = r.Seek(int64(n), 1)
		require.NoError(t, err)
	}
	assert.Zero(t, r.Len())
}

func TestEnvelopesAreIgnoredByOTLPReaders(t *testing.T) {
	for _, ref := range references() {
		for seed := range uint64(50) {
			g := newGenerator(seed)
			g.plain, g.valid = true, true
			batch := g.message(ref.signal.Message(), 2)
			for _, size := range []int{0, 200, 1000} {
				docs, _ := render(t, OTLPJSON, Options{MaxMessage: size, Envelope: true}, ref.signal, batch)
				for _, d := range docs {
					object := parse(t, d.text).(map[string]any)
					assert.Equal(t, map[string]any{
						"point": "remote_tap", "time": "2023-11-14T22:13:21.000000005Z", "items": float64(d.items),
					}, object["remoteTap"])
					bare := fmt.Sprintf(`"remoteTap":{"point":"remote_tap","time":"2023-11-14T22:13:21.000000005Z","items":%d}`, d.items)
					without := strings.Replace(strings.Replace(string(d.text), ","+bare, "", 1), bare, "", 1)
					require.Equal(t, ref.fromJSON(t, []byte(without)), ref.fromJSON(t, d.text))
				}
				assertSizes(t, docs, size)
			}
		}
	}
}

// assertSizes fails if a document with more than one item is larger than asked for.
func assertSizes(t testing.TB, docs []document, size int) {
	t.Helper()
	for _, d := range docs {
		assert.True(t, size == 0 || d.items <= 1 || len(d.text) <= size || strings.Contains(string(d.text), "dictionary"),
			"%d bytes, more than %d: %s", len(d.text), size, d.text)
	}
}
