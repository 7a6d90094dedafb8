package redact

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
)

// benchBatch is a batch of 1000 items, with what pdata does with it.
type benchBatch struct {
	signal  otlp.Signal
	marshal func() ([]byte, error)
	copy    func() // into a new value, as redacting pdata begins
	redact  func(*Redactor) error
}

func benchBatches() []benchBatch {
	td, md, ld, pd := benchTraces(1000), benchMetrics(1000), benchLogs(1000), benchProfiles(1000)
	return []benchBatch{
		{
			otlp.Traces,
			func() ([]byte, error) { return (&ptrace.ProtoMarshaler{}).MarshalTraces(td) },
			func() { td.CopyTo(ptrace.NewTraces()) },
			func(r *Redactor) error {
				scratch := ptrace.NewTraces()
				td.CopyTo(scratch)
				r.Traces(scratch)
				return nil
			},
		},
		{
			otlp.Metrics,
			func() ([]byte, error) { return (&pmetric.ProtoMarshaler{}).MarshalMetrics(md) },
			func() { md.CopyTo(pmetric.NewMetrics()) },
			func(r *Redactor) error {
				scratch := pmetric.NewMetrics()
				md.CopyTo(scratch)
				r.Metrics(scratch)
				return nil
			},
		},
		{
			otlp.Logs,
			func() ([]byte, error) { return (&plog.ProtoMarshaler{}).MarshalLogs(ld) },
			func() { ld.CopyTo(plog.NewLogs()) },
			func(r *Redactor) error {
				scratch := plog.NewLogs()
				ld.CopyTo(scratch)
				r.Logs(scratch)
				return nil
			},
		},
		{
			otlp.Profiles,
			func() ([]byte, error) { return (&pprofile.ProtoMarshaler{}).MarshalProfiles(pd) },
			func() { pd.CopyTo(pprofile.NewProfiles()) },
			func(r *Redactor) error {
				scratch := pprofile.NewProfiles()
				pd.CopyTo(scratch)
				return r.Profiles(scratch)
			},
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
		case 2:
			m.PutStr("user.login", fmt.Sprintf("user%d@example.org", seed))
		default:
			m.PutStr(fmt.Sprintf("http.route.part.%d", i), fmt.Sprintf("/api/v1/orders/%d", seed))
		}
	}
}

func benchResource(resource pcommon.Resource, i int) {
	resource.Attributes().PutStr("service.name", fmt.Sprintf("checkout-%d", i))
	benchAttributes(resource.Attributes(), 7, i)
}

// benchTraces makes n spans with 10 attributes and one event, 100 to a resource with 8 attributes. Each span and each
// event has a user.login that is an e-mail address.
func benchTraces(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	var spans ptrace.SpanSlice
	for i := range n {
		if i%100 == 0 {
			resource := td.ResourceSpans().AppendEmpty()
			benchResource(resource.Resource(), i)
			scope := resource.ScopeSpans().AppendEmpty()
			scope.Scope().SetName("io.opentelemetry.http")
			spans = scope.Spans()
		}
		span := spans.AppendEmpty()
		span.SetTraceID([16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, byte(i >> 8), byte(i)})
		span.SetSpanID([8]byte{1, 2, 3, 4, 5, 6, byte(i >> 8), byte(i)})
		span.SetName("GET /api/v1/orders/{id}")
		span.SetKind(ptrace.SpanKindServer)
		span.SetStartTimestamp(pcommon.Timestamp(1700000000000000000 + i))
		span.SetEndTimestamp(pcommon.Timestamp(1700000000050000000 + i))
		span.Status().SetCode(ptrace.StatusCodeOk)
		benchAttributes(span.Attributes(), 10, i)
		event := span.Events().AppendEmpty()
		event.SetName("message received")
		event.SetTimestamp(pcommon.Timestamp(1700000000020000000 + i))
		benchAttributes(event.Attributes(), 3, i)
	}
	return td
}

func benchMetrics(n int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	resource := md.ResourceMetrics().AppendEmpty()
	benchResource(resource.Resource(), 0)
	metrics := resource.ScopeMetrics().AppendEmpty().Metrics()
	for i := 0; i < n; i += 2 {
		metric := metrics.AppendEmpty()
		metric.SetName("http.server.request.count")
		metric.SetUnit("{request}")
		sum := metric.SetEmptySum()
		for j := range 2 {
			point := sum.DataPoints().AppendEmpty()
			point.SetIntValue(int64(i))
			point.SetTimestamp(pcommon.Timestamp(1700000000000000000 + i))
			benchAttributes(point.Attributes(), 5, i+j)
		}
	}
	return md
}

// benchLogs makes n records with a body of 100 bytes and 6 attributes.
func benchLogs(n int) plog.Logs {
	ld := plog.NewLogs()
	resource := ld.ResourceLogs().AppendEmpty()
	benchResource(resource.Resource(), 0)
	records := resource.ScopeLogs().AppendEmpty().LogRecords()
	for i := range n {
		record := records.AppendEmpty()
		record.SetTimestamp(pcommon.Timestamp(1700000000000000000 + i))
		record.SetSeverityNumber(plog.SeverityNumberInfo)
		record.SetSeverityText("INFO")
		record.Body().SetStr(fmt.Sprintf("order %d was placed by customer %d; payment is pending, stock has been reserved for 15 minutes", i, i))
		benchAttributes(record.Attributes(), 6, i)
	}
	return ld
}

// benchProfiles makes one profile with n samples, and a dictionary for them.
func benchProfiles(n int) pprofile.Profiles {
	pd := pprofile.NewProfiles()
	resource := pd.ResourceProfiles().AppendEmpty()
	benchResource(resource.Resource(), 0)
	profile := resource.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	dictionary := pd.Dictionary()
	dictionary.StringTable().Append("")
	for i := range n {
		dictionary.StringTable().Append(fmt.Sprintf("github.com/example/package.Function%d", i))
		dictionary.FunctionTable().AppendEmpty().SetNameStrindex(int32(i + 1))
		location := dictionary.LocationTable().AppendEmpty()
		location.SetAddress(uint64(0x400000 + i))
		location.Lines().AppendEmpty().SetFunctionIndex(int32(i))
		dictionary.StackTable().AppendEmpty().LocationIndices().Append(int32(i), int32(i/2), int32(i/4))
		sample := profile.Samples().AppendEmpty()
		sample.SetStackIndex(int32(i))
		sample.Values().Append(int64(i))
		sample.TimestampsUnixNano().Append(1700000000000000000 + uint64(i))
	}
	return pd
}

// benchRules are configurations, from the cheapest to the dearest.
func benchRules(b *testing.B) []struct {
	name  string
	rules *Rules
} {
	b.Helper()
	common := []string{"*password*", "*secret*", "*token*", "http.request.header.authorization", "db.user"}
	const email, card = `[\w.+-]+@[\w-]+\.[\w.]+`, `\b(?:[0-9][ -]?){13,16}\b`
	return []struct {
		name  string
		rules *Rules
	}{
		{"keys=none-there", compiled(b, common, nil, Mask)},
		{"keys=1-of-10", compiled(b, append([]string{"user.login"}, common...), nil, Mask)},
		{"keys=1-of-10,hash", compiled(b, append([]string{"user.login"}, common...), nil, Hash)},
		{"values=not-there", compiled(b, nil, []string{`AKIA[0-9A-Z]{16}`, `(?i)bearer\s+\S+`, card}, Mask)},
		{"values=1-of-10", compiled(b, nil, []string{email}, Mask)},
		{"all", compiled(b, common, []string{email, `AKIA[0-9A-Z]{16}`, `(?i)bearer\s+\S+`, card}, Mask)},
	}
}

// compare times a function beside others in one run, turn by turn, so that what else the machine does hits all alike. It
// reports its median, and that as a multiple of the others'.
func compare(b *testing.B, subject func(), references map[string]func()) {
	b.Helper()
	times := map[string][]float64{}
	read := func(name string, call func()) {
		begin := time.Now()
		call()
		times[name] = append(times[name], float64(time.Since(begin)))
	}
	for b.Loop() {
		read("", subject)
		for name, call := range references {
			read(name, call)
		}
	}
	own := median(times[""])
	b.ReportMetric(own, "ns/op")
	for name := range references {
		b.ReportMetric(own/median(times[name]), "x-"+name)
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkRedact is the redaction of a document beside copying its bytes and beside encoding it.
func BenchmarkRedact(b *testing.B) {
	for _, batch := range benchBatches() {
		proto, err := batch.marshal()
		require.NoError(b, err)
		for _, c := range benchRules(b) {
			b.Run(fmt.Sprintf("%s/%s", batch.signal, c.name), func(b *testing.B) {
				r := NewRedactor(c.rules)
				dst, scratch := make([]byte, 0, 2*len(proto)), make([]byte, len(proto))
				compare(b, func() { _, _, _ = r.Redact(batch.signal, proto, dst) }, map[string]func(){
					"memcpy": func() { copy(scratch, proto) },
					"encode": func() { _, _ = batch.marshal() },
				})
			})
		}
	}
}

// BenchmarkRedactAllocations counts what a redaction allocates.
func BenchmarkRedactAllocations(b *testing.B) {
	for _, batch := range benchBatches() {
		proto, err := batch.marshal()
		require.NoError(b, err)
		for _, c := range benchRules(b) {
			b.Run(fmt.Sprintf("%s/%s", batch.signal, c.name), func(b *testing.B) {
				r := NewRedactor(c.rules)
				dst := make([]byte, 0, 2*len(proto))
				b.ReportAllocs()
				for b.Loop() {
					_, _, _ = r.Redact(batch.signal, proto, dst)
				}
			})
		}
	}
}

// BenchmarkRedactPdata is the redaction of a copy of pdata beside making the copy, which is a part of it.
func BenchmarkRedactPdata(b *testing.B) {
	for _, batch := range benchBatches() {
		for _, c := range benchRules(b) {
			b.Run(fmt.Sprintf("%s/%s", batch.signal, c.name), func(b *testing.B) {
				r := NewRedactor(c.rules)
				compare(b, func() { require.NoError(b, batch.redact(r)) }, map[string]func(){
					"copy":   batch.copy,
					"encode": func() { _, _ = batch.marshal() },
				})
			})
		}
	}
}
