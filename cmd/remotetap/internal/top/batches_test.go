package top

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/shop"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// begin is when the tests' counters begin.
var begin = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func tracesBatch(t testing.TB, td ptrace.Traces) *app.Batch {
	proto, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return &app.Batch{From: "tap:12001", Point: "remote_tap", Signal: tapclient.Traces, Items: uint64(td.SpanCount()), Proto: proto}
}

func logsBatch(t testing.TB, ld plog.Logs) *app.Batch {
	proto, err := (&plog.ProtoMarshaler{}).MarshalLogs(ld)
	require.NoError(t, err)
	return &app.Batch{From: "tap:12001", Point: "remote_tap", Signal: tapclient.Logs, Items: uint64(ld.LogRecordCount()), Proto: proto}
}

func metricsBatch(t testing.TB, md pmetric.Metrics) *app.Batch {
	proto, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	return &app.Batch{From: "tap:12001", Point: "remote_tap", Signal: tapclient.Metrics, Items: uint64(md.DataPointCount()), Proto: proto}
}

// orderBatches are the shop's batches of some orders, of each signal.
func orderBatches(t testing.TB, from, to int) []*app.Batch {
	s := shop.New()
	return []*app.Batch{tracesBatch(t, s.Traces(from, to)), logsBatch(t, s.Logs(from, to)), metricsBatch(t, s.Metrics(from, to))}
}

// spanOf is a span as the tests need it; without an end if it took no time.
type spanOf struct {
	service, name string
	took          time.Duration
	fails         bool
	attributes    map[string]any
}

func spans(t testing.TB, all ...spanOf) *app.Batch {
	td := ptrace.NewTraces()
	for _, s := range all {
		rs := td.ResourceSpans().AppendEmpty()
		if s.service != "" {
			rs.Resource().Attributes().PutStr("service.name", s.service)
		}
		span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetName(s.name)
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(begin))
		if s.took > 0 {
			span.SetEndTimestamp(pcommon.NewTimestampFromTime(begin.Add(s.took)))
		}
		if s.fails {
			span.Status().SetCode(ptrace.StatusCodeError)
		}
		require.NoError(t, span.Attributes().FromRaw(s.attributes))
	}
	return tracesBatch(t, td)
}

// feedTo has a counter count batches.
func feedTo(t testing.TB, c *counter, batches ...*app.Batch) {
	for _, b := range batches {
		require.NoError(t, c.add(b))
	}
}

// sectionOf is a signal's part of a snapshot.
func sectionOf(t testing.TB, s *snapshot, signal tapclient.Signal) *counted {
	for i := range s.sections {
		if s.sections[i].signal == signal {
			return &s.sections[i]
		}
	}
	require.Fail(t, "nothing was counted", "of %s", signal)
	return nil
}
