package remotetapprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/internal/subset"
)

// signalOps is all that differs between the signals on a pipeline's goroutine. The functions
// only read their argument.
type signalOps[T any] struct {
	signal  otlp.Signal
	items   func(T) int             // counted as the collector itself counts
	marshal func(T) ([]byte, error) // the OTLP protobuf document
	thin    func(T, subset.Keep) T  // a copy of the kept items; nil: a batch goes whole or not at all
}

func traceOps() *signalOps[ptrace.Traces] {
	return &signalOps[ptrace.Traces]{
		signal:  otlp.Traces,
		items:   ptrace.Traces.SpanCount,
		marshal: (&ptrace.ProtoMarshaler{}).MarshalTraces,
		thin:    subset.Traces,
	}
}

func metricOps() *signalOps[pmetric.Metrics] {
	return &signalOps[pmetric.Metrics]{
		signal:  otlp.Metrics,
		items:   pmetric.Metrics.DataPointCount,
		marshal: (&pmetric.ProtoMarshaler{}).MarshalMetrics,
		thin:    subset.Metrics,
	}
}

func logOps() *signalOps[plog.Logs] {
	return &signalOps[plog.Logs]{
		signal:  otlp.Logs,
		items:   plog.Logs.LogRecordCount,
		marshal: (&plog.ProtoMarshaler{}).MarshalLogs,
		thin:    subset.Logs,
	}
}

func profileOps() *signalOps[pprofile.Profiles] {
	return &signalOps[pprofile.Profiles]{
		signal:  otlp.Profiles,
		items:   pprofile.Profiles.SampleCount,
		marshal: marshalProfiles,
	}
}

// marshalProfiles encodes a copy, since pprofile's marshaler rewrites the value that it is given:
// it moves strings into the dictionary.
func marshalProfiles(profiles pprofile.Profiles) ([]byte, error) {
	scratch := pprofile.NewProfiles()
	profiles.CopyTo(scratch)
	return (&pprofile.ProtoMarshaler{}).MarshalProfiles(scratch)
}
