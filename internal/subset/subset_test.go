package subset

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/testdata"
)

// The expected result is made the other way round: copy everything, then remove what is not
// wanted and what has become empty.

func TestSubsetKeepsWhatIsChosenWithAllThatIsAroundIt(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		chosen := make([]bool, 1000)
		for i := range chosen {
			chosen[i] = random.IntN(3) == 0
		}
		keep := func(position int) bool { return chosen[position] }

		traces := severalTraces()
		assert.Equal(t, encodedTraces(t, tracesByRemoval(traces, keep)), encodedTraces(t, Traces(traces, keep)))
		logs := severalLogs()
		assert.Equal(t, encodedLogs(t, logsByRemoval(logs, keep)), encodedLogs(t, Logs(logs, keep)))
		metrics := severalMetrics()
		assert.Equal(t, encodedMetrics(t, metricsByRemoval(metrics, keep)), encodedMetrics(t, Metrics(metrics, keep)))
	}
}

func TestSubsetOfNothingIsEmpty(t *testing.T) {
	none := func(int) bool { return false }
	assert.Zero(t, Traces(severalTraces(), none).ResourceSpans().Len())
	assert.Zero(t, Logs(severalLogs(), none).ResourceLogs().Len())
	assert.Zero(t, Metrics(severalMetrics(), none).ResourceMetrics().Len())
}

func TestSubsetLeavesTheSourceAlone(t *testing.T) {
	source, before := severalTraces(), severalTraces()
	copied := Traces(source, func(int) bool { return true })
	copied.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetName("changed")
	assert.Equal(t, before, source)
}

func TestEvenlyKeepsTheNumberAskedForAtEvenDistances(t *testing.T) {
	for all := 1; all < 60; all++ {
		for kept := range all + 1 {
			keep := Evenly(kept, all)
			count, last := 0, -1
			for position := range all {
				if !keep(position) {
					continue
				}
				count++
				require.LessOrEqual(t, position-last, all/max(kept, 1)+1, "%d of %d", kept, all)
				last = position
			}
			require.Equal(t, kept, count, "%d of %d", kept, all)
		}
	}
}

func severalTraces() ptrace.Traces {
	traces := testdata.GenerateTraces(7)
	testdata.GenerateTraces(5).ResourceSpans().MoveAndAppendTo(traces.ResourceSpans())
	traces.ResourceSpans().At(0).SetSchemaUrl("resource schema")
	second := traces.ResourceSpans().At(1).ScopeSpans().AppendEmpty()
	second.SetSchemaUrl("scope schema")
	second.Scope().SetName("scope")
	second.Spans().AppendEmpty().SetName("the last")
	return traces
}

func severalLogs() plog.Logs {
	logs := testdata.GenerateLogs(7)
	testdata.GenerateLogs(5).ResourceLogs().MoveAndAppendTo(logs.ResourceLogs())
	logs.ResourceLogs().At(0).SetSchemaUrl("resource schema")
	second := logs.ResourceLogs().At(1).ScopeLogs().AppendEmpty()
	second.SetSchemaUrl("scope schema")
	second.LogRecords().AppendEmpty().Body().SetStr("the last")
	return logs
}

// severalMetrics has every type of metric, and one without a type.
func severalMetrics() pmetric.Metrics {
	metrics := testdata.GenerateMetrics(14)
	scope := metrics.ResourceMetrics().At(0).ScopeMetrics().At(0)
	scope.SetSchemaUrl("scope schema")
	scope.Metrics().AppendEmpty().SetName("of no type")
	scope.Metrics().At(0).Metadata().PutStr("key", "value")
	testdata.GenerateMetrics(3).ResourceMetrics().MoveAndAppendTo(metrics.ResourceMetrics())
	return metrics
}

func tracesByRemoval(source ptrace.Traces, keep Keep) ptrace.Traces {
	traces, position := ptrace.NewTraces(), 0
	source.CopyTo(traces)
	traces.ResourceSpans().RemoveIf(func(resource ptrace.ResourceSpans) bool {
		resource.ScopeSpans().RemoveIf(func(scope ptrace.ScopeSpans) bool {
			scope.Spans().RemoveIf(func(ptrace.Span) bool { position++; return !keep(position - 1) })
			return scope.Spans().Len() == 0
		})
		return resource.ScopeSpans().Len() == 0
	})
	return traces
}

func logsByRemoval(source plog.Logs, keep Keep) plog.Logs {
	logs, position := plog.NewLogs(), 0
	source.CopyTo(logs)
	logs.ResourceLogs().RemoveIf(func(resource plog.ResourceLogs) bool {
		resource.ScopeLogs().RemoveIf(func(scope plog.ScopeLogs) bool {
			scope.LogRecords().RemoveIf(func(plog.LogRecord) bool { position++; return !keep(position - 1) })
			return scope.LogRecords().Len() == 0
		})
		return resource.ScopeLogs().Len() == 0
	})
	return logs
}

func metricsByRemoval(source pmetric.Metrics, keep Keep) pmetric.Metrics {
	metrics, position := pmetric.NewMetrics(), 0
	source.CopyTo(metrics)
	drop := func() bool { position++; return !keep(position - 1) }
	metrics.ResourceMetrics().RemoveIf(func(resource pmetric.ResourceMetrics) bool {
		resource.ScopeMetrics().RemoveIf(func(scope pmetric.ScopeMetrics) bool {
			scope.Metrics().RemoveIf(func(metric pmetric.Metric) bool { return removePoints(metric, drop) == 0 })
			return scope.Metrics().Len() == 0
		})
		return resource.ScopeMetrics().Len() == 0
	})
	return metrics
}

// removePoints removes the dropped data points and returns how many are left.
func removePoints(metric pmetric.Metric, drop func() bool) int {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		metric.Gauge().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { return drop() })
		return metric.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		metric.Sum().DataPoints().RemoveIf(func(pmetric.NumberDataPoint) bool { return drop() })
		return metric.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		metric.Histogram().DataPoints().RemoveIf(func(pmetric.HistogramDataPoint) bool { return drop() })
		return metric.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		metric.ExponentialHistogram().DataPoints().RemoveIf(func(pmetric.ExponentialHistogramDataPoint) bool { return drop() })
		return metric.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		metric.Summary().DataPoints().RemoveIf(func(pmetric.SummaryDataPoint) bool { return drop() })
		return metric.Summary().DataPoints().Len()
	default:
		return 0
	}
}

// The encoded forms compare what the values mean: removal leaves capacity behind.

func encodedTraces(t *testing.T, traces ptrace.Traces) []byte {
	t.Helper()
	encoded, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	require.NoError(t, err)
	return encoded
}

func encodedLogs(t *testing.T, logs plog.Logs) []byte {
	t.Helper()
	encoded, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return encoded
}

func encodedMetrics(t *testing.T, metrics pmetric.Metrics) []byte {
	t.Helper()
	encoded, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics)
	require.NoError(t, err)
	return encoded
}
