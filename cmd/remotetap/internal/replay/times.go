package replay

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// visit gets each timestamp of some telemetry and returns what takes its place.
type visit func(pcommon.Timestamp) pcommon.Timestamp

// document is decoded telemetry of one signal.
type document struct {
	visit   func(visit)
	marshal func() ([]byte, error)
}

// decode decodes a batch.
func decode(b *app.Batch) (*document, error) {
	switch b.Signal {
	case tapclient.Traces:
		td, err := b.Traces()
		return &document{func(v visit) { visitTraces(td, v) }, func() ([]byte, error) { return (&ptrace.ProtoMarshaler{}).MarshalTraces(td) }}, err
	case tapclient.Metrics:
		md, err := b.Metrics()
		return &document{func(v visit) { visitMetrics(md, v) }, func() ([]byte, error) { return (&pmetric.ProtoMarshaler{}).MarshalMetrics(md) }}, err
	case tapclient.Logs:
		ld, err := b.Logs()
		return &document{func(v visit) { visitLogs(ld, v) }, func() ([]byte, error) { return (&plog.ProtoMarshaler{}).MarshalLogs(ld) }}, err
	default:
		pd, err := b.Profiles()
		return &document{func(v visit) { visitProfiles(pd, v) }, func() ([]byte, error) { return (&pprofile.ProtoMarshaler{}).MarshalProfiles(pd) }}, err
	}
}

// newest is the latest timestamp; the zero time if there is none.
func (d *document) newest() time.Time {
	var newest pcommon.Timestamp
	d.visit(func(t pcommon.Timestamp) pcommon.Timestamp {
		newest = max(newest, t)
		return t
	})
	if newest == 0 {
		return time.Time{}
	}
	return newest.AsTime()
}

// shift moves all timestamps. Those that are not set stay so.
func (d *document) shift(by time.Duration) {
	d.visit(func(t pcommon.Timestamp) pcommon.Timestamp {
		if t == 0 {
			return 0
		}
		return pcommon.NewTimestampFromTime(t.AsTime().Add(by))
	})
}

func visitTraces(td ptrace.Traces, v visit) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				span.SetStartTimestamp(v(span.StartTimestamp()))
				span.SetEndTimestamp(v(span.EndTimestamp()))
				for _, event := range span.Events().All() {
					event.SetTimestamp(v(event.Timestamp()))
				}
			}
		}
	}
}

func visitLogs(ld plog.Logs, v visit) {
	for _, rl := range ld.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, record := range sl.LogRecords().All() {
				record.SetTimestamp(v(record.Timestamp()))
				record.SetObservedTimestamp(v(record.ObservedTimestamp()))
			}
		}
	}
}

func visitMetrics(md pmetric.Metrics, v visit) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				visitPoints(metric, v)
			}
		}
	}
}

// point is what the points of all kinds of metrics have.
type point interface {
	StartTimestamp() pcommon.Timestamp
	SetStartTimestamp(pcommon.Timestamp)
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
}

func visitPoints(metric pmetric.Metric, v visit) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		visitNumbers(metric.Gauge().DataPoints(), v)
	case pmetric.MetricTypeSum:
		visitNumbers(metric.Sum().DataPoints(), v)
	case pmetric.MetricTypeHistogram:
		for _, p := range metric.Histogram().DataPoints().All() {
			visitPoint(p, p.Exemplars(), v)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range metric.ExponentialHistogram().DataPoints().All() {
			visitPoint(p, p.Exemplars(), v)
		}
	case pmetric.MetricTypeSummary:
		for _, p := range metric.Summary().DataPoints().All() {
			visitPoint(p, pmetric.NewExemplarSlice(), v)
		}
	case pmetric.MetricTypeEmpty:
	}
}

func visitNumbers(points pmetric.NumberDataPointSlice, v visit) {
	for _, p := range points.All() {
		visitPoint(p, p.Exemplars(), v)
	}
}

func visitPoint(p point, exemplars pmetric.ExemplarSlice, v visit) {
	p.SetStartTimestamp(v(p.StartTimestamp()))
	p.SetTimestamp(v(p.Timestamp()))
	for _, exemplar := range exemplars.All() {
		exemplar.SetTimestamp(v(exemplar.Timestamp()))
	}
}

func visitProfiles(pd pprofile.Profiles, v visit) {
	for _, rp := range pd.ResourceProfiles().All() {
		for _, sp := range rp.ScopeProfiles().All() {
			for _, profile := range sp.Profiles().All() {
				profile.SetTime(v(profile.Time()))
				for _, sample := range profile.Samples().All() {
					stamps := sample.TimestampsUnixNano()
					for i := range stamps.Len() {
						stamps.SetAt(i, uint64(v(pcommon.Timestamp(stamps.At(i)))))
					}
				}
			}
		}
	}
}
