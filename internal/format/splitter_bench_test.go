package format

import (
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// benchBatch is a batch of 1000 items as a Collector sees them, with pdata's marshalers for it.
type benchBatch struct {
	signal otlp.Signal
	json   func() ([]byte, error)
	proto  func() ([]byte, error)
}

func benchBatches() []benchBatch {
	td, md, ld, pd := benchTraces(1000), benchMetrics(1000), benchLogs(1000), benchProfiles(1000)
	return []benchBatch{
		{
			otlp.Traces,
			func() ([]byte, error) { return (&ptrace.JSONMarshaler{}).MarshalTraces(td) },
			func() ([]byte, error) { return (&ptrace.ProtoMarshaler{}).MarshalTraces(td) },
		},
		{
			otlp.Metrics,
			func() ([]byte, error) { return (&pmetric.JSONMarshaler{}).MarshalMetrics(md) },
			func() ([]byte, error) { return (&pmetric.ProtoMarshaler{}).MarshalMetrics(md) },
		},
		{
			otlp.Logs,
			func() ([]byte, error) { return (&plog.JSONMarshaler{}).MarshalLogs(ld) },
			func() ([]byte, error) { return (&plog.ProtoMarshaler{}).MarshalLogs(ld) },
		},
		{
			otlp.Profiles,
			func() ([]byte, error) { return (&pprofile.JSONMarshaler{}).MarshalProfiles(pd) },
			func() ([]byte, error) { return (&pprofile.ProtoMarshaler{}).MarshalProfiles(pd) },
		},
	}
}

func benchAttributes(m pcommon.Map, n, seed int) {
	for i := range n {
		switch i % 5 {
		case 0:
			m.PutInt(fmt.Sprintf("http.response.status.%d", i), int64(200+seed))
		case 1:
			m.PutBool(fmt.Sprintf("feature.flag.enabled.%d", i), seed%2 == 0)
		default:
			m.PutStr(fmt.Sprintf("service.attribute.name.%d", i), fmt.Sprintf("some value number %d of %d", i, seed))
		}
	}
}

func benchResource(r pcommon.Resource, i int) {
	r.Attributes().PutStr("service.name", fmt.Sprintf("checkout-%d", i))
	benchAttributes(r.Attributes(), 7, i)
}

// benchTraces makes n spans with 10 attributes and one event, 100 to a resource with 8 attributes.
func benchTraces(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	var spans ptrace.SpanSlice
	for i := range n {
		if i%100 == 0 {
			rs := td.ResourceSpans().AppendEmpty()
			benchResource(rs.Resource(), i)
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName("io.opentelemetry.http")
			spans = ss.Spans()
		}
		s := spans.AppendEmpty()
		s.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, byte(i >> 8), byte(i)})
		s.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, byte(i >> 8), byte(i)})
		s.SetParentSpanID([8]byte{8, 7, 6, 5, 4, 3, 2, 1})
		s.SetName("GET /api/v1/orders/{id}")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.Timestamp(1700000000000000000 + i))
		s.SetEndTimestamp(pcommon.Timestamp(1700000000050000000 + i))
		s.Status().SetCode(ptrace.StatusCodeOk)
		benchAttributes(s.Attributes(), 10, i)
		e := s.Events().AppendEmpty()
		e.SetName("message received")
		e.SetTimestamp(pcommon.Timestamp(1700000000020000000 + i))
		benchAttributes(e.Attributes(), 2, i)
	}
	return td
}

// benchMetrics makes n points with 5 attributes: half of them of sums, a quarter each of gauges and histograms.
func benchMetrics(n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	benchResource(rm.Resource(), 0)
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	for i := 0; i < n; i += 4 {
		m := metrics.AppendEmpty()
		m.SetName("http.server.request.count")
		m.SetUnit("{request}")
		sum := m.SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		benchNumber(sum.DataPoints().AppendEmpty(), i).SetIntValue(int64(i))
		benchNumber(sum.DataPoints().AppendEmpty(), i+1).SetIntValue(int64(i))
		g := metrics.AppendEmpty()
		g.SetName("process.cpu.utilization")
		benchNumber(g.SetEmptyGauge().DataPoints().AppendEmpty(), i+2).SetDoubleValue(float64(i) / 7)
		h := metrics.AppendEmpty()
		h.SetName("http.server.request.duration")
		benchHistogram(h.SetEmptyHistogram().DataPoints().AppendEmpty(), i+3)
	}
	return md
}

func benchNumber(p pmetric.NumberDataPoint, i int) pmetric.NumberDataPoint {
	p.SetTimestamp(pcommon.Timestamp(1700000000000000000 + i))
	benchAttributes(p.Attributes(), 5, i)
	return p
}

func benchHistogram(p pmetric.HistogramDataPoint, i int) {
	p.SetTimestamp(pcommon.Timestamp(1700000000000000000 + i))
	benchAttributes(p.Attributes(), 5, i)
	p.SetCount(uint64(i))
	p.SetSum(float64(i) * 1.1)
	p.ExplicitBounds().FromRaw([]float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10})
	p.BucketCounts().FromRaw([]uint64{0, 1, 2, 3, 50, 1000, 20, 3, 2, 1, 0, 0})
}

// benchLogs makes n log records with a body of 100 bytes and 6 attributes.
func benchLogs(n int) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	benchResource(rl.Resource(), 0)
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		r := records.AppendEmpty()
		r.SetTimestamp(pcommon.Timestamp(1700000000000000000 + i))
		r.SetObservedTimestamp(pcommon.Timestamp(1700000000000000000 + i))
		r.SetSeverityNumber(plog.SeverityNumberInfo)
		r.SetSeverityText("INFO")
		r.Body().SetStr(fmt.Sprintf("order %d was placed by \"customer\" %d; payment is pending, stock has been reserved for 15 minutes", i, i))
		r.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, byte(i >> 8), byte(i)})
		r.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, byte(i >> 8), byte(i)})
		benchAttributes(r.Attributes(), 6, i)
	}
	return ld
}

// benchProfiles makes one profile with n samples and a dictionary for them.
func benchProfiles(n int) pprofile.Profiles {
	pd := pprofile.NewProfiles()
	rp := pd.ResourceProfiles().AppendEmpty()
	benchResource(rp.Resource(), 0)
	p := rp.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	dict := pd.Dictionary()
	dict.StringTable().Append("")
	for i := range n {
		dict.StringTable().Append(fmt.Sprintf("github.com/example/package.Function%d", i))
		f := dict.FunctionTable().AppendEmpty()
		f.SetNameStrindex(int32(i + 1))
		l := dict.LocationTable().AppendEmpty()
		l.SetAddress(uint64(0x400000 + i))
		l.Lines().AppendEmpty().SetFunctionIndex(int32(i))
		dict.StackTable().AppendEmpty().LocationIndices().Append(int32(i), int32(i/2), int32(i/4))
		s := p.Samples().AppendEmpty()
		s.SetStackIndex(int32(i))
		s.Values().Append(int64(i))
		s.TimestampsUnixNano().Append(1700000000000000000 + uint64(i))
	}
	return pd
}

// BenchmarkJSON compares a Splitter, with one document and with documents of 64 KiB, with pdata's marshalers.
func BenchmarkJSON(b *testing.B) {
	for _, batch := range benchBatches() {
		data, err := batch.proto()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(batch.signal.String()+"/whole", func(b *testing.B) { benchSplitter(b, batch.signal, data, 0) })
		b.Run(batch.signal.String()+"/split", func(b *testing.B) { benchSplitter(b, batch.signal, data, 65536) })
		b.Run(batch.signal.String()+"/pdata-JSON", func(b *testing.B) { benchMarshal(b, batch.json) })
		b.Run(batch.signal.String()+"/pdata-protobuf", func(b *testing.B) { benchMarshal(b, batch.proto) })
	}
}

func benchSplitter(b *testing.B, signal otlp.Signal, data []byte, maxMessage int) {
	var s Splitter
	buf := make([]byte, 0, 8*len(data))
	b.ReportAllocs()
	for b.Loop() {
		s.Reset(signal, data, maxMessage, 16<<20)
		for {
			doc, _, ok, err := s.Next(buf[:0])
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			_ = doc
		}
	}
}

func benchMarshal(b *testing.B, marshal func() ([]byte, error)) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := marshal(); err != nil {
			b.Fatal(err)
		}
	}
}
