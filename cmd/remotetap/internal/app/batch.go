package app

import (
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Batch is telemetry of one signal, from a collector or a file.
type Batch struct {
	// From is the collector's address, or the file's name.
	From string
	// Point is the tap point's id; "" if nobody knows.
	Point string
	// Time is when it passed, by the collector's clock; zero if nobody knows.
	Time time.Time
	// Signal says which method decodes it.
	Signal tapclient.Signal
	// Items is the number of spans, data points, log records or profile samples.
	Items uint64
	// Proto is encoded OTLP: TracesData and its like. It must not be changed.
	Proto []byte
}

func batchOf(b *tapclient.Batch) *Batch {
	return &Batch{From: b.From().String(), Point: b.Point, Time: b.Time, Signal: b.Signal, Items: b.Items, Proto: b.Proto()}
}

// OTLP is the signal as the packages that work on encoded OTLP have it.
func (b *Batch) OTLP() otlp.Signal {
	for signal := range otlp.Signal(otlp.NumSignals) {
		if signal.String() == string(b.Signal) {
			return signal
		}
	}
	panic("a batch of no signal") // tapclient and package recording make no others
}

// Traces decodes a batch of spans, anew with each call: what it returns is the caller's.
func (b *Batch) Traces() (ptrace.Traces, error) {
	return (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b.Proto)
}

// Metrics decodes a batch of data points, like Traces.
func (b *Batch) Metrics() (pmetric.Metrics, error) {
	return (&pmetric.ProtoUnmarshaler{}).UnmarshalMetrics(b.Proto)
}

// Logs decodes a batch of log records, like Traces.
func (b *Batch) Logs() (plog.Logs, error) { return (&plog.ProtoUnmarshaler{}).UnmarshalLogs(b.Proto) }

// Profiles decodes a batch of profiles, like Traces.
func (b *Batch) Profiles() (pprofile.Profiles, error) {
	return (&pprofile.ProtoUnmarshaler{}).UnmarshalProfiles(b.Proto)
}
