package remotetapprocessor

import (
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remotetap/remotetapprocessor/internal/redact"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/internal/subset"
)

// signalOps is all that differs between the signals on a pipeline's goroutine. The functions
// only read their argument.
type signalOps[T any] struct {
	items    func(T) int             // counted as the collector itself counts
	marshal  func(T) ([]byte, error) // the OTLP protobuf document
	size     func(T) int             // of that document in bytes; a fifth of the time of marshal
	thin     func(T, subset.Keep) T  // a copy of the kept items; nil: a batch goes whole or not at all
	observe  observeFunc[T]          // looks for why nothing matches; nil for profiles
	classify classifyFunc[T]         // tells errors from the rest; nil where thin is
	match    matchFunc[T]            // marks the items that a selection wants
	copy     func(T) T               // a copy of a whole batch
	hide     hideFunc[T]             // redacts a copy in place
}

// classifyFunc is one of Classes' methods.
type classifyFunc[T any] func(*selection.Classes, T, *selection.Marks)

// hideFunc is one of Redactor's methods.
type hideFunc[T any] func(*redact.Redactor, T) error

// observeFunc is one of Recorder's methods.
type observeFunc[T any] func(*selection.Recorder, T, int, selection.Budget) error

// matchFunc is one of Matcher's methods.
type matchFunc[T any] func(*selection.Matcher, T, int, *selection.Marks, selection.Budget) error

func traceOps() *signalOps[ptrace.Traces] {
	return &signalOps[ptrace.Traces]{
		items:    ptrace.Traces.SpanCount,
		marshal:  (&ptrace.ProtoMarshaler{}).MarshalTraces,
		size:     (&ptrace.ProtoMarshaler{}).TracesSize,
		thin:     subset.Traces,
		match:    (*selection.Matcher).MatchTraces,
		observe:  (*selection.Recorder).ObserveTraces,
		classify: (*selection.Classes).ClassifyTraces,
		copy:     copier(ptrace.NewTraces, ptrace.Traces.CopyTo),
		hide:     hider((*redact.Redactor).Traces),
	}
}

func metricOps() *signalOps[pmetric.Metrics] {
	return &signalOps[pmetric.Metrics]{
		items:    pmetric.Metrics.DataPointCount,
		marshal:  (&pmetric.ProtoMarshaler{}).MarshalMetrics,
		size:     (&pmetric.ProtoMarshaler{}).MetricsSize,
		thin:     subset.Metrics,
		match:    (*selection.Matcher).MatchMetrics,
		observe:  (*selection.Recorder).ObserveMetrics,
		classify: func(c *selection.Classes, _ pmetric.Metrics, m *selection.Marks) { c.ClassifyNone(m) },
		copy:     copier(pmetric.NewMetrics, pmetric.Metrics.CopyTo),
		hide:     hider((*redact.Redactor).Metrics),
	}
}

func logOps() *signalOps[plog.Logs] {
	return &signalOps[plog.Logs]{
		items:    plog.Logs.LogRecordCount,
		marshal:  (&plog.ProtoMarshaler{}).MarshalLogs,
		size:     (&plog.ProtoMarshaler{}).LogsSize,
		thin:     subset.Logs,
		match:    (*selection.Matcher).MatchLogs,
		observe:  (*selection.Recorder).ObserveLogs,
		classify: (*selection.Classes).ClassifyLogs,
		copy:     copier(plog.NewLogs, plog.Logs.CopyTo),
		hide:     hider((*redact.Redactor).Logs),
	}
}

func profileOps() *signalOps[pprofile.Profiles] {
	return &signalOps[pprofile.Profiles]{
		items:   pprofile.Profiles.SampleCount,
		marshal: marshalProfiles,
		size:    (&pprofile.ProtoMarshaler{}).ProfilesSize,
		match:   (*selection.Matcher).MatchProfiles,
		copy:    copier(pprofile.NewProfiles, pprofile.Profiles.CopyTo),
		hide:    (*redact.Redactor).Profiles,
	}
}

// copier makes a copy function.
func copier[T any](empty func() T, copyTo func(from, to T)) func(T) T {
	return func(from T) T {
		to := empty()
		copyTo(from, to)
		return to
	}
}

// hider makes a hideFunc of one that cannot fail.
func hider[T any](hide func(*redact.Redactor, T)) hideFunc[T] {
	return func(r *redact.Redactor, data T) error {
		hide(r, data)
		return nil
	}
}

// marshalProfiles encodes a copy, since pprofile's marshaler rewrites the value that it is given:
// it moves strings into the dictionary.
func marshalProfiles(profiles pprofile.Profiles) ([]byte, error) {
	scratch := pprofile.NewProfiles()
	profiles.CopyTo(scratch)
	return (&pprofile.ProtoMarshaler{}).MarshalProfiles(scratch)
}
