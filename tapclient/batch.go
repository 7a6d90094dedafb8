package tapclient

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Batch is telemetry of one signal that passed one point. It is read-only: its methods may be called
// from any goroutine, at any time.
type Batch struct {
	Origin
	// Point is the tap point's id.
	Point string
	// Time is when the batch passed, by the collector's clock.
	Time time.Time
	// Signal is the kind of telemetry, and says which method decodes it.
	Signal Signal
	// Items is the number of spans, data points, log records or profile samples in the batch.
	Items uint64

	document []byte
}

func batchOf(origin Origin, r *response) *Batch {
	return &Batch{
		Origin:   origin,
		Point:    r.envelope.GetPoint(),
		Time:     time.Unix(0, int64(r.envelope.GetTimeUnixNano())),
		Signal:   r.signal(),
		Items:    r.envelope.GetItems(),
		document: r.document,
	}
}

// Proto is the batch as encoded OTLP: TracesData, MetricsData, LogsData or ProfilesData, which is
// the same as the Export...ServiceRequest of OTLP. These are the bytes that the collector captured.
// The caller must not change them.
func (b *Batch) Proto() []byte { return b.document }

// Traces decodes a batch of spans. Each call decodes anew, and what it returns is the caller's. The
// error is not nil if the batch is of another signal, or malformed.
func (b *Batch) Traces() (ptrace.Traces, error) {
	return decode(b, Traces, (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces)
}

// Metrics decodes a batch of data points, like Traces.
func (b *Batch) Metrics() (pmetric.Metrics, error) {
	return decode(b, Metrics, (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics)
}

// Logs decodes a batch of log records, like Traces.
func (b *Batch) Logs() (plog.Logs, error) {
	return decode(b, Logs, (&plog.ProtoUnmarshaler{}).UnmarshalLogs)
}

// Profiles decodes a batch of profiles, like Traces.
func (b *Batch) Profiles() (pprofile.Profiles, error) {
	return decode(b, Profiles, (&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles)
}

func decode[T any](b *Batch, signal Signal, unmarshal func([]byte) (T, error)) (T, error) {
	if b.Signal != signal {
		var none T
		return none, fmt.Errorf("the batch holds %s, not %s: look at Batch.Signal first", b.Signal, signal)
	}
	decoded, err := unmarshal(b.document)
	if err != nil {
		return decoded, fmt.Errorf("the batch from %s is malformed: %w", b.Origin, err)
	}
	return decoded, nil
}
