package selection

import (
	"encoding/hex"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// nameTests look for the text in what people call an item's name.
func nameTests(t *Term) tests {
	texts := make([]folded, len(t.Values))
	for i, text := range t.Values {
		texts[i] = newFolded(text)
	}
	in := func(name string) bool {
		for i := range texts {
			if texts[i].in(name) {
				return true
			}
		}
		return false
	}
	return tests{
		metric: func(metric pmetric.Metric) verdict { return verdictOf(in(metric.Name())) },
		span:   func(span ptrace.Span) bool { return in(span.Name()) },
		record: func(record plog.LogRecord) bool {
			return in(record.EventName()) || in(record.Body().AsString())
		},
	}
}

// durationTests compare a span's duration.
func durationTests(t *Term) tests {
	least, _ := time.ParseDuration(t.Values[0]) // durationText wrote it
	return tests{span: func(span ptrace.Span) bool { return durationOf(span) >= least }}
}

// durationOf is a span's duration; 0 if it has no end, or one before its start.
func durationOf(span ptrace.Span) time.Duration {
	start, end := span.StartTimestamp(), span.EndTimestamp()
	if end <= start {
		return 0
	}
	return time.Duration(min(end-start, 1<<63-1))
}

// errorTests tell errors from the rest.
func errorTests(t *Term) tests {
	want := t.Values[0] == "true"
	return tests{
		span:   func(span ptrace.Span) bool { return isErrorSpan(span) == want },
		record: func(record plog.LogRecord) bool { return isErrorRecord(record) == want },
	}
}

func isErrorSpan(span ptrace.Span) bool { return span.Status().Code() == ptrace.StatusCodeError }

func isErrorRecord(record plog.LogRecord) bool { return SeverityOf(record) >= plog.SeverityNumberError }

// severityTests compare a record's severity.
func severityTests(t *Term) tests {
	least := severityNamed(t.Values[0])
	return tests{record: func(record plog.LogRecord) bool { return SeverityOf(record) >= least }}
}

// traceIDTests compare the trace.
func traceIDTests(t *Term) tests {
	ids := make([]pcommon.TraceID, len(t.Values))
	for i, text := range t.Values {
		_, _ = hex.Decode(ids[i][:], []byte(text)) // traceIDText wrote it
	}
	return tests{
		span:   func(span ptrace.Span) bool { return slices.Contains(ids, span.TraceID()) },
		record: func(record plog.LogRecord) bool { return slices.Contains(ids, record.TraceID()) },
	}
}

// statusTests compare a span's status.
func statusTests(t *Term) tests {
	var wanted [3]bool
	for code := range wanted {
		wanted[code] = slices.Contains(t.Values, statusName(ptrace.StatusCode(code)))
	}
	return tests{span: func(span ptrace.Span) bool {
		code := span.Status().Code()
		return code >= 0 && int(code) < len(wanted) && wanted[code]
	}}
}

// statusName is what the OpenTelemetry attribute otel.status_code says of a status.
func statusName(code ptrace.StatusCode) string {
	switch code {
	case ptrace.StatusCodeOk:
		return "OK"
	case ptrace.StatusCodeError:
		return "ERROR"
	default:
		return "UNSET"
	}
}
