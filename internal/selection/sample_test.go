package selection

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/url"
	"strconv"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// shares are those that people ask for, and some that are awkward.
func shares() []float64 {
	return []float64{1, 0.99999, 0.999, 0.75, 2. / 3, 0.5, 1. / 3, 0.25, 0.2, 0.1, 0.05, 0.01, 0.001, 0.0001, 1e-6, 1e-10, minShare}
}

func TestThresholdIsWhatSamplersUse(t *testing.T) {
	for _, share := range shares() {
		exact, err := sampling.ProbabilityToThreshold(share)
		require.NoError(t, err)
		rounded, err := sampling.ProbabilityToThresholdWithPrecision(share, samplerDigits)
		require.NoError(t, err)
		assert.Equal(t, min(exact.Unsigned(), rounded.Unsigned()), rejectionThreshold(share), "%g", share)
		assert.InEpsilon(t, share, float64(randomValues-rejectionThreshold(share))/randomValues, 1e-3, "the share that is kept")
	}
}

// TestBehindASamplerOfTheSameShareEverythingIsKept lets pkg/sampling, which probabilistic_sampler and SDKs follow,
// sample first.
func TestBehindASamplerOfTheSameShareEverythingIsKept(t *testing.T) {
	for _, share := range shares() {
		for _, precision := range []int{samplerDigits, sampling.NumHexDigits} {
			threshold, err := sampling.ProbabilityToThresholdWithPrecision(share, precision)
			require.NoError(t, err)
			for _, above := range []uint64{0, 1, 1 << 20, 1 << 40} {
				r := min(threshold.Unsigned()+above, randomValues-1)
				randomness, err := sampling.UnsignedToRandomness(r)
				require.NoError(t, err)
				require.True(t, threshold.ShouldSample(randomness))
				assert.GreaterOrEqual(t, r, rejectionThreshold(share), "share %g, precision %d", share, precision)
			}
		}
	}
}

func TestRandomnessIsThatOfTheSpecification(t *testing.T) {
	for range 1000 {
		var id pcommon.TraceID
		binary.BigEndian.PutUint64(id[0:], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
		assert.Equal(t, sampling.TraceIDToRandomness(id).Unsigned(), traceRandomness(id))
	}
	for _, tt := range []struct {
		name, state string
		want        uint64
		ok          bool
	}{
		{"no state", "", 0, false},
		{"rv alone", "ot=rv:abcdef01234567", 0xabcdef01234567, true},
		{"rv after the threshold", "ot=th:c;rv:00000000000001", 1, true},
		{"rv before the threshold", "ot=rv:ffffffffffffff;th:c", 1<<56 - 1, true},
		{"another vendor first", "rojo=00f067aa0ba902b7, ot=rv:00000000000002", 2, true},
		{"another vendor last", "ot=rv:00000000000003,congo=t61rcWkgMzE", 3, true},
		{"capitals", "ot=rv:ABCDEF01234567", 0xabcdef01234567, true},
		{"too few digits", "ot=rv:abc", 0, false},
		{"too many digits", "ot=rv:abcdef0123456789", 0, false},
		{"no digits", "ot=rv:xxxxxxxxxxxxxx", 0, false},
		{"a sign", "ot=rv:+abcdef0123456", 0, false},
		{"no rv", "ot=th:c", 0, false},
		{"rv of somebody else", "other=rv:00000000000003", 0, false},
		{"a key that ends like rv", "ot=xrv:00000000000003", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, ok := explicitRandomness(tt.state)
			assert.Equal(t, tt.ok, ok)
			if ok {
				assert.Equal(t, tt.want, r)
				w3c, err := sampling.NewW3CTraceState(tt.state)
				if assert.NoError(t, err) {
					randomness, ok := w3c.OTelValue().RValueRandomness()
					assert.True(t, ok)
					assert.Equal(t, tt.want, randomness.Unsigned())
				}
			}
		})
	}
}

// traffic is spans and log records of the same traces.
func traffic(n int) (ptrace.Traces, plog.Logs) {
	td, ld := ptrace.NewTraces(), plog.NewLogs()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	source := rand.New(rand.NewPCG(1, 2))
	for range n {
		var id pcommon.TraceID
		binary.BigEndian.PutUint64(id[0:], source.Uint64())
		binary.BigEndian.PutUint64(id[8:], source.Uint64())
		spans.AppendEmpty().SetTraceID(id)
		records.AppendEmpty().SetTraceID(id)
	}
	return td, ld
}

func TestSampleKeepsTheSameTracesEverywhere(t *testing.T) {
	const n = 20_000
	td, ld := traffic(n)
	var larger Marks
	for _, share := range []float64{1, 0.5, 0.1, 0.01} {
		query := "sample=" + strconv.FormatFloat(share, 'g', -1, 64)
		here, elsewhere := compiled(t, query), compiled(t, query)
		var spans, same, records Marks
		require.NoError(t, here.MatchTraces(td, n, &spans, Budget{}))
		require.NoError(t, elsewhere.MatchTraces(td, n, &same, Budget{}))
		require.NoError(t, elsewhere.MatchLogs(ld, n, &records, Budget{}))
		assert.Equal(t, spans.words, same.words, "in two processes")
		assert.Equal(t, spans.words, records.words, "in logs and traces")
		deviation := math.Sqrt(n * share * (1 - share))
		assert.InDelta(t, n*share, spans.Count(), 5*deviation+1)
		if share < 1 {
			for position := spans.next(0); position >= 0; position = spans.next(position + 1) {
				require.True(t, larger.Has(position), "a smaller share is part of a larger one")
			}
		}
		larger = spans
	}
}

func TestSampleOfWhatHasNoTraceIsRandom(t *testing.T) {
	const n, share = 20_000, 0.25
	td, ld, md := ptrace.NewTraces(), plog.NewLogs(), pmetric.NewMetrics()
	spans := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	points := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints()
	for range n {
		spans.AppendEmpty()
		records.AppendEmpty()
		points.AppendEmpty()
	}
	m := compiled(t, url.Values{"sample": {"0.25"}}.Encode())
	delta := 6 * math.Sqrt(n*share*(1-share))
	var marks Marks
	require.NoError(t, m.MatchTraces(td, n, &marks, Budget{}))
	assert.InDelta(t, n*share, marks.Count(), delta)
	require.NoError(t, m.MatchLogs(ld, n, &marks, Budget{}))
	assert.InDelta(t, n*share, marks.Count(), delta)
	require.NoError(t, m.MatchMetrics(md, n, &marks, Budget{}))
	assert.InDelta(t, n*share, marks.Count(), delta)

	spans.At(0).TraceState().FromRaw("ot=rv:ffffffffffffff")
	spans.At(1).TraceState().FromRaw("ot=rv:00000000000000")
	require.NoError(t, m.MatchTraces(td, n, &marks, Budget{}))
	assert.True(t, marks.Has(0), "an explicit randomness counts without a trace id, too")
	assert.False(t, marks.Has(1))
}

func TestSampleIsTheSharesRule(t *testing.T) {
	for _, share := range []string{"0.9", "0.5", "0.25", "0.03"} {
		m := compiled(t, "sample="+share)
		for _, b := range newCorpus(9).batches(200) {
			var marks Marks
			require.NoError(t, b.match(m, &marks, Budget{}))
			for i, item := range b.items {
				if item.trace != "" || item.rv != "" {
					require.Equal(t, naiveSample(share, item), marks.Has(i), "share %s: %+v", share, item)
				}
			}
		}
	}
}
