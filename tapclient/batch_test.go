package tapclient

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/testdata"
	"google.golang.org/protobuf/encoding/protowire"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
)

// batches holds one of each signal, with its number of items.
func batches(t *testing.T) map[Signal]*Batch {
	t.Helper()
	traces, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(testdata.GenerateTraces(20))
	require.NoError(t, err)
	metrics, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(testdata.GenerateMetrics(20))
	require.NoError(t, err)
	logs, err := (&plog.ProtoMarshaler{}).MarshalLogs(testdata.GenerateLogs(20))
	require.NoError(t, err)
	profiles, err := (&pprofile.ProtoMarshaler{}).MarshalProfiles(testdata.GenerateProfiles(20))
	require.NoError(t, err)
	return map[Signal]*Batch{
		Traces:   {Signal: Traces, document: traces, Items: uint64(testdata.GenerateTraces(20).SpanCount())},
		Metrics:  {Signal: Metrics, document: metrics, Items: uint64(testdata.GenerateMetrics(20).DataPointCount())},
		Logs:     {Signal: Logs, document: logs, Items: uint64(testdata.GenerateLogs(20).LogRecordCount())},
		Profiles: {Signal: Profiles, document: profiles, Items: uint64(testdata.GenerateProfiles(20).SampleCount())},
	}
}

// itemsIn counts what a batch decodes to.
func itemsIn(t *testing.T, b *Batch) int {
	t.Helper()
	switch b.Signal {
	case Traces:
		data, err := b.Traces()
		require.NoError(t, err)
		return data.SpanCount()
	case Metrics:
		data, err := b.Metrics()
		require.NoError(t, err)
		return data.DataPointCount()
	case Logs:
		data, err := b.Logs()
		require.NoError(t, err)
		return data.LogRecordCount()
	default:
		data, err := b.Profiles()
		require.NoError(t, err)
		return data.SampleCount()
	}
}

func TestBatchOfEachSignalIsDecodedAndIsNoneOfTheOthers(t *testing.T) {
	for signal, b := range batches(t) {
		require.Equal(t, int(b.Items), itemsIn(t, b))
		_, err := b.Traces()
		assert.Equal(t, signal != Traces, err != nil)
		_, err = b.Metrics()
		assert.Equal(t, signal != Metrics, err != nil)
		_, err = b.Logs()
		assert.Equal(t, signal != Logs, err != nil)
		_, err = b.Profiles()
		assert.Equal(t, signal != Profiles, err != nil)
	}
	_, err := batches(t)[Logs].Traces()
	require.EqualError(t, err, "the batch holds logs, not traces: look at Batch.Signal first")
}

func TestEachDecodingIsTheCallersOwn(t *testing.T) {
	b := batches(t)[Traces]
	first, err := b.Traces()
	require.NoError(t, err)
	first.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool { return true })
	require.Equal(t, int(b.Items), itemsIn(t, b))
}

func TestEnvelopeInsideADocumentDoesNotHinderPdata(t *testing.T) {
	envelope := encoded(t, &remotetapv1.Envelope{Point: "remote_tap", Items: 1})
	for _, b := range batches(t) {
		b.document = protowire.AppendBytes(protowire.AppendTag(b.document, 1000, protowire.BytesType), envelope)
		require.Equal(t, int(b.Items), itemsIn(t, b), b.Signal)
	}
}

func TestMalformedBatchIsAnErrorOfItsReader(t *testing.T) {
	for signal := range batches(t) {
		b := &Batch{Signal: signal, document: []byte{0x0a, 0xff}, Items: 5, Origin: Origin{Address: "a:1"}}
		_, tracesErr := b.Traces()
		_, metricsErr := b.Metrics()
		_, logsErr := b.Logs()
		_, profilesErr := b.Profiles()
		own := map[Signal]error{Traces: tracesErr, Metrics: metricsErr, Logs: logsErr, Profiles: profilesErr}[signal]
		require.ErrorContains(t, own, "the batch from a:1 is malformed")
		require.Same(t, b, b.cut(1))
	}
}

func TestBatchIsCutToItsFirstItems(t *testing.T) {
	for signal, b := range batches(t) {
		for n := uint64(1); n <= b.Items+1; n++ {
			shorter := b.cut(n)
			if signal == Profiles || n >= b.Items {
				require.Same(t, b, shorter)
				continue
			}
			require.Equal(t, n, shorter.Items)
			require.Equal(t, int(n), itemsIn(t, shorter))
			require.Equal(t, int(b.Items), itemsIn(t, b), "the whole is as it was")
		}
	}
}

// scattered holds one of each signal that can be cut: two resources with two scopes with two items.
func scattered(t *testing.T) []*Batch {
	t.Helper()
	traces, metrics, logs := ptrace.NewTraces(), pmetric.NewMetrics(), plog.NewLogs()
	for i := range 2 {
		r, m, l := traces.ResourceSpans().AppendEmpty(), metrics.ResourceMetrics().AppendEmpty(), logs.ResourceLogs().AppendEmpty()
		for j := range 2 {
			spans, points, records := r.ScopeSpans().AppendEmpty(), m.ScopeMetrics().AppendEmpty(), l.ScopeLogs().AppendEmpty()
			for k := range 2 {
				name := fmt.Sprint(i, j, k)
				spans.Spans().AppendEmpty().SetName(name)
				metric := points.Metrics().AppendEmpty()
				metric.SetName(name)
				metric.SetEmptyGauge().DataPoints().AppendEmpty()
				records.LogRecords().AppendEmpty().Body().SetStr(name)
			}
		}
	}
	a, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	require.NoError(t, err)
	b, err := (&pmetric.ProtoMarshaler{}).MarshalMetrics(metrics)
	require.NoError(t, err)
	c, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	require.NoError(t, err)
	return []*Batch{{Signal: Traces, document: a, Items: 8}, {Signal: Metrics, document: b, Items: 8}, {Signal: Logs, document: c, Items: 8}}
}

// outline writes a batch as the names in its resources and scopes.
func outline(t *testing.T, b *Batch) string {
	t.Helper()
	var text strings.Builder
	traces, _ := b.Traces()
	metrics, _ := b.Metrics()
	logs, _ := b.Logs()
	if b.Signal == Traces {
		for _, resource := range traces.ResourceSpans().All() {
			text.WriteString("resource ")
			for _, scope := range resource.ScopeSpans().All() {
				text.WriteString("scope ")
				for _, span := range scope.Spans().All() {
					text.WriteString(span.Name() + " ")
				}
			}
		}
	}
	if b.Signal == Metrics {
		for _, resource := range metrics.ResourceMetrics().All() {
			text.WriteString("resource ")
			for _, scope := range resource.ScopeMetrics().All() {
				text.WriteString("scope ")
				for _, metric := range scope.Metrics().All() {
					text.WriteString(metric.Name() + " ")
				}
			}
		}
	}
	if b.Signal == Logs {
		for _, resource := range logs.ResourceLogs().All() {
			text.WriteString("resource ")
			for _, scope := range resource.ScopeLogs().All() {
				text.WriteString("scope ")
				for _, record := range scope.LogRecords().All() {
					text.WriteString(record.Body().Str() + " ")
				}
			}
		}
	}
	return text.String()
}

func TestWhatIsCutLeavesNothingEmptyBehind(t *testing.T) {
	for _, b := range scattered(t) {
		for n, expected := range map[uint64]string{
			1: "resource scope 0 0 0 ",
			2: "resource scope 0 0 0 0 0 1 ",
			3: "resource scope 0 0 0 0 0 1 scope 0 1 0 ",
			5: "resource scope 0 0 0 0 0 1 scope 0 1 0 0 1 1 resource scope 1 0 0 ",
		} {
			require.Equal(t, expected, outline(t, b.cut(n)), "%d %s", n, b.Signal)
		}
	}
}
